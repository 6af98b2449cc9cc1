"""What only PostgreSQL has: a server that stops, freezes, is shared and has locks of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contract.store_jobs import accepted, at_once, claim, lanes_of, new_job
from understudy.ports import (
    Accepted,
    JobStatus,
    Known,
    StoreBusyError,
    StoreRefusedError,
    StoreUnreachableError,
)
from understudy.store import open_store, parse_store_url
from understudy.store.faults import store_error
from understudy.store.postgres import open_engine

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
CHILD = Path(__file__).with_name("store_claimer.py")


@pytest.fixture
def engine():
    return "postgresql"


@pytest.fixture
async def impatient(place):
    """An empty store that gives up early."""
    store = await open_store(place, patience=1.0)
    yield store
    await store.close()


@pytest.fixture
def session(cluster, shared_database):
    """Another's session in the same database."""
    with cluster.connect(shared_database.rpartition("/")[2]) as connection:
        yield connection


async def test_a_stopped_server_is_said_to_be_gone_and_used_again_when_it_is_back(
    impatient, cluster
):
    await impatient.accept(new_job("before"))
    with cluster.stopped():
        for _ in range(3):
            with pytest.raises(StoreUnreachableError):
                await impatient.accept(new_job("meanwhile"))
    assert isinstance(await impatient.accept(new_job("after")), Accepted)
    assert await impatient.get("acme", "before") is not None
    assert await impatient.get("acme", "meanwhile") is None


async def test_a_frozen_server_is_given_up_and_used_again_when_it_thaws(impatient, cluster):
    await impatient.accept(new_job("before"))
    with cluster.frozen():
        results = await asyncio.gather(
            *(impatient.accept(new_job(f"meanwhile-{number}")) for number in range(5)),
            return_exceptions=True,
        )
    assert {type(result) for result in results} == {StoreUnreachableError}
    assert isinstance(await impatient.accept(new_job("after")), Accepted)
    assert await impatient.get("acme", "before") is not None


def test_no_wait_for_a_frozen_server_goes_on_for_ever(place, cluster):
    engine = open_engine(place, connections=1, patience=0.5)
    with engine.connect() as connection:
        with cluster.frozen(), pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT 1"))
        assert isinstance(store_error(caught.value), StoreUnreachableError)
        # What was cut off in the midst of an answer is not used again.
        assert connection.invalidated
    engine.dispose()


async def test_a_frozen_server_does_not_keep_a_start_waiting(place, cluster):
    with cluster.frozen(), pytest.raises(StoreUnreachableError):
        await open_store(place, patience=1.0)


async def test_no_accepted_job_is_lost_when_the_server_is_killed(impatient, cluster):
    kept = []

    async def accept_some(worker):
        for number in range(10_000):
            try:
                await impatient.accept(new_job(f"{worker}-{number}"))
            except StoreUnreachableError:
                return
            kept.append(f"{worker}-{number}")
            if len(kept) == 200:
                cluster.kill()

    await asyncio.gather(*(accept_some(f"w{number}") for number in range(16)))
    cluster.start()
    found = await asyncio.gather(*(impatient.get("acme", job_id) for job_id in kept))
    assert len(kept) >= 200
    assert None not in found


async def test_a_lock_that_is_not_to_be_had_is_busy_and_holds_up_nobody_else(impatient, session):
    await accepted(impatient, new_job("locked"), new_job("free"))
    with session.transaction():
        session.execute("SELECT 1 FROM understudy_jobs WHERE id = 'locked' FOR UPDATE")
        locked, free, got = await asyncio.gather(
            impatient.cancel("acme", "locked", now=200.0),
            impatient.cancel("acme", "free", now=200.0),
            impatient.accept(new_job("new")),
            return_exceptions=True,
        )
        # Claims pass over what is locked.
        assert [one.job.id for one in await claim(impatient)] == ["new"]
    assert isinstance(locked, StoreBusyError)
    assert free.status is JobStatus.CANCELLED
    assert isinstance(got, Accepted)
    assert (await impatient.cancel("acme", "locked", now=201.0)).status is JobStatus.CANCELLED


