"""Requests become jobs: kept first, answered then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from understudy.core.outcomes import Record, RequestOutcome
from understudy.core.settings import Caller
from understudy.ports import (
    MAX_COST,
    Accepted,
    Conflict,
    Job,
    JobStatus,
    NewJob,
)
from understudy.relay.http import Refusal, Responder
from understudy.relay.intake import asked_deadline
from understudy.relay.jobs.aside import Aside, Outlet
from understudy.relay.jobs.bell import rung
from understudy.relay.jobs.parcel import body_digest, key_digest, pack
from understudy.relay.jobs.preference import Preference, read_preference
from understudy.relay.jobs.vault import beside
from understudy.relay.jobs.views import accepted_head, job_view, result_head
from understudy.relay.order import Order

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["WAITING_SECONDS_MAX", "Arrivals"]

#: How long a job waits to be begun, where its caller names no shorter time.
WAITING_SECONDS_MAX: Final = 24 * 3600.0
#: Bytes of an idempotency key: as long as Stripe's may be.
MAX_KEY: Final = 255
#: Seconds between two looks at a job that another process may have ended.
LOOK_SECONDS: Final = 1.0
_ENCODER: Final = msgspec.json.Encoder()
_ANSWERED: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})


class Arrivals:
    """Takes requests as jobs.

    Args:
        jobs: where they go.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def take(self, order: Order, responder: Responder) -> Aside | None:
        """Take a request as a job; None if it is not to be one.

        A feature that does not defer passes the preference over, as RFC 7240 has it, and so does
        counting tokens, of which nothing is left to be had later.
        """
        if not order.place.route.feature.defer or order.operation == "count_tokens":
            return None
        preference = read_preference(order.request.headers["prefer"])
        if preference is None:
            return None
        accept = partial(self._accept, order, preference)
        return self._jobs.aside(order.request, responder, accept)

    async def _accept(self, order: Order, preference: Preference, outlet: Outlet) -> None:
        jobs = self._jobs
        size = len(order.request.body)
        new = await beside(size, partial(self._new_job, order, _webhook(order)))
        acceptance = await jobs.store.accept(new)
        is_new = isinstance(acceptance, Accepted)
        if not is_new and order.grant is not None:
            order.grant.settle(0, jobs.relay.now())
        if isinstance(acceptance, Conflict):
            raise Refusal(
                409,
                "idempotency_conflict",
                "This Idempotency-Key came with another request before; a key is for one request.",
                param="Idempotency-Key",
            )
        job = acceptance.job
        if is_new:
            jobs.accepted(job)
        self._record(order)
        until = order.request.arrived + preference.wait
        if preference.wait and await self._is_answered(order, job, until, outlet, look=not is_new):
            return
        job = await jobs.store.get(job.tenant, job.id) or job if preference.wait else job
        self._respond(order, job, outlet)

    def _new_job(self, order: Order, webhook: str | None) -> NewJob:
        """May be called in a thread: packing, digesting and sealing take long by the bytes."""
        jobs, request = self._jobs, order.request
        feature, claim = order.place.route.feature, order.limits.claim
        now = jobs.calendar()
        asked = asked_deadline(request)
        waits = WAITING_SECONDS_MAX if asked is None else min(asked, WAITING_SECONDS_MAX)
        try:
            job_id, tenant = jobs.new_id(), order.place.tenant or ""
            return NewJob(
                id=job_id,
                tenant=tenant,
                caller="" if request.caller is None else request.caller.name,
                feature=feature.name,
                operation=order.operation,
                priority=feature.priority,
                request=jobs.vault.request(pack(order), tenant, job_id),
                body_digest=body_digest(request.caller, order),
                key_digest=_key_digest(request.caller, request.headers.get("idempotency-key")),
                cost=min(int(claim.need.input + claim.need.output) + 1, MAX_COST),
                created_at=now,
                expires_at=now + waits,
                webhook=webhook,
            )
        except ValueError as error:
            # The only name that a caller chooses freely.
            raise Refusal(
                400,
                "invalid_header",
                f"x-understudy-tenant can't be used for a job: {error}.",
                param="x-understudy-tenant",
            ) from None

    def _record(self, order: Order) -> None:
        """The journal of the request itself; each run of its job has one of its own.

        No line in the log: it would be one for every request, when there are most, and the store
        knows more.
        """
        relay, request = self._jobs.relay, order.request
        now = relay.now()
        record = Record(
            order.id,
            order.place.route.feature.name,
            order.place.tenant,
            None if request.caller is None else request.caller.name,
            request.arrived + relay.wall,
            ended_at=now + relay.wall,
            outcome=RequestOutcome.DEFERRED,
        )
        relay.journal.open(record)
        relay.metrics.request(record, now - request.arrived)

    async def _is_answered(
        self, order: Order, job: Job, until: float, outlet: Outlet, *, look: bool
    ) -> bool:
        """Wait for the answer until then; whether the caller has it."""
        jobs = self._jobs
        with jobs.bell.listen((job.tenant, job.id)) as event:
            while True:
                if look:
                    event.clear()
                    standing = await jobs.store.get(job.tenant, job.id)
                    if standing is None or standing.finished_at is not None:
                        break
                left = until - jobs.relay.now()
                if left <= 0.0 or jobs.bell.is_closed:
                    return False
                look = await rung(event, min(left, LOOK_SECONDS)) or left > LOOK_SECONDS
        if standing is None or standing.status not in _ANSWERED:
            return False
        answer = await jobs.store.result(job.tenant, job.id)
        if answer is None:
            return False
        answer = await jobs.vault.open_answer(job, answer)
        head = jobs.relay.plain_head(order.quota_lines + result_head(answer))
        outlet.respond(answer.status, head, answer.body)
        return True

    def _respond(self, order: Order, job: Job, outlet: Outlet) -> None:
        """202: it is kept."""
        jobs = self._jobs
        seconds = jobs.outlook.done_in(job, max(0, jobs.lines.of_tenant(job.lane) - 1))
        head = jobs.relay.plain_head(order.quota_lines + accepted_head(order.id, job, seconds))
        view = job_view(job, None if seconds is None else jobs.calendar() + seconds)
        outlet.respond(202, head, _ENCODER.encode(view))


def _webhook(order: Order) -> str | None:
    """Who is told when the job ends: whom the caller names, else the feature.

    Raises:
        Refusal: there is nobody of that name.
    """
    name = order.request.own.get("x-understudy-webhook")
    if name is None:
        return order.place.route.feature.webhook
    known = order.runtime.settings.jobs.webhooks
    if name not in known:
        there_are = f"There are: {', '.join(known)}." if known else "There are none."
        raise Refusal(
            400,
            "unknown_webhook",
            f"x-understudy-webhook names none of the webhooks. {there_are}",
            param="x-understudy-webhook",
        )
    return name


def _key_digest(caller: Caller | None, key: str | None) -> str | None:
    if key is None:
        return None
    if not key or len(key) > MAX_KEY:
        raise Refusal(
            400,
            "invalid_header",
            f"Idempotency-Key takes 1 to {MAX_KEY} characters.",
            param="Idempotency-Key",
        )
    return key_digest(caller, key)
