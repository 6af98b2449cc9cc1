"""Takes the answer to a job as a caller's connection would, and keeps it whole."""

from __future__ import annotations

import asyncio
from typing import Final

from understudy.ports import MAX_RESULT_BYTES, Answer

__all__ = ["Catcher"]

#: Bytes of an answer. The rest is for what sealing adds, to each piece and in all.
MAX_ANSWER: Final = MAX_RESULT_BYTES - 64 * 2**10
#: Of the connection that the answer will go out on, not of the answer.
_PASSING = frozenset({"date"})


class Catcher:
    """See `understudy.relay.http.Responder`. `done` is set when nothing more will come."""

    def __init__(self) -> None:
        self.paused = False
        self.done = asyncio.Event()
        self.is_whole = False
        #: There was more of it than is kept.
        self.is_too_long = False
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._pieces: list[bytes] = []
        self._size = 0

    def answer(self) -> Answer:
        """All of it, once it is done and not too long."""
        return Answer(self._status, self._headers, b"".join(self._pieces))

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """A whole answer."""
        self.begin(status, headers)
        self.send(body)
        self.end()

    def begin(self, status: int, headers: bytes) -> None:
        """The head."""
        self._status = status
        self._headers = _read(headers)
        self._size = len(headers)

    def send(self, data: bytes) -> None:
        """A piece."""
        if self.is_too_long:
            return
        self._size += len(data)
        if self._size > MAX_ANSWER:
            self.is_too_long = True
            self._pieces.clear()
            self.done.set()
            return
        self._pieces.append(data)

    def end(self) -> None:
        """That was all."""
        self.is_whole = not self.is_too_long
        self.done.set()

    def cut(self) -> None:
        """It ends here."""
        self.done.set()


def _read(lines: bytes) -> tuple[tuple[str, str], ...]:
    """Header lines of our own making, as (name, value)."""
    found: list[tuple[str, str]] = []
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon and name not in _PASSING:
            found.append((name, value))
    return tuple(found)
