"""What becomes of jobs: words of a lease's holder, each held to its fencing token, and of others.

A compare-and-set on status and token stands in the `WHERE` of every update. What it does not
match changes nothing, and the caller is told what stands there instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Connection, Select, bindparam, delete, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from understudy.ports import (
    MAX_EVENTS,
    Answer,
    Job,
    JobStatus,
    Lease,
    Stale,
    StoreLimitError,
    Written,
)
from understudy.store.outbox import keep_word
from understudy.store.reading import find
from understudy.store.rows import JOB_COLUMNS, Place, by_tenant, event_values, job_of
from understudy.store.schema import (
    HAS_ENDED,
    IS_QUEUED,
    IS_RUNNING,
    events,
    jobs,
    requests,
    results,
)

__all__ = ["append", "cancel", "expire", "extend", "finish", "give_back", "purge", "reap"]

_ENCODER: Final = msgspec.json.Encoder()

_QUEUE: Final = {
    "status": JobStatus.QUEUED.value,
    "ready_at": bindparam("ready_"),
    "lease_owner": None,
    "lease_until": None,
    "events": jobs.c.events + 1,
}
_END: Final = {
    "status": bindparam("ending_"),
    "finished_at": bindparam("now_"),
    "lease_owner": None,
    "lease_until": None,
    "events": jobs.c.events + 1,
}

_ONE: Final = (jobs.c.tenant == bindparam("tenant_"), jobs.c.id == bindparam("id_"))
_HELD: Final = (
    update(jobs).where(*_ONE, jobs.c.token == bindparam("token_"), IS_RUNNING)
).returning(*JOB_COLUMNS)
_EXTEND: Final = _HELD.values(lease_until=bindparam("until_"))
_GIVE_BACK: Final = _HELD.values(**_QUEUE, attempts=jobs.c.attempts - bindparam("uncounted_"))
_FINISH: Final = _HELD.values(_END)
_COUNT_EVENT: Final = _HELD.values(events=jobs.c.events + 1)
_CANCEL: Final = (
    update(jobs).where(*_ONE, jobs.c.finished_at.is_(None)).values(_END).returning(*JOB_COLUMNS)
)

_SOME: Final = (
    select(jobs.c.tenant, jobs.c.id)
    .limit(bindparam("limit_"))
    # Without those that another process has in hand.
    .with_for_update(skip_locked=True)
)
_DUE: Final = _SOME.where(IS_QUEUED, jobs.c.expires_at <= bindparam("now_")).order_by(
    jobs.c.expires_at
)
_LEFT: Final = (
    _SOME.add_columns(jobs.c.attempts)
    .where(IS_RUNNING, jobs.c.lease_until <= bindparam("now_"))
    .order_by(jobs.c.lease_until)
)
_OLD: Final = _SOME.where(HAS_ENDED, jobs.c.finished_at < bindparam("before_")).order_by(
    jobs.c.finished_at
)
_THESE: Final[BindParameter[Any]] = bindparam("ids_", expanding=True)
_THESE_JOBS: Final = (jobs.c.tenant == bindparam("tenant_"), jobs.c.id.in_(_THESE))
_EXPIRE: Final = update(jobs).where(*_THESE_JOBS).values(_END).returning(*JOB_COLUMNS)
_REAP: Final = update(jobs).where(*_THESE_JOBS).values(_QUEUE).returning(*JOB_COLUMNS)
_FORGET: Final = delete(jobs).where(*_THESE_JOBS)
_DROP_REQUESTS: Final = delete(requests).where(
    requests.c.tenant == bindparam("tenant_"), requests.c.job_id.in_(_THESE)
)
_ADD_EVENT: Final = insert(events)
_ADD_RESULT: Final = insert(results)


def extend(connection: Connection, lease: Lease, until: float) -> Written | Stale:
    """Move the end of a lease."""
    job = _held(connection, _EXTEND, lease, {"until_": until})
    return Written() if job is not None else _stale(connection, lease)


def give_back(
    connection: Connection, lease: Lease, ready_at: float, counted: bool, now: float
) -> Written | Stale:
    """Queue a job again."""
    terms = {"ready_": ready_at, "uncounted_": 0 if counted else 1}
    job = _held(connection, _GIVE_BACK, lease, terms)
    if job is None:
        return _stale(connection, lease)
    connection.execute(_ADD_EVENT, [event_values(job, now)])
    return Written()


def finish(
    connection: Connection, lease: Lease, ending: JobStatus, answer: Answer, now: float
) -> Written | Stale:
    """End a job with its result."""
    job = _held(connection, _FINISH, lease, {"ending_": ending.value, "now_": now})
    if job is None:
        standing = find(connection, lease.tenant, lease.job_id)
        # Its holder asks again because the answer to the first time was lost.
        if standing is not None and (standing.status, standing.token) == (ending, lease.token):
            return Written()
        return Stale(standing.status if standing else None)
    written = {
        "tenant": lease.tenant,
        "job_id": lease.job_id,
        "status": answer.status,
        "headers": _ENCODER.encode(answer.headers),
        "encrypted": answer.encrypted,
        "body": answer.body,
    }
    connection.execute(_ADD_RESULT, [written])
    _after_the_end(connection, [job], now)
    return Written()


def append(
    connection: Connection, lease: Lease, kind: str, data: bytes, now: float
) -> Written | Stale:
    """Add an event.

    Raises:
        StoreLimitError: there are as many as there may be.
    """
    job = _held(connection, _COUNT_EVENT, lease, {})
    if job is None:
        return _stale(connection, lease)
    if job.events > MAX_EVENTS:
        raise StoreLimitError(f"the job has {MAX_EVENTS} events already")
    connection.execute(_ADD_EVENT, [event_values(job, now) | {"kind": kind, "data": data}])
    return Written()


def cancel(connection: Connection, tenant: str, job_id: str, now: float) -> Job | None:
    """End a job that has not ended."""
    place = {"tenant_": tenant, "id_": job_id}
    terms = {"ending_": JobStatus.CANCELLED.value, "now_": now}
    row = connection.execute(_CANCEL, place | terms).mappings().one_or_none()
    if row is None:
        return find(connection, tenant, job_id)
    job = job_of(row)
    _after_the_end(connection, [job], now)
    return job


def expire(connection: Connection, limit: int, now: float) -> list[Job]:
    """End queued jobs whose time is over."""
    due = _places(connection, _DUE, {"limit_": limit, "now_": now})
    terms = {"ending_": JobStatus.EXPIRED.value, "now_": now}
    ended = _change(connection, _EXPIRE, due, terms)
    if ended:
        _after_the_end(connection, ended, now)
    return ended


def reap(connection: Connection, limit: int, now: float, rest: Callable[[int], float]) -> list[Job]:
    """Queue jobs again whose lease ran out."""
    left = defaultdict[int, list[Place]](list)
    for row in connection.execute(_LEFT, {"limit_": limit, "now_": now}):
        left[row.attempts].append((row.tenant, row.id))
    reaped: list[Job] = []
    for attempts, places in left.items():
        reaped += _change(connection, _REAP, places, {"ready_": now + rest(attempts)})
    if reaped:
        connection.execute(_ADD_EVENT, [event_values(job, now) for job in reaped])
    return reaped


def purge(connection: Connection, limit: int, finished_before: float) -> int:
    """Delete jobs that ended long ago; what belongs to them goes with them (`ON DELETE`)."""
    old = _places(connection, _OLD, {"limit_": limit, "before_": finished_before})
    for tenant, ids in by_tenant(old):
        connection.execute(_FORGET, {"tenant_": tenant, "ids_": ids})
    return len(old)


def _held(
    connection: Connection, statement: ReturningUpdate[Any], lease: Lease, terms: dict[str, Any]
) -> Job | None:
    """Change a job that its lease still holds; None if it does not."""
    place = {"tenant_": lease.tenant, "id_": lease.job_id, "token_": lease.token}
    row = connection.execute(statement, place | terms).mappings().one_or_none()
    return None if row is None else job_of(row)


def _stale(connection: Connection, lease: Lease) -> Stale:
    standing = find(connection, lease.tenant, lease.job_id)
    return Stale(standing.status if standing else None)


def _after_the_end(connection: Connection, ended: Sequence[Job], now: float) -> None:
    """What was asked is needed no longer; the end is an event, and a word to who is to be told."""
    for tenant, ids in by_tenant((job.tenant, job.id) for job in ended):
        connection.execute(_DROP_REQUESTS, {"tenant_": tenant, "ids_": ids})
    connection.execute(_ADD_EVENT, [event_values(job, now) for job in ended])
    keep_word(connection, ended, now)


def _places(connection: Connection, some: Select[Any], terms: dict[str, Any]) -> list[Place]:
    return [(row.tenant, row.id) for row in connection.execute(some, terms)]


def _change(
    connection: Connection,
    statement: ReturningUpdate[Any],
    places: list[Place],
    terms: dict[str, Any],
) -> list[Job]:
    """The jobs at these places, changed, in their order."""
    changed: dict[Place, Job] = {}
    for tenant, ids in by_tenant(places):
        rows = connection.execute(statement, {"tenant_": tenant, "ids_": ids} | terms)
        changed.update(((tenant, row["id"]), job_of(row)) for row in rows.mappings())
    return [changed[place] for place in places]
