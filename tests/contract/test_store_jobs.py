"""What every store promises about one job: kept once, ended once, and only by who holds it."""

import asyncio

import pytest
from msgspec.structs import replace

from contract.store_jobs import ANSWER, accepted, at_once, claim, claim_one, new_job
from understudy.ports import (
    Accepted,
    Answer,
    Conflict,
    Event,
    JobStatus,
    Known,
    Lane,
    Lease,
    Request,
    Stale,
    StoreLimitError,
    Written,
)
from understudy.store import open_store


async def kinds(store, job):
    listed = await store.events(job.tenant, job.id, after=0, limit=1000)
    assert [event.number for event in listed] == list(range(1, len(listed) + 1))
    return [event.kind for event in listed]


# --- accepted


async def test_an_accepted_job_is_kept_as_it_was_given(store):
    new = new_job(key_digest="key", cost=7, request=Request(b"\x00sealed\xff", encrypted=True))
    answer = await store.accept(new)
    assert isinstance(answer, Accepted)
    job = await store.get("acme", new.id)
    assert job == answer.job
    for field in ("id", "tenant", "caller", "feature", "operation", "priority", "cost"):
        assert getattr(job, field) == getattr(new, field)
    assert (job.created_at, job.expires_at, job.ready_at) == (100.0, 1000.0, 100.0)
    assert (job.status, job.attempts, job.token) == (JobStatus.QUEUED, 0, 0)
    assert (job.lease_owner, job.lease_until, job.finished_at) == (None, None, None)
    assert (await claim_one(store)).request == new.request


async def test_the_same_key_and_body_are_the_same_job_whatever_became_of_it(store):
    await store.accept(new_job("first", key_digest="key"))
    again = new_job("second", key_digest="key")
    known = await store.accept(again)
    assert isinstance(known, Known)
    assert (known.job.id, known.job.status) == ("first", JobStatus.QUEUED)
    claimed = await claim_one(store)
    await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=210.0)
    known = await store.accept(again)
    assert (known.job.id, known.job.status) == ("first", JobStatus.SUCCEEDED)
    assert await store.get("acme", "second") is None


async def test_the_same_key_with_another_body_is_a_conflict_and_keeps_nothing(store):
    await store.accept(new_job("first", key_digest="key"))
    other = new_job("second", key_digest="key", body_digest="digest-2")
    assert await store.accept(other) == Conflict()
    assert await store.get("acme", "second") is None
    assert (await store.get("acme", "first")).body_digest == "digest-1"


@pytest.mark.parametrize("other", [{"caller": "app"}, {"tenant": "globex"}, {"caller": ""}])
async def test_a_key_belongs_to_its_tenant_and_caller(store, other):
    await store.accept(new_job("first", key_digest="key"))
    second = new_job("second", key_digest="key", body_digest="digest-2", **other)
    assert isinstance(await store.accept(second), Accepted)


async def test_asking_again_with_the_same_id_finds_the_job(store):
    new = new_job("first")
    await store.accept(new)
    assert isinstance(await store.accept(new), Known)
    assert await store.accept(replace(new, body_digest="digest-2")) == Conflict()


async def test_jobs_without_a_key_are_jobs_of_their_own(store):
    answers = await asyncio.gather(*(store.accept(new_job()) for _ in range(20)))
    assert all(isinstance(answer, Accepted) for answer in answers)


async def test_of_many_at_once_with_one_key_one_is_accepted(store):
    news = [new_job(key_digest="key") for _ in range(50)]
    answers = await asyncio.gather(*(store.accept(new) for new in news))
    (kept,) = [answer.job.id for answer in answers if isinstance(answer, Accepted)]
    assert [answer.job.id for answer in answers if isinstance(answer, Known)] == [kept] * 49
    assert [new.id for new in news if await store.get("acme", new.id)] == [kept]


async def test_one_conflict_among_many_at_once_spoils_none_of_the_others(store):
    await store.accept(new_job(key_digest="key"))
    news = [new_job() for _ in range(20)]
    odd = new_job(key_digest="key", body_digest="digest-2")
    answers = await asyncio.gather(*(store.accept(new) for new in [*news, odd]))
    assert [type(answer) for answer in answers] == [Accepted] * 20 + [Conflict]


async def test_tenants_and_callers_without_a_name_are_kept(store):
    new = new_job(tenant="", caller="", key_digest="key")
    await store.accept(new)
    assert (await store.get("", new.id)).caller == ""
    assert isinstance(await store.accept(replace(new, id="other")), Known)


