"""Callers: they ask, read what comes (quickly, slowly, or not to the end), and leave.

A client's connection is an asyncio protocol over llhttp's response parser. What it saw of each
request is kept as `Seen`; what that means is for `sim_invariants` to say.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from typing import Any

import httptools
import msgspec

from simulation.sim_answers import Answer, read_stream, read_whole
from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_requests import PATHS, body_of
from simulation.sim_script import Client, Request

__all__ = ["Caller", "Ending", "Seen", "key_of"]

Note = Callable[[str, str], None]

_WHOLE_EVENTS = re.compile(rb".*(?:\n\n|\r\n\r\n)", re.DOTALL)


class Ending:
    """How a request ended for its caller."""

    #: The response came to its end in order.
    WHOLE = "whole"
    #: The connection ended before the response did.
    CUT = "cut"
    #: The caller left.
    LEFT = "left"


class Seen(msgspec.Struct, kw_only=True):
    """What a caller saw of one request. Times are the loop's."""

    request: Request
    client: Client
    sent_at: float
    head_at: float | None = None
    status: int = 0
    headers: dict[str, str] = {}
    #: When bytes of the response came, from its head on.
    times: list[float] = []
    body: bytes = b""
    ended_at: float | None = None
    ending: str = ""
    #: Responses that came to this one request.
    responses: int = 0
    _answer: Answer | None = None

    @property
    def answer(self) -> Answer:
        """The body, read: asked for when it is over."""
        if self._answer is None:
            self._answer = self._read()
        return self._answer

    @property
    def way(self) -> float:
        """What its own line adds at most, in seconds."""
        line = self.client.line
        sent = len(self.body) / line.bandwidth if line.bandwidth else 0.0
        return 2 * (line.latency + line.jitter) + sent

    def _read(self) -> Answer:
        body = self.body
        is_stream = self.headers.get("content-type", "").startswith("text/event-stream")
        if self.ending != Ending.WHOLE:
            # Who leaves may have half an event, or half a body: that says nothing.
            body = b"".join(_WHOLE_EVENTS.findall(body)) if is_stream else b""
        if not body:
            return Answer()
        return (read_stream if is_stream else read_whole)(self.request.dialect, body)

    @property
    def id(self) -> str | None:
        """The relay's id of the request, if the caller has seen one."""
        return self.headers.get("x-request-id")


def key_of(client: str) -> str:
    """A caller's key."""
    return f"caller-key-of-{client}"


class _Link(asyncio.Protocol):
    """One connection of a client's. A client listens to the latest only."""

    def __init__(self, caller: Caller) -> None:
        self._caller: Caller | None = caller
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._caller is not None:
            self._caller.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        caller = self._caller
        if caller is not None:
            self.leave(rude=False)
            caller.lost()

    def leave(self, *, rude: bool) -> None:
        """Close; `rude`: by RST, as when the caller's machine goes."""
        self._caller = None
        if self.transport is None:
            return
        if rude:
            no_linger = struct.pack("ii", 1, 0)
            held = self.transport.get_extra_info("socket")
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.transport.abort()
        self.transport = None


class Caller:
    """One client at work. `done` is called once, when it has nothing more to ask."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        client: Client,
        note: Note,
        done: Callable[[], None],
    ) -> None:
        self.client = client
        self.seen: list[Seen] = []
        self._loop = loop
        self._network = network
        self._note = note
        self._done: Callable[[], None] | None = done
        self._waiting = list(client.requests)
        self._now: Seen | None = None
        self._link: _Link | None = None
        self._parser: Any = None
        self._parts: list[bytes] = []
        self._read = 0
        self._leaving: asyncio.TimerHandle | None = None
        loop.call_at(client.at, self._next)

    # -- asking -------------------------------------------------------------------------------

    def _next(self) -> None:
        """Ask what is to be asked next, over the connection that there is or a new one."""
        if not self._waiting:
            self._finish()
            return
        link = self._link
        if link is None or link.transport.is_closing():
            link = self._link = _Link(self)
            self._network.open(link, "relay", self.client.line)
        request = self._waiting.pop(0)
        self._now = Seen(request=request, client=self.client, sent_at=self._loop.time())
        self.seen.append(self._now)
        self._parser = httptools.HttpResponseParser(self)
        self._parts = []
        self._read = 0
        link.transport.write(self._written(request))
        self._note(self.client.name, f"asks {_told(request)}")
        if request.leave is not None and request.leave.after is not None:
            self._leaving = self._loop.call_later(request.leave.after, self._leave)

    def _written(self, request: Request) -> bytes:
        body = msgspec.json.encode(body_of(request))
        headers = {
            "host": "relay",
            "content-type": "application/json",
            "authorization": f"Bearer {key_of(self.client.name)}",
            "content-length": str(len(body)),
        }
        if request.dialect == "messages":
            headers["anthropic-version"] = "2023-06-01"
        if request.deadline is not None:
            headers["x-understudy-deadline"] = f"{request.deadline * 1000:.0f}ms"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {PATHS[request.dialect]} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def _leave(self) -> None:
        """Go, whatever is still to come."""
        seen = self._now
        if seen is None:
            return
        self._note(self.client.name, f"leaves case-{seen.request.case}")
        rude = seen.request.leave is not None and seen.request.leave.rude
        self._hang_up(rude=rude)
        self._over(Ending.LEFT)

    def _hang_up(self, *, rude: bool = False) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.leave(rude=rude)

    # -- the connection -----------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """Bytes have come."""
        seen = self._now
        if seen is None:
            return
        seen.times.append(self._loop.time())
        self._parser.feed_data(data)
        reading = self.client.reading
        if reading is not None and self._now is not None and self._read >= reading.size:
            self._read = 0
            if self._link is not None:
                self._link.transport.pause_reading()
                self._loop.call_later(reading.seconds, self._link.transport.resume_reading)

    def lost(self) -> None:
        """The connection has ended, and not by us."""
        self._link = None
        if self._now is not None:
            self._over(Ending.CUT)

    # -- httptools ----------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._now is not None:
            self._now.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._now is None:
            return
        self._now.status = self._parser.get_status_code()
        self._now.head_at = self._loop.time()
        self._now.responses += 1

    def on_body(self, body: bytes) -> None:
        if self._now is None:
            return
        self._parts.append(body)
        self._read += len(body)
        leave = self._now.request.leave
        if leave is None or leave.read is None:
            return
        if sum(map(len, self._parts)) >= leave.read:
            self._loop.call_soon(self._leave)

    def on_message_complete(self) -> None:
        if self._now is None:
            return
        if not self._parser.should_keep_alive():
            self._loop.call_soon(self._hang_up)
        self._over(Ending.WHOLE)

    # -- the end ------------------------------------------------------------------------------

    def _over(self, ending: str) -> None:
        """The request has ended for us; on to the next."""
        seen, self._now = self._now, None
        if seen is None:
            return
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        seen.body = b"".join(self._parts)
        self._parts = []
        self._parser = None
        seen.ended_at, seen.ending = self._loop.time(), ending
        self._note(
            self.client.name,
            f"case-{seen.request.case} is {ending}: {seen.status}, {len(seen.body)} bytes",
        )
        wait = self._waiting[0].wait if self._waiting else 0.0
        self._loop.call_later(wait, self._next)

    def _finish(self) -> None:
        self._hang_up()
        done, self._done = self._done, None
        if done is not None:
            done()


def _told(request: Request) -> str:
    how = "stream" if request.stream else "whole"
    told = f"case-{request.case}: {request.dialect}, {how}, {request.flavour}"
    return told if request.deadline is None else f"{told}, within {request.deadline:g} s"
