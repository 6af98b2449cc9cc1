"""Whether a sign has become more frequent at a model: a CUSUM against what is usual there.

As in `understudy.policy.detect`, each answer speaks for a change by the logarithm of how much
likelier it is after one than as things were, and the sum never falls below nothing (Page,
"Continuous Inspection Schemes", Biometrika 41, 1954). What is usual is each feature's own affair,
the sum is the model's: a change that runs through all features adds up, and features where nothing
has changed speak against it.

A model in doubt has to be cleared: the same test the other way round, "as it was" against half of
what was seen when it was doubted. So it takes few answers to clear a model that wrote nonsense
every other time, and many where one in fifty was bad.
"""

from __future__ import annotations

import math
from typing import Final

from understudy.policy.quality.baseline import Lengths, Rate

__all__ = ["ALARM", "CLEARED", "LENGTH_ALARM", "Watch"]

#: The score at which a model is doubted, for a rate and for a length. What that costs in false
#: alarms, and how soon it sees what, stands in docs/quality.md. Lengths go with what people ask at
#: the time, so that more is needed of them.
ALARM: Final = 10.0
LENGTH_ALARM: Final = 20.0
#: The part of that from which on nothing of it is taken for usual any more, and what one requester
#: may add at most, where there are several: neither who is refused ten times in a row, nor a job
#: that wants short answers, speaks for all.
SUSPICION: Final = 0.3
ONE: Final = 0.5
#: The score at which a model in doubt is cleared: it is e⁶ = 400 times likelier to be well.
CLEARED: Final = 6.0
#: A change of a rate that is looked for: three times what is usual, and one in a hundred more.
TIMES: Final = 3.0
MORE: Final = 0.01
#: A change of length that is looked for, and the least that must be over, in standard deviations.
SHIFT: Final = 1.0
SHIFT_LEFT: Final = 0.5


class Watch:
    """One sign at one model.

    `runs` holds, since nothing last spoke for a change: feature → [answers that showed it, answers,
    how many of them would have been usual]; of lengths [the sum of the logarithms of their ratios
    to the usual, answers, the sum of their distances from it].

    Args:
        of_lengths: it watches lengths, not a rate.
    """

    __slots__ = (
        "_half",
        "_said",
        "_well",
        "alarm",
        "answers",
        "doubted_at",
        "of_lengths",
        "runs",
        "score",
        "shown",
    )

    def __init__(self, *, of_lengths: bool = False) -> None:
        self.of_lengths = of_lengths
        self.alarm = LENGTH_ALARM if of_lengths else ALARM
        self.score = 0.0
        #: Since when it has been a reason for doubt.
        self.doubted_at: float | None = None
        self.runs: dict[str, list[float]] = {}
        #: Requester → what it has added to the score since then.
        self._said: dict[str, float] = {}
        #: Since the process began.
        self.answers = 0
        self.shown = 0
        #: Half the rate, or half the distance, that was seen when it was doubted.
        self._half = 0.0
        #: How much speaks for its being well again.
        self._well = 0.0

    @property
    def is_suspicious(self) -> bool:
        """There is a reason to look closer, and not to take what is seen for usual."""
        return self.score >= SUSPICION * self.alarm

    @property
    def standing(self) -> float:
        """How much speaks for a change, all in all."""
        return max(0.0, self.score - self._well)

    def judge_rate(
        self, feature: str, rate: Rate, shown: bool, count: int = 1, who: str | None = None
    ) -> None:
        """So many answers to `feature` showed it, or did not. `who` asked, where there are others
        who ask.
        """
        usual = rate.usual
        changed = max(self._half, _changed(usual))
        odds = math.log(changed / usual) if shown else math.log((1.0 - changed) / (1.0 - usual))
        self._add(feature, odds * count, (float(count * shown), count, usual * count), who)

    def judge_length(
        self, feature: str, lengths: Lengths, length: int, longer: bool, who: str | None = None
    ) -> None:
        """An answer to `feature` was so long. `longer`: that is what is looked for."""
        sign = 1.0 if longer else -1.0
        distance = sign * lengths.distance(length)
        if self.doubted_at is None:
            odds = SHIFT * distance - SHIFT * SHIFT / 2.0 - SHIFT * lengths.allowance
        else:
            shift = max(SHIFT_LEFT, self._half)
            odds = shift * distance - shift * shift / 2.0
        self._add(feature, odds, (lengths.ratio(length), 1, distance), who)

    def _add(
        self, feature: str, odds: float, seen: tuple[float, int, float], who: str | None
    ) -> None:
        if self.doubted_at is not None:
            self._well = max(0.0, self._well - odds)
            return
        if who is not None and odds > 0.0:
            said = self._said.get(who, 0.0)
            odds = min(odds, ONE * self.alarm - said)
            self._said[who] = said + odds
        self.score = max(0.0, self.score + odds)
        if self.score == 0.0:
            self.runs.clear()
            self._said.clear()
            return
        run = self.runs.setdefault(feature, [0.0, 0.0, 0.0])
        for place, value in enumerate(seen):
            run[place] += value

    @property
    def is_alarmed(self) -> bool:
        """It has become a reason for doubt that was none yet."""
        return self.doubted_at is None and self.score >= self.alarm

    @property
    def is_cleared(self) -> bool:
        """It is a reason for doubt no longer."""
        return self.doubted_at is not None and self._well >= CLEARED

    def seen(self) -> tuple[float, float, float]:
        """The sum of `runs`."""
        first, answers, last = (sum(run[place] for run in self.runs.values()) for place in range(3))
        return first, answers, last

    def doubt(self, now: float) -> None:
        """It is a reason for doubt from now on."""
        shown, answers, distance = self.seen()
        self.doubted_at = now
        self._well = 0.0
        self._half = (distance if self.of_lengths else shown) / (2.0 * max(1.0, answers))

    def clear(self) -> None:
        """It is over."""
        self.doubted_at = None
        self.score = self._well = self._half = 0.0
        self.runs.clear()
        self._said.clear()


def _changed(usual: float) -> float:
    """The rate that is looked for."""
    return min((1.0 + usual) / 2.0, TIMES * usual + MORE)
