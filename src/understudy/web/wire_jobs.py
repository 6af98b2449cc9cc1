"""What goes over the wire of the operator's API about jobs, for both of its sides.

Never what a job asks, and what came of it.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "MOST_ROWS",
    "CancelRequest",
    "Cancelled",
    "EventRow",
    "JobDetail",
    "JobRow",
    "JobsPage",
    "LaneRow",
    "Lanes",
]

#: Jobs in one answer.
MOST_ROWS = 1_000


class LaneRow(msgspec.Struct, kw_only=True):
    """The jobs of one feature, priority and tenant (null: without one) that have not ended."""

    #: Seconds for which the oldest has waited; null: none waits.
    age: float | None
    queued: int
    running: int
    feature: str
    priority: str
    tenant: str | None
    #: Why nothing can serve them now; null: something can.
    held_up_by: str | None


class Lanes(msgspec.Struct, kw_only=True):
    """What waits and runs, at a moment."""

    at: str
    lanes: list[LaneRow]


class JobRow(msgspec.Struct, kw_only=True):
    """One job. Ages in seconds, moments in RFC 3339."""

    id: str
    status: str
    #: Since it was accepted; of one that has ended: until then.
    age: float
    feature: str
    priority: str
    tenant: str | None
    caller: str | None
    operation: str
    attempts: int
    created_at: str
    expires_at: str
    #: It is not begun before.
    ready_at: str
    finished_at: str | None
    #: The process that runs it, and until when it holds it.
    worker: str | None
    lease_until: str | None
    #: Who is told when it ends.
    webhook: str | None


class JobsPage(msgspec.Struct, kw_only=True):
    """Some jobs, and the lanes that they are of."""

    at: str
    lanes: list[LaneRow]
    jobs: list[JobRow]
    #: What is asked for the next page; null: there is none.
    after: str | None


class EventRow(msgspec.Struct, kw_only=True):
    """One thing that happened to a job; `told` is what was said of it."""

    number: int
    at: str
    kind: str
    told: dict[str, msgspec.Raw]


class JobDetail(msgspec.Struct, kw_only=True):
    """A job, and what has happened to it."""

    at: str
    job: JobRow
    #: Its place in its tenant's line, from 1; null: it does not wait.
    position: int | None
    #: About when it will be done; null: it is, or nobody can say.
    estimate: str | None
    events: list[EventRow]


class CancelRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Ends jobs that have not ended: of a feature, of a tenant ("": of none), or of both."""

    feature: str | None = None
    tenant: str | None = None


class Cancelled(msgspec.Struct, kw_only=True):
    """How many jobs have been cancelled, and whether more are left that were meant."""

    cancelled: int
    left: bool
