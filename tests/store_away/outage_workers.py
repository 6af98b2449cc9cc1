"""What each worker knows: asked one by one, over a connection that is its own."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import httpx

from store_away.outage_house import CONSOLE_KEY

__all__ = ["Crew", "Knowledge"]

#: Seconds between two looks at all of them, and until one is given up.
LOOK_EVERY, PATIENCE = 0.02, 60.0
#: Connections that are tried until each worker has one: the kernel deals them out.
MOST_CONNECTIONS = 400
_LEFT_ALONE = frozenset({"open", "half_open"})


@dataclass(frozen=True)
class Knowledge:
    """Of one worker: what it leaves alone, and whom it knows."""

    process: str
    left_alone: frozenset[str]
    processes: int
    leader: str | None
    reachable: bool | None


def _knowledge(health: Any) -> Knowledge:
    fleet = health["fleet"]
    targets = [
        target
        for provider in health["providers"]
        for account in provider["accounts"]
        for target in account["targets"]
    ]
    return Knowledge(
        process=fleet["process"],
        left_alone=frozenset(t["node"] for t in targets if t["health"]["state"] in _LEFT_ALONE),
        processes=fleet["processes"],
        leader=fleet["leader"],
        reachable=fleet["reachable"],
    )


class Crew:
    """A connection to each worker."""

    def __init__(self, web: str) -> None:
        self._web = web
        self._clients: dict[str, httpx.AsyncClient] = {}

    @classmethod
    async def find(cls, web: str, workers: int) -> Self:
        """Open connections until each worker has one.

        Raises:
            RuntimeError: some worker does not answer.
        """
        crew = cls(web)
        for _ in range(MOST_CONNECTIONS):
            await crew._connect()
            if len(crew._clients) == workers:
                return crew
        raise RuntimeError(f"only {len(crew._clients)} of {workers} workers were found")

    async def _connect(self) -> Knowledge:
        """What a worker of the kernel's choice knows; the connection is kept if it is the first."""
        client = httpx.AsyncClient(
            base_url=f"{self._web}/admin/api",
            headers={"authorization": f"Bearer {CONSOLE_KEY}"},
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
            timeout=PATIENCE,
        )
        known = _knowledge((await client.get("/health")).json())
        if known.process in self._clients:
            await client.aclose()
        else:
            self._clients[known.process] = client
        return known

    async def known(self) -> list[Knowledge]:
        """What each of them knows now."""
        return await asyncio.gather(*(self._of(process) for process in list(self._clients)))

    async def _of(self, process: str) -> Knowledge:
        """What one of them knows; a connection that it has closed is made anew.

        Raises:
            RuntimeError: it is not found again.
        """
        known = _knowledge((await self._clients[process].get("/health")).json())
        if known.process == process:
            return known
        await self._clients.pop(process).aclose()
        for _ in range(MOST_CONNECTIONS):
            known = await self._connect()
            if known.process == process:
                return known
        raise RuntimeError(f"{process} is gone")

    async def until(
        self, met: Callable[[list[Knowledge]], bool], patience: float = PATIENCE
    ) -> float | None:
        """When (monotonic) what they know was so; None: not in that time."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if met(await self.known()):
                return time.monotonic()
            await asyncio.sleep(LOOK_EVERY)
        return None

    async def close(self) -> None:
        """Let go of them."""
        for client in self._clients.values():
            await client.aclose()
