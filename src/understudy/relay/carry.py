"""How one attempt's answer is carried to the caller: as it is, or translated; streamed, or whole.

Every carrier is a `StreamGlance`: it is fed the bytes of a successful (2xx) response and shows the
same few things, so that the exchange need not know which one it holds. What `feed` returns is ready
for the caller. A stream that keeps its dialect is carried by that dialect's own glance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from understudy.core.conversation import Answer, ToolUse
from understudy.core.events import (
    BlockStarted,
    Ended,
    Event,
    Failed,
    Finished,
    Pinged,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, FaultError, Kind, Scope
from understudy.core.outcomes import Attempt
from understudy.dialects.base import (
    HOLD_TEXT,
    Dialect,
    StreamParser,
    StreamWriter,
    is_empty,
)
from understudy.dialects.glance import MAX_HELD_BYTES
from understudy.dialects.stream_glance import StreamGlance
from understudy.policy.continuation import Continuation

__all__ = [
    "MAX_ANSWER_BYTES",
    "ContinuedStream",
    "PassedWhole",
    "TranslatedStream",
    "TranslatedWhole",
    "emptiness",
]

#: A whole answer at most: several times the largest output of any model.
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_CONTENT = (TextDelta, ThinkingDelta, ToolDelta, RefusalDelta)
#: Kinds of block that are content by being there.
_CONTENT_KINDS: Final = frozenset({"tool_use", "redacted_thinking"})


class TranslatedStream(StreamGlance):
    """A stream of another dialect, event by event.

    Args:
        parser: the provider's side.
        writer: the caller's side.
        hold: what is held back until the answer's end has been seen (`HOLD_TOOLS` …).
        now: Unix seconds, for dialects whose answers have a time of creation.
    """

    __slots__ = (
        "_hold",
        "_keeping",
        "_kept",
        "_now",
        "_parser",
        "_writer",
    )

    def __init__(self, parser: StreamParser, writer: StreamWriter, hold: int, now: int) -> None:
        super().__init__()
        self._now = now
        self._parser = parser
        self._writer = writer
        self._hold = hold
        #: From here on events are kept back.
        self._keeping = False
        self._kept: list[Event] = []

    def feed(self, data: bytes) -> bytes:
        """See `StreamGlance.feed`."""
        events = self._look(self._parser.feed(data), len(data))
        if self._hold:
            events = self._hold_back(events, len(data))
        return self._write(events)

    def finish(self) -> Fault | None:
        """See `StreamGlance.finish`."""
        events = self._look(self._parser.finish(), 0)
        if self._hold:
            events = self._hold_back(events, 0)
        self.tail = self._write(events)
        return self.fault

    def _write(self, events: list[Event]) -> bytes:
        return self._writer.write(events)

    def _look(self, events: list[Event], size: int) -> list[Event]:
        came = False
        for index, event in enumerate(events):
            if isinstance(event, Failed):
                self.fault = event.fault
                events = events[:index]
                break
            if _is_content(event):
                came = True
            elif isinstance(event, Started):
                events[index] = self._dated(event)
            else:
                self._note(event)
        if came:
            self.has_content = True
            self.progress += size
        return events

    def _dated(self, event: Started) -> Started:
        self.usage = event.usage
        if event.created:
            return event
        return Started(id=event.id, model=event.model, usage=event.usage, created=self._now)

    def _note(self, event: Event) -> None:
        if isinstance(event, UsageSeen):
            self.usage = event.usage
        elif isinstance(event, Finished):
            self.stop = event.stop
        elif isinstance(event, Ended):
            self.ended = True

    def _hold_back(self, events: list[Event], size: int) -> list[Event]:
        """What may go on now: half a tool call, half a JSON document and an end that may never come
        are of no use.
        """
        if self.ended:
            events, self._kept = [*self._kept, *events], []
            self._keeping, self.held = False, 0
            return events
        passed: list[Event] = []
        for event in events:
            self._keeping = self._keeping or self._must_wait(event)
            if self._keeping and not isinstance(event, Pinged):
                self._kept.append(event)
            else:
                passed.append(event)
        if self._keeping:
            self.held += size
            if self.held > MAX_HELD_BYTES and self.fault is None:
                self.fault = _too_large("a part of the stream that must be whole", MAX_HELD_BYTES)
        return passed

    def _must_wait(self, event: Event) -> bool:
        if isinstance(event, Finished):
            return True
        if isinstance(event, BlockStarted) and event.kind == "tool_use":
            return True
        return bool(self._hold & HOLD_TEXT) and isinstance(event, (BlockStarted, *_CONTENT))


class ContinuedStream(TranslatedStream):
    """A stream that goes on with another's answer; a comment before its first bytes says so.

    Args:
        continuation: makes its events fit what the caller has.
        attempt: whose answer it is.
    """

    __slots__ = ("_continuation", "_mark")

    def __init__(
        self,
        parser: StreamParser,
        writer: StreamWriter,
        hold: int,
        now: int,
        continuation: Continuation,
        attempt: Attempt,
    ) -> None:
        super().__init__(parser, writer, hold, now)
        self._continuation = continuation
        mark = f": understudy continued at {attempt.target} from character {attempt.from_char}\n\n"
        self._mark = mark.encode("latin-1", "replace")

    def _write(self, events: list[Event]) -> bytes:
        written = self._writer.write(self._continuation.take(events))
        if self._continuation.seam_broken and self.fault is None:
            self.fault = Fault(
                kind=Kind.MALFORMED,
                scope=Scope.REQUEST,
                status=200,
                code="no_seam",
                message="the continuation does not go on from what was sent",
            )
            return b""
        if written and self._mark:
            written, self._mark = self._mark + written, b""
        return written


class _Whole(StreamGlance):
    """Gathers a whole answer; nothing of it goes on before all of it is there and sound."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Keep it. Always returns nothing."""
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self.fault = _too_large("the answer", MAX_ANSWER_BYTES)
            self._parts.clear()
        else:
            self._parts.append(data)
        return b""

    def _body(self) -> bytes:
        parts = self._parts
        return parts[0] if len(parts) == 1 else b"".join(parts)


