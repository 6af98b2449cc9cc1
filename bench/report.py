"""What was found: goals, tables, conditions, and their place in docs/benchmarks.md."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from cpu import Memory
from failover import Episode
from gateways import GATEWAYS
from leaks import Leaks
from load import WORKLOADS, wrk_version
from memory import GROWTH_LIMIT, Growth
from outage import PHASES, WELL, Outage, Tally
from page import CONDITIONS, GOALS
from streams import BROKEN, CUT, Load, Run

__all__ = ["Cell", "Findings", "Goal", "Sample", "conditions", "goals", "render"]

#: CPU time a request, at most so many times nginx's for the same workload. nginx cannot translate:
#: what it needs to pass the same request through, in the same round, is the unit there.
_RATIOS = (("json", 3.0), ("sse", 1.5), ("translate", 4.0))
#: Resident memory after the first 10⁵ requests, bytes.
_RSS_LIMIT = 100_000_000
#: Of a stream among a thousand: what is added to a chunk's way at p99, µs, and memory, bytes.
_ADDED_LIMIT, _STREAM_LIMIT = 10_000, 64_000


@dataclass(frozen=True)
class Sample:
    """One gateway, one workload, one round."""

    cpu_us: float
    rate: float
    fault: str


@dataclass
class Cell:
    """One gateway, one workload."""

    #: Bytes of a proper answer's body.
    length: int = 0
    #: Why the row is void; empty where it is not.
    fault: str = ""
    samples: list[Sample] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the figures may be used."""
        return bool(self.samples) and not self.fault

    @property
    def best(self) -> float:
        """CPU a request in the best round, µs."""
        return min(sample.cpu_us for sample in self.samples)

    @property
    def median(self) -> float:
        """CPU a request in the median round, µs."""
        return median(sample.cpu_us for sample in self.samples)


@dataclass
class Findings:
    """Everything that was measured."""

    versions: dict[str, str] = field(default_factory=dict)
    #: Gateways that did not start, and why.
    absent: dict[str, str] = field(default_factory=dict)
    #: By workload and gateway.
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    #: After the rounds.
    resident: dict[str, Memory] = field(default_factory=dict)
    growth: Growth | None = None
    leaks: Leaks | None = None
    failover: list[Episode] | None = None
    streams: list[Run] | None = None
    outage: Outage | None = None

    def sound(self, workload: str, gateway: str) -> Cell | None:
        """The cell, where it may be used."""
        cell = self.cells.get((workload, gateway))
        return cell if cell and cell.sound else None


@dataclass(frozen=True)
class Goal:
    """A goal and whether it was met."""

    text: str
    found: str
    met: bool


def goals(findings: Findings) -> list[Goal]:
    """The goals that this run can speak of. Judged on medians."""
    judged = []
    judged_here = "understudy" in findings.versions or "understudy" in findings.absent
    measured = {workload for workload, _ in findings.cells} if judged_here else set()
    for workload, limit in _RATIOS:
        if workload in measured:
            text = f"{WORKLOADS[workload].title}: at most {limit:g} × nginx's CPU a request"
            judged.append(_ratio_goal(findings, text, (workload, workload, "nginx"), limit))
    if (judged_here and ("json", "envoy") in findings.cells) or "envoy" in findings.absent:
        text = "JSON, passed through: less CPU a request than Envoy"
        judged.append(_ratio_goal(findings, text, ("json", "json", "envoy"), 1.0))
    if findings.growth:
        judged += _memory_goals(findings.growth)
    if findings.leaks:
        judged += _leaks_goals(findings.leaks)
    if findings.failover is not None:
        failures = sum(episode.failures for episode in findings.failover)
        text = "A provider fails under load: no caller sees a failure"
        judged.append(Goal(text, f"{failures} failures", failures == 0))
    judged += _streams_goals(findings.streams or [])
    if findings.outage:
        judged += _outage_goals(findings.outage)
    judged += [Goal(f"{name} takes part", "not run", False) for name in findings.absent]
    return judged


def _ratio_goal(findings: Findings, text: str, against: tuple[str, str, str], limit: float) -> Goal:
    workload, unit, peer = against
    ours, theirs = findings.sound(workload, "understudy"), findings.sound(unit, peer)
    if ours is None or theirs is None:
        return Goal(text, "no sound figures", False)
    ratio = ours.median / theirs.median
    return Goal(text, f"{ratio:.2f} × {peer}", ratio <= limit)


