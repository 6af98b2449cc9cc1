"""How many requests may run at once at a target, as long as jobs are among them.

A target that is full says so in two ways. People wait longer for their answers
(`understudy.policy.queueing`): then what runs is more than it bears well. As much is tried anew
little by little, for it shows again before anything is refused. Or it refuses (529): then as many
as that are not tried again for a quarter of an hour, or longer (`understudy.policy.ramp.Lesson`).

Jobs have half of what others leave of that. So what is tried is half of it, and people find room.
"""

from __future__ import annotations

from math import inf, isinf
from typing import Final

from understudy.policy.ramp import CAREFUL_SECONDS, HEADROOM_SHARE, LOOK_SECONDS, Lesson

__all__ = ["Room", "at_once"]

#: What remains while people notice: they are not to notice it again at once.
BACKOFF: Final = 0.85
#: As few are not what makes a target slow, or full.
LEAST: Final = 2.0
#: What has grown to this is no limit.
MOST: Final = 1000.0


class Room:
    """What one target bears at once. Times are in seconds of one clock that never goes back."""

    __slots__ = ("_at", "_crowd", "_lesson", "_refused")

    def __init__(self) -> None:
        #: A part of what ran when people noticed; it grows.
        self._crowd = inf
        #: What was too much.
        self._refused = inf
        self._lesson = Lesson()
        self._at = -inf

    def limit(self, now: float) -> float:
        """How many may run, all together."""
        return min(self._crowd, self._refused) if self._lesson.holds(now) else self._crowd

    def was_short(self, now: float) -> None:
        """There were more to begin than it let go: it may bear more by now."""
        elapsed = now - self._at
        self._at = now
        if elapsed <= LOOK_SECONDS and not isinf(self._crowd):
            self._crowd *= 2.0 ** (elapsed / CAREFUL_SECONDS)
            if self._crowd > MOST:
                self._crowd = inf

    def crowded(self, in_flight: int) -> None:
        """People wait longer, while so many run."""
        self._crowd = max(BACKOFF * min(float(in_flight), self._crowd), LEAST)

    def refused(self, in_flight: int, now: float) -> None:
        """It has said that it is overloaded, while so many ran."""
        holds = self._lesson.holds(now)
        if self._lesson.learn(now):
            limit = max(float(in_flight), LEAST)
            self._refused = min(limit, self._refused) if holds else limit

    def bears(self, in_flight: int, now: float) -> None:
        """So many run, and nothing has been refused of late: it was not they that were too many."""
        if not self._lesson.is_fresh(now):
            self._refused = max(self._refused, float(in_flight))

    def forget(self) -> None:
        """It was out of service: nothing is known of what it bears now."""
        self._crowd = self._refused = inf


def at_once(limit: float, in_flight: int, jobs: int) -> float:
    """How many more jobs may run at a target that bears `limit` answers at once.

    `in_flight` runs there now, `jobs` of it are jobs. They have half of what others leave, and one
    more: what is learned of how much a target bears (`understudy.policy.concurrency`) grows only
    where more than half of it is tried.
    """
    free = limit - max(in_flight - jobs, 0)
    if free < 1.0:
        return 0.0
    return max(0.0, min(free, HEADROOM_SHARE * free + 1.0) - jobs)
