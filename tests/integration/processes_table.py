"""How soon processes agree, and what they ask of a sick target: the tables of docs/processes.md.

    .venv/bin/python tests/integration/processes_table.py --write

Real processes over a real PostgreSQL for the times; virtual time for the probes.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from contract.postgres_cluster import Cluster, postgres
from simulation.sim_fleet_outage import DOWN, HANGS, probes_of
from support_pages import put, say
from support_processes import House, Process, break_down, until
from support_relay import StandIn

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/processes.md"
PROCESSES = 4
#: Seconds for which PostgreSQL is away.
AWAY = 60.0


def after(processes: list[Process], holds: Callable[[Process], object]) -> float:
    """Seconds until it holds for every one of them, each asked by a thread of its own."""
    began = time.monotonic()

    def seen(process: Process) -> float:
        until(lambda: holds(process))
        return time.monotonic() - began

    with ThreadPoolExecutor(len(processes)) as pool:
        return max(pool.map(seen, processes))


def rounds(cluster: Cluster, way: str | None, folder: pathlib.Path) -> dict[str, float]:
    """One life of four processes; `way`: how PostgreSQL is away in it, if it is."""
    folder.mkdir()
    found: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        stand_in = stack.enter_context(StandIn())
        house = House(stack, cluster, stand_in, folder)
        first, *others = house.begin(PROCESSES)
        others = [process for process in house.processes if process is not first]
        if way is None:
            break_down(first, stand_in)
            found["a breaker"] = after(others, lambda one: one.target()["fault"])
            first.admin("POST", "targets/gpt/pull", reason="x")
            found["a pull"] = after(others, lambda one: one.health()["pulls"])
            first.admin("POST", "targets/gpt/restore")
            found["a restore"] = after(others, lambda one: not one.health()["pulls"])
            return found
        with cluster.away(way):
            everybody = house.processes
            found["missed"] = after(everybody, lambda one: one.fleet()["reachable"] is False)
            ends = time.monotonic() + AWAY
            break_down(first, stand_in)
            # What is broken there anyway: the other one must be left to serve.
            first.admin("POST", "targets/claude/pull", reason="x")
            failed = asked = 0
            while time.monotonic() < ends:
                # The others know nothing of it yet.
                for process in everybody[:2]:
                    asked += 1
                    failed += process.ask().status_code != 200
            found["asked"], found["failed"] = asked, failed
        states = [
            lambda one: one.fleet()["reachable"],
            lambda one: one.target()["fault"],
            lambda one: one.health()["pulls"],
        ]
        found["agreed"] = after(everybody, lambda one: all(holds(one) for holds in states))
    return found


def times(count: int) -> Iterator[str]:
    """The table of times, of so many rounds each."""
    with postgres() as cluster, tempfile.TemporaryDirectory(prefix="understudy-figures-") as place:
        folder = pathlib.Path(place)
        yield "| what | known to all others after (median; longest), s |"
        yield "|---|---|"
        lives = [rounds(cluster, None, folder / f"life-{number}") for number in range(count)]
        for what in ("a breaker", "a pull", "a restore"):
            yield f"| {what} | {spread(life[what] for life in lives)} |"
        yield ""
        yield (
            f"| PostgreSQL away for {AWAY:.0f} s | missed after, s | failed requests meanwhile "
            "| states agree after, s |"
        )
        yield "|---|---|---|---|"
        for way in ("stopped", "frozen"):
            lives = [rounds(cluster, way, folder / f"{way}-{number}") for number in range(count)]
            failed = sum(life["failed"] for life in lives)
            asked = sum(life["asked"] for life in lives)
            missed, agreed = (spread(life[what] for life in lives) for what in ("missed", "agreed"))
            yield f"| {way} | {missed} | {failed:,.0f} of {asked:,.0f} | {agreed} |"


def spread(values: Iterator[float]) -> str:
    """Median and most."""
    listed = list(values)
    return f"{statistics.median(listed):.2f}; {max(listed):.2f}"


def probes() -> Iterator[str]:
    """The table of probes."""
    yield "| probes in ten minutes | one process | 2 | 4 | 8 |"
    yield "|---|---|---|---|---|"
    for name, rule in (("every call fails at once", DOWN), ("every call hangs", HANGS)):
        alone = probes_of(1, rule, 1, alone=True)
        together = [probes_of(count, rule, 1) for count in (2, 4, 8)]
        yield f"| {name} | {' | '.join(map(str, [alone, *together]))} |"


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    text = "\n".join([*times(told.rounds), "", *probes()])
    if told.write:
        put(PAGE, "figures", text)
    else:
        say(text)


if __name__ == "__main__":
    main()
