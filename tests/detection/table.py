"""Detection in numbers: `python tests/detection/table.py --write` rewrites docs/detection.md.

Prints the tables; exits 1 where a goal is missed. Everything is drawn from seeds, so that the same
code gives the same tables on any machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detection.campaign import (
    BASES,
    COMINGS,
    FRAIL,
    ILLNESSES,
    OUTAGES,
    Findings,
    Row,
    Sizes,
    collect,
)
from detection.goals import Goal, judge
from detection.measures import Detection, Flapping, Frailty, Healthy, Recovery, quantile
from detection.watched import NEVER
from support_pages import put, say, table

__all__ = ["main", "render", "write"]

_PAGE = Path(__file__).resolve().parents[2] / "docs/detection.md"
#: The row that tells how many outages there were.
_WHOLE = "every call fails"


def render(found: Findings, goals: list[Goal]) -> str:
    """The generated part of the page."""
    parts = ["### Goals", _goals(goals), "### False alarms", _false_alarms(found)]
    for rate in found.sizes.rates:
        parts += [f"### Noticed: {rate:g} calls a minute", _detections(found, rate)]
        parts += ["Callers' calls that failed there, by then / in the hour:", _failed(found, rate)]
    parts += ["### Given up, and taken back", _recoveries(found)]
    parts += ["### Back, but weak", _frailty(found)]
    parts += ["### Flapping", _flapping(found)]
    return "\n\n".join(parts)


def _goals(goals: list[Goal]) -> str:
    rows = [[goal.text, goal.found, "PASS" if goal.met else "**FAIL**"] for goal in goals]
    return table(["goal", "found", ""], rows)


def _by_detector(
    found: Findings, rows: dict[Row, list[Any]], place: tuple[float, str], cell: Callable[..., str]
) -> list[str]:
    rate, what = place
    return [cell(rows[Row(rate, what, name)]) for name in found.sizes.detectors]


def _false_alarms(found: Findings) -> str:
    rows = []
    for rate in found.sizes.rates:
        for base in BASES:
            days = found.healthy[Row(rate, base)]
            cells = _by_detector(found, found.healthy, (rate, base), _alarms_a_day)
            probes = mean(day.probes for day in days)
            rows.append([f"{rate:g}", base, f"{len(days):,}", *cells, f"{probes:,.0f}"])
    head = ["calls a minute", "fail anyway", "days", *found.sizes.detectors]
    return table([*head, "probes a day (Understudy)"], rows)


def _alarms_a_day(days: list[Healthy]) -> str:
    openings = sum(day.openings for day in days)
    return f"{openings / len(days):.3f}" if openings else "0"


def _detections(found: Findings, rate: float) -> str:
    rows = []
    for what in ILLNESSES:
        onset = [one.from_onset for one in found.detection[Row(rate, what)]]
        cells = _by_detector(found, found.detection, (rate, what), _delays)
        rows.append([what, *cells, _both(onset)])
    return table(["", *found.sizes.detectors, "Understudy, from the onset"], rows)


def _delays(outages: list[Detection]) -> str:
    delays = [one.from_failing for one in outages]
    missed = sum(delay == NEVER for delay in delays) / len(delays)
    if missed == 1.0:
        return "never"
    return f"{_both(delays)} ({missed:.0%} never)" if missed else _both(delays)


def _failed(found: Findings, rate: float) -> str:
    rows = [
        [what, *_by_detector(found, found.detection, (rate, what), _failures)] for what in ILLNESSES
    ]
    return table(["", *found.sizes.detectors], rows)


def _failures(outages: list[Detection]) -> str:
    by_then = mean(one.failed for one in outages)
    return f"{by_then:.1f} / {mean(one.failed_in_all for one in outages):.1f}"


def _recoveries(found: Findings) -> str:
    rows = []
    for rate in found.sizes.rates:
        for what in OUTAGES:
            for name in found.sizes.detectors:
                ends = found.recovery[Row(rate, what, name)]
                seen = f"{len(ends):,} of {len(found.detection[Row(rate, _WHOLE, name)]):,}"
                rows.append([f"{rate:g}", what, name, seen, *_recovery(ends)])
    head = ["calls a minute", "outage", "detector", "open when it ended", "callers' calls a minute"]
    head += ["probes a minute", "last rest", "closed after healing", "all traffic, after closing"]
    return table(head, rows)


def _recovery(ends: list[Recovery]) -> list[str]:
    if not ends:
        return [""] * 5
    minutes = sum(end.open_seconds for end in ends) / 60.0
    rest = quantile([end.rest for end in ends], 0.5)
    return [
        _rate(sum(end.calls for end in ends) / minutes),
        _rate(sum(end.probes for end in ends) / minutes),
        "" if rest == NEVER else _seconds(rest),
        _both([end.closed for end in ends]),
        "at once" if rest == NEVER else _seconds(max(end.ramp for end in ends)),
    ]


def _rate(a_minute: float) -> str:
    return f"{a_minute:.2f}" if a_minute else "0"


def _frailty(found: Findings) -> str:
    rows = [
        [f"{rate:g}", what, *_by_detector(found, found.frailty, (rate, what), _refusals)]
        for rate in found.sizes.rates
        for what in FRAIL
        if Row(rate, what) in found.frailty
    ]
    return table(["calls a minute", "strong again after", *found.sizes.detectors], rows)


def _refusals(ends: list[Frailty]) -> str:
    refused, openings = mean(end.refused for end in ends), mean(end.openings for end in ends)
    return f"{refused:.2f} / {openings:.2f}"


def _flapping(found: Findings) -> str:
    rows = [
        [f"{rate:g}", what, *_by_detector(found, found.flapping, (rate, what), _flaps)]
        for rate in found.sizes.rates
        for what in COMINGS
    ]
    return table(["calls a minute", "for an hour", *found.sizes.detectors], rows)


def _flaps(hours: list[Flapping]) -> str:
    openings = [hour.openings for hour in hours]
    failed, given_up = mean(hour.failed for hour in hours), mean(hour.given_up for hour in hours)
    return f"{quantile(openings, 0.5)} / {max(openings)}; {failed:.0f}; {given_up:.0%}"


def _both(seconds: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{_seconds(quantile(seconds, 0.5))} / {_seconds(quantile(seconds, 0.95))}"


def _seconds(value: float) -> str:
    if value == NEVER:
        return "never"
    return f"{value:.1f} s" if value < 99.95 else f"{value / 60.0:.1f} min"


def write(part: str, page: Path = _PAGE) -> None:
    """Puts the part between the markers of the page; the prose around it stays.

    Raises:
        ValueError: The page has no markers.
    """
    put(page, "detection", part)


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit code: 0, or 1 where a goal is missed."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--write", action="store_true", help="rewrite docs/detection.md")
    told.add_argument("--days", type=int, default=Sizes.days, help="healthy days")
    told.add_argument("--seeds", type=int, default=Sizes.seeds, help="outages of each kind")
    told.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    options = told.parse_args(arguments)
    found = collect(Sizes(options.days, options.seeds), options.processes, _tell)
    sys.stderr.write("\n")
    goals = judge(found)
    part = render(found, goals)
    say(part)
    if options.write:
        write(part)
    return 0 if all(goal.met for goal in goals) else 1


def _tell(progress: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{progress}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
