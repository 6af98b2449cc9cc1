"""Core events to a stream of typed events.

The sequence is OpenAI's own (developers.openai.com/api/reference/resources/responses/
streaming-events): `response.created` and `response.in_progress`; for each item `output_item.added`,
for each of its parts `content_part.added` (`reasoning_summary_part.added`), deltas, the text's
`done`, the part's `done`; `output_item.done`; and last `response.completed` or
`response.incomplete` with the whole output and the usage. Numbers count from 0 without a gap.

A block is a part: neighbouring texts and refusals share one message, every call and every thinking
is an item of its own. An item ends where the next begins or the answer does, for only then is its
status known. Signatures and redacted thinking, which only their own vendor can read, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from understudy.core.conversation import Request, Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Pinged,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.dialects.responses.draft import Draft, OpenItem, OpenPart, part_json
from understudy.dialects.responses.ids import item_id, response_id
from understudy.dialects.responses.output import Json, response_head, response_tail
from understudy.dialects.responses.stops import status_for

__all__ = ["PING", "ResponsesWriter"]

#: A comment: no event of the dialect says nothing.
PING = b": ping\n\n"


class _Names(NamedTuple):
    """What the events about one kind of part are called."""

    #: The kind of item that it is part of.
    item: str
    #: `response.….delta` and `response.….done`: its text.
    said: str
    #: What the text's `done` event calls the text.
    whole: str = "text"
    #: The field that says which part it is; empty where there is only one.
    counted: str = "content_index"
    #: `response.….added` and `response.….done`: the part itself; empty where it is the item.
    about: str = "content_part"


#: Kind of part → names.
_PARTS = {
    "output_text": _Names("message", "output_text"),
    "refusal": _Names("message", "refusal", "refusal"),
    "reasoning_text": _Names("reasoning", "reasoning_text"),
    "summary_text": _Names(
        "reasoning", "reasoning_summary_text", "text", "summary_index", "reasoning_summary_part"
    ),
    "arguments": _Names("function_call", "function_call_arguments", "arguments", "", ""),
}

#: Kind of block → kind of part.
_BLOCKS = {
    "text": "output_text",
    "refusal": "refusal",
    "thinking": "summary_text",
    "tool_use": "arguments",
}

_encode = msgspec.json.Encoder().encode


class ResponsesWriter:
    """A `StreamWriter`. It goes on with `draft` where one is given (see `sent`)."""

    __slots__ = (
        "_draft",
        "_head",
        "_is_over",
        "_is_skipping",
        "_middle",
        "_model",
        "_part",
        "_stop",
        "_tail",
        "_usage",
    )

    def __init__(self, request: Request, draft: Draft | None = None) -> None:
        self._model = request.model
        self._draft = Draft() if draft is None else draft
        self._usage: Usage | None = None
        self._stop = Stop.END
        #: Inside a block that the dialect has no place for.
        self._is_skipping = False
        self._is_over = False
        #: The part that deltas add to, and the bytes around a delta's number and its text.
        self._part: OpenPart | None = None
        self._head = self._middle = self._tail = b""
        item = self._draft.open.get(self._draft.current)
        if item is not None and item.part is not None and not item.part.is_said:
            self._aim(item, item.part)

    def write(self, events: Iterable[Event]) -> bytes:
        """See `StreamWriter.write`."""
        return b"".join([self._one(event) for event in events])

    def _one(self, event: Event) -> bytes:
        match event:
            case TextDelta() | ThinkingDelta() | RefusalDelta():
                return self._delta(event.text) if self._part else self._late_delta(event)
            case ToolDelta():
                return self._delta(event.json) if self._part else b""
            case BlockStarted():
                return self._begin() + self._start_block(event)
            case BlockStopped():
                return self._stop_block()
            case Pinged():
                return PING
            case _:
                return self._frame(event)

    def _frame(self, event: Event) -> bytes:
        match event:
            case Started():
                self._usage = event.usage
                return self._start(event.id, event.model, event.created)
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                self._stop = event.stop
                return self._begin() + self._close_all()
            case Ended():
                return self._begin() + self._end()
            case _:
                return b""

    # -- the response

    def _start(self, answer_id: str, model: str, created: int) -> bytes:
        draft = self._draft
        if draft.head:
            return b""
        draft.id = response_id(answer_id)
        draft.head = response_head(draft.id, model or self._model, created)
        written = self._event("response.created", {"response": draft.head})
        return written + self._begin()

    def _begin(self) -> bytes:
        """What must stand before any item, if it does not yet."""
        draft = self._draft
        if not draft.head:
            return self._start("", "", 0)
        if draft.is_announced:
            return b""
        draft.is_announced = True
        return self._event("response.in_progress", {"response": draft.head})

    def _status(self) -> tuple[str, str | None]:
        return status_for(self._stop, refused=self._draft.refused)

    def _end(self) -> bytes:
        if self._is_over:
            return b""
        written = self._close_all()
        self._is_over = True
        status, reason = self._status()
        last = response_tail(status, reason, self._draft.output, self._usage)
        response = {**self._draft.head, "store": False, **last}
        return written + self._event(f"response.{status}", {"response": response})

    # -- items

    def _open_item(self, kind: str, event: BlockStarted) -> tuple[bytes, OpenItem]:
        draft = self._draft
        index = draft.next_index
        mark = item_id(kind, draft.id, index)
        item = OpenItem(kind, mark, call_id=event.tool_id, name=event.tool_name)
        draft.open[index] = item
        draft.current = index
        body: Json = {"output_index": index, "item": item.json("in_progress")}
        return self._event("response.output_item.added", body), item

    def _close_item(self, index: int, status: str) -> bytes:
        draft = self._draft
        written = self._end_part() if index == draft.current else b""
        item = draft.open.pop(index, None)
        if item is None:
            return written
        if index == draft.current:
            draft.current = -1
        whole = item.json(status)
        draft.done[index] = whole
        return written + self._event(
            "response.output_item.done", {"output_index": index, "item": whole}
        )

    def _close_all(self) -> bytes:
        """End whatever is open; what was being written last has the answer's own status."""
        written = [self._close_item(self._draft.current, self._status()[0])]
        written += [self._close_item(index, "incomplete") for index in sorted(self._draft.open)]
        return b"".join(written)

    # -- blocks

    def _start_block(self, event: BlockStarted) -> bytes:
        kind = _BLOCKS.get(event.kind)
        if kind is None:
            self._is_skipping = True
            return b""
        written = self._end_part()
        draft = self._draft
        item = draft.open.get(draft.current)
        if item is None or not _has_room(item, kind):
            written += self._close_item(draft.current, "completed")
            added, item = self._open_item(_PARTS[kind].item, event)
            written += added
        part = OpenPart(kind, len(item.parts_of(kind)))
        item.part = part
        draft.refused = draft.refused or kind == "refusal"
        self._aim(item, part)
        about = _PARTS[kind].about
        if not about:
            return written
        body = {**self._place(item, part), "part": part_json(kind, "")}
        return written + self._event(f"response.{about}.added", body)

    def _stop_block(self) -> bytes:
        if self._is_skipping:
            self._is_skipping = False
            return b""
        return self._end_part()

    def _late_delta(self, event: TextDelta | ThinkingDelta | RefusalDelta) -> bytes:
        """A delta where no block is open: it opens one."""
        if self._is_skipping:
            return b""
        kind = "text"
        if isinstance(event, ThinkingDelta):
            kind = "thinking"
        elif isinstance(event, RefusalDelta):
            kind = "refusal"
        block = BlockStarted(index=event.index, kind=kind)
        return self._begin() + self._start_block(block) + self._delta(event.text)

    def _end_part(self) -> bytes:
        """End the part that is open in the current item, if one is."""
        item = self._draft.open.get(self._draft.current)
        if item is None or item.part is None:
            return b""
        part, item.part = item.part, None
        kind = _PARTS[part.kind]
        written = b""
        if not part.is_said:
            if part.kind == "arguments" and not part.text:
                written = self._delta("{}")  # A client parses them as JSON: no text would be none.
            body = {**self._place(item, part), kind.whole: part.text}
            if part.kind == "output_text":
                body["logprobs"] = []
            written += self._event(f"response.{kind.said}.done", body)
        self._part = None
        if not kind.about:
            item.arguments = part.text
            return written
        whole = part.json()
        item.parts_of(part.kind).append(whole)
        body = {**self._place(item, part), "part": whole}
        return written + self._event(f"response.{kind.about}.done", body)

    # -- bytes

    def _place(self, item: OpenItem, part: OpenPart) -> Json:
        place: Json = {"item_id": item.id, "output_index": self._draft.current}
        counted = _PARTS[part.kind].counted
        if counted:
            place[counted] = part.index
        return place

    def _aim(self, item: OpenItem, part: OpenPart) -> None:
        """Deltas go to this part from now on."""
        self._part = part
        name = f"response.{_PARTS[part.kind].said}.delta".encode()
        self._head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (name, name)
        self._middle = b"," + _encode(self._place(item, part))[1:-1] + b',"delta":'
        self._tail = b',"logprobs":[]}\n\n' if part.kind == "output_text" else b"}\n\n"

    def _delta(self, text: str) -> bytes:
        draft = self._draft
        number = draft.next_number
        draft.next_number = number + 1
        if self._part is not None:
            self._part.pieces.append(text)
        return self._head + b"%d" % number + self._middle + _encode(text) + self._tail

    def _event(self, kind: str, body: Json) -> bytes:
        draft = self._draft
        number = draft.next_number
        draft.next_number = number + 1
        payload = _encode({"type": kind, "sequence_number": number, **body})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), payload)


def _has_room(item: OpenItem, kind: str) -> bool:
    """Whether another part of this kind may go into an open item."""
    if item.kind != _PARTS[kind].item or kind == "arguments":
        return False
    return item.kind == "message" or not (item.summary or item.content)
