"""A provider's stream of chunks to core events."""

from __future__ import annotations

from understudy.core.events import (
    Ended,
    Event,
    Failed,
    Finished,
    Foreign,
    Pinged,
    Started,
    UsageSeen,
)
from understudy.core.faults import Fault, FaultError
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.chat_completions.blocks import BlockMaker
from understudy.dialects.chat_completions.glance import holds_content
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
    Chunk,
    ChunkChoice,
    Delta,
    ToolCall,
    is_error,
    is_foreign,
    reasoning_of,
    text_of,
)
from understudy.dialects.sse import EventTooLargeError, SseSplitter

__all__ = ["ChatParser"]


class ChatParser:
    """A `StreamParser`. The first choice is the answer; all choices must finish.

    Further choices, sound, and parts of content of other kinds have no words in the core: where
    there are any, `Foreign` says so.
    """

    __slots__ = (
        "_answer_id",
        "_blocks",
        "_finished",
        "_foreign",
        "_is_over",
        "_main",
        "_read_error",
        "_seen",
        "_splitter",
    )

    def __init__(self, read_error: ReadError) -> None:
        self._read_error = read_error
        self._splitter = SseSplitter()
        self._blocks = BlockMaker()
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        #: The index of the first choice; None before the answer has begun.
        self._main: int | None = None
        self._answer_id = ""
        self._is_over = False
        #: `Foreign` was said.
        self._foreign = False

    def feed(self, data: bytes) -> list[Event]:
        """See `StreamParser.feed`."""
        out: list[Event] = []
        if self._is_over:
            return out
        try:
            self._read_all(self._splitter.feed(data), out)
        except EventTooLargeError as error:
            self._read_all(error.events, out)
            if not self._is_over:
                self._fail(malformed("an event is too large"), out)
        return out

    def finish(self) -> list[Event]:
        """See `StreamParser.finish`. Compatible servers may leave out `[DONE]`."""
        out: list[Event] = []
        if self._is_over:
            return out
        if self._is_complete():
            self._end(out)
        else:
            fault = tail_fault(self._splitter.pending, self._read_error)
            self._fail(fault or truncated_fault("the stream closed before a finish_reason"), out)
        return out

    def _is_complete(self) -> bool:
        return bool(self._seen) and len(self._seen) == len(self._finished)

    def _read_all(self, events: list[bytes], out: list[Event]) -> None:
        try:
            for raw in events:
                self._read(raw, out)
                if self._is_over:
                    return
        except FaultError as error:
            self._fail(error.fault, out)

    def _read(self, raw: bytes, out: list[Event]) -> None:
        read = payload_of(raw)
        if read is None:
            out.append(Pinged())
            return
        payload, is_failure = read
        if is_failure:
            raise FaultError(error_fault(payload, self._read_error))
        if payload == DONE:
            if not self._is_complete():
                raise FaultError(truncated_fault("[DONE] came before a finish_reason"))
            self._end(out)
            return
        try:
            chunk = decode_chunk(payload)
        except ValueError:
            raise FaultError(malformed("an event is not JSON of a chunk")) from None
        if is_error(chunk):
            raise FaultError(self._read_error(payload))
        self._read_chunk(chunk, out)

    def _read_chunk(self, chunk: Chunk, out: list[Event]) -> None:
        for choice in chunk.choices or ():
            if self._main is None:
                self._main = choice.index
                self._answer_id = chunk.id
                out.append(Started(id=chunk.id, model=chunk.model, created=chunk.created))
            self._seen.add(choice.index)
            delta = choice.delta
            if choice.index != self._main or (delta is not None and is_foreign(delta)):
                self._say_foreign(out)
            if choice.index == self._main and delta is not None:
                self._read_delta(delta, out)
            if choice.finish_reason:
                self._read_finish(choice, choice.finish_reason, out)
        usage = usage_of(chunk.usage)
        if usage is not None:
            out.append(UsageSeen(usage))

    def _say_foreign(self, out: list[Event]) -> None:
        if not self._foreign:
            self._foreign = True
            out.append(Foreign())

    def _read_delta(self, delta: Delta, out: list[Event]) -> None:
        if self._main in self._finished:
            if holds_content(delta):
                raise FaultError(malformed("content after the finish_reason"))
            return
        blocks = self._blocks
        reasoning = reasoning_of(delta)
        if reasoning:
            blocks.thinking(reasoning, out)
        text = text_of(delta.content)
        if text:
            blocks.text(text, out)
        if delta.refusal:
            blocks.refusal(delta.refusal, out)
        for fragment in delta.tool_calls or ():
            blocks.call(fragment, self._answer_id, out)
        if delta.function_call is not None:
            blocks.call(ToolCall(function=delta.function_call), self._answer_id, out)

    def _read_finish(self, choice: ChunkChoice, reason: str, out: list[Event]) -> None:
        fault = broken_off(reason)
        if fault is not None:
            raise FaultError(fault)
        if choice.index == self._main and choice.index not in self._finished:
            blocks = self._blocks
            blocks.close(out)
            stop = stop_for(reason, called=blocks.called, refused=blocks.refused)
            out.append(Finished(stop=stop))
        self._finished.add(choice.index)

    def _end(self, out: list[Event]) -> None:
        self._is_over = True
        out.append(Ended())

    def _fail(self, fault: Fault, out: list[Event]) -> None:
        self._is_over = True
        out.append(Failed(fault))
