"""One world: the real relay between callers and stand-ins in memory, by a script, in virtual time.

Nothing of the product is replaced. Pinned to the seed are the things that it takes from outside:
the clock, the calendar, chance, the network, and the order in which sets are walked.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import re
import ssl
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from simulation.sim_callers import Caller, Seen, key_of
from simulation.sim_line import Line
from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_pinned import CALENDAR, NotingLog, OrderedSet, keep_order, pinned
from simulation.sim_requests import case_of
from simulation.sim_script import Client, Provider, Request, Script
from simulation.sim_served import Served, is_whole
from understudy.config import load
from understudy.core.outcomes import Record
from understudy.core.settings import Settings
from understudy.mock.board import Board
from understudy.mock.http import Connection, Exchange, HttpRequest
from understudy.mock.pace import Pace
from understudy.mock.stand_in import StandIn
from understudy.policy.board import PARTLY_SECONDS
from understudy.relay.relay import Relay

__all__ = ["LAST", "NAMES", "RECOVERY", "OpenTry", "Story", "run", "yaml_of"]

#: No world lasts longer, in virtual seconds.
HORIZON = 7_200.0
#: Time for connections to close once all is over.
SETTLE = 4.0
#: Longer than any breaker stays open for a fault that passes: 300 s and 20 %.
RECOVERY = 370.0
#: The caller that asks when everything is well again, and all callers that there are.
LAST = "last"
NAMES = ("ann", "bob", "cem", "dot", "eve", "fox", LAST)

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class OpenTry(msgspec.Struct, frozen=True):
    """An attempt at a target whose breaker was not closed, and whether its trial was due.

    `is_dead`: it has not worked for as long as anybody goes by.
    """

    key: str
    at: float
    was_due: bool
    is_dead: bool


class Story(msgspec.Struct, kw_only=True):
    """What happened."""

    script: Script
    timeline: list[tuple[float, str, str]] = []
    seen: list[Seen] = []
    records: list[Record] = []
    served: list[Served] = []
    #: Seconds between the loop's clock and the journal's calendar.
    wall: float = CALENDAR
    open_tries: list[OpenTry] = []
    #: Numbers of requests that went out once more because a kept connection proved dead.
    redials: list[int | None] = []
    #: The log's lines.
    log: list[dict[str, Any]] = []
    #: What reached the loop's exception handler.
    errors: list[str] = []
    #: What was still there when all was over.
    left: list[str] = []
    #: What only the garbage collector could have freed.
    garbage: list[str] = []
    #: It did not come to an end.
    stuck: str | None = None
    #: Number of a request → its record.
    _matched: dict[int, Record] | None = None

    def lines(self) -> list[str]:
        """The timeline, to be read."""
        return [f"{at:12.6f}  {who:<10} {what}" for at, who, what in self.timeline]

    def record_of(self, seen: Seen) -> Record | None:
        """The journal's record of what a caller asked."""
        if self._matched is None:
            self._matched = {}
            for client in {seen.client.name: seen.client for seen in self.seen}.values():
                self._match(client)
        return self._matched.get(seen.request.case)

    def _match(self, client: Client) -> None:
        """Records of one caller to its requests: by id, or (it left before it had one) to the
        latest that could have arrived by then.
        """
        mine = [seen for seen in self.seen if seen.client.name == client.name]
        told = {seen.id: seen for seen in mine if seen.id is not None}
        matched = self._matched if self._matched is not None else {}
        for record in self.records:
            if record.caller != client.name:
                continue
            found = told.get(record.id)
            if found is None:
                arrived = record.started_at - self.wall - client.line.latency + 1e-6
                left = [
                    seen
                    for seen in mine
                    if seen.id is None
                    and seen.request.case not in matched
                    and seen.sent_at <= arrived
                ]
                # Of several that left at one moment, the one that somebody was asked for.
                found = max(
                    left,
                    key=lambda seen: (seen.sent_at, bool(self.served_for(seen))),
                    default=None,
                )
            if found is not None:
                matched[found.request.case] = record

    def served_for(self, seen: Seen) -> list[Served]:
        """What stand-ins were asked for the sake of one request."""
        return [served for served in self.served if served.case == seen.request.case]


