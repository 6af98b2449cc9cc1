"""A kept connection repeats itself: the heads of an SDK's requests differ in the length alone.

A head that was read by the parser, checked and admitted is remembered by the connection. When the
next request's bytes are the same but for the digits of `content-length`, and exactly its body
follows, then it means the same, and need not be read again. Anything else goes to the parser, as
does anything in several pieces: there is one grammar, and this is only a memory of what it said.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from understudy.relay.http import Incoming

__all__ = ["FamiliarHead"]

_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]+)\r\n")
#: Digits of a length that is worth recognising (a body of one read).
_MOST_DIGITS: Final = 7
#: What makes a head more than a head: its meaning depends on when it comes, or on what follows.
_LINE_ENDS = (b"\r", b"\n")
_SPECIAL: Final = frozenset({"expect", "transfer-encoding", "content-encoding"})


class FamiliarHead:
    """One head as it was sent, and what it meant.

    Args:
        before: its bytes up to the digits of its length.
        after: its bytes from behind them to the end of the empty line.
        request: what the parser and the application made of it.
        settings: the settings by which it was admitted; with others it is a stranger.
    """

    __slots__ = ("_after", "_before", "_request", "_settings", "_size")

    def __init__(self, before: bytes, after: bytes, request: Incoming, settings: object) -> None:
        self._before = before
        self._after = after
        self._request = request
        self._settings = settings
        self._size = len(before)

    @classmethod
    def learn(cls, data: bytes, request: Incoming, settings: object) -> FamiliarHead | None:
        """From a read that was one whole request; None if it is not worth it."""
        if not request.keep_alive or not _SPECIAL.isdisjoint(request.headers):
            return None
        end_of_head = data.find(b"\r\n\r\n") + 4
        # llhttp passes over empty lines around a message: such bytes are no part of the head.
        if data[:1] in _LINE_ENDS or end_of_head != len(data) - len(request.body):
            return None
        head = data[:end_of_head]
        lengths = list(_LENGTH.finditer(head))
        if len(lengths) != 1:
            return None
        start, end = lengths[0].span(1)
        return cls(head[:start], head[end:], replace(request, body=b""), settings)

    def recognise(self, data: bytes, now: float, settings: object) -> Incoming | None:
        """The request that `data` is, if it is exactly one with this head; else None."""
        size = self._size
        if settings is not self._settings or not data.startswith(self._before):
            return None
        end = data.find(b"\r", size, size + _MOST_DIGITS + 1)
        digits = data[size:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self._after, end):
            return None
        body = data[end + len(self._after) :]
        if len(body) != int(digits):
            return None
        return replace(self._request, body=body, arrived=now)
