"""The workers of one machine, who are asked together for what each knows of itself.

Each has a door, a socket of this machine alone. Who comes in is told the metrics of the worker
behind it, and nothing else. So nothing is written or sent unless somebody asks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from understudy.relay.http import Incoming, Refusal, Responder
from understudy.services.expositions import labelled, merged
from understudy.services.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Siblings"]

#: A worker that does not answer by then is left out.
ASK_SECONDS: Final = 2.0
#: What stands in SO_PEERCRED: process, user, group (unix(7)).
_CREDENTIALS: Final = struct.Struct("iII")
_READ_BYTES: Final = 1 << 18


class Siblings:
    """This worker among the others.

    Args:
        relay: this worker's.
        slot: which one it is.
        doors: where each of them answers, by slot: abstract addresses without their NUL.
    """

    def __init__(self, relay: Relay, slot: int, doors: Sequence[str]) -> None:
        self._relay = relay
        self.slot = slot
        self._doors = doors
        self._server: asyncio.Server | None = None

    async def open(self, door: socket.socket) -> None:
        """Answer those who come to this worker's door."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Teller(self._own), sock=door)

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    def tell_metrics(self, request: Incoming, responder: Responder) -> Telling:
        """Answer a request for the metrics of all of them."""
        return Telling(self._relay, self._metrics, request, responder)

    async def _metrics(self) -> bytes:
        others = [number for number in range(len(self._doors)) if number != self.slot]
        told = await asyncio.gather(*(self._ask(number) for number in others))
        up = dict(zip(others, map(bool, told), strict=True))
        up[self.slot] = True
        return merged([_up(up), self._own(), *told])

    def _own(self) -> bytes:
        return labelled(self._relay.metrics.expose(), self.slot)

    async def _ask(self, number: int) -> bytes:
        """What one of the others says; nothing if it does not answer."""
        loop = asyncio.get_running_loop()
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(ASK_SECONDS):
                with socket.socket(socket.AF_UNIX) as asking:
                    asking.setblocking(False)
                    await loop.sock_connect(asking, f"\0{self._doors[number]}")
                    while piece := await loop.sock_recv(asking, _READ_BYTES):
                        pieces.append(piece)
        except (OSError, TimeoutError):
            return b""
        return b"".join(pieces)


class Telling:
    """A request that is answered when all have been asked: `understudy.relay.server.Running`."""

    def __init__(
        self,
        relay: Relay,
        metrics: Callable[[], Awaitable[bytes]],
        request: Incoming,
        responder: Responder,
    ) -> None:
        self._relay = relay
        self._metrics = metrics
        self._request = request
        self._responder = responder
        self._task = asyncio.create_task(self._run(), name="metrics of all workers")

    async def _run(self) -> None:
        try:
            body = await self._metrics()
        except Exception as error:  # noqa: BLE001 - a task's edge
            self._relay.log.own_fault("", self._request.path, error)
            refusal = Refusal(503, "internal", "Something went wrong on our side.")
            self._relay.turn_away(self._request, refusal, self._responder)
        else:
            head = self._relay.plain_head(f"content-type: {CONTENT_TYPE}\r\n")
            self._responder.respond(200, head, body)

    def gone(self) -> None:
        """The caller has left."""
        self._task.cancel()

    def pause(self) -> None:
        """The caller does not keep up: the answer waits in the kernel and in memory."""

    def resume(self) -> None:
        """It keeps up again."""


class _Teller(asyncio.Protocol):
    """Tells one who came to the door, and closes it."""

    def __init__(self, tell: Callable[[], bytes]) -> None:
        self._tell = tell

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        caller = transport.get_extra_info("socket")
        told = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(told)
        # An abstract address has no permissions of its own.
        if user == os.geteuid():
            transport.write(self._tell())
        transport.close()


def _up(workers: dict[int, bool]) -> bytes:
    lines = [
        "# HELP understudy_worker_up 1 if a worker tells its metrics.",
        "# TYPE understudy_worker_up gauge",
        *(f'understudy_worker_up{{worker="{n}"}} {float(up)}' for n, up in sorted(workers.items())),
        "",
    ]
    return "\n".join(lines).encode()
