"""What is done about jobs once a second, whoever runs them: count, expire, take back, forget.

Of several processes one does it for all, but for the counting; where they can't hear of each other,
each does: doing it twice does no harm.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from understudy.policy.job_ends import orphaned
from understudy.ports import JobStatus, StoreError
from understudy.relay.jobs.run import LEASE_SECONDS
from understudy.relay.jobs.tasks import ends_well

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Upkeep"]

ROUND_SECONDS: Final = 1.0
PURGE_SECONDS: Final = 60.0
#: Jobs changed in one transaction.
BATCH: Final = 500


class Upkeep:
    """Looks after the store.

    Args:
        jobs: whose.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._purges_at = self._reaps_at = float("-inf")
        self._is_in_trouble = False

    async def keep_up(self) -> None:
        """Again and again, until it is cancelled."""
        jobs = self._jobs
        while True:
            jobs.ways.watch(jobs.relay.now())
            is_well = await ends_well(jobs, self._round(), "looking after jobs")
            if is_well and self._is_in_trouble:
                self._is_in_trouble = False
                jobs.relay.log.note("store", text="it answers again")
            await asyncio.sleep(ROUND_SECONDS)

    def complain(self, error: StoreError) -> None:
        """The store has failed: said once, until it works again."""
        self._jobs.meter.store_failed()
        # Who holds a lease could not keep it up meanwhile, and must have the time to do so now.
        self._reaps_at = self._jobs.calendar() + LEASE_SECONDS
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._jobs.relay.log.note("store", text=str(error))

    async def _round(self) -> None:
        jobs, store = self._jobs, self._jobs.store
        if jobs.relay.fleet.share:
            await self._round_for_all(jobs.calendar())
        jobs.lines.begin()
        jobs.lines.counted(await store.backlog())

    async def _round_for_all(self, now: float) -> None:
        jobs, store = self._jobs, self._jobs.store
        for job in await store.expire(limit=BATCH, now=now):
            jobs.ended(job, JobStatus.EXPIRED)
        if now >= self._reaps_at:
            for job in await store.reap(limit=BATCH, now=now, rest=orphaned):
                jobs.returned(job)
        if now >= self._purges_at:
            kept = jobs.relay.runtime.settings.jobs.kept
            gone = await store.purge(finished_before=now - kept, limit=BATCH)
            # What is left goes with the next rounds, not all at once.
            self._purges_at = now if gone == BATCH else now + PURGE_SECONDS
