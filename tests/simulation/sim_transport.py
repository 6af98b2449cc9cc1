"""Two ends of a connection in memory, as asyncio's transports behave and Linux's TCP below them.

Kept: a write goes out at once as far as the window allows, the rest waits in the transport's buffer
and pauses its protocol; a reader that pauses fills the window and so its sender; FIN and RST come
after the data sent before them; closing with unread data, or writing to an end that is closed,
resets; a paused reader hears of neither FIN nor RST before it reads on, or writes.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from asyncio import transports
from collections import deque
from typing import TYPE_CHECKING, Any

from simulation.sim_line import Hole, Line

if TYPE_CHECKING:
    import random

    from simulation.sim_loop import VirtualLoop

__all__ = ["Transport", "connect"]

#: What asyncio's selector transport reads at most in one go.
READ_AT_MOST = 256 * 1024

_FIN = b""


def _reset_error() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


class FakeSocket:
    """As much of a socket as `get_extra_info("socket")` is used for."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.lingers = True

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """SO_LINGER of no time makes the close a reset; everything else is ignored."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
            on, seconds = struct.unpack("ii", value)
            self.lingers = not (on and seconds == 0)


class _Way:
    """One direction of a connection: from a sender's buffer to a receiver's protocol."""

    __slots__ = (
        "_arrival",
        "_cut",
        "_free",
        "_holes",
        "_line",
        "_loop",
        "_over",
        "_pieces",
        "_rng",
        "_timer",
        "aloft",
        "buffer",
        "receiver",
        "sender",
    )

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, line: Line, holes: tuple[Hole, ...]
    ) -> None:
        self.sender: Transport | None = None
        self.receiver: Transport | None = None
        #: Written, and still with the sender.
        self.buffer = bytearray()
        #: Left the sender, and not read yet.
        self.aloft = 0
        self._loop = loop
        self._rng = rng
        self._line = line
        self._holes = holes
        #: (arrival, data); b"" is FIN, None is RST.
        self._pieces: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        #: When the wire is free again, and when the last piece arrives.
        self._free = 0.0
        self._arrival = 0.0
        self._cut = 0
        self._over = False

    def pump(self) -> None:
        """Send what the window allows of what the sender has written."""
        line, buffer = self._line, self.buffer
        while buffer and self.aloft < line.window:
            room = min(len(buffer), line.window - self.aloft)
            size = line.size_of_next(room, self._cut, self._rng)
            self._cut += 1
            piece = bytes(memoryview(buffer)[:size])
            del buffer[:size]
            self.aloft += size
            self._post(piece)

    def _post(self, piece: bytes | None) -> None:
        line, now = self._line, self._loop.time()
        arrival = now + line.latency
        if line.bandwidth and piece:
            self._free = max(self._free, now) + len(piece) / line.bandwidth
            arrival = self._free + line.latency
        if line.jitter:
            arrival += line.jitter * self._rng.random()
        # TCP keeps the order: nothing overtakes what was sent before it.
        arrival = max(arrival, self._arrival)
        for hole in self._holes:
            arrival = hole.delays(arrival)
        self._arrival = arrival
        self._pieces.append((arrival, piece))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        arrival = self._pieces[0][0]
        if arrival != float("inf"):
            self._timer = self._loop.call_at(arrival, self._arrive)

    def end(self) -> None:
        """FIN, after everything that was written."""
        self._post(_FIN)

    def reset(self) -> None:
        """RST, once. What was not sent is gone; what is on the way may be."""
        if self._over:
            return
        self._over = True
        self.buffer.clear()
        if self._line.rude:
            self._pieces.clear()
        self._post(None)

    def _arrive(self) -> None:
        self._timer = None
        now, receiver = self._loop.time(), self.receiver
        pieces = self._pieces
        data: list[bytes] = []
        ending: bytes | None = b"-"
        while pieces and pieces[0][0] <= now:
            piece = pieces.popleft()[1]
            if not piece:
                ending = piece
            else:
                data.append(piece)
        if pieces:
            self._arm()
        if receiver is not None:
            receiver.meet(data, ending)

    def read(self, size: int) -> None:
        """The receiver has taken `size` bytes: there is room for more."""
        self.aloft -= size
        if self.buffer:
            self.pump()
            if self.sender is not None:
                self.sender.drained()

    def stop(self) -> None:
        """Neither end is interested any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pieces.clear()
        self.buffer.clear()
        self.sender = self.receiver = None


