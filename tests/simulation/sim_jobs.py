"""Deferred jobs in virtual time: the real relay and its jobs, stand-ins that fail and recover, and
a store in memory. Who asks does so through the relay's own doors, without a connection.
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

import msgspec

from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_pinned import NotingLog, OrderedSet, keep_order, pinned, play_spells
from simulation.sim_script import Provider
from understudy.config import load
from understudy.core.settings import Settings
from understudy.mock.board import Attempt, Board
from understudy.mock.http import Connection, Exchange, HttpRequest
from understudy.mock.limits import Limit
from understudy.mock.stand_in import StandIn
from understudy.policy.board import Board as Health
from understudy.ports import JobStore
from understudy.relay.fleet import Fleet
from understudy.relay.http import Incoming, Refusal
from understudy.relay.relay import Relay
from understudy.store.memory import MemoryStore

__all__ = ["PATHS", "Got", "House", "call", "play"]

Handler = Callable[[HttpRequest], Exchange]
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PATHS = {"messages": "/v1/messages", "chat_completions": "/v1/chat/completions"}


class Got(msgspec.Struct):
    """A response."""

    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""
    #: When the first content of a stream of messages came, by the loop's clock.
    first_content: float | None = None

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class _Mailbox:
    """Takes a response: see `understudy.relay.http.Responder`."""

    def __init__(self) -> None:
        self.paused = False
        self.got = Got()
        self.done = asyncio.Event()
        self.pieces: list[bytes] = []

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        self.begin(status, headers)
        self.pieces.append(body)
        self.end()

    def begin(self, status: int, headers: bytes) -> None:
        lines = [line.partition(": ") for line in headers.decode().split("\r\n") if line]
        self.got = Got(status, {name: value for name, _, value in lines})

    def send(self, data: bytes) -> None:
        if self.got.first_content is None and b"content_block_delta" in data:
            self.got.first_content = asyncio.get_running_loop().time()
        self.pieces.append(data)

    def end(self) -> None:
        self.got.body = b"".join(self.pieces)
        self.done.set()

    def cut(self) -> None:
        self.done.set()


async def call(
    relay: Relay,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: Any = None,
    *,
    tenant: str | None = None,
) -> Got:
    """One request to a relay, from its head to the end of its response."""
    path, _, query = path.partition("?")
    own = {name: v for name, v in (headers or {}).items() if name.startswith("x-understudy-")}
    if tenant is not None:
        own["x-understudy-tenant"] = tenant
    request = Incoming(
        method=method,
        path=path,
        query=query,
        headers={n: v for n, v in (headers or {}).items() if n not in own},
        own=own,
        body=b"" if body is None else json.dumps(body).encode(),
        caller=None,
        arrived=relay.now(),
    )
    try:
        relay.admit(request)
    except Refusal as refusal:
        return Got(refusal.status, {}, refusal.code.encode())
    mailbox = _Mailbox()
    relay.serve(request, mailbox)
    await mailbox.done.wait()
    return mailbox.got


class House:
    """A relay with jobs, and its providers.

    Args:
        providers: who may serve the feature `f`, in order.
        feature: its other settings.
        tenants: as in the configuration.
        store: where jobs are kept.
    """

    def __init__(
        self,
        *providers: Provider,
        feature: dict[str, Any] | None = None,
        features: dict[str, Any] | None = None,
        tenants: dict[str, Any] | None = None,
        store: JobStore | None = None,
        probes: bool = True,
    ) -> None:
        self.providers = providers
        self.features = features or {"f": feature or {}}
        self.tenants = tenants or {}
        self.store: JobStore = store if store is not None else MemoryStore()
        self.probes = probes
        self.boards: dict[str, Board] = {}
        self.log = NotingLog()
        self.relay: Relay

    def open(self, loop: VirtualLoop, chance: random.Random) -> None:
        """Let everybody begin."""
        network = Network(loop, random.Random(chance.getrandbits(64)), lambda *_: None)
        network.attach()
        for provider in self.providers:
            board = self.boards[provider.name] = self.board(provider)
            handler, connections = self.handler(provider, board), OrderedSet()
            network.serve(
                f"{provider.name}.sim",
                provider.line,
                lambda handler=handler, connections=connections: Connection(
                    handler, connections, asyncio.sleep
                ),
            )
            play_spells(loop, board, provider)
        self.relay = self.begin(loop, self.store)

    def board(self, provider: Provider) -> Board:
        """The board of a provider's stand-in."""
        return Board(pace=provider.pace)

    def handler(self, provider: Provider, board: Board) -> Handler:
        """What answers for a provider."""
        return StandIn(board, time.time)

    def fleet(self, loop: VirtualLoop) -> Fleet | None:
        """The processes that a process is one of; None: it is alone."""
        return None

    def begin(self, loop: VirtualLoop, store: JobStore) -> Relay:
        """A process that serves, with these jobs."""
        relay = Relay(self._settings(), loop, _TLS, self.log, fleet=self.fleet(loop))
        keep_order(relay)
        if self.probes:
            relay.probe()
        relay.keep_jobs(store)
        return relay

    def reload(self, name: str = "f", **feature: Any) -> None:
        """From now on it has this one feature."""
        self.features = {name: feature}
        self.relay.reload(self._settings())

    def _settings(self) -> Settings:
        return load(self._config(), {}, source="jobs")

    def _config(self) -> str:
        providers: dict[str, Any] = {}
        for provider in self.providers:
            path = "" if provider.kind == "anthropic" else "/v1"
            providers[provider.name] = {
                "kind": provider.kind,
                "base_url": f"https://{provider.name}.sim{path}",
                "accounts": {"main": {"api_key": f"sk-of-{provider.name}"}},
                "probes": self.probes,
            }
        targets = [f"{provider.name}/{provider.model}" for provider in self.providers]
        told = {
            # Named for the configuration's sake: this world's store is its own.
            "store": "sqlite:///unused.db",
            "providers": providers,
            "features": {
                name: {"targets": targets, "defer": True, **settings}
                for name, settings in self.features.items()
            },
            "tenants": self.tenants,
        }
        return json.dumps(told)

    # -- asking -------------------------------------------------------------------------------

    async def ask(
        self, prompt: str = "Hello", *, feature: str = "f", tenant: str | None = None, **more: Any
    ) -> Got:
        """Ask for an answer; `headers` and `dialect` are as told, other fields are the body's."""
        headers = {"prefer": "respond-async", **more.pop("headers", {})}
        dialect = more.pop("dialect", "messages")
        body = {
            "model": feature,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": prompt}],
            **more,
        }
        return await self.call("POST", PATHS[dialect], headers, body, tenant=tenant)

    async def call(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: Any = None,
        *,
        tenant: str | None = None,
    ) -> Got:
        """One request, from its head to the end of its response."""
        return await call(self.relay, method, path, headers, body, tenant=tenant)

    async def until_over(self, location: str, *, tenant: str | None = None) -> Got:
        """A job, once it is over."""
        while True:
            got = await self.call("GET", location, tenant=tenant)
            if got.json()["status"] not in {"queued", "running"}:
                return got
            await asyncio.sleep(1.0)

    # -- what happened ------------------------------------------------------------------------

    def limit(self, provider: str, **limits: float) -> None:
        """What a stand-in allows."""
        self.boards[provider].put_limits((Limit(**limits),))

    def asked(self, provider: str, start: float = 0.0, end: float = math.inf) -> list[Attempt]:
        """What a stand-in was asked, probes and lists apart."""
        return [
            attempt
            for attempt in self.boards[provider].attempts
            if attempt.method == "POST" and start <= attempt.started < end
        ]

    @property
    def health(self) -> Health:
        """What the relay knows of its targets."""
        return self.relay.board


def play(house: House, script: Callable[[House], Awaitable[None]], *, seed: int = 1) -> None:
    """Let a house live through a script; nothing of it may be left in error."""
    chance = random.Random(f"jobs {seed}")
    loop = VirtualLoop(random.Random(chance.getrandbits(64)), horizon=30 * 24 * 3600.0)

    async def live() -> None:
        house.open(loop, chance)
        try:
            await script(house)
        finally:
            await house.relay.close()

    with pinned(loop, chance), contextlib.closing(loop):
        loop.run(live())
    errors = [f"{c.get('message')}: {c.get('exception')!r}" for c in loop.errors]
    assert errors == []
    assert house.log.own == []
