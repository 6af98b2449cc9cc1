"""SQLite, with one connection and everything on the disk before it is said to be kept.

WAL with `synchronous=FULL` flushes every commit (https://www.sqlite.org/pragma.html#pragma_synchronous)
with one flush instead of the rollback journal's three or four. Versions up to 3.51.2 can lose what
was committed when two connections write and checkpoint in the same instant
(https://www.sqlite.org/wal.html#walresetbug): here is one connection, for reading as well, and
`locking_mode=EXCLUSIVE` keeps every other away for as long as it is open. It also keeps the
index of the log in this process's own memory instead of a mapped file.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from understudy.ports import StoreDamagedError, StoreError, StoreUnreachableError

__all__ = ["open_engine", "sync_folder"]

#: `RETURNING` (https://www.sqlite.org/releaselog/3_35_0.html); Debian 12 has 3.40.
_OLDEST: Final = (3, 35, 0)
#: Somebody else has the file open: wait this long at the start.
_BUSY_SECONDS: Final = 2.0

_PRAGMAS: Final = (
    # Before the journal's mode, so that the log's index is never in shared memory.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA mmap_size = 0",
    # A schema from elsewhere can call nothing, and damage is noticed when a page is read.
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    # A log that grew in a rush gives its room back at the next checkpoint.
    "PRAGMA journal_size_limit = 67108864",
)


def open_engine(path: Path) -> Engine:
    """An engine with one connection to a file, which is made, readable by its owner alone.

    Raises:
        StoreUnreachableError: the file can't be made, or the linked SQLite is too old.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreUnreachableError(
            f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is the oldest that serves"
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnreachableError(f"{path} can't be opened: {error.strerror}") from None

    def connect() -> sqlite3.Connection:
        # Transactions are begun below, not by the module.
        return sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def sync_folder(path: Path) -> None:
    """Put the file's name on the disk too.

    Raises:
        StoreError: that failed.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"the folder of {path} can't be synced: {error.strerror}") from None


def _prepare(connection: Any, _: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreDamagedError(f"the file's journal mode stays {mode}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