async def test_stores_that_are_given_the_same_jobs_in_any_order_never_deadlock(place, session):
    stores = [await open_store(place) for _ in range(2)]
    for number in range(6):
        news = [new_job(key_digest=f"{number}-{count:03}") for count in range(200)]
        answers = await asyncio.gather(
            *(stores[0].accept(new) for new in news),
            *(stores[1].accept(new) for new in reversed(news)),
        )
        kinds = [type(answer) for answer in answers]
        assert (kinds.count(Accepted), kinds.count(Known)) == (200, 200)
    for store in stores:
        await store.close()
    assert session.execute(DEADLOCKS).fetchone() == (0,)


async def test_stores_that_change_the_same_jobs_in_any_order_never_deadlock(place, session):
    stores = [await open_store(place) for _ in range(2)]
    ids = [f"j{number:03}" for number in range(60)]
    await asyncio.gather(*(stores[0].accept(new_job(job_id)) for job_id in ids))
    calls = [stores[0].cancel("acme", job_id, now=200.0) for job_id in ids]
    calls += [stores[1].cancel("acme", job_id, now=200.0) for job_id in reversed(ids)]
    calls += [store.expire(limit=30, now=5000.0) for store in stores]
    await asyncio.gather(*calls)
    for store in stores:
        await store.close()
    assert session.execute(DEADLOCKS).fetchone() == (0,)


async def test_a_commit_is_flushed_whatever_the_servers_default_is(cluster):
    url = cluster.database()
    name = url.rpartition("/")[2]
    with cluster.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    engine = open_engine(parse_store_url(url), connections=1, patience=5.0)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
    engine.dispose()


@pytest.mark.parametrize("part", ["database", "port"])
async def test_a_place_that_is_none_is_unreachable_and_the_password_stays_unsaid(cluster, part):
    url = f"postgresql://understudy:hunter2@127.0.0.1:{cluster.port}/postgres"
    url = url.replace("/postgres", "/nowhere") if part == "database" else url
    url = url.replace(str(cluster.port), "1") if part == "port" else url
    with pytest.raises(StoreUnreachableError) as caught:
        await open_store(parse_store_url(url))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_processes_that_drain_one_queue_never_share_a_job_even_if_one_is_killed(
    store, shared_database
):
    tenants = [f"t{number}" for number in range(4)]
    news = [new_job(tenant=tenant) for tenant in tenants for _ in range(50)]
    await asyncio.gather(*(store.accept(new) for new in news))
    children = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, CHILD, shared_database, f"worker-{number}", *tenants),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHILD.parents[1])},
        )
        for number in range(3)
    ]
    # Once the first has some in hand, it dies.
    taken = (await children[0].stdout.readline()).decode().split()
    children[0].kill()
    for child in children:
        taken += (await child.communicate())[0].decode().split()
    assert [child.returncode for child in children] == [-signal.SIGKILL, 0, 0]
    assert len(taken) == len(set(taken))
    # What the dead one had in hand, and only that, is given to somebody else.
    orphans = {job.id for job in await store.reap(limit=1000, now=250.0, rest=at_once)}
    assert len(orphans) <= 3
    left = await claim(store, *lanes_of(*tenants), limit=1000, now=250.0)
    assert {one.job.id for one in left if one.job.token == 2} == orphans
    assert set(taken) & {one.job.id for one in left} <= orphans
    assert set(taken) | {one.job.id for one in left} == {new.id for new in news}


class TestOpenedEarly:
    """A start does not wait for a server that is away, and does not hide what will stay wrong."""

    async def test_a_server_that_is_away_is_used_when_it_is_there(self, cluster):
        url = cluster.database()
        with cluster.stopped():
            store = await open_store(parse_store_url(url), patience=1.0, early=True)
            with pytest.raises(StoreUnreachableError, match="Connection refused"):
                await store.accept(new_job("early"))
        # Its tables are made now.
        assert isinstance(await store.accept(new_job("late")), Accepted)
        assert await store.get("acme", "early") is None
        await store.close()

    async def test_a_server_that_is_frozen_is_no_error_either(self, place, cluster):
        with cluster.frozen():
            store = await open_store(place, patience=1.0, early=True)
            with pytest.raises(StoreUnreachableError):
                await store.accept(new_job("early"))
        assert isinstance(await store.accept(new_job("late")), Accepted)
        await store.close()

    async def test_a_database_that_does_not_exist_is_an_error(self, cluster):
        url = f"postgresql://understudy@127.0.0.1:{cluster.port}/nowhere"
        with pytest.raises(StoreRefusedError, match='database "nowhere" does not exist'):
            await open_store(parse_store_url(url), early=True)
