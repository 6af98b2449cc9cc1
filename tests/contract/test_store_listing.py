"""Jobs as people look through them: those that they mean, in the order of their acceptance."""

import pytest

from contract.store_jobs import ANSWER, accepted, claim_one, new_job
from understudy.ports import JobFilter, JobStatus


@pytest.fixture
async def store(store):
    """A store with a job of each kind."""
    await accepted(
        store,
        new_job("a", created_at=100.0),
        new_job("b", created_at=120.0, tenant="globex"),
        new_job("c", created_at=110.0, feature="search"),
        new_job("d", created_at=120.0, priority="background"),
        new_job("e", created_at=90.0),
    )
    await store.cancel("acme", "e", now=130.0)
    claimed = await claim_one(store)
    assert claimed.job.id == "a"
    await store.finish(claimed.lease, JobStatus.SUCCEEDED, ANSWER, now=140.0)
    return store


async def ids(store, limit=10, after=None, **wanted):
    listed = await store.list_jobs(JobFilter(**wanted), limit=limit, after=after)
    return [job.id for job in listed]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "bdcae"),
        ({"oldest_first": True}, "eacdb"),
        ({"tenant": "acme"}, "dcae"),
        ({"tenant": ""}, ""),
        ({"feature": "search"}, "c"),
        ({"feature": "chat", "tenant": "globex"}, "b"),
        ({"statuses": frozenset({JobStatus.QUEUED})}, "bdc"),
        ({"statuses": frozenset({JobStatus.SUCCEEDED, JobStatus.CANCELLED})}, "ae"),
        ({"job_id": "b"}, "b"),
        ({"job_id": "b", "tenant": "acme"}, ""),
        ({"job_id": "nobody"}, ""),
    ],
    ids=str,
)
async def test_what_is_meant_is_listed_and_nothing_else(store, wanted, found):
    assert await ids(store, **wanted) == list(found)


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_follow_one_another_without_a_gap_or_a_double(store, oldest_first, limit):
    wanted = JobFilter(oldest_first=oldest_first)
    whole = await store.list_jobs(wanted, limit=10)
    found, after = [], None
    while page := await store.list_jobs(wanted, limit=limit, after=after):
        found += page
        after = (page[-1].created_at, page[-1].tenant, page[-1].id)
    assert found == whole


async def test_what_is_listed_is_the_job_as_it_stands(store):
    (job,) = await store.list_jobs(JobFilter(job_id="a"), limit=10)
    assert job == await store.get("acme", "a")
    assert (job.status, job.finished_at) == (JobStatus.SUCCEEDED, 140.0)
