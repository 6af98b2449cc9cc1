"""A caller's connection without a socket: a transport that notes, an application that obeys."""

import asyncio

from understudy.relay.http import Refusal
from understudy.relay.server import CallerProtocol


class Clock:
    """Time as the test says."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        """Let time pass."""
        self.now += seconds
        return self.now


class NotingTransport(asyncio.Transport):
    """Notes what is written and done to it; nothing leaves."""

    def __init__(self):
        super().__init__()
        self.written = bytearray()
        self.ended = False
        self.closed = False
        self.aborted = False
        self.reading = True

    def write(self, data):
        assert not self.ended
        self.written += data

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ended = True

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.closed or self.aborted

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True


class Obliging:
    """Admits every request and answers each at once, unless it is to be held."""

    runtime = object()
    draining = False

    def __init__(self, *, hold=False):
        self.hold = hold
        self.served = []
        self.refused = []

    def admit(self, request):
        """Anybody, for anything."""

    def look_idle(self):
        """Nobody waits for that."""

    def serve(self, request, responder):
        """200 with nothing in it."""
        self.served.append(request)
        if not self.hold:
            responder.respond(200, b"", b"")

    def refuse(self, request, refusal: Refusal):
        """The refusal's code."""
        self.refused.append(refusal)
        return b"", refusal.code.encode()


class Connection:
    """A protocol with its surroundings."""

    def __init__(self, *, hold=False):
        self.clock = Clock()
        self.app = Obliging(hold=hold)
        self.open = set()
        self.transport = NotingTransport()
        self.protocol = CallerProtocol(self.app, self.clock, self.open)
        self.protocol.connection_made(self.transport)

    def feed(self, data):
        """Bytes arrive."""
        self.protocol.data_received(data)
        return self

    async def settle(self):
        """Let what was put off for a turn of the loop happen, however long the pipeline."""
        served = -1
        while served != len(self.app.served):
            served = len(self.app.served)
            await asyncio.sleep(0)

    def drain(self, *, gently=False):
        """The process is to end."""
        self.app.draining = True
        self.protocol.drain(gently=gently)
        return self

    @property
    def statuses(self):
        """Statuses of the responses written so far."""
        lines = bytes(self.transport.written).split(b"\r\n")
        return [int(line[9:12]) for line in lines if line.startswith(b"HTTP/1.1 ")]
