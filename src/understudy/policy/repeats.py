"""Follows a text that may be repeating what stands already, from one place of it on."""

from __future__ import annotations

__all__ = ["Repeat", "same_gap"]


class Repeat:
    """The reading of a continuation as a repetition of `base` from `start` on.

    `step` is given all of the continuation so far; what was compared once is not compared again.
    The repetition must be to the letter, save for white space at line ends (`same_gap`). It is
    whole (`end` ≥ 0: where in the continuation the new text begins) when it has reached the end of
    `base`, which must not be white space.
    """

    __slots__ = ("at", "end", "is_alive", "lead", "position", "start")

    def __init__(self, start: int, lead: int) -> None:
        self.start = start
        #: Where in the continuation it begins.
        self.lead = lead
        #: How far `base` is repeated, and where in the continuation that is.
        self.position = start
        self.at = lead
        self.end = -1
        self.is_alive = True

    def step(self, base: str, text: str) -> None:
        """Compare on with what has come."""
        while self.is_alive:
            count = min(len(base) - self.position, len(text) - self.at)
            if not count:
                if self.position == len(base):
                    self.end = self.at
                    self.is_alive = False
                return
            if base.startswith(text[self.at : self.at + count], self.position):
                self.position += count
                self.at += count
            elif not self._cross(base, text, count):
                return

    def _cross(self, base: str, text: str, count: int) -> bool:
        """Go to the first difference among `count` characters, and over it if it is a line end's
        white space. False: dead, or more of the white space may come.
        """
        position, at = self.position, self.at
        same = _common(base, position, text, at, count)
        position += same
        at += same
        if not (base[position].isspace() or text[at].isspace()):
            self.position, self.at, self.is_alive = position, at, False
            return False
        while position > self.start and base[position - 1].isspace():
            position -= 1
            at -= 1
        self.position, self.at = position, at
        past = _after_space(base, position)
        beyond = _after_space(text, at)
        if beyond == len(text) and beyond > at:
            return False
        self.is_alive = same_gap(base[position:past], text[at:beyond])
        self.position, self.at = past, beyond
        return self.is_alive


def same_gap(ours: str, theirs: str) -> bool:
    """Two runs of white space are a line end with the same indentation."""
    return (
        "\n" in ours and "\n" in theirs and ours.rpartition("\n")[2] == theirs.rpartition("\n")[2]
    )


def _common(base: str, position: int, text: str, at: int, count: int) -> int:
    """How many of the next `count` characters are the same; not all are."""
    same = 0
    while same < count and base[position + same] == text[at + same]:
        same += 1
    return same


def _after_space(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip())
