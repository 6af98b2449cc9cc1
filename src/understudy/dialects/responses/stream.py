"""A provider's stream of typed events to core events."""

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
from understudy.dialects.base import ReadError
from understudy.dialects.responses.blocks import BlockMaker
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
    Response,
    StreamEvent,
    is_foreign,
    reason_of,
    usage_of,
)
from understudy.dialects.sse import EventTooLargeError, SseSplitter

__all__ = ["AnswerReader", "ResponsesParser"]

_ANNOTATION = "response.output_text.annotation.added"


class AnswerReader:
    """Typed events to core events; `is_over` after the one that ends the answer.

    Items of built-in tools and annotations of text have no words in the core: where there are any,
    `Foreign` says so.
    """

    __slots__ = ("_blocks", "_foreign", "_last", "_started", "is_over")

    def __init__(self) -> None:
        self._blocks = BlockMaker()
        #: The highest sequence number so far.
        self._last = -1
        self._started = False
        #: `Foreign` was said.
        self._foreign = False
        self.is_over = False

    def take(self, event: StreamEvent, out: list[Event]) -> None:
        """What one event says in the core's words, into `out`.

        Raises:
            FaultError: MALFORMED; it does not fit what came before.
        """
        number = event.sequence_number
        if not follows(number, self._last):
            raise FaultError(malformed("sequence numbers do not follow one another"))
        if number is not None:
            self._last = max(self._last, number)
        begin = len(out)
        item = event.item
        if (item is not None and is_foreign(item)) or event.type == _ANNOTATION:
            self._say_foreign(out)
        if event.type in TERMINAL:
            self._end(event, event.response or Response(), out)
        else:
            self._blocks.take(event, out)
        if not self._started and (event.response is not None or len(out) > begin):
            self._started = True
            out.insert(begin, _started(event.response or Response()))

    def _say_foreign(self, out: list[Event]) -> None:
        if not self._foreign:
            self._foreign = True
            out.append(Foreign())

    def _end(self, event: StreamEvent, response: Response, out: list[Event]) -> None:
        blocks = self._blocks
        if not blocks.began:
            for index, item in enumerate(response.output or ()):
                if is_foreign(item):
                    self._say_foreign(out)
                blocks.whole(index, item, out)
        blocks.close(out)
        stop = stop_for(
            is_cut=event.type == "response.incomplete" or response.status == "incomplete",
            reason=reason_of(response),
            called=blocks.called,
            refused=blocks.refused,
        )
        out.append(Finished(stop=stop))
        usage = usage_of(response.usage)
        if usage is not None:
            out.append(UsageSeen(usage))
        out.append(Ended())
        self.is_over = True


def _started(response: Response) -> Started:
    return Started(id=response.id, model=response.model, created=int(response.created_at))


class ResponsesParser:
    """A `StreamParser`."""

    __slots__ = ("_is_over", "_read_error", "_reader", "_splitter")

    def __init__(self, read_error: ReadError) -> None:
        self._read_error = read_error
        self._splitter = SseSplitter(MAX_EVENT_BYTES)
        self._reader = AnswerReader()
        self._is_over = False

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
        """See `StreamParser.finish`. Nothing stands for a terminal event that did not come."""
        out: list[Event] = []
        if not self._is_over:
            self._fail(tail_fault(self._splitter.pending, self._read_error), out)
        return out

    def _read_all(self, events: list[bytes], out: list[Event]) -> None:
        for raw in events:
            self._read(raw, out)
            if self._is_over:
                return

    def _read(self, raw: bytes, out: list[Event]) -> None:
        read = read_event(raw, self._read_error)
        if read is None:
            out.append(Pinged())
        elif isinstance(read, Fault):
            self._fail(read, out)
        else:
            try:
                self._reader.take(read, out)
            except FaultError as error:
                self._fail(error.fault, out)
            self._is_over = self._is_over or self._reader.is_over

    def _fail(self, fault: Fault, out: list[Event]) -> None:
        self._is_over = True
        out.append(Failed(fault))
