"""One answer, read for its signs. Nothing of its text is kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from understudy.core.conversation import Stop
from understudy.policy.quality.loops import loops
from understudy.policy.quality.scripts import foreign_to, scripts_of
from understudy.policy.quality.signs import Signs
from understudy.policy.quality.structure import breaks

__all__ = ["READ", "Asked", "Said", "needs_request", "read"]

#: Characters that are read of an answer's text: at its beginning and at its end.
READ: Final = 4000
#: Characters of a JSON document, or of a tool's arguments, at most.
JSON_LONGEST: Final = 64 * 1024
#: Characters in which an answer that declines says so.
_OPENING: Final = 240
#: Ends that a model chose itself.
_OWN_ENDS: Final = frozenset({Stop.END, Stop.STOP_SEQUENCE})

#: How refusals begin, in the words that chat models were trained on. English only: a refusal in
#: another language shows by its length, if at all.
_DECLINING: Final = (
    "i can't help with",
    "i cannot help with",
    "i can't assist",
    "i cannot assist",
    "i can't provide",
    "i cannot provide",
    "i can't comply",
    "i cannot comply",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i won't be able to",
    "i must decline",
    "i have to decline",
)
_STRAIGHT: Final = str.maketrans("\u2019\u02bc", "''")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, as far as it is read: its text without thinking, its tool calls (name, arguments
    as JSON text), and why it ended.
    """

    text: str
    calls: tuple[tuple[str, str], ...] = ()
    stop: Stop | None = None
    #: It holds a refusal that the dialect tells apart from text.
    refused: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request an answer is read against. The default is one that was not read."""

    #: The scripts of its text; None: not known.
    scripts: frozenset[str] | None = None
    #: The one word that a probe asks for.
    word: str | None = None
    #: JSON is asked for, and perhaps by this schema.
    structured: bool = False
    schema: bytes | None = None
    #: Tool → the schema of its arguments.
    tools: Mapping[str, bytes] = MappingProxyType({})


def needs_request(said: Said, *, structured: bool) -> bool:
    """Whether the request has to be read to judge the answer: most of the time not."""
    return structured or bool(said.calls) or not _excerpt(said.text).isascii()


def read(said: Said, asked: Asked) -> Signs:
    """What an answer shows."""
    ended = said.stop in _OWN_ENDS or (said.stop is Stop.TOOL_USE and bool(said.calls))
    is_prose = bool(said.text) and not asked.structured and asked.word is None
    text = _excerpt(said.text)
    return Signs(
        scripts=_foreign(text, asked) if text else None,
        loops=loops(text) if is_prose else None,
        breaks_structure=_breaks_structure(said, asked) if ended and not said.refused else None,
        declines=_declines(text) if is_prose else None,
        lacks_word=_lacks(asked.word, said.text) if asked.word is not None else None,
        length=len(said.text) if is_prose and said.stop in _OWN_ENDS and not said.calls else None,
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= 2 * READ else f"{text[:READ]} {text[-READ:]}"


def _foreign(text: str, asked: Asked) -> frozenset[str] | None:
    found = scripts_of(text)
    if not found:
        return found
    return None if asked.scripts is None else foreign_to(asked.scripts, found)


def _declines(text: str) -> bool:
    opening = text[:_OPENING].translate(_STRAIGHT).lower()
    return any(words in opening for words in _DECLINING)


def _lacks(word: str, text: str) -> bool | None:
    return word.lower() not in text.lower() if text else None


def _breaks_structure(said: Said, asked: Asked) -> bool | None:
    """Whether anything that should be JSON is not as it should be; None: nothing should."""
    verdicts = [
        _is_broken(arguments, asked.tools.get(name), empty=True) for name, arguments in said.calls
    ]
    if asked.structured and said.text and not said.calls:
        verdicts.append(_is_broken(said.text, asked.schema, empty=False))
    if True in verdicts:
        return True
    return False if False in verdicts else None


def _is_broken(text: str, schema: bytes | None, *, empty: bool) -> bool | None:
    if len(text) > JSON_LONGEST:
        return None
    if empty and not text.strip():  # A tool without arguments.
        return False
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return True
    return False if schema is None else breaks(schema, value)
