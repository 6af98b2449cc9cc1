"""What is kept of deferred requests, and said of them: the structs that a `JobStore` speaks in.

All moments are Unix seconds. Tenants and callers without a name are the empty string, so that they
can be part of a key.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

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
    "Callback",
    "Claimed",
    "Conflict",
    "Event",
    "Job",
    "JobFilter",
    "JobStatus",
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
    "StoreRefusedError",
    "StoreUnreachableError",
    "Undelivered",
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


class StoreRefusedError(StoreUnreachableError):
    """It lets us in under no circumstances: no such login or database. A human must act."""


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
    #: Whether `body` is sealed, with the headers in it.
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
    #: The name of who is told when it ends; None: nobody.
    webhook: str | None = None

    def __post_init__(self) -> None:
        """Hold the bounds.

        Raises:
            ValueError: a name is empty where it may not be, too long, or not printable; the cost
                is out of bounds.
        """
        required = ("id", "feature", "operation", "body_digest")
        for field in (*required, "tenant", "caller", "key_digest", "webhook"):
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
    #: The name of who is told when it ends.
    webhook: str | None = None

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


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs are listed: those that are like this in all that it says."""

    job_id: str | None = None
    tenant: str | None = None
    feature: str | None = None
    #: Any of these; empty: whatever their status is.
    statuses: frozenset[JobStatus] = frozenset()
    #: In the order in which they were accepted, instead of the newest first.
    oldest_first: bool = False


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """Word of a job's end, for one webhook. It outlives the job."""

    webhook: str
    tenant: str
    job_id: str
    feature: str
    status: JobStatus
    created_at: float
    finished_at: float
    #: How often it was claimed, this time included: the fencing token of the claim.
    attempts: int


class Undelivered(msgspec.Struct, frozen=True):
    """The callbacks of one webhook that wait: since when the oldest does, and how many."""

    webhook: str
    oldest: float
    count: int


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
