"""What waits after an outage is done, in virtual time: a backlog of many tenants, people who go on
asking beside it, and a provider that comes back with limits that it tells, hides or still grows
into.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, StaticPool, create_engine

from simulation.sim_jobs import Handler, House, play
from simulation.sim_loop import VirtualLoop
from simulation.sim_script import Provider, Spell
from understudy.mock import Capacity, FaultRule, Limit, Pace
from understudy.mock.board import Attempt, Board
from understudy.mock.http import Exchange
from understudy.mock.script import Script
from understudy.mock.stand_in import StandIn
from understudy.policy.ramp import Ramp
from understudy.ports import Claimed, JobStore
from understudy.relay.fleet import Fleet
from understudy.store.memory_bulletin import Hub
from understudy.store.schema import METADATA
from understudy.store.sql_store import SqlStore

__all__ = ["TENANTS", "Asked", "Claim", "Drain", "Guess", "World", "drain"]

#: Jobs come from so many seconds after the provider has died until so many before it is well.
SICK, LATE = 40.0, 20.0
TENANTS = tuple(f"tenant-{number:02}" for number in range(20))
#: Half a second to the first content, and about two for an answer.
PACE = Pace(tokens_per_second=60.0, first_token=0.5, tokens_per_event=20)
#: Jobs whose estimates are asked for again while they wait, and when: seconds after the recovery.
WATCHED = 200
MOMENTS = (5.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0)
_WORDS = "The harbour closed at noon, and the tide took what was left on the quay. "
_JOB = b"[job "
_TELLING = (b"anthropic-ratelimit-", b"x-ratelimit-")


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One provider, and who asks it. `capacity`: (seconds after the recovery, what it bears)."""

    name: str
    kind: str = "anthropic"
    limits: tuple[Limit, ...] = ()
    #: It says what its limits are.
    telling: bool = True
    capacity: tuple[tuple[float, Capacity], ...] = ()
    #: People's streams a second, all the time.
    people: float = 2.0
    jobs: int = 1_000
    #: When the provider dies, and when it is well again. Seconds.
    ill: float = 120.0
    well: float = 420.0
    #: There is a backlog; else this is the control run.
    backlog: bool = True
    #: How long that one lasts after the recovery.
    control_seconds: float = 600.0
    processes: int = 1
    #: The feature's own settings, of the jobs' feature if that is another.
    batch: dict[str, Any] | None = None
    pace: Pace = PACE
    seed: int = 1


class Asked(msgspec.Struct):
    """What one of the people asked. `first`: when its first content came; None: never."""

    at: float
    status: int
    first: float | None


class Claim(msgspec.Struct):
    """A job that was begun."""

    at: float
    process: int
    tenant: str
    cost: int
    job: str


class Guess(msgspec.Struct):
    """What was said at `at` of when a job will be done; both on the loop's clock."""

    at: float
    job: str
    done: float | None


class Drain(msgspec.Struct):
    """What happened. Times are the loop's."""

    world: World
    #: When the provider died, and when it was well again.
    ill: float = 0.0
    well: float = 0.0
    people: list[Asked] = []
    #: Job → its tenant, its cost, when it was done (None: never).
    jobs: dict[str, tuple[str, int, float | None]] = {}
    claims: list[Claim] = []
    #: What the provider was asked: by people, and for jobs.
    theirs: list[Attempt] = []
    ours: list[Attempt] = []
    guesses: list[Guess] = []
    #: (when, rate of the ramp), of the first process.
    ramp: list[tuple[float, float]] = []
    #: Results recorded for a job, and when the last one was.
    ended: dict[str, int] = {}
    over: float = 0.0
    #: All jobs are accepted, and have their result.
    done: asyncio.Event = msgspec.field(default_factory=asyncio.Event)


class _Ledger(Board):
    """Keeps every attempt, with whose it was."""

    def __init__(self, pace: Pace, drain: Drain) -> None:
        super().__init__(pace=pace, keep_bodies=True)
        self._drain = drain

    def opened(self, attempt: Attempt) -> None:
        body, attempt.body = attempt.body or b"", None
        if attempt.method == "POST" and b"max_tokens" in body:
            (self._drain.ours if _JOB in body else self._drain.theirs).append(attempt)
        super().opened(attempt)


