"""Crowds at providers that allow only so much: open arrivals, the real relay, virtual time.

A world of `sim_world` is about what becomes of each request; this one is about many at once.
Callers come as they please, whatever became of those before them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from simulation.sim_callers import Caller, Seen, key_of
from simulation.sim_line import Line
from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_pinned import NotingLog, OrderedSet, keep_order, pinned, play_spells
from simulation.sim_requests import PATHS, body_of
from simulation.sim_script import Client, Provider, Request
from understudy.config import load
from understudy.core.outcomes import Record
from understudy.mock.board import Attempt, Board
from understudy.mock.capacity import Capacity
from understudy.mock.http import Connection
from understudy.mock.limits import Limit
from understudy.mock.stand_in import StandIn
from understudy.relay.relay import Relay

__all__ = ["Crowd", "Shown", "Traffic", "account_key", "play"]

#: Virtual seconds after the last arrival within which every caller has its answer.
PATIENCE = 300.0
#: Some thousand tokens: limits are told by the thousand.
SAID = "The harbour closed at noon. " * 130
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's streams of one feature, `rate` a second from `start` to `end` (Poisson)."""

    caller: str
    feature: str
    rate: float
    end: float
    start: float = 0.0


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """A world before it begins. `features` are as in the configuration, without their targets: each
    has one of every provider, in their order. A caller is of the tenant of its name.
    """

    seed: int
    providers: tuple[Provider, ...]
    traffic: tuple[Traffic, ...]
    features: dict[str, Any]
    #: Provider → what its stand-in allows, and bears.
    limits: dict[str, tuple[Limit, ...]] = {}
    capacity: dict[str, Capacity] = {}
    #: (when, provider, what happens to its board).
    events: tuple[tuple[float, str, Callable[[Board], None]], ...] = ()
    probes: bool = False


class Shown(msgspec.Struct, kw_only=True):
    """What happened. Times are the loop's."""

    seen: list[tuple[Traffic, Seen]] = []
    asked: dict[str, list[Attempt]] = {}
    records: dict[str, Record] = {}
    errors: list[str] = []

    def of(self, caller: str, start: float = 0.0, end: float = math.inf) -> list[Seen]:
        """What a caller saw of the requests that it sent from `start` to `end`."""
        return [s for t, s in self.seen if t.caller == caller and start <= s.sent_at < end]

    def refusals(self, provider: str, start: float = 0.0, end: float = math.inf) -> list[Attempt]:
        """What a stand-in turned away for its limits or its capacity."""
        return [
            attempt
            for attempt in self.asked[provider]
            if attempt.status in {429, 503, 529}
            and attempt.fault is None
            and start <= attempt.started < end
        ]

    def answered(self, provider: str, start: float = 0.0, end: float = math.inf) -> list[Attempt]:
        """What a stand-in let in."""
        return [a for a in self.asked[provider] if a.status == 200 and start <= a.started < end]


def account_key(provider: str, account: str) -> str:
    """The key of an account."""
    return f"sk-of-{provider}-{account}"


def _config(crowd: Crowd) -> str:
    callers = sorted({traffic.caller for traffic in crowd.traffic})
    providers: dict[str, Any] = {}
    for provider in crowd.providers:
        path = "" if provider.kind == "anthropic" else "/v1"
        providers[provider.name] = {
            "kind": provider.kind,
            "base_url": f"https://{provider.name}.sim{path}",
            "accounts": {
                name: {"api_key": account_key(provider.name, name)} for name in provider.accounts
            },
        }
    targets = [f"{provider.name}/{provider.model}" for provider in crowd.providers]
    features = {name: {"targets": targets, **told} for name, told in crowd.features.items()}
    told = {
        "callers": [{"name": name, "key": key_of(name), "tenant": name} for name in callers],
        "providers": providers,
        "features": features,
    }
    return json.dumps(told)


class _Asker(Caller):
    """A caller that means a feature, and says much before it asks."""

    feature = ""

    def _written(self, request: Request) -> bytes:
        told = {**body_of(request, self.feature), "system": SAID}
        body = msgspec.json.encode(told)
        head = (
            f"POST {PATHS[request.dialect]} HTTP/1.1\r\nhost: relay\r\n"
            f"authorization: Bearer {key_of(self.client.name)}\r\n"
            "anthropic-version: 2023-06-01\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def play(crowd: Crowd) -> Shown:
    """Play it to its end."""
    chance = random.Random(f"crowd {crowd.seed}")
    last = max(traffic.end for traffic in crowd.traffic)
    loop = VirtualLoop(random.Random(chance.getrandbits(64)), last + PATIENCE)
    shown = Shown()
    with pinned(loop, chance), contextlib.closing(loop):
        loop.run(_World(crowd, shown, loop, chance).live())
    shown.errors += [f"{c.get('message')}: {c.get('exception')!r}" for c in loop.errors]
    loop.errors.clear()
    return shown


class _World:
    def __init__(
        self, crowd: Crowd, shown: Shown, loop: VirtualLoop, chance: random.Random
    ) -> None:
        self._crowd, self._shown, self._loop, self._chance = crowd, shown, loop, chance
        self._network = Network(loop, random.Random(chance.getrandbits(64)), lambda *_: None)
        self._network.attach()
        self._boards: dict[str, Board] = {}

    async def live(self) -> None:
        crowd, shown = self._crowd, self._shown
        for provider in crowd.providers:
            self._found(provider)
        log = NotingLog()
        relay = Relay(load(_config(crowd), {}, source="crowd"), self._loop, _TLS, log)
        keep_order(relay)
        if crowd.probes:
            relay.probe()
        self._network.serve("relay", Line(), relay.protocol)
        for when, provider, act in crowd.events:
            self._loop.call_at(when, act, self._boards[provider])
        await self._arrive()
        for name, board in self._boards.items():
            shown.asked[name] = [attempt for attempt in board.attempts if attempt.method == "POST"]
        shown.records = {record.id: record for record in relay.journal.recent(100_000)}
        shown.errors += log.own
        await relay.close()

    def _found(self, provider: Provider) -> None:
        """Let a stand-in listen, with its limits, and fail as its spells say."""
        crowd, name = self._crowd, provider.name
        board = self._boards[name] = Board(pace=provider.pace)
        board.put_limits(crowd.limits.get(name, ()))
        board.put_capacity(crowd.capacity.get(name))
        stand_in, connections = StandIn(board, time.time), OrderedSet()
        self._network.serve(
            f"{name}.sim", provider.line, lambda: Connection(stand_in, connections, asyncio.sleep)
        )
        play_spells(self._loop, board, provider)

    async def _arrive(self) -> None:
        """Everybody comes, and goes with what they got."""
        done = self._loop.create_future()
        arrivals = sorted(self._arrivals(), key=lambda arrival: arrival[0])
        left = len(arrivals)
        askers: list[tuple[Traffic, Caller]] = []

        def one_done() -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set_result(None)

        for case, (at, traffic) in enumerate(arrivals):
            request = Request(case=case, dialect="messages", stream=True)
            client = Client(name=traffic.caller, requests=(request,), at=at)
            asker = _Asker(self._loop, self._network, client, lambda *_: None, one_done)
            asker.feature = traffic.feature
            askers.append((traffic, asker))
        await done
        self._shown.seen += [(traffic, seen) for traffic, asker in askers for seen in asker.seen]

    def _arrivals(self) -> Iterator[tuple[float, Traffic]]:
        for traffic in self._crowd.traffic:
            at = traffic.start
            while (at := at + self._chance.expovariate(traffic.rate)) < traffic.end:
                yield at, traffic
