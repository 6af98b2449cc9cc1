"""Reading back what was sent of a stream, by the dialect's own parser.

The bytes are a provider's, as they passed, or our own writer's, or the one after the other: the
parser reads both, and comments and pings that the relay put between them say nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.conversation import Request
from understudy.core.events import Failed
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.transcript import Transcript
from understudy.dialects.base import ReadError, StreamParser, StreamWriter

__all__ = ["ParsedSent"]


class ParsedSent:
    """Implements `understudy.dialects.base.Sent`.

    Args:
        make_parser: the dialect's `stream_parser`.
        resume: makes a writer that goes on where a transcript ends.

    What the parser cannot read leaves the transcript `foreign`: it may have passed, but nobody can
    say how it should go on.
    """

    __slots__ = ("_parser", "_resume", "transcript")

    def __init__(
        self,
        make_parser: Callable[[ReadError], StreamParser],
        resume: Callable[[Request, Transcript], StreamWriter],
    ) -> None:
        self.transcript = Transcript()
        self._parser = make_parser(_unreadable)
        self._resume = resume

    @property
    def next_number(self) -> int:
        """See `Sent.next_number`: events have no numbers."""
        return 0

    def feed(self, data: bytes) -> None:
        """Take bytes that were sent, in any split, in order."""
        events = self._parser.feed(data)
        self.transcript.take(events)
        if events and isinstance(events[-1], Failed):
            self.transcript.foreign = True

    def writer(self, request: Request) -> StreamWriter:
        """A writer that goes on with this stream."""
        return self._resume(request, self.transcript)


def _unreadable(_: bytes) -> Fault:
    """An error event: it was never sent as a part of an answer."""
    return Fault(
        kind=Kind.MALFORMED, scope=Scope.OURSELVES, message="an error inside what was sent"
    )
