"""Many worlds, or one of them told: `python tests/simulation/soak.py --seeds 10000 --processes 2`.

A seed that breaks a promise prints one line, which is the command that replays it; that command
tells the world's story: its script, what happened when, and what is wrong with it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.sim_draw import draw
from simulation.sim_invariants import breaches
from simulation.sim_matrix import cases, verdict
from simulation.sim_tale import replay_line, tale
from simulation.sim_world import run
from understudy.mock import CATALOGUE

#: Worlds that a process takes at a time.
BATCH = 50

#: Does one thing; a line for each broken promise.
Work = Callable[[Any], list[str]]


def main() -> int:
    """The command line. Returns the exit code: 0, or 1 where a promise was broken."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--seed", type=int, help="tell this one world's story")
    told.add_argument("--seeds", type=int, default=10_000, help="how many worlds")
    told.add_argument("--from", type=int, default=0, dest="start", help="the first seed")
    told.add_argument("--processes", type=int, default=1)
    told.add_argument("--matrix", action="store_true", help="every fault of the catalogue instead")
    options = told.parse_args()
    if options.seed is not None:
        return _tell(options.seed)
    if options.matrix:
        return _soak(_fault, [[name] for name in CATALOGUE], options.processes)
    seeds = range(options.start, options.start + options.seeds)
    batches = [seeds[first : first + BATCH] for first in range(0, len(seeds), BATCH)]
    return _soak(_world, batches, options.processes)


def _tell(seed: int) -> int:
    story = run(draw(seed))
    broken = breaches(story)
    sys.stdout.write(f"{tale(story, broken)}\n")
    return 1 if broken else 0


def _soak(one: Work, batches: Sequence[Sequence[Any]], processes: int) -> int:
    """Do all, and print a line for each that broke a promise."""
    began = time.perf_counter()
    done = broken = 0
    for batch, lines in zip(batches, _results(one, batches, processes), strict=True):
        done += len(batch)
        broken += len(lines)
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        told = f"{done} of {sum(map(len, batches))}, {broken} broken"
        sys.stderr.write(f"\r{told}, {done / (time.perf_counter() - began):.1f} a second")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return 1 if broken else 0


def _results(one: Work, batches: Sequence[Sequence[Any]], processes: int) -> Iterator[list[str]]:
    batch = partial(_batch, one)
    if processes == 1:
        yield from map(batch, batches)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(batch, batches)


def _batch(one: Work, items: Sequence[Any]) -> list[str]:
    return [line for item in items for line in one(item)]


def _world(seed: int) -> list[str]:
    broken = breaches(run(draw(seed)))
    return [replay_line(seed, broken)] if broken else []


def _fault(name: str) -> list[str]:
    """Every case of one fault."""
    judged = ((case, verdict(case)[1]) for case in cases(CATALOGUE[name]))
    return [f"{case}: {wrong[0]}" for case, wrong in judged if wrong]


if __name__ == "__main__":
    sys.exit(main())
