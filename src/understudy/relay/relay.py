"""The relay: one process' data path, from its listener to its providers.

It owns what requests share (connections to providers, health, budgets, the journal, metrics), knows
the paths that callers may ask for, and keeps time: one coarse timer looks at every request that is
under way, so that no request needs a timer of its own.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from math import inf

from understudy.core.settings import Settings
from understudy.policy.attribute import explain
from understudy.policy.board import Board
from understudy.policy.budget import HedgeBudget, RetryBudget
from understudy.policy.causes import Cause, Testimony
from understudy.policy.decisions import Surroundings
from understudy.policy.evidence import Evidence
from understudy.policy.gates import Gates
from understudy.policy.latency import Latencies
from understudy.policy.probing import Always, Probing
from understudy.policy.pulls import Pulls
from understudy.policy.quality import Quality
from understudy.policy.targets import Target
from understudy.ports import JobStore
from understudy.relay.desk import METRICS, Desk, error_dialect
from understudy.relay.errors import error_headers, own_error
from understudy.relay.exchange import Exchange
from understudy.relay.fleet import Fleet, Hand, Records, Tidings
from understudy.relay.http import Incoming, Refusal, Responder
from understudy.relay.intake import Intake
from understudy.relay.jobs import Jobs
from understudy.relay.limiter import Limiter
from understudy.relay.model_lists import keep_read
from understudy.relay.order import Order
from understudy.relay.probes import Prober
from understudy.relay.runtime import Runtime
from understudy.relay.samples import Samples
from understudy.relay.server import CallerProtocol, Running
from understudy.relay.siblings import Siblings
from understudy.relay.status_pages import PageReader
from understudy.relay.upstream import Pool
from understudy.services.journal import Journal
from understudy.services.logs import Log
from understudy.services.metrics import Metrics
from understudy.services.page_metrics import PageMetrics
from understudy.services.quality_metrics import QualityMetrics
from understudy.services.witnesses import Witnesses

__all__ = ["OPERATIONS", "Relay"]

#: Path → operation.
OPERATIONS = {
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/chat/completions": "chat_completions",
    "/v1/responses": "responses",
}
#: Paths of the contract that are not built yet, refused by name.
NOT_YET = {
    "/v1/responses": "Stored responses are",
}
#: Seconds between two looks at the requests under way, and between two sweeps.
TICK_SECONDS = 0.05
SWEEP_SECONDS = 1.0


class Relay:
    """Serves callers. See `understudy.relay.server.Application` for what a connection asks of it.

    Args:
        settings: what to serve.
        loop: the running loop.
        tls: the context for providers.
        log: where noteworthy things are told.
        pulls: what an operator has taken out of use, to begin with.
        fleet: the processes that serve together; None: this one is alone.
    """

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        tls: ssl.SSLContext,
        log: Log,
        pulls: Pulls | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        self.fleet = fleet if fleet is not None else Fleet()
        self.runtime = Runtime(settings)
        self.now: Callable[[], float] = loop.time
        # Jitter and ids: unpredictable enough, and quick; nothing secret is drawn from it.
        chance = random.Random(secrets.randbits(128))  # noqa: S311 - as said
        self.draw: Callable[[], float] = chance.random
        #: Unix seconds minus the loop's clock; followed by `_sweep`, because calendars are set.
        self.wall = time.time() - loop.time()
        self.pool = Pool(loop, tls)
        self.pulls = pulls if pulls is not None else Pulls()
        self.quality = Quality()
        self.samples = Samples(self.quality, log, self.draw)
        self.board = Board(self.draw, self.pulls, quality=self.quality)
        self.budget = RetryBudget()
        self.hedges = HedgeBudget()
        self.latencies = Latencies()
        self.gates = Gates()
        self.surroundings = Surroundings(
            self.board, self.budget, self.hedges, self.latencies, self.gates, self.draw
        )
        #: How a probe is delivered: wherever it is meant to go, once.
        self.probe_surroundings = Surroundings(
            Always(), self.budget, self.hedges, self.latencies, Gates(), self.draw
        )
        self.probing = Probing(self.board, self.draw)
        self._prober: Prober | None = None
        self.journal = Journal()
        self.log = log
        self.tidings = Tidings(self)
        self.hand = Hand(self)
        self.records = Records(self)
        self.live: set[Exchange] = set()
        self.metrics = Metrics(
            lambda: len(self.live), lambda: len(asyncio.all_tasks(loop)), self._states
        )
        self.connections: set[CallerProtocol] = set()
        self.draining = False
        self._loop = loop
        self.intake = Intake(secrets.token_bytes(32))
        self.limiter = Limiter(self)
        self._desk = Desk(self)
        #: None: requests are not taken as jobs.
        self.jobs: Jobs | None = None
        #: The workers of this machine; None: this process is no worker.
        self.siblings: Siblings | None = None
        #: The current second as HTTP writes it.
        self.date = ""
        # Ids are unique, not secret: a record is shown to nobody but its own caller.
        self._bits = chance.getrandbits
        self._ticking: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self.evidence = Evidence()
        self.witnesses = Witnesses(log, self.draw)
        self.metrics.registry.register(QualityMetrics(lambda: self.quality.views(self.now())))
        self.metrics.registry.register(PageMetrics(lambda: self.witnesses.views(self.now())))
        self._beside: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._sweep()

    # -- settings -----------------------------------------------------------------------------

    def reload(self, settings: Settings) -> None:
        """Serve by new settings from the next request on."""
        self.runtime = Runtime(settings)
        if self.jobs is not None:
            self.jobs.renew()

    # -- Application --------------------------------------------------------------------------

    def protocol(self) -> CallerProtocol:
        """A protocol for a caller's new connection."""
        return CallerProtocol(self, self.now, self.connections)

    def admit(self, request: Incoming) -> None:
        """Who calls, and for what; nothing else of the request is looked at.

        Raises:
            Refusal: 401 without a right key, 404 and 405 for what is not served.
        """
        path = request.path
        if self._desk.is_open(path):
            self._allow(request, "GET, HEAD")
            return
        runtime = self.runtime
        if not runtime.open_to_all:
            request.caller = runtime.caller(request.headers)
            if request.caller is None:
                raise Refusal(401, "invalid_api_key", _no_key(request.headers))
        request.operation = OPERATIONS.get(path)
        if request.operation is not None:
            self._allow(request, "POST")
        elif self._desk.knows(path):
            self._allow(request, "GET, HEAD")
        else:
            methods = self.jobs.inquiries.methods(path) if self.jobs is not None else None
            if methods is None:
                raise _nothing_here(path)
            self._allow(request, methods)

    def _allow(self, request: Incoming, methods: str) -> None:
        if request.method not in methods.split(", "):
            raise Refusal(405, "method_not_allowed", f"This path takes {methods}.", allow=methods)

    def serve(self, request: Incoming, responder: Responder) -> Running | None:
        """Serve a whole, admitted request."""
        if request.operation is None:
            return self._look_up(request, responder)
        jobs = self.jobs
        request_id = self.new_id()
        try:
            order = self.intake.understand(self.runtime, request, request.operation, request_id)
            if order.place.holders:
                self.limiter.admit(order)
        except Refusal as refusal:
            self.turn_away(request, refusal, responder, request_id)
            return None
        if "prefer" in request.headers and jobs is not None:
            aside = jobs.arrivals.take(order, responder)
            if aside is not None:
                if order.grant is not None:
                    # Its run is not waited for by anybody.
                    order.grant.release()
                return aside
        return self.deliver(order, responder)

    def _look_up(self, request: Incoming, responder: Responder) -> Running | None:
        """Answer what is asked of the relay itself."""
        path = request.path
        if self.jobs is not None and self.jobs.inquiries.methods(path) is not None:
            return self.jobs.inquiries.take(request, responder)
        if self.siblings is not None and path == METRICS:
            return self.siblings.tell_metrics(request, responder)
        asked = self._desk.request_asked_for(path)
        if asked is not None and self.records.may_be_elsewhere(asked):
            return self.records.ask(request, asked, responder)
        try:
            status, headers, body = self._desk.answer(request)
        except Refusal as refusal:
            self.turn_away(request, refusal, responder)
        else:
            responder.respond(status, self.plain_head(headers), body)
        return None

    def deliver(self, order: Order, responder: Responder) -> Exchange:
        """Carry out an order, a caller's or our own."""
        exchange = Exchange(self, order, responder)
        self.live.add(exchange)
        if self._ticking is None:
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
        exchange.begin()
        return exchange

    def refuse(self, request: Incoming, refusal: Refusal) -> tuple[bytes, bytes]:
        """Header lines and body for a refusal, in the dialect of the path."""
        return self._refusal(request, refusal, self.new_id())

    def turn_away(
        self,
        request: Incoming,
        refusal: Refusal,
        responder: Responder,
        request_id: str | None = None,
    ) -> None:
        """Answer with a refusal."""
        request_id = request_id or self.new_id()
        headers, body = self._refusal(request, refusal, request_id)
        responder.respond(refusal.status, headers, body)

    def _refusal(self, request: Incoming, refusal: Refusal, request_id: str) -> tuple[bytes, bytes]:
        self.metrics.rejected(refusal.code)
        body = own_error(error_dialect(request), refusal, request_id=request_id)
        advice = error_headers(refusal.retry_after, again=refusal.again)
        head = (
            f"content-type: application/json\r\nx-request-id: {request_id}\r\n"
            f"request-id: {request_id}\r\n{advice}{refusal.lines}"
        )
        if refusal.allow is not None:
            head += f"allow: {refusal.allow}\r\n"
        if refusal.status == 401:
            head += 'www-authenticate: Bearer realm="understudy"\r\n'
        return self.plain_head(head), body

    def new_id(self) -> str:
        """An id for a request: unique, no secret."""
        return f"req_{self._bits(96):024x}"

    def plain_head(self, lines: str) -> bytes:
        """Header lines, with the date before them."""
        return f"date: {self.date}\r\n{lines}".encode("latin-1")

    # -- time ---------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Look at every request whose moment has come."""
        now = self.now()
        granted = self.gates.grant(now)
        for exchange in [e for e in self.live if e.due <= now or (granted and e.may_go)]:
            exchange.on_due(now)
        if self.live:
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
        else:
            self._ticking = None

    def _sweep(self) -> None:
        """Once a second: idle connections, silent callers, the calendar."""
        now = self.now()
        self.wall = time.time() - now
        self.date = formatdate(now + self.wall, usegmt=True)
        self.pool.sweep()
        self.samples.sweep(now)
        self.limiter.sweep(now)
        self.fleet.look()
        self.tidings.look(now)
        if self._prober is not None:
            self._prober.look(now)
        for connection in list(self.connections):
            connection.sweep(now)
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    # -- the end of things --------------------------------------------------------------------

    def ended(self, exchange: Exchange) -> None:
        """A request has ended."""
        self.live.discard(exchange)
        self.look_idle()

    def look_idle(self) -> None:
        """Something has ended: perhaps it was the last."""
        if self.draining and not self.is_busy:
            self._idle.set()

    @property
    def is_busy(self) -> bool:
        """Somebody waits for something or may still ask, or a job is under way."""
        return bool(self.live or self.connections or (self.jobs is not None and self.jobs.is_busy))

    async def drain(self, grace: float, *, gently: bool = False) -> int:
        """Take no more requests; let those under way end within `grace` seconds.

        `gently`: somebody else serves at the same address, so that callers are not to notice. An
        idle connection is closed with its next answer, or when it has been idle a little longer.

        Returns:
            How many were cut off.
        """
        self.draining = True
        # Somebody who sends probes is to lead.
        self.fleet.stand_back(inf)
        for connection in list(self.connections):
            connection.drain(gently=gently)
        if self.jobs is not None:
            self.jobs.drain()
        try:
            async with asyncio.timeout(grace):
                while self.is_busy:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            pass
        left = len(self.live)
        for connection in list(self.connections):
            connection.abort()
        return left

    def keep_jobs(self, store: JobStore) -> None:
        """From now on, take requests as jobs where features defer, and carry out what is kept."""
        self.jobs = Jobs(self, store)

    def read_model_lists(self) -> None:
        """From now on, read beside the path what providers say of their models."""
        reading = keep_read(lambda: self.runtime, self.pool)
        self._beside.append(self._loop.create_task(reading))

    def read_status_pages(self) -> None:
        """From now on, read beside the path what providers say of themselves in public."""
        reader = PageReader(
            self.witnesses,
            lambda: self.runtime,
            self.pool,
            is_suspected=self._is_suspected,
            now=self.now,
            wall=lambda: self.now() + self.wall,
        )
        self._beside.append(self._loop.create_task(reader.keep_reading()))

    def causes(self, now: float) -> list[Cause]:
        """What may be the matter, the likeliest first; nothing if nothing stands out."""
        found = explain(self.evidence.snapshot(now), self.testimonies(now), now)
        return [*found, *self.quality.causes(now)]

    def testimonies(self, now: float) -> list[Testimony]:
        """What providers' status pages say."""
        return self.witnesses.testimonies(now)

    def _is_suspected(self, provider: str) -> bool:
        """Whether anything of a provider's is under suspicion or at rest."""
        return any(
            self.board.is_in_doubt(target)
            for target in self.targets()
            if target.provider == provider
        )

    def probe(self) -> None:
        """From now on, ask targets questions of our own: see `understudy.policy.probing`."""
        self.board.probed = True
        self._prober = Prober(self)

    def call_later(self, seconds: float, then: Callable[[], None]) -> None:
        """As the loop's."""
        self._loop.call_later(seconds, then)

    def suspect(self, now: float) -> None:
        """Something has failed: what speaks for a closer look is looked at at once."""
        self.tidings.suspected()
        if self._prober is not None:
            self._prober.soon(now)

    async def close(self) -> None:
        """Give back jobs, stop the timers and close every connection."""
        if self.jobs is not None:
            await self.jobs.close()
        await self.hand.close()
        for task in self._beside:
            task.cancel()
        for handle in (self._ticking, self._sweeping):
            if handle is not None:
                handle.cancel()
        for connection in list(self.connections):
            connection.abort()
        await self.pool.close()

    def targets(self) -> list[Target]:
        """Every target of every feature, each once."""
        found: dict[str, Target] = {}
        for route in self.runtime.routes.values():
            for target in route.targets:
                found.setdefault(target.key, target)
        return list(found.values())

    def _states(self) -> list[tuple[str, str]]:
        return [(t.key, str(self.board.of_target(t).state)) for t in self.targets()]


def _nothing_here(path: str) -> Refusal:
    for prefix, name in NOT_YET.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return Refusal(501, "not_supported_yet", f"{name} not supported yet.")
    return Refusal(404, "not_found", "There is nothing at this path.")


def _no_key(headers: dict[str, str]) -> str:
    if "x-api-key" in headers or "authorization" in headers:
        return "This key is not known here."
    return "Send a key as x-api-key, or as Authorization: Bearer."
