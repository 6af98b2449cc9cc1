"""Reading back what a caller was sent, so that another writer may go on with it.

The transcript says in the core's words what stands there; the draft says it in the dialect's: ids,
indexes, numbers, items that are whole (kept as they were written) and the one that is still open.
What cannot be read leaves the transcript `foreign`, as items of built-in tools do: it may have
passed, but nobody can say how it should go on, and nothing more is read.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import Request
from understudy.core.events import Event
from understudy.core.faults import Fault, FaultError
from understudy.core.transcript import Transcript
from understudy.dialects.responses.draft import Draft, OpenItem, OpenPart
from understudy.dialects.responses.payload import MAX_EVENT_BYTES, malformed, read_event
from understudy.dialects.responses.stream import AnswerReader
from understudy.dialects.responses.wire import UNREADABLE, RawEvent, StreamEvent, is_foreign
from understudy.dialects.responses.writer import ResponsesWriter
from understudy.dialects.sse import EventTooLargeError, SseSplitter, parse_event

__all__ = ["ResponsesSent"]

_RAW = msgspec.json.Decoder(RawEvent)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])

#: Events about a text: the kind of part that it is.
_TEXTS = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "summary_text",
    "response.reasoning_text": "reasoning_text",
    "response.function_call_arguments": "arguments",
}


class ResponsesSent:
    """A `Sent`."""

    __slots__ = ("_draft", "_reader", "_splitter", "transcript")

    def __init__(self) -> None:
        self.transcript = Transcript()
        self._draft = Draft()
        self._reader = AnswerReader()
        self._splitter = SseSplitter(MAX_EVENT_BYTES)

    def feed(self, data: bytes) -> None:
        """See `Sent.feed`."""
        try:
            events = self._splitter.feed(data)
        except EventTooLargeError as error:
            events = error.events
        for raw in events:
            read = read_event(raw, _unreadable)
            if isinstance(read, StreamEvent):
                self._count(read.sequence_number)
            if not self.transcript.foreign:
                self._read(raw, read)

    def writer(self, request: Request) -> ResponsesWriter:
        """See `Sent.writer`. What it writes comes back through `feed`, so it has its own draft."""
        draft = self._draft.copy()
        for item in draft.open.values():
            item.is_broken = item.kind == "reasoning"
        draft.refused = any(block.kind == "refusal" for block in self.transcript.blocks)
        return ResponsesWriter(request, draft)

    @property
    def next_number(self) -> int:
        """See `Sent.next_number`."""
        return self._draft.next_number

    def _count(self, number: int | None) -> None:
        draft = self._draft
        draft.next_number = draft.next_number + 1 if number is None else number + 1

    def _read(self, raw: bytes, read: StreamEvent | Fault | None) -> None:
        if not isinstance(read, StreamEvent):
            self.transcript.foreign = isinstance(read, Fault)
            return
        events: list[Event] = []
        try:
            self._reader.take(read, events)
        except FaultError:
            self.transcript.foreign = True
            return
        self.transcript.take(events)
        self._note(read, parse_event(raw).data or b"")

    def _note(self, event: StreamEvent, data: bytes) -> None:
        """What a writer must know of this event beside its text."""
        kind = event.type
        draft = self._draft
        if kind == "response.created":
            draft.head = {**_fields(_raw(data).response)}
            draft.id = event.response.id if event.response else ""
            return
        draft.is_announced = True
        about, _, step = kind.rpartition(".")
        if about in _TEXTS:
            self._note_text(event, _TEXTS[about], is_said=step == "done")
        elif kind == "response.output_item.added":
            self._note_item(event, _fields(_raw(data).item))
        elif kind == "response.output_item.done":
            draft.open.pop(event.output_index, None)
            draft.done[event.output_index] = _raw(data).item
            if draft.current == event.output_index:
                draft.current = -1
        elif kind in {"response.content_part.done", "response.reasoning_summary_part.done"}:
            self._note_part(event, _raw(data).part)
        elif kind in {"response.content_part.added", "response.reasoning_summary_part.added"}:
            self._open_part(event)

    def _note_item(self, event: StreamEvent, fields: dict[str, msgspec.Raw]) -> None:
        made = event.item
        if made is None or is_foreign(made):
            return
        item = OpenItem(made.type, made.id or "", call_id=made.call_id or "", name=made.name or "")
        item.fields = fields
        self._draft.open[event.output_index] = item
        self._draft.current = event.output_index
        if made.type == "function_call":
            item.part = OpenPart("arguments", 0)

    def _open_part(self, event: StreamEvent) -> None:
        item = self._draft.open.get(event.output_index)
        if item is None or event.part is None:
            return
        if item.part is not None:  # Servers that leave out the end of a part.
            item.parts_of(item.part.kind).append(item.part.json())
        kind = event.part.type
        item.part = OpenPart(kind, len(item.parts_of(kind)))
        item.part.pieces.append(event.part.text or event.part.refusal or "")

    def _note_text(self, event: StreamEvent, kind: str, *, is_said: bool) -> None:
        part = self._part(event, kind)
        if part is None:
            return
        if not is_said:
            part.pieces.append(event.delta or "")
            return
        part.pieces[:] = [event.text or event.refusal or event.arguments or part.text]
        part.is_said = True
        item = self._draft.open[event.output_index]
        if kind == "arguments":
            item.arguments = part.text
            item.part = None

    def _note_part(self, event: StreamEvent, part: msgspec.Raw) -> None:
        item = self._draft.open.get(event.output_index)
        if item is not None and event.part is not None:
            item.parts_of(event.part.type).append(part)
            item.part = None

    def _part(self, event: StreamEvent, kind: str) -> OpenPart | None:
        """The open part of this kind in the item that an event is about, opened if need be."""
        item = self._draft.open.get(event.output_index)
        if item is None:
            return None
        if item.part is None or item.part.kind != kind:
            item.part = OpenPart(kind, len(item.parts_of(kind)))
        return item.part


def _unreadable(data: bytes) -> Fault:
    """In place of a provider's table: what was sent holds no errors that matter here."""
    return malformed("an error in what was sent")


def _raw(data: bytes) -> RawEvent:
    try:
        return _RAW.decode(data)
    except UNREADABLE:
        return RawEvent()


def _fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(raw)
    except UNREADABLE:
        return {}
