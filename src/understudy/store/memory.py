"""The store in memory: every promise but durability. For tests, and for trying things out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Literal

from msgspec.structs import replace

from understudy.ports import (
    MAX_EVENTS,
    PRIORITIES,
    TERMINAL,
    Acceptance,
    Accepted,
    Answer,
    Backlog,
    Callback,
    Claimed,
    Conflict,
    Event,
    Job,
    JobFilter,
    JobStatus,
    Known,
    Lane,
    Lease,
    Mark,
    NewJob,
    Request,
    Stale,
    StoreLimitError,
    Undelivered,
    Written,
    check_event,
)
from understudy.store.first import FIRST_EVENT, first_job
from understudy.store.memory_outbox import MemoryOutbox
from understudy.store.turns import Turns

__all__ = ["MemoryStore"]

_QUEUED, _RUNNING = JobStatus.QUEUED, JobStatus.RUNNING


class _Kept:
    """One job and what belongs to it."""

    __slots__ = ("answer", "events", "job", "key_digest", "request")

    def __init__(self, new: NewJob) -> None:
        self.job = first_job(new)
        self.key_digest = new.key_digest
        #: Gone once the job has ended.
        self.request: Request | None = new.request
        self.answer: Answer | None = None
        self.events = [Event(FIRST_EVENT, new.created_at, _QUEUED.value, b"")]

    def change(self, job: Job, kind: str, at: float, data: bytes = b"") -> None:
        """The job becomes this, and an event says so."""
        number = job.events + 1
        self.events.append(Event(number, at, kind, data))
        self.job = replace(job, events=number)

    def queue(self, *, ready_at: float, attempts: int, now: float) -> None:
        """Back into the line."""
        job = replace(
            self.job,
            status=_QUEUED,
            ready_at=ready_at,
            attempts=attempts,
            lease_owner=None,
            lease_until=None,
        )
        self.change(job, _QUEUED.value, now)

    def end(self, status: JobStatus, now: float) -> None:
        """Into a terminal status; what was asked is needed no longer."""
        self.request = None
        job = replace(self.job, status=status, finished_at=now, lease_owner=None, lease_until=None)
        self.change(job, status.value, now)


class MemoryStore:
    """A `Store` of one process. No method waits, so each is one step."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._by_key: dict[tuple[str, str, str], _Kept] = {}
        self._turns = {priority: Turns() for priority in PRIORITIES}
        self._marks: dict[str, Mark] = {}
        self._outbox = MemoryOutbox()

    async def accept(self, new: NewJob) -> Acceptance:
        """As the port says."""
        known = self._kept.get((new.tenant, new.id))
        if known is None and new.key_digest is not None:
            known = self._by_key.get((new.tenant, new.caller, new.key_digest))
        if known is not None:
            same = (known.job.caller, known.key_digest, known.job.body_digest)
            if same == (new.caller, new.key_digest, new.body_digest):
                return Known(known.job)
            return Conflict()
        kept = _Kept(new)
        self._kept[new.tenant, new.id] = kept
        if new.key_digest is not None:
            self._by_key[new.tenant, new.caller, new.key_digest] = kept
        return Accepted(kept.job)

    async def get(self, tenant: str, job_id: str) -> Job | None:
        """As the port says."""
        kept = self._kept.get((tenant, job_id))
        return None if kept is None else kept.job

    async def result(self, tenant: str, job_id: str) -> Answer | None:
        """As the port says."""
        kept = self._kept.get((tenant, job_id))
        return None if kept is None else kept.answer

    async def place(self, tenant: str, job_id: str) -> int | None:
        """As the port says."""
        kept = self._kept.get((tenant, job_id))
        if kept is None or kept.job.status is not _QUEUED:
            return None
        line = self._queued(lambda job: job.tenant == tenant and job.priority == kept.job.priority)
        return line.index(kept)

    async def backlog(self) -> list[Backlog]:
        """As the port says."""
        lanes: defaultdict[Lane, list[Job]] = defaultdict(list)
        for kept in self._kept.values():
            if kept.job.status not in TERMINAL:
                lanes[kept.job.lane].append(kept.job)
        return [_backlog(lane, lanes[lane]) for lane in sorted(lanes)]

    async def claim(
        self, *, worker: str, lanes: Collection[Lane], limit: int, lease: float, now: float
    ) -> list[Claimed]:
        """As the port says."""
        claimed: list[Claimed] = []
        open_lanes = frozenset(lanes)
        for priority in PRIORITIES:
            lines: defaultdict[str, list[_Kept]] = defaultdict(list)
            for kept in self._queued(
                lambda job: job.lane in open_lanes and job.ready_at <= now < job.expires_at
            ):
                if kept.job.priority == priority:
                    lines[kept.job.tenant].append(kept)

            def take(tenant: str, lines: dict[str, list[_Kept]] = lines) -> int | None:
                if not lines[tenant]:
                    return None
                kept = lines[tenant].pop(0)
                claimed.append(_claim(kept, worker, now + lease, now))
                return kept.job.cost

            self._turns[priority].serve(lines.keys(), limit - len(claimed), take)
        return claimed

    async def extend(self, lease: Lease, *, until: float) -> Written | Stale:
        """As the port says."""
        held = self._held(lease)
        if isinstance(held, Stale):
            return held
        held.job = replace(held.job, lease_until=until)
        return Written()

    async def give_back(
        self, lease: Lease, *, ready_at: float, counted: bool, now: float
    ) -> Written | Stale:
        """As the port says."""
        held = self._held(lease)
        if isinstance(held, Stale):
            return held
        held.queue(ready_at=ready_at, attempts=held.job.attempts - (not counted), now=now)
        return Written()

    async def finish(
        self,
        lease: Lease,
        ending: Literal[JobStatus.SUCCEEDED, JobStatus.FAILED],
        answer: Answer,
        *,
        now: float,
    ) -> Written | Stale:
        """As the port says."""
        held = self._held(lease)
        if isinstance(held, Stale):
            job = await self.get(lease.tenant, lease.job_id)
            if job is not None and job.status is ending and job.token == lease.token:
                return Written()
            return held
        held.answer = answer
        self._end(held, ending, now)
        return Written()

    async def append(self, lease: Lease, *, kind: str, data: bytes, now: float) -> Written | Stale:
        """As the port says."""
        check_event(kind, data)
        held = self._held(lease)
        if isinstance(held, Stale):
            return held
        if held.job.events >= MAX_EVENTS:
            raise StoreLimitError(f"the job has {MAX_EVENTS} events already")
        held.change(held.job, kind, now, data)
        return Written()

    async def events(self, tenant: str, job_id: str, *, after: int, limit: int) -> list[Event]:
        """As the port says."""
        kept = self._kept.get((tenant, job_id))
        if kept is None:
            return []
        return [event for event in kept.events if event.number > after][:limit]

    async def cancel(self, tenant: str, job_id: str, *, now: float) -> Job | None:
        """As the port says."""
        kept = self._kept.get((tenant, job_id))
        if kept is None:
            return None
        if kept.job.status not in TERMINAL:
            self._end(kept, JobStatus.CANCELLED, now)
        return kept.job

    async def expire(self, *, limit: int, now: float) -> list[Job]:
        """As the port says."""
        due = self._queued(lambda job: job.expires_at <= now)[:limit]
        for kept in due:
            self._end(kept, JobStatus.EXPIRED, now)
        return [kept.job for kept in due]

    async def reap(self, *, limit: int, now: float, rest: Callable[[int], float]) -> list[Job]:
        """As the port says."""
        left = [kept for kept in self._kept.values() if _is_left(kept.job, now)]
        left.sort(key=lambda kept: kept.job.lease_until or 0.0)
        for kept in left[:limit]:
            attempts = kept.job.attempts
            kept.queue(ready_at=now + rest(attempts), attempts=attempts, now=now)
        return [kept.job for kept in left[:limit]]

    async def purge(self, *, finished_before: float, limit: int) -> int:
        """As the port says."""
        old = [
            kept
            for kept in self._kept.values()
            if kept.job.finished_at is not None and kept.job.finished_at < finished_before
        ]
        old.sort(key=lambda kept: kept.job.finished_at or 0.0)
        for kept in old[:limit]:
            del self._kept[kept.job.tenant, kept.job.id]
            if kept.key_digest is not None:
                del self._by_key[kept.job.tenant, kept.job.caller, kept.key_digest]
        return len(old[:limit])

    async def list_jobs(
        self, wanted: JobFilter, *, limit: int, after: tuple[float, str, str] | None = None
    ) -> list[Job]:
        """As the port says."""
        newest_first = not wanted.oldest_first
        found = sorted(
            (kept.job for kept in self._kept.values() if _is_like(kept.job, wanted)),
            key=_accepted,
            reverse=newest_first,
        )
        if after is not None:
            found = [
                job
                for job in found
                if (_accepted(job) < after if newest_first else _accepted(job) > after)
            ]
        return found[:limit]

    async def claim_callbacks(
        self, webhook: str, *, limit: int, lease: float, now: float
    ) -> list[Callback]:
        """As the port says."""
        return self._outbox.claim(webhook, limit, now + lease, now)

    async def settle_callback(self, callback: Callback, *, again_at: float | None) -> None:
        """As the port says."""
        self._outbox.settle(callback, again_at)

    async def undelivered(self) -> list[Undelivered]:
        """As the port says."""
        return self._outbox.undelivered()

    async def drop_callbacks(self, *, ended_before: float, limit: int) -> list[Callback]:
        """As the port says."""
        return self._outbox.drop(ended_before, limit)

    async def marks(self) -> list[Mark]:
        """As the port says."""
        return [self._marks[node] for node in sorted(self._marks)]

    async def mark(self, marks: Sequence[Mark]) -> None:
        """As the port says."""
        for mark in marks:
            kept = self._marks.get(mark.node)
            if kept is None or mark.at > kept.at:
                self._marks[mark.node] = mark

    async def close(self) -> None:
        """As the port says."""

    def _end(self, kept: _Kept, status: JobStatus, now: float) -> None:
        kept.end(status, now)
        self._outbox.keep_word(kept.job, now)

    def _queued(self, wanted: Callable[[Job], bool]) -> list[_Kept]:
        """Queued jobs, those that expire first before the others."""
        return sorted(
            (
                kept
                for kept in self._kept.values()
                if kept.job.status is _QUEUED and wanted(kept.job)
            ),
            key=lambda kept: (kept.job.expires_at, kept.job.created_at, kept.job.id),
        )

    def _held(self, lease: Lease) -> _Kept | Stale:
        kept = self._kept.get((lease.tenant, lease.job_id))
        if kept is None:
            return Stale(None)
        if kept.job.status is not _RUNNING or kept.job.token != lease.token:
            return Stale(kept.job.status)
        return kept


