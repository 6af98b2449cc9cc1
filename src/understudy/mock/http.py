"""HTTP/1.1 connections that can misbehave: reads requests with llhttp, plays scripts.

Answers without waits are written from within the callback that ends their request; a task exists
only while a script waits. A connection that is lost takes its task with it at once.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import httptools
import msgspec

from understudy.mock import wire
from understudy.mock.script import Act, Script, Wait

__all__ = ["MAX_BODY", "Connection", "Exchange", "HttpRequest", "Observer", "Sleep"]

#: https://platform.claude.com/docs/en/api/errors#request-size-limits
MAX_BODY = 32 * 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: SO_LINGER on, for no time at all: closing sends RST (socket(7)).
_NO_LINGER = struct.pack("ii", 1, 0)

Sleep = Callable[[float], Awaitable[None]]


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Header names are in lower case; of equal ones the last counts."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


class Observer(Protocol):
    """Is told what becomes of an answer; times are the event loop's."""

    def hung(self) -> None:
        """It has been left hanging."""
        ...

    def ended(self, at: float) -> None:
        """It is over."""
        ...

    def left(self, at: float) -> None:
        """The client has left before it was over."""
        ...


class Exchange(msgspec.Struct, frozen=True):
    """A script to play, and who wants to know how it went."""

    script: Script
    observer: Observer | None = None


Handler = Callable[[HttpRequest], Exchange]


class Connection(asyncio.Protocol):
    """One client's connection: requests one after another, each answered by its script."""

    def __init__(self, handler: Handler, open_connections: set[Connection], sleep: Sleep) -> None:
        self._handler = handler
        self._open = open_connections
        self._sleep = sleep
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._queue: deque[HttpRequest] = deque()
        self._current: HttpRequest | None = None
        self._observer: Observer | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports do not derive from asyncio.Transport, though they are ones.
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Read on; what is no HTTP gets 400 and the end of the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            self._transport.abort()  # A mistake of ours is not to pass for the client's.
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(
                wire.head(400, (("connection", "close"), ("content-length", "0")))
            )
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is being played, and say so."""
        self._open.discard(self)
        if self._observer is not None:
            observer, self._observer = self._observer, None
            observer.left(self._loop.time())
        if self._task is not None:
            self._task.cancel()
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()

    def pause_writing(self) -> None:
        """The client reads slowly, or a flush is waited for."""
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """There is room again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def abort(self) -> None:
        """Close at once; the server is going away."""
        self._transport.abort()

    # -- the parser's calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = {}
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Say that the body may come, where that was asked."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of the body; beyond the limit it is counted and dropped."""
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, or keep it until those before it are answered."""
        path, _, query = self._url.decode("latin-1").partition("?")
        if self._size > MAX_BODY:
            self._transport.write(
                wire.head(413, (("connection", "close"), ("content-length", "0")))
            )
            self._transport.close()
            return
        request = HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers=self._headers,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive(),
        )
        if self._current is None:
            self._answer(request)
        else:
            self._queue.append(request)

    # -- playing

    def _answer(self, request: HttpRequest) -> None:
        self._current = request
        exchange = self._handler(request)
        self._observer = exchange.observer
        pieces: list[bytes] = []
        for step in exchange.script:
            if isinstance(step, bytes):
                pieces.append(step)
                continue
            self._transport.write(b"".join(pieces))
            self._task = self._loop.create_task(self._play(step, exchange.script))
            return
        self._transport.write(b"".join(pieces))
        self._finished()

    async def _play(self, first: Wait | Act, script: Script) -> None:
        if not await self._perform(first):
            return
        for step in script:
            if isinstance(step, bytes):
                self._transport.write(step)
                if self._writable is not None:
                    await self._writable
            elif not await self._perform(step):
                return
        self._task = None
        self._finished()

    async def _perform(self, step: Wait | Act) -> bool:
        """Do it; False if the script is over with it."""
        if isinstance(step, Wait):
            await self._sleep(step.seconds)
            return True
        await self._flushed()
        match step:
            case Act.HANG:
                await self._hang()
            case Act.HALF_CLOSE:
                if self._transport.can_write_eof():
                    self._transport.write_eof()
                await self._hang()
            case Act.RESET:
                self._ended()
                raw: socket.socket = self._transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                self._transport.abort()
            case Act.CLOSE:
                self._ended()
                self._transport.close()
        return False

    async def _hang(self) -> None:
        if self._observer is not None:
            self._observer.hung()
        await self._loop.create_future()  # Cancelled when the client leaves.

    async def _flushed(self) -> None:
        """Everything written has left for the kernel."""
        self._transport.set_write_buffer_limits(high=0)
        if self._transport.get_write_buffer_size() and self._writable is not None:
            await self._writable
        self._transport.set_write_buffer_limits()

    def _ended(self) -> None:
        if self._observer is not None:
            observer, self._observer = self._observer, None
            observer.ended(self._loop.time())

    def _finished(self) -> None:
        """The script is over and the connection is as it was."""
        self._ended()
        request, self._current = self._current, None
        if request is not None and not request.keep_alive:
            self._transport.close()
        elif self._queue:
            self._answer(self._queue.popleft())
