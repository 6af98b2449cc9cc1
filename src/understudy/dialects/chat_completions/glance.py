"""Reading a stream that passes through: once, lightly, without building anything.

This runs for every event of every stream that keeps its dialect, so it decodes only what decides
something: an error, a `finish_reason`, usage, and (until there was some) content.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Fault
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.chat_completions.payload import (
    DONE,
    decode_chunk,
    error_fault,
    malformed,
    payload_of,
    tail_fault,
)
from understudy.dialects.chat_completions.stops import broken_off, stop_for
from understudy.dialects.chat_completions.wire import (
    UNREADABLE,
    ChunkChoice,
    Delta,
    LightChunk,
    is_error,
    usage_of,
)
from understudy.dialects.sse import MAX_EVENT_BYTES, EventTooLargeError, SseSplitter

__all__ = ["ChatGlance", "holds_content"]


_PLAIN = b"data: "
_LF = 0x0A
_CR = 0x0D
_decode_light = msgspec.json.Decoder(LightChunk).decode


def holds_content(message: Delta) -> bool:
    """Whether a message or delta adds anything; a role and empty strings do not."""
    return bool(
        message.content
        or message.tool_calls
        or message.reasoning_content
        or message.reasoning
        or message.refusal
        or message.function_call
        or message.audio
    )


class ChatGlance:
    """A `StreamGlance`. The answer is whole when each choice seen has a `finish_reason`."""

    __slots__ = (
        "_finished",
        "_read_error",
        "_refused",
        "_seen",
        "_splitter",
        "_steady",
        "ended",
        "fault",
        "has_content",
        "stop",
        "usage",
    )

    tail: bytes = b""

    def __init__(self, read_error: ReadError) -> None:
        self.has_content = False
        self.ended = False
        self.fault: Fault | None = None
        self.stop: Stop | None = None
        self.usage: Usage | None = None
        self._splitter = SseSplitter()
        self._read_error = read_error
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._refused = False
        #: Content has been seen, nothing is pending, and neither fault nor end has come.
        self._steady = False

    def feed(self, data: bytes) -> bytes:
        """See `StreamGlance.feed`. What follows a fault or the end is not returned."""
        if self._steady and self._is_dull(data):
            return data  # One read, one delta: nothing to cut, nothing to note.
        if self.ended or self.fault is not None:
            return b""
        try:
            passed = self._read_all(self._splitter.feed(data))
        except EventTooLargeError as error:
            passed = self._read_all(error.events)
            if not self.ended and self.fault is None:
                self.fault = malformed("an event is too large")
        self._steady = (
            self.has_content
            and not self.ended
            and self.fault is None
            and self._splitter.at_boundary
        )
        return data if passed == data else passed

    def finish(self) -> Fault | None:
        """See `StreamGlance.finish`. Compatible servers may leave out `[DONE]`."""
        if self.fault is None and not self.ended:
            if self._is_complete():
                self.ended = True
            else:
                self.fault = tail_fault(
                    self._splitter.pending, self._read_error
                ) or truncated_fault("the stream closed before a finish_reason")
        return self.fault

    def _is_complete(self) -> bool:
        return bool(self._seen) and len(self._seen) == len(self._finished)

    def _is_dull(self, data: bytes) -> bool:
        """Whether this is one plain event that only adds to a choice which is known already.

        Where not, it may still be right: the slow way decides.
        """
        size = len(data)
        if (
            data.find(b"\n") != size - 2
            or data[-1] != _LF
            or not data.startswith(_PLAIN)
            or _CR in data
            or size > MAX_EVENT_BYTES
        ):
            return False
        try:
            chunk = _decode_light(data[6:])
            if not data.isascii():
                data.decode()  # What the decoder skips, it does not check.
        except UNREADABLE:
            return False
        choice = chunk.choices[0]
        return not (
            choice.finish_reason
            or chunk.error is not None
            or chunk.usage is not None
            or choice.index not in self._seen
        )

    def _read_all(self, events: list[bytes]) -> bytes:
        for position, raw in enumerate(events):
            if not self._read(raw):
                return b"".join(events[:position])
            if self.ended:
                return b"".join(events[: position + 1])
        return events[0] if len(events) == 1 else b"".join(events)

    def _read(self, raw: bytes) -> bool:
        """Read one event; False where it is a fault and must not be forwarded."""
        read = payload_of(raw)
        if read is None:
            return True
        payload, is_failure = read
        if is_failure:
            return self._fail(error_fault(payload, self._read_error))
        if payload == DONE:
            return self._read_done()
        try:
            chunk = decode_chunk(payload)
        except ValueError:
            return self._fail(malformed("an event is not JSON of a chunk"))
        if is_error(chunk):
            return self._fail(self._read_error(payload))
        self.usage = usage_of(chunk.usage) or self.usage
        return all(self._read_choice(choice) for choice in chunk.choices or ())

    def _read_choice(self, choice: ChunkChoice) -> bool:
        self._seen.add(choice.index)
        if choice.delta is not None and holds_content(choice.delta):
            self.has_content = True
            self._refused = self._refused or bool(choice.delta.refusal)
        return not choice.finish_reason or self._read_finish(choice.index, choice.finish_reason)

    def _read_finish(self, index: int, reason: str) -> bool:
        fault = broken_off(reason)
        if fault is not None:
            return self._fail(fault)
        self._finished.add(index)
        if self.stop is None or index == 0:
            self.stop = stop_for(reason, called=False, refused=self._refused)
        return True

    def _read_done(self) -> bool:
        if self._is_complete():
            self.ended = True
            return True
        return self._fail(truncated_fault("[DONE] came before a finish_reason"))

    def _fail(self, fault: Fault) -> bool:
        self.fault = fault
        return False