def _claim(kept: _Kept, worker: str, until: float, now: float) -> Claimed:
    job = replace(
        kept.job,
        status=_RUNNING,
        attempts=kept.job.attempts + 1,
        token=kept.job.token + 1,
        lease_owner=worker,
        lease_until=until,
    )
    kept.change(job, _RUNNING.value, now)
    if kept.request is None:
        raise AssertionError("a queued job has its request")
    return Claimed(kept.job, kept.request)


def _accepted(job: Job) -> tuple[float, str, str]:
    return job.created_at, job.tenant, job.id


def _is_like(job: Job, wanted: JobFilter) -> bool:
    return (
        wanted.job_id in {None, job.id}
        and wanted.tenant in {None, job.tenant}
        and wanted.feature in {None, job.feature}
        and (not wanted.statuses or job.status in wanted.statuses)
    )


def _is_left(job: Job, now: float) -> bool:
    return job.lease_until is not None and job.lease_until <= now


def _backlog(lane: Lane, jobs: list[Job]) -> Backlog:
    queued = [job for job in jobs if job.status is _QUEUED]
    return Backlog(
        lane=lane,
        oldest=min((job.created_at for job in queued), default=None),
        next_expiry=min((job.expires_at for job in queued), default=None),
        queued=len(queued),
        running=len(jobs) - len(queued),
    )