async def test_another_tenant_sees_nothing_and_changes_nothing(store):
    new = new_job()
    await store.accept(new)
    assert await store.get("globex", new.id) is None
    assert await store.result("globex", new.id) is None
    assert await store.place("globex", new.id) is None
    assert await store.events("globex", new.id, after=0, limit=10) == []
    assert await store.cancel("globex", new.id, now=200.0) is None
    claimed = await claim_one(store)
    theirs = Lease("globex", new.id, claimed.lease.token)
    assert await store.extend(theirs, until=999.0) == Stale(None)
    assert (await store.get("acme", new.id)).status is JobStatus.RUNNING


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_what_was_accepted_is_there_when_the_store_is_opened_again(place):
    store = await open_store(place)
    await accepted(store, new_job("a", key_digest="key"), new_job("b"))
    claimed = await claim_one(store)
    await store.append(claimed.lease, kind="progress", data=b"half", now=205.0)
    await store.close()
    store = await open_store(place)
    assert (await store.get("acme", claimed.job.id)).status is JobStatus.RUNNING
    assert await kinds(store, claimed.job) == ["queued", "running", "progress"]
    assert isinstance(await store.accept(new_job(key_digest="key")), Known)
    done = await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=210.0)
    assert done == Written()
    await store.close()


# --- held


async def test_a_claim_is_a_lease_with_a_number_that_only_grows(store):
    await store.accept(new_job("a"))
    first = await claim_one(store, worker="w1", lease=30.0)
    assert (first.job.lease_owner, first.job.lease_until) == ("w1", 230.0)
    assert (first.job.status, first.job.token, first.job.attempts) == (JobStatus.RUNNING, 1, 1)
    assert await claim(store) == []
    await store.give_back(first.lease, ready_at=200.0, counted=True, now=201.0)
    second = await claim_one(store, worker="w2")
    assert (second.job.token, second.job.attempts, second.job.lease_owner) == (2, 2, "w2")
    assert second.request == first.request


async def test_whoever_lost_a_lease_changes_nothing_and_is_told(store):
    await store.accept(new_job("a"))
    lost = (await claim_one(store, lease=30.0)).lease
    await store.reap(limit=10, now=230.0, rest=at_once)
    assert await store.extend(lost, until=999.0) == Stale(JobStatus.QUEUED)
    holder = await claim_one(store, now=231.0)
    before = await store.get("acme", "a")
    stale = Stale(JobStatus.RUNNING)
    assert await store.extend(lost, until=999.0) == stale
    assert await store.give_back(lost, ready_at=0.0, counted=False, now=232.0) == stale
    assert await store.append(lost, kind="progress", data=b"", now=232.0) == stale
    assert await store.finish(lost, JobStatus.SUCCEEDED, ANSWER, now=232.0) == stale
    assert await store.get("acme", "a") == before
    assert await store.result("acme", "a") is None
    done = await store.finish(holder.lease, JobStatus.FAILED, ANSWER, now=233.0)
    assert done == Written()
    assert await store.finish(lost, JobStatus.FAILED, ANSWER, now=234.0) == Stale(JobStatus.FAILED)


async def test_a_lease_that_ran_out_holds_until_somebody_takes_the_job_from_it(store):
    await store.accept(new_job("a"))
    claimed = await claim_one(store, lease=30.0)
    assert await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=900.0) == Written()


async def test_an_extended_lease_is_not_reaped(store):
    await store.accept(new_job("a"))
    claimed = await claim_one(store, lease=30.0)
    assert await store.extend(claimed.lease, until=300.0) == Written()
    assert await store.reap(limit=10, now=299.0, rest=at_once) == []
    (reaped,) = await store.reap(limit=10, now=300.0, rest=at_once)
    assert reaped == await store.get("acme", "a")
    assert (reaped.status, reaped.attempts, reaped.ready_at) == (JobStatus.QUEUED, 1, 300.0)
    assert (reaped.lease_owner, reaped.lease_until) == (None, None)


async def test_a_job_left_behind_waits_by_how_often_it_was_begun(store):
    await store.accept(new_job("often"))
    held = await claim_one(store)
    await store.give_back(held.lease, ready_at=200.0, counted=True, now=200.0)
    await claim_one(store, lease=30.0)
    await store.accept(new_job("once"))
    await claim_one(store, lease=30.0)
    reaped = await store.reap(limit=10, now=230.0, rest=lambda attempts: 100.0 * attempts)
    assert {job.id: job.ready_at for job in reaped} == {"once": 330.0, "often": 430.0}
    assert [one.job.id for one in await claim(store, now=330.0)] == ["once"]


