"""How many attempts at once a target takes well: a soft limit, learned from how it answers.

Rate limits count what is asked in a minute. A target that is short of capacity shows it earlier, in
how long its first content takes. The limit follows Netflix's Gradient2, over windows as its
WindowedLimit makes them (https://github.com/Netflix/concurrency-limits): it shrinks when first
content takes longer than usual, and while it does not it grows by a part of its own square root,
about the queue that a target should be given to work on. What is different here:

- Time is measured to the first content: a whole answer's time is its length's affair. Where there
  are only whole answers, the limit grows by one a window (Netflix's AIMD limit) until refused.
- Until a target first shows that it is full there is no limit: a fallback that takes over needs
  room at once, and nothing speaks against it yet.
- What is usual is relearned in ten minutes of the clock, and no window counts for more than twice
  of it: by answers, an overload at a hundred a second would be usual after six seconds.
- Slowness that stays when the limit has been halved is not for what we ask at once: prompts have
  become longer, or the provider is slow for all. It is the new usual, as far as this is concerned.
- A refusal (429, 529) takes a tenth off.

It is soft. A target over its limit is passed over for one with room; nobody fails by it.
"""

from __future__ import annotations

from math import isinf, sqrt
from typing import Final

__all__ = ["Concurrency"]

#: What is tried without asking, at the least: Gradient2's own default. The first limit is no lower.
INITIAL: Final = 20.0
#: As many as are needed to keep measuring: with fewer, one long answer would close a target.
LEAST: Final = 4.0
#: No limit, until there is a sign of one: a provider's capacity is not ours to know, and a limit to
#: begin with would delay the first burst of every process, a failover's above all, for no reason.
#: One that has grown to this is none.
MOST: Final = 1000.0

#: Answers, and seconds, of a window: WindowedLimit's defaults. A change of the limit is felt after
#: about as long, and prompts differ in length more than one answer could tell.
WINDOW_ANSWERS: Final = 10
WINDOW_SECONDS: Final = 1.0
#: First content may take so much longer than usual before the limit shrinks; it shrinks by no more
#: than that at once; how far one window moves it; the queue at least. All four are Gradient2's.
TOLERANCE: Final = 1.5
SHRINK_MOST: Final = 0.5
SMOOTHING: Final = 0.2
QUEUE_LEAST: Final = 4.0

#: What is usual: windows until it is known, seconds in which it is relearned, the most that one
#: window moves it, and the most of itself that one counts for.
USUAL_KNOWN: Final = 10
USUAL_SECONDS: Final = 600.0
USUAL_STEP: Final = 0.05
USUAL_TIMES: Final = 2.0
#: More than twice of what a window takes is left over from a slow time: Gradient2's decay.
USUAL_DECAY: Final = 0.95
#: Slowness is not ours if the limit has shrunk to one share and first content not to the other.
HELPED_LIMIT: Final = 0.5
HELPED_TIME: Final = 0.75

#: A refusal leaves so much of the limit (Netflix's AIMD), once a second: attempts that were under
#: way at the same time are refused for the same reason, and a refusal takes less than that.
BACKOFF: Final = 0.9
BACKOFF_SECONDS: Final = 1.0

_NEVER: Final = float("-inf")
_NO_END: Final = float("inf")


