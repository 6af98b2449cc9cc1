"""An event loop whose clock is a number: it jumps to the next timer when nothing is ready.

Hours pass in milliseconds and always in the same way: there is no socket, no thread and no wall
clock in it, and everything that asyncio leaves open is drawn from one seeded generator. asyncio
leaves open in which order timers of the very same moment fire (documentation of `loop.call_at`), so
these are shuffled; callbacks of `call_soon` keep their order, which asyncio promises.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from asyncio import base_events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["DeadlockError", "OutOfTimeError", "VirtualLoop"]

T = TypeVar("T")
#: Callbacks within one moment of virtual time before it counts as a loop that never rests.
MOST_AT_ONCE = 1_000_000


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: nothing would ever happen again."""


class OutOfTimeError(RuntimeError):
    """Virtual time has passed the horizon and the world still goes on."""


class VirtualLoop(base_events.BaseEventLoop):
    """asyncio's own loop with another clock and no I/O.

    `errors` holds what reached the loop's exception handler: callbacks that raised, tasks that
    nobody waited for.

    Args:
        rng: decides on the order of timers that fall due together.
        horizon: the last moment, in seconds from 0.
    """

    def __init__(self, rng: random.Random, horizon: float = 86_400.0) -> None:
        super().__init__()
        self._now = 0.0
        self._rng = rng
        self._horizon = horizon
        self._at_once = 0
        self.errors: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the coroutine's end. The loop of the calling thread is put back afterwards."""
        return self.run_until_complete(coroutine)

    def pending_timers(self) -> list[asyncio.TimerHandle]:
        """Timers that are set and not cancelled."""
        return [handle for handle in self._scheduled if not handle.cancelled()]

    # -- what BaseEventLoop leaves to a loop with sockets -------------------------------------

    def _process_events(self, event_list: object) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """There is no other thread to wake the loop from."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Refused: a thread has no place in virtual time."""
        raise RuntimeError(f"a thread was asked for in virtual time: {func!r}")

    # -- one round ----------------------------------------------------------------------------

    def _run_once(self) -> None:
        ready = self._ready
        if not ready and not self._stopping:
            self._jump()
        for handle in self._due():
            ready.append(handle)
        self._at_once += len(ready)
        if self._at_once > MOST_AT_ONCE:
            raise OutOfTimeError(f"the loop does not rest at {self._now:.6f} s")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()
        handle = None  # An exception's traceback would keep it in a cycle.

    def _jump(self) -> None:
        """Nothing is ready: on to the next timer."""
        scheduled = self._scheduled
        while scheduled and scheduled[0].cancelled():
            self._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False
        if not scheduled:
            tasks = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self)))
            raise DeadlockError(f"nothing is ready and no timer is set; waiting: {tasks}")
        when = scheduled[0].when()
        if when > self._horizon:
            raise OutOfTimeError(f"the world goes on after {self._horizon:.0f} s")
        if when > self._now:
            self._now = when
            self._at_once = 0

    def _due(self) -> list[asyncio.TimerHandle]:
        """The timers whose moment has come: in their order, those of one moment in any."""
        scheduled = self._scheduled
        due: list[asyncio.TimerHandle] = []
        while scheduled and scheduled[0].when() <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if handle.cancelled():
                self._timer_cancelled_count -= 1
            else:
                due.append(handle)
        if len(due) > 1:
            self._rng.shuffle(due)
            due.sort(key=asyncio.TimerHandle.when)
        return due
