"""Targets as ways for jobs to go: which of them serve a lane now, and how many may set out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from understudy.core.faults import Kind
from understudy.core.quota import Need
from understudy.policy.estimate import Speed
from understudy.policy.flow import Flow
from understudy.policy.gates import Ticket
from understudy.policy.plans import Claim, Target
from understudy.policy.queueing import Queueing
from understudy.policy.ramp import Ramp, is_low, told_rate
from understudy.policy.room import Room, at_once
from understudy.ports import Lane

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Way", "Ways"]

#: Tokens of a job, where none has been seen; and how far one moves what is usual.
TOKENS_UNKNOWN: Final = 1000.0
TOKENS_STEP: Final = 0.1
#: What others ask for is what they asked for in the last of these, whichever was more: who comes
#: back is seen at once, who has gone is waited for.
SOON: Final = 10.0
MINUTE: Final = 60.0
#: What a request takes is known from so many within so many seconds.
KNOWN: Final = 10
KNOWN_SECONDS: Final = 300.0


class Way:
    """One target, as jobs go to it.

    Args:
        relay: whose it is.
        target: which.
    """

    def __init__(self, relay: Relay, target: Target) -> None:
        self._relay = relay
        self.target = target
        self.ramp = Ramp()
        self.room = Room()
        self.queueing = Queueing()
        #: Jobs under way that were claimed for it.
        self.running = 0
        #: Nothing that is ready was left for it: not to be asked for before.
        self.dry_until = 0.0
        #: Requests begun there, their tokens, and jobs claimed for it.
        self._begun = Flow()
        self._prompts = Flow()
        self._answers = Flow()
        self._claimed = Flow()
        self._jobs = 0
        #: Tokens of a job, prompt and most of an answer together.
        self._tokens = TOKENS_UNKNOWN
        self._known: tuple[float, float] | None = None
        self._short_at = float("-inf")
        self._looked_at: float | None = None

    def look(self, now: float) -> None:
        """See what has happened there since."""
        board, gate = self._relay.board, self._relay.gates.of(self.target)
        elapsed = None if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        begun, prompts, answers = gate.allowance.taken
        for flow, count in (
            (self._begun, begun),
            (self._prompts, prompts),
            (self._answers, answers),
            (self._claimed, self._jobs),
        ):
            flow.note(count, now)
        self.ramp.processes = self._relay.fleet.processes
        breaker = board.of_target(self.target)
        was_short, self._short_at = self._short_at, breaker.short_at
        if board.rests(self.target, now) is not None and not breaker.was_told_to_wait:
            # It is out of service, and will have to be tried anew.
            self.ramp.restart()
            self.room.forget()
            return
        in_flight = gate.concurrency.in_flight
        if breaker.short_at > was_short:
            self._pushed_back(in_flight, now)
        else:
            if self.ramp.is_taught(now):
                self.ramp.lets_through(self._begun.sustained())
            self.room.bears(in_flight, now)
        if elapsed is not None:
            self.ramp.served(self._begun.rate(MINUTE), elapsed)
        if self.queueing.is_felt:
            self.queueing.answered(now)
            self.room.crowded(in_flight)

    def _pushed_back(self, in_flight: int, now: float) -> None:
        """It has refused something, ours or not, while so many were under way."""
        fault = self._relay.board.fault(self.target)
        if fault is not None and fault.kind is Kind.THROTTLED:
            flow = self._begun
            self.ramp.pushed_back(now, flow.sustained(), thin=flow.seconds < MINUTE)
        else:
            self.ramp.pushed_back(now)
            self.room.refused(in_flight + 1, now)

    def free(self, wanted: int, now: float) -> int:
        """How many of `wanted` jobs may set out."""
        self.look(now)
        relay = self._relay
        gate = relay.gates.of(self.target)
        if is_low(gate.allowance.levels(now)):
            wanted = 0
        concurrency = gate.concurrency
        limit = min(concurrency.limit, self.room.limit(now))
        room = at_once(limit, concurrency.in_flight, self.running)
        if wanted > room:
            self.room.was_short(now)
        if relay.board.resting(self.target):
            # The trial that decides whether it works again is one request.
            room = min(room, 1.0 - min(self.running, 1))
        return self.ramp.allowed(int(min(wanted, room)), self.others(), self.told(now), now)

    def others(self) -> float:
        """Requests a second at the target that are no jobs."""
        return max(
            self._begun.rate(seconds) - self._claimed.rate(seconds) for seconds in (SOON, MINUTE)
        )

    def told(self, now: float) -> float | None:
        """How many requests a second its rate limits allow, as far as they are known."""
        levels = self._relay.gates.of(self.target).allowance.levels(now)
        return told_rate(levels, *self._usual())

    def _usual(self) -> tuple[float, float]:
        """Tokens of the prompt and of the answer of what goes there now, or last did."""
        begun = self._begun.rate(KNOWN_SECONDS)
        if begun * KNOWN_SECONDS >= KNOWN:
            prompts, answers = (f.rate(KNOWN_SECONDS) for f in (self._prompts, self._answers))
            self._known = prompts / begun, answers / begun
        # What a job takes in all is too much for either, and so is safe.
        return self._known or (self._tokens, self._tokens)

    def speed(self, now: float) -> Speed:
        """How fast jobs go there from now on, as things stand."""
        ramp, told = self.ramp, self.told(now)
        in_flight = self._relay.gates.of(self.target).concurrency.in_flight
        # The other processes are about as fast.
        times = ramp.processes
        return Speed(
            rate=times * (ramp.rate or ramp.first(told)),
            careful_from=times * ramp.careful_from,
            most=times * ramp.most(self.others(), told, now),
            # What it takes at once besides (`policy.concurrency`) grows as it is used.
            at_once=times * (self.running + at_once(self.room.limit(now), in_flight, self.running)),
        )

    def took(self, costs: Iterable[int], now: float) -> None:
        """These set out, of so many tokens each."""
        count = 0
        for cost in costs:
            count += 1
            self._tokens += TOKENS_STEP * (cost - self._tokens)
        self._jobs += count
        self.running += count
        self.ramp.took(count, now)

    def spared(self) -> None:
        """One that has set out does not go there after all, and leaves its room to another."""
        self._jobs -= 1
        self.ramp.spared()

    def ended(self, *, well: bool | None) -> None:
        """One has ended: answered there, or not; None: that says nothing of the target."""
        self.running -= 1
        if well:
            self.ramp.went_well()
        elif well is not None:
            self.ramp.went_wrong()


class Ways:
    """Every target that jobs may go to.

    Args:
        relay: whose targets they are.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._ways: dict[str, Way] = {}

    def of(self, target: Target) -> Way:
        """A target's way."""
        way = self._ways.get(target.key)
        if way is None:
            way = self._ways[target.key] = Way(self._relay, target)
        # Its settings may have changed.
        way.target = target
        return way

    def watch(self, now: float) -> None:
        """Once a second: what targets bear is learned before there are jobs."""
        for route in self._relay.runtime.routes.values():
            if route.feature.defer:
                for target in route.targets:
                    if target.model != "*":
                        self.of(target)
        for way in self._ways.values():
            way.look(now)

    def came(self, target: Target, seconds: float, now: float) -> None:
        """Somebody who is no job had first content from a target after so long."""
        way = self._ways.get(target.key)
        if way is not None:
            way.queueing.came(seconds, now, way.running)

    def targets(self, lane: Lane) -> tuple[Target, ...]:
        """The targets that may serve a lane's jobs, in order; what a single job asks for may leave
        fewer.
        """
        runtime = self._relay.runtime
        route = runtime.routes.get(lane.feature)
        if route is None:
            return ()
        # Every provider is asked for every operation that makes a job; where any model will do,
        # the account and the provider are all that can be looked at.
        model = "*" if route.wild else None
        return runtime.plan(route, "messages", lane.tenant or None, None, model).targets

    def obstacle(self, lane: Lane, now: float) -> str | None:
        """Why nothing can serve a lane now, for people; None: something can, be it full."""
        reasons = []
        for target in self.targets(lane):
            rests = self._relay.board.rests(target, now)
            if rests is None:
                return None
            reasons.append(rests)
        return "; ".join(reasons) or "no target may serve it"

    def open(self, lanes: Iterable[Lane], now: float) -> list[tuple[Way, list[Lane]]]:
        """The lanes that can be served now, by the first target that can; in the order of lanes."""
        found: dict[str, tuple[Way, list[Lane]]] = {}
        # Lanes of many tenants have the same targets, and are looked at once. They are kept here,
        # so that no others can have the same id.
        seen: dict[tuple[int, str], tuple[tuple[Target, ...], Way | None]] = {}
        for lane in lanes:
            targets = self.targets(lane)
            kind = id(targets), lane.priority
            if kind not in seen:
                seen[kind] = targets, self._first(targets, lane.priority, now)
            _, way = seen[kind]
            if way is not None and now >= way.dry_until:
                found.setdefault(way.target.key, (way, []))[1].append(lane)
        return list(found.values())

    def _first(self, targets: tuple[Target, ...], priority: str, now: float) -> Way | None:
        relay = self._relay
        claim = Claim(Need(input=1.0, output=1.0), None, priority == "background")
        ticket = Ticket(relay.gates, claim, relay.draw)
        for target in targets:
            if relay.board.rests(target, now) is None and ticket.shut(target, now) is None:
                return self.of(target)
        return None
