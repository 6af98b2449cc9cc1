"""What the floors above ask of the world, as small Protocols, and the frozen structs they speak in.

`JobStore` keeps deferred requests. What it promises, whichever engine is behind it:

- When `accept` returns `Accepted`, the job is durable: it survives the death of this process, and
  on SQLite and PostgreSQL the loss of power.
- A job ends once. Its terminal status is written by compare-and-set and never changes again.
- A lease is a fencing token. Whoever holds an older one changes nothing and is told so (`Stale`).
- Execution is at least once: a worker that dies after asking a provider leaves the job to the next.
- Nothing waits for ever: an engine that does not answer raises a `StoreError` in bounded time.

All moments are Unix seconds and come from the caller, also in one call's different arguments: the
store reads no clock. Tenants and callers without a name are the empty string, so that they can be
part of a key.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final, Literal, Protocol

import msgspec

__all__ = [
    "MAX_COST",
    "MAX_EVENTS",
    "MAX_EVENT_BYTES",
    "MAX_NAME",
    "MAX_REQUEST_BYTES",
    "MAX_RESULT_BYTES",
    "PRIORITIES",
    "TERMINAL",
    "Acceptance",
    "Accepted",
    "Answer",
    "Backlog",
    "Claimed",
    "Conflict",
    "Event",
    "Job",
    "JobStatus",
    "JobStore",
    "Known",
    "Lane",
    "Lease",
    "NewJob",
    "Priority",
    "Request",
    "Stale",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreLimitError",
    "StoreLockedError",
    "StoreNewerError",
    "StoreUnreachableError",
    "Written",
    "check_event",
]

#: Characters in an id, a tenant, a caller, a feature, a worker.
MAX_NAME: Final = 200
#: A body of 32 MB (the relay's bound), its headers, and what encryption adds.
MAX_REQUEST_BYTES: Final = 34 * 2**20
#: An answer's headers and body.
MAX_RESULT_BYTES: Final = 64 * 2**20
#: Progress and changes of one job, and the bytes of one of them.
MAX_EVENTS: Final = 10_000
MAX_EVENT_BYTES: Final = 64 * 2**10
#: So that sums of costs stay far within 64 bits.
MAX_COST: Final = 10**9

Priority = Literal["interactive", "background"]
#: In the order in which they are served.
PRIORITIES: Final[tuple[Priority, ...]] = ("interactive", "background")


class JobStatus(StrEnum):
    """Where a job is. The last four are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Nothing could serve it before its time was over.
    EXPIRED = "expired"
    CANCELLED = "cancelled"


TERMINAL: Final = frozenset(
    {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED}
)


class StoreError(Exception):
    """The store could not do what it was asked. No text of it holds a secret or a payload."""


class StoreUnreachableError(StoreError):
    """The engine is gone or gives no answer. What was asked may have happened or not."""


class StoreBusyError(StoreError):
    """Nothing was done: too much waits already, or locks were not to be had in time."""


class StoreFullError(StoreError):
    """Nothing was done: there is no room on the disk."""


class StoreDamagedError(StoreError):
    """What is stored can't be read, or is no store of ours."""


class StoreNewerError(StoreError):
    """A newer program has been here: its schema is not known to this one."""


class StoreLockedError(StoreError):
    """Another process has the file; `pid` is what it wrote of itself, if that could be read."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class StoreLimitError(StoreError):
    """Nothing was done: the job has as many events as it may have."""


class Request(msgspec.Struct, frozen=True):
    """What is to be done, opaque to the store: body and the headers that matter, as one."""

    data: bytes
    #: Whether `data` is sealed; the store neither seals nor opens.
    encrypted: bool = False

    def __post_init__(self) -> None:
        """Hold the bound.

        Raises:
            ValueError: it is too long.
        """
        _check_size("request", self.data, MAX_REQUEST_BYTES)


class Answer(msgspec.Struct, frozen=True):
    """The answer that the request would have had."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Whether `body` is sealed.
    encrypted: bool = False

    def __post_init__(self) -> None:
        """Hold the bounds.

        Raises:
            ValueError: it is too long, or its status is none of HTTP's.
        """
        if not 100 <= self.status <= 599:
            raise ValueError("the status is not one of HTTP's")
        size = sum(len(name) + len(value) for name, value in self.headers)
        if size + len(self.body) > MAX_RESULT_BYTES:
            raise ValueError(f"the result is longer than {MAX_RESULT_BYTES} bytes")


