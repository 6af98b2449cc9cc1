"""Opens a store over SQL: the engine's connections, its tables, the threads that own them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from understudy.core.store_place import PostgresPlace, SqlitePlace
from understudy.ports import StoreBusyError, StoreError, StoreLockedError
from understudy.store import sqlite
from understudy.store.faults import may_heal
from understudy.store.lock_file import LockFile
from understudy.store.migrate import is_migrated, migrate
from understudy.store.sql_store import SqlStore
from understudy.store.writers import Rank, Writers

__all__ = ["open_sql_store"]

#: Seconds for a change of the schema: a large table takes its time, and so does waiting for the
#: process that is at it.
_MIGRATION_PATIENCE: Final = 120.0
#: Of one process. A second one so that what takes long (a claim, a purge) does not hold up
#: arrivals; commits are shared, so more of them bring little.
_CONNECTIONS: Final = 2


async def open_sql_store(
    place: SqlitePlace | PostgresPlace, patience: float, *, early: bool
) -> SqlStore:
    """The store there, ready: see `understudy.store.opening.open_store`.

    Raises:
        StoreError: it can't be opened.
    """
    if isinstance(place, SqlitePlace):
        return await _open_sqlite(Path(place.path), patience)
    return await _open_postgres(place, patience, early=early)


async def _open_sqlite(path: Path, patience: float) -> SqlStore:
    lock = LockFile(path)
    try:
        engine = sqlite.open_engine(path)
        await asyncio.to_thread(_prepare_sqlite, engine, path)
    except BaseException:
        lock.release()
        raise
    return SqlStore(Writers(engine, threads=1, patience=2 * patience), lock.release)


def _prepare_sqlite(engine: Engine, path: Path) -> None:
    try:
        migrate(engine)
        sqlite.sync_folder(path)
    except StoreBusyError:
        engine.dispose()
        raise StoreLockedError(f"{path}: another program has it open", None) from None
    except BaseException:
        engine.dispose()
        raise


async def _open_postgres(place: PostgresPlace, patience: float, *, early: bool) -> SqlStore:
    # Only where it is used: the driver brings a library of its own.
    from understudy.store import postgres  # noqa: PLC0415

    def prepare(engine: Engine) -> None:
        if is_migrated(engine):
            return
        patient = postgres.open_engine(place, connections=1, patience=_MIGRATION_PATIENCE)
        try:
            migrate(patient)
        finally:
            patient.dispose()

    engine = postgres.open_engine(place, connections=_CONNECTIONS, patience=patience)
    started = partial(Writers, engine, threads=_CONNECTIONS, patience=2 * patience)
    if not early:
        try:
            await asyncio.to_thread(prepare, engine)
        except BaseException:
            await asyncio.to_thread(engine.dispose)
            raise
        return SqlStore(started(), release=_nothing)
    writers = started(prepare=partial(prepare, engine))
    try:
        await writers.alone(Rank.MANY_JOBS, _nothing)
    except StoreError as error:
        if not may_heal(error):
            await writers.close()
            raise
    return SqlStore(writers, release=_nothing)


def _nothing(*_: object) -> None:
    """There is nothing to let go of, nothing to ask."""
