"""One GET beside the path, whole: for what is read, not relayed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from understudy.core.faults import Fault, Kind, Scope
from understudy.relay.http import Origin
from understudy.relay.upstream import Pool

__all__ = ["Fetched", "fetch"]


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A whole response. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def fetch(
    pool: Pool, origin: Origin, request: bytes, *, seconds: float, largest: int
) -> Fetched | Fault:
    """Send `request` (a whole one, without a body) and gather the answer, or say why there is none.

    At most `seconds` are spent on it, connecting included, and `largest` bytes taken.
    """
    sink = _Sink(largest)
    call = pool.call(origin, request, sink)
    try:
        async with asyncio.timeout(seconds):
            return await sink.got
    except TimeoutError:
        return Fault(
            kind=Kind.SLOW,
            scope=Scope.PROVIDER,
            code="timeout",
            message=f"no whole answer within {seconds:g} s",
        )
    finally:
        call.abandon()


class _Sink:
    """Gathers one response: see `understudy.relay.upstream.Sink`."""

    def __init__(self, largest: int) -> None:
        self.got: asyncio.Future[Fetched | Fault] = asyncio.get_running_loop().create_future()
        self._largest = largest
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def on_head(self, status: int, headers: Mapping[str, str]) -> None:
        """See `Sink`."""
        self._status, self._headers = status, headers

    def on_data(self, data: bytes) -> None:
        """See `Sink`."""
        self._size += len(data)
        if self._size <= self._largest:
            self._parts.append(data)
            return
        self._parts.clear()
        message = f"the answer is larger than {self._largest} bytes"
        self._settle(
            Fault(kind=Kind.MALFORMED, scope=Scope.PROVIDER, code="too_large", message=message)
        )

    def on_end(self) -> None:
        """See `Sink`."""
        body = b"".join(self._parts)
        self._settle(Fetched(status=self._status, headers=self._headers, body=body))

    def on_lost(self, fault: Fault) -> None:
        """See `Sink`."""
        self._settle(fault)

    def _settle(self, result: Fetched | Fault) -> None:
        if not self.got.done():
            self.got.set_result(result)
