"""A streamed response as far as it is written: what a writer must know to go on with it.

Filled by the writer itself as it writes, or by `sent` from the bytes of a stream that another
wrote. Data only; the events are made in `writer`.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.responses.output import (
    Json,
    call_item,
    message_item,
    reasoning_item,
    refusal_part,
    summary_part,
    text_part,
)

__all__ = ["Draft", "OpenItem", "OpenPart", "part_json"]


class OpenPart:
    """A part that is being written. `index` is its place in the item's content or summary.

    `kind`: output_text, refusal, summary_text, reasoning_text, or arguments, which is all that a
    function call is made of.
    """

    __slots__ = ("index", "is_said", "kind", "pieces")

    def __init__(self, kind: str, index: int) -> None:
        self.kind = kind
        self.index = index
        self.pieces: list[str] = []
        #: The `done` event of its text has been written.
        self.is_said = False

    @property
    def text(self) -> str:
        """What it holds so far."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def json(self) -> Json:
        """The part with all of its text."""
        return part_json(self.kind, self.text)

    def copy(self) -> OpenPart:
        """The same, to be written on apart from this one."""
        copied = OpenPart(self.kind, self.index)
        copied.pieces = [self.text]
        copied.is_said = self.is_said
        return copied


class OpenItem:
    """An output item that is being written."""

    __slots__ = (
        "arguments",
        "call_id",
        "content",
        "fields",
        "id",
        "is_broken",
        "kind",
        "name",
        "part",
        "summary",
    )

    def __init__(self, kind: str, item_id: str, *, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.id = item_id
        self.call_id = call_id
        self.name = name
        #: Finished parts, as JSON, and the one that is being written.
        self.content: list[object] = []
        self.summary: list[object] = []
        self.arguments = ""
        self.part: OpenPart | None = None
        #: What another wrote of it when it was added: kept, and overlaid with what is known now.
        self.fields: dict[str, msgspec.Raw] = {}
        #: Reasoning whose writer was lost: its vendor can neither find nor read it again.
        self.is_broken = False

    def copy(self) -> OpenItem:
        """The same, to be written on apart from this one."""
        copied = OpenItem(self.kind, self.id, call_id=self.call_id, name=self.name)
        copied.content = [*self.content]
        copied.summary = [*self.summary]
        copied.arguments = self.arguments
        copied.part = self.part.copy() if self.part is not None else None
        copied.fields = self.fields
        copied.is_broken = self.is_broken
        return copied

    def parts_of(self, kind: str) -> list[object]:
        """The finished parts among which a part of this kind goes."""
        return self.summary if kind == "summary_text" else self.content

    def json(self, status: str) -> Json:
        """The item as it stands, its open part left out. `status` as in `message_item`."""
        match self.kind:
            case "message":
                made = message_item(self.id, status, self.content)
            case "function_call":
                made = call_item(self.id, status, self.call_id, self.name, self.arguments)
            case _:
                made = reasoning_item(self.id, self.summary)
                if self.content:
                    made["content"] = self.content
                if self.is_broken:
                    # What its vendor encrypts is whole in the event that never came.
                    made |= {"status": "incomplete", "encrypted_content": None}
        return {**self.fields, **made}


class Draft:
    """A response that is being written."""

    __slots__ = (
        "current",
        "done",
        "head",
        "id",
        "is_announced",
        "next_number",
        "open",
        "refused",
    )

    def __init__(self) -> None:
        self.id = ""
        #: The response object as it was when it began; empty before that.
        self.head: dict[str, object] = {}
        #: `response.in_progress` has been written.
        self.is_announced = False
        #: The next event's `sequence_number`.
        self.next_number = 0
        #: Output index → the finished item, as JSON; → one that is still being written.
        self.done: dict[int, object] = {}
        self.open: dict[int, OpenItem] = {}
        #: The output index of the item that the next block may add to; -1 for none.
        self.current = -1
        #: It holds a refusal in words.
        self.refused = False

    def copy(self) -> Draft:
        """The same, to be written on apart from this one."""
        copied = Draft()
        copied.id = self.id
        copied.head = self.head
        copied.is_announced = self.is_announced
        copied.next_number = self.next_number
        copied.done = {**self.done}
        copied.open = {index: item.copy() for index, item in self.open.items()}
        copied.current = self.current
        copied.refused = self.refused
        return copied

    @property
    def next_index(self) -> int:
        """The output index of the next item."""
        return max((-1, *self.done, *self.open)) + 1

    @property
    def output(self) -> list[object]:
        """All finished items in order."""
        return [self.done[index] for index in sorted(self.done)]


def part_json(kind: str, text: str) -> Json:
    """A part of this kind with this text."""
    match kind:
        case "output_text":
            return text_part(text)
        case "refusal":
            return refusal_part(text)
        case "summary_text":
            return summary_part(text)
        case _:
            return {"type": kind, "text": text}
