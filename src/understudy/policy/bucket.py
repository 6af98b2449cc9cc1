"""A bucket that refills all the time: how a limit by the minute is counted.

It holds a minute's worth at most, and gains a minute's worth in a minute. Anthropic names the
algorithm (https://platform.claude.com/docs/en/api/rate-limits: capacity "is continuously
replenished"); the waiting times in OpenAI's refusals add up to the same
(https://github.com/semanser/codel/issues/72: of 30,000 a minute 14,567 are used, 24,754 are asked
for, and the wait is the 9,321 that are missing, at 500 a second: 18.642 s).
"""

from __future__ import annotations

from typing import Final

__all__ = ["WINDOW_SECONDS", "Bucket"]

#: Limits are by the minute.
WINDOW_SECONDS: Final = 60.0


class Bucket:
    """One limit; it may owe. Times are in seconds of one clock; one that goes back refills nothing.

    Args:
        limit: what it holds, and gains in a minute; above zero.
        level: what is in it.
        now: at this time.
    """

    __slots__ = ("at", "level", "limit", "rate")

    def __init__(self, limit: float, level: float, now: float) -> None:
        self.limit = limit
        #: What comes back a second.
        self.rate = limit / WINDOW_SECONDS
        #: What there was `at` that time.
        self.level = level
        self.at = now

    def left(self, now: float) -> float:
        """What there is now; below zero where more was taken than there was."""
        if now > self.at:
            self.level = min(self.limit, self.level + (now - self.at) * self.rate)
            self.at = now
        return self.level

    def take(self, amount: float, now: float) -> None:
        """So much of it is used; given back where it is below zero."""
        self.level = min(self.left(now) - amount, self.limit)

    def wait(self, amount: float, now: float, held: float = 0.0) -> float:
        """Seconds until there is `amount`, or all of the limit if that is less, beside `held`."""
        missing = min(amount, self.limit) + held - self.left(now)
        return missing / self.rate if missing > 0.0 else 0.0

    def full_in(self, now: float) -> float:
        """Seconds until it is full."""
        return (self.limit - self.left(now)) / self.rate

    def change(self, limit: float, now: float) -> None:
        """From now on another limit: what is used stays used, and no debt grows by it."""
        level = self.left(now)
        used = self.limit - level
        self.limit, self.rate = limit, limit / WINDOW_SECONDS
        self.level = max(limit - used, min(level, 0.0))

    def resize(self, limit: float, now: float) -> None:
        """From now on another share of the same limit: a smaller one has the same share of what is
        left, or of what is owed; a larger one has to refill.
        """
        level = self.left(now)
        if limit < self.limit:
            self.level = level * limit / self.limit
        self.limit, self.rate = limit, limit / WINDOW_SECONDS
