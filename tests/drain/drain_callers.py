"""Callers of the real process: plain connections, so that they cost next to nothing themselves."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import msgspec

__all__ = ["Callers", "Got"]

_CONTENT = b"content_block_delta"


class Got(msgspec.Struct):
    """A response, and when its first content was there, in Unix seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    first: float | None

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Callers:
    """Connections to one listener, made as they are needed and kept.

    Args:
        url: of the listener.
    """

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> Got:
        """One request, to the end of its response."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: relay\r\nanthropic-version: 2023-06-01\r\n"
            f"content-type: application/json\r\n{lines}content-length: {len(data)}\r\n\r\n"
        )
        reader, writer = await self._connection()
        try:
            writer.write(head.encode() + data)
            got = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if got.headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return got

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            # It has been idle for too long.
            writer.close()
        return await asyncio.open_connection(self._host, self._port, limit=2**24)

    def close(self) -> None:
        """Let the connections go."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _read(reader: asyncio.StreamReader) -> Got:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines[1:] if line]
    headers = {name.lower(): value for name, _, value in pairs}
    got = Got(int(lines[0].split()[1]), headers, b"", None)
    if got.status == 204:
        return got
    if "content-length" in headers:
        got.body = await reader.readexactly(int(headers["content-length"]))
        return got
    pieces: list[bytes] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        piece = (await reader.readexactly(size + 2))[:-2]
        if got.first is None and _CONTENT in piece:
            got.first = time.time()
        pieces.append(piece)
    await reader.readexactly(2)
    got.body = b"".join(pieces)
    return got
