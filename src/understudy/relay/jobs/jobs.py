"""The deferred jobs of one relay: who takes them in, runs them and looks after them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from understudy.ports import TERMINAL, Answer, Job, JobStatus, JobStore
from understudy.relay.errors import error_headers, own_error
from understudy.relay.http import Incoming, Refusal, Responder
from understudy.relay.jobs.arrivals import Arrivals
from understudy.relay.jobs.aside import Aside, Outlet
from understudy.relay.jobs.bell import Bell
from understudy.relay.jobs.inquiries import Inquiries
from understudy.relay.jobs.lines import Lines
from understudy.relay.jobs.outlook import Outlook
from understudy.relay.jobs.runner import Runner
from understudy.relay.jobs.upkeep import Upkeep
from understudy.relay.jobs.vault import Vault
from understudy.relay.jobs.views import job_path
from understudy.relay.jobs.ways import Ways
from understudy.relay.jobs.webhooks import Webhooks
from understudy.relay.runtime import DIALECTS
from understudy.services.job_metrics import JobMetrics, Line

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Jobs"]


class Jobs:
    """Everything about jobs; the running loop is the one that they live on.

    Args:
        relay: through which they are carried out.
        store: keeps them. It is closed by whoever opened it, after this.
    """

    def __init__(self, relay: Relay, store: JobStore) -> None:
        self.relay = relay
        self.store = store
        self.bell = Bell()
        self.lines = Lines()
        self.ways = Ways(relay)
        self.outlook = Outlook(self)
        self.meter = JobMetrics(self._views)
        self.vault = Vault(self)
        self.upkeep = Upkeep(self)
        self.arrivals = Arrivals(self)
        self.inquiries = Inquiries(self)
        self.runner = Runner(self)
        self.webhooks = Webhooks(self)
        self._asides: set[Aside] = set()
        self._running = asyncio.create_task(self.runner.keep_running(), name="running jobs")
        self._keeping_up = asyncio.create_task(self.upkeep.keep_up(), name="looking after jobs")
        relay.metrics.registry.register(self.meter)

    def renew(self) -> None:
        """The settings are others now."""
        self.vault.renew()
        self.webhooks.renew()

    def calendar(self) -> float:
        """Unix seconds."""
        return self.relay.now() + self.relay.wall

    def new_id(self) -> str:
        """An id for a job: unique, no secret."""
        return self.relay.new_id().replace("req_", "job_")

    def aside(
        self,
        request: Incoming,
        responder: Responder,
        answer: Callable[[Outlet], Awaitable[None]],
    ) -> Aside:
        """Answer a request beside the path."""
        aside = Aside(self, request, responder, answer)
        self._asides.add(aside)
        return aside

    def answered(self, aside: Aside) -> None:
        """It is answered, or its caller has left."""
        self._asides.discard(aside)
        self.settled()

    # -- what happens to jobs -----------------------------------------------------------------

    def accepted(self, job: Job) -> None:
        """A job is kept."""
        self.meter.accepted(job.feature)
        self.lines.came(job.lane)
        self.runner.wake(job.lane)

    def returned(self, job: Job) -> None:
        """A job waits again."""
        self.meter.returned(job.feature)
        self.lines.came(job.lane)
        self.bell.ring((job.tenant, job.id))

    def ended(self, job: Job, ending: JobStatus) -> None:
        """A job is over. `job` is as it was before."""
        place = job.tenant, job.id
        self.meter.ended(job.feature, ending)
        if ending is JobStatus.CANCELLED or ending is JobStatus.EXPIRED:
            if job.status is not JobStatus.RUNNING:
                self.lines.went(job.lane)
            self.runner.drop(place)
        if ending is not JobStatus.SUCCEEDED:
            self.relay.log.note(
                "job", job=job.id, feature=job.feature, status=ending, attempts=job.attempts
            )
        self.bell.ring(place)
        if job.webhook is not None:
            self.webhooks.wake()

    async def cancel(self, job: Job) -> Job:
        """End a job that has not ended; what it is then. `job` is as it was found.

        Raises:
            StoreError: nothing is known of that.
        """
        cancelled = await self.store.cancel(job.tenant, job.id, now=self.calendar()) or job
        if job.status not in TERMINAL and cancelled.status is JobStatus.CANCELLED:
            self.ended(job, JobStatus.CANCELLED)
        return cancelled

    def own_answer(self, job: Job, refusal: Refusal) -> Answer:
        """Words of ours as a job's result, in the dialect that it was asked in."""
        request_id = self.relay.new_id()
        dialect = DIALECTS[job.operation]
        body = own_error(dialect, refusal, request_id=request_id, job=job_path(job.id))
        headers = [
            ("content-type", "application/json"),
            ("x-request-id", request_id),
            ("request-id", request_id),
            ("x-understudy-feature", job.feature),
        ]
        for line in error_headers(refusal.retry_after).splitlines():
            name, _, value = line.partition(": ")
            headers.append((name, value))
        return Answer(refusal.status, tuple(headers), body)

    # -- the end of things --------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Something is under way that should not be cut off."""
        return bool(self._asides or self.runner.count)

    def settled(self) -> None:
        """Something that was under way has ended."""
        self.relay.look_idle()

    def drain(self) -> None:
        """Begin no more jobs, and let nobody wait for one."""
        self.runner.stop()
        self.bell.close()

    async def close(self) -> None:
        """Give back what is under way, and stop."""
        self.drain()
        # It ends by itself, with what it is claiming: nobody would give that back.
        await asyncio.gather(self._running, return_exceptions=True)
        await self.runner.close()
        await self.webhooks.close()
        for aside in list(self._asides):
            aside.gone()
        self._keeping_up.cancel()
        await asyncio.gather(self._keeping_up, return_exceptions=True)

    def _views(self) -> list[Line]:
        """The lines, for the metrics: tenants together, for metrics name none."""
        now = self.calendar()
        found: dict[tuple[str, str], Line] = {}
        for row in self.lines.rows():
            key = row.lane.feature, row.lane.priority
            line = found.setdefault(key, Line(*key))
            line.queued += row.queued
            line.running += row.running
            if row.oldest is not None:
                line.oldest = max(line.oldest, now - row.oldest)
        return list(found.values())
