"""Kills a process that uses a SQLite store, again and again: `PATH SEED ROUNDS`.

Each round forks a child (so this process has no threads and opens nothing itself). The child first
looks for what was acknowledged to the one before (the last child: to all before), then accepts,
claims and finishes jobs, and says so when it was told so. After a number of words drawn for the
round it is killed. What is printed is a JSON object: what was acknowledged, what was missing.
"""

import asyncio
import json
import os
import random
import signal
import sys

from contract.store_jobs import ANSWER, at_once, lanes_of, new_job
from understudy.ports import TERMINAL, JobStatus
from understudy.store import open_store, parse_store_url

LANES = lanes_of("acme")


async def check(store, said, say):
    """What was acknowledged is as it was acknowledged."""

    async def is_kept(job_id):
        job = await store.get("acme", job_id)
        events = await store.events("acme", job_id, after=0, limit=100)
        ends = [event.kind for event in events if event.kind in TERMINAL]
        return job is not None and len(ends) == (job.status in TERMINAL)

    async def is_finished(job_id):
        job = await store.get("acme", job_id)
        succeeded = job is not None and job.status is JobStatus.SUCCEEDED
        return succeeded and await store.result("acme", job_id) == ANSWER

    for what, look in (("kept", is_kept), ("finished", is_finished)):
        ids = sorted(said[what])
        for job_id, found in zip(ids, await asyncio.gather(*map(look, ids)), strict=True):
            if not found:
                say(f"lost {job_id}")
    say("checked")


async def live(path, number, before, say):
    store = await open_store(parse_store_url(f"sqlite:///{path}"))
    await check(store, before, say)
    await store.reap(limit=10_000, now=1e6, rest=at_once)

    async def accept(worker):
        for count in range(10_000):
            job_id = f"r{number}-{worker}-{count}"
            await store.accept(new_job(job_id, key_digest=job_id))
            say(f"kept {job_id}")

    async def finish():
        while True:
            for one in await store.claim(worker="w", lanes=LANES, limit=4, lease=30.0, now=200.0):
                await store.finish(one.lease, JobStatus.SUCCEEDED, ANSWER, now=201.0)
                say(f"finished {one.job.id}")

    await asyncio.gather(*(accept(worker) for worker in range(6)), finish())


def run(path, number, words, before):
    """One child's life; what it said."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)

        def say(text):
            # One write of less than a page: all of it is in the pipe, or nothing.
            os.write(writing, f"{text}\n".encode())

        try:
            asyncio.run(live(path, number, before, say))
        finally:
            os._exit(1)
    os.close(writing)
    said = nothing()
    with os.fdopen(reading) as lines:
        for count, line in enumerate(lines, start=1):
            what, *job_id = line.split()
            said[what].update(job_id or [number])
            if count == words:
                os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return said


def nothing():
    return {"checked": set(), "kept": set(), "finished": set(), "lost": set()}


def main(path, seed, rounds):
    chance = random.Random(seed)
    everything = before = nothing()
    for number in range(rounds):
        before = run(path, number, chance.randint(1, 60), before)
        everything = {what: said | before[what] for what, said in everything.items()}
    last = run(path, rounds, 1, everything)
    told = {what: sorted(said | last[what]) for what, said in everything.items()}
    sys.stdout.write(json.dumps(told))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
