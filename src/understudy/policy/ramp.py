"""How fast deferred jobs go to a target, so that what has just come back is not knocked over.

Everybody's backlog wakes at once when a provider recovers. On 12 June 2025 the herd that met a
recovering service without randomised backoff was a part of the outage
(https://status.cloud.google.com/incidents/ow5i3PPK96RduMcb1SsW). So each target has a ramp:

- It starts at a tenth of what the target is known to bear: what it served in its busiest minute of
  late. A rate limit that is lower counts instead; a higher one is our share of what the provider
  bears when it is well, and says nothing of one that has just come back.
- It doubles in half a minute, while jobs succeed there and more of them wait than it lets go; in
  two minutes beyond what the target is known to bear, or near the rate that was once too much.
- A target that says that it, or our share of it, is short (429, 529) halves it, once a second at
  most. Any other failure stops the growth until a job succeeds again.
- It never takes more than half of what others leave: what people ask for now goes first, and they
  must find room at once when they ask for more. A limit that nobody told and a refusal showed is
  no less than what it has let through (`Flow.sustained`), and is taken to be that.
- What a refusal taught holds for a quarter of an hour, and for twice as long each time that it
  proves true. So a limit that nobody tells costs one refusal, and another one if the backlog is
  still there then.
- After an outage, and after ten minutes without jobs, it starts again.

Of several processes each has a ramp, which has its part of what a provider allows and of what is
guessed (`Ramp.processes`).

A ramp decides how many may begin; how many may run at once is `understudy.policy.room`'s to say,
and which, the store's. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isinf
from typing import Final

from understudy.core.quota import Level, Unit

__all__ = [
    "CAREFUL_SECONDS",
    "DOUBLING_SECONDS",
    "HEADROOM_SHARE",
    "Lesson",
    "Ramp",
    "is_low",
    "told_rate",
]

#: The share of what a target bears that a ramp starts with.
START_SHARE: Final = 0.1
#: Seconds in which it doubles: within what is known, and beyond.
DOUBLING_SECONDS: Final = 30.0
CAREFUL_SECONDS: Final = 120.0
#: The share of a rate that was too much from which on growth is careful.
NEAR_SHARE: Final = 0.8
#: What remains after a shortage.
BACKOFF: Final = 0.5
BACKOFF_SECONDS: Final = 1.0
#: What remains of a limit that was learned, where it was too high all the same.
LESS: Final = 0.8
#: The share of the unused headroom that jobs may have.
HEADROOM_SHARE: Final = 0.5
#: Requests a second that a target is taken to bear of which nothing better is known, and the least
#: that a ramp falls to: neither is what knocks a provider over.
UNKNOWN_BEARS: Final = 12.5
LEAST_RATE: Final = 0.1
#: Requests a second in its busiest minute from which on that says what a target bears.
KNOWN_LEAST: Final = 0.5
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
#: For how long a lesson holds: at first, where next to nothing had been seen, and at last.
LESSON_SECONDS: Final = 900.0
LESSON_SECONDS_FIRST: Final = 120.0
LESSON_SECONDS_MOST: Final = 3600.0
#: Refusals that follow within so many seconds are the same one: they were under way.
SAME_SECONDS: Final = 10.0

_NEVER: Final = -inf


class Lesson:
    """For how long something that a refusal taught holds."""

    __slots__ = ("_at", "_seconds", "_until")

    def __init__(self) -> None:
        self._at = _NEVER
        self._until = _NEVER
        self._seconds = 0.0

    def holds(self, now: float) -> bool:
        """Whether it does now."""
        return now < self._until

    def is_fresh(self, now: float) -> bool:
        """It has only just been taught: what is under way may teach it as well."""
        return now - self._at < SAME_SECONDS

    def learn(self, now: float, *, thin: bool = False) -> bool:
        """It was taught, by little if `thin`; whether that is news and not the same once more."""
        if self.is_fresh(now):
            return False
        if now - self._until > LESSON_SECONDS:
            self._seconds = LESSON_SECONDS_FIRST if thin else LESSON_SECONDS
        else:
            self._seconds = min(2.0 * self._seconds, LESSON_SECONDS_MOST)
        self._at = now
        self._until = now + self._seconds
        return True


class Ramp:
    """How many jobs may begin at one target."""

    __slots__ = (
        "_at",
        "_backed_off_at",
        "_careful_from",
        "_is_well",
        "_lesson",
        "_limit",
        "_peak",
        "_used_at",
        "_was_short",
        "processes",
        "rate",
        "saved",
    )

    def __init__(self) -> None:
        #: Jobs a second; 0 before it has started.
        self.rate = 0.0
        #: Jobs that may begin at once.
        self.saved = 0.0
        #: How many have such a ramp for the same target.
        self.processes = 1
        self._at = _NEVER
        self._used_at = _NEVER
        self._backed_off_at = _NEVER
        #: The rate from which on it grows carefully.
        self._careful_from = 0.0
        #: Requests a second that a limit allows which nobody told, and how long that is believed.
        self._limit = inf
        self._lesson = Lesson()
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
            self._careful_from = self._bears()
            self.saved = 1.0
            self._used_at = now
        elif self._is_well and self._was_short and elapsed <= LOOK_SECONDS:
            self.rate *= 2.0 ** (elapsed / self.doubling(self.rate))
        rate = min(self.rate, self.most(others, told, now))
        if not isinf(elapsed):
            self.saved += elapsed * rate
        self.saved = min(self.saved, max(1.0, BURST_SECONDS * rate)) if rate > 0.0 else 0.0
        free = min(wanted, int(self.saved))
        # Where it is others who leave no more, a higher rate of our own would be no better known.
        self._was_short = free < wanted and rate == self.rate
        return free

    def most(self, others: float, told: float | None, now: float) -> float:
        """Jobs a second at most, whatever the ramp: half of what others leave."""
        most = inf
        if told is not None:
            most = HEADROOM_SHARE * max(told / self.processes - others, 0.0)
        if self._lesson.holds(now):
            # It was learned from what this process was let through: that is its part.
            most = min(most, max(HEADROOM_SHARE * (self._limit - others), self._least))
        return most

    def first(self, told: float | None) -> float:
        """The rate that it starts with."""
        bears = self._bears()
        if told is not None:
            bears = min(bears, told / self.processes)
        return max(self._least, START_SHARE * bears)

    def doubling(self, rate: float) -> float:
        """Seconds in which `rate` doubles."""
        return DOUBLING_SECONDS if rate < self.careful_from else CAREFUL_SECONDS

    @property
    def careful_from(self) -> float:
        """Jobs a second from which on it grows carefully."""
        return self._careful_from if self.rate else self._bears()

    def took(self, count: int, now: float) -> None:
        """So many have begun."""
        self.saved -= count
        self._used_at = now

    def spared(self) -> None:
        """One that had begun asked nothing of the target."""
        self.saved += 1

    def went_well(self) -> None:
        """A job has succeeded."""
        self._is_well = True

    def went_wrong(self) -> None:
        """A job has failed, and not by its own fault."""
        self._is_well = False

    def pushed_back(self, now: float, limit: float | None = None, *, thin: bool = False) -> None:
        """The target has said that it is short; or our share of it is, of which `limit` requests a
        second are known to be allowed, by little (`thin`) perhaps.
        """
        self._is_well = False
        # Nor does the time until now count for what may begin.
        self.saved = 0.0
        self._at = now
        if limit is not None:
            was_wrong = self._lesson.holds(now)
            if self._lesson.learn(now, thin=thin):
                self._limit = min(limit, LESS * self._limit) if was_wrong else limit
        if now - self._backed_off_at < BACKOFF_SECONDS:
            return
        self._backed_off_at = now
        if self.rate:
            self._careful_from = min(self._careful_from, NEAR_SHARE * self.rate)
            self.rate = max(self._least, BACKOFF * self.rate)

    def is_taught(self, now: float) -> bool:
        """It goes by a limit that nobody told."""
        return self._lesson.holds(now)

    def lets_through(self, rate: float) -> None:
        """A limit lets so many requests a second through at least, as it turns out."""
        self._limit = max(self._limit, rate)

    def restart(self) -> None:
        """The target was out of service: it is to be tried anew, within the limits that it had."""
        self.rate = self.saved = 0.0
        self._is_well = self._was_short = False

    def served(self, rate: float, elapsed: float) -> None:
        """The target has served so many requests a second of late; `elapsed` since this was last
        told.
        """
        self._peak = max(rate, self._peak * 0.5 ** (elapsed / PEAK_HALF_LIFE))

    @property
    def _least(self) -> float:
        return LEAST_RATE / self.processes

    def _bears(self) -> float:
        # The peak is of what went through this process. So little says that little was asked.
        return self._peak if self._peak >= KNOWN_LEAST else UNKNOWN_BEARS / self.processes


def told_rate(levels: Iterable[Level], prompt: float, answer: float) -> float | None:
    """Requests a second that rate limits allow, each of so many tokens; None: there are none."""
    weight = {
        Unit.REQUESTS: 1.0,
        Unit.INPUT_TOKENS: prompt,
        Unit.OUTPUT_TOKENS: answer,
        Unit.TOKENS: prompt + answer,
    }
    rates = [level.limit / MINUTE / max(weight[level.unit], 1.0) for level in levels]
    return min(rates, default=None)


def is_low(levels: Iterable[Level]) -> bool:
    """Whether less is left of a rate limit than people must find there when they ask for more."""
    return any(level.left < (1.0 - HEADROOM_SHARE) * level.limit for level in levels)