@pytest.mark.parametrize(("counted", "attempts"), [(True, 1), (False, 0)])
async def test_a_job_given_back_waits_until_it_is_ready(store, counted, attempts):
    await store.accept(new_job("a"))
    claimed = await claim_one(store)
    given = await store.give_back(claimed.lease, ready_at=400.0, counted=counted, now=210.0)
    assert given == Written()
    job = await store.get("acme", "a")
    assert (job.status, job.attempts, job.token) == (JobStatus.QUEUED, attempts, 1)
    assert await claim(store, now=399.0) == []
    assert [again.job.id for again in await claim(store, now=400.0)] == ["a"]


# --- ended


@pytest.mark.parametrize("ending", [JobStatus.SUCCEEDED, JobStatus.FAILED])
async def test_a_finished_job_keeps_its_result(store, ending):
    await store.accept(new_job("a"))
    claimed = await claim_one(store)
    assert await store.result("acme", "a") is None
    answer = Answer(529, (("retry-after", "3"), ("retry-after", "4")), b"\x00\xff", encrypted=True)
    assert await store.finish(claimed.lease, ending, answer, now=210.0) == Written()
    job = await store.get("acme", "a")
    assert (job.status, job.finished_at, job.lease_owner) == (ending, 210.0, None)
    assert await store.result("acme", "a") == answer


async def test_finishing_again_after_a_lost_answer_is_the_same_end(store):
    await store.accept(new_job("a"))
    lease = (await claim_one(store)).lease
    for _ in range(2):
        assert await store.finish(lease, JobStatus.SUCCEEDED, ANSWER, now=210.0) == Written()
    other = await store.finish(lease, JobStatus.FAILED, ANSWER, now=211.0)
    assert other == Stale(JobStatus.SUCCEEDED)
    assert await kinds(store, new_job("a")) == ["queued", "running", "succeeded"]


async def test_a_cancelled_job_ends_there_and_its_holder_is_told(store):
    await accepted(store, new_job("a", expires_at=900.0), new_job("b"))
    claimed = await claim_one(store)
    for job_id in ("a", "b"):
        job = await store.cancel("acme", job_id, now=210.0)
        assert (job.status, job.finished_at) == (JobStatus.CANCELLED, 210.0)
    done = await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=211.0)
    assert done == Stale(JobStatus.CANCELLED)
    assert await store.result("acme", "a") is None
    assert await claim(store) == []


async def test_what_has_ended_is_not_cancelled(store):
    await store.accept(new_job("a"))
    claimed = await claim_one(store)
    await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=210.0)
    job = await store.cancel("acme", "a", now=220.0)
    assert (job.status, job.finished_at) == (JobStatus.SUCCEEDED, 210.0)
    assert await store.result("acme", "a") == ANSWER


async def test_a_job_whose_time_is_over_is_never_begun_and_expires(store):
    news = [new_job("late", expires_at=300.0), new_job("now", expires_at=299.0), new_job("fine")]
    await accepted(store, *news)
    assert [one.job.id for one in await claim(store, now=300.0)] == ["fine"]
    ended = await store.expire(limit=1, now=300.0)
    ended += await store.expire(limit=10, now=300.0)
    assert [job.id for job in ended] == ["now", "late"]
    assert ended[1] == await store.get("acme", "late")
    assert (ended[1].status, ended[1].finished_at) == (JobStatus.EXPIRED, 300.0)
    assert await store.expire(limit=10, now=300.0) == []


async def test_a_job_that_runs_past_its_time_may_still_be_finished(store):
    await store.accept(new_job("a", expires_at=300.0))
    claimed = await claim_one(store)
    assert await store.expire(limit=10, now=400.0) == []
    assert await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=400.0) == Written()


async def test_of_all_who_would_end_a_job_at_once_one_does(store):
    for number in range(20):
        job_id = f"a{number}"
        await store.accept(new_job(job_id, expires_at=250.0))
        lease = (await claim_one(store, lease=10.0)).lease
        await asyncio.gather(
            store.finish(lease, JobStatus.SUCCEEDED, ANSWER, now=300.0),
            store.cancel("acme", job_id, now=300.0),
            store.reap(limit=10, now=300.0, rest=at_once),
            store.expire(limit=10, now=300.0),
            store.finish(lease, JobStatus.FAILED, ANSWER, now=300.0),
        )
        await store.expire(limit=10, now=300.0)
        job = await store.get("acme", job_id)
        terminal = [kind for kind in await kinds(store, job) if kind not in {"queued", "running"}]
        assert terminal == [job.status]
        has_result = await store.result("acme", job_id) is not None
        assert has_result == (job.status in {JobStatus.SUCCEEDED, JobStatus.FAILED})


