"""How one attempt's answer is carried to the caller: as it is, or translated; streamed, or whole.

Every carrier is a `StreamGlance`: it is fed the bytes of a successful (2xx) response and shows the
same few things, so that the exchange need not know which one it holds. What `feed` returns is ready
for the caller. A stream that keeps its dialect is carried by that dialect's own glance.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from understudy.core.conversation import Answer, Request, Stop, ToolUse, Usage
from understudy.core.events import (
    BlockStarted,
    Ended,
    Event,
    Failed,
    Finished,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, FaultError, Kind, Scope
from understudy.dialects.base import Dialect, ReadError, StreamGlance, is_empty

__all__ = [
    "MAX_ANSWER_BYTES",
    "PassedWhole",
    "TranslatedStream",
    "TranslatedWhole",
    "emptiness",
]

#: A whole answer at most: several times the largest output of any model.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
_CONTENT = (TextDelta, ThinkingDelta, ToolDelta, RefusalDelta)


class TranslatedStream:
    """A stream of another dialect, event by event."""

    __slots__ = (
        "_now",
        "_parser",
        "_writer",
        "ended",
        "fault",
        "has_content",
        "stop",
        "tail",
        "usage",
    )

    def __init__(
        self, caller: Dialect, provider: Dialect, request: Request, read_error: ReadError, now: int
    ) -> None:
        self.has_content = False
        self.ended = False
        self.fault: Fault | None = None
        self.stop: Stop | None = None
        self.usage: Usage | None = None
        self.tail = b""
        self._now = now
        self._parser = provider.stream_parser(read_error)
        self._writer = caller.stream_writer(request)

    def feed(self, data: bytes) -> bytes:
        """See `StreamGlance.feed`."""
        return self._writer.write(self._look(self._parser.feed(data)))

    def finish(self) -> Fault | None:
        """See `StreamGlance.finish`."""
        self.tail = self._writer.write(self._look(self._parser.finish()))
        return self.fault

    def _look(self, events: list[Event]) -> list[Event]:
        for index, event in enumerate(events):
            if isinstance(event, _CONTENT):
                # `ToolDelta` and the like carry something; an empty text is no content.
                self.has_content = self.has_content or bool(
                    event.json if isinstance(event, ToolDelta) else event.text
                )
            elif isinstance(event, BlockStarted):
                self.has_content = self.has_content or event.kind in {
                    "tool_use",
                    "redacted_thinking",
                }
            elif isinstance(event, Started):
                self.usage = event.usage
                if not event.created:
                    events[index] = Started(
                        id=event.id, model=event.model, usage=event.usage, created=self._now
                    )
            elif isinstance(event, UsageSeen):
                self.usage = event.usage
            elif isinstance(event, Finished):
                self.stop = event.stop
            elif isinstance(event, Ended):
                self.ended = True
            elif isinstance(event, Failed):
                self.fault = event.fault
                return events[:index]
        return events


class _Whole:
    """Gathers a whole answer; nothing of it goes on before all of it is there and sound."""

    __slots__ = ("_parts", "_size", "ended", "fault", "has_content", "stop", "tail", "usage")

    def __init__(self) -> None:
        self.has_content = False
        self.ended = False
        self.fault: Fault | None = None
        self.stop: Stop | None = None
        self.usage: Usage | None = None
        self.tail = b""
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Keep it. Always returns nothing."""
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self.fault = Fault(
                kind=Kind.MALFORMED,
                scope=Scope.PROVIDER,
                status=200,
                code="answer_too_large",
                message=f"the answer is larger than {MAX_ANSWER_BYTES} bytes",
            )
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


def emptiness(carrier: StreamGlance, *, has_stop: bool) -> bool:
    """Whether an ended answer held nothing although it should have."""
    return is_empty(has_content=carrier.has_content, stop=carrier.stop, has_stop=has_stop)
