"""Words about jobs' ends that are still to be said: written with the end itself, claimed, settled.

A callback is claimed by moving the moment when it is due to the end of the claim's lease, and by
counting one attempt more: whoever claimed it before can't settle it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, update

from understudy.ports import Callback, Job, Undelivered
from understudy.store.rows import by_tenant
from understudy.store.schema import callbacks

__all__ = ["claim_callbacks", "drop_callbacks", "keep_word", "settle_callback", "undelivered"]

_COLUMNS: Final = tuple(callbacks.c[field] for field in Callback.__struct_fields__)
_ADD: Final = insert(callbacks)
_DUE: Final = (
    select(callbacks.c.tenant, callbacks.c.job_id)
    .where(callbacks.c.webhook == bindparam("webhook_"), callbacks.c.due_at <= bindparam("now_"))
    .order_by(callbacks.c.due_at)
    .limit(bindparam("limit_"))
    .with_for_update(skip_locked=True)
)
_OLD: Final = (
    select(callbacks.c.tenant, callbacks.c.job_id)
    .where(callbacks.c.finished_at < bindparam("before_"))
    .limit(bindparam("limit_"))
    .with_for_update(skip_locked=True)
)
_THESE: Final[BindParameter[Any]] = bindparam("ids_", expanding=True)
_IN_THESE: Final = (callbacks.c.tenant == bindparam("tenant_"), callbacks.c.job_id.in_(_THESE))
_LEASE: Final = (
    update(callbacks)
    .where(*_IN_THESE)
    .values(attempts=callbacks.c.attempts + 1, due_at=bindparam("until_"))
    .returning(*_COLUMNS)
)
_DROP: Final = delete(callbacks).where(*_IN_THESE).returning(*_COLUMNS)
_CLAIMED: Final = (
    callbacks.c.tenant == bindparam("tenant_"),
    callbacks.c.job_id == bindparam("id_"),
    callbacks.c.attempts == bindparam("attempts_"),
)
_PUT_OFF: Final = update(callbacks).where(*_CLAIMED).values(due_at=bindparam("due_"))
_FORGET: Final = delete(callbacks).where(*_CLAIMED)
_WAITING: Final = (
    select(
        callbacks.c.webhook,
        func.min(callbacks.c.finished_at).label("oldest"),
        func.count().label("waiting"),
    )
    .group_by(callbacks.c.webhook)
    .order_by(callbacks.c.webhook)
)


def keep_word(connection: Connection, ended: Iterable[Job], now: float) -> None:
    """Keep word of these jobs' ends, for those who are to be told."""
    rows = [_values(job, now) for job in ended if job.webhook is not None]
    if rows:
        connection.execute(_ADD, rows)


def claim_callbacks(
    connection: Connection, webhook: str, limit: int, until: float, now: float
) -> list[Callback]:
    """Take what is due."""
    terms = {"webhook_": webhook, "now_": now, "limit_": limit}
    due = [(row.tenant, row.job_id) for row in connection.execute(_DUE, terms)]
    claimed: dict[tuple[str, str], Callback] = {}
    for tenant, ids in by_tenant(due):
        rows = connection.execute(_LEASE, {"tenant_": tenant, "ids_": ids, "until_": until})
        claimed.update(((tenant, row["job_id"]), _callback(row)) for row in rows.mappings())
    return [claimed[place] for place in due]


def settle_callback(connection: Connection, callback: Callback, again_at: float | None) -> None:
    """Put off, or forget, what nobody else has claimed since."""
    claimed = {
        "tenant_": callback.tenant,
        "id_": callback.job_id,
        "attempts_": callback.attempts,
    }
    if again_at is None:
        connection.execute(_FORGET, claimed)
    else:
        connection.execute(_PUT_OFF, claimed | {"due_": again_at})


def undelivered(connection: Connection) -> list[Undelivered]:
    """What waits, by webhook."""
    rows = connection.execute(_WAITING)
    return [Undelivered(row.webhook, row.oldest, row.waiting) for row in rows]


def drop_callbacks(connection: Connection, ended_before: float, limit: int) -> list[Callback]:
    """Forget what was to be said long ago."""
    terms = {"before_": ended_before, "limit_": limit}
    old = [(row.tenant, row.job_id) for row in connection.execute(_OLD, terms)]
    dropped: list[Callback] = []
    for tenant, ids in by_tenant(old):
        rows = connection.execute(_DROP, {"tenant_": tenant, "ids_": ids})
        dropped += [_callback(row) for row in rows.mappings()]
    return dropped


def _values(job: Job, now: float) -> dict[str, Any]:
    return {
        "webhook": job.webhook,
        "tenant": job.tenant,
        "job_id": job.id,
        "feature": job.feature,
        "status": job.status.value,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "attempts": 0,
        "due_at": now,
    }


def _callback(row: Mapping[Any, Any]) -> Callback:
    fields = {field: row[field] for field in Callback.__struct_fields__}
    return msgspec.convert(fields, Callback)
