"""Reading a stream that passes through: once, lightly, without building anything.

This runs for every event of every stream that keeps its dialect, so it decodes only what decides
something: an error, a `finish_reason`, usage, a tool call, and whether there is content at all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.faults import Fault
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS, ReadError, truncated_fault
from understudy.dialects.chat_completions.payload import (
    DONE,
    decode_chunk,
    error_fault,
    malformed,
    payload_of,
    tail_fault,
    usage_of,
)
from understudy.dialects.chat_completions.stops import broken_off, stop_for
from understudy.dialects.chat_completions.wire import (
    UNNAMED,
    UNREADABLE,
    ChunkChoice,
    Delta,
    LightChunk,
    is_error,
)
from understudy.dialects.glance import PassingGlance
from understudy.dialects.sse import MAX_EVENT_BYTES

__all__ = ["ChatGlance", "holds_content"]


_PLAIN: Final = b"data: "
_SHORTEST: Final = len(_PLAIN) + 2
_LF: Final = 0x0A
_CR: Final = 0x0D
#: `null`, `[]` and `[{}]` are no tool calls.
_NO_CALLS: Final = 4
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


class ChatGlance(PassingGlance):
    """A `StreamGlance`. The answer is whole when each choice seen has a `finish_reason`.

    A chunk that carries both text and a tool call is one event, and held back as a whole. So is
    the last text of servers that send it together with the `finish_reason`.
    """

    __slots__ = ("_finished", "_refused", "_seen")

    def __init__(self, read_error: ReadError, hold: int = 0) -> None:
        super().__init__(read_error, hold)
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._refused = False

    def _is_whole(self) -> bool:
        """Compatible servers may leave out `[DONE]`."""
        return bool(self._seen) and len(self._seen) == len(self._finished)

    def _closing(self) -> bytes:
        return b""

    def _cut(self, pending: bytes) -> Fault:
        fault = tail_fault(pending, self._read_error)
        return fault or truncated_fault("the stream closed before a finish_reason")

    def _is_dull(self, raw: bytes) -> bool:
        """Whether this is one plain event that only adds to a choice which is known already."""
        size = len(raw)
        if size < _SHORTEST or raw[:6] != _PLAIN or size > MAX_EVENT_BYTES:
            return False
        data = raw[6:-2]
        if raw[-1] != _LF or raw[-2] != _LF or _LF in data or _CR in data:
            return False
        try:
            chunk = _decode_light(data)
            if not data.isascii():
                data.decode()  # What the decoder skips, it does not check.
        except UNREADABLE:
            return False
        choice = chunk.choices[0]
        if (
            choice.finish_reason
            or chunk.error is not None
            or chunk.usage is not None
            or choice.index not in self._seen
        ):
            return False
        delta = choice.delta
        calls = delta.tool_calls is not UNNAMED and len(delta.tool_calls) > _NO_CALLS
        if calls:
            dull = not self._hold or self._holding
        else:
            dull = bool(delta.content or delta.reasoning_content or delta.reasoning)
        if dull:
            self.progress += size
        return dull

    def _look(self, raw: bytes) -> bool:
        read = payload_of(raw)
        if read is None:
            return True
        payload, is_failure = read
        if is_failure:
            self._fail(error_fault(payload, self._read_error))
        elif payload == DONE:
            if self._is_whole():
                self.ended = True
            else:
                self._fail(truncated_fault("[DONE] came before a finish_reason"))
        else:
            self._read_chunk(payload, raw)
        return False

    def _read_chunk(self, payload: bytes, raw: bytes) -> None:
        try:
            chunk = decode_chunk(payload)
        except ValueError:
            self._fail(malformed("an event is not JSON of a chunk"))
            return
        if is_error(chunk):
            self._fail(self._read_error(payload))
            return
        self.usage = usage_of(chunk.usage) or self.usage
        adds = False
        for choice in chunk.choices or ():
            adds = self._read_choice(choice) or adds
            if self.fault is not None:
                return
        if adds:
            self._content(raw)
            self._wait(HOLD_TEXT)
        if self._is_whole():
            self._wait(HOLD_TOOLS | HOLD_TEXT)

    def _read_choice(self, choice: ChunkChoice) -> bool:
        """Note what one choice says; whether it adds content."""
        self._seen.add(choice.index)
        adds = False
        delta = choice.delta
        if delta is not None and holds_content(delta):
            adds = True
            self._refused = self._refused or bool(delta.refusal)
            if delta.tool_calls or delta.function_call:
                self._wait(HOLD_TOOLS)
        if choice.finish_reason:
            self._read_finish(choice.index, choice.finish_reason)
        return adds

    def _read_finish(self, index: int, reason: str) -> None:
        fault = broken_off(reason)
        if fault is not None:
            self._fail(fault)
            return
        self._finished.add(index)
        if self.stop is None or index == 0:
            self.stop = stop_for(reason, called=False, refused=self._refused)
