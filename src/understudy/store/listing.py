"""Jobs for people who look through them: by what they are like, in order of their acceptance."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, tuple_

from understudy.ports import Job, JobFilter
from understudy.store.rows import JOB_COLUMNS, job_of
from understudy.store.schema import jobs

__all__ = ["list_jobs"]

_ORDER: Final = (jobs.c.created_at, jobs.c.tenant, jobs.c.id)


def list_jobs(
    connection: Connection,
    wanted: JobFilter,
    limit: int,
    after: tuple[float, str, str] | None,
) -> list[Job]:
    """The next jobs like that, behind `after`."""
    statement = select(*JOB_COLUMNS).limit(limit)
    for column, value in (
        (jobs.c.id, wanted.job_id),
        (jobs.c.tenant, wanted.tenant),
        (jobs.c.feature, wanted.feature),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.statuses:
        statement = statement.where(jobs.c.status.in_(sorted(wanted.statuses)))
    if wanted.oldest_first:
        statement = statement.order_by(*_ORDER)
    else:
        statement = statement.order_by(*(column.desc() for column in _ORDER))
    if after is not None:
        place = tuple_(*_ORDER)
        statement = statement.where(place > after if wanted.oldest_first else place < after)
    return [job_of(row) for row in connection.execute(statement).mappings()]
