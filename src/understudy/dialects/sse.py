"""Server-sent events without I/O: bytes in, whole events out, in any split of the bytes.

The grammar is WHATWG HTML §9.2.6: lines end in LF, CR LF or CR; an empty line ends an event;
`data` lines join with LF; a line that begins with a colon is a comment; a leading BOM is dropped.
`id` and `retry` mean nothing to either side here and are passed over.

Events are cut where two line endings meet. A CR that is the last byte so far may be the first half
of CR LF, so an event that ends in one waits for the next byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

__all__ = ["MAX_EVENT_BYTES", "EventTooLargeError", "ServerSentEvent", "SseSplitter", "parse_event"]

#: One event's bytes at most: far above any delta, far below what would hurt with 1,000 streams.
MAX_EVENT_BYTES: Final = 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_LF: Final = 0x0A
_CR: Final = 0x0D

#: Two line endings meet where one of these stands, if the bytes hold a CR at all.
_PAIRS = (b"\n\n", b"\n\r", b"\r\r")

#: The longest boundary, CR LF CR LF, less the byte that may be new.
_OVERLAP: Final = 3


class EventTooLargeError(Exception):
    """An event grew past the cap. `events` are the whole ones that came before it."""

    def __init__(self, events: list[bytes]) -> None:
        super().__init__("a server-sent event is larger than the cap")
        self.events = events


class ServerSentEvent(NamedTuple):
    """One event. `data` is None for a block of comments and other lines without data."""

    event: str
    data: bytes | None


class SseSplitter:
    """Cuts a byte stream at event boundaries. What it returns joins up to what it was fed.

    Work and memory are linear in what it is fed, whatever the split. After an event over the cap
    it holds nothing more and refuses every further byte.
    """

    __slots__ = ("_has_cr", "_max", "_pending", "_scanned", "_started", "_too_large")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._pending = bytearray()
        self._scanned = 0
        self._has_cr = False
        self._max = max_event_bytes
        self._started = False
        self._too_large = False

    @property
    def pending(self) -> bytes:
        """Bytes of an event that has not ended."""
        return bytes(self._pending)

    @property
    def at_boundary(self) -> bool:
        """Nothing is pending: the next byte begins an event."""
        return self._started and not self._pending

    def feed(self, data: bytes) -> list[bytes]:
        """Whole events in `data` and what was pending, each with its closing empty line.

        Raises:
            EventTooLargeError: an event is longer than the cap.
        """
        if not self._started:
            data = self._without_bom(data)
        # The common case by far: LF endings, whole events in a read.
        if not self._pending and _CR not in data and len(data) <= self._max:
            events = data.split(b"\n\n")
            tail = events.pop()
            if tail:
                self._keep(tail)
            elif len(events) == 1:
                return [data]
            return [event + b"\n\n" for event in events]
        # Servers that end lines in CR LF, one event a read.
        if (
            not self._pending
            and data.find(b"\n\r") == len(data) - 3
            and data.endswith(b"\r\n\r\n")
            and data.find(b"\r\r") < 0
            and data.find(b"\n\n") < 0
            and len(data) <= self._max
        ):
            return [data]
        return self._feed_slowly(data)

    def _without_bom(self, data: bytes) -> bytes:
        data = bytes(self._pending) + data
        self._pending.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._pending += data
            return b""
        self._started = True
        return data.removeprefix(_BOM)

    def _feed_slowly(self, data: bytes) -> list[bytes]:
        if self._too_large:
            raise EventTooLargeError([])
        if not self._started:
            return []
        self._pending += data
        self._has_cr = self._has_cr or _CR in data
        cuts = _cuts_mixed if self._has_cr else _cuts
        first = next(cuts(self._pending, self._scanned), 0)
        if not first:
            self._scanned = max(0, len(self._pending) - _OVERLAP)
            return self._within_cap([])
        buffer = bytes(self._pending)
        events: list[bytes] = []
        start = 0
        for end in chain((first,), cuts(buffer, first)):
            if end - start > self._max:
                return self._refuse(events)
            events.append(buffer[start:end])
            start = end
        self._pending.clear()
        self._keep(buffer[start:])
        return self._within_cap(events)

    def _keep(self, tail: bytes) -> None:
        self._pending += tail
        self._scanned = max(0, len(tail) - _OVERLAP)
        self._has_cr = _CR in tail

    def _within_cap(self, events: list[bytes]) -> list[bytes]:
        return events if len(self._pending) <= self._max else self._refuse(events)

    def _refuse(self, events: list[bytes]) -> list[bytes]:
        self._too_large = True
        self._pending = bytearray(b"\n")  # Not empty: every further byte takes the slow path.
        raise EventTooLargeError(events)


def _cuts(buffer: bytes | bytearray, position: int) -> Iterator[int]:
    """The index just after each boundary from `position` on, in bytes without a CR."""
    while (found := buffer.find(b"\n\n", position)) >= 0:
        position = found + 2
        yield position


def _cuts_mixed(buffer: bytes | bytearray, position: int) -> Iterator[int]:
    """The same in bytes with any mix of line endings. Each pair is looked for only once."""
    size = len(buffer)
    heads = dict.fromkeys(_PAIRS, position - 1)
    while True:
        for pair, head in heads.items():
            if head < position:
                found = buffer.find(pair, position)
                heads[pair] = size if found < 0 else found
        end = min(heads.values()) + 2
        if end > size:
            return
        if buffer[end - 1] == _CR:
            if end == size:
                return  # Perhaps half of CR LF.
            if buffer[end] == _LF:
                end += 1
        yield end
        position = end


def parse_event(raw: bytes) -> ServerSentEvent:
    """Read one event's lines (as `SseSplitter` returns them)."""
    # The two shapes that providers send, `event: …` and `data: …` or `data: …` alone.
    end = raw.find(b"\n")
    if end == len(raw) - 2 and raw.startswith(b"data: ") and raw.endswith(b"\n") and _CR not in raw:
        return ServerSentEvent("message", raw[6:-2])
    if (
        raw.startswith(b"event: ")
        and raw.startswith(b"data: ", end + 1)
        and raw.find(b"\n", end + 1) == len(raw) - 2
        and raw.endswith(b"\n")
        and _CR not in raw
    ):
        return ServerSentEvent(
            raw[7:end].decode("utf-8", "replace") or "message", raw[end + 7 : -2]
        )
    return _parse_lines(raw)


def _parse_lines(raw: bytes) -> ServerSentEvent:
    name = ""
    data: list[bytes] = []
    lines = raw.splitlines() if b"\r" in raw else raw.split(b"\n")
    for line in lines:
        if line.startswith(b"data:"):
            value = line[5:]
            data.append(value[1:] if value[:1] == b" " else value)
        elif line.startswith(b"event:"):
            value = line[6:]
            name = (value[1:] if value[:1] == b" " else value).decode("utf-8", "replace")
        elif line == b"data":
            data.append(b"")
    return ServerSentEvent(name or "message", b"\n".join(data) if data else None)
