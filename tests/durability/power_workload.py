"""Work for a store while it is recorded: jobs of two tenants, and all that can happen to them.

Every word to the store and every answer of it is noted in the log, between what SQLite wrote.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from contract.store_jobs import new_job
from durability.story import Story
from durability.vfs import Log, Note
from understudy.policy.job_ends import orphaned
from understudy.ports import TERMINAL, Answer, JobStatus, JobStore, Lane, Lease, Request
from understudy.store import open_store, parse_store_url, sqlite

__all__ = ["Work", "work"]

TENANTS = ("acme", "zeta")
LANES = [Lane("interactive", tenant, "chat") for tenant in TENANTS]
#: Bytes that are asked and answered: small ones stand on the page of their row, large ones on pages
#: of their own.
SIZES = (100, 100, 1_500, 9_000)


@dataclass(frozen=True)
class Work:
    """How much is done, and how."""

    rounds: int
    seed: int = 1
    #: Words of a kind that are said at once, so that they share a commit.
    at_once: int = 4
    #: The store is closed and opened again after so many rounds.
    reopened_after: int = 1_000_000
    #: Said to SQLite behind what the store says to it.
    pragmas: tuple[str, ...] = ()


class _Clerk:
    """Speaks to a store, and notes what was said."""

    def __init__(self, store: JobStore, story: Story, log: Log, chance: random.Random) -> None:
        self.store = store
        self._story = story
        self._log = log
        self._chance = chance
        self._numbers = count(len(story.words))

    async def accept(self) -> None:
        number = next(self._numbers)
        new = new_job(
            f"job-{number}",
            tenant=self._chance.choice(TENANTS),
            request=Request(self._chance.randbytes(self._chance.choice(SIZES))),
            body_digest=f"body-{number}",
            key_digest=f"key-{number}" if number % 3 else None,
            # Some expire soon: see `expire`.
            expires_at=150.0 if number % 11 == 0 else 1000.0,
        )
        asked = self._ask()
        await self.store.accept(new)
        self._story.accepted(new, asked, self._answered())

    async def claim(self, limit: int) -> list[Lease]:
        asked = self._ask()
        claimed = await self.store.claim(
            worker="w", lanes=LANES, limit=limit, lease=30.0, now=140.0
        )
        self._story.came((one.job for one in claimed), asked, self._answered())
        return [one.lease for one in claimed]

    async def finish(self, lease: Lease, ending: JobStatus) -> None:
        answer = Answer(200, (("x", "y"),), self._chance.randbytes(self._chance.choice(SIZES)))
        asked = self._ask()
        await self.store.finish(lease, ending, answer, now=160.0)
        self._story.moved(lease.job_id, ending, answer, asked, self._answered())

    async def give_back(self, lease: Lease) -> None:
        asked = self._ask()
        await self.store.give_back(lease, ready_at=100.0, counted=True, now=160.0)
        self._story.moved(lease.job_id, JobStatus.QUEUED, None, asked, self._answered())

    async def append(self, lease: Lease) -> None:
        asked = self._ask()
        await self.store.append(lease, kind="attempted", data=b"{}", now=160.0)
        self._story.moved(lease.job_id, None, None, asked, self._answered())

    async def cancel(self, lease: Lease) -> None:
        asked = self._ask()
        job = await self.store.cancel(lease.tenant, lease.job_id, now=161.0)
        self._story.came([job] if job else [], asked, self._answered())

    async def expire(self) -> None:
        asked = self._ask()
        ended = await self.store.expire(limit=100, now=151.0)
        self._story.came(ended, asked, self._answered())

    async def reap(self) -> None:
        asked = self._ask()
        reaped = await self.store.reap(limit=100, now=200.0, rest=orphaned)
        self._story.came(reaped, asked, self._answered())

    async def purge(self) -> None:
        old = [job_id for job_id, now in self._story.now.items() if now.status in TERMINAL]
        asked = self._ask()
        await self.store.purge(finished_before=1e6, limit=10_000)
        self._story.gone(old, asked, self._answered())

    def _ask(self) -> int:
        self._log.append(Note("asked", None))
        return len(self._log) - 1

    def _answered(self) -> int:
        self._log.append(Note("answered", None))
        return len(self._log) - 1


async def work(path: Path, log: Log, story: Story, plan: Work) -> None:
    """Open the store at `path`, work, and close it."""
    chance = random.Random(plan.seed)
    with _saying(plan.pragmas):
        store = await _open(path)
        for number in range(1, plan.rounds + 1):
            await _round(_Clerk(store, story, log, chance), plan, number, chance)
            if number % plan.reopened_after == 0:
                await store.close()
                store = await _open(path)
        await store.close()


async def _open(path: Path) -> JobStore:
    return await open_store(parse_store_url(f"sqlite:///{path}"))


@contextlib.contextmanager
def _saying(pragmas: tuple[str, ...]) -> Iterator[None]:
    """Let the store say more to SQLite than it does."""
    before = sqlite._PRAGMAS
    sqlite._PRAGMAS = (*before, *pragmas)
    try:
        yield
    finally:
        sqlite._PRAGMAS = before


async def _round(clerk: _Clerk, plan: Work, number: int, chance: random.Random) -> None:
    await asyncio.gather(*(clerk.accept() for _ in range(plan.at_once)))
    if number % 4 == 0:
        await clerk.expire()
    leases = await clerk.claim(plan.at_once)
    # One word about each, all at once; some run on, and are taken back.
    words = [
        lambda lease: clerk.finish(lease, JobStatus.SUCCEEDED),
        lambda lease: clerk.finish(lease, JobStatus.SUCCEEDED),
        lambda lease: clerk.finish(lease, JobStatus.FAILED),
        clerk.append,
        clerk.give_back,
        clerk.cancel,
    ]
    await asyncio.gather(
        *(chance.choice(words)(lease) for lease in leases),
        *(clerk.accept() for _ in range(plan.at_once // 2)),
    )
    if number % 5 == 0:
        await clerk.reap()
    if number % 9 == 0:
        await clerk.purge()