class Lane(msgspec.Struct, frozen=True, order=True):
    """The jobs that the same targets can serve: what a claim names, and what is counted."""

    priority: Priority
    tenant: str
    feature: str


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A request to keep."""

    #: Chosen by the caller of `accept`, so that asking again after a lost answer finds the job.
    id: str
    tenant: str
    caller: str
    feature: str
    #: What kind of request it is (a dialect's operation), for whoever runs it.
    operation: str
    priority: Priority
    request: Request
    #: Over everything that makes two requests the same one.
    body_digest: str
    #: Of the caller's `Idempotency-Key`; unique within tenant and caller.
    key_digest: str | None = None
    #: What it takes from its tenant's share, in the unit that all jobs share (requests, tokens).
    cost: int = 1
    created_at: float
    #: Its deadline: from then on it is not begun any more. The earliest goes first.
    expires_at: float

    def __post_init__(self) -> None:
        """Hold the bounds.

        Raises:
            ValueError: a name is empty where it may not be, too long, or not printable; the cost
                is out of bounds.
        """
        required = ("id", "feature", "operation", "body_digest")
        for field in (*required, "tenant", "caller", "key_digest"):
            value = getattr(self, field)
            if value is not None:
                _check_name(field, value, empty=field in {"tenant", "caller"})
        if not 1 <= self.cost <= MAX_COST:
            raise ValueError(f"the cost is not between 1 and {MAX_COST}")

    @property
    def lane(self) -> Lane:
        """Where it waits."""
        return Lane(self.priority, self.tenant, self.feature)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands, without what it asks and what came of it."""

    id: str
    tenant: str
    caller: str
    feature: str
    operation: str
    priority: Priority
    body_digest: str
    cost: int
    created_at: float
    expires_at: float
    #: Not claimed before this moment.
    ready_at: float
    status: JobStatus
    #: How often it was begun, but for what was given back uncounted.
    attempts: int
    #: The number of its last claim; 0 before the first. Only grows.
    token: int
    #: Both only while it runs.
    lease_owner: str | None
    lease_until: float | None
    #: Only in a terminal status.
    finished_at: float | None
    #: The number of its last event.
    events: int

    @property
    def lane(self) -> Lane:
        """Where it waits, or waited."""
        return Lane(self.priority, self.tenant, self.feature)


class Lease(msgspec.Struct, frozen=True):
    """The right to say what becomes of a job, as long as no higher token was given out."""

    tenant: str
    job_id: str
    token: int


class Claimed(msgspec.Struct, frozen=True):
    """A job to do now."""

    job: Job
    request: Request

    @property
    def lease(self) -> Lease:
        """What its holder shows with every word about it."""
        return Lease(self.job.tenant, self.job.id, self.job.token)


class Accepted(msgspec.Struct, frozen=True):
    """The job is kept, and durable."""

    job: Job


class Known(msgspec.Struct, frozen=True):
    """The same request was accepted before: this is what became of it."""

    job: Job


class Conflict(msgspec.Struct, frozen=True):
    """The same idempotency key (or id) came with another request. Nothing was kept."""


Acceptance = Accepted | Known | Conflict


class Written(msgspec.Struct, frozen=True):
    """It is done, and durable."""


class Stale(msgspec.Struct, frozen=True):
    """The lease is no longer the job's. Nothing was written.

    `status` is the job's now: terminal (also cancelled), or `queued` or `running` for somebody
    else. None: it is no longer kept.
    """

    status: JobStatus | None


class Backlog(msgspec.Struct, frozen=True):
    """What a lane holds: the age of its oldest before its length."""

    lane: Lane
    #: When the oldest of its queued jobs was accepted, and when the first of them expires.
    oldest: float | None
    next_expiry: float | None
    queued: int
    running: int


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to a job; `number` counts from 1 without a gap.

    `kind` is a status that it came into, or a name that whoever runs it chose.
    """

    number: int
    at: float
    kind: str
    data: bytes


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

    async def reap(self, *, limit: int, now: float) -> list[Job]:
        """Queue running jobs again whose lease ran out; those, as they are then."""

    async def purge(self, *, finished_before: float, limit: int) -> int:
        """Forget jobs that ended before that moment, with all that belongs to them; how many."""

    async def close(self) -> None:
        """Finish what is under way and let go of the engine."""


def check_event(kind: str, data: bytes) -> None:
    """Hold the bounds of an event.

    Raises:
        ValueError: `kind` is no name, or `data` is too long.
    """
    _check_name("kind", kind, empty=False)
    _check_size("event", data, MAX_EVENT_BYTES)


def _check_name(what: str, value: str, *, empty: bool) -> None:
    # Printable leaves out what PostgreSQL can't keep (NUL) and UTF-8 can't say (lone surrogates).
    if len(value) > MAX_NAME or not value.isprintable() or not (value or empty):
        raise ValueError(f"the {what} is empty, not printable or longer than {MAX_NAME} characters")


def _check_size(what: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise ValueError(f"the {what} is longer than {limit} bytes")
