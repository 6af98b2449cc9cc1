"""A state of the files is opened by the real store, as after a power loss; what is there then."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from contract.store_jobs import new_job
from durability.disk import Files
from durability.story import ANSWERED, Facts, Found, Standing, digest
from understudy.ports import Accepted, StoreError
from understudy.store import open_store, parse_store_url

__all__ = ["look", "put"]

DATABASE = "jobs.db"
PROBE = "after-the-power-loss"


def put(folder: Path, files: Files) -> Path:
    """The files in a folder, and no others; where the database is."""
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / DATABASE


def look(folder: Path, files: Files) -> Facts:
    """What the store makes of these files: it opens, takes another job, and is whole."""
    path = put(folder, files)
    try:
        asyncio.run(_open(path))
    except StoreError as error:
        return f"does not open: {type(error).__name__}: {error}"
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for check in ("integrity_check", "foreign_key_check"):
                said = connection.execute(f"PRAGMA {check}").fetchall()
                if said not in ([("ok",)], []):
                    return f"{check}: {said[:3]}"
            return _read(connection)
    except sqlite3.DatabaseError as error:
        return f"can't be read: {error}"


async def _open(path: Path) -> None:
    store = await open_store(parse_store_url(f"sqlite:///{path}"))
    try:
        said = await store.accept(new_job(PROBE, key_digest=PROBE))
        if not isinstance(said, Accepted):
            raise StoreError(f"takes no job: {said}")
    finally:
        await store.close()


def _read(connection: sqlite3.Connection) -> dict[str, Found]:
    rows = connection.execute("SELECT id, status, token, events FROM understudy_jobs").fetchall()
    requests = _digests(connection, "data", "requests")
    results = _digests(connection, "body", "results")
    events: dict[str, list[tuple[int, str]]] = {}
    for job_id, number, kind in connection.execute(
        "SELECT job_id, number, kind FROM understudy_job_events ORDER BY number"
    ):
        events.setdefault(job_id, []).append((number, kind))
    return {
        job_id: Found(
            Standing(status, token, count, results.get(job_id) if status in ANSWERED else None),
            requests.get(job_id),
            tuple(number for number, _ in events.get(job_id, [])),
            tuple(kind for _, kind in events.get(job_id, [])),
        )
        for job_id, status, token, count in rows
        if job_id != PROBE
    }


def _digests(connection: sqlite3.Connection, column: str, table: str) -> dict[str, str]:
    rows = connection.execute(f"SELECT job_id, {column} FROM understudy_job_{table}")
    return {job_id: digest(data) for job_id, data in rows}
