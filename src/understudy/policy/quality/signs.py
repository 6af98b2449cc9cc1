"""What an answer can show that speaks against the model that wrote it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["COUNTED", "Sign", "Signs"]


class Sign(StrEnum):
    """The closed set of signs; the value is what people read, before "in 3 of 20 answers"."""

    #: Letters of a script that neither the request nor the feature's other answers have.
    SCRIPT = "letters of a foreign script"
    #: It falls into saying the same thing again and again.
    LOOP = "endless repetition"
    #: Not the JSON that was asked for, or a tool call with arguments that do not fit the tool.
    STRUCTURE = "broken structure"
    #: A refusal in prose, where the provider signals an ordinary answer.
    DECLINED = "refusals in prose"
    #: A refusal that the provider signals.
    REFUSED = "refusals"
    #: A success without content.
    EMPTY = "no content"
    #: A probe's answer without the word that it asks for.
    CANARY = "a wrong word"
    #: Answers are shorter, or longer, than they were.
    SHORTER = "unusual brevity"
    LONGER = "unusual length"


#: Signs that are known of every attempt, not of a sample.
COUNTED = (Sign.REFUSED, Sign.EMPTY)


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer shows. None: it cannot be told, or does not apply."""

    #: Scripts of its letters that the request has not.
    scripts: frozenset[str] | None = None
    loops: bool | None = None
    breaks_structure: bool | None = None
    declines: bool | None = None
    #: A probe's answer has text, and the word that was asked for is not in it.
    lacks_word: bool | None = None
    #: Characters of its text, where its end was its own choice.
    length: int | None = None
