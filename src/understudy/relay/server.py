"""Callers' connections: HTTP/1.1 read strictly, one request after the other.

llhttp (through httptools) does the grammar and refuses what smuggling is made of: both lengths,
repeated lengths, folded headers, bare line feeds, odd transfer codings. What it leaves open is
closed here: one `Host`, `chunked` and nothing else, no body coding, bounded heads, bodies and
patience.

The order of things: size of the head → who calls (the key) → what for (the path) → size of the
body → the body. Nothing of a request is looked at before its key is known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import httptools

from understudy.relay.familiar import FamiliarHead
from understudy.relay.framing import (
    KNOWN_HEADERS,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_TARGET_BYTES,
    OWN_PREFIX,
    add_header,
    check_framing,
    check_length,
    head_too_large,
    reason,
    too_large,
)
from understudy.relay.http import STATUS_LINES, Incoming, Refusal, Responder, status_line

__all__ = ["Application", "CallerProtocol", "Running"]

#: Seconds: for a head, between two pieces of a body, for a whole body, between two requests.
HEAD_SECONDS: Final = 10.0
BODY_PAUSE_SECONDS: Final = 20.0
BODY_SECONDS: Final = 120.0
KEEP_ALIVE_SECONDS: Final = 75.0
#: For a last request of a caller that may have sent it before it could hear that this process takes
#: no more: HTTP/1.1 has no word for that (RFC 9112 §9.5). As long as clients usually keep an idle
#: connection for themselves (httpx: 5 s).
LINGER_SECONDS: Final = 5.0
#: A refused request's body is read and thrown away for so long, so that the caller sees the answer.
DISCARD_SECONDS: Final = 5.0
#: Requests that wait behind the one being served, and their bodies' bytes, before reading stops.
PIPELINE_REQUESTS: Final = 64
PIPELINE_BYTES: Final = 256 * 1024


class Running(Protocol):
    """A request being served."""

    def gone(self) -> None:
        """The caller has left."""
        ...

    def pause(self) -> None:
        """The caller does not keep up with what is sent."""
        ...

    def resume(self) -> None:
        """The caller keeps up again."""
        ...


class Application(Protocol):
    """What serves requests: see `understudy.relay.relay.Relay`."""

    #: Each connection's next response is its last.
    draining: bool

    @property
    def runtime(self) -> object:
        """The settings in force: another object after a reload."""
        ...

    def look_idle(self) -> None:
        """A connection has ended: perhaps it was the last."""
        ...

    def admit(self, request: Incoming) -> None:
        """Key and path, before the body. Raises Refusal."""
        ...

    def serve(self, request: Incoming, responder: Responder) -> Running | None:
        """Serve a whole request; None if it is answered already."""
        ...

    def refuse(self, request: Incoming, refusal: Refusal) -> tuple[bytes, bytes]:
        """(header lines, body) that tell a refusal in the caller's dialect."""
        ...