class _Inline:
    """Stands for `Writers`, without threads: what is asked is done at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def together(self, work: Any, argument: Any) -> Any:
        with self._engine.begin() as connection:
            return work(connection, [argument])[0]

    async def alone(self, rank: Any, work: Any, **_: str) -> Any:
        with self._engine.begin() as connection:
            return work(connection)

    async def close(self) -> None:
        self._engine.dispose()


def _database() -> Engine:
    """The real tables and statements, in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)
    return engine


class _Store(SqlStore):
    """The store as one process uses it, which notes who was begun and who is done."""

    def __init__(self, engine: Engine, drain: Drain, process: int) -> None:
        writers: Any = _Inline(engine)
        super().__init__(writers, lambda: None)
        self._drain, self._process = drain, process

    async def claim(self, **told: Any) -> list[Claimed]:
        claimed = await super().claim(**told)
        now = asyncio.get_running_loop().time()
        for one in claimed:
            job = one.job
            self._drain.claims.append(Claim(now, self._process, job.tenant, job.cost, job.id))
        return claimed

    async def finish(self, lease: Any, ending: Any, answer: Any, *, now: float) -> Any:
        said = await super().finish(lease, ending, answer, now=now)
        told, at = self._drain, asyncio.get_running_loop().time()
        tenant, cost, _ = told.jobs[lease.job_id]
        told.jobs[lease.job_id] = tenant, cost, at
        told.ended[lease.job_id] = told.ended.get(lease.job_id, 0) + 1
        told.over = at
        if len(told.ended) == told.world.jobs:
            told.done.set()
        return said


class _Silent(StandIn):
    """Has limits, and says nothing of them until they are reached."""

    def __call__(self, request: Any) -> Exchange:
        exchange = super().__call__(request)
        return msgspec.structs.replace(exchange, script=_untold(exchange.script))


def _untold(script: Script) -> Script:
    for step in script:
        if isinstance(step, bytes) and step.startswith(b"HTTP/1.1 "):
            head, _, rest = step.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.startswith(_TELLING)]
            yield b"\r\n".join(lines) + b"\r\n\r\n" + rest
        else:
            yield step


class _House(House):
    """Some processes over one store."""

    def __init__(self, drain: Drain) -> None:
        world = drain.world
        self.drain = drain
        self.world = world
        features = {"chat": {"deadline": "30s", "first_token": "8s"}}
        if world.batch is not None:
            features["batch"] = {**features["chat"], **world.batch}
        model = {"anthropic": "claude-haiku-4-5", "openai": "gpt-4.1"}[world.kind]
        self.engine = _database()
        ill = Spell(rule=FaultRule(fault="overloaded"), start=world.ill, end=world.well)
        super().__init__(
            Provider(name="one", kind=world.kind, model=model, pace=world.pace, spells=(ill,)),
            features=features,
            store=_Store(self.engine, drain, 0),
        )
        self.relays: list[Any] = []
        self.hub: Hub | None = None

    def board(self, provider: Provider) -> Board:
        board = _Ledger(provider.pace, self.drain)
        board.put_limits(self.world.limits)
        return board

    def handler(self, provider: Provider, board: Board) -> Handler:
        return StandIn(board, time.time) if self.world.telling else _Silent(board, time.time)

    def fleet(self, loop: VirtualLoop) -> Fleet | None:
        return None if self.hub is None else Fleet(self.hub.join(), loop.time)

    def begin(self, loop: VirtualLoop, store: JobStore) -> Any:
        self.hub = Hub() if self.world.processes > 1 else None
        for process in range(self.world.processes):
            self.relays.append(super().begin(loop, _Store(self.engine, self.drain, process)))
        for after, capacity in self.world.capacity:
            loop.call_at(self.world.well + after, self.boards["one"].put_capacity, capacity)
        return self.relays[0]

    def turn(self, number: int) -> None:
        """Whose door is asked next."""
        self.relay = self.relays[number % len(self.relays)]


def drain(world: World, told: Drain | None = None) -> Drain:
    """Let it happen; `told` may be looked at meanwhile."""
    told = told or Drain(world=world)
    told.ill, told.well = world.ill, world.well
    house = _House(told)
    play(house, _story, seed=world.seed)
    return told


