"""A passing messages stream, read once and lightly: the hottest code of the product.

A delta's event is recognised by its first bytes and its JSON is checked with one decode that names
nothing but the block's index and what is added. Everything rarer takes the slow way: `parse_event`
and a decode by type. Grammar: platform.claude.com/docs/en/build-with-claude/streaming.

    message_start  (content_block_start content_block_delta* content_block_stop)*
    message_delta+  message_stop          `ping` anywhere; `error` anywhere, then the end

Rules where the vendor is silent: a `message_stop` without a `stop_reason`, or with a block still
open, is a stream that was cut and closed by someone on the way: TRUNCATED, and that event is not
passed on. After `message_stop` nothing more is read or returned.

Of tools only `tool_use` is held back: the caller carries it out, and another target can ask for it
anew. Blocks of server tools are the vendor's own conversation with itself: they pass as they come,
and a stream that has any cannot be gone on with elsewhere (`core.transcript`, `foreign`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.faults import Fault
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS, ReadError, truncated_fault
from understudy.dialects.glance import PassingGlance
from understudy.dialects.messages.passing import AnyDelta, PassingEvent
from understudy.dialects.messages.tail import UNREADABLE, tail_fault
from understudy.dialects.messages.tally import malformed, merged_usage, read_stop
from understudy.dialects.messages.writer import MESSAGE_STOP
from understudy.dialects.sse import parse_event

__all__ = ["MessagesGlance"]

_DELTA_PREFIX: Final = b"event: content_block_delta\ndata: "
_DELTA_AT: Final = len(_DELTA_PREFIX)
_SHORTEST: Final = _DELTA_AT + 2
_LF: Final = 0x0A
_CR: Final = 0x0D

#: Blocks that begin empty; any other kind is content by being there.
_BEGIN_EMPTY: Final = frozenset({"text", "thinking"})

#: Deltas that are content only by what they hold; any other kind (citations) is content.
_MAY_BE_EMPTY: Final = frozenset(
    {"text_delta", "thinking_delta", "input_json_delta", "signature_delta"}
)


_decode_delta = msgspec.json.Decoder(AnyDelta).decode
_decode_event = msgspec.json.Decoder(PassingEvent).decode


class MessagesGlance(PassingGlance):
    """Implements `understudy.dialects.stream_glance.StreamGlance`."""

    __slots__ = ("_begun", "_open")

    def __init__(self, read_error: ReadError, hold: int = 0) -> None:
        super().__init__(read_error, hold)
        self._begun = False
        self._open: set[int] = set()

    def _is_dull(self, raw: bytes) -> bool:
        """Whether this is one delta of an open block, whole, in the shape that the vendor sends."""
        size = len(raw)
        if size < _SHORTEST or raw[:_DELTA_AT] != _DELTA_PREFIX:
            return False
        data = raw[_DELTA_AT:-2]
        if raw[-1] != _LF or raw[-2] != _LF or _LF in data or _CR in data:
            return False
        try:
            event = _decode_delta(data)
        except UNREADABLE:
            return False
        if event.index not in self._open:
            return False
        self.progress += size
        return True

    def _is_whole(self) -> bool:
        """With all content, a stop reason, and only `message_stop` missing."""
        return self.stop is not None and not self._open

    def _closing(self) -> bytes:
        return MESSAGE_STOP

    def _cut(self, pending: bytes) -> Fault:
        return tail_fault(pending, self._read_error)

    def _look(self, raw: bytes) -> bool:
        sse = parse_event(raw)
        if sse.data is None:
            if sse.event == "error":
                self._fail(self._read_error(b""))
            return True
        if sse.event == "error":
            self._fail(self._read_error(sse.data))
            return True
        try:
            event = _decode_event(sse.data)
        except UNREADABLE:
            self._fail(malformed("an event in the stream is not JSON of the messages dialect"))
            return True
        if event.type == "error" or (event.error and not event.type):
            self._fail(self._read_error(sse.data))
            return True
        kind = event.type or sse.event
        fault = self._take(event, kind, raw)
        if fault is not None:
            self._fail(fault)
        return kind == "ping"

    def _take(self, event: PassingEvent, kind: str, raw: bytes) -> Fault | None:
        if kind == "content_block_delta":
            return self._take_delta(event, raw)
        if kind == "content_block_start":
            return self._take_start(event, raw)
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
                self._wait(HOLD_TOOLS | HOLD_TEXT)

    def _take_start(self, event: PassingEvent, raw: bytes) -> Fault | None:
        block = event.content_block
        if not self._begun or block is None or event.index < 0:
            return malformed("a block began out of place")
        if event.index in self._open:
            return malformed("a block began twice")
        self._open.add(event.index)
        self._wait(HOLD_TOOLS | HOLD_TEXT if block.type == "tool_use" else HOLD_TEXT)
        if block.type not in _BEGIN_EMPTY or block.text or block.thinking:
            self._content(raw)
        return None

    def _take_stop(self, event: PassingEvent) -> Fault | None:
        if event.index not in self._open:
            return malformed("a block ended that never began")
        self._open.discard(event.index)
        return None

    def _take_delta(self, event: PassingEvent, raw: bytes) -> Fault | None:
        delta = event.delta
        if delta is None or event.index not in self._open:
            return malformed("a delta came for a block that never began")
        if delta.type not in _MAY_BE_EMPTY or delta.text or delta.thinking or delta.partial_json:
            self._content(raw)
        return None
