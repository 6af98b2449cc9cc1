"""One place for a worker: who serves there, who comes, who leaves; when the next one is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from understudy.supervisor.worker import Worker

__all__ = ["KILL_SECONDS", "START_SECONDS", "STEADY_SECONDS", "Fall", "Slot", "pause_after"]

#: A worker that does not serve by then is given up.
START_SECONDS: Final = 120.0
#: For what is left to close when a drain is over: a store that gives no answer keeps each of its
#: calls for ten seconds.
KILL_SECONDS: Final = 60.0
#: A worker that has served for so long has not fallen in a row with those before it.
STEADY_SECONDS: Final = 30.0
PAUSE_LEAST: Final = 1.0
PAUSE_MOST: Final = 30.0


class Fall(Enum):
    """What it means that a worker has ended."""

    #: It was told to.
    LEFT = "left"
    #: It served.
    FELL = "fell"
    #: It never served, and nobody else does.
    FAILED = "failed"
    #: It never served, but its predecessor still does.
    KEPT = "kept"


def pause_after(falls: int) -> float:
    """Seconds until the next start after so many falls in a row; the first costs nothing."""
    return min(PAUSE_LEAST * 2.0 ** (falls - 2), PAUSE_MOST) if falls > 1 else 0.0


class Slot:
    """A place for a worker. Times are of one clock, in seconds.

    Args:
        number: from 0.
        start: starts a worker.
    """

    def __init__(self, number: int, start: Callable[[int], Worker]) -> None:
        self.number = number
        self._start = start
        self.serving: Worker | None = None
        self.coming: Worker | None = None
        self.leaving: list[Worker] = []
        #: In a row.
        self.falls = 0
        #: When the next worker may start, if none serves.
        self.due = 0.0
        self._since = 0.0

    def __iter__(self) -> Iterator[Worker]:
        """Everyone who is there."""
        for worker in (self.serving, self.coming, *self.leaving):
            if worker is not None:
                yield worker

    @property
    def is_empty(self) -> bool:
        """Nobody serves, and nobody comes."""
        return self.serving is None and self.coming is None

    @property
    def is_settled(self) -> bool:
        """Nobody comes, and nobody leaves."""
        return self.coming is None and not self.leaving

    def begin(self, now: float) -> None:
        """Start a worker, beside the one that serves if there is one.

        Raises:
            OSError: no process can be started.
        """
        self.coming = self._start(self.number)
        self.coming.kill_at = now + START_SECONDS

    def take_over(self, now: float) -> Worker | None:
        """The one that came serves. Returns the one that is to leave now, if there is one."""
        if self.coming is not None:
            self.coming.kill_at = float("inf")
        old, self.serving, self.coming = self.serving, self.coming, None
        self._since = now
        if old is not None:
            self.leaving.append(old)
        return old

    def ended(self, worker: Worker, now: float) -> Fall:
        """Somebody has ended."""
        if worker in self.leaving:
            self.leaving.remove(worker)
            return Fall.LEFT
        if worker is self.coming:
            self.coming = None
            if self.serving is not None:
                return Fall.KEPT
            self.fell(now)
            return Fall.FAILED
        self.serving = None
        if now - self._since >= STEADY_SECONDS:
            self.falls = 0
        self.fell(now)
        return Fall.FELL

    def fell(self, now: float) -> None:
        """Once more in a row nobody serves."""
        self.falls += 1
        self.due = now + pause_after(self.falls)
