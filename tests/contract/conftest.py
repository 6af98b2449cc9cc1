"""A private PostgreSQL for the session, and an empty store of each kind for each test."""

import asyncio

import pytest

from contract.postgres_cluster import postgres
from understudy.store import open_store, parse_store_url

TABLES = (
    "understudy_jobs, understudy_job_requests, understudy_job_results, understudy_job_events, "
    "understudy_callbacks, understudy_pulls"
)


@pytest.fixture(scope="session")
def cluster():
    """A running PostgreSQL."""
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def shared_database(cluster):
    """One database for the tests that leave nothing behind but rows."""
    url = cluster.database()
    asyncio.run(_make(url))
    return url


async def _make(url):
    store = await open_store(parse_store_url(url))
    await store.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def engine(request):
    """Which store."""
    return request.param


@pytest.fixture
def place(engine, request, tmp_path):
    """Where an empty store of that kind is."""
    if engine == "memory":
        return parse_store_url("memory")
    if engine == "sqlite":
        return parse_store_url(f"sqlite:///{tmp_path / 'jobs.db'}")
    cluster = request.getfixturevalue("cluster")
    url = request.getfixturevalue("shared_database")
    with cluster.connect(url.rpartition("/")[2]) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    return parse_store_url(url)


@pytest.fixture
async def store(place):
    """An empty store."""
    store = await open_store(place)
    yield store
    await store.close()
