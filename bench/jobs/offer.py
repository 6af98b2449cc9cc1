"""How fast a number of callers can hand something in: each asks again as soon as it is answered."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter

__all__ = ["PAYLOAD", "offer", "tell"]

#: Bytes of a request.
PAYLOAD = b"x" * 2048
#: Seconds before it is counted.
WARM_UP = 0.5


async def offer(
    ask: Callable[[], Awaitable[object]], *, callers: int, seconds: float
) -> dict[str, float]:
    """Answers a second, and milliseconds that one took (median, 99th percentile)."""
    took: list[float] = []
    begins = perf_counter() + WARM_UP
    ends = begins + seconds

    async def call() -> None:
        while (asked := perf_counter()) < ends:
            await ask()
            answered = perf_counter()
            if begins <= answered < ends:
                took.append(answered - asked)

    await asyncio.gather(*(call() for _ in range(callers)))
    took.sort()
    return {
        "rate": len(took) / seconds,
        "p50_ms": 1000 * took[len(took) // 2],
        "p99_ms": 1000 * took[len(took) * 99 // 100],
    }


def tell(found: dict[str, float]) -> None:
    """To the process that asked: the last line of the output."""
    sys.stdout.write(f"{json.dumps(found)}\n")
