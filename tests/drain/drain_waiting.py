"""A hundred thousand jobs that nobody can do now: what people notice of them at another target."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, create_engine, insert

from drain.drain_callers import Callers
from drain.drain_real import process, url_of
from simulation.sim_drain import TENANTS
from simulation.sim_drain_measures import quantile
from understudy.ports import NewJob, Request
from understudy.store.first import first_job
from understudy.store.schema import jobs, requests

__all__ = ["SLOWER", "WAITING", "Waits", "measure"]

#: Jobs that wait, and how many are written at once.
WAITING = 100_000
BATCH = 5_000
#: People's requests a second, and for how long they are counted.
RATE = 50.0
SECONDS = 20.0
#: What a process does when it begins is not counted.
SETTLED = 5.0
ROUNDS = 3
#: What 99 in 100 people wait may be so many times what it is without a backlog.
SLOWER = 1.2


class Waits(msgspec.Struct):
    """Milliseconds to first content, of half and of 99 in 100 people."""

    half: float
    most: float


def measure(store: str, say: Callable[[str], None]) -> tuple[Waits, Waits]:
    """(with nobody waiting, with all of them), in one process after another, by turns."""
    empty: list[float] = []
    crowded: list[float] = []
    with process("mock", "--listen", "127.0.0.1:0") as mock:
        provider = url_of(mock, "stand-in provider")
        for turn in range(ROUNDS):
            empty += _times(provider, store)
            with _crowd(store):
                crowded += _times(provider, store)
            say(f"round {turn + 1} of {ROUNDS}")
    return _waits(empty), _waits(crowded)


def _waits(times: list[float]) -> Waits:
    return Waits(1e3 * quantile(times, 0.5), 1e3 * quantile(times, 0.99))


def _times(provider: str, store: str) -> list[float]:
    """Seconds to first content in a process over this store."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "understudy.yaml"
        file.write_text(json.dumps(_config(provider, store)), encoding="utf-8")
        with process("serve", "-c", str(file), "--grace", "1s") as relay:
            return asyncio.run(_ask(Callers(url_of(relay, "relay"))))


def _config(provider: str, store: str) -> dict[str, Any]:
    listen = {"listen": "127.0.0.1:0"}

    def anthropic(key: str) -> dict[str, Any]:
        return {"kind": "anthropic", "base_url": provider, "accounts": {"main": {"api_key": key}}}

    return {
        "relay": listen,
        "web": listen,
        "store": store,
        "providers": {"one": anthropic("sk-of-one"), "two": anthropic("sk-of-two")},
        "features": {
            "chat": {"targets": ["one/claude-haiku-4-5"], "defer": True},
            "later": {"targets": ["two/claude-haiku-4-5"], "defer": True},
        },
    }


async def _ask(relay: Callers) -> list[float]:
    """Let people come for a while."""
    chance, began = random.Random("people"), time.time()
    due, times = began, list[float]()
    asking: set[asyncio.Task[None]] = set()
    message = {"role": "user", "content": "What of the tide?"}
    body = {"model": "chat", "max_tokens": 20, "stream": True, "messages": [message]}

    async def one() -> None:
        at = time.time()
        got = await relay.ask("POST", "/v1/messages", {}, body)
        if got.first is not None and at - began >= SETTLED:
            times.append(got.first - at)

    while due - began < SETTLED + SECONDS:
        due += chance.expovariate(RATE)
        await asyncio.sleep(max(due - time.time(), 0.0))
        task = asyncio.ensure_future(one())
        asking.add(task)
        task.add_done_callback(asking.discard)
    await asyncio.gather(*asking)
    relay.close()
    return times


@contextlib.contextmanager
def _crowd(store: str) -> Iterator[None]:
    """As many jobs as that wait there, and are ready in an hour."""
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    try:
        _fill(engine)
        yield
        with engine.begin() as connection:
            connection.execute(jobs.delete())
    finally:
        engine.dispose()


def _fill(engine: Engine) -> None:
    now = time.time()
    for start in range(0, WAITING, BATCH):
        rows, asked = [], []
        for number in range(start, start + BATCH):
            new = _job(number, now)
            job = msgspec.structs.asdict(first_job(new))
            rows.append({**job, "key_digest": None, "ready_at": now + 3_600.0})
            place = {"tenant": new.tenant, "job_id": new.id}
            asked.append({**place, "encrypted": False, "data": new.request.data})
        with engine.begin() as connection:
            connection.execute(insert(jobs), rows)
            connection.execute(insert(requests), asked)


def _job(number: int, now: float) -> NewJob:
    return NewJob(
        id=f"job_{number}",
        tenant=TENANTS[number % len(TENANTS)],
        caller="",
        feature="later",
        operation="messages",
        priority="interactive",
        request=Request(b"x" * 1_000),
        body_digest="x",
        created_at=now + number / WAITING,
        expires_at=now + 24 * 3600.0 + number / WAITING,
    )
