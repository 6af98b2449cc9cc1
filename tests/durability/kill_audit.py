"""What stands in a store at the end, held against what was said: the second witness."""

import sqlite3
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from durability.kill_ledger import TERMINAL, Ledger
from understudy.policy.job_ends import MOST_ATTEMPTS

__all__ = ["audit", "make_old", "open_postgres", "open_sqlite"]

#: Two days: results are kept for one.
OLD = 2 * 24 * 3600.0


def open_sqlite(path: Path) -> sqlite3.Connection:
    """A store that no process has open."""
    return sqlite3.connect(path)


def open_postgres(url: str) -> psycopg.Connection[Any]:
    """A store that anybody may have open."""
    return psycopg.connect(url, autocommit=False)


def make_old(connection: Any, ledger: Ledger, ids: list[str]) -> None:
    """Let these jobs have ended two days ago, so that the next start forgets them."""
    mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    connection.cursor().executemany(
        f"UPDATE understudy_jobs SET finished_at = finished_at - {OLD}"
        f" WHERE id = {mark} AND finished_at IS NOT NULL",
        [(job_id,) for job_id in ids],
    )
    connection.commit()
    for job_id in ids:
        ledger.old(ledger.by_id[job_id])


def audit(connection: Any, ledger: Ledger) -> Counter[str]:
    """Compare; what is wrong becomes the ledger's. What was counted."""
    found: Counter[str] = Counter()
    jobs = {row[0]: row[1:] for row in _rows(connection, "id, status, attempts, events", "jobs")}
    results = Counter(row[0] for row in _rows(connection, "job_id", "job_results"))
    requests = Counter(row[0] for row in _rows(connection, "job_id", "job_requests"))
    events: dict[str, list[tuple[int, str]]] = {}
    for job_id, number, kind in _rows(connection, "job_id, number, kind", "job_events"):
        events.setdefault(job_id, []).append((number, kind))
    for orphan in {*results, *requests, *events} - set(jobs):
        ledger.faults.append(f"rows without a job: {orphan}")
    for told in ledger.jobs:
        if told.id not in jobs and not told.is_old:
            ledger.fault("accepted and not in the store", told)
    for job_id, (status, attempts, count) in jobs.items():
        kinds = [kind for _, kind in sorted(events.get(job_id, []))]
        found[f"jobs {status}"] += 1
        found["begun anew after a kill"] += max(0, _begun_anew(kinds))
        faults = _faults(status, kinds, results[job_id], requests[job_id])
        told = ledger.by_id.get(job_id)
        if told is not None and told.is_given_up:
            found["given up"] += 1
            if attempts <= MOST_ATTEMPTS or kinds.count("running") <= MOST_ATTEMPTS:
                faults.append("given up before its time")
        if [number for number, _ in sorted(events.get(job_id, []))] != list(range(1, count + 1)):
            faults.append("events with a gap")
        ledger.faults += [f"{fault}: {job_id}" for fault in faults]
    _strangers(ledger, set(jobs), found)
    return found


def _faults(status: str, kinds: list[str], results: int, requests: int) -> list[str]:
    ends = [kind for kind in kinds if kind in TERMINAL]
    faults = []
    if status not in TERMINAL:
        faults.append(f"still {status}")
    elif ends != [status]:
        faults.append(f"ended as {ends}, and is {status}")
    if results != (status in {"succeeded", "failed"}):
        faults.append(f"{results} results, and is {status}")
    if requests != (status not in TERMINAL):
        faults.append(f"{requests} requests kept, and is {status}")
    return faults


def _begun_anew(kinds: list[str]) -> int:
    """How often a lease ran out: queued again without a try that was told of."""
    return sum(pair == ("running", "queued") for pair in pairwise(kinds))


def _strangers(ledger: Ledger, ids: set[str], found: Counter[str]) -> None:
    """Jobs that no 202 has named: each must be a request whose answer was cut off."""
    strangers = ids - set(ledger.by_id)
    found["kept without an answer"] = len(strangers)
    nameless = [told for told in ledger.told if told.id is None and told.ask.key is None]
    if len(strangers) > len(nameless):
        ledger.faults.append(f"{len(strangers)} jobs nobody asked for, {len(nameless)} possible")


def _rows(connection: Any, columns: str, table: str) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(f"SELECT {columns} FROM understudy_{table}")
    return list(cursor.fetchall())
