"""Counts what is done in a second, in moments in which the machine was this one's.

A virtual machine does not have its processors all the time; what the hypervisor gives to others is
in /proc/stat as "steal" (proc_stat(5)). A figure taken while half of the time was stolen says
nothing of the program. So time is cut into slices, and slices of which more than a twentieth was
stolen are thrown away, for everybody alike, until there is enough of the others.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

__all__ = ["MOST_STOLEN", "PATIENCE", "PAYLOAD", "Clock", "Meter", "offer", "tell"]

#: Bytes of a request.
PAYLOAD = b"x" * 2048
SLICE = 0.25
MOST_STOLEN = 0.05
#: Given up after so many times the seconds that were asked for.
PATIENCE = 8.0
#: Seconds before anything is counted.
WARM_UP = 0.5


class Clock:
    """What part of the time was stolen since it was last asked."""

    def __init__(self) -> None:
        self._before = self._read()

    def stolen(self) -> float:
        """From 0 to 1."""
        before, self._before = self._before, self._read()
        total, stolen = (now - then for now, then in zip(self._before, before, strict=True))
        return stolen / total if total else 0.0

    @staticmethod
    def _read() -> tuple[int, int]:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(field) for field in line.split()[1:9]]
        return sum(ticks), ticks[7]


class Meter:
    """Counts for `seconds` of good time."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._good = 0.0
        self._done = self._counted = 0
        self._took: list[float] = []
        self._waits: list[float] = []
        self._task = asyncio.create_task(self._watch())

    def done(self, took: float = 0.0) -> None:
        """One more, which took so many seconds."""
        self._done += 1
        self._took.append(took)

    def found(self) -> dict[str, float]:
        """Done a second, milliseconds that one took (99 % of them at most), seconds that count."""
        self._task.cancel()
        self._waits.sort()
        return {
            "rate": self._counted / self._good if self._good else 0.0,
            "p99_ms": 1000 * self._waits[len(self._waits) * 99 // 100] if self._waits else 0.0,
            "seconds": self._good,
        }

    async def _watch(self) -> None:
        await asyncio.sleep(WARM_UP)
        ends = perf_counter() + PATIENCE * self._seconds
        while self._good < self._seconds and perf_counter() < ends:
            clock, began = Clock(), perf_counter()
            self._done = 0
            self._took.clear()
            await asyncio.sleep(SLICE)
            if clock.stolen() <= MOST_STOLEN:
                self._good += perf_counter() - began
                self._counted += self._done
                self._waits += self._took
        self.is_over = True


async def offer(
    ask: Callable[[], Awaitable[object]], *, callers: int, seconds: float, each: int = 1
) -> dict[str, float]:
    """How fast so many callers can hand something in: each asks again as soon as it is answered.

    `each`: so many things are handed in by one call.
    """
    meter = Meter(seconds)

    async def call() -> None:
        while not meter.is_over:
            asked = perf_counter()
            await ask()
            took = perf_counter() - asked
            for _ in range(each):
                meter.done(took)

    await asyncio.gather(*(call() for _ in range(callers)))
    return meter.found()


def tell(found: dict[str, float]) -> None:
    """To the process that asked: the last line of the output."""
    sys.stdout.write(f"{json.dumps(found)}\n")
