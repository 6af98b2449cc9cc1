"""The worlds in which a backlog is drained: providers that tell their limits, hide them, or are
still growing; and what is measured there, as rows of a table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from simulation.sim_drain import Drain, World
from simulation.sim_drain_measures import (
    estimates,
    fairness,
    lost,
    people_wait,
    rates,
    refusals,
    unserved,
)
from understudy.mock import Capacity, Limit

__all__ = ["WORLDS", "compared", "estimate_row", "failures", "row", "waits", "worlds"]

#: It comes back small, as what is scaled to its load does, and grows for two minutes.
GROWTH = 120.0
#: People whose requests met the outage's end are not compared.
SETTLED = 60.0


def growing(first: int, last: int, delay: float) -> tuple[tuple[float, Capacity], ...]:
    """A capacity that grows by one answer at a time."""
    steps = last - first
    return tuple(
        (GROWTH * step / steps, Capacity(answers=first + step, delay=delay))
        for step in range(steps + 1)
    )


def worlds(jobs: int, scale: float, people: float) -> dict[str, World]:
    """The four kinds of providers, and what is asked of them. `scale`: how much they bear."""
    rate = 1_200.0 * scale
    crowd = max(math.ceil(30 * scale), 12)
    told = Limit(requests=rate, input_tokens=1e6 * scale, output_tokens=2e5 * scale)
    base = World(name="", jobs=jobs, people=people)
    kinds = {
        "limits told": {"limits": (told,)},
        "limit hidden": {"limits": (Limit(requests=rate),), "telling": False, "kind": "openai"},
        "small, grows, slower when full": {"capacity": growing(crowd // 3, crowd, 1.0)},
        "small, grows, refuses when full": {"capacity": growing(crowd // 3, crowd, 0.0)},
        "limits told, three processes": {"limits": (told,), "processes": 3},
        "limits told, background jobs": {"limits": (told,), "batch": {"priority": "background"}},
    }
    return {name: msgspec.structs.replace(base, name=name, **more) for name, more in kinds.items()}


WORLDS = worlds(10_000, 1.0, 2.0)


def row(told: Drain, ratio: str) -> list[str]:
    """What happened, as a row. `ratio`: how long people waited, with and without."""
    full, fair, rate = refusals(told), fairness(told), rates(told)
    return [
        told.world.name,
        f"{len(told.jobs):,} in {(told.over - told.well) / 60.0:.1f} min",
        f"{lost(told)}",
        f"{fair.over:.2f} / {fair.worst:.2f} ({fair.behind:.1f})",
        ratio,
        f"{full.all} / {full.after}",
        f"{rate.before:.1f} / {rate.first:.1f} / {rate.peak:.1f}",
        f"{rate.worst:.0%}",
    ]


def waits(now: float, usual: float) -> str:
    """How long people waited, beside how long they usually do."""
    return f"{now:.3f} / {usual:.3f} s = {now / usual:.2f}"


def compared(told: Drain, control: Drain) -> tuple[float, float]:
    """What 99 in 100 people waited at most in a drain, and in the same time without one."""
    span = told.well + SETTLED, told.over
    return people_wait(told, *span), people_wait(control, *span)


def failures(told: Drain, now: float, usual: float) -> Iterator[str]:
    """What was promised, and is not so."""
    full, fair, rate = refusals(told), fairness(told), rates(told)
    nobody = unserved(told, told.well + SETTLED, told.over)
    promises = {
        f"{nobody} of the people got no answer": nobody == 0,
        f"{lost(told)} jobs lost": lost(told) == 0,
        f"a tenant had {fair.over:.2f} of its share": fair.over >= 0.8,
        f"a tenant was behind by {fair.behind:.1f} jobs within 200": not fair.behind > 2.0,
        f"people waited {now / usual:.2f} times as long": now <= 1.2 * usual,
        f"{full.after} refusals after the first": full.after == 0,
        f"{rate.worst:.2f} of the ramp": rate.worst <= 1.0,
    }
    yield from (f"{told.world.name}: {text}" for text, kept in promises.items() if not kept)


def estimate_row(told: Drain) -> list[str]:
    """How good the estimates were, by when they were given."""
    spans = [(0.0, told.well)]
    spans += [(told.well + a, told.well + b) for a, b in ((0, 20), (20, 90), (90, 400))]
    cells = [told.world.name]
    for span in spans:
        found = estimates(told, *span)
        text = f"{found.median:.2f} / {found.off:.1f} ({found.count:,})" if found.count else ""
        cells.append(text)
    return cells
