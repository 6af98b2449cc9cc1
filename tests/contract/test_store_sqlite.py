"""What only SQLite has: a file, one owner, and its own ways of being kept safe."""

import asyncio
import os
import sqlite3
import stat
import sys
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contract.store_jobs import claim_one, new_job
from understudy.ports import (
    Request,
    StoreDamagedError,
    StoreFullError,
    StoreLockedError,
    StoreUnreachableError,
)
from understudy.store import open_store, parse_store_url
from understudy.store.faults import store_error
from understudy.store.sqlite import open_engine

OPEN_IT = """
import asyncio, sys
from understudy.ports import StoreLockedError
from understudy.store import open_store, parse_store_url
try:
    asyncio.run(open_store(parse_store_url("sqlite:///" + sys.argv[1])))
except StoreLockedError as error:
    print(error.pid, error)
"""

READ_IT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
try:
    connection.execute("SELECT * FROM understudy_jobs")
except sqlite3.OperationalError as error:
    print(error)
"""


async def another_process(program, path):
    """What it prints."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(path)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    assert child.returncode == 0
    return said.decode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db"


def opened(path):
    return open_store(parse_store_url(f"sqlite:///{path}"))


async def test_a_second_process_is_refused_by_name_with_the_owners_pid(path):
    store = await opened(path)
    with pytest.raises(StoreLockedError, match=f"jobs.db is in use by process {os.getpid()}"):
        await opened(path)
    said = await another_process(OPEN_IT, path)
    assert said.startswith(f"{os.getpid()} {path} is in use by process {os.getpid()}")
    # Being refused has taken nothing from the owner.
    with pytest.raises(StoreLockedError):
        await opened(path)
    await store.close()
    again = await opened(path)
    await again.close()


async def test_a_failed_opening_leaves_no_lock_behind(path):
    path.write_bytes(b"this is no database, and was never one" * 100)
    for _ in range(2):
        with pytest.raises(StoreDamagedError):
            await opened(path)


async def test_no_other_connection_gets_at_the_file_while_it_is_open(path):
    store = await opened(path)
    assert await another_process(READ_IT, path) == "database is locked\n"
    await store.close()


async def test_a_file_that_another_program_has_open_is_refused_with_these_words(path):
    store = await opened(path)
    await store.close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT * FROM understudy_jobs")
        with pytest.raises(StoreLockedError, match="another program has it open"):
            await opened(path)
    store = await opened(path)
    await store.close()


def test_every_commit_is_flushed_and_the_log_is_not_in_shared_memory(path):
    engine = open_engine(path)
    told = {}
    with engine.connect() as connection:
        for name in ("journal_mode", "synchronous", "locking_mode", "foreign_keys", "mmap_size"):
            told[name] = connection.execute(text(f"PRAGMA {name}")).scalar_one()
        assert not path.with_name("jobs.db-shm").exists()
    engine.dispose()
    assert told == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "locking_mode": "exclusive",
        "foreign_keys": 1,
        "mmap_size": 0,
    }


async def test_only_the_owner_of_the_process_can_read_the_files(path):
    store = await opened(path)
    await store.accept(new_job())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert set(modes) == {"jobs.db", "jobs.db-wal", "jobs.db.lock"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["no/such/folder/jobs.db", "."])
async def test_a_place_where_no_file_can_be_is_unreachable_and_named(tmp_path, name):
    path = tmp_path / name
    if name == ".":
        path = tmp_path / "folder"
        path.mkdir()
    with pytest.raises(StoreUnreachableError, match=path.name):
        await opened(path)


async def test_damage_is_said_to_be_damage(path):
    store = await opened(path)
    for number in range(200):
        await store.accept(new_job(f"j{number}"))
    await store.close()
    content = bytearray(path.read_bytes())
    # All but the first page, which holds the list of tables.
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError):
        await opened(path)


def test_a_full_disk_is_said_to_be_full_without_the_payload(path):
    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE words (word BLOB)"))
    with engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 8"))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(
                text("INSERT INTO words VALUES (:word)"), {"word": b"secret" * 20_000}
            )
    engine.dispose()
    error = store_error(caught.value)
    assert isinstance(error, StoreFullError)
    assert str(error) == "the store has no room left: OperationalError (SQLITE_FULL)"


async def test_a_large_request_is_not_written_again_with_every_change_of_its_job(path):
    store = await opened(path)
    await store.accept(new_job("a", request=Request(bytes(8 * 2**20))))
    before = path.with_name("jobs.db-wal").stat().st_size + path.stat().st_size
    lease = (await claim_one(store)).lease
    for number in range(10):
        await store.extend(lease, until=300.0 + number)
    after = path.with_name("jobs.db-wal").stat().st_size + path.stat().st_size
    await store.close()
    assert after - before < 2**20


async def test_a_copy_of_the_closed_file_is_a_whole_backup(path, tmp_path):
    store = await opened(path)
    await store.accept(new_job("a"))
    await store.close()
    assert not path.with_name("jobs.db-wal").exists()
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = await opened(copy)
    assert await store.get("acme", "a") is not None
    await store.close()