async def test_what_ended_long_ago_is_forgotten_with_its_key_and_all_that_belongs_to_it(store):
    for number, job_id in enumerate(["a", "b", "c"]):
        await store.accept(new_job(job_id, key_digest=job_id))
        claimed = await claim_one(store)
        await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=300.0 + number)
    await store.accept(new_job("open"))
    assert await store.purge(finished_before=302.0, limit=1) == 1
    assert await store.purge(finished_before=302.0, limit=10) == 1
    kept = [job_id for job_id in ("a", "b", "c", "open") if await store.get("acme", job_id)]
    assert kept == ["c", "open"]
    assert await store.result("acme", "a") is None
    assert await store.events("acme", "a", after=0, limit=10) == []
    assert await store.cancel("acme", "a", now=400.0) is None
    assert await store.finish(Lease("acme", "a", 1), JobStatus.FAILED, ANSWER, now=400.0) == Stale(
        None
    )
    assert isinstance(await store.accept(new_job("a2", key_digest="a")), Accepted)


# --- told


async def test_every_change_and_every_progress_is_an_event_in_order(store):
    await store.accept(new_job("a"))
    first = await claim_one(store, now=200.0)
    await store.append(first.lease, kind="attempt", data=b'{"target": "x"}', now=201.0)
    await store.give_back(first.lease, ready_at=0.0, counted=True, now=202.0)
    second = await claim_one(store, now=203.0)
    await store.extend(second.lease, until=300.0)
    await store.reap(limit=10, now=300.0, rest=at_once)
    await store.cancel("acme", "a", now=301.0)
    told = await store.events("acme", "a", after=0, limit=100)
    assert told == [
        Event(1, 100.0, "queued", b""),
        Event(2, 200.0, "running", b""),
        Event(3, 201.0, "attempt", b'{"target": "x"}'),
        Event(4, 202.0, "queued", b""),
        Event(5, 203.0, "running", b""),
        Event(6, 300.0, "queued", b""),
        Event(7, 301.0, "cancelled", b""),
    ]
    assert await store.events("acme", "a", after=2, limit=3) == told[2:5]
    assert (await store.get("acme", "a")).events == 7


async def test_an_event_beyond_the_bound_is_refused(store, monkeypatch):
    for module in ("memory", "endings"):
        monkeypatch.setattr(f"understudy.store.{module}.MAX_EVENTS", 3)
    await store.accept(new_job("a"))
    lease = (await claim_one(store)).lease
    assert await store.append(lease, kind="progress", data=b"", now=201.0) == Written()
    with pytest.raises(StoreLimitError):
        await store.append(lease, kind="progress", data=b"", now=202.0)
    with pytest.raises(ValueError, match="event is longer"):
        await store.append(lease, kind="progress", data=bytes(64 * 2**10 + 1), now=202.0)
    assert await store.finish(lease, JobStatus.SUCCEEDED, ANSWER, now=203.0) == Written()
    assert await kinds(store, new_job("a")) == ["queued", "running", "progress", "succeeded"]


async def test_a_backlog_tells_ages_and_lengths_by_lane(store):
    await accepted(
        store,
        new_job(created_at=50.0, expires_at=900.0),
        new_job(created_at=60.0, expires_at=800.0),
        new_job(created_at=70.0, expires_at=850.0),
        new_job(priority="background", feature="batch", created_at=10.0),
        new_job(tenant="globex"),
    )
    await claim_one(store)
    (done,) = await claim(store, Lane("interactive", "globex", "chat"))
    await store.finish(done.lease, JobStatus.SUCCEEDED, ANSWER, now=210.0)
    told = [
        (row.lane, row.oldest, row.next_expiry, row.queued, row.running)
        for row in await store.backlog()
    ]
    assert told == [
        (Lane("background", "acme", "batch"), 10.0, 1000.0, 1, 0),
        (Lane("interactive", "acme", "chat"), 50.0, 850.0, 2, 1),
    ]


async def test_a_lane_whose_jobs_all_run_has_no_age(store):
    await store.accept(new_job())
    await claim_one(store)
    (row,) = await store.backlog()
    assert (row.oldest, row.next_expiry, row.queued, row.running) == (None, None, 0, 1)


async def test_a_place_is_how_many_of_the_same_tenant_and_priority_go_before(store):
    await accepted(
        store,
        new_job("third", expires_at=700.0),
        new_job("first", expires_at=500.0),
        new_job("second", expires_at=600.0, feature="search"),
        new_job("other", tenant="globex", expires_at=400.0),
        new_job("later", priority="background", expires_at=300.0),
    )
    places = {name: await store.place("acme", name) for name in ("first", "second", "third")}
    assert places == {"first": 0, "second": 1, "third": 2}
    assert await store.place("acme", "later") == 0
    claimed = await claim_one(store)
    assert await store.place("acme", claimed.job.id) is None
    assert await store.place("acme", "third") == 1
    assert await store.place("acme", "nobody") is None
