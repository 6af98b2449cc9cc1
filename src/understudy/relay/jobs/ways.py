"""Targets as ways for jobs to go: which of them serve a lane now, and how many may set out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from understudy.core.quota import Need
from understudy.policy.gates import Ticket
from understudy.policy.plans import Claim, Target
from understudy.policy.ramp import Ramp, at_once, told_rate
from understudy.policy.tally import Tally
from understudy.ports import Lane

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Way", "Ways"]

#: Tokens of a job, where none has been seen; and how far one moves what is usual.
TOKENS_UNKNOWN: Final = 1000.0
TOKENS_STEP: Final = 0.1
#: `Tally` counts the last minute.
MINUTE: Final = 60.0


class Way:
    """One target, as jobs go to it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.ramp = Ramp()
        #: Jobs under way that were claimed for it.
        self.running = 0
        #: Nothing that is ready was left for it: not to be asked for before.
        self.dry_until = 0.0
        #: good: jobs claimed for it.
        self._begun = Tally()
        self._tokens = TOKENS_UNKNOWN
        self._short_at = float("-inf")
        self._looked_at: float | None = None

    def free(self, wanted: int, relay: Relay, now: float) -> int:
        """How many of `wanted` jobs may set out."""
        breaker = relay.board.of_target(self.target)
        if breaker.short_at > self._short_at:
            self._short_at = breaker.short_at
            self.ramp.pushed_back(now)
        gate = relay.gates.of(self.target)
        concurrency = gate.concurrency
        room = at_once(concurrency.limit, concurrency.in_flight, self.running)
        if relay.board.resting(self.target):
            # The trial that decides whether it works again is one request.
            room = min(room, 1.0 - min(self.running, 1))
        begun, _, _ = relay.budget.counts(self.target.key, now)
        if self._looked_at is not None:
            self.ramp.served(begun / MINUTE, now - self._looked_at)
        self._looked_at = now
        return self.ramp.allowed(
            int(min(wanted, room)), self.others(relay, now), self.told(relay, now), now
        )

    def others(self, relay: Relay, now: float) -> float:
        """Requests a second at the target that are no jobs."""
        begun, _, _ = relay.budget.counts(self.target.key, now)
        jobs, _ = self._begun.counts(now)
        return max(0, begun - jobs) / MINUTE

    def told(self, relay: Relay, now: float) -> float | None:
        """How many requests a second its rate limits allow, as far as they are known."""
        return told_rate(relay.gates.of(self.target).allowance.levels(now), self._tokens)

    def took(self, costs: Iterable[int], now: float) -> None:
        """These set out, of so many tokens each."""
        count = 0
        for cost in costs:
            count += 1
            self._tokens += TOKENS_STEP * (cost - self._tokens)
            self._begun.add_good(now)
        self.running += count
        self.ramp.took(count, now)

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
            way = self._ways[target.key] = Way(target)
        # Its settings may have changed.
        way.target = target
        return way

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

    def open(self, lane: Lane, now: float) -> Way | None:
        """The first target that can serve the lane now."""
        relay = self._relay
        background = lane.priority == "background"
        claim = Claim(Need(input=1.0, output=1.0), lane.tenant or None, background)
        ticket = Ticket(relay.gates, claim, relay.draw)
        for target in self.targets(lane):
            if relay.board.rests(target, now) is None:
                if ticket.shut(target, now) is None:
                    return self.of(target)
            elif not relay.board.of_target(target).was_told_to_wait:
                self.of(target).ramp.restart()
        return None
