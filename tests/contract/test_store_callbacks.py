"""Word of a job's end is kept with the end itself, and given to one at a time until it is said."""

import asyncio

import pytest
from msgspec.structs import replace

from contract.store_jobs import ANSWER, accepted, claim_one, new_job
from understudy.ports import JobStatus, Undelivered
from understudy.store import open_store


async def take(store, webhook="product", limit=10, lease=30.0, now=300.0):
    return await store.claim_callbacks(webhook, limit=limit, lease=lease, now=now)


async def ended(store, *job_ids, now=210.0, webhook="product", **changes):
    """Jobs that were cancelled."""
    for job_id in job_ids:
        new = new_job(job_id, webhook=webhook, **changes)
        await store.accept(new)
        await store.cancel(new.tenant, job_id, now=now)


@pytest.mark.parametrize("ending", [JobStatus.SUCCEEDED, JobStatus.FAILED])
async def test_a_finished_job_is_told_of_once(store, ending):
    await store.accept(new_job("a", webhook="product"))
    claimed = await claim_one(store)
    assert claimed.job.webhook == "product"
    assert await take(store) == []
    for _ in range(2):
        await store.finish(claimed.lease, ending, ANSWER, now=210.0)
    (callback,) = await take(store)
    assert (callback.tenant, callback.job_id, callback.webhook) == ("acme", "a", "product")
    assert (callback.feature, callback.status) == ("chat", ending)
    assert (callback.created_at, callback.finished_at, callback.attempts) == (100.0, 210.0, 1)


async def test_what_was_cancelled_or_has_expired_is_told_of(store):
    await accepted(
        store,
        new_job("a", webhook="product"),
        new_job("b", webhook="product", expires_at=205.0),
        new_job("c", webhook="product", tenant="globex", expires_at=206.0),
    )
    await store.cancel("acme", "a", now=204.0)
    await store.cancel("acme", "a", now=205.0)
    await store.expire(limit=10, now=210.0)
    told = {(one.tenant, one.job_id): one for one in await take(store)}
    assert {place: one.status for place, one in told.items()} == {
        ("acme", "a"): JobStatus.CANCELLED,
        ("acme", "b"): JobStatus.EXPIRED,
        ("globex", "c"): JobStatus.EXPIRED,
    }
    assert told["acme", "a"].finished_at == 204.0


async def test_whoever_names_nobody_has_nobody_told(store):
    await ended(store, "a", webhook=None)
    assert (await store.get("acme", "a")).webhook is None
    assert await store.undelivered() == []


async def test_whoever_lost_the_lease_leaves_no_word(store):
    await store.accept(new_job("a", webhook="product"))
    lost = (await claim_one(store)).lease
    await store.give_back(lost, ready_at=0.0, counted=True, now=205.0)
    await store.finish(lost, JobStatus.SUCCEEDED, ANSWER, now=210.0)
    assert await store.undelivered() == []


async def test_a_claimed_callback_is_nobody_elses_until_its_lease_has_run_out(store):
    await ended(store, "a")
    (first,) = await take(store, now=300.0)
    assert await take(store, now=329.0) == []
    (second,) = await take(store, now=330.0)
    assert second == replace(first, attempts=2)
    # Whoever has it no more changes nothing.
    await store.settle_callback(first, again_at=None)
    await store.settle_callback(first, again_at=0.0)
    assert await take(store, now=331.0) == []
    await store.settle_callback(second, again_at=None)
    assert await take(store, now=999.0) == []
    assert await store.undelivered() == []


async def test_what_is_put_off_is_due_then_and_not_before(store):
    await ended(store, "a")
    (callback,) = await take(store)
    await store.settle_callback(callback, again_at=5000.0)
    assert await take(store, now=4999.0) == []
    (again,) = await take(store, now=5000.0)
    assert again.attempts == 2


async def test_each_webhook_has_a_line_of_its_own_in_which_the_longest_due_goes_first(store):
    await ended(store, "c", now=230.0)
    await ended(store, "a", now=210.0)
    await ended(store, "b", now=220.0)
    await ended(store, "x", webhook="other", now=205.0)
    assert [one.job_id for one in await take(store, limit=2)] == ["a", "b"]
    assert [one.job_id for one in await take(store, "other")] == ["x"]
    assert [one.job_id for one in await take(store)] == ["c"]


async def test_of_many_who_claim_at_once_each_gets_others(store):
    await ended(store, *(f"j{number}" for number in range(40)))
    batches = await asyncio.gather(*(take(store, limit=5) for _ in range(8)))
    got = [one.job_id for batch in batches for one in batch]
    while left := await take(store, limit=5):
        got += [one.job_id for one in left]
    assert sorted(got) == sorted({f"j{number}" for number in range(40)})


async def test_the_same_job_id_of_two_tenants_is_two_callbacks(store):
    await ended(store, "a")
    await ended(store, "a", tenant="globex")
    first, second = await take(store)
    await store.settle_callback(first, again_at=None)
    assert await store.undelivered() == [Undelivered("product", second.finished_at, 1)]


async def test_what_waits_is_told_by_age_and_number(store):
    await ended(store, "a", now=220.0)
    await ended(store, "b", now=210.0)
    await ended(store, "c", now=230.0, webhook="other")
    told = await store.undelivered()
    assert told == [Undelivered("other", 230.0, 1), Undelivered("product", 210.0, 2)]


async def test_word_outlives_its_job_and_is_dropped_when_it_is_too_old(store):
    await ended(store, "a", now=210.0)
    await ended(store, "b", now=220.0)
    assert await store.purge(finished_before=9999.0, limit=10) == 2
    dropped = await store.drop_callbacks(ended_before=220.0, limit=10)
    assert [one.job_id for one in dropped] == ["a"]
    assert await store.drop_callbacks(ended_before=220.0, limit=10) == []
    assert [one.job_id for one in await take(store)] == ["b"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_word_is_there_when_the_store_is_opened_again(place):
    store = await open_store(place)
    await ended(store, "a")
    await store.close()
    store = await open_store(place)
    assert [one.job_id for one in await take(store)] == ["a"]
    await store.close()
