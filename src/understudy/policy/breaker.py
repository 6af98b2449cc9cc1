"""Circuit breakers: a target that fails is left alone for a while, then tried by one request.

Theory of operation. Each target (provider, account, model) and each account has one `Breaker`.

    closed ──(5 outage-like faults in a row, or ≥ half of ≥ 10 within 60 s)──▶ open
    closed ──(a fault that speaks for itself: throttled, account, config)────▶ open, for its time
    open ────(its time is over: one request is let through as a trial)───────▶ half-open
    half-open ──(the trial succeeds)──▶ closed      half-open ──(it fails)──▶ open, twice as long

Open lasts 15 s × 2ᵏ, at most 300 s, ± 20 % (Envoy's outlier detection grows its ejection in the
same way to the same 300 s; its jitter of 0 is what makes herds). Callers' own faults, refusals,
callers who leave and attempts that we gave up never count: they say nothing about the target. An
attempt that began before the breaker opened and ends later, well or badly, says nothing new: it
does not close it, prolong it, or end a trial. A try out of turn (`Board.may_panic`) that succeeds
closes it; one that fails leaves its time as it stands.

`Board` holds the breakers of a running product and reads outcomes; it takes time and chance as
arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.tally import Tally
from understudy.policy.targets import Target

__all__ = ["Board", "Breaker", "BreakerState"]

#: Outage-like faults in a row that open a breaker (Envoy: consecutive_5xx 5).
CONSECUTIVE_FAULTS = 5
#: Calls in the window before a rate means anything, and the rate (resilience4j: 50 %).
MINIMUM_CALLS = 10
FAILURE_RATE = 0.5
#: Seconds: first opening, longest opening, jitter on either side.
OPEN_SECONDS = 15.0
OPEN_SECONDS_MAX = 300.0
JITTER = 0.2
#: Seconds that a throttled target rests when the provider does not say how long.
THROTTLE_SECONDS = 5.0
#: Seconds between looks at an account or model that needs a human: never sooner, whatever it says,
#: and never later, even if its date is weeks away: a human may mend it any time.
HUMAN_SECONDS = 300.0
HUMAN_SECONDS_MAX = 3600.0
#: Seconds after a throttled or overloaded answer in which nothing is hedged: a second attempt
#: beside a slow one would feed what makes it slow.
SHORT_SECONDS = 60.0
#: Targets remembered; callers may name models (`provider/*`), so those in order are let go.
TARGETS_KEPT = 4096
#: With nothing else left, an open target is tried this often (a deliberate departure from Envoy's
#: panic mode, which sends everything: these targets are rate-limited).
PANIC_SECONDS = 1.0


class BreakerState(StrEnum):
    """What a breaker lets through: everything, nothing, or one trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """One circuit breaker."""

    __slots__ = (
        "_consecutive",
        "_opened_at",
        "_openings",
        "_tally",
        "_trial",
        "fault",
        "last_attempt",
        "opened_until",
        "short_at",
        "state",
    )

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self.opened_until = 0.0
        #: The fault that opened it.
        self.fault: Fault | None = None
        self.last_attempt = float("-inf")
        #: When it last said that it, or our share of it, was short.
        self.short_at = float("-inf")
        self._tally = Tally()
        self._consecutive = 0
        self._opened_at = float("-inf")
        self._openings = 0
        self._trial = False

    def admits(self, now: float) -> bool:
        """Whether a request may go through at `now`."""
        if self.state is BreakerState.CLOSED:
            return True
        return now >= self.opened_until and not self._trial

    def started(self, now: float) -> None:
        """An attempt begins."""
        self.last_attempt = now
        if self.state is not BreakerState.CLOSED:
            self.state = BreakerState.HALF_OPEN
            self._trial = True

    def succeeded(self, now: float, began: float) -> None:
        """An attempt that began at `began` ended well."""
        if began < self._opened_at:
            return
        if self.state is not BreakerState.CLOSED:
            self._close()
            return
        self._consecutive = 0
        self._tally.add_good(now)

    def failed(self, fault: Fault, now: float, began: float, chance: float) -> None:
        """An attempt ended in an outage-like fault. `chance` in [0, 1) draws the jitter."""
        if began < self._opened_at:
            return
        if self.state is not BreakerState.CLOSED:
            if began < self.opened_until:
                self.inconclusive(began)
                return
            self._open(fault, now, self._interval(chance))
            self._openings += 1
            return
        self._tally.add_bad(now)
        self._consecutive += 1
        good, bad = self._tally.counts(now)
        if self._consecutive >= CONSECUTIVE_FAULTS or (
            good + bad >= MINIMUM_CALLS and bad >= FAILURE_RATE * (good + bad)
        ):
            self._open(fault, now, self._interval(chance))
            self._openings = 1

    def hold(self, fault: Fault, now: float, seconds: float) -> None:
        """Open at once for `seconds`: the fault leaves no doubt."""
        self._open(fault, now, seconds)

    def inconclusive(self, began: float) -> None:
        """An attempt ended without saying anything about the target."""
        if self._trial and began >= self._opened_at:
            self._trial = False
            self.state = BreakerState.OPEN

    def _interval(self, chance: float) -> float:
        # Far beyond the longest opening; without it a day's outage would overflow a float.
        doublings = min(self._openings, 16)
        seconds = min(OPEN_SECONDS_MAX, OPEN_SECONDS * 2.0**doublings)
        return seconds * (1.0 - JITTER + 2.0 * JITTER * chance)

    def _open(self, fault: Fault, now: float, seconds: float) -> None:
        until = now + seconds
        # Never shorter than what stands already.
        if self.state is BreakerState.OPEN and until <= self.opened_until:
            return
        if self.state is not BreakerState.OPEN:
            self.state = BreakerState.OPEN
            self._opened_at = now
        self._trial = False
        self.fault = fault
        self.opened_until = until

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._trial = False
        self.fault = None
        self.opened_until = 0.0
        self._openings = 0
        self._consecutive = 0
        self._tally.clear()


