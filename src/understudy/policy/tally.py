"""Counting within the last minute, in constant time and space."""

from __future__ import annotations

from typing import Final

__all__ = ["Tally"]

#: Six buckets of ten seconds: a window of 60 s (resilience4j's time-based window works alike).
_BUCKETS: Final = 6
_BUCKET_SECONDS: Final = 10.0


class Tally:
    """Two counters (`good`, `bad`) over a sliding window of about 60 s."""

    __slots__ = ("_bad", "_epoch", "_good")

    def __init__(self) -> None:
        self._good = [0] * _BUCKETS
        self._bad = [0] * _BUCKETS
        self._epoch = 0

    def _turn(self, now: float) -> int:
        """Forget what is older than the window; return the bucket of `now`."""
        epoch = int(now / _BUCKET_SECONDS)
        if epoch != self._epoch:
            for passed in range(min(epoch - self._epoch, _BUCKETS)):
                bucket = (epoch - passed) % _BUCKETS
                self._good[bucket] = self._bad[bucket] = 0
            self._epoch = epoch
        return epoch % _BUCKETS

    def add_good(self, now: float) -> None:
        """Count one good thing."""
        self._good[self._turn(now)] += 1

    def add_bad(self, now: float) -> None:
        """Count one bad thing."""
        self._bad[self._turn(now)] += 1

    def counts(self, now: float) -> tuple[int, int]:
        """(good, bad) within the window."""
        self._turn(now)
        return sum(self._good), sum(self._bad)

    def clear(self) -> None:
        """Forget everything."""
        self._good = [0] * _BUCKETS
        self._bad = [0] * _BUCKETS
