"""A bucket that fills all the time: how both vendors measure what a minute allows.

https://platform.claude.com/docs/en/api/rate-limits names the algorithm. OpenAI's page does not, but
its messages add up to it: with a limit of 10000, 8782 used and 8172 asked for, it says to try again
in 41.724 s, which is (8782 + 8172 - 10000) / 10000 of a minute.
"""

from __future__ import annotations

import math

__all__ = ["Bucket"]

_MINUTE = 60.0
#: Less than this short is a matter of rounding.
_ENOUGH = 1e-6


class Bucket:
    """Holds `limit` at most, gains `limit` a minute, and is full at first. Times are seconds."""

    __slots__ = ("_at", "_level", "limit")

    def __init__(self, limit: float, now: float) -> None:
        self.limit = limit
        self._level = limit
        self._at = now

    def level(self, now: float) -> float:
        """What is in it; negative where more was taken than there was."""
        passed = max(now - self._at, 0.0)
        return min(self._level + passed * self.limit / _MINUTE, self.limit)

    def take(self, amount: float, now: float) -> None:
        """Take out, whether it is there or not."""
        self._level = self.level(now) - amount
        self._at = now

    def drain(self, amount: float, now: float) -> None:
        """Take out what is there of `amount`."""
        self.take(max(min(amount, self.level(now)), 0.0), now)

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` is in it: 0 if it is, infinity if it can never be."""
        if amount > self.limit:
            return math.inf
        short = amount - self.level(now)
        return 0.0 if short < _ENOUGH else short * _MINUTE / self.limit

    def full_in(self, now: float) -> float:
        """Seconds until it is full."""
        return (self.limit - self.level(now)) * _MINUTE / self.limit