class Board:
    """Every breaker of a running product, and what is known through them.

    Args:
        draw: gives a number in [0, 1) for jitter.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._accounts: dict[str, Breaker] = {}
        #: A target's key → its breaker and its account's.
        self._pairs: dict[str, tuple[Breaker, Breaker]] = {}

    def _pair(self, target: Target) -> tuple[Breaker, Breaker]:
        pair = self._pairs.get(target.key)
        if pair is None:
            if len(self._pairs) >= TARGETS_KEPT:
                self._pairs = {
                    key: kept
                    for key, kept in self._pairs.items()
                    if kept[0].state is not BreakerState.CLOSED
                }
            account = self._accounts.setdefault(target.account_key, Breaker())
            pair = self._pairs[target.key] = (Breaker(), account)
        return pair

    def of_target(self, target: Target) -> Breaker:
        """The breaker of one model at one account."""
        return self._pair(target)[0]

    def of_account(self, target: Target) -> Breaker:
        """The breaker of the account that a target uses."""
        return self._pair(target)[1]

    def obstacle(self, target: Target, now: float) -> str | None:
        """Why `target` should not be used at `now`; None if it may be."""
        pair = self._pair(target)
        if pair[0].state is BreakerState.CLOSED and pair[1].state is BreakerState.CLOSED:
            return None
        for breaker, name in zip(pair, (target.key, target.account_key), strict=True):
            if breaker.state is not BreakerState.CLOSED and not breaker.admits(now):
                return _describe(breaker, name, now)
        return None

    def opens_again_in(self, target: Target, now: float) -> float:
        """Seconds until `target` may be tried again; 0 if now."""
        until = max(breaker.opened_until for breaker in self._pair(target))
        return max(0.0, until - now)

    def fault(self, target: Target) -> Fault | None:
        """Why `target` rests; None if it does not."""
        breaker, account = self._pair(target)
        return breaker.fault or account.fault

    def is_short(self, target: Target, now: float) -> bool:
        """Whether `target` was throttled or overloaded within the last `SHORT_SECONDS`."""
        return now - self._pair(target)[0].short_at < SHORT_SECONDS

    def may_panic(self, target: Target, now: float) -> bool:
        """Whether `target`, though open, may have one try because nothing else is left.

        Accounts and models that need a human are not tried: nothing but a human mends them.
        """
        breaker, account = self._pair(target)
        if account.state is not BreakerState.CLOSED:
            return False
        if breaker.fault is not None and breaker.fault.kind not in OUTAGE_LIKE:
            return False
        return now - breaker.last_attempt >= PANIC_SECONDS

    def started(self, target: Target, now: float) -> None:
        """An attempt at `target` begins."""
        breaker, account = self._pair(target)
        breaker.started(now)
        if account.state is not BreakerState.CLOSED:
            account.started(now)

    def ended(
        self,
        target: Target,
        result: Result,
        fault: Fault | None,
        now: float,
        began: float,
    ) -> None:
        """An attempt at `target` that began at `began` has ended so."""
        breaker, account = self._pair(target)
        if result is Result.CONTENT:
            breaker.succeeded(now, began)
            if account.state is not BreakerState.CLOSED:
                account.succeeded(now, began)
            return
        if result is not Result.FAULT or fault is None:
            breaker.inconclusive(began)
            account.inconclusive(began)
            return
        if fault.kind is Kind.ACCOUNT:
            account.hold(fault, now, _until_a_human_may_have_come(fault))
            breaker.inconclusive(began)
            return
        if fault.status is not None and fault.scope in {Scope.MODEL, Scope.ACCOUNT}:
            # The provider answered, and looked past the credential: the account itself works.
            account.succeeded(now, began)
        else:
            account.inconclusive(began)
        if fault.kind is Kind.OVERLOAD or fault.kind is Kind.THROTTLED:
            breaker.short_at = now
        if fault.kind in OUTAGE_LIKE:
            breaker.failed(fault, now, began, self._draw())
        elif fault.kind is Kind.THROTTLED:
            breaker.hold(fault, now, fault.retry_after or THROTTLE_SECONDS)
        elif fault.kind is Kind.CONFIG:
            breaker.hold(fault, now, _until_a_human_may_have_come(fault))
        else:
            breaker.inconclusive(began)


def _until_a_human_may_have_come(fault: Fault) -> float:
    return min(HUMAN_SECONDS_MAX, max(HUMAN_SECONDS, fault.retry_after or 0.0))


def _describe(breaker: Breaker, name: str, now: float) -> str:
    kind = breaker.fault.kind.value if breaker.fault else "fault"
    if now >= breaker.opened_until:
        return f"{name}: {kind}, another request is trying it now"
    return f"{name}: {kind}, next try in {breaker.opened_until - now:.0f} s"
