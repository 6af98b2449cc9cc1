"""Retry budgets: same-target retries stay a small share of first attempts.

At most 10 % of a target's first attempts within a minute, or three at a time where traffic is thin
(Google SRE book, "Handling Overload": 10 % a client; Envoy's retry budget: at least 3 concurrent).
Failover to another target is not charged: in an outage every request must move.
"""

from __future__ import annotations

from understudy.policy.tally import Tally

__all__ = ["RetryBudget"]

RETRY_SHARE = 0.1
CONCURRENT_FLOOR = 3
#: Targets counted.
TARGETS_KEPT = 4096


class RetryBudget:
    """The budget of every target, by its key."""

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
