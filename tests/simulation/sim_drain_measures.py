"""What is asked of a drain, in numbers: see docs/jobs.md, "What was measured"."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from simulation.sim_drain import TENANTS, Claim, Drain, Guess
from understudy.policy.ramp import BURST_SECONDS, DOUBLING_SECONDS, LEAST_RATE, START_SHARE

__all__ = [
    "Estimates",
    "Fairness",
    "Rates",
    "Refusals",
    "estimates",
    "fairness",
    "lost",
    "people_wait",
    "quantile",
    "rates",
    "refusals",
    "unserved",
]

#: Claims of a window in which shares are looked at.
WINDOW_CLAIMS = 200
#: Seconds of a window in which requests are counted.
WINDOW_SECONDS = 10.0
#: What a provider answers that is full, or over a limit.
_FULL = frozenset({429, 503, 529})


def quantile(values: Iterable[float], share: float) -> float:
    """The value that `share` of them do not exceed; NaN of none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1]


def lost(told: Drain) -> int:
    """Jobs that were accepted and have no result, or two."""
    return sum(told.ended.get(job, 0) != 1 for job in told.jobs)


class Refusals(msgspec.Struct):
    """How often the provider said that it is full. `after`: of what was begun when the relay had
    already heard the first of it.
    """

    all: int
    after: int
    first_at: float | None


def refusals(told: Drain) -> Refusals:
    """What was refused after the recovery, whoever asked: people's requests too."""
    refused = sorted(
        (attempt.started, attempt.ended or attempt.started)
        for attempt in (*told.ours, *told.theirs)
        if attempt.status in _FULL and attempt.fault is None and attempt.started >= told.well
    )
    if not refused:
        return Refusals(0, 0, None)
    # The way back takes it a millisecond.
    heard = min(ended for _, ended in refused) + 0.002
    return Refusals(len(refused), sum(at > heard for at, _ in refused), refused[0][0] - told.well)


class Fairness(msgspec.Struct):
    """The least that a tenant had of an even share of the cost, while all had jobs waiting; `over`
    all that time, and within the `worst` window of so many claims; and how many of the `dearest`
    job's cost it was behind there.
    """

    claims: int
    over: float
    worst: float
    behind: float
    #: The same for all that time.
    behind_in_all: float


def fairness(told: Drain) -> Fairness:
    """Shares of the claims, by cost."""
    claims = told.claims
    last = {claim.tenant: number for number, claim in enumerate(claims)}
    together = claims[: min(last.values())]
    windows = [
        together[start : start + WINDOW_CLAIMS]
        for start in range(0, len(together) - WINDOW_CLAIMS + 1, 10)
    ]
    dearest = max(claim.cost for claim in claims)
    return Fairness(
        len(together),
        _least(together),
        min(map(_least, windows), default=math.nan),
        max((_behind(window) / dearest for window in windows), default=math.nan),
        _behind(together) / dearest,
    )


def _costs(claims: Sequence[Claim]) -> Counter[str]:
    costs = Counter(dict.fromkeys(TENANTS, 0))
    for claim in claims:
        costs[claim.tenant] += claim.cost
    return costs


def _least(claims: Sequence[Claim]) -> float:
    costs = _costs(claims)
    return min(costs.values()) * len(TENANTS) / max(sum(costs.values()), 1)


def _behind(claims: Sequence[Claim]) -> float:
    costs = _costs(claims)
    return sum(costs.values()) / len(TENANTS) - min(costs.values())


def people_wait(told: Drain, start: float, end: float, share: float = 0.99) -> float:
    """Seconds to first content that `share` of the answers took at most that people asked for from
    `start` to `end`.
    """
    people = [p for p in told.people if start <= p.at < end]
    return quantile([p.first - p.at for p in people if p.first is not None], share)


def unserved(told: Drain, start: float, end: float) -> int:
    """People who asked then, and got no answer."""
    return sum(p.first is None for p in told.people if start <= p.at < end)


class Rates(msgspec.Struct):
    """Requests a second. `before` the outage, in its busiest minute; `first`: jobs in the first ten
    seconds; `peak`: jobs in the busiest ten seconds. `worst`: the most that jobs in any ten seconds
    came to, as a share of what a ramp allows that begins with a tenth (a job in ten seconds at the
    least) and doubles in half a minute.
    """

    before: float
    first: float
    peak: float
    worst: float


def rates(told: Drain) -> Rates:
    """How fast jobs came to the provider."""
    asked = [*told.theirs, *told.ours]
    minutes = _counts([a.started for a in asked if a.started < told.ill], 60.0)
    before = max(minutes, default=0) / 60.0
    begun = sorted(a.started for a in told.ours if a.started >= told.well)
    start, began = max(START_SHARE * before, LEAST_RATE), begun[0]
    worst = 0.0
    for first, at in enumerate(begun):
        # The most that fits into a window begins with a request.
        end = at + WINDOW_SECONDS
        count = bisect_left(begun, end) - first
        rate = start * 2.0 ** ((end - began) / DOUBLING_SECONDS)
        grown = 2.0 ** (WINDOW_SECONDS / DOUBLING_SECONDS)
        within = rate * DOUBLING_SECONDS / math.log(2.0) * (1.0 - 1.0 / grown)
        saved = max(float(told.world.processes), BURST_SECONDS * rate)
        worst = max(worst, count / (within + saved))
    counts = _counts(begun, WINDOW_SECONDS)
    first_ten = sum(at < began + WINDOW_SECONDS for at in begun)
    return Rates(before, first_ten / WINDOW_SECONDS, max(counts) / WINDOW_SECONDS, worst)


def _counts(moments: Sequence[float], seconds: float) -> list[int]:
    """How many fall into each window that begins with one of them."""
    ordered, counts, last = sorted(moments), [], 0
    for first, at in enumerate(ordered):
        while last < len(ordered) and ordered[last] < at + seconds:
            last += 1
        counts.append(last - first)
    return counts


class Estimates(msgspec.Struct):
    """What was told of the time that was left, over the time that it took: the median, and what
    nine in ten are not further off by, either way.
    """

    count: int
    median: float
    off: float


def estimates(told: Drain, start: float, end: float) -> Estimates:
    """How good the estimates were that were given from `start` to `end`."""
    ratios = [
        max(guess.done - guess.at, 1.0) / max(done - guess.at, 1.0)
        for guess, done in _judged(told, start, end)
        if guess.done is not None
    ]
    if not ratios:
        return Estimates(0, math.nan, math.nan)
    off = quantile([max(ratio, 1.0 / ratio) for ratio in ratios], 0.9)
    return Estimates(len(ratios), median(ratios), off)


def _judged(told: Drain, start: float, end: float) -> Iterable[tuple[Guess, float]]:
    for guess in told.guesses:
        done = told.jobs[guess.job][2]
        if start <= guess.at < end and done is not None:
            yield guess, done
