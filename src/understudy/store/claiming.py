"""Who is next: claims of queued jobs, fair to tenants and safe between processes.

A claim locks the rows that it looks at and passes over those that others have locked (`FOR UPDATE
SKIP LOCKED`, which SQLite, with its one writer, neither has nor needs), so that it waits for
nobody and two claims never take the same job.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Connection, Row, bindparam, insert, select, tuple_, update

from understudy.ports import PRIORITIES, Claimed, Job, JobStatus, Lane, Priority, Request
from understudy.store.rows import JOB_COLUMNS, Place, by_tenant, event_values, job_of
from understudy.store.schema import IS_QUEUED, events, jobs, requests
from understudy.store.turns import Turns

__all__ = ["Claim", "claim"]

#: The order within a lane, and with it the whole place of a job in it.
_ORDER: Final = (jobs.c.expires_at, jobs.c.created_at, jobs.c.id)

_Head = tuple[float, float, str]

_HEADS: Final = (
    select(*_ORDER, jobs.c.cost)
    .where(
        IS_QUEUED,
        jobs.c.priority == bindparam("priority_"),
        jobs.c.tenant == bindparam("tenant_"),
        jobs.c.feature == bindparam("feature_"),
        jobs.c.expires_at > bindparam("now_"),
        jobs.c.ready_at <= bindparam("now_"),
    )
    .order_by(*_ORDER)
    .limit(bindparam("limit_"))
    .with_for_update(skip_locked=True)
)
#: Rows that this transaction has locked itself are not passed over.
_MORE: Final = _HEADS.where(
    tuple_(*_ORDER) > tuple_(bindparam("after_1"), bindparam("after_2"), bindparam("after_3"))
)
_THESE: Final[BindParameter[Any]] = bindparam("ids_", expanding=True)
_LEASE: Final = (
    update(jobs)
    .where(jobs.c.tenant == bindparam("tenant_"), jobs.c.id.in_(_THESE), IS_QUEUED)
    .values(
        status=JobStatus.RUNNING.value,
        attempts=jobs.c.attempts + 1,
        token=jobs.c.token + 1,
        lease_owner=bindparam("worker_"),
        lease_until=bindparam("until_"),
        events=jobs.c.events + 1,
    )
    .returning(*JOB_COLUMNS)
)
_REQUESTS: Final = select(requests.c.job_id, requests.c.data, requests.c.encrypted).where(
    requests.c.tenant == bindparam("tenant_"), requests.c.job_id.in_(_THESE)
)
_ADD_EVENT: Final = insert(events)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What `JobStore.claim` was asked."""

    worker: str
    lanes: frozenset[Lane]
    limit: int
    until: float
    now: float


def claim(connection: Connection, turns: Mapping[Priority, Turns], wanted: Claim) -> list[Claimed]:
    """Take jobs, in order; `turns` moves on by what was taken."""
    picked: list[Place] = []
    for priority in PRIORITIES:
        left = wanted.limit - len(picked)
        lanes = [lane for lane in wanted.lanes if lane.priority == priority]
        if left > 0 and lanes:
            line = _Line(connection, lanes, left, wanted.now)
            turns[priority].serve(line.tenants, left, line.take)
            picked += line.picked
    return _lease(connection, picked, wanted) if picked else []


class _Line:
    """The queued jobs of some lanes, the next of each tenant's first."""

    def __init__(
        self, connection: Connection, lanes: Collection[Lane], limit: int, now: float
    ) -> None:
        self.picked: list[Place] = []
        self._connection = connection
        self._now = now
        self._tenants: dict[str, list[_Fetched]] = {}
        for lane in lanes:
            self._tenants.setdefault(lane.tenant, []).append(_Fetched(lane))
        # What an even share may need of a lane at once: every row that is read is also locked.
        self._page = -(-limit // len(self._tenants))

    @property
    def tenants(self) -> Collection[str]:
        """Whose lanes these are."""
        return self._tenants.keys()

    def take(self, tenant: str) -> int | None:
        """Pick a tenant's next job; its cost, or None if it has none."""
        nexts = []
        for fetched in self._tenants[tenant]:
            if not fetched.rows and not fetched.dry:
                self._fetch(fetched)
            if fetched.rows:
                nexts.append(fetched)
        if not nexts:
            return None
        row = min(nexts, key=lambda fetched: fetched.first).rows.popleft()
        self.picked.append((tenant, row.id))
        cost: int = row.cost
        return cost

    def _fetch(self, fetched: _Fetched) -> None:
        lane = fetched.lane
        asked = {
            "priority_": lane.priority,
            "tenant_": lane.tenant,
            "feature_": lane.feature,
            "now_": self._now,
            "limit_": self._page,
        }
        statement = _HEADS
        if fetched.after is not None:
            statement = _MORE
            asked["after_1"], asked["after_2"], asked["after_3"] = fetched.after
        rows = self._connection.execute(statement, asked).all()
        fetched.rows.extend(rows)
        fetched.dry = len(rows) < self._page
        if rows:
            fetched.after = _head(rows[-1])


class _Fetched:
    """As much of a lane as has been read."""

    __slots__ = ("after", "dry", "lane", "rows")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.rows: deque[Row[Any]] = deque()
        self.after: _Head | None = None
        self.dry = False

    @property
    def first(self) -> _Head:
        """Where its next job stands."""
        return _head(self.rows[0])


def _head(row: Row[Any]) -> _Head:
    return (row.expires_at, row.created_at, row.id)


def _lease(connection: Connection, picked: list[Place], wanted: Claim) -> list[Claimed]:
    """Write the leases; the jobs with what they ask, in the order in which they were picked."""
    leased: dict[Place, Job] = {}
    asked: dict[Place, Request] = {}
    for tenant, ids in by_tenant(picked):
        these = {"tenant_": tenant, "ids_": ids}
        terms = {"worker_": wanted.worker, "until_": wanted.until}
        rows = connection.execute(_LEASE, these | terms)
        leased.update(((tenant, row["id"]), job_of(row)) for row in rows.mappings())
        contents = connection.execute(_REQUESTS, these)
        asked.update(((tenant, row.job_id), Request(row.data, row.encrypted)) for row in contents)
    connection.execute(_ADD_EVENT, [event_values(job, wanted.now) for job in leased.values()])
    return [Claimed(leased[place], asked[place]) for place in picked]
