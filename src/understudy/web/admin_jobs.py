"""Jobs in the operator's API: what waits and why, one job with all that happened to it, the end of
some. Whoever has the console key sees the jobs of all callers and tenants, and no content of any.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.ports import TERMINAL, Event, Job, JobFilter, JobStatus
from understudy.services.journal import moment
from understudy.web.api import Refused, answer, body_of, read
from understudy.web.wire import Error
from understudy.web.wire_jobs import (
    MOST_ROWS,
    Cancelled,
    CancelRequest,
    EventRow,
    JobDetail,
    JobRow,
    JobsPage,
    LaneRow,
    Lanes,
)

if TYPE_CHECKING:
    from understudy.relay.jobs import Jobs
    from understudy.relay.relay import Relay

__all__ = ["job_routes"]

#: Jobs in an answer that does not say how many.
USUAL_ROWS: Final = 100
#: Jobs that one request cancels; more take more requests.
CANCEL_AT_ONCE: Final = 500
MOST_EVENTS: Final = 1_000
_QUERY: Final = ("feature", "tenant", "status", "order", "limit", "after")
_ALIVE: Final = frozenset(JobStatus) - TERMINAL
_REMEDIES: Final = {
    "feature": "write the name of a feature",
    "tenant": "write the name of a tenant",
}
_CANCEL: Final = msgspec.json.Decoder(CancelRequest)
_TOLD: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_AFTER: Final = msgspec.json.Decoder(tuple[float, str, str])


def job_routes(relay: Relay) -> list[Route]:
    """The paths below `/jobs`."""

    async def listed(request: Request) -> Response:
        return answer(await _page(_jobs(relay), request))

    async def lanes(request: Request) -> Response:
        jobs = _jobs(relay)
        found = await _lanes(jobs, *_only(request, "feature", "tenant"))
        return answer(Lanes(at=_now(jobs), lanes=found))

    async def shown(request: Request) -> Response:
        jobs = _jobs(relay)
        return answer(await _detail(jobs, await _find(jobs, request)))

    async def cancelled(request: Request) -> Response:
        jobs = _jobs(relay)
        job = await jobs.cancel(await _find(jobs, request))
        relay.log.note("job cancelled", job=job.id, status=job.status)
        return answer(await _detail(jobs, job))

    async def all_cancelled(request: Request) -> Response:
        asked = read(await body_of(request), _CANCEL, _REMEDIES)
        return answer(await _cancel_all(_jobs(relay), asked))

    return [
        Route("/jobs", listed),
        Route("/jobs/lanes", lanes),
        Route("/jobs/cancel", all_cancelled, methods=["POST"]),
        Route("/jobs/{id}", shown),
        Route("/jobs/{id}/cancel", cancelled, methods=["POST"]),
    ]


def _jobs(relay: Relay) -> Jobs:
    if relay.jobs is None:
        raise Refused(503, Error(code="no_jobs", message="jobs are not being taken yet"))
    return relay.jobs


def _now(jobs: Jobs) -> str:
    return moment(jobs.calendar()) or ""


# -- lists ------------------------------------------------------------------------------------


async def _page(jobs: Jobs, request: Request) -> JobsPage:
    given = _only(request, *_QUERY)
    feature, tenant, statuses, order, limit, after = given
    if order not in {None, "newest", "oldest"}:
        raise _wrong("order", "is neither `newest` nor `oldest`", ["newest", "oldest"])
    rows = _limit(limit)
    wanted = JobFilter(
        feature=feature, tenant=tenant, statuses=_statuses(statuses), oldest_first=order == "oldest"
    )
    found = await jobs.store.list_jobs(wanted, limit=rows, after=_after(after))
    now = jobs.calendar()
    return JobsPage(
        at=_now(jobs),
        lanes=await _lanes(jobs, feature, tenant),
        jobs=[_row(job, now) for job in found],
        after=_behind(found[-1]) if len(found) == rows else None,
    )


async def _lanes(jobs: Jobs, feature: str | None, tenant: str | None) -> list[LaneRow]:
    now, calendar = jobs.relay.now(), jobs.calendar()
    rows = [
        LaneRow(
            feature=row.lane.feature,
            priority=row.lane.priority,
            tenant=row.lane.tenant or None,
            age=None if row.oldest is None else max(0.0, calendar - row.oldest),
            queued=row.queued,
            running=row.running,
            held_up_by=jobs.ways.obstacle(row.lane, now),
        )
        for row in await jobs.store.backlog()
        if feature in {None, row.lane.feature} and tenant in {None, row.lane.tenant}
    ]
    return sorted(rows, key=lambda row: -(row.age or 0.0))


def _row(job: Job, now: float) -> JobRow:
    until = now if job.finished_at is None else job.finished_at
    return JobRow(
        id=job.id,
        status=job.status,
        age=max(0.0, until - job.created_at),
        feature=job.feature,
        priority=job.priority,
        tenant=job.tenant or None,
        caller=job.caller or None,
        operation=job.operation,
        attempts=job.attempts,
        created_at=moment(job.created_at) or "",
        expires_at=moment(job.expires_at) or "",
        ready_at=moment(job.ready_at) or "",
        finished_at=moment(job.finished_at),
        worker=job.lease_owner,
        lease_until=moment(job.lease_until),
        webhook=job.webhook,
    )


# -- one job ----------------------------------------------------------------------------------


async def _find(jobs: Jobs, request: Request) -> Job:
    (tenant,) = _only(request, "tenant")
    job_id: str = request.path_params["id"]
    found = await jobs.store.list_jobs(JobFilter(job_id=job_id, tenant=tenant), limit=2)
    if not found:
        message = f"there is no job `{job_id}`, or it is kept no more"
        raise Refused(404, Error(code="unknown_job", message=message, field="id"))
    if len(found) > 1:
        tenants = [job.tenant for job in found]
        message = f"`{job_id}` is a job of several tenants; say whose is meant"
        raise Refused(409, Error(code="ambiguous", message=message, field="tenant", known=tenants))
    return found[0]


async def _detail(jobs: Jobs, job: Job) -> JobDetail:
    place = await jobs.store.place(job.tenant, job.id)
    seconds = jobs.outlook.done_in(job, place or 0)
    events = await jobs.store.events(job.tenant, job.id, after=0, limit=MOST_EVENTS)
    return JobDetail(
        at=_now(jobs),
        job=_row(job, jobs.calendar()),
        position=None if place is None else place + 1,
        estimate=None if seconds is None else moment(jobs.calendar() + seconds),
        events=[_event(event) for event in events],
    )


def _event(event: Event) -> EventRow:
    return EventRow(
        number=event.number,
        at=moment(event.at) or "",
        kind=event.kind,
        told=_TOLD.decode(event.data) if event.data else {},
    )


# -- the end of many --------------------------------------------------------------------------


async def _cancel_all(jobs: Jobs, asked: CancelRequest) -> Cancelled:
    if asked.feature is None and asked.tenant is None:
        raise _wrong("feature", "is missing, and so is `tenant`: say whose jobs are meant", [])
    wanted = JobFilter(
        feature=asked.feature, tenant=asked.tenant, statuses=_ALIVE, oldest_first=True
    )
    found = await jobs.store.list_jobs(wanted, limit=CANCEL_AT_ONCE)
    ended = await asyncio.gather(*(jobs.cancel(job) for job in found))
    count = sum(job.status is JobStatus.CANCELLED for job in ended)
    jobs.relay.log.note(
        "jobs cancelled", feature=asked.feature, tenant=asked.tenant, count=float(count)
    )
    return Cancelled(cancelled=count, left=len(found) == CANCEL_AT_ONCE)


# -- what is asked ----------------------------------------------------------------------------


def _only(request: Request, *names: str) -> list[str | None]:
    """The values of these in the query, in this order; nothing else may stand there."""
    for name in request.query_params:
        if name not in names:
            raise _wrong(name, "is nothing that can be asked for here", names)
    return [request.query_params.get(name) for name in names]


def _statuses(text: str | None) -> frozenset[JobStatus]:
    if not text:
        return frozenset()
    try:
        return frozenset(JobStatus(word) for word in text.split(","))
    except ValueError:
        raise _wrong("status", "is none that a job can have", list(JobStatus)) from None


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MOST_ROWS:
        raise _wrong("limit", f"is not a number from 1 to {MOST_ROWS}", [])
    return int(text)


def _after(text: str | None) -> tuple[float, str, str] | None:
    if text is None:
        return None
    try:
        return _AFTER.decode(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _wrong("after", "is not what an answer has given for it", []) from None


def _behind(job: Job) -> str:
    place = job.created_at, job.tenant, job.id
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _wrong(field: str, problem: str, known: Iterable[str]) -> Refused:
    names = list(known)
    message = f"{field} {problem}" + (f"; known: {', '.join(names)}" if names else "")
    return Refused(400, Error(code="invalid_field", message=message, field=field, known=names))
