"""Claims jobs when a target can serve them, and lets each of them run.

A claim is made only for lanes that some target serves now, so that a closed gate costs no attempt;
what people wait for goes before the rest; how many, is the ramp's to say (`Ways`). Whose turn it is
among tenants, and which of a tenant's jobs is next, is the store's.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Final

from understudy.ports import Claimed, Lane
from understudy.relay.jobs.bell import Place, rung
from understudy.relay.jobs.run import LEASE_SECONDS, Run
from understudy.relay.jobs.tasks import ends_well, wind_up
from understudy.relay.jobs.ways import Way

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Runner"]

#: Seconds between two looks while somebody waits, while nobody does, and at the least: what comes
#: in between is claimed together.
LOOK_SECONDS: Final = 0.25
IDLE_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.02
#: Seconds after which a lane is asked again that had nothing ready.
DRY_SECONDS: Final = 1.0
#: Seconds until a store that failed is asked again.
TROUBLE_SECONDS: Final = 1.0
#: Seconds in which what is under way is given back at the end.
LEAVE_SECONDS: Final = 10.0
#: Jobs of one process under way: each has its request and its answer in memory. And bytes of
#: requests, beyond which no more are begun.
MOST_AT_ONCE: Final = 256
MOST_BYTES: Final = 256 * 2**20


class Runner:
    """Begins jobs.

    Args:
        jobs: which.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        #: Who holds a lease, for people who look into the store.
        self._worker = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._runs: dict[Place, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_stopped = False

    @property
    def count(self) -> int:
        """Jobs under way."""
        return len(self._tasks)

    def wake(self, lane: Lane) -> None:
        """A job has come in, or may go on."""
        for target in self._jobs.ways.targets(lane):
            self._jobs.ways.of(target).dry_until = 0.0
        self._wake.set()

    def stop(self) -> None:
        """Begin no more."""
        self._is_stopped = True
        self._wake.set()

    def drop(self, place: Place) -> None:
        """A job is wanted no more."""
        run = self._runs.get(place)
        if run is not None:
            run.drop()

    async def close(self) -> None:
        """Give back what is under way. Nothing is being claimed any more."""
        for run in list(self._runs.values()):
            run.leave()
        await wind_up(self._tasks, LEAVE_SECONDS)

    async def keep_running(self) -> None:
        """Look for jobs to begin, again and again, until it is stopped."""
        while not self._is_stopped:
            if not await ends_well(self._jobs, self._look(), "claiming jobs"):
                await asyncio.sleep(TROUBLE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
            somebody = bool(self._jobs.lines.lanes())
            await rung(self._wake, LOOK_SECONDS if somebody else IDLE_SECONDS)
            self._wake.clear()

    async def _look(self) -> None:
        jobs = self._jobs
        now = jobs.relay.now()
        for way, lanes in jobs.ways.open(jobs.lines.lanes(), now):
            if self._is_stopped or sum(run.size for run in self._runs.values()) > MOST_BYTES:
                return
            wanted = sum(jobs.lines.waiting(lane) for lane in lanes)
            count = way.free(min(wanted, MOST_AT_ONCE - self.count), now)
            if count > 0:
                await self._claim(way, lanes, count)

    async def _claim(self, way: Way, lanes: list[Lane], count: int) -> None:
        jobs = self._jobs
        claimed = await jobs.store.claim(
            worker=self._worker,
            lanes=lanes,
            limit=count,
            lease=LEASE_SECONDS,
            now=jobs.calendar(),
        )
        now = jobs.relay.now()
        way.took([one.job.cost for one in claimed], now)
        if len(claimed) < count:
            way.dry_until = now + DRY_SECONDS
        for one in claimed:
            run = self._begin(one, way)
            if self._is_stopped:
                # The process began to end while they were claimed.
                run.leave()

    def _begin(self, claimed: Claimed, way: Way) -> Run:
        job = claimed.job
        place = job.tenant, job.id
        self._jobs.lines.went(job.lane)
        self._jobs.bell.ring(place)
        run = self._runs[place] = Run(self._jobs, claimed, way.target)
        task = asyncio.create_task(run.carry_out(), name=f"job {job.id}")
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._runs.get(place) is run:
                del self._runs[place]
            if run.is_spared:
                way.spared()
            way.ended(well=run.went_well)
            self._wake.set()
            self._jobs.settled()

        task.add_done_callback(ended)
        return run
