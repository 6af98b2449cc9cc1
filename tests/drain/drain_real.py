"""A backlog of the real process: `understudy serve` over a store, `understudy mock` as its
provider, an outage that is made there, jobs that are accepted over HTTP, and people who go on
asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import create_engine, text

from drain.drain_callers import Callers, Got
from simulation.sim_drain import TENANTS, Asked, Claim, Drain, Guess, World
from support_tasks import meanwhile
from understudy.mock import Pace
from understudy.mock.board import Attempt

__all__ = ["Plan", "Ran", "process", "run", "url_of"]

_WORDS = "The harbour closed at noon, and the tide took what was left on the quay. "
#: What people send is shorter than this, what jobs send is longer: the provider tells them apart.
_PEOPLE_BYTES = 600
#: Callers who hand in jobs, or look at them, at the same time.
_HANDS = 16
_WATCHED = 200
_MOMENTS = (5.0, 30.0, 60.0, 120.0, 240.0)
_CLAIMS = """
SELECT e.at, e.tenant, j.cost, e.job_id FROM understudy_job_events e
JOIN understudy_jobs j ON j.tenant = e.tenant AND j.id = e.job_id
WHERE e.kind = 'running' ORDER BY e.at
"""
_ATTEMPTS = msgspec.json.Decoder(list[Attempt])


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How it is done. Seconds, and people's requests a second."""

    jobs: int = 10_000
    people: float = 20.0
    #: People alone, before the outage and after the drain.
    before: float = 75.0
    after: float = 75.0
    #: The outage, from the last job that was accepted.
    outage: float = 20.0
    pace: Pace = Pace(tokens_per_second=300.0, first_token=0.3, tokens_per_event=20)
    #: What the provider bears at once when it comes back, and two minutes later; what it allows
    #: a minute.
    answers: tuple[int, int] = (20, 80)
    requests: float = 9_000.0


class Ran(msgspec.Struct):
    """What happened. All times are Unix seconds."""

    drain: Drain
    #: Seconds that accepting took, and entries of the provider's log that were never seen.
    accepting: float = 0.0
    unseen: int = 0
    #: When the last of the people had come.
    end: float = 0.0


def run(name: str, store: str, plan: Plan, say: Callable[[str], None]) -> Ran:
    """All of it, on one store."""
    ran = Ran(Drain(world=World(name=name, jobs=plan.jobs, people=plan.people)))
    with (
        tempfile.TemporaryDirectory() as folder,
        process("mock", "--listen", "127.0.0.1:0") as mock,
    ):
        provider = url_of(mock, "stand-in provider")
        file = Path(folder) / "understudy.yaml"
        file.write_text(json.dumps(_config(provider, store)), encoding="utf-8")
        with process("serve", "-c", str(file), "--grace", "20s") as relay:
            url = url_of(relay, "relay")
            story = _Story(ran, plan, Callers(url), Callers(provider), say)
            asyncio.run(story.live())
    _read_claims(store, ran.drain)
    return ran


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "understudy", *arguments]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30.0)
            except subprocess.TimeoutExpired:
                process.kill()


def url_of(process: subprocess.Popen[str], name: str) -> str:
    """What it says its address is, once it is ready."""
    found = ""
    for line in process.stdout or ():
        told, _, value = line.strip().partition(": ")
        if told == name:
            found = value
        if told == "ready":
            return found
    raise RuntimeError(f"no {name}: it did not start")


def _config(provider: str, store: str) -> dict[str, Any]:
    listen = {"listen": "127.0.0.1:0"}
    account = {"main": {"api_key": "sk-of-one"}}
    feature = {
        "targets": ["one/claude-haiku-4-5"],
        "defer": True,
        "deadline": "30s",
        "first_token": "8s",
    }
    return {
        "relay": listen,
        "web": listen,
        "store": store,
        "providers": {"one": {"kind": "anthropic", "base_url": provider, "accounts": account}},
        "features": {"chat": feature},
    }


