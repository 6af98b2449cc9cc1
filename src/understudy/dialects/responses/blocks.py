"""Blocks out of output items: the dialect nests parts in items, the core has blocks in a row.

A part of a message (text or a refusal) is a block, a function call is one, and so is a reasoning
item with all its summaries and texts. Items that only this dialect knows (built-in tools) give
none. A block ends with its text's `done` event, or where the next begins. Blocks in the core do
not overlap, so a server that goes back to a block which has ended is MALFORMED here; OpenAI writes
one item after another.

Imitators leave out events. What was never streamed is taken from the `done` events, or from the
last event's whole output.
"""

from __future__ import annotations

from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Event,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
)
from understudy.core.faults import FaultError
from understudy.dialects.responses.payload import malformed
from understudy.dialects.responses.wire import Item, Part, StreamEvent, arguments_of

__all__ = ["BlockMaker"]

#: More blocks than any answer has.
_MAX_BLOCKS = 4096

#: Places of blocks that are a whole item, where a message's parts count from 0.
_CALL, _REASONING = -1, -2

#: Between two summaries of one reasoning item.
_PARAGRAPH = "\n\n"

#: (output index, content index or one of the places above, kind of block)
_Key = tuple[int, int, str]
_NONE: _Key = (-1, -1, "")


class BlockMaker:
    """Puts the blocks' events into the list `out` that each method is given."""

    __slots__ = ("_closed", "_index", "_key", "_section", "_streamed", "called", "refused")

    def __init__(self) -> None:
        self._key = _NONE
        self._index = -1
        self._closed: set[_Key] = set()
        #: Something of the open block has been seen.
        self._streamed = False
        #: Which summary or text of an open reasoning item is being written.
        self._section: tuple[str, int] | None = None
        #: A call of a function, a refusal in words has been seen.
        self.called = False
        self.refused = False

    @property
    def began(self) -> bool:
        """Whether there has been a block."""
        return self._index >= 0

    def take(self, event: StreamEvent, out: list[Event]) -> None:
        """One event about items. Others add nothing.

        Raises:
            FaultError: MALFORMED; it does not fit what came before.
        """
        match event.type:
            case "response.output_text.delta":
                self._text(event, "text", event.delta, out)
            case "response.function_call_arguments.delta":
                self._arguments(event.output_index, event.delta or "", out)
            case "response.refusal.delta":
                self._text(event, "refusal", event.delta, out)
            case "response.reasoning_summary_text.delta":
                self._thinking(event.output_index, ("s", event.summary_index), event.delta, out)
            case "response.reasoning_text.delta":
                self._thinking(event.output_index, ("t", event.content_index), event.delta, out)
            case _:
                self._frame(event, out)

    def close(self, out: list[Event]) -> None:
        """End the open block, if one is."""
        if self._key[2]:
            out.append(BlockStopped(self._index))
            self._closed.add(self._key)
            self._key = _NONE

    def whole(self, index: int, item: Item, out: list[Event]) -> None:
        """An item as it is in the end: what of it was not streamed, and the end of its block."""
        match item.type:
            case "message":
                for place, part in enumerate(item.content or ()):
                    kind = "refusal" if part.type == "refusal" else "text"
                    self._rest((index, place, kind), part.refusal or part.text, out)
            case "function_call":
                self._whole_call(index, item, out)
            case "reasoning":
                sections = item.summary or item.content or ()
                self._rest((index, _REASONING, "thinking"), _joined(sections), out)
        if self._key[0] == index:
            self.close(out)

    def _frame(self, event: StreamEvent, out: list[Event]) -> None:
        index, place = event.output_index, event.content_index
        match event.type:
            case "response.output_item.added":
                if event.item is not None and event.item.type == "function_call":
                    self._open_call(index, event.item, out)
            case "response.output_item.done":
                if event.item is not None:
                    self.whole(index, event.item, out)
            case "response.content_part.added":
                self._open_part(index, place, event.part, out)
            case "response.output_text.done":
                self._rest((index, place, "text"), event.text, out)
            case "response.refusal.done":
                self._rest((index, place, "refusal"), event.refusal, out)
            case "response.function_call_arguments.done":
                self._rest((index, _CALL, "tool_use"), event.arguments, out)

    def _open_part(self, index: int, place: int, part: Part | None, out: list[Event]) -> None:
        if part is None or part.type not in {"output_text", "refusal"}:
            return
        key = (index, place, "refusal" if part.type == "refusal" else "text")
        self._enter(key, out)
        self._add(part.refusal or part.text, out)

    def _text(self, event: StreamEvent, kind: str, text: str | None, out: list[Event]) -> None:
        self._enter((event.output_index, event.content_index, kind), out)
        self._add(text, out)

    def _thinking(
        self, index: int, section: tuple[str, int], text: str | None, out: list[Event]
    ) -> None:
        key = (index, _REASONING, "thinking")
        if not text:
            return
        if self._key != key:
            self._enter(key, out)
        elif section != self._section:
            self._add(_PARAGRAPH, out)
        self._section = section
        self._add(text, out)

    def _open_call(self, index: int, item: Item, out: list[Event]) -> None:
        if not item.call_id or not item.name:
            raise FaultError(malformed("a function call has no call_id or no name"))
        self.called = True
        self._enter((index, _CALL, "tool_use"), out, tool_id=item.call_id, tool_name=item.name)
        self._add(arguments_of(item), out)

    def _whole_call(self, index: int, item: Item, out: list[Event]) -> None:
        key = (index, _CALL, "tool_use")
        if key != self._key and key not in self._closed:
            self._open_call(index, item, out)
        self._rest(key, arguments_of(item), out)

    def _arguments(self, index: int, text: str, out: list[Event]) -> None:
        if self._key != (index, _CALL, "tool_use"):
            raise FaultError(malformed("arguments of a function call that is not open"))
        self._add(text, out)

    def _rest(self, key: _Key, text: str | None, out: list[Event]) -> None:
        """The end of a block's text, which holds all of it."""
        if key in self._closed or (key != self._key and not text):
            return
        if key != self._key:
            self._enter(key, out)
        if not self._streamed:
            self._add(text, out)
        self.close(out)

    def _enter(
        self, key: _Key, out: list[Event], *, tool_id: str = "", tool_name: str = ""
    ) -> None:
        if key == self._key:
            return
        self.close(out)
        if key in self._closed:
            raise FaultError(malformed("parts of the answer interleave"))
        if len(self._closed) >= _MAX_BLOCKS:
            raise FaultError(malformed("more parts than an answer holds"))
        self._key = key
        self._index += 1
        self._streamed = False
        self._section = None
        kind = key[2]
        self.refused = self.refused or kind == "refusal"
        out.append(BlockStarted(index=self._index, kind=kind, tool_id=tool_id, tool_name=tool_name))

    def _add(self, text: str | None, out: list[Event]) -> None:
        if not text:
            return
        self._streamed = True
        match self._key[2]:
            case "text":
                out.append(TextDelta(self._index, text))
            case "tool_use":
                out.append(ToolDelta(self._index, text))
            case "refusal":
                out.append(RefusalDelta(self._index, text))
            case _:
                out.append(ThinkingDelta(self._index, text))


def _joined(sections: list[Part] | tuple[Part, ...]) -> str:
    return _PARAGRAPH.join(part.text for part in sections if part.text)