class PassedWhole(_Whole):
    """A whole answer that passes as it is, once it has been looked at.

    Args:
        provider: the dialect of both sides.
        read_reply: classifies a 200 body that is an error or no answer at all.
    """

    __slots__ = ("_provider", "_read_reply")

    def __init__(self, provider: Dialect, read_reply: Callable[[bytes], Fault]) -> None:
        super().__init__()
        self._provider = provider
        self._read_reply = read_reply

    def finish(self) -> Fault | None:
        """All of it is there: None if it is an answer."""
        if self.fault is not None:
            return self.fault
        body = self._body()
        try:
            glance = self._provider.glance_answer(body)
        except FaultError as error:
            self.fault = self._read_reply(body) if not body else error.fault
            return self.fault
        if glance.error is not None:
            self.fault = self._read_reply(body)
            return self.fault
        self.has_content = glance.has_content
        self.stop = glance.stop
        self.usage = glance.usage
        self.ended = True
        self.tail = body
        return None


class TranslatedWhole(_Whole):
    """A whole answer of another dialect."""

    __slots__ = ("_caller", "_now", "_provider", "_read_reply")

    def __init__(
        self,
        caller: Dialect,
        provider: Dialect,
        read_reply: Callable[[bytes], Fault],
        now: int,
    ) -> None:
        super().__init__()
        self._caller = caller
        self._provider = provider
        self._read_reply = read_reply
        self._now = now

    def finish(self) -> Fault | None:
        """All of it is there: None if it is an answer, which `tail` holds in the caller's words."""
        if self.fault is not None:
            return self.fault
        body = self._body()
        try:
            answer = self._provider.parse_answer(body)
        except FaultError as error:
            self.fault = self._explain(body, error.fault)
            return self.fault
        if not answer.created:
            answer = replace(answer, created=self._now)
        self.has_content = _holds_content(answer)
        self.stop = answer.stop
        self.usage = answer.usage
        self.ended = True
        self.tail = self._caller.render_answer(answer)
        return None

    def _explain(self, body: bytes, fault: Fault) -> Fault:
        """A body that is no answer may be an error, which the provider's table knows better."""
        try:
            is_error = self._provider.glance_answer(body).error is not None
        except FaultError:
            is_error = False
        return self._read_reply(body) if is_error or not body else fault


def _holds_content(answer: Answer) -> bool:
    return any(isinstance(part, ToolUse) or bool(part.text) for part in answer.parts)


def _is_content(event: Event) -> bool:
    if isinstance(event, _CONTENT):
        # `ToolDelta` and the like carry something; an empty text is no content.
        return bool(event.json if isinstance(event, ToolDelta) else event.text)
    return isinstance(event, BlockStarted) and event.kind in _CONTENT_KINDS


def _too_large(what: str, limit: int) -> Fault:
    return Fault(
        kind=Kind.MALFORMED,
        scope=Scope.PROVIDER,
        status=200,
        code="answer_too_large",
        message=f"{what} is larger than {limit} bytes",
    )


def emptiness(carrier: StreamGlance, *, has_stop: bool) -> bool:
    """Whether an ended answer held nothing although it should have."""
    return is_empty(has_content=carrier.has_content, stop=carrier.stop, has_stop=has_stop)
