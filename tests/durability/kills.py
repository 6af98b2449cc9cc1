"""`make kills`: the product is killed 500 times over both stores; nothing that it accepted is lost.

    python tests/durability/kills.py --kills 500 --write      # into docs/durability.md
    python tests/durability/kills.py --kills 20 --store sqlite --seed 7

Exits 1 where anything that was promised was not kept.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from durability.kill_houses import PostgresHouse, SqliteHouse, stand_in
from durability.kill_lane import Lane, Report
from support_pages import machine, put, say, table

__all__ = ["main", "run"]

PAGE = Path(__file__).resolve().parents[2] / "docs/durability.md"
HOUSES = {"sqlite": SqliteHouse, "postgresql": PostgresHouse}


async def run(stores: list[str], kills: int, seed: int, folder: Path) -> list[Report]:
    """So many kills a store, all stores at the same time."""
    with stand_in() as provider:
        houses = []
        try:
            for number, store in enumerate(stores):
                place = folder / store
                place.mkdir()
                houses.append(HOUSES[store](place, provider, random.Random(seed + 100 * number)))
            lanes = [Lane(house, kills, seed + 10 * number) for number, house in enumerate(houses)]
            watch = asyncio.create_task(_watch(lanes, kills))
            try:
                return list(await asyncio.gather(*(lane.run() for lane in lanes)))
            finally:
                watch.cancel()
                for lane in lanes:
                    for fault in lane.report.ledger.faults[:20]:
                        say(f"{lane.report.name}: {fault}")
        finally:
            for house in houses:
                house.close()


async def _watch(lanes: list[Lane], kills: int) -> None:
    """A line every ten seconds."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(10.0)
        for lane in lanes:
            ledger = lane.report.ledger
            say(
                f"{time.monotonic() - began:6.0f} s  {lane.report.name:11}"
                f" {lane.report.kills:4} of {kills} kills, {len(ledger.jobs):6} jobs accepted,"
                f" {len(ledger.open):4} open, {len(ledger.faults)} faults"
            )


def render(reports: list[Report], seed: int) -> str:
    """The tables."""
    head = ["", *(report.name for report in reports)]
    return "\n\n".join(
        [
            table(head, _promised(reports)),
            "When the kill came, as it was aimed:",
            table(head, _counters([report.scenes for report in reports])),
            "Whom it met, and what was cut off (kills that met at least one):",
            table(
                head,
                _counters([report.victims for report in reports])
                + _counters([report.cut for report in reports], "unanswered: "),
            ),
            f"Seed {seed}; {machine()}.",
        ]
    )


def _promised(reports: list[Report]) -> list[list[object]]:
    ledgers = [report.ledger for report in reports]

    def row(name: str, *values: object) -> list[object]:
        return [name, *values]

    def stored(name: str) -> list[object]:
        return [report.store[name] for report in reports]

    return [
        row("kills", *(report.kills for report in reports)),
        row("jobs accepted", *(len(ledger.jobs) for ledger in ledgers)),
        row("… begun anew after a kill", *stored("begun anew after a kill")),
        row("… succeeded", *stored("jobs succeeded")),
        row("… failed by the provider's refusal", *(_refused(report) for report in reports)),
        row("… failed, begun ten times and killed ten times", *stored("given up")),
        row("… cancelled", *stored("jobs cancelled")),
        row("… forgotten in time", *(sum(t.is_old for t in ledger.jobs) for ledger in ledgers)),
        row("results read", *(ledger.counts["results read"] for ledger in ledgers)),
        row(
            "the same key again",
            *(ledger.counts["the same key again: the same job"] for ledger in ledgers),
        ),
        row("starts that found no database, and were repeated", *(r.vain_starts for r in reports)),
        row(
            "everything ended after the last kill in",
            *(f"{r.drain_seconds:.0f} s" for r in reports),
        ),
        row("**lost, done twice, stuck, or wrong**", *(len(ledger.faults) for ledger in ledgers)),
    ]


def _refused(report: Report) -> int:
    return report.store["jobs failed"] - report.store["given up"]


def _counters(counters: list[Counter[str]], prefix: str = "") -> list[list[object]]:
    names = sorted({name for counter in counters for name in counter})
    return [[f"{prefix}{name}", *(counter[name] for counter in counters)] for name in names]


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--kills", type=int, default=500, help="of all stores together")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--store", choices=list(HOUSES), action="append")
    options.add_argument("--write", action="store_true", help="into docs/durability.md")
    told = options.parse_args()
    stores = told.store or list(HOUSES)
    with tempfile.TemporaryDirectory(prefix="understudy-kills-") as folder:
        each = -(-told.kills // len(stores))
        reports = asyncio.run(run(stores, each, told.seed, Path(folder)))
    text = render(reports, told.seed)
    say(text)
    if told.write:
        put(PAGE, "kills", text)
    return 1 if any(report.ledger.faults for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
