"""What callers ask about their jobs: how they stand, what came of them, what happens to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from understudy.ports import TERMINAL, Event, Job, JobStatus
from understudy.relay.http import Incoming, Refusal, Responder
from understudy.relay.intake import tenant_of
from understudy.relay.jobs.aside import Aside, Outlet
from understudy.relay.jobs.bell import rung
from understudy.relay.jobs.views import (
    PATH,
    event_block,
    job_head,
    job_path,
    result_head,
    whole_view,
)

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Inquiries"]

#: Part of the path behind the id → methods.
_METHODS: Final = {"": "GET, HEAD, DELETE", "result": "GET, HEAD", "events": "GET"}
#: Events read at once, and seconds between two looks for those of other processes.
EVENTS_AT_ONCE: Final = 200
LOOK_SECONDS: Final = 2.0
#: Proxies and clients give up on silence: as `understudy.relay.exchange` has it.
PING_SECONDS: Final = 14.0
_PING: Final = b": ping\n\n"
_STREAM: Final = "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_ENCODER: Final = msgspec.json.Encoder()


class Inquiries:
    """Answers them.

    Args:
        jobs: which jobs there are.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def methods(self, path: str) -> str | None:
        """What may be done at a path; None if it is none of a job's."""
        if not path.startswith(PATH):
            return None
        job_id, _, part = path.removeprefix(PATH).partition("/")
        if not job_id or (path.endswith("/") and not part):
            return None
        return _METHODS.get(part)

    def take(self, request: Incoming, responder: Responder) -> Aside:
        """Answer a request of an admitted caller."""
        job_id, _, part = request.path.removeprefix(PATH).partition("/")
        answers = {"": self._show, "result": self._result, "events": self._events}
        answer = self._cancel if request.method == "DELETE" else answers[part]
        return self._jobs.aside(request, responder, partial(answer, request, job_id))

    async def _find(self, request: Incoming, job_id: str) -> Job:
        """The caller's own job.

        Raises:
            Refusal: there is none, or it is another's; which of the two is nobody's business.
        """
        tenant = tenant_of(request) or ""
        job = await self._jobs.store.get(tenant, job_id)
        caller = "" if request.caller is None else request.caller.name
        if job is None or job.caller != caller:
            raise Refusal(404, "job_not_found", "No job of yours with this id is kept.")
        return job

    async def _show(self, request: Incoming, job_id: str, outlet: Outlet) -> None:
        await self._respond(await self._find(request, job_id), 200, outlet)

    async def _cancel(self, request: Incoming, job_id: str, outlet: Outlet) -> None:
        job = await self._jobs.cancel(await self._find(request, job_id))
        await self._respond(job, 200, outlet)

    async def _respond(self, job: Job, status: int, outlet: Outlet) -> None:
        """The job as it stands."""
        jobs = self._jobs
        place = None
        if job.status is JobStatus.QUEUED:
            place = await jobs.store.place(job.tenant, job.id)
        seconds = jobs.outlook.done_in(job, place or 0)
        done_at = None if seconds is None else jobs.calendar() + seconds
        head = jobs.relay.plain_head(job_head(jobs.relay.new_id(), job, seconds))
        outlet.respond(status, head, _ENCODER.encode(whole_view(job, done_at, place)))

    async def _result(self, request: Incoming, job_id: str, outlet: Outlet) -> None:
        job = await self._find(request, job_id)
        answer = await self._jobs.store.result(job.tenant, job.id)
        if answer is not None:
            answer = await self._jobs.vault.open_answer(job, answer)
            head = self._jobs.relay.plain_head(result_head(answer))
            outlet.respond(answer.status, head, answer.body)
        elif job.status in {JobStatus.CANCELLED, JobStatus.EXPIRED}:
            raise Refusal(
                409,
                f"job_{job.status}",
                f"This job is {job.status}, and has no result.",
                job=job_path(job.id),
            )
        else:
            await self._respond(job, 202, outlet)

    # -- events -------------------------------------------------------------------------------

    async def _events(self, request: Incoming, job_id: str, outlet: Outlet) -> None:
        jobs = self._jobs
        after = _after(request)
        job = await self._find(request, job_id)
        place = job.tenant, job.id
        if job.status in TERMINAL and after >= job.events:
            # Nothing will come any more; this is how a client is told not to ask again
            # (https://html.spec.whatwg.org/multipage/server-sent-events.html).
            outlet.respond(204, jobs.relay.plain_head("cache-control: no-cache\r\n"), b"")
            return
        outlet.begin(200, jobs.relay.plain_head(_STREAM))
        await outlet.send(b": events of %b\n\n" % job.id.encode())
        said_at = jobs.relay.now()
        with jobs.bell.listen(place) as event:
            while not jobs.bell.is_closed:
                event.clear()
                found = await jobs.store.events(*place, after=after, limit=EVENTS_AT_ONCE)
                for one in found:
                    after = one.number
                    await outlet.send(event_block(one))
                if found:
                    said_at = jobs.relay.now()
                    if _is_last(found[-1]):
                        break
                    continue
                if jobs.relay.now() - said_at >= PING_SECONDS - LOOK_SECONDS:
                    await outlet.send(_PING)
                    said_at = jobs.relay.now()
                    if await jobs.store.get(*place) is None:
                        break
                await rung(event, LOOK_SECONDS)
        outlet.end()


def _is_last(event: Event) -> bool:
    return event.kind in TERMINAL


def _after(request: Incoming) -> int:
    """The number of the last event that the caller has.

    Raises:
        Refusal: the query is none that is known here.
    """
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < 10:
        return int(last)
    name, _, number = request.query.partition("=")
    if not request.query:
        return 0
    if name != "after" or not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Refusal(400, "invalid_query", "The only query that is known here is after=NUMBER.")
    return int(number)
