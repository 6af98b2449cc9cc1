"""Connections to providers: an HTTP/1.1 client that does one thing, quickly and strictly.

A `Call` sends one prepared request and tells its `Sink` what comes back: a head, data, the end, or
the fault that took their place. Connections are kept alive and reused, last in first out. Redirects
are never followed, proxies of the environment never used, compression never asked for (so nothing
that a provider sends can blow up in memory).

A kept connection may have been closed by the other side while it lay idle. If one fails before a
single byte of the answer, the request goes out once more on a fresh connection (as RFC 9110
§9.2.2 allows where the client knows that the server saw nothing, and as every HTTP client does).
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import httptools

from understudy.core.faults import Fault, Kind, Scope
from understudy.providers.transport import transport_fault
from understudy.relay.http import Origin

__all__ = ["Call", "Pool", "Sink"]

#: Seconds (the official SDKs give a connection 5).
CONNECT_TIMEOUT: Final = 5.0
DNS_TIMEOUT: Final = 3.0
#: An idle connection is closed after this (load balancers commonly close theirs after 60 s).
IDLE_SECONDS: Final = 55.0
IDLE_PER_ORIGIN: Final = 256
#: A response's head at most.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 200
#: After the terminal signal, seconds that a provider may take to end its message, before the
#: connection is dropped rather than kept.
LINGER_SECONDS: Final = 1.0

#: Names as providers write them → in lower case.
_NAMES: Final = {
    spelling: name.decode()
    for name in (
        b"anthropic-organization-id",
        b"cache-control",
        b"connection",
        b"content-length",
        b"content-type",
        b"date",
        b"request-id",
        b"retry-after",
        b"server",
        b"transfer-encoding",
        b"x-request-id",
    )
    for spelling in (name, name.title())
}


class Sink(Protocol):
    """Whoever made a call. Nothing more is told after `on_end` or `on_lost`, or `Call.abandon`."""

    def on_head(self, status: int, headers: Mapping[str, str]) -> None:
        """The final status and the headers, names in lower case; repeated ones joined by commas."""
        ...

    def on_data(self, data: bytes) -> None:
        """Some of the body, as it came, never empty."""
        ...

    def on_end(self) -> None:
        """The message ended in order."""
        ...

    def on_lost(self, fault: Fault) -> None:
        """There is no (more) answer."""
        ...


class _Connection(asyncio.Protocol):
    """One connection to an origin. Idle in the pool, or serving one call."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.lingers_until = 0.0
        self.used = False
        self._pool = pool
        self._call: Call | None = None
        self._transport: asyncio.Transport | None = None
        parser = httptools.HttpResponseParser(self)
        self._feed: Callable[[bytes], None] = parser.feed_data
        self._parser: Any = parser
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        #: The final status; 0 until the final head is whole.
        self._status = 0
        #: Bytes of this message.
        self._seen_bytes = 0
        self._head_told = False
        self._complete = False
        self._keep = False
        #: Bytes came behind the message: the two sides no longer agree where messages end.
        self._overrun = False

    # -- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        call = self._call
        if call is None and not self.lingers_until:
            self.close()  # Bytes that nobody asked for.
            return
        self._seen_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._overrun = True
            if not self._complete:
                self._lose(_malformed(f"not HTTP: {type(error).__name__}"))
                return
        if self._status:
            self._tell(call)
        elif self._seen_bytes > MAX_HEAD_BYTES:
            # The parser tells of a header only when it is whole.
            self._lose(_malformed("the response's head is too large"))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        # The parser holds methods of ours: a cycle that would wait for the garbage collector.
        self._parser = None
        self._feed = _unread
        call, self._call = self._call, None
        if call is None:
            return
        if self._head_told and self._ends_by_close() and exc is None:
            call.sink.on_end()
        elif self.used and not self._seen_bytes:
            self._pool.redial(call)
        else:
            call.sink.on_lost(transport_fault("body" if self._head_told else "head", exc))

    def pause_writing(self) -> None:
        """Requests are sent whole and bounded; the kernel and the transport hold the rest."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    # -- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self._overrun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        self._header_bytes += len(name) + len(value)
        if len(headers) > MAX_HEADERS or self._header_bytes > MAX_HEAD_BYTES:
            raise ValueError("the response's head is too large")
        if self._status:
            return  # A trailer.
        key = _NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._status:
            return
        if status >= 200:
            self._status = status
        else:
            self._headers = {}  # An interim response: the real one is still to come.

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        if self._status and not self._complete:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # -- one call at a time -------------------------------------------------------------------

    def begin(self, call: Call) -> None:
        """Send the call's request."""
        self._reset()
        self._call = call
        call.connection = self
        transport = self._transport
        if transport is None or transport.is_closing():
            self._call = None
            self._pool.redial(call)
            return
        transport.write(call.payload)

    def release(self) -> None:
        """The call needs no more of the answer: keep the connection if its message ends soon."""
        self._call = None
        if not self._complete:
            self.lingers_until = self._pool.now() + LINGER_SECONDS
            if self._transport is not None:
                self._transport.resume_reading()

    def close(self) -> None:
        """Drop the connection, and whatever was under way."""
        self._call = None
        self._pool.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Let the provider wait: the caller does not keep up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _tell(self, call: Call | None) -> None:
        """Pass on what the parser gathered. The sink may let go of the call at any step."""
        if call is not None and not self._head_told:
            self._head_told = True
            call.sink.on_head(self._status, self._headers)
        chunks = self._chunks
        if chunks:
            self._chunks = []
            if call is not None and self._call is call:
                call.sink.on_data(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if self._complete:
            self._finish(call)

    def _finish(self, call: Call | None) -> None:
        """The message is over: back to the pool, if both sides agree that it is."""
        current, self._call = self._call, None
        self.lingers_until = 0.0
        keep = self._keep and not self._overrun
        if keep and self._transport is not None and not self._transport.is_closing():
            self.used = True
            self._pool.keep(self)
        else:
            self.close()
        if call is not None and current is call:
            call.connection = None
            call.sink.on_end()

    def _lose(self, fault: Fault) -> None:
        call = self._call
        self.close()
        if call is not None:
            call.sink.on_lost(fault)

    def _ends_by_close(self) -> bool:
        headers = self._headers
        return "content-length" not in headers and "transfer-encoding" not in headers


class Call:
    """One request under way. `abandon` it at any time; nothing is told afterwards."""

    __slots__ = ("connection", "dial", "origin", "payload", "redialled", "sink")

    def __init__(self, origin: Origin, payload: bytes, sink: Sink) -> None:
        self.origin = origin
        self.payload = payload
        self.sink = sink
        self.connection: _Connection | None = None
        self.dial: asyncio.Task[None] | None = None
        self.redialled = False

    def abandon(self) -> None:
        """Drop the call and its connection at once: a provider stops when its caller is gone."""
        if self.dial is not None:
            self.dial.cancel()
            self.dial = None
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def release(self) -> None:
        """Nothing more is needed, but the connection may be kept if the message ends in order."""
        if self.connection is not None:
            self.connection.release()
            self.connection = None

    def pause(self) -> None:
        """Stop reading from the provider."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.resume()


class Pool:
    """Every connection to every provider.

    Args:
        loop: the running loop; its clock is the pool's.
        tls: the context for TLS origins (certificates are always verified).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext) -> None:
        self._loop = loop
        self._tls = tls
        self._idle: dict[Origin, list[_Connection]] = {}
        self._all: set[_Connection] = set()
        self._dials: set[asyncio.Task[None]] = set()
        #: The last addresses that a name had: better than none when DNS fails.
        self._known: dict[Origin, list[str]] = {}
        self.now = loop.time

    def call(self, origin: Origin, payload: bytes, sink: Sink) -> Call:
        """Send `payload` (a whole HTTP/1.1 request) to `origin`."""
        call = Call(origin, payload, sink)
        idle = self._idle.get(origin)
        if idle:
            idle.pop().begin(call)
        else:
            self._start_dial(call)
        return call

    def redial(self, call: Call) -> None:
        """A kept connection proved dead before it gave a byte: once more, on a fresh one."""
        call.connection = None
        if call.redialled:
            call.sink.on_lost(transport_fault("head", None))
            return
        call.redialled = True
        self._start_dial(call)

    def keep(self, connection: _Connection) -> None:
        """A connection is free again."""
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= IDLE_PER_ORIGIN:
            connection.close()
            return
        connection.idle_since = self.now()
        idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)

    def sweep(self) -> None:
        """Close what has been idle, or has lingered, for too long. Called about once a second."""
        now = self.now()
        for connection in list(self._all):
            if connection.lingers_until and now > connection.lingers_until:
                connection.close()
        for idle in self._idle.values():
            while idle and now - idle[0].idle_since > IDLE_SECONDS:
                idle[0].close()

    async def close(self) -> None:
        """Close everything."""
        for task in list(self._dials):
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for connection in list(self._all):
            connection.close()

    # -- dialling -----------------------------------------------------------------------------

    def _start_dial(self, call: Call) -> None:
        task = self._loop.create_task(self._dial(call))
        call.dial = task
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self, call: Call) -> None:
        stage = "dns"
        try:
            async with asyncio.timeout(DNS_TIMEOUT):
                addresses = await self._resolve(call.origin)
            stage = "connect"
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connection = await self._connect(call.origin, addresses)
        except ssl.SSLError as error:
            call.dial = None
            call.sink.on_lost(transport_fault("tls", error))
            return
        except (OSError, TimeoutError) as error:
            call.dial = None
            call.sink.on_lost(transport_fault(stage, error))
            return
        call.dial = None
        self._all.add(connection)
        connection.begin(call)

    async def _resolve(self, origin: Origin) -> list[str]:
        try:
            ipaddress.ip_address(origin.host)
        except ValueError:
            pass
        else:
            return [origin.host]
        try:
            found = await self._loop.getaddrinfo(origin.host, origin.port, type=1)
        except OSError:
            if origin in self._known:
                return self._known[origin]
            raise
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._known[origin] = addresses
        return addresses

    async def _connect(self, origin: Origin, addresses: list[str]) -> _Connection:
        last: OSError | None = None
        for address in addresses:
            try:
                _, connection = await self._loop.create_connection(
                    lambda: _Connection(self, origin),
                    address,
                    origin.port,
                    ssl=self._tls if origin.tls else None,
                    server_hostname=origin.host if origin.tls else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:
                last = error
            else:
                last = None
                return connection
        try:
            raise last or OSError(f"{origin.host} has no address")
        finally:
            # The error holds this frame, and through it the call: a cycle, were it held here too.
            last = None


def _unread(data: bytes) -> None:
    """A connection that is gone reads nothing."""


def _malformed(message: str) -> Fault:
    return Fault(kind=Kind.MALFORMED, scope=Scope.PROVIDER, code="bad_http", message=message)