async def _story(house: Any) -> None:
    told, world = house.drain, house.world
    chance = random.Random(f"drain {world.seed}")
    people = asyncio.ensure_future(_people(house, random.Random(chance.random())))
    watching = asyncio.ensure_future(_watch(house))
    if world.backlog:
        await _accept(house, random.Random(chance.random()))
        guessing = asyncio.ensure_future(_guess(house, random.Random(chance.random())))
        await told.done.wait()
        guessing.cancel()
    else:
        await asyncio.sleep(world.well + world.control_seconds - house.relay.now())
        told.over = house.relay.now()
    people.cancel()
    watching.cancel()
    await asyncio.gather(people, watching, return_exceptions=True)
    for relay in house.relays[1:]:
        await relay.close()


async def _people(house: Any, chance: random.Random) -> None:
    """They come as they please, whatever became of those before them."""
    asking: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        at = house.relay.now()
        body = {
            "model": "chat",
            "max_tokens": 100,
            "stream": True,
            "messages": [{"role": "user", "content": f"Question {number}: what of the tide?"}],
        }
        house.turn(number)
        got = await house.call("POST", "/v1/messages", {}, body, tenant="people")
        house.drain.people.append(Asked(at, got.status, got.first_content))

    number = 0
    try:
        while True:
            await asyncio.sleep(chance.expovariate(house.world.people))
            number += 1
            task = asyncio.ensure_future(one(number))
            asking.add(task)
            task.add_done_callback(asking.discard)
    finally:
        for task in asking:
            task.cancel()


def _backlogs(count: int, chance: random.Random) -> list[str]:
    """Whose jobs they are: the first tenant has three in ten, the others what comes."""
    weights = [1.0 + 2.0 * chance.random() for _ in TENANTS[1:]]
    flood = 3 * count // 10
    rest = chance.choices(TENANTS[1:], weights, k=count - flood)
    tenants = [TENANTS[0]] * flood + rest
    chance.shuffle(tenants)
    return tenants


async def _accept(house: Any, chance: random.Random) -> None:
    """What comes while nobody can serve it."""
    told, world = house.drain, house.world
    await asyncio.sleep(world.ill + SICK)
    step = (world.well - LATE - world.ill - SICK) / world.jobs
    for number, tenant in enumerate(_backlogs(world.jobs, chance)):
        # Some tenants ask for much more than others, and every job for something else.
        scale = 1 + TENANTS.index(tenant) % 4
        text = f"[job {number}] " + _WORDS * int(scale * chance.lognormvariate(0.3, 0.6))
        feature = "chat" if world.batch is None else "batch"
        house.turn(number)
        got = await house.ask(
            text,
            feature=feature,
            tenant=tenant,
            stream=chance.random() < 0.3,
            max_tokens=chance.choice((32, 64, 128)),
        )
        assert got.status == 202, got.body
        job = got.json()
        kept = await house.store.get(tenant, job["id"])
        told.jobs[job["id"]] = tenant, kept.cost, None
        told.guesses.append(_guess_of(house, job))
        await asyncio.sleep(step)


async def _guess(house: Any, chance: random.Random) -> None:
    """Ask again, now and then, when some of them will be done."""
    watched = chance.sample(sorted(house.drain.jobs), min(WATCHED, len(house.drain.jobs)))
    for moment in MOMENTS:
        await asyncio.sleep(max(house.world.well + moment - house.relay.now(), 0.0))
        for job_id in watched:
            tenant, _, done = house.drain.jobs[job_id]
            if done is None:
                got = await house.call("GET", f"/v1/jobs/{job_id}", tenant=tenant)
                house.drain.guesses.append(_guess_of(house, got.json()))


def _guess_of(house: Any, job: dict[str, Any]) -> Guess:
    told = job["estimate"]
    now = house.relay.now()
    done = None if told is None else datetime.fromisoformat(told).timestamp() - house.relay.wall
    return Guess(now, job["id"], done)


async def _watch(house: Any) -> None:
    while True:
        await asyncio.sleep(1.0)
        relay = house.relays[0]
        if relay.jobs is None:
            continue
        ways = list(relay.jobs.ways._ways.values())
        rate = ways[0].ramp.rate if ways else Ramp().rate
        house.drain.ramp.append((relay.now(), rate))
