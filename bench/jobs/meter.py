"""Counts what is done in a second, in moments in which the machine was this one's.

A virtual machine does not have its processors all the time; what the hypervisor gives to others is
in /proc/stat as "steal" (proc_stat(5)). A figure taken while half of the time was stolen says
nothing of the program. So time is cut into slices until there are enough of which next to nothing
was stolen. Where they do not come, those count of which the least was: how much, is told as well.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

__all__ = ["PAYLOAD", "Clock", "Meter", "Slice", "Slices", "offer", "tell"]

#: Bytes of a request.
PAYLOAD = b"x" * 2048
SLICE = 0.25
MOST_STOLEN = 0.05
#: Given up after so many times the seconds that were asked for.
PATIENCE = 3.0
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


@dataclass(frozen=True)
class Slice:
    """`seconds` in which so many were done, each within so many seconds; `stolen`: from 0 to 1."""

    stolen: float
    seconds: float
    done: float
    took: list[float]


class Slices:
    """Slices of one measurement, of which the quietest `seconds` are to count."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = perf_counter() + PATIENCE * seconds
        self._slices: list[Slice] = []

    def add(self, one: Slice) -> None:
        """One more."""
        self._slices.append(one)

    @property
    def is_enough(self) -> bool:
        """There are as many good ones as are wanted, or they do not come."""
        good = sum(one.seconds for one in self._slices if one.stolen <= MOST_STOLEN)
        return good >= self._seconds or perf_counter() >= self._ends

    def quietest(self) -> list[Slice]:
        """Those that count."""
        kept: list[Slice] = []
        for one in sorted(self._slices, key=lambda one: one.stolen):
            if sum(slice_.seconds for slice_ in kept) >= self._seconds:
                break
            kept.append(one)
        return kept


class Meter:
    """Counts for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._slices = Slices(seconds)
        self._done = 0
        self._took: list[float] = []
        self._task = asyncio.create_task(self._watch())

    def done(self, took: float = 0.0) -> None:
        """One more, which took so many seconds."""
        self._done += 1
        self._took.append(took)

    def found(self) -> dict[str, float]:
        """Done a second, milliseconds that one took (99 % of them at most), the share stolen."""
        self._task.cancel()
        kept = self._slices.quietest()
        waits = sorted(took for one in kept for took in one.took)
        seconds = sum(one.seconds for one in kept)
        return {
            "rate": sum(one.done for one in kept) / seconds,
            "p99_ms": 1000 * waits[len(waits) * 99 // 100] if waits else 0.0,
            "stolen": sum(one.stolen * one.seconds for one in kept) / seconds,
        }

    async def _watch(self) -> None:
        await asyncio.sleep(WARM_UP)
        self._slices = Slices(self._seconds)
        while not self._slices.is_enough:
            clock, began = Clock(), perf_counter()
            self._done, self._took = 0, []
            await asyncio.sleep(SLICE)
            seconds = perf_counter() - began
            self._slices.add(Slice(clock.stolen(), seconds, self._done, self._took))
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
