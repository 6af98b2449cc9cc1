"""How fast a count has grown of late, and what limit that shows there to be at least."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Flow"]

#: Seconds between two samples, and for how long they are kept.
STEP_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 900.0
#: Limits are by the minute.
MINUTE: Final = 60.0


class Flow:
    """Samples of a count that never falls. Times are seconds of one clock that never goes back."""

    __slots__ = ("_samples", "count", "now")

    def __init__(self) -> None:
        #: (when, count), the oldest first.
        self._samples: deque[tuple[float, float]] = deque(maxlen=int(KEPT_SECONDS / STEP_SECONDS))
        #: The last that was noted, and when.
        self.count = 0.0
        self.now = 0.0

    @property
    def seconds(self) -> float:
        """For how long it has been followed, as far as is kept."""
        return self.now - self._samples[0][0] if self._samples else 0.0

    def note(self, count: float, now: float) -> None:
        """It stands there now."""
        self.count, self.now = count, now
        if not self._samples or now - self._samples[-1][0] >= STEP_SECONDS:
            self._samples.append((now, count))

    def rate(self, seconds: float) -> float:
        """How many a second, over the last `seconds`; over less where less is known."""
        for at, count in reversed(self._samples):
            if self.now - at >= seconds:
                return (self.count - count) / (self.now - at)
        if not self._samples:
            return 0.0
        at, count = self._samples[0]
        return (self.count - count) / max(self.now - at, STEP_SECONDS)

    def sustained(self) -> float:
        """What a limit allows a second at least, by which all this was let through.

        A limit of L a minute lets through, in w seconds, what had been saved up, L at most, and
        what came meanwhile: L + L·w/60. So it is no less than 60 · count / (60 + w), whichever w.
        """
        return max(
            ((self.count - count) / (MINUTE + self.now - at) for at, count in self._samples),
            default=0.0,
        )
