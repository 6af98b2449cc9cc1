"""What is seen of a sign in words, for people: in the journal, on the console, in the log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from understudy.policy.quality.signs import Sign
from understudy.policy.quality.watch import Watch

__all__ = ["against", "in_favour", "reason"]

#: Features, or models, that are named one by one.
_NAMED: Final = 3


def reason(sign: Sign, watch: Watch) -> str:
    """Why a model is doubted, in one line."""
    shown, answers, usual = watch.seen()
    return _seen(sign, shown, answers, usual)


def in_favour(sign: Sign, watch: Watch) -> tuple[str, ...]:
    """What speaks for a change: all in all, and by feature where there are several."""
    runs = sorted(watch.runs.items(), key=lambda run: -abs(run[1][0]))
    parts = [
        f"{feature or 'probes'}: {_seen(sign, shown, answers, usual)}"
        for feature, (shown, answers, usual) in runs[:_NAMED]
    ]
    return (reason(sign, watch), *parts) if len(parts) > 1 else tuple(parts)


def against(watch: Watch, others: Mapping[Sign, Watch], alike: Sequence[str]) -> tuple[str, ...]:
    """What speaks against its being the model."""
    found = []
    if alike:
        names = ", ".join(sorted(alike)[:_NAMED])
        found.append(f"the same is seen at {names}: what is asked may have changed")
    calm = [
        str(sign) for sign, other in others.items() if other.answers and not other.is_suspicious
    ]
    if calm:
        found.append(f"as usual: {', '.join(calm)}")
    if watch.doubted_at is not None and watch.standing < watch.score:
        found.append("its latest answers do not show it")
    return tuple(found)


def _seen(sign: Sign, shown: float, answers: float, usual: float) -> str:
    if not answers:
        return str(sign)
    if sign in {Sign.SHORTER, Sign.LONGER}:
        return f"{sign}: {math.exp(shown / answers):.0%} of the usual in {answers:.0f} answers"
    return f"{sign} in {shown:.0f} of {answers:.0f} answers, usually in {usual / answers:.1%}"