def yaml_of(script: Script) -> str:
    """The configuration of a script's world."""
    feature = script.feature
    lines = ["callers:"]
    lines += [f"  - {{name: {name}, key: {key_of(name)}}}" for name in NAMES]
    lines.append("providers:")
    for provider in script.providers:
        path = "" if provider.kind == "anthropic" else "/v1"
        url = f"https://{provider.name}.sim{path}"
        accounts = ", ".join(
            f"{account}: {{api_key: sk-of-{provider.name}-{account}}}"
            for account in provider.accounts
        )
        dialect = f", dialect: {provider.dialect}" if provider.dialect else ""
        lines.append(
            f"  {provider.name}: {{kind: {provider.kind}, base_url: {url}{dialect}, "
            f"accounts: {{{accounts}}}}}"
        )
    targets = ", ".join(f"{provider.name}/{provider.model}" for provider in script.providers)
    lines.append("features:")
    lines.append(
        f"  f: {{targets: [{targets}], deadline: {feature.deadline:g}s, "
        f"first_token: {feature.first_token:g}s, idle: {feature.idle:g}s, "
        f"attempts: {feature.attempts}, hold: {feature.hold:g}s, "
        f"continue_streams: {str(feature.continues).lower()}, "
        f"hedge: {'off' if feature.hedge is None else f'{feature.hedge * 1000:.0f}ms'}}}"
    )
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=256)
def _settings(text: str) -> Settings:
    return load(text, {}, source="world")


def run(script: Script, *, look_for_garbage: bool = True) -> Story:
    """Play a script to its end."""
    story = Story(script=script)
    chance = random.Random(f"world {script.seed}")
    loop = VirtualLoop(random.Random(chance.getrandbits(64)), HORIZON)
    world = _World(script, story, loop, chance)
    with pinned(loop, chance), _collector_off():
        try:
            loop.run(world.live(look_for_garbage=look_for_garbage))
        except RuntimeError as error:
            story.stuck = f"{type(error).__name__}: {error}"
        finally:
            world.note_end()
            loop.close()
    return story


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Objects that were there before are none of this world's garbage."""
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


class _World:
    """Everything that lives in one world."""

    def __init__(
        self, script: Script, story: Story, loop: VirtualLoop, chance: random.Random
    ) -> None:
        self._script = script
        self._story = story
        self._loop = loop
        self._network = Network(loop, random.Random(chance.getrandbits(64)), self._note)
        self._network.attach()
        self._log = NotingLog()
        self._boards: list[Board] = []
        #: Spells that are still to come, or to pass.
        self._spells: list[asyncio.TimerHandle] = []
        self._callers: list[Caller] = []
        self._relay: Relay

    def _note(self, who: str, what: str) -> None:
        self._story.timeline.append((self._loop.time(), who, what))

    async def live(self, *, look_for_garbage: bool) -> None:
        """From the first request to the last, and what is left then."""
        script = self._script
        for provider in script.providers:
            self._found(provider)
        relay = self._relay = self._make_relay()
        if script.probes:
            relay.probe()
        self._network.serve("relay", Line(), relay.protocol)
        for fault in script.network:
            self._network.play(fault)
        await self._ask(script.clients)
        if script.heals:
            await self._heal()
        self._still()
        await asyncio.sleep(SETTLE)
        self._look_around()
        self._story.records = relay.journal.recent(100_000)[::-1]
        if look_for_garbage:
            self._story.garbage = _garbage()
        await relay.close()
        await asyncio.sleep(SETTLE)
        self._look_back()

    # -- building -----------------------------------------------------------------------------

    def _make_relay(self) -> Relay:
        relay = Relay(_settings(yaml_of(self._script)), self._loop, _TLS, self._log)
        keep_order(relay)
        board, started = relay.board, relay.board.started

        def noted(target: Any, now: float) -> None:
            breaker = board.of_target(target)
            if breaker.state != "closed":
                due = breaker.admits(now)
                is_dead = now - breaker.last_good >= PARTLY_SECONDS
                self._story.open_tries.append(OpenTry(target.key, now, due, is_dead))
            started(target, now)

        board.started = noted
        redial = relay.pool.redial

        def redialled(call: Any) -> None:
            self._story.redials.append(case_of(call.payload))
            redial(call)

        relay.pool.redial = redialled
        return relay

    def _found(self, provider: Provider) -> None:
        """Let a stand-in listen, and fail as its spells say."""
        loop = self._loop
        board = Board(pace=provider.pace)
        self._boards.append(board)
        stand_in = StandIn(board, time.time)
        connections: Any = OrderedSet()

        def handle(request: HttpRequest) -> Exchange:
            exchange = stand_in(request)
            attempt = board.attempts[-1]
            served = Served(
                at=loop.time(),
                provider=provider.name,
                case=case_of(request.body),
                attempt=attempt,
                body=request.body,
            )
            self._story.served.append(served)
            fault = f", plays {attempt.fault}" if attempt.fault else ""
            where = f" at {attempt.where.value}" if attempt.where else ""
            self._note(provider.name, f"is asked case-{served.case}{fault}{where}")
            return msgspec.structs.replace(exchange, script=_kept(exchange.script, served.sent))

        self._network.serve(
            f"{provider.name}.sim",
            provider.line,
            lambda: Connection(handle, connections, asyncio.sleep),
            dead_first=provider.dead_first,
        )
        moments = {spell.start for spell in provider.spells}
        moments |= {spell.end for spell in provider.spells if spell.end < HORIZON}
        for moment in sorted(moments):
            rules = [s.rule for s in provider.spells if s.start <= moment < s.end]
            if moment <= 0.0:
                board.put_faults(rules)
            else:
                self._spells.append(loop.call_at(moment, board.put_faults, rules))

    # -- living -------------------------------------------------------------------------------

    async def _ask(self, clients: tuple[Client, ...]) -> None:
        """Let these clients ask all that they want."""
        done = self._loop.create_future()
        left = len(clients)

        def one_done() -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set_result(None)

        callers = [
            Caller(self._loop, self._network, client, self._note, one_done) for client in clients
        ]
        self._callers += callers
        if clients:
            await done
        for caller in callers:
            self._story.seen += caller.seen

    async def _heal(self) -> None:
        """Everything is well again: after the longest rest a request must get its answer."""
        self._note("world", "everything is put right")
        self._still()
        for board in self._boards:
            board.delete_faults()
            board.put_pace(Pace())
        await asyncio.sleep(RECOVERY)
        request = Request(case=10_000, dialect="messages", stream=False)
        await self._ask((Client(name=LAST, requests=(request,), at=self._loop.time()),))

    def _still(self) -> None:
        """Nothing that was scripted happens any more."""
        self._network.heal()
        for spell in self._spells:
            spell.cancel()

    def _look_around(self) -> None:
        """All is over, and the relay still runs: what has it kept?"""
        relay, left = self._relay, self._story.left
        left += [f"a live exchange of {len(relay.live)}" for _ in relay.live]
        left += [f"a caller's connection of {len(relay.connections)}" for _ in relay.connections]
        left += [task for task in self._tasks() if "Connection._play" not in task]
        holes = {fault.host for fault in self._script.network if fault.trouble == "hole"}
        for served in self._story.served:
            # A stand-in may hang once all is sent: its connection then counts as idle. One that
            # nothing gets through to cannot know that it was left.
            unaware = is_whole(bytes(served.sent)) or f"{served.provider}.sim" in holes
            if served.attempt.ended is None and not unaware:
                left.append(f"{served.provider} still answers case-{served.case}")

    def _tasks(self) -> list[str]:
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        return sorted(_nameless(f"a task: {task.get_coro()!r}") for task in tasks)

    def _look_back(self) -> None:
        """The relay is closed: nothing may be left of it."""
        left = self._story.left
        if any(fault.trouble == "hole" for fault in self._script.network):
            return  # Not everybody can know by now.
        left += [
            _nameless(f"a timer: {handle!r}")
            for handle in self._loop.pending_timers()
            if "_Way" not in repr(handle)  # A packet that the network still holds.
        ]
        left += self._tasks()

    def note_end(self) -> None:
        """Put into the story what was gathered beside it."""
        story = self._story
        story.log = [json.loads(line) for line in self._log.stream.getvalue().splitlines()]
        story.errors = [
            f"{context.get('message')}: {context.get('exception')!r}"
            for context in self._loop.errors
        ]
        story.errors += self._log.own
        if story.stuck:
            story.records = self._relay.journal.recent(100_000)[::-1]
            story.seen = [seen for caller in self._callers for seen in caller.seen]
        self._loop.errors.clear()
        for seen in story.seen:
            record = story.record_of(seen)
            if record is not None:
                _tell(story, seen, record)
        story.timeline.sort(key=lambda event: round(event[0], 6))


