"""`make power-loss`: power loss at every moment of what SQLite writes for the store.

    python tests/durability/power_loss.py --write             # into docs/durability.md
    python tests/durability/power_loss.py --rounds 10

Exits 1 where an answered word is lost or a file damaged, or where a disk that lies is not seen to
lose.
"""

import argparse
import multiprocessing
import os
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from durability.power import Outcome, Recording, again, losses, record
from durability.power_workload import Work
from support_pages import machine, put, say, table

__all__ = ["main"]

PAGE = Path(__file__).resolve().parents[2] / "docs/durability.md"
#: Points that one process looks at before it says so.
CHUNK = 100
#: States in which the power goes once more while the store recovers.
AGAIN = 24
#: Points at which those are looked at that have to lose.
CONTROL = 40


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    recording: Recording
    outcome: Outcome
    #: It has to lose: if it does not, the check sees nothing.
    loses: bool = False

    @property
    def is_right(self) -> bool:
        """As it has to be."""
        return bool(self.outcome.faults) == self.loses


def chunks(recording: Recording) -> Iterator[range]:
    """All points of a recording."""
    for begin in range(1, len(recording.log) + 1, CHUNK):
        yield range(begin, min(begin + CHUNK, len(recording.log) + 1))


class Look:
    """Everything about a recording, by several processes."""

    def __init__(self, name: str, recording: Recording, *, samples: int, seed: int) -> None:
        self._name = name
        self._recording = recording
        self._samples = samples
        self._seed = seed

    def at(self, points: range) -> Outcome:
        """One process's part."""
        return losses(self._recording, seed=self._seed, samples=self._samples, points=points)

    def everywhere(self) -> Row:
        """All points, with a line now and then."""
        began = time.monotonic()
        outcome = Outcome()
        # By fork: each process has the recording.
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            for part in pool.imap_unordered(self.at, list(chunks(self._recording))):
                outcome += part
                say(
                    f"{time.monotonic() - began:6.0f} s  {self._name}: {outcome.points:,} of"
                    f" {len(self._recording.log):,} points, {outcome.states:,} states,"
                    f" {outcome.opened:,} opened, {outcome.wrong} wrong"
                )
        return Row(self._name, self._recording, outcome)


def controls(rounds: int, seed: int) -> Iterator[Row]:
    """What has to be seen to lose."""
    plain = record(Work(rounds))
    points = random.Random(seed).sample(range(len(plain.log) // 4, len(plain.log)), CONTROL)
    lying = losses(plain, seed=seed, samples=2, lies=True, points=points)
    yield Row("control: a disk that says it has synced, and has not", plain, lying, loses=True)
    for value in ("NORMAL", "OFF"):
        weak = record(Work(rounds, pragmas=(f"PRAGMA synchronous = {value}",)))
        points = random.Random(seed).sample(range(len(weak.log) // 4, len(weak.log)), CONTROL)
        found = losses(weak, seed=seed, samples=2, points=points)
        yield Row(f"control: `synchronous={value}`", weak, found, loses=True)


def render(rows: list[Row], seed: int) -> str:
    """The table."""
    head = ["", "writes", "syncs", "moments", "states", "of them unlike any other, opened"]
    head += ["answers held against them", "states with a fault"]
    lines = [
        [
            row.name,
            f"{row.recording.steps['Write']:,}",
            f"{row.recording.steps['Sync'] + row.recording.steps['SyncFolder']:,}",
            f"{row.outcome.points:,}",
            f"{row.outcome.states:,}",
            f"{row.outcome.opened:,}",
            f"{row.outcome.answers:,}",
            f"**{row.outcome.wrong:,}**" + ("" if not row.loses else " (as it has to be)"),
        ]
        for row in rows
    ]
    return f"{table(head, lines)}\n\nSeed {seed}; SQLite {sqlite3.sqlite_version}; {machine()}."


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--rounds", type=int, default=24)
    options.add_argument("--samples", type=int, default=3, help="drawn states at each moment")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true", help="into docs/durability.md")
    told = options.parse_args()
    short = Work(told.rounds // 4, 2, reopened_after=6, pragmas=("PRAGMA wal_autocheckpoint = 30",))
    usual = record(Work(told.rounds))
    often = record(short)
    rows = [
        Look(name, recording, samples=told.samples, seed=told.seed).everywhere()
        for name, recording in (
            ("as it is", usual),
            ("a checkpoint every 30 pages, closed and opened again", often),
        )
    ]
    twice = again(often, seed=told.seed, states=AGAIN, samples=told.samples)
    rows.append(Row("and once more while it recovers", often, twice))
    rows += controls(max(told.rounds // 6, 2), told.seed)
    text = render(rows, told.seed)
    say(text)
    wrong = [row for row in rows if not row.is_right]
    for row in wrong:
        say("\n  ".join([row.name, *row.outcome.faults[:20]]))
    if told.write:
        put(PAGE, "power-loss", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
