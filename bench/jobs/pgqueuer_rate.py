"""One measurement of PgQueuer: `DSN CALLERS SECONDS enqueue|batch|drain`. Prints JSON.

Its own doors, as its documentation has them: `Queries.enqueue` over a pool of asyncpg with as many
connections as there are callers (64 at most: PostgreSQL takes 100 by default), the same with lists
of 256, and `QueueManager.run`. Its tables are durable, which is its default.
"""

import sys

import asyncpg
import uvloop
from meter import PAYLOAD, Meter, offer, tell
from pgqueuer import AsyncpgPoolDriver, Job, Queries, QueueManager
from pgqueuer.types import QueueExecutionMode

MOST_CONNECTIONS = 64
BATCH = 256
#: Of its dequeueing: ten times its default, which is faster.
DEQUEUED = 100
#: Jobs a second that are surely not done: so many wait.
MOST_RATE = 6000


async def enqueue_many(queries: Queries, count: int = BATCH) -> None:
    """Its batch: one statement."""
    await queries.enqueue(["job"] * count, [PAYLOAD] * count, [0] * count)


async def drain(queries: Queries, seconds: float) -> dict[str, float]:
    """Jobs a second through a worker that does nothing with them."""
    for _ in range(int(seconds * MOST_RATE) // BATCH):
        await enqueue_many(queries)
    manager = QueueManager(queries)
    meter = Meter(seconds)

    @manager.entrypoint("job")
    async def work(job: Job) -> None:
        meter.done()
        if meter.is_over:
            manager.shutdown.set()

    await manager.run(batch_size=DEQUEUED, mode=QueueExecutionMode.drain)
    return meter.found()


async def main(dsn: str, callers: int, seconds: float, what: str) -> None:
    """Install, measure."""
    connections = min(callers, MOST_CONNECTIONS)
    async with asyncpg.create_pool(dsn, min_size=connections, max_size=connections) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        await queries.install()
        if what == "drain":
            tell(await drain(queries, seconds))
        elif what == "batch":
            tell(
                await offer(
                    lambda: enqueue_many(queries), callers=callers, seconds=seconds, each=BATCH
                )
            )
        else:
            tell(
                await offer(
                    lambda: queries.enqueue("job", PAYLOAD), callers=callers, seconds=seconds
                )
            )


uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
