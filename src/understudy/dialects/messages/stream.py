"""A messages stream as core events.

Stricter than the glance at a passing stream, since what comes out must keep core's grammar: an
event out of place is MALFORMED. Unknown events and deltas are passed over; so are whole blocks of
kinds that core has no word for (server tools), and the indexes that remain have no gap. Where that
makes the events less than the stream, or their indexes others than the stream's, `Foreign` says so.
`message_stop` without a `stop_reason` or inside a block is TRUNCATED, as in the glance.
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    Foreign,
    Pinged,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.messages.shapes import StreamBlock, StreamEvent
from understudy.dialects.messages.tail import UNREADABLE, tail_fault
from understudy.dialects.messages.tally import malformed, merged_usage, read_stop
from understudy.dialects.sse import EventTooLargeError, SseSplitter, parse_event

__all__ = ["MessagesParser"]

#: Kinds of block that core has a word for.
_KINDS: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})

#: The kind of block that a delta belongs to.
_BLOCK_OF: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


_LAST = (Ended, Failed)


_decode_event = msgspec.json.Decoder(StreamEvent).decode


class _OutOfGrammarError(Exception):
    """The stream breaks the dialect's grammar."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class MessagesParser:
    """Implements `understudy.dialects.base.StreamParser`."""

    def __init__(self, read_error: ReadError) -> None:
        self._read_error = read_error
        self._splitter = SseSplitter()
        self._usage: Usage | None = None
        self._begun = False
        self._finished = False
        self._closed = False
        #: The provider's index of the open block, and ours; None inside a block that we leave out.
        self._open: int | None = None
        self._ours: int | None = None
        self._kind = ""
        self._next = 0
        #: `Foreign` was said.
        self._foreign = False

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they come, in any split; never raises."""
        if self._closed:
            return []
        try:
            raws, too_large = self._splitter.feed(data), False
        except EventTooLargeError as error:
            raws, too_large = error.events, True
        events: list[Event] = []
        for raw in raws:
            events += self._read(raw)
            if events and isinstance(events[-1], _LAST):
                return events
        if too_large:
            events.append(self._fail(malformed("an event is larger than the cap")))
        return events

    def finish(self) -> list[Event]:
        """`Ended` where only `message_stop` is missing, else `Failed`; [] after either."""
        if self._closed:
            return []
        if self._finished and self._open is None:
            self._closed = True
            return [Ended()]
        return [self._fail(tail_fault(self._splitter.pending, self._read_error))]

    def _fail(self, fault: Fault) -> Failed:
        self._closed = True
        return Failed(fault)

    def _read(self, raw: bytes) -> list[Event]:
        try:
            return self._take(raw)
        except _OutOfGrammarError as error:
            return [self._fail(error.fault)]

    def _take(self, raw: bytes) -> list[Event]:
        sse = parse_event(raw)
        if sse.event == "error":
            raise _OutOfGrammarError(self._read_error(sse.data or b""))
        if sse.data is None:
            return []
        try:
            event = _decode_event(sse.data)
        except UNREADABLE:
            raise _OutOfGrammarError(malformed("an event is not JSON of this dialect")) from None
        if event.type == "error" or (event.error and not event.type):
            raise _OutOfGrammarError(self._read_error(sse.data))
        kind = event.type or sse.event
        _require(kind != "message", "an event has no type")
        return self._take_kind(kind, event)

    def _take_kind(self, kind: str, event: StreamEvent) -> list[Event]:
        if kind == "content_block_delta":
            return self._take_delta(event)
        if kind == "content_block_start":
            return self._take_start(event)
        if kind == "content_block_stop":
            return self._take_stop(event)
        if kind == "ping":
            return [Pinged()]
        return self._take_message(kind, event)

    def _take_message(self, kind: str, event: StreamEvent) -> list[Event]:
        if kind == "message_start":
            return self._take_message_start(event)
        if kind == "message_delta":
            return self._take_message_delta(event)
        return self._take_message_stop() if kind == "message_stop" else []

    def _say_foreign(self) -> list[Event]:
        """Once: the stream holds what these events do not."""
        if self._foreign:
            return []
        self._foreign = True
        return [Foreign()]

    def _take_message_start(self, event: StreamEvent) -> list[Event]:
        message = event.message
        if message is None or self._begun:
            raise _OutOfGrammarError(malformed("message_start out of place"))
        self._begun = True
        self._usage = merged_usage(message.usage, None)
        return [Started(id=message.id, model=message.model, usage=self._usage)]

    def _take_start(self, event: StreamEvent) -> list[Event]:
        block = event.content_block
        in_place = self._begun and not self._finished and self._open is None and event.index >= 0
        if block is None or not in_place:
            raise _OutOfGrammarError(malformed("a block began out of place"))
        self._open = event.index
        if block.type not in _KINDS:
            return self._say_foreign()
        index = self._ours = self._next
        self._kind = block.type
        self._next += 1
        if block.type == "tool_use":
            _require(bool(block.id and block.name), "a tool call has no id or no name")
        started = BlockStarted(
            index=index,
            kind=block.type,
            tool_id=block.id or "" if block.type == "tool_use" else "",
            tool_name=block.name or "" if block.type == "tool_use" else "",
            data=block.data or "",
        )
        renumbered = self._say_foreign() if event.index != index else []
        return [*renumbered, started, *_given_at_start(block, index)]

    def _take_delta(self, event: StreamEvent) -> list[Event]:
        delta = event.delta
        if delta is None or self._open is None or event.index != self._open:
            raise _OutOfGrammarError(malformed("a delta came for a block that is not open"))
        index, kind = self._ours, delta.type
        if index is None:
            return []
        _require(_BLOCK_OF.get(kind, self._kind) == self._kind, "a delta of another block's kind")
        if kind == "text_delta" and delta.text:
            return [TextDelta(index, delta.text)]
        if kind == "thinking_delta" and delta.thinking:
            return [ThinkingDelta(index, delta.thinking)]
        if kind == "input_json_delta" and delta.partial_json:
            return [ToolDelta(index, delta.partial_json)]
        if kind == "signature_delta" and delta.signature:
            return [SignatureDelta(index, delta.signature)]
        return [] if kind in _BLOCK_OF else self._say_foreign()  # citations

    def _take_stop(self, event: StreamEvent) -> list[Event]:
        _require(self._open is not None and event.index == self._open, "a block ended out of place")
        index, self._open, self._ours = self._ours, None, None
        return [] if index is None else [BlockStopped(index)]

    def _take_message_delta(self, event: StreamEvent) -> list[Event]:
        _require(self._begun, "message_delta out of place")
        events: list[Event] = []
        delta = event.delta
        if delta is not None and delta.stop_reason is not None and not self._finished:
            if self._open is not None:
                raise _OutOfGrammarError(truncated_fault("the answer ended inside a block"))
            self._finished = True
            stop = read_stop(delta.stop_reason)
            events.append(Finished(stop=stop, stop_sequence=delta.stop_sequence))
        usage = merged_usage(event.usage, self._usage)
        if event.usage and usage is not None:
            self._usage = usage
            events.append(UsageSeen(usage))
        return events

    def _take_message_stop(self) -> list[Event]:
        if not self._finished:
            fault = truncated_fault("message_stop came before the answer was whole")
            raise _OutOfGrammarError(fault)
        self._closed = True
        return [Ended()]


def _given_at_start(block: StreamBlock, index: int) -> list[Event]:
    """The vendor begins its blocks empty; servers that imitate it do not always."""
    events: list[Event] = []
    if block.text and block.type == "text":
        events.append(TextDelta(index, block.text))
    if block.thinking and block.type == "thinking":
        events.append(ThinkingDelta(index, block.thinking))
    if block.signature and block.type == "thinking":
        events.append(SignatureDelta(index, block.signature))
    if block.type == "tool_use":
        text = bytes(block.input).decode("utf-8", "replace")
        if text not in {"", "null"} and text.strip("{} \n\t\r"):
            events.append(ToolDelta(index, text))
    return events


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _OutOfGrammarError(malformed(message))
