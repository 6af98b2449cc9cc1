"""A backlog is drained, and what was promised of that is measured: `python tests/drain/run.py`.

In virtual time, in every world of `drain_worlds`, and for real, on SQLite and on PostgreSQL. Prints
how far it is; with `--write` the tables go into docs/jobs.md. Exits 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contract.postgres_cluster import postgres
from drain.drain_real import Plan, Ran, run
from drain.drain_worlds import (
    WORLDS,
    compared,
    estimate_row,
    failures,
    row,
    waits,
)
from simulation.sim_drain import Drain, World, drain
from simulation.sim_drain_measures import people_wait
from support_pages import machine, put, table

_PAGE = Path(__file__).resolve().parents[2] / "docs/jobs.md"
_HEAD = (
    "",
    "drained",
    "lost",
    "least share: all, worst 200 claims (jobs behind)",
    "people's p99 to first content: drain / without",
    "refused: all / after the first",
    "requests a second: before the outage / jobs at first / jobs at most",
    "of what the ramp allows, worst 10 s",
)
_ESTIMATES = ("", "when accepted", "5 s after the recovery", "30 and 60 s", "2 and 4 min")
#: Seconds of the drain's end, which are its busiest, that are compared in a real run.
_COMPARED = 75.0

_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

#: A part of the page, and what was promised in vain.
Found = tuple[str, list[str]]


def main() -> int:
    """The command line. Returns the exit code."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--part", choices=tuple(_PARTS), help="only this; all without")
    told.add_argument("--world", action="append", help="of the virtual ones: only this")
    told.add_argument("--store", choices=("sqlite", "postgresql"), help="of the real: only this")
    told.add_argument("--jobs", type=int, default=10_000)
    told.add_argument("--write", action="store_true", help="put the tables into docs/jobs.md")
    options = told.parse_args()
    wrong: list[str] = []
    for part in [options.part] if options.part else _PARTS:
        words, broken = _PARTS[part](options)
        wrong += broken
        sys.stdout.write(f"{words}\n")
        if options.write:
            put(_PAGE, f"drain-{part}", f"{machine()}.\n\n{words}")
    for line in wrong:
        _say(f"BROKEN: {line}")
    return 1 if wrong else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _tables(rows: list[list[str]], estimates: list[list[str]]) -> str:
    return f"{table(_HEAD, rows)}\n\n{table(_ESTIMATES, estimates)}"


# -- in virtual time


def _virtual(options: argparse.Namespace) -> Found:
    worlds = [w for name, w in WORLDS.items() if not options.world or name in options.world]
    told = [msgspec.structs.replace(world, jobs=options.jobs) for world in worlds]
    rows, estimates, wrong = [], [], []
    with ProcessPoolExecutor(2) as pool:
        for cells, guesses, broken in pool.map(_one, told):
            rows.append(cells)
            estimates.append(guesses)
            wrong += broken
    return _tables(rows, estimates), wrong


def _one(world: World) -> tuple[list[str], list[str], list[str]]:
    """One world, and the same without a backlog for as long."""
    told = Drain(world=world)
    with _progress(told):
        drain(world, told)
    seconds = told.over - told.well
    control = drain(msgspec.structs.replace(world, backlog=False, control_seconds=seconds))
    now, usual = compared(told, control)
    return row(told, waits(now, usual)), estimate_row(told), list(failures(told, now, usual))


@contextmanager
def _progress(told: Drain) -> Iterator[None]:
    """Say now and then how far it is."""
    over = threading.Event()

    def say() -> None:
        while not over.wait(30.0):
            _say(f"{told.world.name}: {len(told.jobs):,} accepted, {len(told.ended):,} done")

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# -- for real


def _real(options: argparse.Namespace) -> Found:
    rows, estimates, wrong = [], [], []
    for store in _stores(options):
        with _place(store) as url:
            ran = run(_NAMES[store], url, Plan(jobs=options.jobs), _sayer(store))
        cells, broken = _judge(ran)
        rows.append(cells)
        estimates.append(estimate_row(ran.drain))
        wrong += broken
    return _tables(rows, estimates), wrong


def _stores(options: argparse.Namespace) -> list[str]:
    return [options.store] if options.store else list(_NAMES)


def _judge(ran: Ran) -> tuple[list[str], list[str]]:
    told = ran.drain
    # Within the same few minutes, so that the machine is the same.
    now = people_wait(told, max(told.well, told.over - _COMPARED), told.over)
    usual = people_wait(told, told.over + 5.0, ran.end)
    before = people_wait(told, told.ill - 60.0, told.ill)
    all_of_it = people_wait(told, told.well + 60.0, told.over)
    _say(f"{told.world.name}: p99 before {before:.3f} s, over the drain {all_of_it:.3f} s")
    _say(f"accepted in {ran.accepting:.0f} s; {ran.unseen} entries of the log not seen")
    return row(told, waits(now, usual)), list(failures(told, now, usual))


_PARTS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "virtual": _virtual,
    "real": _real,
}


def _sayer(store: str) -> Callable[[str], None]:
    began = time.monotonic()
    return lambda line: _say(f"{store}, {time.monotonic() - began:.0f} s: {line}")


@contextmanager
def _place(store: str) -> Iterator[str]:
    """The URL of an empty store."""
    if store == "postgresql":
        with postgres() as cluster:
            yield cluster.database()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/jobs.db"


if __name__ == "__main__":
    sys.exit(main())