def _memory_goals(growth: Growth) -> list[Goal]:
    limit, more = f"{_RSS_LIMIT / 1e6:.0f} MB", f"{GROWTH_LIMIT / 1e6:.0f} MB"
    first = growth.first.rss
    sound = not growth.fault
    return [
        Goal(
            f"Resident memory after {growth.requests:,} requests: at most {limit}",
            f"{first / 1e6:.1f} MB",
            sound and first <= _RSS_LIMIT,
        ),
        Goal(
            f"… and after {growth.requests:,} more: at most {more} larger",
            f"{growth.grown / 1e6:+.1f} MB",
            sound and growth.grown <= GROWTH_LIMIT,
        ),
    ]


def _leaks_goals(leaks: Leaks) -> list[Goal]:
    what = f"{leaks.requests:,} requests, {leaks.faults:,} faults"
    more, grown = f"{GROWTH_LIMIT / 1e6:.0f} MB", f"{leaks.grown / 1e6:+.1f} MB"
    left = leaks.after.beyond(leaks.before)
    return [
        Goal(f"{what}: no socket, task or request left", left or "none", not left),
        Goal(
            f"{what}: the second half grows by {more} at most", grown, leaks.grown <= GROWTH_LIMIT
        ),
        Goal(f"{what}: all whole", _one_line(leaks.fault) or "all", not leaks.fault),
    ]


def _streams_goals(runs: list[Run]) -> list[Goal]:
    judged = []
    direct = next((run for run in runs if run.name == "direct"), None)
    for run in runs:
        if run.name not in {"understudy", BROKEN}:
            continue
        what = f"{run.streams:,} streams"
        if run.name == BROKEN:
            what += f", every {CUT}th broken"
        added = _added(run, direct)
        size = run.bytes_a_stream
        judged += [
            Goal(
                f"{what}: p99 added to a chunk at most {_ADDED_LIMIT / 1000:.0f} ms",
                "no sound figures" if added is None else f"{added / 1000:.2f} ms",
                added is not None and added <= _ADDED_LIMIT,
            ),
            Goal(
                f"{what}: at most {_STREAM_LIMIT / 1000:.0f} KB a stream",
                f"{size / 1000:.1f} KB" if run.busy else "no sound figures",
                run.busy is not None and size <= _STREAM_LIMIT,
            ),
            Goal(f"{what}: all whole", _one_line(run.fault) or "all", not run.fault),
        ]
    return judged


def _added(run: Run, direct: Run | None) -> int | None:
    """What the way through adds at p99, µs: with it less without it."""
    if run.load is None or direct is None or direct.load is None:
        return None
    return run.load.latency.p99 - direct.load.latency.p99


def _outage_goals(outage: Outage) -> list[Goal]:
    judged = []
    what = f"{outage.minutes:g} minutes of outages"
    for tally in outage.tallies:
        if tally.absent:
            judged.append(Goal(f"{what}: {tally.name} takes part", "not run", False))
        elif tally.name == "understudy":
            failed, wrong = tally.count("failed"), tally.count("truncated", "other")
            whole = f"of {tally.count():,}"
            judged += [
                Goal(f"{what}: no hard failure", f"{failed} {whole}", failed == 0),
                Goal(f"{what}: no truncated answer", f"{wrong} {whole}", wrong == 0),
            ]
    return judged


