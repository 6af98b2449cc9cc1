"""A passing messages stream, read once and lightly: the hottest code of the product.

A delta's event is recognised by its first bytes and its JSON is checked with one decode that names
nothing but the block's index. Everything rarer takes the slow way: `parse_event` and a decode by
type. Grammar: platform.claude.com/docs/en/build-with-claude/streaming.

    message_start  (content_block_start content_block_delta* content_block_stop)*
    message_delta+  message_stop          `ping` anywhere; `error` anywhere, then the end

Rules where the vendor is silent: a `message_stop` without a `stop_reason`, or with a block still
open, is a stream that was cut and closed by someone on the way: TRUNCATED, and that event is not
passed on. After `message_stop` nothing more is read or returned.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Fault
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.messages.passing import AnyDelta, PassingEvent
from understudy.dialects.messages.tail import UNREADABLE, tail_fault
from understudy.dialects.messages.tally import malformed, merged_usage, read_stop
from understudy.dialects.sse import EventTooLargeError, SseSplitter, parse_event

__all__ = ["MessagesGlance"]

_DELTA_PREFIX = b"event: content_block_delta\ndata: "
_DELTA_AT = len(_DELTA_PREFIX)
_CR = 0x0D
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

#: Blocks that begin empty; any other kind is content by being there.
_BEGIN_EMPTY = frozenset({"text", "thinking"})

#: Deltas that are content only by what they hold; any other kind (citations) is content.
_MAY_BE_EMPTY = frozenset({"text_delta", "thinking_delta", "input_json_delta", "signature_delta"})


_decode_delta = msgspec.json.Decoder(AnyDelta).decode
_decode_event = msgspec.json.Decoder(PassingEvent).decode


class MessagesGlance:
    """Implements `understudy.dialects.base.StreamGlance`."""

    __slots__ = (
        "_begun",
        "_open",
        "_read_error",
        "_splitter",
        "_steady",
        "ended",
        "fault",
        "has_content",
        "stop",
        "tail",
        "usage",
    )

    def __init__(self, read_error: ReadError) -> None:
        self.has_content = False
        self.ended = False
        self.fault: Fault | None = None
        self.stop: Stop | None = None
        self.usage: Usage | None = None
        self.tail = b""
        self._read_error = read_error
        self._splitter = SseSplitter()
        self._begun = False
        #: Content has been seen, nothing is pending, and neither fault nor end has come.
        self._steady = False
        self._open: set[int] = set()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come; return those of whole events, ready to be forwarded."""
        if self._steady and self._is_delta(data):
            return data  # One read, one delta: nothing to cut.
        if self.fault is not None or self.ended:
            return b""
        try:
            passed = self._read(self._splitter.feed(data))
        except EventTooLargeError as error:
            passed = self._read(error.events)
            if self.fault is None and not self.ended:
                self.fault = malformed("an event in the stream is larger than the cap")
        self._steady = (
            self.has_content
            and self.fault is None
            and not self.ended
            and self._splitter.at_boundary
        )
        return passed

    def finish(self) -> Fault | None:
        """None if the answer is whole. With all content, a stop reason and only `message_stop`
        missing it is: the caller, who waits for that event, gets it in `tail`.
        """
        if self.fault is None and not self.ended:
            if self.stop is not None and not self._open:
                self.ended = True
                self.tail = _MESSAGE_STOP
            else:
                self.fault = tail_fault(self._splitter.pending, self._read_error)
        return self.fault

    def _read(self, events: list[bytes]) -> bytes:
        for position, raw in enumerate(events):
            if self.has_content and self._is_delta(raw):
                continue
            self._read_slowly(raw)
            if self.fault is not None:
                return b"".join(events[:position])
            if self.ended:
                return b"".join(events[: position + 1])
        return events[0] if len(events) == 1 else b"".join(events)

    def _is_delta(self, raw: bytes) -> bool:
        """Whether this is one delta of an open block, whole, in the shape that the vendor sends.

        Where not, it may still be a right event of another shape: the slow way decides.
        """
        if (
            not raw.startswith(_DELTA_PREFIX)
            or raw.find(b"\n", _DELTA_AT) != len(raw) - 2
            or not raw.endswith(b"\n\n")
            or _CR in raw
        ):
            return False
        try:
            return _decode_delta(raw[_DELTA_AT:]).index in self._open
        except UNREADABLE:
            return False

    def _read_slowly(self, raw: bytes) -> None:
        sse = parse_event(raw)
        if sse.data is None:
            if sse.event == "error":
                self.fault = self._read_error(b"")
            return
        if sse.event == "error":
            self.fault = self._read_error(sse.data)
            return
        try:
            event = _decode_event(sse.data)
        except UNREADABLE:
            self.fault = malformed("an event in the stream is not JSON of the messages dialect")
            return
        if event.type == "error" or (event.error and not event.type):
            self.fault = self._read_error(sse.data)
        else:
            self.fault = self._take(event, event.type or sse.event)

    def _take(self, event: PassingEvent, kind: str) -> Fault | None:
        if kind == "content_block_delta":
            return self._take_delta(event)
        if kind == "content_block_start":
            return self._take_start(event)
        if kind == "content_block_stop":
            return self._take_stop(event)
        if kind == "message_stop":
            if self.stop is None or self._open:
                return truncated_fault("message_stop came before the answer was whole")
            self.ended = True
        elif kind == "message":
            return malformed("an event in the stream has no type")
        else:
            self._take_message(event, kind)
        return None

    def _take_message(self, event: PassingEvent, kind: str) -> None:
        """`message_start`, `message_delta`; `ping` and what the vendor may add just pass."""
        if kind == "message_start":
            self._begun = True
            if event.message is not None:
                self.usage = merged_usage(event.message.usage, self.usage)
        elif kind == "message_delta":
            self.usage = merged_usage(event.usage, self.usage)
            if event.delta is not None and event.delta.stop_reason is not None:
                self.stop = read_stop(event.delta.stop_reason)

    def _take_start(self, event: PassingEvent) -> Fault | None:
        block = event.content_block
        if not self._begun or block is None or event.index < 0:
            return malformed("a block began out of place")
        if event.index in self._open:
            return malformed("a block began twice")
        self._open.add(event.index)
        if block.type not in _BEGIN_EMPTY or block.text or block.thinking:
            self.has_content = True
        return None

    def _take_stop(self, event: PassingEvent) -> Fault | None:
        if event.index not in self._open:
            return malformed("a block ended that never began")
        self._open.discard(event.index)
        return None

    def _take_delta(self, event: PassingEvent) -> Fault | None:
        delta = event.delta
        if delta is None or event.index not in self._open:
            return malformed("a delta came for a block that never began")
        if delta.type not in _MAY_BE_EMPTY or delta.text or delta.thinking or delta.partial_json:
            self.has_content = True
        return None
