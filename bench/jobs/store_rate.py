"""One measurement of the product's store: `STORE-URL CALLERS SECONDS accept|drain`. Prints JSON.

Accepting is one `accept` a call, as the relay does it. Draining is what the runner does: claims of
up to 64, each job of them finished by a word of its own.
"""

import asyncio
import sys
from itertools import count
from time import time

import uvloop
from meter import PAYLOAD, Meter, offer, tell

from understudy.ports import Answer, Claimed, JobStatus, JobStore, Lane, NewJob, Request
from understudy.store import open_store, parse_store_url

TENANTS = [f"tenant-{number}" for number in range(20)]
LANES = [Lane("interactive", tenant, "assistant") for tenant in TENANTS]
ANSWER = Answer(200, (("content-type", "application/json"),), PAYLOAD)
CLAIM, CLAIMERS = 64, 4
#: Jobs a second that are surely not done: so many wait.
MOST_RATE = 4000
NUMBERS = count()


def new_job() -> NewJob:
    """A job with a key of its own."""
    number = next(NUMBERS)
    now = time()
    return NewJob(
        id=f"job_{number:024x}",
        tenant=TENANTS[number % len(TENANTS)],
        caller="web",
        feature="assistant",
        operation="messages",
        priority="interactive",
        request=Request(PAYLOAD),
        body_digest=f"{number:064x}",
        key_digest=f"{number:064x}",
        created_at=now,
        expires_at=now + 86400.0,
    )


async def drain(store: JobStore, seconds: float) -> dict[str, float]:
    """Jobs a second from the claim to the durable result, out of a line that does not end."""
    for _ in range(int(seconds * MOST_RATE) // 256):
        await asyncio.gather(*(store.accept(new_job()) for _ in range(256)))
    meter = Meter(seconds)

    async def finish(claimed: Claimed) -> None:
        await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=time())
        meter.done()

    async def work() -> None:
        while not meter.is_over:
            claimed = await store.claim(
                worker="bench", lanes=LANES, limit=CLAIM, lease=60.0, now=time()
            )
            await asyncio.gather(*map(finish, claimed))
            if not claimed:
                return

    await asyncio.gather(*(work() for _ in range(CLAIMERS)))
    return meter.found()


async def main(url: str, callers: int, seconds: float, what: str) -> None:
    """Open, measure, close."""
    store = await open_store(parse_store_url(url))
    try:
        if what == "drain":
            tell(await drain(store, seconds))
        else:
            found = await offer(lambda: store.accept(new_job()), callers=callers, seconds=seconds)
            tell(found)
    finally:
        await store.close()


uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