def conditions(rounds: int, seconds: int, connections: int, findings: Findings) -> str:
    """Under which conditions the figures came about."""
    cores = f"{os.cpu_count()} cores; gateway on core 1, wrk and the provider's stub on core 0"
    few = [
        f"{gateway.name} -c{gateway.connections}"
        for gateway in GATEWAYS.values()
        if gateway.connections and gateway.name in findings.versions
    ]
    load = f"wrk {wrk_version()}, -t1 -c{connections} -d{seconds}s"
    rows = {
        "Date": f"{datetime.now(UTC):%d %b %Y, %H:%M} UTC",
        "CPU": f"{_cpu_model()}, {cores}",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Python of the stub": platform.python_version(),
        "Load": load + (f" ({', '.join(few)})" if few else ""),
        "Rounds": f"{rounds}, interleaved, after a warm-up",
        "Load average at the end": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    rows |= {f"{name}": version for name, version in findings.versions.items()}
    return _table(["", ""], [[name, value] for name, value in rows.items()])


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def render(findings: Findings, conditions: str, goals: list[Goal]) -> str:
    """The part of the page between the markers."""
    parts = [f"### {CONDITIONS}", conditions]
    if goals:
        rows = [[goal.text, goal.found, "PASS" if goal.met else "**FAIL**"] for goal in goals]
        parts += [f"### {GOALS}", _table(["goal", "found", ""], rows)]
    for name, workload in WORKLOADS.items():
        if any(key[0] == name for key in findings.cells):
            parts += [f"### {workload.title}", _workload(findings, name)]
    if findings.resident:
        rows = [
            [name, f"{size.rss / 1e6:.0f}", f"{size.pss / 1e6:.0f}"]
            for name, size in findings.resident.items()
        ]
        parts += ["### Memory after the rounds, MB", _table(["gateway", "RSS", "PSS"], rows)]
    programs: list[tuple[str, object, Callable[[Any], str]]] = [
        ("Understudy's memory over time, MB", findings.growth, _growth),
        ("What requests with faults leave behind", findings.leaks, _leaks),
        ("A provider fails under load", findings.failover, _failover),
        ("Many streams at a steady pace", findings.streams, _streams),
        ("Minutes of outages", findings.outage, _outage),
    ]
    for title, found, show in programs:
        if found:
            parts += [f"### {title}", show(found)]
    for name, reason in findings.absent.items():
        parts.append(f"{name} was not run:\n\n```\n{reason}\n```")
    return "\n\n".join(parts)


def _workload(findings: Findings, workload: str) -> str:
    unit = findings.sound(workload, "nginx")
    passes = WORKLOADS[workload].translated
    rows = []
    for name in GATEWAYS:
        cell = findings.cells.get((workload, name))
        if cell is None:
            continue
        if not cell.sound:
            rows.append([name, f"**FAILED**: {_one_line(cell.fault)}", "", "", "", ""])
            continue
        rate = median(sample.rate for sample in cell.samples)
        ratios = ["", ""]
        if unit:
            ratios = [f"{cell.best / unit.best:.2f}", f"{cell.median / unit.median:.2f}"]
        shown = f"{name}, passing it through" if passes and name == "nginx" else name
        rows.append([shown, f"{cell.best:,.1f}", f"{cell.median:,.1f}", *ratios, f"{rate:,.0f}"])
    head = ["gateway", "CPU µs, best", "median", "× nginx, best", "median", "requests/s"]
    return _table(head, rows)


def _growth(growth: Growth) -> str:
    readings = {
        "started": growth.started,
        f"after {growth.requests:,} requests": growth.first,
        f"after {growth.requests:,} more": growth.second,
    }
    rows = [[name, f"{at.rss / 1e6:.1f}", f"{at.pss / 1e6:.1f}"] for name, at in readings.items()]
    table = _table(["", "RSS", "PSS"], rows)
    return f"{table}\n\n**FAILED**: {growth.fault}" if growth.fault else table


def _leaks(leaks: Leaks) -> str:
    rows = [
        [when, f"{held.sockets}", f"{held.tasks}", f"{held.requests}"]
        for when, held in (("before", leaks.before), ("after", leaks.after))
    ]
    return (
        f"{leaks.requests:,} requests, {leaks.faults:,} attempts that failed, {leaks.continued:,}"
        f" streams continued; RSS {leaks.half / 1e6:.1f} MB after half of them,"
        f" {leaks.rss / 1e6:.1f} MB after all.\n\n"
    ) + _table(["", "sockets", "tasks", "open requests"], rows)


def _failover(episodes: list[Episode]) -> str:
    rows = [
        [
            episode.mode,
            f"{episode.seconds}",
            f"{episode.requests:,}",
            f"{episode.failures}" + (f" ({episode.fault})" if episode.fault else ""),
            f"{episode.attempts_sick:,}",
            f"{episode.attempts:,}",
            f"{episode.longest_ms:,.0f}",
        ]
        for episode in episodes
    ]
    head = ["sickness", "seconds", "requests", "failures seen by callers"]
    head += ["attempts at it while sick", "in all", "longest wait, ms"]
    return _table(head, rows)


def _streams(runs: list[Run]) -> str:
    direct = next((run for run in runs if run.name == "direct"), None)
    rows, loads = [], []
    for run in runs:
        if run.load is None:
            rows.append([run.name, f"**FAILED**: {_one_line(run.fault)}", *[""] * 8])
            continue
        times, added = run.load.latency, _added(run, direct)
        gateway = [f"{run.cpu:.0%}", f"{run.bytes_a_stream / 1000:.1f}"] if run.busy else ["", ""]
        rows.append(
            [
                run.name,
                *(f"{us / 1000:.2f}" for us in (times.p50, times.p99, times.p999, times.max)),
                "" if added is None or not run.busy else f"{added / 1000:.2f}",
                *gateway,
                f"{run.load.whole:,}",
                f"**{_one_line(run.fault)}**" if run.fault else "none",
            ]
        )
        loads.append(
            [
                run.name,
                f"{run.rate:,.0f}",
                f"{run.load.cpu:.0%}",
                *(f"{us / 1000:.2f}" for us in (run.load.lateness.p50, run.load.lateness.p99)),
            ]
        )
    head = ["way", "ms from sending to receipt, p50", "p99", "p99.9", "max", "p99 added"]
    head += ["of a core", "KB a stream", "streams read whole", "faults"]
    load = ["way", "chunks/s", "the load's share of its core", "its own lag, ms, p50", "p99"]
    parts = [_table(head, rows), "The load program itself:", _table(load, loads)]
    parts += [_seams(run.load) for run in runs if run.name == BROKEN and run.load]
    return "\n\n".join(parts)


def _seams(load: Load) -> str:
    gap = load.seams
    return (
        f"Broken streams: {load.cuts:,} resets by the provider, {load.continued:,} requests to go"
        f" on, {load.marks:,} seams marked; from the last chunk before the break to the first after"
        f" it {gap.p50 / 1000:.0f} ms (p50), {gap.p99 / 1000:.0f} ms (p99), {gap.max / 1000:.0f} ms"
        f" (longest). Words missing: {load.missing}; twice: {load.doubled};"
        f" bytes of other text: {load.foreign}."
    )


def _outage(outage: Outage) -> str:
    head = ["contestant", "requests", "whole", "hard failures", "truncated, taken for success"]
    head += ["other text", "first content, s, p50", "p99", "attempts at the sick primary"]
    present = [tally for tally in outage.tallies if not tally.absent]
    phases = [
        [phase.name, *(_phase(tally, phase.name) for tally in present)] for phase in (*PHASES, WELL)
    ]
    reasons = [
        [tally.name, _one_line("; ".join(f"{why} ({n})" for why, n in tally.reasons()))]
        for tally in present
    ]
    what = (
        f"{outage.minutes:g} minutes, {outage.rate:g} requests a second of each contestant, each"
        f" sickness for {outage.sick_seconds:.0f} s; callers: openai-python {outage.sdk}."
    )
    return "\n\n".join(
        [
            what,
            _table(head, [_contestant(tally) for tally in outage.tallies]),
            "Hard failures + answers not whole, of requests begun while the primary was:",
            _table(["the primary", *(tally.name for tally in present)], phases),
            "The commonest of them:",
            _table(["contestant", "what callers saw"], reasons),
        ]
    )


def _contestant(tally: Tally) -> list[str]:
    if tally.absent:
        return [tally.name, f"**not run**: {_one_line(tally.absent)}", *[""] * 7]
    first, slow = tally.first(0.5), tally.first(0.99)
    return [
        tally.name,
        *(f"{count:,}" for count in (tally.count(), tally.count("whole"))),
        *(f"{tally.count(outcome):,}" for outcome in ("failed", "truncated", "other")),
        *("" if time is None else f"{time:.2f}" for time in (first, slow)),
        f"{tally.attempts_sick:,}",
    ]


def _phase(tally: Tally, phase: str) -> str:
    failed, wrong = (
        tally.count(*outcomes, phase=phase) for outcomes in (("failed",), ("truncated", "other"))
    )
    return f"{failed} + {wrong} of {tally.count(phase=phase)}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:300]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
