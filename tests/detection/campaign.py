"""Every scene of the page, played by every detector: many seeds, on several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from detection.detectors import DETECTORS, Understudy
from detection.measures import (
    Detection,
    Flapping,
    Frailty,
    Healthy,
    Recovery,
    detection,
    flapping,
    frailty,
    healthy,
    recovery,
)
from detection.sim_detection import Scene, Story, Truth, play, trace
from detection.watched import NEVER

__all__ = [
    "BASES",
    "COMINGS",
    "FRAIL",
    "ILLNESSES",
    "OUTAGES",
    "RATES",
    "Findings",
    "Row",
    "Sizes",
    "Work",
    "collect",
    "work_of",
]

#: Calls a minute.
RATES: Final = (5.0, 60.0, 0.5)
#: The share of calls that fail at a target that is well.
BASES: Final = {"1 %": 0.01, "3 %": 0.03}
ILLNESSES: Final = {
    "every call fails": Truth(1.0),
    "half of the calls fail": Truth(0.5),
    "a fifth of the calls fails": Truth(0.2),
    "calls hang; given up after 10 s": Truth(1.0, hangs=True),
}
#: Seconds of an outage in which every call fails.
OUTAGES: Final = {"1 min": 60.0, "5 min": 300.0, "60 min": 3600.0}
#: What may make a detector flap: the illness, and seconds down and up where it comes and goes.
COMINGS: Final = {
    "30 s down, 30 s up": (Truth(1.0), 30.0),
    "half of the calls fail": (Truth(0.5), None),
    "a fifth of the calls fails": (Truth(0.2), None),
}
#: Seconds in which a target regains its strength after an outage of a minute.
FRAIL: Final = {"2 min": 120.0, "5 min": 300.0}
_HOUR, _DAY = 3600.0, 86_400.0
#: Calls a minute from which on the quiet parts of a trace can be passed over: with fewer, idle
#: targets are probed between calls.
_BUSY = 5.0
#: Seeds that a process takes at a time.
_BATCH = 20


class Row(NamedTuple):
    """A scene and a detector, by their names in the tables."""

    rate: float
    what: str
    detector: str = Understudy.name


@dataclass(frozen=True)
class Sizes:
    """How much is simulated."""

    #: Healthy days a detector at 5 calls a minute and 1 % errors; other cells in proportion.
    days: int = 2000
    #: Outages of each kind a detector, in the same way.
    seeds: int = 240
    rates: tuple[float, ...] = RATES
    detectors: tuple[str, ...] = tuple(DETECTORS)
    #: What alone is measured: (measure, calls a minute, what). None: everything.
    only: frozenset[tuple[str, float, str]] | None = None


@dataclass
class Findings:
    """Everything that was measured, seed by seed."""

    sizes: Sizes
    healthy: dict[Row, list[Healthy]] = field(default_factory=dict)
    detection: dict[Row, list[Detection]] = field(default_factory=dict)
    recovery: dict[Row, list[Recovery]] = field(default_factory=dict)
    flapping: dict[Row, list[Flapping]] = field(default_factory=dict)
    frailty: dict[Row, list[Frailty]] = field(default_factory=dict)


class Work(NamedTuple):
    """What is measured, of which scene, and with which seeds."""

    measure: Callable[[Story], Any]
    what: str
    scene: Scene
    seeds: range
    detectors: tuple[str, ...]


def collect(
    sizes: Sizes, processes: int = 1, tell: Callable[[str], None] = lambda _: None
) -> Findings:
    """Play everything. `tell` is told how far it is."""
    work = list(_batches(sizes))
    if processes == 1:
        return _sort(sizes, work, map(_do, work), tell)
    with ProcessPoolExecutor(processes) as pool:
        return _sort(sizes, work, pool.map(_do, work), tell)


def _batches(sizes: Sizes) -> Iterator[Work]:
    for one in work_of(sizes):
        for first in range(0, one.seeds.stop, _BATCH):
            yield one._replace(seeds=one.seeds[first : first + _BATCH])


def work_of(sizes: Sizes) -> Iterator[Work]:
    """Everything that is to be measured."""
    for one in _all_work(sizes):
        place = (one.measure.__name__, one.scene.rate, one.what)
        if sizes.only is None or place in sizes.only:
            yield one


def _all_work(sizes: Sizes) -> Iterator[Work]:
    names = sizes.detectors
    for rate in sizes.rates:
        is_busy = rate > _BUSY
        for what, base in BASES.items():
            scene = Scene(rate, Truth(base), base, onset=NEVER, heal=NEVER, end=_DAY)
            days = sizes.days // (80 if is_busy else 1) // (1 if base <= 0.01 else 4)
            yield Work(healthy, what, scene, range(max(1, days)), names)
        seeds = range(max(1, sizes.seeds // (4 if is_busy else 1)))
        for what, illness in ILLNESSES.items():
            yield Work(detection, what, Scene(rate, illness, end=2 * _HOUR), seeds, names)
        for what, seconds in OUTAGES.items():
            heal = _HOUR + seconds
            scene = Scene(rate, Truth(1.0), heal=heal, end=heal + _HOUR)
            yield Work(recovery, what, scene, seeds, names)
        for what, (illness, flaps) in COMINGS.items():
            scene = Scene(rate, illness, end=2 * _HOUR, flaps=flaps)
            yield Work(flapping, what, scene, seeds, names)
        heal = _HOUR + OUTAGES["1 min"]
        for what, frail in FRAIL.items() if is_busy else ():
            scene = Scene(rate, Truth(1.0), heal=heal, end=heal + 1800.0, frail=frail)
            yield Work(frailty, what, scene, seeds, names)


def _do(one: Work) -> dict[str, list[Any]]:
    """By detector; all of them play the same traces."""
    results: dict[str, list[Any]] = {name: [] for name in one.detectors}
    for seed in one.seeds:
        drawn = trace(one.scene, seed)
        for name in one.detectors:
            story = play(drawn, DETECTORS[name](seed), skip=one.scene.rate >= _BUSY)
            result = one.measure(story)
            if result is not None:
                results[name].append(result)
    return results


def _sort(
    sizes: Sizes,
    work: list[Work],
    results: Iterator[dict[str, list[Any]]],
    tell: Callable[[str], None],
) -> Findings:
    found = Findings(sizes)
    for done, (one, by_name) in enumerate(zip(work, results, strict=True), 1):
        rows = getattr(found, one.measure.__name__)
        for name, result in by_name.items():
            rows.setdefault(Row(one.scene.rate, one.what, name), []).extend(result)
        tell(f"{done} of {len(work)}: {one.scene.rate:g} calls a minute, {one.what}")
    return found
