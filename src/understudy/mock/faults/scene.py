"""What a fault has to work with: the answer that would have been sent, and where to strike it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from understudy.mock import wire
from understudy.mock.dialect import Dialect
from understudy.mock.errors import ErrorSpec
from understudy.mock.pace import Pace
from understudy.mock.reply import Frame, Headers, Reply, Stage, Where, body_frames, strike
from understudy.mock.script import Script, Wait

__all__ = ["Args", "Scene", "unmetered", "written"]


class Args(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set of a fault; None leaves the entry's own value."""

    #: Tokens of content (or frames) before the fault: see `reply.strike`.
    n: int | None = None
    #: A time, in seconds.
    seconds: float | None = None
    #: A size, in bytes.
    size: int | None = None
    #: The value of a `retry-after` header: text as it is, `date` for 30 s from now, `none`.
    retry_after: str | None = None

    def over(self, defaults: Args) -> Args:
        """These, and `defaults` for what is not set."""
        return Args(
            n=defaults.n if self.n is None else self.n,
            seconds=defaults.seconds if self.seconds is None else self.seconds,
            size=defaults.size if self.size is None else self.size,
            retry_after=defaults.retry_after if self.retry_after is None else self.retry_after,
        )


def unmetered(frame: Frame) -> None:
    """Nobody counts."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One answer about to go wrong."""

    reply: Reply
    dialect: Dialect
    where: Where
    args: Args
    pace: Pace
    request_id: str
    #: The model that the request named.
    model: str
    #: Unix seconds.
    now: float
    #: The connection stays open after the answer.
    keep_alive: bool = True
    #: The entry's error in this dialect, where it has one.
    error: ErrorSpec | None = None
    #: Is told of every frame of the answer that is produced, as it is.
    meter: Callable[[Frame], None] = unmetered

    def head(
        self, *, status: int | None = None, add: Headers = (), drop: Iterable[str] = ()
    ) -> bytes:
        """The answer's head; `add` takes the place of headers with those names."""
        return _head(self.reply, self.keep_alive, add, drop)

    def framed(self, data: bytes) -> bytes:
        """`data` as a part of the body."""
        return wire.chunk(data) if self.reply.streamed and data else data

    def sent(self, frame: Frame) -> bytes:
        """A frame of the answer as a part of the body. A whole answer was produced before it."""
        if self.reply.streamed:
            self.meter(frame)
        return self.framed(frame.data)

    def all_sent(self) -> bytes:
        """The whole body, without framing."""
        if self.reply.streamed:
            self.produced()
        return self.reply.body

    def produced(self) -> None:
        """All of the answer has been produced."""
        for frame in self.reply.frames:
            self.meter(frame)

    @property
    def end(self) -> bytes:
        """What ends the body in order."""
        return wire.LAST_CHUNK if self.reply.streamed else b""

    @property
    def struck(self) -> int:
        """How many frames stand before the fault."""
        return strike(self.reply, self.where, self.args.n)

    def body(self, frames: Iterable[Frame], *, started: bool = False) -> Script:
        """`frames` at the answer's pace; `started`: content has been sent before them."""
        for frame in frames:
            if frame.tokens and self.reply.streamed:
                seconds = self.pace.after(frame.tokens)
                if not started:
                    seconds = self.pace.first_token
                    started = True
                if seconds:
                    yield Wait(seconds)
            yield self.sent(frame)

    def before(self) -> Script:
        """Everything that is sent before the fault: nothing at all if it strikes at once."""
        if self.where is Where.BEFORE_HEADERS:
            return
        yield from self.opening()
        yield from self.body(self.reply.frames[: self.struck])

    def opening(self, head: bytes | None = None) -> Script:
        """The head, after the time that a whole answer takes."""
        if not self.reply.streamed:
            seconds = self.pace.first_token + self.pace.after(
                sum(frame.tokens for frame in self.reply.frames)
            )
            if seconds:
                yield Wait(seconds)
            self.produced()
        yield self.head() if head is None else head

    def whole(self, head: bytes | None = None) -> Script:
        """The answer as it should be, under another head perhaps."""
        yield from self.opening(head)
        yield from self.body(self.reply.frames)
        yield self.end

    def with_frames(self, frames: Iterable[Frame]) -> Scene:
        """The same scene with another body."""
        reply = msgspec.structs.replace(self.reply, frames=tuple(frames))
        return msgspec.structs.replace(self, reply=reply)

    def instead(
        self, status: int, body: bytes, content_type: str | None, add: Headers = ()
    ) -> Script:
        """Another response in the place of the answer, with the answer's own headers."""
        told = (("content-type", content_type),) if content_type else ()
        headers = _changed(self.reply.headers, (*told, *add), () if told else ("content-type",))
        other = Reply(status=status, headers=headers, frames=body_frames(body))
        yield from written(other, keep_alive=self.keep_alive)

    def error_event(self) -> bytes:
        """The entry's error as an event of the stream, after the frames before the fault."""
        if self.error is None:
            raise LookupError(f"no such error in {self.dialect.name}")
        return self.dialect.error_event(self.error, self.struck)

    def terminal(self) -> tuple[Frame, ...]:
        """The frames that end the answer in its dialect."""
        return tuple(f for f in self.reply.frames if f.stage is Stage.TERMINAL)


def written(reply: Reply, *, keep_alive: bool) -> Iterator[bytes]:
    """`reply` in one write: the way of an answer that nothing is wrong with."""
    head = _head(reply, keep_alive, (), ())
    if reply.streamed:
        chunks = [wire.chunk(frame.data) for frame in reply.frames]
        yield b"".join([head, *chunks, wire.LAST_CHUNK])
    else:
        yield head + reply.body


def _changed(headers: Headers, add: Headers, drop: Iterable[str]) -> Headers:
    gone = {name for name, _ in add} | set(drop)
    return (*(header for header in headers if header[0] not in gone), *add)


def _head(reply: Reply, keep_alive: bool, add: Headers, drop: Iterable[str]) -> bytes:
    framing: Headers = (
        (("transfer-encoding", "chunked"),)
        if reply.streamed
        else (("content-length", str(len(reply.body))),)
    )
    if not keep_alive:
        framing = (*framing, ("connection", "close"))
    return wire.head(reply.status, _changed((*reply.headers, *framing), add, drop))