class CallerProtocol(asyncio.Protocol):
    """One caller's connection.

    Args:
        app: serves the requests.
        clock: the loop's.
        connections: the server's set of open connections.
    """

    def __init__(
        self, app: Application, clock: Callable[[], float], connections: set[CallerProtocol]
    ) -> None:
        self.paused = False
        self._app = app
        self._clock = clock
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: deque[Incoming] = deque()
        self._waiting_bytes = 0
        self._reading_stopped = False
        self._running: Running | None = None
        self._serving: Incoming | None = None
        self._last_read = clock()
        self._read_size = 0
        self._closing = False
        #: It is closed as soon as nothing waits.
        self._ending = False
        self._refusal: Refusal | None = None
        #: A refusal that waits until the requests before it are answered.
        self._last: Refusal | None = None
        self._discard_until = 0.0
        self._chunked = True
        self._familiar: FamiliarHead | None = None
        self._reset()

    def _reset(self) -> None:
        """Ready for the next request's first byte."""
        self._target = b""
        self._headers: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._header_bytes = 0
        self._header_count = 0
        self._hosts = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._unseen = 0
        self._began = 0.0
        self._request: Incoming | None = None

    # -- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        # It holds methods of ours: a cycle that would wait for the garbage collector.
        self._parser = None
        self._waiting.clear()
        running, self._running = self._running, None
        if running is not None:
            running.gone()
        self._app.look_idle()

    def eof_received(self) -> bool:
        # A caller that closes its side has left (nginx reads it so too, as 499).
        return False

    def data_received(self, data: bytes) -> None:
        if self._discard_until or self._closing or self._last is not None:
            return
        now = self._last_read = self._clock()
        fresh = self._serving is None and not self._began and not self._waiting
        if fresh and self._familiar is not None:
            request = self._familiar.recognise(data, now, self._app.runtime)
            if request is not None:
                self._serve(request)
                return
        self._read_size = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(Refusal(400, "upgrade_not_supported", "Upgrade is not supported here."))
        except httptools.HttpParserError as error:
            refusal = self._refusal or Refusal(
                400, "bad_http", f"The request is not valid HTTP/1.1: {reason(error)}."
            )
            self._refuse(refusal)
        else:
            if self._began:
                self._weigh(len(data))
        if self._serving is None and self._waiting:
            request = self._waiting[0]
            if fresh and len(self._waiting) == 1 and not self._began:
                self._familiar = FamiliarHead.learn(data, request, self._app.runtime)
            self._next()

    def _weigh(self, size: int) -> None:
        """Refuse what grows without end where the parser shows nothing yet: it tells of a header,
        or of a trailer, only when it is whole. A chunk's own bytes are allowed for.
        """
        self._unseen += size
        seen = self._header_bytes + 8 * self._body_bytes
        if self._unseen - seen > MAX_HEAD_BYTES + MAX_TARGET_BYTES and self._refusal is None:
            self._refuse(head_too_large())

    def pause_writing(self) -> None:
        self.paused = True
        if self._running is not None:
            self._running.pause()

    def resume_writing(self) -> None:
        self.paused = False
        if self._running is not None:
            self._running.resume()

    # -- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._reset()
        self._began = self._last_read
        # What else was in the read that it begins in is not its own.
        self._unseen = -self._read_size

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > MAX_TARGET_BYTES:
            self._stop(Refusal(414, "uri_too_long", "The request's path is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._header_bytes > MAX_HEAD_BYTES:
            self._stop(head_too_large())
        if self._request is not None:
            return  # a trailer
        lower = name.lower()
        known = KNOWN_HEADERS.get(lower)
        if known is not None:
            add_header(self._headers, known, value)
        elif lower == b"host":
            self._hosts += 1
        elif lower.startswith(OWN_PREFIX):
            add_header(self._own, lower.decode("latin-1"), value)

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        target = self._target.decode("latin-1")
        path, _, query = target.partition("?")
        request = self._request = Incoming(
            method=parser.get_method().decode(),
            path=path,
            query=query,
            headers=headers,
            own=self._own,
            body=b"",
            caller=None,
            arrived=self._last_read,
            chunks=parser.get_http_version() == "1.1",
        )
        try:
            check_framing(request, self._hosts, parser.get_http_version())
            self._app.admit(request)
            check_length(headers)
        except Refusal as refusal:
            self._stop(refusal)
        if "expect" in headers:
            self._answer_expectation(headers["expect"])

    def _answer_expectation(self, expectation: str) -> None:
        free = self._serving is None and not self._waiting
        if expectation.lower() == "100-continue" and free and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._stop(too_large())
        self._body.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        if request is None:
            raise RuntimeError("a message without a head")
        body = self._body
        request.body = body[0] if len(body) == 1 else b"".join(body)
        # The caller's time runs from when its request was whole, however long it took to send.
        request.arrived = self._last_read
        request.keep_alive = self._parser.should_keep_alive()
        self._began = 0.0
        self._request = None
        self._body = []
        self._waiting.append(request)
        self._waiting_bytes += len(request.body)
        if self._serving is not None and (
            self._waiting_bytes > PIPELINE_BYTES or len(self._waiting) > PIPELINE_REQUESTS
        ):
            self._stop_reading()

    # -- one request after the other ----------------------------------------------------------

    def _next(self) -> None:
        """Serve the request that waits first."""
        request = self._waiting.popleft()
        self._waiting_bytes -= len(request.body)
        self._serve(request)

    def _serve(self, request: Incoming) -> None:
        self._serving = request
        self._running = None
        running = self._app.serve(request, self)
        if self._serving is request:
            self._running = running

    def _served(self) -> None:
        """The response is out."""
        request, self._serving = self._serving, None
        self._running = None
        transport = self._transport
        if transport is None:
            return
        if (
            self._closing
            or (request is not None and not request.keep_alive)
            or (self._ending and not self._waiting and not self._began)
        ):
            self._closing = True
            transport.close()
            return
        self._last_read = self._clock()
        if self._reading_stopped:
            self._reading_stopped = False
            self._waiting_bytes = 0
            transport.resume_reading()
        if self._waiting:
            # Not at once: a long pipeline of quick answers must not nest.
            asyncio.get_running_loop().call_soon(self._continue)
        elif self._last is not None:
            self._refuse(self._last)

    def _continue(self) -> None:
        if self._serving is None and self._waiting and self._transport is not None:
            self._next()

    def _stop_reading(self) -> None:
        if self._transport is not None and not self._reading_stopped:
            self._reading_stopped = True
            self._transport.pause_reading()

    def _stop(self, refusal: Refusal) -> None:
        """Leave the parser, which is the caller of the caller: the refusal is told outside."""
        self._refusal = refusal
        raise refusal

    def _refuse(self, refusal: Refusal) -> None:
        """Answer now, without the rest of the request, and close."""
        transport = self._transport
        if transport is None:
            return
        if self._serving is not None or self._waiting:
            # Answers keep the order of their requests (RFC 9112 §9.3.2).
            self._last = refusal
            return
        request = self._request or Incoming(
            method="GET",
            path=self._target.decode("latin-1"),
            query="",
            headers={},
            own={},
            body=b"",
            caller=None,
            arrived=self._last_read,
        )
        headers, body = self._app.refuse(request, refusal)
        request.keep_alive = False
        self._serving = request
        self._discard_until = self._clock() + DISCARD_SECONDS
        self._write_whole(refusal.status, headers, body)
        self._serving = None
        transport.write_eof() if transport.can_write_eof() else transport.close()

    # -- Responder ----------------------------------------------------------------------------

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        self._write_whole(status, headers, body)
        self._served()

    def _write_whole(self, status: int, headers: bytes, body: bytes) -> None:
        transport, request = self._transport, self._serving
        if transport is None or request is None:
            return
        closing = self._is_last(request)
        length = len(body)
        if request.method == "HEAD":
            body = b""
        transport.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                STATUS_LINES.get(status) or status_line(status),
                headers,
                length,
                b"connection: close\r\n" if closing else b"",
                body,
            )
        )

    def _is_last(self, request: Incoming) -> bool:
        """Whether the response that begins now is the connection's last, which it says then."""
        if self._app.draining and not self._waiting:
            request.keep_alive = False
        return self._closing or not request.keep_alive

    def begin(self, status: int, headers: bytes) -> None:
        transport, request = self._transport, self._serving
        if transport is None or request is None:
            return
        # HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
        self._chunked = request.chunks
        if not request.chunks:
            request.keep_alive = False
        closing = self._is_last(request)
        transport.write(
            b"%b%b%b%b\r\n"
            % (
                status_line(status),
                headers,
                b"transfer-encoding: chunked\r\n" if self._chunked else b"",
                b"connection: close\r\n" if closing else b"",
            )
        )

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is not None:
            transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        if self._transport is not None and self._chunked:
            self._transport.write(b"0\r\n\r\n")
        self._served()

    def cut(self) -> None:
        self._serving = None
        self._running = None
        if self._transport is not None:
            self._closing = True
            self._transport.close()

    # -- the server's hand --------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Give up on callers that are silent in the middle of a request. About once a second."""
        transport = self._transport
        if transport is None or self._serving is not None:
            return
        if self._discard_until:
            if now > self._discard_until:
                transport.abort()
        elif self._began:
            in_head = self._request is None
            limit = HEAD_SECONDS if in_head else BODY_SECONDS
            pause = HEAD_SECONDS if in_head else BODY_PAUSE_SECONDS
            if now - self._began > limit or now - self._last_read > pause:
                self._refuse(Refusal(408, "request_timeout", "The request did not arrive in time."))
        elif now - self._last_read > (LINGER_SECONDS if self._app.draining else KEEP_ALIVE_SECONDS):
            if transport.is_closing():
                transport.abort()  # It will not read what is still to be sent.
            else:
                self._last_read = now
                transport.close()

    def drain(self, *, gently: bool = False) -> None:
        """No further request but what has begun to arrive. `gently`: one more, if it comes soon."""
        idle = self._serving is None and not self._began and not self._waiting
        if gently:
            if idle and not self._discard_until:
                self._last_read = self._clock()
            return
        self._ending = True
        if idle and not self._discard_until and self._transport is not None:
            self._closing = True
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()
