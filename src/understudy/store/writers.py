"""Threads that own the connections, so that the event loop never waits for a disk or a database.

What is asked while a transaction commits waits, and then goes into the next one together: a commit
costs a disk's flush whether it carries one job or two hundred. Nobody is answered before the commit
that carries his word. Should one of a transaction fail, it is rolled back, and each of them tried
by itself, so that nobody pays for another.

Deadlocks between transactions of several processes are avoided by order: each asks for its locks
first for keys of new jobs, sorted; then for single jobs, sorted; then for many jobs, passing over
those that are locked; then for callbacks, then for pulls. What comes later in that order never
waits for what comes earlier.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from understudy.ports import StoreBusyError, StoreError, StoreUnreachableError
from understudy.store.faults import is_lasting, store_error

__all__ = ["Rank", "Writers"]

#: In one transaction at most: a flush is paid for long before, and a rollback stays cheap.
BATCH: Final = 256
#: Waiting at most. At 1,000 a second this is the patience below.
WAITING: Final = 10_000

_T = TypeVar("_T")
_A = TypeVar("_A")

_Outcome = tuple["_Task", Any, Exception | None]


class Rank(IntEnum):
    """When in a transaction something comes (the order of locks, see above)."""

    ARRIVALS = 0
    ONE_JOB = 1
    MANY_JOBS = 2
    CALLBACKS = 3
    PULLS = 4


class _Task:
    """One word to the store, and who waits for what it says."""

    __slots__ = ("argument", "future", "order", "work")

    def __init__(
        self,
        work: Callable[[Connection, Sequence[Any]], Sequence[Any]],
        argument: Any,
        order: tuple[int, str, str],
        future: asyncio.Future[Any],
    ) -> None:
        self.work = work
        self.argument = argument
        self.order = order
        self.future = future


class Writers:
    """Some threads with a connection each, and one line of tasks for them."""

    def __init__(
        self,
        engine: Engine,
        *,
        threads: int,
        patience: float,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Start; the running loop is the one that is answered.

        `patience` (seconds) bounds every call, whatever the engine does. `prepare` is done before
        anything else; where it fails, so does what is asked, and it is tried again with the next.
        """
        self._engine = engine
        self._prepare = prepare
        self._preparing = threading.Lock()
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._line: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closed = False
        self._threads = [
            # Daemons: one that is stuck in the kernel must not keep the process from ending.
            threading.Thread(target=self._run, name=f"store-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def together(
        self, work: Callable[[Connection, Sequence[_A]], Sequence[_T]], argument: _A
    ) -> _T:
        """Do an arrival's work, in one call for all that are in the same transaction.

        Raises:
            StoreError: it was not done, or nothing was heard of it.
        """
        return await self._ask(work, argument, (Rank.ARRIVALS, "", ""))

    async def alone(
        self, rank: Rank, work: Callable[[Connection], _T], *, tenant: str = "", job_id: str = ""
    ) -> _T:
        """Do work that is one of a kind, with the job that it is about if it is about one.

        Raises:
            StoreError: it was not done, or nothing was heard of it.
        """

        def once(connection: Connection, _: Sequence[None]) -> Sequence[_T]:
            return (work(connection),)

        return await self._ask(once, None, (rank, tenant, job_id))

    async def close(self) -> None:
        """Finish what waits, then let the connections go."""
        self._closed = True
        self._line.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, self._patience)
        await asyncio.to_thread(self._engine.dispose)

    async def _ask(
        self,
        work: Callable[[Connection, Sequence[_A]], Sequence[_T]],
        argument: _A,
        order: tuple[int, str, str],
    ) -> _T:
        if self._closed:
            raise StoreUnreachableError("the store is closed")
        if self._line.qsize() >= WAITING:
            raise StoreBusyError(f"{WAITING} calls wait for the store already")
        future: asyncio.Future[_T] = self._loop.create_future()
        self._line.put(_Task(work, argument, order, future))
        try:
            async with asyncio.timeout(self._patience):
                return await future
        except TimeoutError:
            raise StoreUnreachableError(
                f"the store gave no answer within {self._patience:g} s"
            ) from None

    def _run(self) -> None:
        """A thread's life."""
        while batch := self._next():
            outcomes = self._unprepared(batch) or self._commit(
                sorted(batch, key=lambda task: task.order)
            )
            # The loop may have ended without closing us; then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_deliver, outcomes)

    def _unprepared(self, batch: list[_Task]) -> list[_Outcome]:
        """Prepare, unless that is done; what becomes of a batch that comes too early."""
        with self._preparing:
            if self._prepare is not None:
                try:
                    self._prepare()
                except Exception as error:  # noqa: BLE001 - as in `_commit`
                    return [(task, None, error) for task in batch]
                self._prepare = None
        return []

    def _next(self) -> list[_Task]:
        """What waits, as soon as something does; empty at the end."""
        batch: list[_Task] = []
        while len(batch) < BATCH:
            try:
                task = self._line.get(block=not batch)
            except queue.Empty:
                break
            if task is None:
                # The end is for the other threads too.
                self._line.put(None)
                break
            # Those who gave up waiting before it began want it no more.
            if not task.future.done():
                batch.append(task)
        return batch

    def _commit(self, batch: list[_Task]) -> list[_Outcome]:
        """Carry out a batch in one transaction."""
        try:
            with self._engine.begin() as connection:
                done = list(_carry_out(connection, batch))
        except (SQLAlchemyError, StoreError) as error:
            fault = error if isinstance(error, StoreError) else store_error(error)
            # Without the chain: a driver's words may quote what was to be written.
            fault.__cause__ = fault.__context__ = None
            if len(batch) == 1 or is_lasting(fault):
                return [(task, None, fault) for task in batch]
        except Exception as error:  # noqa: BLE001 - a bug must not leave callers waiting for ever
            if len(batch) == 1:
                return [(task, None, error) for task in batch]
        else:
            return done
        return [outcome for task in batch for outcome in self._commit([task])]


def _carry_out(connection: Connection, batch: list[_Task]) -> Iterator[_Outcome]:
    for work, group in groupby(batch, key=lambda task: task.work):
        tasks = list(group)
        for task, value in zip(
            tasks, work(connection, [task.argument for task in tasks]), strict=True
        ):
            yield task, value, None


def _deliver(outcomes: list[_Outcome]) -> None:
    """Tell those who still wait (on the loop's thread)."""
    for task, value, fault in outcomes:
        if task.future.done():
            continue
        if fault is None:
            task.future.set_result(value)
        else:
            task.future.set_exception(fault)
