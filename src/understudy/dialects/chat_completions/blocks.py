"""Blocks out of deltas: the dialect has none, the core's events do.

One block is open at a time, indexes count from 0; a block ends where the next begins.
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
from understudy.dialects.chat_completions.ids import made_tool_id
from understudy.dialects.chat_completions.payload import malformed
from understudy.dialects.chat_completions.wire import FunctionCall, ToolCall, arguments_of

__all__ = ["BlockMaker"]

_NO_FUNCTION = FunctionCall()

#: More calls than any model makes in one answer.
_MAX_CALLS = 1024


class BlockMaker:
    """Puts the blocks' events into the list `out` that each method is given."""

    __slots__ = ("_call_id", "_call_index", "_calls", "_index", "_kind", "_used_ids", "refused")

    def __init__(self) -> None:
        self._kind = ""
        self._index = -1
        self._calls = 0
        self._call_index: int | None = None
        self._call_id = ""
        self._used_ids: set[str] = set()
        #: A refusal in words has been seen.
        self.refused = False

    @property
    def called(self) -> bool:
        """Whether a tool call has been seen."""
        return self._calls > 0

    def text(self, text: str, out: list[Event]) -> None:
        """More text."""
        self._enter("text", out)
        out.append(TextDelta(self._index, text))

    def thinking(self, text: str, out: list[Event]) -> None:
        """More reasoning."""
        self._enter("thinking", out)
        out.append(ThinkingDelta(self._index, text))

    def refusal(self, text: str, out: list[Event]) -> None:
        """More of a refusal."""
        self._enter("refusal", out)
        self.refused = True
        out.append(RefusalDelta(self._index, text))

    def call(self, fragment: ToolCall, answer_id: str, out: list[Event]) -> None:
        """A fragment of a tool call.

        The first of a call has its name. Servers differ in the rest: no index, no id, an index
        of 0 for each call, id and name in each fragment.

        Raises:
            FaultError: it belongs to no open call.
        """
        function = fragment.function or _NO_FUNCTION
        arguments = arguments_of(function)
        if not self._continues(fragment, function.name):
            if function.name:
                self._open_call(fragment, function.name, answer_id, out)
            elif arguments:
                raise FaultError(malformed("a fragment of a tool call that is not open"))
        if arguments:
            out.append(ToolDelta(self._index, arguments))

    def close(self, out: list[Event]) -> None:
        """End the open block, if one is."""
        if self._kind:
            out.append(BlockStopped(self._index))
            self._kind = ""

    def _enter(self, kind: str, out: list[Event]) -> None:
        if self._kind != kind:
            self._open(kind, out)

    def _open(self, kind: str, out: list[Event], *, tool_id: str = "", tool_name: str = "") -> None:
        self.close(out)
        self._kind = kind
        self._index += 1
        out.append(BlockStarted(index=self._index, kind=kind, tool_id=tool_id, tool_name=tool_name))

    def _continues(self, fragment: ToolCall, name: str | None) -> bool:
        if self._kind != "tool_use":
            return False
        if fragment.index is not None and fragment.index != self._call_index:
            return False
        if not name:
            return True
        if fragment.id:
            return fragment.id == self._call_id
        return fragment.index is not None

    def _open_call(self, fragment: ToolCall, name: str, answer_id: str, out: list[Event]) -> None:
        tool_id = fragment.id or made_tool_id(answer_id, self._calls)
        if tool_id in self._used_ids:
            raise FaultError(malformed("fragments of two tool calls interleave"))
        if self._calls >= _MAX_CALLS:
            raise FaultError(malformed("more tool calls than an answer holds"))
        self._used_ids.add(tool_id)
        self._calls += 1
        self._call_index = fragment.index
        self._call_id = tool_id
        self._open("tool_use", out, tool_id=tool_id, tool_name=name)
