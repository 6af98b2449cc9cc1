"""Jobs come in: many in one transaction, each once for its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from understudy.ports import (
    Acceptance,
    Accepted,
    Conflict,
    Known,
    NewJob,
    StoreBusyError,
)
from understudy.store.first import first_job
from understudy.store.rows import Place, event_values, job_of, job_values
from understudy.store.schema import events, jobs, requests

__all__ = ["accept_all"]

# Statements are made once: SQLAlchemy takes longer to put one together than SQLite to run it.
#: `ON CONFLICT DO NOTHING` is each engine's own in SQLAlchemy.
_KEEP: Final = {
    "sqlite": sqlite.insert(jobs).on_conflict_do_nothing().returning(jobs.c.tenant, jobs.c.id),
    "postgresql": postgresql.insert(jobs)
    .on_conflict_do_nothing()
    .returning(jobs.c.tenant, jobs.c.id),
}
_ADD_REQUEST: Final = insert(requests)
_ADD_EVENT: Final = insert(events)
_MET: Final = select(jobs).where(
    jobs.c.tenant == bindparam("tenant_"),
    or_(
        jobs.c.id == bindparam("id_"),
        # Of a job without a key nothing is equal to it (NULL).
        and_(jobs.c.caller == bindparam("caller_"), jobs.c.key_digest == bindparam("key_")),
    ),
)


def accept_all(connection: Connection, arrivals: Sequence[NewJob]) -> list[Acceptance]:
    """Keep those that are new; what became of each, in their order.

    They are written in the order of their keys, so that two transactions that meet over the same
    keys wait for each other in one direction only.

    Raises:
        StoreBusyError: a job with the same key came and went meanwhile.
    """
    ordered = sorted(arrivals, key=_lock_order)
    kept = _insert(connection, ordered)
    # Of two with one id in the same batch, the first was written.
    fresh = {_place(new): new for new in reversed(ordered) if _place(new) in kept}
    if fresh:
        connection.execute(_ADD_REQUEST, [_request_values(new) for new in fresh.values()])
        connection.execute(_ADD_EVENT, [_event_values(new) for new in fresh.values()])
    return [
        Accepted(first_job(new)) if fresh.get(_place(new)) is new else _met(connection, new)
        for new in arrivals
    ]


def _lock_order(new: NewJob) -> tuple[str, str, str, str]:
    return (new.tenant, new.caller, new.key_digest or "", new.id)


def _place(new: NewJob) -> Place:
    return (new.tenant, new.id)


def _request_values(new: NewJob) -> dict[str, Any]:
    return {
        "tenant": new.tenant,
        "job_id": new.id,
        "encrypted": new.request.encrypted,
        "data": new.request.data,
    }


def _event_values(new: NewJob) -> dict[str, Any]:
    return event_values(first_job(new), new.created_at)


def _insert(connection: Connection, arrivals: Sequence[NewJob]) -> set[Place]:
    """Write the rows that meet no other; where those are that were written."""
    statement = _KEEP[connection.dialect.name]
    rows = connection.execute(statement, [job_values(new) for new in arrivals])
    return {(row.tenant, row.id) for row in rows}


def _met(connection: Connection, new: NewJob) -> Acceptance:
    """What stood in a job's way."""
    asked = {
        "tenant_": new.tenant,
        "id_": new.id,
        "caller_": new.caller,
        "key_": new.key_digest,
    }
    found = connection.execute(_MET, asked).mappings().all()
    if not found:
        raise StoreBusyError("a job with the same key ended its time just now; ask again")
    request = (new.caller, new.key_digest, new.body_digest)
    for row in found:
        if (row["caller"], row["key_digest"], row["body_digest"]) == request:
            return Known(job_of(row))
    return Conflict()
