"""A process that does jobs and says which, until it finds none: `URL WORKER TENANT…`."""

import asyncio
import sys

from contract.store_jobs import ANSWER, lanes_of
from understudy.ports import JobStatus
from understudy.store import open_store, parse_store_url


async def drain(url, worker, tenants):
    store = await open_store(parse_store_url(url))
    lanes = lanes_of(*tenants)
    while claimed := await store.claim(worker=worker, lanes=lanes, limit=3, lease=30.0, now=200.0):
        for one in claimed:
            sys.stdout.write(f"{one.job.id}\n")
            sys.stdout.flush()
            await store.finish(one.lease, JobStatus.SUCCEEDED, ANSWER, now=201.0)
    await store.close()


asyncio.run(drain(sys.argv[1], sys.argv[2], sys.argv[3:]))