class Transport(transports._FlowControlMixin):
    """One end. See the module's words for what it keeps of the real thing."""

    def __init__(
        self,
        loop: VirtualLoop,
        protocol: asyncio.Protocol,
        ways: tuple[_Way, _Way],
        names: tuple[str, str],
    ) -> None:
        self._socket = FakeSocket()
        super().__init__(
            {
                "socket": self._socket,
                "sockname": (names[0], 0),
                "peername": (names[1], 0),
            },
            loop,
        )
        self._protocol: asyncio.Protocol | None = protocol
        self._out, self._in = ways
        self._out.sender = self
        self._in.receiver = self
        self._unread: deque[bytes] = deque()
        self._reading = True
        self._ended = self._reset = False
        self._eof_written = False
        self._closing = self._dead = False

    # -- asyncio.Transport --------------------------------------------------------------------

    def get_protocol(self) -> asyncio.BaseProtocol | None:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_write_buffer_size(self) -> int:
        return len(self._out.buffer)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._dead or self._closing:
            return
        if self._reset:
            self._fail(_reset_error())
            return
        self._out.buffer += data
        self._out.pump()
        self._maybe_pause_protocol()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if self._closing or self._eof_written:
            return
        self._eof_written = True
        if not self._out.buffer:
            self._out.end()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if self._closing or self._reading:
            return
        self._reading = True
        if self._unread or self._ended or self._reset:
            self._loop.call_soon(self._read)

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if not self._out.buffer:
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self._fail(None)

    # -- from the way -------------------------------------------------------------------------

    def meet(self, data: list[bytes], ending: bytes | None) -> None:
        """Bytes have arrived, or (b"": FIN, None: RST) the last of them has."""
        if self._dead:
            if data:
                self._out.reset()  # Nobody is there to read it.
            return
        self._unread.extend(data)
        if ending is None:
            self._reset = True
            if self._out.buffer:
                self._fail(_reset_error())
                return
        elif not ending:
            self._ended = True
        self._read()

    def drained(self) -> None:
        """Some of the buffer has left."""
        if self._dead:
            return
        self._maybe_resume_protocol()
        if self._out.buffer:
            return
        if self._closing:
            self._loop.call_soon(self._lose, None)
        elif self._eof_written:
            self._out.end()

    # -- the reader ---------------------------------------------------------------------------

    def _read(self) -> None:
        unread = self._unread
        while unread and self._reading and not self._closing:
            data = unread.popleft()
            if unread and len(data) < READ_AT_MOST:
                data = b"".join((data, *unread))
                unread.clear()
            if len(data) > READ_AT_MOST:
                unread.appendleft(data[READ_AT_MOST:])
                data = data[:READ_AT_MOST]
            self._give(data)
        if unread or not self._reading or self._closing:
            return
        if self._reset:
            self._fail(_reset_error())
        elif self._ended:
            self._ended = False
            if self._protocol is not None and not self._protocol.eof_received():
                self.close()

    def _give(self, data: bytes) -> None:
        if self._protocol is None:
            return
        try:
            self._protocol.data_received(data)
        except Exception as error:  # noqa: BLE001 - asyncio's transports do the same
            self._loop.call_exception_handler(
                {
                    "message": "protocol.data_received() failed",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            self._fail(error)
        self._in.read(len(data))

    # -- the end ------------------------------------------------------------------------------

    def _fail(self, error: Exception | None) -> None:
        """Drop what is still to be written; tell the protocol soon."""
        if self._dead:
            return
        self._closing = True
        self._out.buffer.clear()
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if self._dead:
            return
        self._dead = self._closing = True
        protocol, self._protocol = self._protocol, None
        rude = bool(self._unread) or not self._socket.lingers
        self._unread.clear()
        out, back = self._out, self._in
        if not self._reset:
            if rude:
                out.reset()
            elif not self._eof_written:
                out.end()
        out.sender = None
        other = out.receiver
        if other is None or other._dead:
            out.stop()
            back.stop()
        if protocol is not None:
            protocol.connection_lost(error)

    def strike(self, *, reset: bool) -> None:
        """Something on the way ends the connection for this end."""
        if not self._dead and not self._reset and not self._ended:
            self.meet([], None if reset else _FIN)


def connect(
    loop: VirtualLoop,
    rng: random.Random,
    protocols: tuple[asyncio.Protocol, asyncio.Protocol],
    names: tuple[str, str],
    lines: tuple[Line, tuple[Hole, ...]],
) -> tuple[Transport, Transport]:
    """A connection between two protocols: (the client's end, the server's). Both are told."""
    line, holes = lines
    there, back = _Way(loop, rng, line, holes), _Way(loop, rng, line, holes)
    client = Transport(loop, protocols[0], (there, back), names)
    server = Transport(loop, protocols[1], (back, there), (names[1], names[0]))
    protocols[1].connection_made(server)
    protocols[0].connection_made(client)
    return client, server
