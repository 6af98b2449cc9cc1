"""A `Store` over SQL: the same statements on SQLite and PostgreSQL, carried out by `Writers`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from understudy.ports import (
    PRIORITIES,
    Acceptance,
    Answer,
    Backlog,
    Callback,
    Claimed,
    Event,
    Job,
    JobFilter,
    JobStatus,
    Lane,
    Lease,
    Mark,
    NewJob,
    Priority,
    Stale,
    Undelivered,
    Written,
    check_event,
)
from understudy.store import endings, outbox, reading
from understudy.store.accepting import accept_all
from understudy.store.claiming import Claim, claim
from understudy.store.listing import list_jobs
from understudy.store.marks import keep_marks, list_marks
from understudy.store.turns import Turns
from understudy.store.writers import Rank, Writers

__all__ = ["SqlStore"]


class SqlStore:
    """Keeps all of it in a database; `release` is called when it has been let go of."""

    def __init__(self, writers: Writers, release: Callable[[], None]) -> None:
        self._writers = writers
        self._release = release
        self._turns: dict[Priority, Turns] = {priority: Turns() for priority in PRIORITIES}
        #: One claim at a time, for it decides whose turn it is in the next.
        self._claiming = asyncio.Lock()

    async def accept(self, new: NewJob) -> Acceptance:
        """As the port says."""
        return await self._writers.together(accept_all, new)

    async def get(self, tenant: str, job_id: str) -> Job | None:
        """As the port says."""
        work = partial(reading.find, tenant=tenant, job_id=job_id)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def result(self, tenant: str, job_id: str) -> Answer | None:
        """As the port says."""
        work = partial(reading.result, tenant=tenant, job_id=job_id)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def place(self, tenant: str, job_id: str) -> int | None:
        """As the port says."""
        work = partial(reading.place, tenant=tenant, job_id=job_id)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def backlog(self) -> list[Backlog]:
        """As the port says."""
        return await self._writers.alone(Rank.MANY_JOBS, reading.backlog)

    async def claim(
        self, *, worker: str, lanes: Collection[Lane], limit: int, lease: float, now: float
    ) -> list[Claimed]:
        """As the port says."""
        wanted = Claim(
            worker=worker, lanes=frozenset(lanes), limit=limit, until=now + lease, now=now
        )

        def work(connection: Connection) -> tuple[list[Claimed], dict[Priority, Turns]]:
            # Of its own, so that a transaction that is rolled back has cost nobody a turn.
            turns = {priority: before.copy() for priority, before in self._turns.items()}
            return claim(connection, turns, wanted), turns

        async with self._claiming:
            claimed, self._turns = await self._writers.alone(Rank.MANY_JOBS, work)
        return claimed

    async def extend(self, lease: Lease, *, until: float) -> Written | Stale:
        """As the port says."""
        return await self._of_lease(lease, partial(endings.extend, lease=lease, until=until))

    async def give_back(
        self, lease: Lease, *, ready_at: float, counted: bool, now: float
    ) -> Written | Stale:
        """As the port says."""
        work = partial(endings.give_back, lease=lease, ready_at=ready_at, counted=counted, now=now)
        return await self._of_lease(lease, work)

    async def finish(
        self,
        lease: Lease,
        ending: Literal[JobStatus.SUCCEEDED, JobStatus.FAILED],
        answer: Answer,
        *,
        now: float,
    ) -> Written | Stale:
        """As the port says."""
        work = partial(endings.finish, lease=lease, ending=ending, answer=answer, now=now)
        return await self._of_lease(lease, work)

    async def append(self, lease: Lease, *, kind: str, data: bytes, now: float) -> Written | Stale:
        """As the port says."""
        check_event(kind, data)
        work = partial(endings.append, lease=lease, kind=kind, data=data, now=now)
        return await self._of_lease(lease, work)

    async def events(self, tenant: str, job_id: str, *, after: int, limit: int) -> list[Event]:
        """As the port says."""
        work = partial(reading.list_events, tenant=tenant, job_id=job_id, after=after, limit=limit)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def cancel(self, tenant: str, job_id: str, *, now: float) -> Job | None:
        """As the port says."""
        work = partial(endings.cancel, tenant=tenant, job_id=job_id, now=now)
        return await self._writers.alone(Rank.ONE_JOB, work, tenant=tenant, job_id=job_id)

    async def expire(self, *, limit: int, now: float) -> list[Job]:
        """As the port says."""
        work = partial(endings.expire, limit=limit, now=now)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def reap(self, *, limit: int, now: float, rest: Callable[[int], float]) -> list[Job]:
        """As the port says."""
        work = partial(endings.reap, limit=limit, now=now, rest=rest)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def purge(self, *, finished_before: float, limit: int) -> int:
        """As the port says."""
        work = partial(endings.purge, limit=limit, finished_before=finished_before)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def list_jobs(
        self, wanted: JobFilter, *, limit: int, after: tuple[float, str, str] | None = None
    ) -> list[Job]:
        """As the port says."""
        work = partial(list_jobs, wanted=wanted, limit=limit, after=after)
        return await self._writers.alone(Rank.MANY_JOBS, work)

    async def claim_callbacks(
        self, webhook: str, *, limit: int, lease: float, now: float
    ) -> list[Callback]:
        """As the port says."""
        work = partial(
            outbox.claim_callbacks, webhook=webhook, limit=limit, until=now + lease, now=now
        )
        return await self._writers.alone(Rank.CALLBACKS, work)

    async def settle_callback(self, callback: Callback, *, again_at: float | None) -> None:
        """As the port says."""
        work = partial(outbox.settle_callback, callback=callback, again_at=again_at)
        place = {"tenant": callback.tenant, "job_id": callback.job_id}
        await self._writers.alone(Rank.CALLBACKS, work, **place)

    async def undelivered(self) -> list[Undelivered]:
        """As the port says."""
        return await self._writers.alone(Rank.CALLBACKS, outbox.undelivered)

    async def drop_callbacks(self, *, ended_before: float, limit: int) -> list[Callback]:
        """As the port says."""
        work = partial(outbox.drop_callbacks, ended_before=ended_before, limit=limit)
        return await self._writers.alone(Rank.CALLBACKS, work)

    async def marks(self) -> list[Mark]:
        """As the port says."""
        return await self._writers.alone(Rank.PULLS, list_marks)

    async def mark(self, marks: Sequence[Mark]) -> None:
        """As the port says."""
        await self._writers.alone(Rank.PULLS, partial(keep_marks, marks=marks))

    async def close(self) -> None:
        """As the port says."""
        await self._writers.close()
        self._release()

    async def _of_lease(
        self, lease: Lease, work: Callable[[Connection], Written | Stale]
    ) -> Written | Stale:
        return await self._writers.alone(
            Rank.ONE_JOB, work, tenant=lease.tenant, job_id=lease.job_id
        )
