"""How long targets take to answer: what `first_token: auto` and `hedge: auto` go by.

Each target has a history of its own, of the time to its first content (streams) and of the time to
its whole answer. Averages say nothing about a limit, so a history keeps the shape: counts in
buckets that grow by 15 %. A quantile is the upper edge of its bucket, never too low and at most
15 % too high, from 20 ms to 10 minutes (DDSketch, Masson et al., VLDB 2019, bounds the relative
error likewise).

What it forgets. Every count fades with a half-life of half an hour: by time and not by traffic, so
that all targets forget alike. A target that becomes slower for good shows in its p99.9 after
seconds of traffic (a thousandth of the memory) and in its p95 after some two minutes (a twentieth);
a bad hour is gone from the p99.9 after five hours, in which its three quarters of all counts fade
to a thousandth. A target with too little traffic to know its tail gets no limit from it: better
none than last week's. All weights fade alike and no quantile moves by it, so that only what is
observed needs a clock.

What was cut off. An attempt that was given up was *at least* that slow. Left out, a limit would
shorten the very history that it is made from, and tighten itself round by round. So it counts as an
answer in the next longer bucket: where cut-offs are more than the quantile allows, the limit grows
by 15 %, until it cuts off no more than it should. But some attempts hang, and would wear out any
patience: rare cut-offs stretch a limit no further than three times what answers take, and it is the
answers found there that stretch it on. Only where one attempt of twenty is cut off is the target
itself taken to be slower than all that is known of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

__all__ = ["FIRST_TOKEN_UNKNOWN", "History", "Latencies", "samples_needed"]

#: Upper edges of the buckets in seconds, each 15 % above the last: from 20 ms to 620 s.
EDGES: Final = tuple([0.02 * 1.15**step for step in range(75)])
#: Seconds in which a count fades by half, and least seconds between two fadings.
HALF_LIFE: Final = 1800.0
FADE_EVERY: Final = 30.0

#: How far cut-offs stretch a limit beyond what answers take, while no larger share is cut off.
STRETCH: Final = 3.0
RARE: Final = 0.05

#: Attempts that must be known of, whatever the quantile: one odd answer among a few is no tail.
SAMPLES_LEAST: Final = 100.0
#: A target's first-token limit may cut off one good attempt of a thousand: Amazon Builders'
#: Library, "Timeouts, retries and backoff with jitter" (choose an acceptable rate of false timeouts
#: and take that percentile).
LIMIT_QUANTILE: Final = 0.999
#: Bounds of a learned first-token limit in seconds. However fast a target usually is, a long prompt
#: or a little thought takes it some seconds; however slow, nobody waits a minute for a first word.
FIRST_TOKEN_LEAST: Final = 5.0
FIRST_TOKEN_MOST: Final = 60.0
#: The limit while too little is known. More patient than the fixed default of 10 s: reasoning
#: models may think for half a minute before any content, a good attempt that is cut off is paid for
#: twice and counts against its target, and a target that hangs is left alone after a few anyway.
FIRST_TOKEN_UNKNOWN: Final = 30.0
#: When a second attempt is due beside a slow first one: Dean and Barroso, "The Tail at Scale"
#: (CACM 56/2, 2013), defer it until the 95th percentile, which makes about 5 % more requests.
HEDGE_QUANTILE: Final = 0.95
#: A whole answer's length is its request's affair as well: room above the slowest of a thousand.
WHOLE_ANSWER_FACTOR: Final = 1.5
#: Targets kept, the oldest given up first.
TARGETS_KEPT: Final = 4096

#: What a single attempt weighs after a half-life.
_FAINT: Final = 0.5
_NEVER: Final = float("inf")
_ROUNDING: Final = 1e-9


def samples_needed(quantile: float) -> float:
    """How many attempts must be known of before a quantile (below 1) is more than a guess.

    As many that one of them is expected beyond it: 1,000 for p99.9. With fewer, the quantile would
    be the slowest attempt that happened to be seen; with as many, the slowest is in 19 cases of 20
    beyond the quantile of three times that share (the rule of three): p99.7.
    """
    return max(SAMPLES_LEAST, 1.0 / (1.0 - quantile))


class History:
    """Times of one target, in seconds; the older, the less they weigh.

    Args:
        now: when it begins.
    """

    __slots__ = ("_all", "_answers", "_faded", "_total")

    def __init__(self, now: float) -> None:
        #: Weights by bucket, of answers alone and with what was cut off. The last has no edge.
        self._answers = [0.0] * (len(EDGES) + 1)
        self._all = [0.0] * (len(EDGES) + 1)
        self._total = 0.0
        self._faded = now

    def observe(self, seconds: float, now: float) -> None:
        """An answer took that long. In constant time."""
        self._fade(now)
        bucket = bisect_left(EDGES, seconds)
        self._answers[bucket] += 1.0
        self._all[bucket] += 1.0
        self._total += 1.0

    def observe_at_least(self, seconds: float, now: float) -> None:
        """An attempt was given up after that long: it would have taken longer."""
        self._fade(now)
        self._all[bisect_right(EDGES, seconds)] += 1.0
        self._total += 1.0

    def knows(self, q: float) -> bool:
        """Whether there are `samples_needed(q)`."""
        return self._total >= samples_needed(q)

    def quantile(self, q: float) -> float | None:
        """The time within which the share `q` (below 1) of all attempts answer.

        Infinite where that is beyond the longest bucket; None where it is not known.
        """
        return _longest(self._all, self._beyond(q)) if self.knows(q) else None

    def patience(self, q: float) -> float:
        """How long to wait for an answer: the quantile, but not for what hardly ever comes.

        Where the quantile is not known, the slowest of the last half-life or so takes its place.
        """
        beyond = max(self._beyond(q), _FAINT)
        longest = _longest(self._all, beyond)
        reach = STRETCH * _longest(self._answers, beyond)
        if longest > reach and _longest(self._all, RARE * self._total) <= reach:
            return reach
        return longest

    def _beyond(self, q: float) -> float:
        """The weight that a quantile leaves above it; 1 - 0.9 is a little less than a tenth."""
        return (1.0 - q) * self._total * (1.0 + _ROUNDING)

    def _fade(self, now: float) -> None:
        passed = now - self._faded
        if passed < FADE_EVERY:
            return
        left: float = 0.5 ** (passed / HALF_LIFE)
        self._answers = [weight * left for weight in self._answers]
        self._all = [weight * left for weight in self._all]
        self._total = sum(self._all)
        self._faded = now


def _longest(weights: list[float], beyond: float) -> float:
    """The upper edge of the lowest bucket above which a weight of at most `beyond` stands."""
    bucket = len(EDGES)
    slower = weights[bucket]
    if slower > beyond:
        return _NEVER
    while bucket > 0 and slower <= beyond:
        bucket -= 1
        slower += weights[bucket]
    return EDGES[bucket]


class _Histories:
    """One history each for a bounded number of targets, by their keys."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[str, History] = {}

    def find(self, key: str) -> History | None:
        """The target's history, if it has one."""
        return self._by_key.get(key)

    def keep(self, key: str, now: float) -> History:
        """The target's history, made if it has none."""
        history = self._by_key.get(key)
        if history is None:
            if len(self._by_key) >= TARGETS_KEPT:
                # Callers may name models: what is left of the oldest is the least.
                del self._by_key[next(iter(self._by_key))]
            history = self._by_key[key] = History(now)
        return history


