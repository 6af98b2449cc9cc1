"""Keeping a caller while nothing can serve it: until when, and when it is tried again.

What serves again is gone to at the next look, step by step: a target in slow start lets each look
in by chance, anew each time, so that a crowd that was kept does not arrive at once. What is still
believed to be out of order is tried now and then all the same, ever more seldom: nobody else may be
there to find out that it works.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Held"]

#: Seconds between two looks at most; a random part of the second half is left out, so that those
#: who were turned away together do not come back together.
LOOK_SECONDS = 1.0
#: Seconds until something out of order is tried all the same: 2 s · 2ⁿ, with as much jitter.
TRY_SECONDS = 2.0
TRY_SECONDS_MAX = 16.0


class Held:
    """One request that is kept.

    Args:
        now: since when.
        until: at most.
        draw: gives a number in [0, 1), for jitter.
    """

    __slots__ = ("_draw", "_rounds", "_tries_at", "due", "in_line", "is_on", "since", "until")

    def __init__(self, now: float, until: float, draw: Callable[[], float]) -> None:
        self.since = now
        self.until = until
        self._draw = draw
        #: Times that it was tried all the same, in vain.
        self._rounds = 0
        self._tries_at = now
        #: It is kept now; else it is under way.
        self.is_on = False
        #: It was kept until now, and has taken its place in a line.
        self.in_line = False
        #: When it is to be looked at again.
        self.due = now

    def again(self, now: float) -> bool:
        """Nothing can serve it. Whether it is kept, for the first time or once more."""
        self.is_on = now < self.until
        self.in_line = False
        if self.is_on:
            longest = min(TRY_SECONDS_MAX, TRY_SECONDS * 2.0**self._rounds)
            self._rounds = min(self._rounds + 1, 16)
            self._tries_at = now + self._part(longest)
            self.look_again(now)
        return self.is_on

    def look_again(self, now: float) -> None:
        """Nothing serves yet."""
        self.due = min(self.until, now + self._part(LOOK_SECONDS))

    def lasted(self, now: float) -> str:
        """For how long, in words for the journal."""
        return f"kept for {now - self.since:.1f} s"

    def may_try(self, now: float) -> bool:
        """Whether something out of order may be tried all the same."""
        return now >= self._tries_at

    def _part(self, seconds: float) -> float:
        return seconds * (0.5 + 0.5 * self._draw())
