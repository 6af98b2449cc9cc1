"""What is known of every target's health: breakers for targets, their accounts, their providers.

Evidence goes to each node above the target that it was seen at, and the node that explains it is
opened: a fault of a credential opens that account, a model that is not there opens that target, and
what fails at most of a provider's targets opens the provider, so that its other models are not
tried one by one by people.

What counts. Outage-like faults speak against a target and its provider; content speaks for them.
Callers' own faults, refusals, callers who leave and attempts that we gave up say nothing; nor does
a second failure of the same request at the same target. Being throttled is no outage: it holds the
target for as long as the provider asks.

With nobody else left, a bad target is better than none (`recourse`): first one that is merely
less good, because it is slow or its answers are doubtful; then one that has had its share of slow
start; then one that has worked within the last minute; last one that has not, once a second of all
processes together (a deliberate departure from Envoy's panic mode, which sends everything: these
are rate-limited).

`Board` takes time and chance as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.breaker import Breaker, BreakerState, Change
from understudy.policy.plans import Recourse, Target
from understudy.policy.pulls import Node, Pulls
from understudy.policy.quality import Quality

__all__ = ["THROTTLE_SECONDS", "Board"]

#: Seconds that a throttled target rests when the provider does not say how long.
THROTTLE_SECONDS: Final = 5.0
#: Seconds between looks at an account or model that needs a human: never sooner, whatever it says,
#: and never later, even if its date is weeks away: a human may mend it any time.
HUMAN_SECONDS: Final = 300.0
HUMAN_SECONDS_MAX: Final = 3600.0
#: Seconds after a throttled or overloaded answer in which nothing is hedged: a second attempt
#: beside a slow one would feed what makes it slow.
SHORT_SECONDS: Final = 60.0
#: Targets remembered; callers may name models (`provider/*`), so those in order are let go.
TARGETS_KEPT: Final = 4096
#: With nothing else left, an open target is tried this often, by all processes together.
PANIC_SECONDS: Final = 1.0
#: What asks us to wait no longer than this many seconds is waited for: as long as the longest wait
#: before a retry.
SOON_SECONDS: Final = 8.0
#: Seconds for which a success says that a target works, if not always.
PARTLY_SECONDS: Final = 60.0
#: A provider is down where so many of its targets fail, and none of those heard of lately works.
WIDE_LEAST: Final = 2

_CLOSED: Final = BreakerState.CLOSED
_CONTENT: Final = Result.CONTENT


class Nodes:
    """The breakers that stand above one target, its own among them."""

    __slots__ = ("account", "place", "provider", "target")

    def __init__(self, place: Target, target: Breaker, account: Breaker, provider: Breaker) -> None:
        self.place = place
        self.target = target
        self.account = account
        self.provider = provider


class Board:
    """Every breaker of a running product, and what is known through them.

    Args:
        draw: gives a number in [0, 1) for jitter and for the shares of slow start.
        pulls: what an operator has taken out of service.
        probed: somebody sends probes: targets that may be probed are tried by these when their time
            is over, not by callers' requests.
        quality: whose answers are to be doubted: others are preferred to these.
    """

    def __init__(
        self,
        draw: Callable[[], float],
        pulls: Pulls | None = None,
        *,
        probed: bool = False,
        quality: Quality | None = None,
    ) -> None:
        self.pulls = pulls if pulls is not None else Pulls()
        self.probed = probed
        self.quality = quality if quality is not None else Quality()
        #: How many processes have such a board: what is rationed is rationed for all of them.
        self.processes = 1
        #: Is told what a node's breaker has found out; None: nobody else wants to know.
        self.changed: Callable[[str, Change], None] | None = None
        self._draw = draw
        self._accounts: dict[str, Breaker] = {}
        self._providers: dict[str, Breaker] = {}
        self._nodes: dict[str, Nodes] = {}
        #: Provider → its targets' keys.
        self._members: dict[str, set[str]] = {}

    def _of(self, target: Target) -> Nodes:
        nodes = self._nodes.get(target.key)
        if nodes is None:
            nodes = self._add(target)
        return nodes

    def _add(self, target: Target) -> Nodes:
        if len(self._nodes) >= TARGETS_KEPT:
            gone = [key for key, n in self._nodes.items() if n.target.state is _CLOSED]
            for key in gone:
                del self._nodes[key]
            for members in self._members.values():
                members.difference_update(gone)
        for above, key in (
            (self._accounts, target.account_key),
            (self._providers, target.provider),
        ):
            if key not in above:
                above[key] = self._breaker(key)
        nodes = self._nodes[target.key] = Nodes(
            target,
            self._breaker(target.key),
            self._accounts[target.account_key],
            self._providers[target.provider],
        )
        self._members.setdefault(target.provider, set()).add(target.key)
        return nodes

    def _breaker(self, key: str) -> Breaker:
        return Breaker(partial(self._say, key))

    def _say(self, key: str, change: Change) -> None:
        if self.changed is not None:
            self.changed(key, change)

    def breaker(self, node: str) -> Breaker | None:
        """The breaker of a target, an account or a provider, by its key; None: it is not known."""
        nodes = self._nodes.get(node)
        if nodes is not None:
            return nodes.target
        return self._accounts.get(node) or self._providers.get(node)

    def breakers(self) -> Iterator[tuple[str, Breaker]]:
        """Every node's key and breaker: targets, accounts, providers."""
        for key, nodes in self._nodes.items():
            yield key, nodes.target
        yield from self._accounts.items()
        yield from self._providers.items()

    def of_target(self, target: Target) -> Breaker:
        """The breaker of one model at one account."""
        return self._of(target).target

    def of_account(self, target: Target) -> Breaker:
        """The breaker of the account that a target uses."""
        return self._of(target).account

    def of_provider(self, target: Target) -> Breaker:
        """The breaker of a target's provider."""
        return self._of(target).provider

    # -- what may be asked --------------------------------------------------------------------

    def obstacle(
        self, target: Target, now: float, luck: Callable[[], float] | None = None
    ) -> str | None:
        """Why `target` should not be used by the next request; None if it may be.

        In slow start that is a matter of `luck`, in [0, 1), drawn anew at each call where nobody
        brings one: a request has one for all its looks. See `rests` for what does not change.
        """
        rests = self.rests(target, now)
        if rests is not None:
            return rests
        nodes = self._of(target)
        share = min(nodes.target.share(now), nodes.provider.share(now))
        if share < 1.0 and (luck or self._draw)() >= share:
            return f"{target.key}: recovering, has {share:.0%} of its traffic"
        if self.quality.doubted:
            doubt = self.quality.doubt(target.name, now)
            if doubt is not None:
                return f"{target.key}: {doubt}"
        return None

    def rests(self, target: Target, now: float) -> str | None:
        """Why `target` is out of service; None if it serves, be it in slow start."""
        if self.pulls:
            pulled = self.pulls.obstacle(target)
            if pulled is not None:
                return pulled
        nodes = self._of(target)
        if (
            nodes.target.state is _CLOSED
            and nodes.account.state is _CLOSED
            and nodes.provider.state is _CLOSED
        ):
            return None
        for breaker, name in self._named(target, nodes):
            if breaker.state is not _CLOSED and not self._admits(target, breaker, now):
                return _describe(breaker, name, now)
        return None

    def _named(self, target: Target, nodes: Nodes) -> tuple[tuple[Breaker, str], ...]:
        return (
            (nodes.target, target.key),
            (nodes.account, target.account_key),
            (nodes.provider, target.provider),
        )

    def _admits(self, target: Target, breaker: Breaker, now: float) -> bool:
        """Whether a caller's request may be the trial of an open breaker."""
        if self.probed and target.probed and not breaker.was_told_to_wait:
            return False
        return breaker.admits(now)

    def is_in_doubt(self, target: Target) -> bool:
        """Whether anything above `target` is at rest, or it is itself under suspicion."""
        return self._of(target).target.is_suspicious or bool(self.resting(target))

    def resting(self, target: Target) -> list[Breaker]:
        """The breakers above `target`, its own among them, that are not closed."""
        named = self._named(target, self._of(target))
        return [breaker for breaker, _ in named if breaker.state is not _CLOSED]

    def opens_again_in(self, target: Target, now: float) -> float:
        """Seconds until `target` may be tried again; 0 if now."""
        nodes = self._of(target)
        until = max(breaker.opened_until for breaker, _ in self._named(target, nodes))
        return max(0.0, until - now)

    def fault(self, target: Target) -> Fault | None:
        """Why `target` rests; None if it does not."""
        nodes = self._of(target)
        return nodes.target.fault or nodes.account.fault or nodes.provider.fault

    def is_short(self, target: Target, now: float) -> bool:
        """Whether `target` was throttled or overloaded within the last `SHORT_SECONDS`."""
        return now - self._of(target).target.short_at < SHORT_SECONDS

    def recourse(self, target: Target, now: float) -> Recourse:
        """How good `target` is, there being an obstacle, where nothing without one is left.

        What an operator has pulled, and accounts and models that need a human, are out: nothing but
        a human brings them back. So is what has asked us to wait for long.
        """
        nodes = self._of(target)
        breaker, provider = nodes.target, nodes.provider
        if self._is_out(target, nodes, now):
            return Recourse.OUT
        if breaker.was_told_to_wait:
            return Recourse.SOON
        if provider.state is _CLOSED and (breaker.state is _CLOSED or breaker.is_merely_slow):
            recovers = min(breaker.share(now), provider.share(now)) < 1.0
            return Recourse.RECOVERING if recovers else Recourse.LESSER
        if now - breaker.last_good < PARTLY_SECONDS:
            return Recourse.SICK
        tried_every = PANIC_SECONDS * self.processes
        return Recourse.TRIAL if now - breaker.last_attempt >= tried_every else Recourse.OUT

    def _is_out(self, target: Target, nodes: Nodes, now: float) -> bool:
        if self.pulls and self.pulls.obstacle(target) is not None:
            return True
        if nodes.account.state is not _CLOSED:
            return True
        breaker = nodes.target
        if breaker.was_told_to_wait:
            return breaker.opened_until - now > SOON_SECONDS
        return breaker.fault is not None and breaker.fault.kind not in OUTAGE_LIKE

    # -- what happens -------------------------------------------------------------------------

    def started(self, target: Target, now: float) -> None:
        """An attempt at `target` begins."""
        nodes = self._of(target)
        nodes.target.started(now)
        if nodes.account.state is not _CLOSED:
            nodes.account.started(now)
        if nodes.provider.state is not _CLOSED:
            nodes.provider.started(now)

    def came(
        self, target: Target, now: float, began: float, *, late: bool, is_probe: bool = False
    ) -> None:
        """The first content of an attempt at `target` has come, far later than usual or in time."""
        breaker = self._of(target).target
        breaker.came(now, began, self._draw(), late=late, is_probe=is_probe)

    def ended(
        self,
        target: Target,
        result: Result,
        fault: Fault | None,
        now: float,
        began: float,
        *,
        retry: bool = False,
        is_probe: bool = False,
        late: bool = False,
    ) -> None:
        """An attempt at `target` that began at `began` has ended so.

        `retry`: the same request has been tried there before. `late`: its first content was.
        """
        nodes = self._of(target)
        if result is _CONTENT:
            if late:
                nodes.target.succeeded_late(now, began, self._draw())
            else:
                nodes.target.succeeded(now, began, is_probe=is_probe)
            nodes.provider.succeeded(now, began, is_probe=is_probe)
            if nodes.account.state is not _CLOSED:
                nodes.account.succeeded(now, began)
            return
        if result is not Result.FAULT or fault is None:
            nodes.target.inconclusive(began)
            nodes.account.inconclusive(began)
            nodes.provider.inconclusive(began)
            return
        self._failed(target, nodes, fault, now, began, counts=not retry)

    def _failed(
        self, target: Target, nodes: Nodes, fault: Fault, now: float, began: float, *, counts: bool
    ) -> None:
        breaker, account, provider = nodes.target, nodes.account, nodes.provider
        if fault.kind is Kind.ACCOUNT:
            account.hold(fault, now, _until_a_human_may_have_come(fault))
            breaker.inconclusive(began)
            provider.inconclusive(began)
            return
        if fault.status is not None and fault.scope in {Scope.MODEL, Scope.ACCOUNT}:
            # The provider answered, and looked past the credential: the account itself works.
            if account.state is not _CLOSED:
                account.succeeded(now, began)
        else:
            account.inconclusive(began)
        if fault.kind is Kind.OVERLOAD or fault.kind is Kind.THROTTLED:
            breaker.short_at = now
        if fault.kind in OUTAGE_LIKE:
            breaker.failed(fault, now, began, self._draw(), counts=counts)
            self._widen(target, provider, fault, now, began, counts=counts)
            return
        provider.inconclusive(began)
        if fault.kind is Kind.THROTTLED:
            breaker.hold(fault, now, fault.retry_after or THROTTLE_SECONDS)
        elif fault.kind is Kind.CONFIG:
            breaker.hold(fault, now, _until_a_human_may_have_come(fault))
        else:
            breaker.inconclusive(began)

    def _widen(
        self,
        target: Target,
        provider: Breaker,
        fault: Fault,
        now: float,
        began: float,
        *,
        counts: bool,
    ) -> None:
        """The same failure as the provider sees it: its own only where it is seen all over it."""
        if provider.state is not _CLOSED:
            provider.failed(fault, now, began, self._draw())
        elif provider.noted(now, counts=counts) and self._is_wide(target.provider, now):
            provider.open(fault, now, self._draw())

    def _is_wide(self, provider: str, now: float) -> bool:
        """Several of its targets fail, and none that was heard of lately works."""
        sick = 0
        for key in self._members[provider]:
            breaker = self._nodes[key].target
            if breaker.is_suspicious or breaker.fault is not None:
                sick += breaker.last_bad > breaker.last_good
            elif now - breaker.last_good < PARTLY_SECONDS:
                return False
        return sick >= WIDE_LEAST

    def ramp(self, node: str, now: float) -> None:
        """Everything in `node` (see `understudy.policy.pulls.Node`) comes back step by step.

        Raises:
            ValueError: it names no node.
        """
        place = Node.parse(node)
        for nodes in self._nodes.values():
            if place.holds(nodes.place):
                nodes.target.ramp(now)


def _until_a_human_may_have_come(fault: Fault) -> float:
    return min(HUMAN_SECONDS_MAX, max(HUMAN_SECONDS, fault.retry_after or 0.0))


def _describe(breaker: Breaker, name: str, now: float) -> str:
    kind = breaker.fault.kind.value if breaker.fault else "fault"
    if now >= breaker.opened_until:
        return f"{name}: {kind}, a trial decides"
    return f"{name}: {kind}, next try in {breaker.opened_until - now:.0f} s"
