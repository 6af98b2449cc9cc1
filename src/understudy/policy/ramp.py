"""How fast deferred jobs go to a target, so that what has just come back is not knocked over.

Everybody's backlog wakes at once when a provider recovers. On 12 June 2025 the herd that met a
recovering service without randomised backoff was a part of the outage
(https://status.cloud.google.com/incidents/ow5i3PPK96RduMcb1SsW). So each target has a ramp:

- It starts at a tenth of what the target is known to bear: what it served in its busiest minute of
  late. A rate limit that is lower counts instead; a higher one is our share of what the provider
  bears when it is well, and says nothing of one that has just come back.
- It doubles in half a minute, while jobs succeed there and more of them wait than it lets go.
- A target that says that it, or our share of it, is short (429, 529) halves it, once a second at
  most. Any other failure stops the growth until a job succeeds again.
- It never takes more than half of what others leave: what people ask for now goes first, and they
  must find room at once when they ask for more.
- After an outage, and after ten minutes without jobs, it starts again.

A ramp decides how many may begin; which, is the store's to say. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isinf
from typing import Final

from understudy.core.quota import Level, Unit

__all__ = ["DOUBLING_SECONDS", "Ramp", "at_once", "told_rate"]

#: The share of what a target bears that a ramp starts with.
START_SHARE: Final = 0.1
#: Seconds in which it doubles.
DOUBLING_SECONDS: Final = 30.0
#: What remains after a shortage.
BACKOFF: Final = 0.5
BACKOFF_SECONDS: Final = 1.0
#: The share of the unused headroom that jobs may have.
HEADROOM_SHARE: Final = 0.5
#: Jobs a second that a target is taken to bear of which nothing better is known, and the least that
#: a ramp falls to: neither is what knocks a provider over.
UNKNOWN_BEARS: Final = 20.0
LEAST_RATE: Final = 0.5
#: What was not used for so long may be different by now.
FORGET_SECONDS: Final = 600.0
#: What a target served in its busiest minute counts for half after so long.
PEAK_HALF_LIFE: Final = 3600.0
#: Saved up, in seconds of its rate: a pause does not make a burst of what follows.
BURST_SECONDS: Final = 1.0
#: Two looks that lie further apart are not one stretch of going well.
LOOK_SECONDS: Final = 5.0
#: Limits are by the minute.
MINUTE: Final = 60.0

_NEVER: Final = -inf


class Ramp:
    """How many jobs may begin at one target."""

    __slots__ = (
        "_at",
        "_backed_off_at",
        "_is_well",
        "_peak",
        "_used_at",
        "_was_short",
        "rate",
        "saved",
    )

    def __init__(self) -> None:
        #: Jobs a second; 0 before it has started.
        self.rate = 0.0
        #: Jobs that may begin at once.
        self.saved = 0.0
        self._at = _NEVER
        self._used_at = _NEVER
        self._backed_off_at = _NEVER
        self._is_well = False
        #: At the last look there was more to do than it let go.
        self._was_short = False
        self._peak = 0.0

    def allowed(self, wanted: int, others: float, told: float | None, now: float) -> int:
        """How many of `wanted` jobs may begin.

        `others`: requests a second that are no jobs, at that target. `told`: how many a second its
        rate limits allow, None where nothing is known of them.
        """
        elapsed = now - self._at
        self._at = now
        if self.rate and now - self._used_at > FORGET_SECONDS:
            self.restart()
        if not self.rate:
            self.rate = self.first(told)
            self.saved = max(1.0, BURST_SECONDS * self.rate)
            self._used_at = now
        elif self._is_well and self._was_short and elapsed <= LOOK_SECONDS:
            self.rate *= 2.0 ** (elapsed / DOUBLING_SECONDS)
        rate = min(self.rate, self.most(others, told))
        if not isinf(elapsed):
            self.saved += elapsed * rate
        self.saved = min(self.saved, max(1.0, BURST_SECONDS * rate)) if rate > 0.0 else 0.0
        free = min(wanted, int(self.saved))
        # Where it is others who leave no more, a higher rate of our own would be no better known.
        self._was_short = free < wanted and rate == self.rate
        return free

    def most(self, others: float, told: float | None) -> float:
        """Jobs a second at most, whatever the ramp: half of what others leave."""
        return inf if told is None else HEADROOM_SHARE * max(told - others, 0.0)

    def first(self, told: float | None) -> float:
        """The rate that it starts with."""
        bears = max(self._peak, UNKNOWN_BEARS)
        if told is not None:
            bears = min(bears, told)
        return max(LEAST_RATE, START_SHARE * bears)

    def took(self, count: int, now: float) -> None:
        """So many have begun."""
        self.saved -= count
        self._used_at = now

    def went_well(self) -> None:
        """A job has succeeded."""
        self._is_well = True

    def went_wrong(self) -> None:
        """A job has failed, and not by its own fault."""
        self._is_well = False

    def pushed_back(self, now: float) -> None:
        """The target has said that it, or our share of it, is short."""
        self._is_well = False
        # Nor does the time until now count for what may begin.
        self.saved = 0.0
        self._at = now
        if now - self._backed_off_at < BACKOFF_SECONDS:
            return
        self._backed_off_at = now
        self.rate = max(LEAST_RATE, BACKOFF * self.rate) if self.rate else 0.0

    def restart(self) -> None:
        """What it has learned holds no longer: the target was out of service."""
        self.rate = self.saved = 0.0
        self._is_well = self._was_short = False

    def served(self, rate: float, elapsed: float) -> None:
        """The target has served so many requests a second of late; `elapsed` since this was last
        told.
        """
        self._peak = max(rate, self._peak * 0.5 ** (elapsed / PEAK_HALF_LIFE))


def told_rate(levels: Iterable[Level], tokens: float) -> float | None:
    """Requests a second that rate limits allow, each of `tokens`; None where there are none."""
    rates = [
        level.limit / MINUTE / (1.0 if level.unit is Unit.REQUESTS else max(tokens, 1.0))
        for level in levels
    ]
    return min(rates, default=None)


def at_once(limit: float, in_flight: int, jobs: int) -> float:
    """How many more jobs may run at a target that bears `limit` answers at once.

    `in_flight` runs there now, `jobs` of it are jobs. They have half of what others leave, and one
    more: what is learned of how much a target bears (`understudy.policy.concurrency`) grows only
    where more than half of it is tried.
    """
    free = limit - (in_flight - jobs)
    if free < 1.0:
        return 0.0
    return max(0.0, min(free, HEADROOM_SHARE * free + 1.0) - jobs)
