"""Requests that ask for the rest of an answer: how they are told, and where the rest begins.

Two ways of asking: a last turn of the assistant that is the beginning of the answer, and (for
models that take none) a user's turn that says that the response was interrupted and how it ended
(https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery). Both may come
several times over, as when an answer was broken off twice.
"""

from __future__ import annotations

import re

import msgspec

from understudy.mock.ask import Turn

__all__ = ["NOTHING", "Said", "parted", "place_in"]

_INTERRUPTED = re.compile(r"interrupted|cut off|cut short|broke off|broken off", re.IGNORECASE)
_CONTINUE = re.compile(
    r"\bcontinu(?:e|ing)\b|\bpick up\b|\bgo(?:ing)? on\b|left off|carry on|resume", re.IGNORECASE
)
#: Characters (white space aside) of an answer that must be quoted for its place to be found.
_SEAM = 32
#: Characters of a note, from its end, that are searched for a quotation.
_NOTE = 8_000
#: A shorter quotation is looked for at the answer's beginning only.
_SHORT_SEAM = 12
_MARKS = (
    ("[", "]"), ("(", ")"), ("<", ">"), (">", "<"), ("`", "`"), ('"', '"'), ("'", "'"),
    ("“", "”"), ("„", "“"), ("‘", "’"), ("«", "»"), ("…", "”"), ("…", '"'),
)  # fmt: skip


class Said(msgspec.Struct, frozen=True):
    """What stands of an answer: the `part` itself, and the `note` that may quote its end.

    `prefilled`: the conversation ends with the part, so that nothing can come before the rest.
    """

    part: str = ""
    note: str = ""
    prefilled: bool = False

    def __bool__(self) -> bool:
        return bool(self.part or self.note)


NOTHING = Said()


def parted(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], Said]:
    """The conversation as it was first asked, and what has been said of its answer already."""
    if not turns:
        return turns, NOTHING
    last = turns[-1]
    if last.role == "assistant":
        first, said = parted(turns[:-1])
        return first, Said(said.part + last.text, said.note, prefilled=True)
    if not _asks_to_go_on(last):
        return turns, NOTHING
    if len(turns) == 1:
        return _within_turn(last)
    if turns[-2].called:
        return turns[:-1], Said(note=last.text)
    first, said = parted(turns[:-1])
    return first, Said(said.part, f"{said.note}\n{last.text}")


def _asks_to_go_on(turn: Turn) -> bool:
    return bool(_INTERRUPTED.search(turn.text) and _CONTINUE.search(turn.text))


def _within_turn(turn: Turn) -> tuple[tuple[Turn, ...], Said]:
    """The request and the note in one turn, as where consecutive turns were put together."""
    found = _INTERRUPTED.search(turn.text)
    start = turn.text.rfind("\n\n", 0, found.start()) if found else -1
    if start <= 0:
        return (turn,), NOTHING
    first = msgspec.structs.replace(turn, text=turn.text[:start])
    return (first,), Said(note=turn.text[start:])


def place_in(answer: str, said: Said) -> int:
    """How much of `answer` has been said; 0 where that cannot be told.

    White space does not count, except at the end of what was said: what stood there is not said
    again.
    """
    if said.part and answer.startswith(said.part):
        return len(said.part)
    places = [index for index, letter in enumerate(answer) if not letter.isspace()]
    letters = _letters(answer)
    part = _letters(said.part)
    if part and letters.startswith(part):
        return _after_space(answer, places[len(part) - 1] + 1, said.part)
    end = _quoted(letters, said.note[-_NOTE:]) or _seam(letters, part + _letters(said.note))
    return _after_space(answer, places[end - 1] + 1, said.part) if end else 0


def _quoted(letters: str, note: str) -> int:
    """Up to which of `letters` the longest quotation in the note reaches."""
    quotes = {
        _letters(note[start + 1 : end])
        for opening, closing in _MARKS
        for start in _all(opening, note)
        for end in _all(closing, note)
        if end > start + 1
    }
    for quote in sorted(quotes, key=len, reverse=True):
        found = letters.rfind(quote) if len(quote) >= _SHORT_SEAM else letters.find(quote)
        if quote and (found == 0 or (found > 0 and len(quote) >= _SHORT_SEAM)):
            return found + len(quote)
    return 0


def _all(mark: str, note: str) -> list[int]:
    return [index for index, letter in enumerate(note) if letter == mark]


def _seam(letters: str, told: str) -> int:
    """Up to which of `letters` has been told."""
    for end in range(len(letters), _SEAM - 1, -1):
        if letters[end - _SEAM : end] in told:
            return end
    return 0


def _letters(text: str) -> str:
    return "".join(text.split())


def _after_space(answer: str, place: int, part: str) -> int:
    """`place`, moved past the white space that the part already ends with."""
    held = len(part) - len(part.rstrip())
    while held and place < len(answer) and answer[place].isspace():
        place, held = place + 1, held - 1
    return place
