"""Whether people wait longer at a target than they do while no jobs run there.

Jobs are to be noticed by nobody, as what LEDBAT carries is (RFC 6817): a transport that measures
the delay that it adds itself, and gives way long before anything is refused. What a target takes to
its first content is followed while next to no jobs run there. While they do, answers that people
get are compared with that: by a CUSUM (E. S. Page, "Continuous inspection schemes", Biometrika 41,
1954) over how far each is beyond the usual, in units of how far they usually differ.

Only people's answers are looked at. Jobs may ask for something else, which takes another time.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Queueing"]

#: Answers until something is known; after that, how far one moves it.
KNOWN: Final = 10
STEP: Final = 0.02
#: Answers differ by that share of the usual at the least: less is of no importance to anybody.
DIFFER_LEAST: Final = 0.05
#: An answer counts for as much as it is beyond the usual, less what chance brings, and no more than
#: this: one is none. The sum is alarming from `ALARM` on: five in a row that are a fifth late.
ALLOWED: Final = 1.0
MOST: Final = 3.0
ALARM: Final = 8.0


class Queueing:
    """What people wait for first content at one target. Seconds."""

    __slots__ = ("_differ", "_known", "_score", "_since", "_usual")

    def __init__(self) -> None:
        self._usual = 0.0
        #: How far answers are from that, on average.
        self._differ = 0.0
        self._known = 0
        self._score = 0.0
        #: What began before has to do with what was the matter then.
        self._since = float("-inf")

    @property
    def is_felt(self) -> bool:
        """People wait longer than they used to."""
        return self._score >= ALARM

    def came(self, seconds: float, now: float, jobs: int) -> None:
        """First content came after so long, while so many jobs ran there."""
        if self._known < KNOWN or jobs <= 1:
            self._learn(seconds)
        elif now - seconds >= self._since:
            unit = max(self._differ, DIFFER_LEAST * self._usual)
            beyond = min((seconds - self._usual) / unit, MOST)
            self._score = max(0.0, self._score + beyond - ALLOWED)

    def answered(self, now: float) -> None:
        """Something has been done about it: what begins from now on is looked at anew."""
        self._score = 0.0
        self._since = now

    def _learn(self, seconds: float) -> None:
        self._known += 1
        step = max(1.0 / self._known, STEP)
        self._usual += step * (seconds - self._usual)
        self._differ += step * (abs(seconds - self._usual) - self._differ)
        self._score = 0.0
