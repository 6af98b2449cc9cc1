"""What the relay sees of an answer that comes: the base of everything that reads one.

A class and not a protocol, because these few attributes are read for every chunk of every stream,
and compiled code reads those of a class it knows without asking Python.
"""

from __future__ import annotations

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Fault

__all__ = ["StreamGlance"]


class StreamGlance:
    """Reads an answer once. Attributes are cumulative.

    It may be made to hold back (`HOLD_TOOLS`, `HOLD_TEXT`) what is of no use in halves; `feed` then
    returns it when the answer's end has been seen, in its order, or never.

    Attributes:
        has_content: some content has been seen (text, thinking, a tool call, a refusal), held back
            or not.
        progress: bytes of the events that carried content: how far the answer has come. Pings do
            not count.
        held: bytes that are held back.
        ended: the terminal signal has been seen: the answer is whole.
        fault: an error event, classified. Bytes from its event on are not forwarded.
        stop: why the answer ended.
        usage: what it used, as far as it has been told.
        tail: bytes for the caller that only `finish` brought.
    """

    __slots__ = ("ended", "fault", "has_content", "held", "progress", "stop", "tail", "usage")

    def __init__(self) -> None:
        self.has_content = False
        self.progress = 0
        self.held = 0
        self.ended = False
        self.fault: Fault | None = None
        self.stop: Stop | None = None
        self.usage: Usage | None = None
        self.tail = b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come; return those of whole events, ready to be forwarded.

        Never raises: garbage, or an event over the size cap, shows in `fault` as MALFORMED.
        """
        raise NotImplementedError

    def finish(self) -> Fault | None:
        """The provider closed in order: None if the answer is whole, else TRUNCATED."""
        raise NotImplementedError
