"""Whose jobs are claimed, in which order, by any number of claimers."""

import asyncio
from collections import Counter
from itertools import chain

import pytest

from contract.store_jobs import ANSWER, accepted, claim, lanes_of, new_job
from understudy.ports import JobStatus, Lane
from understudy.store import open_store


def ids(claimed):
    return [one.job.id for one in claimed]


async def test_only_lanes_that_are_named_are_claimed(store):
    await accepted(
        store,
        new_job("a"),
        new_job("b", feature="search"),
        new_job("c", tenant="globex"),
        new_job("d", priority="background"),
    )
    assert await claim(store, Lane("interactive", "initech", "chat")) == []
    assert ids(await claim(store, Lane("interactive", "acme", "search"))) == ["b"]
    assert ids(await claim(store, Lane("background", "acme", "chat"))) == ["d"]
    assert sorted(ids(await claim(store, *lanes_of("acme", "globex")))) == ["a", "c"]
    assert await store.claim(worker="w", lanes=[], limit=5, lease=1.0, now=200.0) == []


async def test_interactive_goes_before_background_of_whatever_tenant(store):
    await accepted(
        store,
        new_job("later", priority="background", expires_at=210.0),
        new_job("b", tenant="globex"),
        new_job("a"),
    )
    lanes = [*lanes_of("acme", "globex"), *lanes_of("acme", priority="background")]
    assert ids(await claim(store, *lanes)) == ["a", "b", "later"]


async def test_within_a_tenant_the_earliest_deadline_goes_first_across_features(store):
    await accepted(
        store,
        new_job("c", expires_at=700.0),
        new_job("a", expires_at=500.0, feature="search"),
        new_job("d", expires_at=800.0, feature="search"),
        new_job("b", expires_at=600.0),
    )
    lanes = [Lane("interactive", "acme", feature) for feature in ("chat", "search")]
    assert ids(await claim(store, *lanes, limit=3)) == ["a", "b", "c"]
    assert ids(await claim(store, *lanes, limit=3)) == ["d"]


async def test_of_equal_deadlines_the_one_accepted_first_goes_first(store):
    await accepted(store, new_job("a", created_at=102.0), new_job("b", created_at=101.0))
    assert ids(await claim(store)) == ["b", "a"]


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_tenants_take_turns_however_long_their_lines_are(store, limit):
    lines = {"acme": 12, "globex": 3, "initech": 6}
    for tenant, length in lines.items():
        await accepted(store, *(new_job(tenant=tenant) for _ in range(length)))
    order = []
    while got := await claim(store, *lanes_of(*lines), limit=limit):
        order += [one.job.tenant for one in got]
    assert order[:9] == ["acme", "globex", "initech"] * 3
    assert order[9:15] == ["acme", "initech"] * 3
    assert order[15:] == ["acme"] * 6


async def test_shares_are_of_cost_not_of_number(store):
    await accepted(store, *(new_job(tenant="acme", cost=5) for _ in range(10)))
    await accepted(store, *(new_job(tenant="globex", cost=1) for _ in range(50)))
    got = await claim(store, *lanes_of("acme", "globex"), limit=24)
    cost = Counter()
    for one in got:
        cost[one.job.tenant] += one.job.cost
    assert abs(cost["acme"] - cost["globex"]) <= 5


async def test_a_flood_of_one_tenant_leaves_the_others_their_share(store):
    await accepted(store, *(new_job(tenant="flood") for _ in range(200)))
    small = [f"t{number}" for number in range(9)]
    for tenant in small:
        await accepted(store, *(new_job(tenant=tenant) for _ in range(10)))
    counts = Counter()
    for _ in range(10):
        for one in await claim(store, *lanes_of("flood", *small), limit=10):
            counts[one.job.tenant] += 1
            await store.finish(one.lease, JobStatus.SUCCEEDED, ANSWER, now=200.0)
    assert counts == dict.fromkeys(["flood", *small], 10)


async def test_many_claimers_at_once_never_take_the_same_job(store):
    await accepted(store, *(new_job(tenant=f"t{number % 4}") for number in range(60)))
    lanes = lanes_of("t0", "t1", "t2", "t3")

    async def drain(worker):
        mine = []
        while got := await claim(store, *lanes, limit=3, worker=worker):
            assert {one.job.lease_owner for one in got} == {worker}
            mine += ids(got)
        return mine

    drained = await asyncio.gather(*(drain(f"w{number}") for number in range(6)))
    taken = list(chain.from_iterable(drained))
    assert len(taken) == len(set(taken)) == 60


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_stores_of_several_processes_share_one_queue(place):
    stores = [await open_store(place) for _ in range(3)]
    news = [new_job(tenant=f"t{number % 4}", key_digest=f"k{number}") for number in range(90)]
    answers = await asyncio.gather(*(store.accept(new) for store in stores for new in news))
    assert len(answers) == 270
    lanes = lanes_of("t0", "t1", "t2", "t3")

    async def drain(store, worker):
        mine = []
        while any(row.queued for row in await store.backlog()):
            for one in await claim(store, *lanes, limit=4, worker=worker):
                mine.append(one.job.id)
                await store.finish(one.lease, JobStatus.SUCCEEDED, ANSWER, now=201.0)
        return mine

    taken = await asyncio.gather(*(drain(store, f"w{n}") for n, store in enumerate(stores)))
    assert sorted(chain.from_iterable(taken)) == sorted(new.id for new in news)
    for store in stores:
        await store.close()
