"""Starts and stops a stand-in."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from collections.abc import Callable
from typing import Self

from understudy.mock.board import Board
from understudy.mock.http import Connection, Sleep
from understudy.mock.pace import Pace
from understudy.mock.stand_in import StandIn

__all__ = ["MockServer", "run", "serve"]


class MockServer:
    """A stand-in that listens. Use as an async context manager, or call `close`."""

    def __init__(
        self, server: asyncio.Server, board: Board, connections: set[Connection], scheme: str
    ) -> None:
        self.board = board
        self._server = server
        self._connections = connections
        self._scheme = scheme
        self._address: tuple[str, int] = server.sockets[0].getsockname()[:2]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Its root, without a slash at the end: Anthropic's base URL. OpenAI's ends in `/v1`."""
        host = self._address[0]
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    pace: Pace | None = None,
    keep_bodies: bool = False,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> MockServer:
    """Listen on `host` and `port` (0: any that is free) until closed.

    `keep_bodies` keeps request bodies in the log, for tests. `clock` tells Unix seconds (dates,
    limits, `created`); `sleep` is what every wait of a script awaits.

    Raises:
        OSError: the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    board = Board(pace=pace, keep_bodies=keep_bodies)
    stand_in = StandIn(board, clock)
    connections: set[Connection] = set()
    server = await loop.create_server(
        lambda: Connection(stand_in, connections, sleep), host, port, ssl=tls, backlog=2048
    )
    return MockServer(server, board, connections, "https" if tls else "http")


async def run(
    host: str, port: int, *, pace: Pace | None = None, on_ready: Callable[[MockServer], None]
) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called once it listens.

    Raises:
        OSError: the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        async with await serve(host, port, pace=pace) as server:
            on_ready(server)
            await stopped.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
