"""Three known circuit breakers with their defaults, as their public documentation describes them.

Written anew from that documentation; where they leave a choice, it falls in the peer's favour.
"""

from __future__ import annotations

import math
from collections import deque

from detection.watched import Watched

__all__ = ["Envoy", "Hystrix", "Resilience4j"]


class Envoy(Watched):
    """Outlier detection: five errors in a row eject a host for 30 s × its ejections.

    envoy/config/cluster/v3/outlier_detection.proto: `consecutive_5xx` 5, `interval` 10 s (sweeps
    that end ejections and forget old ones), `base_ejection_time` 30 s, `max_ejection_time` 300 s.
    Its rates need 100 requests in 10 s at five hosts. `max_ejection_percent` (10 %) would forbid to
    eject one of fewer than ten hosts at all: here `always_eject_one_host` is granted.
    """

    name = "Envoy"

    CONSECUTIVE = 5
    SWEEP = 10.0
    EJECTION = 30.0
    EJECTION_MAX = 300.0

    def __init__(self) -> None:
        super().__init__()
        self._failures = 0
        self._ejections = 0
        self._ejected_at = 0.0
        self._swept = 0

    def admits(self, now: float) -> bool:
        self._sweep(now)
        return not self.is_open

    def ended(self, now: float, began: float, *, good: bool) -> None:
        self._sweep(now)
        if good:
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= self.CONSECUTIVE and not self.is_open:
            self._ejections += 1
            self._ejected_at = now
            self.note(now, is_open=True)

    def is_calm(self, now: float) -> bool:
        return not self._failures and not self.is_open

    def _sweep(self, now: float) -> None:
        """What the sweeps since the last look have done."""
        due = int(now / self.SWEEP)
        if self.is_open:
            seconds = min(self.EJECTION * self._ejections, self.EJECTION_MAX)
            returns = math.ceil((self._ejected_at + seconds) / self.SWEEP)
            if returns > due:
                return
            self._failures = 0
            self.note(returns * self.SWEEP, is_open=False)
            self._swept = returns
        self._ejections = max(0, self._ejections - (due - self._swept))
        self._swept = due


class Resilience4j(Watched):
    """CircuitBreaker: half of the last hundred calls failed; a minute later ten calls decide.

    resilience4j's documentation: `slidingWindowType` COUNT_BASED, `slidingWindowSize` and
    `minimumNumberOfCalls` 100, `failureRateThreshold` 50 %, `waitDurationInOpenState` 60 s,
    `permittedNumberOfCallsInHalfOpenState` 10. (`slowCallDurationThreshold` 60 s is never met.)
    """

    name = "resilience4j"

    WINDOW = 100
    RATE = 0.5
    WAIT = 60.0
    TRIALS = 10

    def __init__(self) -> None:
        super().__init__()
        self._last: deque[bool] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._trials_left = 0
        self._is_trying = False

    def admits(self, now: float) -> bool:
        if not self.is_open:
            return True
        if not self._is_trying:
            if now < self._opened_at + self.WAIT:
                return False
            self._is_trying = True
            self._trials_left = self.TRIALS
            self._forget()
        if self._trials_left:
            self._trials_left -= 1
            return True
        return False

    def ended(self, now: float, began: float, *, good: bool) -> None:
        if self.is_open and not self._is_trying:
            return
        size = self.TRIALS if self._is_trying else self.WINDOW
        self._last.append(good)
        self._failures += not good
        if len(self._last) > size:
            self._failures -= not self._last.popleft()
        if len(self._last) < size:
            return
        is_failing = self._failures >= self.RATE * size
        if is_failing:
            self._opened_at = now
            self._is_trying = False
        elif self._is_trying:
            self._is_trying = False
            self._forget()
        if is_failing is not self.is_open:
            self.note(now, is_open=is_failing)

    def is_calm(self, now: float) -> bool:
        return len(self._last) == self.WINDOW and not self._failures

    def _forget(self) -> None:
        self._last.clear()
        self._failures = 0


class Hystrix(Watched):
    """Twenty calls within ten seconds of which half failed; five seconds later one call decides.

    Hystrix's wiki, "Configuration": `circuitBreaker.requestVolumeThreshold` 20,
    `metrics.rollingStats.timeInMilliseconds` 10,000, `circuitBreaker.errorThresholdPercentage` 50,
    `circuitBreaker.sleepWindowInMilliseconds` 5,000. Judged after every call, where the original
    looks every 500 ms.
    """

    name = "Hystrix"

    VOLUME = 20
    WINDOW = 10.0
    RATE = 0.5
    SLEEP = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._recent: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._is_trying = False

    def admits(self, now: float) -> bool:
        if not self.is_open:
            return True
        if self._is_trying or now <= self._opened_at + self.SLEEP:
            return False
        self._is_trying = True
        return True

    def ended(self, now: float, began: float, *, good: bool) -> None:
        if self.is_open:
            self._judge_trial(now, began, good=good)
            return
        self._recent.append((now, good))
        self._failures += not good
        while self._recent[0][0] <= now - self.WINDOW:
            self._failures -= not self._recent.popleft()[1]
        calls = len(self._recent)
        if calls >= self.VOLUME and self._failures >= self.RATE * calls:
            self._opened_at = now
            self.note(now, is_open=True)

    def is_calm(self, now: float) -> bool:
        return not self._failures and not self.is_open

    def _judge_trial(self, now: float, began: float, *, good: bool) -> None:
        if not self._is_trying or began < self._opened_at:
            return
        self._is_trying = False
        if good:
            self._recent.clear()
            self._failures = 0
            self.note(now, is_open=False)
        else:
            self._opened_at = now