def _tell(story: Story, seen: Seen, record: Record) -> None:
    """The journal's side of one request, in the timeline."""
    who = f"case-{seen.request.case}"
    for attempt in record.attempts:
        at = attempt.started_at - story.wall
        story.timeline.append((at, who, f"→ {attempt.target}: {attempt.why}"))
        if attempt.ended_ms is not None:
            fault = attempt.fault
            told = f" ({fault.kind}: {fault.message})" if fault else ""
            end = at + attempt.ended_ms / 1000.0
            story.timeline.append((end, who, f"← {attempt.target}: {attempt.result}{told}"))
    if record.ended_at is not None:
        story.timeline.append((record.ended_at - story.wall, who, f"is {record.outcome}"))


def _kept(script: Iterator[Any], sent: bytearray) -> Iterator[Any]:
    """The script, with its bytes remembered."""
    for step in script:
        if isinstance(step, bytes):
            sent += step
        yield step


def _nameless(text: str) -> str:
    return _ADDRESS.sub("", text)


def _garbage() -> list[str]:
    """The product's objects that only the collector can free, the stand-ins' left out."""
    before = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        kinds = [f"{type(item).__module__}.{type(item).__qualname__}" for item in gc.garbage]
        gc.garbage.clear()
    finally:
        gc.set_debug(before)
    ours = [kind for kind in kinds if kind.startswith("understudy.")]
    return sorted(kind for kind in ours if not kind.startswith("understudy.mock."))
