"""Reading a stream that passes through: once, lightly, without building anything.

A text delta, by far the most frequent event, is recognised by its first bytes and one decode of two
fields; everything rarer is decoded as an event of any type.

Held back as tool calls are all items that ask the caller to run something; what runs at the
provider passes as it comes, and a stream that has any cannot be gone on with elsewhere
(`core.transcript`, `foreign`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.faults import Fault
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS, ReadError
from understudy.dialects.glance import PassingGlance
from understudy.dialects.responses.payload import (
    MAX_EVENT_BYTES,
    TERMINAL,
    follows,
    malformed,
    read_event,
    tail_fault,
)
from understudy.dialects.responses.stops import stop_for
from understudy.dialects.responses.wire import (
    CALLERS_TOOLS,
    UNREADABLE,
    Response,
    StreamEvent,
    TextDelta,
    holds_content,
    reason_of,
    refuses,
    usage_of,
)
from understudy.dialects.sse import SseSplitter

__all__ = ["ResponsesGlance"]

_DELTA_PREFIX: Final = b"event: response.output_text.delta\ndata: "
_DELTA_AT: Final = len(_DELTA_PREFIX)
#: No event is shorter; compiled, a slice that ends before it begins raises.
_SHORTEST: Final = _DELTA_AT + 4
_LF: Final = 0x0A
_CR: Final = 0x0D

_decode_delta = msgspec.json.Decoder(TextDelta).decode


class ResponsesGlance(PassingGlance):
    """A `StreamGlance`. The answer is whole with `response.completed` or `response.incomplete`."""

    __slots__ = ("_calls", "_last", "_refused")

    def __init__(self, read_error: ReadError, hold: int = 0) -> None:
        super().__init__(read_error, hold)
        self._splitter = SseSplitter(MAX_EVENT_BYTES)
        #: The highest sequence number so far.
        self._last = -1
        #: Output indexes of function calls.
        self._calls: set[int] = set()
        self._refused = False

    def _is_whole(self) -> bool:
        """Nothing stands for a terminal event that did not come."""
        return False

    def _closing(self) -> bytes:
        return b""

    def _cut(self, pending: bytes) -> Fault:
        return tail_fault(pending, self._read_error)

    def _is_dull(self, raw: bytes) -> bool:
        """Whether this is one text delta, whole, in the shape that the vendor sends."""
        if len(raw) < _SHORTEST or raw[:_DELTA_AT] != _DELTA_PREFIX:
            return False
        data = raw[_DELTA_AT:-2]
        if raw[-1] != _LF or raw[-2] != _LF or _LF in data or _CR in data:
            return False
        try:
            event = _decode_delta(data)
            if not data.isascii():
                data.decode()  # What the decoder skips, it does not check.
        except UNREADABLE:
            return False
        number = event.sequence_number
        if not event.delta or event.error is not None:
            return False
        if number == self._last + 1:
            self._last = number
        elif not follows(number, self._last):
            return False
        elif number > self._last:
            self._last = number
        self.progress += len(raw)
        return True

    def _look(self, raw: bytes) -> bool:
        read = read_event(raw, self._read_error)
        if read is None:
            return True
        if isinstance(read, Fault):
            self._fail(read)
        elif not follows(read.sequence_number, self._last):
            self._fail(malformed("sequence numbers do not follow one another"))
        else:
            self._last = max(self._last, read.sequence_number or 0)
            self._take(read, raw)
        return False

    def _take(self, event: StreamEvent, raw: bytes) -> None:
        if event.type in TERMINAL:
            self._end(event, event.response or Response())
            return
        misfit = self._call_misfit(event)
        if misfit:
            self._fail(malformed(misfit))
            return
        item, part = event.item, event.part
        self._refused = (
            self._refused
            or event.type == "response.refusal.delta"
            or bool(event.refusal)
            or (part is not None and part.type == "refusal")
            or (item is not None and refuses(item))
        )
        if item is not None and item.type in CALLERS_TOOLS:
            self._wait(HOLD_TOOLS)
        if self._adds(event):
            self._content(raw)
            self._wait(HOLD_TEXT)

    def _call_misfit(self, event: StreamEvent) -> str:
        """What is wrong with an event about a function call; empty where nothing is."""
        item, index = event.item, event.output_index
        if event.type == "response.function_call_arguments.delta":
            return "" if index in self._calls else "arguments of a function call that is not open"
        if item is None or item.type != "function_call" or index in self._calls:
            return ""
        self._calls.add(index)
        return "" if item.call_id and item.name else "a function call has no call_id or no name"

    def _adds(self, event: StreamEvent) -> bool:
        """Whether an event adds to the answer. What says once more what was streamed does not."""
        _, _, step = event.type.rpartition(".")
        if step == "delta":
            return bool(event.delta)
        if step == "partial_image":
            return True
        if step not in {"added", "done"} or (step == "done" and self.has_content):
            return False
        item, part = event.item, event.part
        return (
            bool(event.text or event.refusal or event.arguments)
            or (item is not None and holds_content(item))
            or (part is not None and bool(part.text or part.refusal))
        )

    def _end(self, event: StreamEvent, response: Response) -> None:
        # What was streamed counts; where nothing was, the whole output is all there is.
        output = [] if self.has_content else response.output or []
        self.has_content = self.has_content or any(holds_content(item) for item in output)
        self.stop = stop_for(
            is_cut=event.type == "response.incomplete" or response.status == "incomplete",
            reason=reason_of(response),
            called=bool(self._calls) or any(item.type == "function_call" for item in output),
            refused=self._refused or any(refuses(item) for item in output),
        )
        self.usage = usage_of(response.usage)
        self.ended = True
