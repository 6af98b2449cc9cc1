"""What is usual for one model and one feature, learned slowly.

A feature that translates into Thai has Thai letters, a model that declines one request in twenty
declines one in twenty: each is its own measure. The last 2,000 answers or so are remembered, all
alike at first. What is not known yet is allowed for: a rate is taken one standard error higher than
it was seen, so that few answers raise no alarm.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["KNOWN", "Lengths", "Rate"]

#: Answers after which a rate, and the spread of lengths, are known well enough to judge by.
KNOWN: Final = 20
LENGTHS_KNOWN: Final = 50
#: Answers remembered.
WINDOW: Final = 2000.0
#: What is taken for granted before anything is seen: a quarter of an answer of five.
GRANTED: Final = 5.0
GRANTED_RATE: Final = 0.05
#: No sign is rarer than this: a model that never showed one may still show one.
RAREST: Final = 0.001
#: What every other answer shows is no sign of anything.
COMMON: Final = 0.5
#: Lengths are measured on a logarithmic scale, this many characters longer than they are: among
#: answers of one word the longer is no better. What is usual varies at least by a sixth.
LONGER: Final = 50.0
LEAST_SPREAD: Final = 0.15
#: One answer counts as so many standard deviations at most.
FARTHEST: Final = 3.0


class Rate:
    """How often an answer shows a sign."""

    __slots__ = ("_mean", "known")

    def __init__(self) -> None:
        #: Answers that it was learned from.
        self.known = 0
        self._mean = GRANTED_RATE

    @property
    def mean(self) -> float:
        """The share of answers that show it, as far as is known."""
        return self._mean

    @property
    def usual(self) -> float:
        """The share that is to be expected: the mean and one standard error of it."""
        mean = self._mean
        weight = min(WINDOW, GRANTED + self.known)
        return min(0.99, max(RAREST, mean + math.sqrt(mean * (1.0 - mean) / weight)))

    @property
    def is_telling(self) -> bool:
        """It is known, and so seldom shown that more of it means something."""
        return self.known >= KNOWN and self.usual < COMMON

    def learn(self, shown: bool, count: int = 1) -> None:
        """So many answers showed it, or did not."""
        weight = GRANTED + self.known
        self.known += count
        towards = 1.0 if shown else 0.0
        if weight + count <= WINDOW:
            # The plain mean of all: what was there keeps its share of it.
            keep = weight / (weight + count)
        else:
            keep = (1.0 - 1.0 / WINDOW) ** count
        self._mean = towards + (self._mean - towards) * keep


class Lengths:
    """How long answers are: the mean and the spread of the logarithms of their lengths."""

    __slots__ = ("_mean", "_square", "known")

    def __init__(self) -> None:
        self.known = 0
        self._mean = 0.0
        self._square = 0.0

    def ratio(self, length: int) -> float:
        """The logarithm of how much longer than usual this is; below 0 if it is shorter."""
        return math.log(length + LONGER) - self._mean

    def distance(self, length: int) -> float:
        """The same in standard deviations, no more than `FARTHEST` of them."""
        spread = math.sqrt(max(LEAST_SPREAD**2, self._square))
        return max(-FARTHEST, min(FARTHEST, self.ratio(length) / spread))

    @property
    def is_telling(self) -> bool:
        """Its spread is known."""
        return self.known >= LENGTHS_KNOWN

    @property
    def allowance(self) -> float:
        """How wrong the mean may be, in standard deviations: its standard error, twice."""
        return 2.0 / math.sqrt(min(WINDOW, max(1.0, float(self.known))))

    def learn(self, length: int) -> None:
        """One answer was so long."""
        self.known += 1
        weight = 1.0 / min(WINDOW, float(self.known))
        off = self.ratio(length)
        self._mean += weight * off
        # West, "Updating mean and variance estimates", Communications of the ACM 22 (1979).
        self._square += weight * ((1.0 - weight) * off * off - self._square)
