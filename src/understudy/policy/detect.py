"""How a failing target is told from one that had a bad moment: a Bernoulli CUSUM.

Every call is evidence. A failure speaks for "this is broken" by the logarithm of how much likelier
it is at a broken target than at a sound one, a success speaks against it, and the sum, which never
falls below nothing, is the score:

    score ← max(0, score + ln(p₁/p₀))               a failure:  + 3.40
    score ← max(0, score + ln((1 - p₁)/(1 - p₀)))   a success:  - 0.35

Page, "Continuous Inspection Schemes" (Biometrika 41, 1954), in the form for counts: no other rule
detects a lasting change sooner at the same rate of false alarms (Moustakides, 1986). Four failures
in a row are an alarm, so are five among a dozen calls; one failure is a suspicion, for which probes
are sent, so that people need not be the samples.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["ALARM", "SUSPICION", "Cusum", "slowness"]

#: The share of calls that fail at a sound target, and from which on one is broken.
SOUND: Final = 0.01
BROKEN: Final = 0.3
#: The score at which a target is given up. What it costs in false alarms, and how soon it sees
#: what, stands in docs/detection.md: where 3 % of all calls fail anyway, 10 gives a good target up
#: twice a day, and this once a week, at no loss of time while probes come every second.
ALARM: Final = 13.5
#: The score from which on probes are sent: a failure, and fewer than five successes since.
SUSPICION: Final = 2.0

_BAD: Final = math.log(BROKEN / SOUND)
_GOOD: Final = math.log((1.0 - BROKEN) / (1.0 - SOUND))
#: Likewise of answers that are merely late: of callers' a few are at the best of times (a long
#: prompt, a little thought), and a target is slow where every other one is. Four in a row are an
#: alarm, so is one that three probes confirm.
TIMELY: Final = 0.03
LATE: Final = 0.5
SLOW_ALARM: Final = 9.0
_LATE: Final = math.log(LATE / TIMELY)
_IN_TIME: Final = math.log((1.0 - LATE) / (1.0 - TIMELY))


class Cusum:
    """The score of one node.

    Args:
        bad, good: what one call adds, and takes away (negative).
        alarm: the score from which on it is certain.
    """

    __slots__ = ("_alarm", "_bad", "_good", "score")

    def __init__(self, bad: float = _BAD, good: float = _GOOD, alarm: float = ALARM) -> None:
        self.score = 0.0
        self._bad = bad
        self._good = good
        self._alarm = alarm

    @property
    def is_suspicious(self) -> bool:
        """There is a reason to look closer."""
        return self.score >= SUSPICION

    @property
    def is_alarmed(self) -> bool:
        """It is broken, as far as anybody can tell."""
        return self.score >= self._alarm

    def add_good(self) -> None:
        """A call went well."""
        if self.score:
            self.score = max(0.0, self.score + self._good)

    def add_bad(self) -> None:
        """A call failed."""
        # It grows no further than twice the alarm, so that what is over is soon forgotten.
        self.score = min(2.0 * self._alarm, self.score + self._bad)

    def clear(self) -> None:
        """What was seen counts no more."""
        self.score = 0.0


def slowness() -> Cusum:
    """A score of how late a target's answers are: bad is late, good is in time."""
    return Cusum(_LATE, _IN_TIME, SLOW_ALARM)
