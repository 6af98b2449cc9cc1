"""What a caller has received of a streamed answer: the ground that a continuation stands on."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from understudy.core.conversation import Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Event,
    Finished,
    Foreign,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)

__all__ = ["Block", "Transcript"]


class Block(msgspec.Struct):
    """One block of the answer. `kind` as in `BlockStarted`; of tool calls `pieces` is the JSON."""

    kind: str
    pieces: list[str]
    open: bool = True
    signed: bool = False
    tool_id: str = ""
    tool_name: str = ""

    @property
    def text(self) -> str:
        """What it holds so far."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


class Transcript:
    """Takes core events in order and remembers what they say.

    `blocks` are in order, the index of each is its place. `started` is None until the answer has
    begun, `finished` until it has said why it ended. `foreign`: there is more in the answer than
    this, so that nobody can go on with it.
    """

    __slots__ = ("blocks", "finished", "foreign", "started", "usage")

    def __init__(self) -> None:
        self.started: Started | None = None
        self.finished: Finished | None = None
        self.usage: Usage | None = None
        self.blocks: list[Block] = []
        self.foreign = False

    def take(self, events: Iterable[Event]) -> None:
        """Note what these events add. `Ended`, `Failed` and `Pinged` add nothing."""
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case TextDelta() | ThinkingDelta() | RefusalDelta():
                self.blocks[event.index].pieces.append(event.text)
            case ToolDelta():
                self.blocks[event.index].pieces.append(event.json)
            case SignatureDelta():
                self.blocks[event.index].signed = True
            case BlockStarted():
                self.blocks.append(
                    Block(event.kind, [], tool_id=event.tool_id, tool_name=event.tool_name)
                )
            case BlockStopped():
                self.blocks[event.index].open = False
            case Started():
                self.started = event
                self.usage = event.usage
            case UsageSeen():
                self.usage = event.usage
            case Finished():
                self.finished = event
            case Foreign():
                self.foreign = True
            case _:
                pass

    @property
    def text(self) -> str:
        """All text of the answer so far, in order, without thinking, tool calls and refusals."""
        return "".join([block.text for block in self.blocks if block.kind == "text"])

    @property
    def open_block(self) -> Block | None:
        """The block that is still open, if one is: always the last."""
        last = self.blocks[-1] if self.blocks else None
        return last if last is not None and last.open else None