class Concurrency:
    """The attempts under way at one target, and how many there should be at most.

    Times are in seconds of one clock that never goes back. `started` and `ended` come in pairs.
    """

    __slots__ = (
        "_answers",
        "_backed_off_at",
        "_has_been_full",
        "_peak",
        "_since",
        "_slow_limit",
        "_slow_mean",
        "_timed",
        "_total",
        "_usual",
        "_windows",
        "in_flight",
        "limit",
    )

    def __init__(self) -> None:
        #: Attempts under way.
        self.in_flight = 0
        #: How many there should be at most.
        self.limit = _NO_END
        #: Seconds that first content usually takes, and the windows that it is known from.
        self._usual = 0.0
        self._windows = 0
        #: The first of a row of slow windows: its first content, 0 if there is none, and the limit.
        self._slow_mean = 0.0
        self._slow_limit = 0.0
        self._has_been_full = False
        self._backed_off_at = _NEVER
        #: The window: since when; its answers, those of them with a time, the sum of those; the
        #: most that were under way.
        self._since = _NEVER
        self._answers = 0
        self._timed = 0
        self._total = 0.0
        self._peak = 0

    def started(self, now: float) -> None:
        """An attempt begins."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def ended(self, now: float) -> None:
        """An attempt has ended, however it did."""
        if self.in_flight > 0:
            self.in_flight -= 1

    def answered(self, first_content_seconds: float | None, now: float) -> None:
        """An attempt gave its first content after so long.

        None: it was answered whole, and the time says nothing.
        """
        if first_content_seconds is not None and first_content_seconds >= 0.0:
            self._total += first_content_seconds
            self._timed += 1
        self._answers += 1
        if self._answers >= WINDOW_ANSWERS and now - self._since >= WINDOW_SECONDS:
            self._close(now)

    def pushed_back(self, now: float) -> None:
        """An attempt was refused for too much traffic (429, 529)."""
        self._has_been_full = True
        if now - self._backed_off_at < BACKOFF_SECONDS:
            return
        self._backed_off_at = now
        # The first time it is what is under way that was too much. Later a limit of more than twice
        # that is left over from busier times.
        times = 1.0 if isinf(self.limit) else 2.0
        tried = max(times * self.in_flight, INITIAL)
        self.limit = max(BACKOFF * min(self.limit, tried), LEAST)

    def is_full(self, share: float = 1.0) -> bool:
        """Whether so much of the limit is in use: `share` of it, 1 for all."""
        return self.in_flight >= self.limit * share

    def _close(self, now: float) -> None:
        """A window ends: what it says of the limit."""
        limit, peak = min(self.limit, MOST), self._peak
        gradient, queue, was_slow = 1.0, 1.0 / SMOOTHING, False
        if self._timed:
            mean = max(self._total / self._timed, 0.001)
            queue = max(sqrt(limit), QUEUE_LEAST)
            gradient = self._compare(mean, now - self._since)
            was_slow = self._slow_mean > 0.0
            if gradient < 1.0 and self._is_not_ours(mean):
                self._usual = mean
                gradient = 1.0
            if gradient == 1.0:
                self._slow_mean = 0.0
        self._since = now
        self._answers = self._timed = 0
        self._total = 0.0
        self._peak = self.in_flight
        if not self._has_been_full:
            if gradient == 1.0 or not was_slow or peak <= INITIAL / 2.0:
                # Little is known yet of how much answers differ: one slow window is none. And so
                # few at once are not what makes a target slow.
                return
            self._has_been_full = True
            limit = max(float(peak), INITIAL)
        elif peak <= limit / 2.0:
            # Nobody has tried what a higher limit would do, and a lower one would change nothing.
            return
        aim = limit * gradient + queue
        limit = max(limit + SMOOTHING * (aim - limit), LEAST)
        self.limit = limit if limit < MOST else _NO_END

    def _compare(self, mean: float, elapsed: float) -> float:
        """A window's first content against the usual, as the share of the limit that it leaves."""
        usual = self._usual
        if self._windows < USUAL_KNOWN:
            self._windows += 1
            self._usual += (mean - usual) / self._windows
        else:
            weight = min(elapsed / USUAL_SECONDS, USUAL_STEP)
            self._usual += weight * (min(mean, USUAL_TIMES * usual) - usual)
            if usual > USUAL_TIMES * mean:
                self._usual *= USUAL_DECAY
        return min(max(TOLERANCE * self._usual / mean, SHRINK_MOST), 1.0)

    def _is_not_ours(self, mean: float) -> bool:
        """Whether a lower limit has not helped, in a row of slow windows of which this is one."""
        if self._slow_mean == 0.0 or isinf(self._slow_limit):
            self._slow_mean = mean
            self._slow_limit = self.limit
            return False
        shrunk = self.limit <= HELPED_LIMIT * self._slow_limit
        return shrunk and mean > HELPED_TIME * self._slow_mean
