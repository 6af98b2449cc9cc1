"""About when a job will be done, for the person who is told that it is kept.

Three parts: until a target serves again, until its turn has come, until it is answered. It is an
estimate and is called one. Nothing is promised by it, and none is given where nothing is known.

How long an outage lasts nobody knows. With nothing but its age to go by, it is as likely to last
that long again as it is not (J. R. Gott, "Implications of the Copernican principle for our future
prospects", Nature 363, 1993: the median of what remains is what has passed).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, log, log2
from typing import Final

import msgspec

from understudy.policy.ramp import CAREFUL_SECONDS, DOUBLING_SECONDS

__all__ = ["Speed", "drained_in", "jobs_before", "serves_in"]

#: Bounds of the guess how long an outage goes on, in seconds: a probe must see its end, and beyond
#: six hours "in six hours" is no better known than "in a day".
OUTAGE_LEAST: Final = 15.0
OUTAGE_MOST: Final = 6 * 3600.0


def jobs_before(place: int, others: Iterable[int], higher: int) -> int:
    """How many jobs are begun before one that has `place` jobs of its own tenant before it.

    `others`: how many jobs each other tenant has waiting in the same priority, of which as many go
    first as there are turns until then. `higher`: all that wait in a higher priority.
    """
    return higher + place + sum(min(count, place + 1) for count in others)


def serves_in(opens_in: float, failing_for: float | None) -> float | None:
    """Seconds until a target that is out of service serves again; None: nobody can say.

    `opens_in`: until it is tried again at the soonest. `failing_for`: since it last worked; None if
    it never has.
    """
    if failing_for is None:
        return None
    return max(opens_in, min(max(failing_for, OUTAGE_LEAST), OUTAGE_MOST))


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast jobs begin at a target: `rate` a second, which doubles as `drained_in` has it, from
    `careful_from` on more slowly, up to `most`; and so many `at_once` at most.
    """

    rate: float
    careful_from: float
    most: float
    at_once: float

    def drained_in(self, before: int, usual: float) -> float:
        """Seconds until so many jobs have begun, each of which takes `usual`."""
        most = min(self.most, self.at_once / usual)
        return drained_in(before, self.rate, careful_from=self.careful_from, most=most)


def drained_in(before: int, rate: float, *, careful_from: float = inf, most: float = inf) -> float:
    """Seconds until `before` jobs have begun, at `rate` a second (more than 0) that doubles in
    `DOUBLING_SECONDS`, from `careful_from` on in `CAREFUL_SECONDS`, and does not exceed `most`.
    """
    left, seconds = float(before), 0.0
    for ceiling, doubling in (
        (min(careful_from, most), DOUBLING_SECONDS),
        (most, CAREFUL_SECONDS),
    ):
        if rate >= ceiling:
            continue
        # The integral of rate · 2^(t/T) up to t is (rate · T / ln 2) · (2^(t/T) - 1).
        unit = rate * doubling / log(2.0)
        begun = unit * (ceiling / rate - 1.0)
        if left <= begun:
            return seconds + doubling * log2(1.0 + left / unit)
        left -= begun
        seconds += doubling * log2(ceiling / rate)
        rate = ceiling
    return seconds + left / min(rate, most) if most > 0.0 else inf
