"""A streamed answer as a sequence of events that all dialects share.

Grammar: `Started  (BlockStarted  delta*  BlockStopped)*  Finished  UsageSeen?  Ended`, where
`Pinged`, `Foreign` and `UsageSeen` may come anywhere, and `Failed` may come anywhere and ends the
stream.
Blocks do not overlap for messages; parsers of dialects without blocks (chat completions) make
them: one at a time, in order, indexes from 0.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Fault

__all__ = [
    "BlockStarted",
    "BlockStopped",
    "Ended",
    "Event",
    "Failed",
    "Finished",
    "Foreign",
    "Pinged",
    "RefusalDelta",
    "SignatureDelta",
    "Started",
    "TextDelta",
    "ThinkingDelta",
    "ToolDelta",
    "UsageSeen",
]


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The answer has begun: its id and the model that writes it."""

    id: str
    model: str
    usage: Usage | None = None
    created: int = 0


class BlockStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A block opens. `kind` is text, thinking, redacted_thinking, tool_use or refusal."""

    index: int
    kind: str
    #: For tool_use.
    tool_id: str = ""
    tool_name: str = ""
    #: For redacted_thinking.
    data: str = ""


class TextDelta(msgspec.Struct, frozen=True):
    """More text of block `index`."""

    index: int
    text: str


class ThinkingDelta(msgspec.Struct, frozen=True):
    """More reasoning of block `index`."""

    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True):
    """The vendor's signature of thinking block `index`."""

    index: int
    signature: str


class ToolDelta(msgspec.Struct, frozen=True):
    """More of the JSON text of the arguments of tool_use block `index`."""

    index: int
    json: str


class RefusalDelta(msgspec.Struct, frozen=True):
    """More of a refusal in words, block `index`."""

    index: int
    text: str


class BlockStopped(msgspec.Struct, frozen=True):
    """Block `index` is whole."""

    index: int


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """Why the answer ended. All content has been seen; the terminal signal is still to come."""

    stop: Stop
    stop_sequence: str | None = None


class UsageSeen(msgspec.Struct, frozen=True):
    """Cumulative usage so far: overwrite, do not add."""

    usage: Usage


class Ended(msgspec.Struct, frozen=True):
    """The dialect's own terminal signal: the answer is whole."""


class Pinged(msgspec.Struct, frozen=True):
    """The connection is alive; no progress of the answer."""


class Foreign(msgspec.Struct, frozen=True):
    """The answer holds something that has no words here (a server tool's block, a citation, a
    second choice). Said once a stream; these events are then not all of the answer.
    """


class Failed(msgspec.Struct, frozen=True):
    """The provider reported a fault inside the stream."""

    fault: Fault


Event = (
    Started
    | BlockStarted
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | ToolDelta
    | RefusalDelta
    | BlockStopped
    | Finished
    | UsageSeen
    | Ended
    | Pinged
    | Foreign
    | Failed
)
