"""What is asked about jobs without changing them."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, tuple_

from understudy.ports import Answer, Backlog, Event, Job, JobStatus, Lane
from understudy.store.rows import JOB_COLUMNS, job_of
from understudy.store.schema import IS_QUEUED, IS_RUNNING, events, jobs, results

__all__ = ["backlog", "find", "list_events", "place", "result"]

_HEADERS: Final = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_LANE: Final = (jobs.c.priority, jobs.c.tenant, jobs.c.feature)
_PLACE: Final = (jobs.c.expires_at, jobs.c.created_at, jobs.c.id)

_FIND: Final = select(*JOB_COLUMNS).where(
    jobs.c.tenant == bindparam("tenant_"), jobs.c.id == bindparam("id_")
)
_RESULT: Final = select(results).where(
    results.c.tenant == bindparam("tenant_"), results.c.job_id == bindparam("id_")
)
_AHEAD: Final = (
    select(func.count())
    .select_from(jobs)
    .where(
        IS_QUEUED,
        jobs.c.priority == bindparam("priority_"),
        jobs.c.tenant == bindparam("tenant_"),
        tuple_(*_PLACE) < tuple_(bindparam("mine_1"), bindparam("mine_2"), bindparam("mine_3")),
    )
)
_QUEUED: Final = (
    select(
        *_LANE,
        func.count().label("queued"),
        func.min(jobs.c.created_at).label("oldest"),
        func.min(jobs.c.expires_at).label("next_expiry"),
    )
    .where(IS_QUEUED)
    .group_by(*_LANE)
)
_RUNNING: Final = select(*_LANE, func.count().label("running")).where(IS_RUNNING).group_by(*_LANE)
_EVENTS: Final = (
    select(events.c.number, events.c.at, events.c.kind, events.c.data)
    .where(
        events.c.tenant == bindparam("tenant_"),
        events.c.job_id == bindparam("id_"),
        events.c.number > bindparam("after_"),
    )
    .order_by(events.c.number)
    .limit(bindparam("limit_"))
)


def find(connection: Connection, tenant: str, job_id: str) -> Job | None:
    """A job."""
    asked = {"tenant_": tenant, "id_": job_id}
    row = connection.execute(_FIND, asked).mappings().one_or_none()
    return None if row is None else job_of(row)


def result(connection: Connection, tenant: str, job_id: str) -> Answer | None:
    """What came of it."""
    asked = {"tenant_": tenant, "id_": job_id}
    row = connection.execute(_RESULT, asked).one_or_none()
    if row is None:
        return None
    return Answer(row.status, _HEADERS.decode(row.headers), row.body, row.encrypted)


def place(connection: Connection, tenant: str, job_id: str) -> int | None:
    """Its place in its tenant's line."""
    job = find(connection, tenant, job_id)
    if job is None or job.status is not JobStatus.QUEUED:
        return None
    mine = {"mine_1": job.expires_at, "mine_2": job.created_at, "mine_3": job.id}
    asked = {"priority_": job.priority, "tenant_": tenant}
    count: int = connection.execute(_AHEAD, asked | mine).scalar_one()
    return count


def backlog(connection: Connection) -> list[Backlog]:
    """Every lane that holds something."""
    queued = {
        Lane(row.priority, row.tenant, row.feature): row for row in connection.execute(_QUEUED)
    }
    running = {
        Lane(row.priority, row.tenant, row.feature): row.running
        for row in connection.execute(_RUNNING)
    }
    return [
        Backlog(
            lane=lane,
            oldest=queued[lane].oldest if lane in queued else None,
            next_expiry=queued[lane].next_expiry if lane in queued else None,
            queued=queued[lane].queued if lane in queued else 0,
            running=running.get(lane, 0),
        )
        for lane in sorted(queued.keys() | running.keys())
    ]


def list_events(
    connection: Connection, tenant: str, job_id: str, after: int, limit: int
) -> list[Event]:
    """What happened to it."""
    asked = {"tenant_": tenant, "id_": job_id, "after_": after, "limit_": limit}
    rows = connection.execute(_EVENTS, asked)
    return [Event(row.number, row.at, row.kind, row.data) for row in rows]