def _read_claims(store: str, drain: Drain) -> None:
    """In which order jobs were begun: the store's own record, once its process has ended."""
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        for at, tenant, cost, job in connection.execute(text(_CLAIMS)):
            drain.claims.append(Claim(at, 0, tenant, cost, job))
            drain.jobs[job] = tenant, cost, drain.jobs[job][2]
    engine.dispose()


class _Story:
    def __init__(
        self,
        ran: Ran,
        plan: Plan,
        relay: Callers,
        provider: Callers,
        say: Callable[[str], None],
    ) -> None:
        self._ran, self._drain, self._plan = ran, ran.drain, plan
        self._relay, self._provider, self._say = relay, provider, say
        self._chance = random.Random("a real drain")
        self._last = 0

    async def live(self) -> None:
        """From the first of the people to the last answer."""
        drain, plan = self._drain, self._plan
        await self._mock("pace", msgspec.to_builtins(plan.pace))
        async with meanwhile(self._people(), self._read_log()):
            await asyncio.sleep(plan.before)
            drain.ill = time.time()
            await self._mock("faults", [{"fault": "overloaded"}])
            await asyncio.sleep(5.0)
            await self._accept()
            await asyncio.sleep(plan.outage)
            drain.well = time.time()
            await self._provider.ask("DELETE", "/mock/faults")
            await self._mock("limits", [{"requests": plan.requests}])
            async with meanwhile(self._grow(), self._guess()):
                await self._until_over()
            await asyncio.sleep(plan.after)
            self._ran.end = time.time()
        await self._take_log()
        await self._collect()
        self._relay.close()
        self._provider.close()

    async def _mock(self, noun: str, told: Any) -> None:
        got = await self._provider.ask("PUT", f"/mock/{noun}", body=told)
        assert got.status == 200, got.body

    # -- who asks

    async def _people(self) -> None:
        """They come as they please, whatever became of those before them."""
        asking: set[asyncio.Task[None]] = set()
        chance, number, due = random.Random("people"), 0, time.time()
        try:
            while True:
                due += chance.expovariate(self._plan.people)
                await asyncio.sleep(max(due - time.time(), 0.0))
                number += 1
                task = asyncio.ensure_future(self._one(number))
                asking.add(task)
                task.add_done_callback(asking.discard)
        finally:
            for task in asking:
                task.cancel()

    async def _one(self, number: int) -> None:
        body = _body(f"Question {number}: what of the tide?", 60, stream=True)
        at = time.time()
        # Who is told nothing at all counts as well.
        asked = Asked(at, 0, None)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            got = await self._relay.ask("POST", "/v1/messages", _of("people"), body)
            asked.status, asked.first = got.status, got.first
        self._drain.people.append(asked)

    async def _accept(self) -> None:
        """Everybody's jobs, as fast as they are taken."""
        plan, chance = self._plan, self._chance
        flood = 3 * plan.jobs // 10
        weights = [1.0 + 2.0 * chance.random() for _ in TENANTS[1:]]
        tenants = [TENANTS[0]] * flood
        tenants += chance.choices(TENANTS[1:], weights, k=plan.jobs - flood)
        chance.shuffle(tenants)
        todo = list(enumerate(tenants))[::-1]
        began = time.time()

        async def hand() -> None:
            while todo:
                await self._hand_in(*todo.pop())

        await asyncio.gather(*(hand() for _ in range(_HANDS)))
        self._ran.accepting = time.time() - began
        self._say(f"{plan.jobs:,} jobs accepted in {self._ran.accepting:.0f} s")

    async def _hand_in(self, number: int, tenant: str) -> None:
        chance = self._chance
        # Some tenants ask for much more than others, and every job for something else.
        scale = 1 + TENANTS.index(tenant) % 4
        words = _WORDS * (10 + int(scale * chance.lognormvariate(1.0, 0.7)))
        stream = chance.random() < 0.3
        body = _body(f"[job {number}] {words}", chance.choice((32, 64, 128)), stream=stream)
        headers = {**_of(tenant), "prefer": "respond-async"}
        got = await self._relay.ask("POST", "/v1/messages", headers, body)
        assert got.status == 202, got.body
        self._drain.jobs[got.json()["id"]] = tenant, 1, None
        self._note(got)

    async def _guess(self) -> None:
        """Ask again, now and then, when some of them will be done."""
        watched = self._chance.sample(sorted(self._drain.jobs), min(_WATCHED, self._plan.jobs))
        for moment in _MOMENTS:
            await asyncio.sleep(max(self._drain.well + moment - time.time(), 0.0))
            for job in watched:
                tenant = self._drain.jobs[job][0]
                got = await self._relay.ask("GET", f"/v1/jobs/{job}", _of(tenant))
                if got.json()["finished_at"] is None:
                    self._note(got)

    def _note(self, got: Got) -> None:
        job = got.json()
        told = job["estimate"]
        done = None if told is None else datetime.fromisoformat(told).timestamp()
        self._drain.guesses.append(Guess(time.time(), job["id"], done))

    # -- the provider

    async def _grow(self) -> None:
        """It bears more from step to step, for two minutes."""
        first, last = self._plan.answers
        for step in range(13):
            answers = first + (last - first) * step // 12
            await self._mock("capacity", {"answers": answers, "delay": 0.3})
            await asyncio.sleep(10.0)

    async def _read_log(self) -> None:
        while True:
            await asyncio.sleep(10.0)
            await self._take_log()

    async def _take_log(self) -> None:
        """The provider's own record of what it was asked: it keeps the last ten thousand."""
        got = await self._provider.ask("GET", "/mock/attempts")
        await self._provider.ask("DELETE", "/mock/attempts")
        for attempt in _ATTEMPTS.decode(got.body):
            self._ran.unseen += max(attempt.n - self._last - 1, 0)
            self._last = attempt.n
            # Probes ask for next to nothing.
            if attempt.method == "POST" and attempt.body_size > 120:
                took = (attempt.ended or attempt.started) - attempt.started
                attempt.started, attempt.ended = attempt.time, attempt.time + took
                is_job = attempt.body_size > _PEOPLE_BYTES
                (self._drain.ours if is_job else self._drain.theirs).append(attempt)

    # -- the end

    async def _until_over(self) -> None:
        told = 0
        while (left := await self._left()) > 0:
            passed = time.time() - self._drain.well
            if passed // 30 > told:
                told = int(passed // 30)
                self._say(f"{passed:.0f} s after the recovery: {left:,} jobs are left")
            await asyncio.sleep(1.0)
        self._drain.over = time.time()
        self._say(f"done {self._drain.over - self._drain.well:.0f} s after the recovery")

    async def _left(self) -> int:
        got = await self._relay.ask("GET", "/metrics")
        ended = sum(
            float(line.rpartition(" ")[2])
            for line in got.body.decode().splitlines()
            if line.startswith("understudy_jobs_ended_total{")
        )
        return self._plan.jobs - int(ended)

    async def _collect(self) -> None:
        """What the callers find: each job's end, and its result."""
        drain, todo = self._drain, list(self._drain.jobs)

        async def hand() -> None:
            while todo:
                job = todo.pop()
                tenant = drain.jobs[job][0]
                got = (await self._relay.ask("GET", f"/v1/jobs/{job}", _of(tenant))).json()
                path = f"/v1/jobs/{job}/result"
                result = await self._relay.ask("GET", path, _of(tenant))
                if got["status"] == "succeeded" and result.status == 200:
                    ended = datetime.fromisoformat(got["finished_at"]).timestamp()
                    drain.jobs[job] = tenant, 1, ended
                    drain.ended[job] = 1

        await asyncio.gather(*(hand() for _ in range(_HANDS)))


def _of(tenant: str) -> dict[str, str]:
    return {"x-understudy-tenant": tenant}


def _body(words: str, max_tokens: int, *, stream: bool) -> dict[str, Any]:
    return {
        "model": "chat",
        "max_tokens": max_tokens,
        "stream": stream,
        "messages": [{"role": "user", "content": words}],
    }
