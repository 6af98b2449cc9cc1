"""`JobStore` keeps deferred requests: the port.

What it promises, whichever engine is behind it:

- When `accept` returns `Accepted`, the job is durable: it survives the death of this process, and
  on SQLite and PostgreSQL the loss of power.
- A job ends once. Its terminal status is written by compare-and-set and never changes again.
- Word of a job's end (`Callback`) is kept in the same step as the end itself.
- A lease is a fencing token. Whoever holds an older one changes nothing and is told so (`Stale`).
- Execution is at least once: a worker that dies after asking a provider leaves the job to the next.
- Nothing waits for ever: an engine that does not answer raises a `StoreError` in bounded time.

All moments are Unix seconds and come from the caller, also in one call's different arguments: the
store reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, Protocol

from understudy.ports.jobs import (
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
    NewJob,
    Stale,
    Undelivered,
    Written,
)

__all__ = ["JobStore"]


class JobStore(Protocol):
    """Keeps jobs. Every method may raise a `StoreError`; none blocks the event loop."""

    async def accept(self, new: NewJob) -> Acceptance:
        """Keep a job, once for its key (or its id): durable when this returns `Accepted`."""

    async def get(self, tenant: str, job_id: str) -> Job | None:
        """The job as it stands; None if it is not kept, or another tenant's."""

    async def result(self, tenant: str, job_id: str) -> Answer | None:
        """What came of a job that succeeded or failed."""

    async def place(self, tenant: str, job_id: str) -> int | None:
        """How many queued jobs of its tenant and priority go before it; None if it isn't queued."""

    async def backlog(self) -> list[Backlog]:
        """Every lane that holds a queued or running job, in order of lane."""

    async def claim(
        self, *, worker: str, lanes: Collection[Lane], limit: int, lease: float, now: float
    ) -> list[Claimed]:
        """Take up to `limit` jobs of these lanes for `lease` seconds.

        In this order: interactive before background; tenants by deficit round robin over their
        jobs' costs; within a tenant the earliest deadline. Never one that expired or is not ready.
        What was claimed for a caller who heard nothing of it (`StoreUnreachableError`, cancelled)
        comes back by `reap`.
        """

    async def extend(self, lease: Lease, *, until: float) -> Written | Stale:
        """Keep a job longer, as long as nobody else has claimed it since."""

    async def give_back(
        self, lease: Lease, *, ready_at: float, counted: bool, now: float
    ) -> Written | Stale:
        """Queue it again, not before `ready_at`. `counted`: that was an attempt."""

    async def finish(
        self,
        lease: Lease,
        ending: Literal[JobStatus.SUCCEEDED, JobStatus.FAILED],
        answer: Answer,
        *,
        now: float,
    ) -> Written | Stale:
        """End it with its result. The same again, with the same lease, is `Written` again."""

    async def append(self, lease: Lease, *, kind: str, data: bytes, now: float) -> Written | Stale:
        """Add an event to a running job.

        Raises:
            ValueError: `kind` is no name, or `data` is too long.
            StoreLimitError: it has `MAX_EVENTS` already.
        """

    async def events(self, tenant: str, job_id: str, *, after: int, limit: int) -> list[Event]:
        """Its events with a number greater than `after`, in order."""

    async def cancel(self, tenant: str, job_id: str, *, now: float) -> Job | None:
        """End it, queued or running; one that had ended stays as it was. The job as it is then."""

    async def expire(self, *, limit: int, now: float) -> list[Job]:
        """End queued jobs whose time is over; those that it ended."""

    async def reap(self, *, limit: int, now: float, rest: Callable[[int], float]) -> list[Job]:
        """Queue running jobs again whose lease ran out; those, as they are then.

        `rest`: how many seconds one waits from now, by its attempts so far.
        """

    async def purge(self, *, finished_before: float, limit: int) -> int:
        """Forget jobs that ended before that moment, with all that belongs to them; how many."""

    async def list_jobs(
        self, wanted: JobFilter, *, limit: int, after: tuple[float, str, str] | None = None
    ) -> list[Job]:
        """Up to `limit` jobs like that, by the moment of their acceptance.

        `after`: those behind the job that was accepted then, of that tenant, with that id.
        """

    async def claim_callbacks(
        self, webhook: str, *, limit: int, lease: float, now: float
    ) -> list[Callback]:
        """Take up to `limit` callbacks of a webhook that are due, those that have waited longest
        first. Nobody else is given them for `lease` seconds; then they are due again.
        """

    async def settle_callback(self, callback: Callback, *, again_at: float | None) -> None:
        """Word about a claimed callback: due again at that moment; None: to be forgotten.

        Nothing is changed if it was claimed again since.
        """

    async def undelivered(self) -> list[Undelivered]:
        """The callbacks that wait, by webhook, in order of its name."""

    async def drop_callbacks(self, *, ended_before: float, limit: int) -> list[Callback]:
        """Forget callbacks of jobs that ended before that moment; those."""

    async def close(self) -> None:
        """Finish what is under way and let go of the engine."""
