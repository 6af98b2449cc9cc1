"""A circuit breaker: what fails is left alone, tried by one request, and brought back slowly.

    closed ──(the score says that it is broken: `detect`)─────────────────────▶ open
    closed ──(a fault that speaks for itself: throttled, account, config)─────▶ open, for its time
    open ────(its time is over: one attempt is let through as a trial)────────▶ half-open
    half-open ──(the trial succeeds, as often as is asked)──▶ closed, in slow start
    half-open ──(it fails)──▶ open, twice as long

Open lasts 15 s × 2ᵏ, at most 300 s, ± 20 % (Envoy's outlier detection grows its ejection in the
same way to the same 300 s; its jitter of 0 is what makes herds). What has been open lately begins
where it stopped, so that something that comes and goes is tried ever more seldom. An attempt that
began before the breaker opened and ends later, well or badly, says nothing new: it does not close
it, prolong it, or end a trial. One out of turn that succeeds closes it; one that fails leaves its
time as it stands.

Lateness is evidence of its own (`Breaker.came`): the first content of an answer far later than
usual. A target that is only late is opened as well, for a fault of the code `slower_than_usual`,
which makes others preferred to it and keeps nobody from it: slow is better than nothing. A trial
that is late has failed.

Slow start: after an outage a tenth of the traffic comes back at once, and all of it over two
minutes (Envoy's slow start: the share grows with time, from 10 %), so that what has just recovered
is not knocked over by those who waited for it.

Several processes have a breaker each for the same thing. What one finds out by its own evidence it
says (`Change`), and the others follow (`rest_as_told`, `close_as_told`): see
`understudy.policy.news`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.detect import Cusum, slowness

__all__ = ["Breaker", "BreakerState", "Change"]

#: Seconds: first opening, longest opening, jitter on either side.
OPEN_SECONDS: Final = 15.0
OPEN_SECONDS_MAX: Final = 300.0
JITTER: Final = 0.2
#: Seconds closed after which earlier openings are forgotten: the longest opening, twice.
FORGET_SECONDS: Final = 600.0
#: Seconds of slow start, and the share that it begins with.
SLOW_START_SECONDS: Final = 120.0
SLOW_START_SHARE: Final = 0.1
#: Probes that must succeed in a row, and seconds between them: one may pass at something that fails
#: every other time (resilience4j permits ten calls, half-open).
PROBES_TO_CLOSE: Final = 3
PROBE_SECONDS: Final = 2.0

#: Seconds that another process' trial has to end, or it has ended unheard: as long as a probe has,
#: and half of that again.
TRIAL_SECONDS: Final = 15.0
#: Seconds until the next look at what failed after it had passed: it is no longer what it was, and
#: a sound target fails one call of a hundred too.
MIXED_SECONDS: Final = 5.0

_SLOW_CODE: Final = "slower_than_usual"
_NEVER: Final = float("-inf")


class BreakerState(StrEnum):
    """What a breaker lets through: everything, nothing, or one trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Change(StrEnum):
    """What a breaker has found out by evidence of this process' own."""

    #: It rests from now on, or longer than it would have.
    RESTS = "rests"
    #: A trial that was due has begun.
    TRIED = "tried"
    #: It has failed here too while it rested.
    CONFIRMED = "confirmed"
    #: It works.
    CLOSED = "closed"
    #: An operator lets it come back step by step.
    RAMPS = "ramps"


_CLOSED: Final = BreakerState.CLOSED


