"""Several processes in virtual time: a real relay each, one bulletin in memory, the same providers.

Each process reaches a provider under a name of its own, so that the network of one of them can fail
by itself, and with a key of its own, so that the stand-in's log says who asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

from simulation.sim_jobs import PATHS, Got, call
from simulation.sim_line import NetFault
from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_pinned import NotingLog, OrderedSet, keep_order, pinned, play_spells
from simulation.sim_script import Provider
from understudy.config import load
from understudy.mock.board import Attempt, Board
from understudy.mock.http import Connection
from understudy.mock.stand_in import StandIn
from understudy.policy.plans import Target
from understudy.relay.fleet import Fleet
from understudy.relay.probes import QUESTION
from understudy.relay.relay import Relay
from understudy.store.memory_bulletin import Hub, MemoryBulletin

__all__ = ["Process", "Town", "live"]

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Process:
    """One of them. Without a hub it is alone."""

    def __init__(self, town: Town, number: int, *, alone: bool) -> None:
        self.number = number
        self.log = NotingLog()
        self.bulletin: MemoryBulletin | None = None if alone else town.hub.join()
        settings = load(town.config(number), {}, source="fleet")
        self.fleet = Fleet(self.bulletin, town.loop.time)
        self.relay = Relay(settings, town.loop, _TLS, self.log, fleet=self.fleet)
        keep_order(self.relay)
        self.relay.probe()

    @property
    def key(self) -> str:
        """The end of its keys."""
        return f"p{self.number:03}"

    def target(self, provider: str) -> Target:
        """One of its targets."""
        return next(one for one in self.relay.targets() if one.provider == provider)

    def state(self, provider: str) -> str:
        """How the target's breaker stands here."""
        return str(self.relay.board.of_target(self.target(provider)).state)

    def serves(self, provider: str) -> bool:
        """A request may go there."""
        return self.relay.board.rests(self.target(provider), self.relay.now()) is None

    async def ask(self) -> Got:
        """One request for an answer."""
        body = {"model": "f", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
        return await self.call("POST", PATHS["messages"], body)

    async def call(self, method: str, path: str, body: Any = None) -> Got:
        """One request, from its head to the end of its response."""
        return await call(self.relay, method, path, body=body)

    async def end(self) -> None:
        """It says goodbye."""
        await self.fleet.close()
        await self.relay.close()


class Town:
    """Processes and providers; the feature `f` has the providers in order.

    Args:
        network: what goes wrong between them; hosts are named `<provider>-<process>`.
    """

    def __init__(self, *providers: Provider, network: tuple[NetFault, ...] = ()) -> None:
        self.providers = providers
        self.network = network
        self.boards: dict[str, Board] = {}
        self.processes: list[Process] = []
        self.loop: VirtualLoop
        self.hub: Hub
        self._net: Network

    def open(self, loop: VirtualLoop, chance: random.Random) -> None:
        """Let the providers begin."""
        self.loop, self.hub = loop, Hub()
        self._net = Network(loop, random.Random(chance.getrandbits(64)), lambda *_: None)
        self._net.attach()
        for fault in self.network:
            self._net.play(fault)
        for provider in self.providers:
            board = self.boards[provider.name] = Board(pace=provider.pace, keep_bodies=True)
            play_spells(loop, board, provider)

    def begin(self, *, alone: bool = False) -> Process:
        """One more process."""
        number = len(self.processes) + 1
        for provider in self.providers:
            stand_in, connections = StandIn(self.boards[provider.name], time.time), OrderedSet()
            self._net.serve(
                f"{provider.name}-{number}",
                provider.line,
                lambda stand_in=stand_in, connections=connections: Connection(
                    stand_in, connections, asyncio.sleep
                ),
            )
        process = Process(self, number, alone=alone)
        self.processes.append(process)
        return process

    def config(self, number: int) -> str:
        """As a process has it."""
        providers = {}
        for provider in self.providers:
            path = "" if provider.kind == "anthropic" else "/v1"
            providers[provider.name] = {
                "kind": provider.kind,
                "base_url": f"https://{provider.name}-{number}{path}",
                "accounts": {a: {"api_key": f"sk-{a}-p{number:03}"} for a in provider.accounts},
            }
        targets = [f"{provider.name}/{provider.model}" for provider in self.providers]
        feature = {"targets": targets, "first_token": "5s", "deadline": "20s"}
        return json.dumps({"providers": providers, "features": {"f": feature}})

    def traffic(self, process: Process, every: float, until: float) -> asyncio.Task[list[Got]]:
        """Somebody asks a process again and again."""

        async def ask() -> list[Got]:
            got = []
            while self.loop.time() < until:
                await asyncio.sleep(every)
                got.append(await process.ask())
            return got

        return asyncio.create_task(ask())

    def asked(
        self, provider: str, *, probes: bool, start: float = 0.0, end: float = math.inf
    ) -> list[Attempt]:
        """What a provider was asked, by callers or by us."""
        return [
            attempt
            for attempt in self.boards[provider].attempts
            if attempt.method == "POST"
            and start <= attempt.started < end
            and (QUESTION.encode() in (attempt.body or b"")) is probes
        ]


def live(town: Town, script: Callable[[Town], Awaitable[None]], *, seed: int = 1) -> None:
    """Let a town live through a script; nothing of it may be left in error."""
    chance = random.Random(f"fleet {seed}")
    loop = VirtualLoop(random.Random(chance.getrandbits(64)), horizon=48 * 3600.0)

    async def days() -> None:
        town.open(loop, chance)
        try:
            await script(town)
        finally:
            for process in town.processes:
                await process.relay.close()

    with pinned(loop, chance), contextlib.closing(loop):
        loop.run(days())
    assert [f"{c.get('message')}: {c.get('exception')!r}" for c in loop.errors] == []
    assert [fault for process in town.processes for fault in process.log.own] == []
