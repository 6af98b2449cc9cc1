"""Budgets: what is asked on top stays a small share of first attempts.

Retries at the same target: at most 10 % of its first attempts within a minute, or three at a time
where traffic is thin (Google SRE book, "Handling Overload": 10 % a client; Envoy's retry budget: at
least 3 concurrent). Failover to another target is not charged: in an outage every request must
move.

Hedges, second attempts beside a slow first one: at most 5 % (Dean and Barroso, "The Tail at Scale",
CACM 56/2, 2013: about what hedging after the 95th percentile asks for).
"""

from __future__ import annotations

from collections import deque

from understudy.policy.tally import Tally

__all__ = ["HedgeBudget", "RetryBudget"]

RETRY_SHARE = 0.1
CONCURRENT_FLOOR = 3
HEDGE_SHARE = 0.05
#: How long a hedge counts.
HEDGE_SECONDS = 60.0
#: Targets counted.
TARGETS_KEPT = 4096


class RetryBudget:
    """The retry budget of every target, by its key."""

    def __init__(self) -> None:
        #: good: first attempts; bad: retries.
        self._tallies: dict[str, Tally] = {}
        self._concurrent: dict[str, int] = {}

    def _tally(self, key: str) -> Tally:
        tally = self._tallies.get(key)
        if tally is None:
            if len(self._tallies) >= TARGETS_KEPT:
                # Callers may name models: a fresh count is the lesser harm.
                self._tallies.clear()
            tally = self._tallies[key] = Tally()
        return tally

    def first(self, key: str, now: float) -> None:
        """A first attempt at the target begins."""
        self._tally(key).add_good(now)

    def counts(self, key: str, now: float) -> tuple[int, int, int]:
        """(first attempts, retries) at the target within the last minute; retries under way now."""
        tally = self._tallies.get(key)
        firsts, retries = tally.counts(now) if tally is not None else (0, 0)
        return firsts, retries, self._concurrent.get(key, 0)

    def allows(self, key: str, now: float) -> bool:
        """Whether one more retry at the target is within the budget."""
        if self._concurrent.get(key, 0) < CONCURRENT_FLOOR:
            return True
        tally = self._tallies.get(key)
        if tally is None:
            return False
        firsts, retries = tally.counts(now)
        return retries + 1 <= RETRY_SHARE * firsts

    def retry(self, key: str, now: float) -> None:
        """A retry is promised (it counts from when it starts to wait)."""
        self._tally(key).add_bad(now)
        self._concurrent[key] = self._concurrent.get(key, 0) + 1

    def retried(self, key: str) -> None:
        """A retry has ended, or was given up."""
        left = self._concurrent.get(key, 0) - 1
        if left > 0:
            self._concurrent[key] = left
        else:
            self._concurrent.pop(key, None)


class HedgeBudget:
    """The hedge budget of every target, by the key of the target that was asked first.

    By target, because slowness is a target's: one that is slow for all could otherwise spend what
    the others have earned, and no target ever gets more than 5 % of another's traffic on top.

    Strict where `RetryBudget` is lenient: a hedge is a convenience, a second bill, and adds load
    when things are slow. In the minute up to any hedge, hedges are at most 5 % of first attempts,
    none of them for free: below 20 requests a minute there is no hedging.
    """

    def __init__(self) -> None:
        self._minutes: dict[str, _Minute] = {}

    def first(self, key: str, now: float) -> None:
        """A first attempt at the target begins."""
        minute = self._minutes.get(key)
        if minute is None:
            if len(self._minutes) >= TARGETS_KEPT:
                # Callers may name models: the oldest begins anew, without any hedge.
                del self._minutes[next(iter(self._minutes))]
            minute = self._minutes[key] = _Minute()
        minute.firsts.add_good(now)

    def allows(self, key: str, now: float) -> bool:
        """Whether one more hedge beside an attempt at the target is within the budget."""
        minute = self._minutes.get(key)
        if minute is None:
            return False
        hedges = minute.hedges
        while hedges and hedges[0] <= now - HEDGE_SECONDS:
            hedges.popleft()
        firsts, _ = minute.firsts.counts(now)
        return len(hedges) + 1 <= HEDGE_SHARE * firsts

    def hedged(self, key: str, now: float) -> None:
        """A hedge beside an attempt at the target begins: `allows` was asked just before."""
        minute = self._minutes.get(key)
        if minute is not None:
            minute.hedges.append(now)


class _Minute:
    """What happened at one target within the last minute.

    The tally's window turns in steps and is 50 to 60 s long, so that it may miss first attempts:
    the safe side. Hedges must not be missed. They are few, and kept one by one.
    """

    __slots__ = ("firsts", "hedges")

    def __init__(self) -> None:
        self.firsts = Tally()
        #: When each hedge began.
        self.hedges: deque[float] = deque()