class Breaker:
    """One circuit breaker, and what is known through it.

    Args:
        changed: is told what is found out; None: nobody else wants to know.
    """

    __slots__ = (
        "_changed",
        "_closed_at",
        "_cusum",
        "_opened_at",
        "_openings",
        "_passed",
        "_ramp_from",
        "_seconds",
        "_slowness",
        "_trial",
        "fault",
        "is_ours",
        "last_attempt",
        "last_bad",
        "last_good",
        "opened_until",
        "short_at",
        "slow_since",
        "state",
        "suspected_at",
        "told_good",
    )

    def __init__(self, changed: Callable[[Change], None] | None = None) -> None:
        self._changed = changed
        self.state = _CLOSED
        self.opened_until = 0.0
        #: The fault that opened it.
        self.fault: Fault | None = None
        self.last_attempt = _NEVER
        #: When it last worked: never is "never proved". And when it last failed.
        self.last_good = _NEVER
        self.last_bad = _NEVER
        #: When another process has last seen it work. It is shown, and counts for nothing.
        self.told_good = _NEVER
        #: Its trials are for this process to make, whoever leads.
        self.is_ours = False
        #: When it last said that it, or our share of it, was short.
        self.short_at = _NEVER
        #: Since when it has been under suspicion, if it is.
        self.suspected_at = _NEVER
        #: Since when its answers have been later than usual, if they are.
        self.slow_since = _NEVER
        self._cusum = Cusum()
        self._slowness = slowness()
        self._opened_at = _NEVER
        self._closed_at = _NEVER
        self._openings = 0
        #: How long it rested last, or was to rest.
        self._seconds = OPEN_SECONDS
        self._trial = False
        #: Probes that have succeeded since it was half open.
        self._passed = 0
        self._ramp_from = _NEVER

    @property
    def score(self) -> float:
        """How much speaks for its being broken: see `understudy.policy.detect`."""
        return self._cusum.score

    @property
    def is_suspicious(self) -> bool:
        """It is closed, and there is a reason to look closer."""
        return self.state is _CLOSED and self._cusum.is_suspicious

    @property
    def doubted_since(self) -> float:
        """Since when it has been under suspicion, or given up; minus infinity if it is neither."""
        if self.state is _CLOSED:
            return self.suspected_at
        return self._opened_at

    @property
    def openings(self) -> int:
        """How often it has been opened lately: each doubles its rest."""
        return self._openings

    @property
    def ramp_from(self) -> float:
        """When its traffic began to come back; minus infinity if it never did."""
        return self._ramp_from

    @property
    def was_told_to_wait(self) -> bool:
        """It works, and must not be asked more: no probe of ours would be welcome."""
        return self.fault is not None and self.fault.kind is Kind.THROTTLED

    @property
    def is_merely_slow(self) -> bool:
        """It works, and was opened because it answers late."""
        return self.fault is not None and self.fault.code == _SLOW_CODE

    def admits(self, now: float) -> bool:
        """Whether an attempt may go through at `now`."""
        if self.state is _CLOSED:
            return True
        return now >= self.opened_until and not self._trial

    def share(self, now: float) -> float:
        """The share of its traffic that it may have: 1, or less in slow start."""
        since = now - self._ramp_from
        if since >= SLOW_START_SECONDS:
            return 1.0
        return max(SLOW_START_SHARE, since / SLOW_START_SECONDS)

    def started(self, now: float) -> None:
        """An attempt begins."""
        self.last_attempt = now
        if self.state is not _CLOSED:
            is_due = now >= self.opened_until and not self._trial
            self.state = BreakerState.HALF_OPEN
            self._trial = True
            if is_due:
                self._say(Change.TRIED)

    def came(
        self, now: float, began: float, chance: float, *, late: bool, is_probe: bool = False
    ) -> None:
        """The first content of an attempt came, `late` or in time. `chance` draws the jitter.

        A probe asks for one word, and so says less of what callers wait for: late it speaks against
        its target, in time it says nothing.
        """
        if began < self._opened_at:
            return
        if self.state is not _CLOSED:
            if self.was_told_to_wait and began >= self.opened_until:
                # It takes requests again; how many, is its gate's to say (`gates`).
                self._close(now)
            return
        if not late:
            if not is_probe and self._slowness.score:
                self._slowness.add_good()
                if not self._slowness.score:
                    self.slow_since = _NEVER
            return
        self._slowness.add_bad()
        if self.slow_since == _NEVER:
            self.slow_since = now
        if self._slowness.is_alarmed:
            self.open(_slower_than_usual(), now, chance)

    def succeeded_late(self, now: float, began: float, chance: float) -> None:
        """An attempt ended well whose first content was late: no trial to close it by."""
        if not self.is_merely_slow:
            self.succeeded(now, began)
            return
        self.last_good = now
        if began < self._opened_at:
            return
        if began < self.opened_until:
            self.inconclusive(began)
            return
        self._rest(_slower_than_usual(), now, self._interval(chance))
        self._openings += 1

    def succeeded(self, now: float, began: float, *, is_probe: bool = False) -> None:
        """An attempt that began at `began` ended well."""
        self.last_good = now
        if began < self._opened_at:
            return
        if self.state is _CLOSED:
            self._cusum.add_good()
            if not self._cusum.is_suspicious:
                self.suspected_at = _NEVER
            return
        if self.is_merely_slow and began < self.opened_until:
            # Out of turn: one answer in time is no proof against many that were late.
            self.inconclusive(began)
            return
        if is_probe:
            self._passed += 1
            if self._passed < PROBES_TO_CLOSE:
                self._trial = False
                self.opened_until = now + PROBE_SECONDS
                return
        self._close(now)

    def failed(
        self, fault: Fault, now: float, began: float, chance: float, *, counts: bool = True
    ) -> None:
        """An attempt ended in an outage-like fault. `chance` in [0, 1) draws the jitter.

        `counts`: it is evidence of its own, not another try of a request that has failed here.
        """
        self.last_bad = now
        if began < self._opened_at:
            return
        if self.state is not _CLOSED:
            if began < self.opened_until:
                self.inconclusive(began)
                self._say(Change.CONFIRMED)
                return
            if self._passed:
                self._rest(fault, now, MIXED_SECONDS)
            else:
                self._rest(fault, now, self._interval(chance))
                self._openings += 1
            return
        if self.noted(now, counts=counts):
            self.open(fault, now, chance)

    def noted(self, now: float, *, counts: bool = True) -> bool:
        """One more failure; whether it is broken by now."""
        if counts:
            self._cusum.add_bad()
        if self.suspected_at == _NEVER:
            self.suspected_at = now
        return self._cusum.is_alarmed

    def open(self, fault: Fault, now: float, chance: float) -> None:
        """Leave it alone: it is broken."""
        if now - self._closed_at >= FORGET_SECONDS:
            self._openings = 0
        self._rest(fault, now, self._interval(chance))
        self._openings += 1

    def hold(self, fault: Fault, now: float, seconds: float) -> None:
        """Open at once for `seconds`: the fault leaves no doubt."""
        self._rest(fault, now, seconds)

    def inconclusive(self, began: float) -> None:
        """An attempt ended without saying anything about it."""
        if self._trial and began >= self._opened_at:
            self._trial = False
            self.state = BreakerState.OPEN

    def ramp(self, now: float) -> None:
        """Let the traffic come back step by step."""
        self._ramp_from = now
        self._say(Change.RAMPS)

    # -- what other processes say -------------------------------------------------------------

    def rest_as_told(
        self, fault: Fault | None, now: float, until: float, openings: int, *, tried: bool
    ) -> None:
        """Another process has found it broken; `tried`: and has begun a trial."""
        if self.state is not BreakerState.OPEN:
            self._opened_at = now
        self.state = BreakerState.HALF_OPEN if tried else BreakerState.OPEN
        self._trial = False
        self._passed = 0
        self.fault = fault
        if fault is not None and fault.kind in {Kind.THROTTLED, Kind.OVERLOAD}:
            self.short_at = now
        self.opened_until = now + TRIAL_SECONDS if tried else until
        self._seconds = max(OPEN_SECONDS, self.opened_until - now)
        self._openings = max(0, openings)

    def close_as_told(self, now: float, ramp_from: float) -> None:
        """Another process has found that it works."""
        if self.state is not _CLOSED:
            self._clear(now)
        self._ramp_from = ramp_from

    def doubt_as_told(self, now: float, *, slow: bool) -> None:
        """Another process has seen it fail, or be late: reason enough to look closer."""
        if self.state is not _CLOSED:
            return
        if slow:
            if self.slow_since == _NEVER:
                self.slow_since = now
                self._slowness.add_bad()
        elif not self._cusum.is_suspicious:
            self.suspected_at = now
            self._cusum.add_bad()

    def rest_on(self, now: float) -> None:
        """Rest as long again: the trial is another process' this time."""
        if self.state is not _CLOSED:
            self.opened_until = now + self._seconds

    def _interval(self, chance: float) -> float:
        # Far beyond the longest opening; without it a day's outage would overflow a float.
        doublings = min(self._openings, 16)
        seconds = min(OPEN_SECONDS_MAX, OPEN_SECONDS * 2.0**doublings)
        return seconds * (1.0 - JITTER + 2.0 * JITTER * chance)

    def _rest(self, fault: Fault, now: float, seconds: float) -> None:
        until = now + seconds
        # Never shorter than what stands already.
        if self.state is BreakerState.OPEN and until <= self.opened_until:
            return
        if self.state is not BreakerState.OPEN:
            self.state = BreakerState.OPEN
            self._opened_at = now
        self._trial = False
        self._passed = 0
        self.fault = fault
        self.opened_until = until
        self._seconds = seconds
        self._say(Change.RESTS)

    def _close(self, now: float) -> None:
        if self._openings:
            self._ramp_from = now
        self._clear(now)
        self._say(Change.CLOSED)

    def _clear(self, now: float) -> None:
        self.is_ours = False
        self.state = _CLOSED
        self._closed_at = now
        self._trial = False
        self._passed = 0
        self.fault = None
        self.opened_until = 0.0
        self.suspected_at = self.slow_since = _NEVER
        self._cusum.clear()
        self._slowness.clear()

    def _say(self, change: Change) -> None:
        if self._changed is not None:
            self._changed(change)


def _slower_than_usual() -> Fault:
    return Fault(
        kind=Kind.SLOW,
        scope=Scope.MODEL,
        code=_SLOW_CODE,
        message="answers begin far later than they usually do",
    )
