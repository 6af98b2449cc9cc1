"""Content health in numbers: `python tests/simulation/sim_quality.py --write`.

Prints the tables, and puts them into docs/quality.md. Everything is drawn from seeds, so that the
same code gives the same tables on any machine.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.sim_quality_world import ILLNESSES, STILL, Found, Illness, Kitchen
from simulation.sim_quality_world import healthy as healthy_life
from simulation.sim_quality_world import ill as ill_life
from support_pages import put, say, table

__all__ = ["Findings", "Row", "Sizes", "collect", "main", "render", "write"]

_PAGE = Path(__file__).resolve().parents[2] / "docs/quality.md"
#: Answers that a model is known by when it falls ill: well known, and just taken into use.
KNOWN, NEW = 3000, 300
#: Healthy lives in one piece of work.
_PIECE = 10


class Sizes(NamedTuple):
    """How much is lived."""

    healthy: int = 60
    answers: int = 10_000
    ill: int = 30


class Row(NamedTuple):
    """An illness that strikes a model known by so many answers."""

    illness: Illness
    known: int


class Findings(NamedTuple):
    """What came of all lives."""

    sizes: Sizes
    healthy: list[Found]
    ill: dict[Row, list[Found]]


ROWS = [
    *(Row(illness, KNOWN) for illness in ILLNESSES),
    *(Row(illness, NEW) for illness in ILLNESSES if illness.share >= 0.05),
]


def collect(sizes: Sizes, processes: int) -> Findings:
    """Live all lives."""
    pieces = range(0, sizes.healthy, _PIECE)
    with ProcessPoolExecutor(processes) as pool:
        well = pool.map(_healthy, [(sizes, first) for first in pieces])
        sick = pool.map(_ill, [(sizes, row) for row in ROWS])
        return Findings(
            sizes, [found for piece in well for found in piece], dict(zip(ROWS, sick, strict=True))
        )


def _healthy(work: tuple[Sizes, int]) -> list[Found]:
    sizes, first = work
    kitchen = Kitchen()
    seeds = range(first, min(first + _PIECE, sizes.healthy))
    return [healthy_life(seed, kitchen, sizes.answers) for seed in seeds]


def _ill(work: tuple[Sizes, Row]) -> list[Found]:
    sizes, row = work
    kitchen = Kitchen()
    return [ill_life(seed, kitchen, row.illness, row.known) for seed in range(sizes.ill)]


def render(found: Findings) -> str:
    """The generated part of the page."""
    parts = ["### False alarms", _false_alarms(found)]
    parts += [f"### A model known by {KNOWN:,} answers falls ill", _illnesses(found, KNOWN)]
    parts += [f"### A model known by {NEW:,} answers falls ill", _illnesses(found, NEW)]
    return "\n\n".join(parts)


def _false_alarms(found: Findings) -> str:
    alarms = Counter(sign for life in found.healthy for sign in life.false_alarms)
    answers = len(found.healthy) * found.sizes.answers
    rows = [
        [sign, str(count), _rate(count * 10_000 / answers)] for sign, count in alarms.most_common()
    ]
    total = alarms.total()
    rows.append([f"all, in {answers:,} answers", str(total), _rate(total * 10_000 / answers)])
    return table(["a sound model was doubted for", "times", "per 10,000 answers"], rows)


def _illnesses(found: Findings, known: int) -> str:
    rows = [
        [_name(row.illness), *_illness(lives)]
        for row, lives in found.ill.items()
        if row.known == known
    ]
    head = [
        "",
        "noticed after",
        "not within 5,000",
        f"some doubt cleared within {STILL}, still ill",
    ]
    return table([*head, "well again: cleared after"], rows)


def _name(illness: Illness) -> str:
    return f"{illness.share:.0%}: {illness.name}" if illness.share < 1.0 else illness.name


def _illness(lives: Sequence[Found]) -> list[str]:
    noticed = [life for life in lives if life.noticed is not None]
    missed = 1.0 - len(noticed) / len(lives)
    wrongly = sum(life.cleared_wrongly > 0 for life in noticed) / max(1, len(noticed))
    return [
        _both([life.noticed for life in lives]),
        f"{missed:.0%}",
        f"{wrongly:.0%}" if noticed else "",
        _both([life.cleared for life in noticed]),
    ]


def _both(counts: Sequence[int | None]) -> str:
    """Median and 95th percentile."""
    if not counts:
        return ""
    ranked = sorted(math.inf if count is None else count for count in counts)
    return " / ".join(
        "never" if value == math.inf else f"{value:,.0f}"
        for value in (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95))
    )


def _rate(value: float) -> str:
    return f"{value:.3f}" if value else "0"


def write(part: str, page: Path = _PAGE) -> None:
    """Puts the part between the markers of the page; the prose around it stays.

    Raises:
        ValueError: The page has no markers.
    """
    put(page, "quality", part)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--write", action="store_true", help="rewrite docs/quality.md")
    told.add_argument("--healthy", type=int, default=Sizes().healthy, help="healthy lives")
    told.add_argument("--ill", type=int, default=Sizes().ill, help="lives of each illness")
    told.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    options = told.parse_args(arguments)
    sizes = Sizes(healthy=options.healthy, ill=options.ill)
    part = render(collect(sizes, options.processes))
    say(part)
    if options.write:
        write(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