class Latencies:
    """What is known of every target's times, by its key.

    Told by whoever carries attempts out, and by these rules:

    - `observe`: an attempt that succeeds, at its first content if it streams, else when whole.
    - `observe_at_least`: an attempt that we gave up without content, at its limit or because a
      hedge was faster. Without the latter, hedges would hide the slow answers that they replace.
    - Nothing: a fault, a caller that left, an attempt that had less time than it is entitled to.
      How long such an attempt would have taken is not known at all.
    """

    __slots__ = ("_streams", "_wholes")

    def __init__(self) -> None:
        self._streams = _Histories()
        self._wholes = _Histories()

    def observe(self, key: str, seconds: float, now: float, *, stream: bool) -> None:
        """An attempt took that long to its first content (`stream`) or to its whole answer."""
        histories = self._streams if stream else self._wholes
        histories.keep(key, now).observe(seconds, now)

    def observe_at_least(self, key: str, seconds: float, now: float, *, stream: bool) -> None:
        """An attempt was given up after that long, without content."""
        histories = self._streams if stream else self._wholes
        histories.keep(key, now).observe_at_least(seconds, now)

    def first_token(self, key: str) -> float:
        """Seconds that a stream may take to its first content: the p99.9 of the target, bounded.

        While too little is known it is `FIRST_TOKEN_UNKNOWN`, or more where slower attempts were
        seen, so that this limit, too, gives way to what it cuts off.
        """
        history = self._streams.find(key)
        if history is None:
            return FIRST_TOKEN_UNKNOWN
        known = history.knows(LIMIT_QUANTILE)
        least = FIRST_TOKEN_LEAST if known else FIRST_TOKEN_UNKNOWN
        return min(max(history.patience(LIMIT_QUANTILE), least), FIRST_TOKEN_MOST)

    def hedge_after(self, key: str) -> float | None:
        """Seconds without content after which a second attempt is due: the target's p95.

        None while it is not known, or longer than anything that is measured.
        """
        history = self._streams.find(key)
        learned = None if history is None else history.quantile(HEDGE_QUANTILE)
        return None if learned == _NEVER else learned

    def whole_answer(self, key: str) -> float | None:
        """Seconds that a whole answer may take: one and a half times the target's p99.9.

        None while it is not known, or longer than anything that is measured.
        """
        history = self._wholes.find(key)
        if history is None or not history.knows(LIMIT_QUANTILE):
            return None
        learned = history.patience(LIMIT_QUANTILE)
        return None if learned == _NEVER else learned * WHOLE_ANSWER_FACTOR
