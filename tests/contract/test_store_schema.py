"""The tables: made once, by whoever starts first, as the program has them, and never downwards."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from contract.store_jobs import new_job
from understudy.ports import Accepted, StoreNewerError
from understudy.store import migrations, open_store, parse_store_url
from understudy.store.schema import METADATA

POSTGRES_SCHEMA = """
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT table_name || '.' || column_name,
        concat_ws(' ', ordinal_position, data_type, collation_name, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
"""


OLD_JOB = """
    INSERT INTO understudy_jobs (tenant, id, caller, feature, operation, priority, body_digest,
        cost, created_at, expires_at, ready_at, status, attempts, token, events)
    VALUES ('acme', 'old', '', 'chat', 'messages', 'interactive', 'digest',
        1, 100, 1000, 100, 'queued', 0, 0, 1)
"""


def migrate_to(connection, revision):
    """As `understudy.store.migrate` does, but not to the end."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def without_alembic(rows):
    return sorted(row for row in map(tuple, rows) if "understudy_schema" not in row[0])


def on_one_line(name, sql):
    """A column that is added later stands on the line of the one before it."""
    return name, " ".join((sql or "").split())


async def test_migrations_make_the_sqlite_tables_that_the_program_has(tmp_path):
    store = await open_store(parse_store_url(f"sqlite:///{tmp_path / 'migrated.db'}"))
    await store.close()
    plain = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    METADATA.create_all(plain)
    plain.dispose()
    schemas = []
    for name in ("migrated.db", "plain.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        schemas.append(without_alembic(on_one_line(*row) for row in rows))
    assert schemas[0] == schemas[1]


async def test_migrations_make_the_postgresql_tables_that_the_program_has(cluster):
    schemas = []
    for migrated in (True, False):
        url = cluster.database()
        if migrated:
            store = await open_store(parse_store_url(url))
            await store.close()
        else:
            plain = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
            METADATA.create_all(plain)
            plain.dispose()
        with cluster.connect(url.rpartition("/")[2]) as connection:
            schemas.append(without_alembic(connection.execute(POSTGRES_SCHEMA)))
    assert schemas[0] == schemas[1]
    assert any("understudy_jobs_line" in row for row in schemas[0])


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_an_older_programs_jobs_are_there_after_the_migration(tmp_path, engine, request):
    if engine == "sqlite":
        url = address = f"sqlite:///{tmp_path / 'jobs.db'}"
    else:
        url = request.getfixturevalue("cluster").database()
        address = url.replace("postgresql:", "postgresql+psycopg:")
    direct = create_engine(address)
    with direct.begin() as connection:
        migrate_to(connection, "r0001")
        connection.execute(text(OLD_JOB))
    direct.dispose()
    store = await open_store(parse_store_url(url))
    job = await store.get("acme", "old")
    assert (job.feature, job.webhook) == ("chat", None)
    assert isinstance(await store.accept(new_job(webhook="product")), Accepted)
    await store.close()


async def test_of_several_that_start_at_once_one_migrates_and_all_open(cluster):
    place = parse_store_url(cluster.database())
    stores = await asyncio.gather(*(open_store(place) for _ in range(4)))
    for store in stores:
        assert isinstance(await store.accept(new_job()), Accepted)
        await store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_a_newer_programs_store_is_left_alone(tmp_path, engine, request):
    if engine == "sqlite":
        url = address = f"sqlite:///{tmp_path / 'jobs.db'}"
    else:
        url = request.getfixturevalue("cluster").database()
        address = url.replace("postgresql:", "postgresql+psycopg:")
    place = parse_store_url(url)
    store = await open_store(place)
    await store.accept(new_job("kept"))
    await store.close()
    direct = create_engine(address)
    with direct.begin() as connection:
        ours = connection.execute(text("SELECT version_num FROM understudy_schema")).scalar_one()
        connection.execute(text("UPDATE understudy_schema SET version_num = 'r9999'"))
    direct.dispose()
    for early in (False, True):
        with pytest.raises(StoreNewerError, match=r"r9999.*newer Understudy"):
            await open_store(place, early=early)
    with direct.begin() as connection:
        assert connection.execute(text("SELECT id FROM understudy_jobs")).scalar_one() == "kept"
        back = text("UPDATE understudy_schema SET version_num = :ours")
        connection.execute(back, {"ours": ours})
    direct.dispose()
    store = await open_store(place)
    assert await store.get("acme", "kept") is not None
    await store.close()
