"""Scripted incidents, and whether attribution names them.

python tests/simulation/sim_incidents.py --seeds 50            prints the table
python tests/simulation/sim_incidents.py --seeds 50 --write    … into docs/attribution.md
python tests/simulation/sim_incidents.py --tell "key revoked" --seed 7
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.sim_incident_scripts import HARDER, INCIDENTS, WELL, Script, nothing
from simulation.sim_incident_world import World, play
from support_pages import put, say
from understudy.policy.attribute import Cause, CauseKind, explain
from understudy.policy.evidence import Evidence

__all__ = [
    "FIRST_SEED",
    "JUDGED",
    "LOOKS",
    "NOISES",
    "RIGHT",
    "WRONG",
    "Judgement",
    "Row",
    "judge",
    "meets",
    "table",
    "tally",
]

#: Seconds after the first failing call at which is looked, and the one that counts.
LOOKS = (30.0, 60.0, 300.0)
JUDGED = 60.0
#: The goals: the share of worlds in which the cause is named, and another one.
RIGHT, WRONG = 0.95, 0.01
#: The first of the worlds that count: none of them was looked at while the figures were chosen.
FIRST_SEED = 10_000
#: Shares of calls that fail while nothing is wrong.
NOISES = (0.01, 0.03)
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "attribution.md"

#: For each look, how often it was `right`, `wrong` or `unknown`.
Row = dict[float, Counter[str]]


class Judgement(NamedTuple):
    """What was said at one look, and what to think of it."""

    verdict: str
    causes: list[Cause]
    script: Script


def judge(
    name: str, seed: int, noise: float, looks: tuple[float, ...] = LOOKS
) -> dict[float, Judgement]:
    """One incident in one world, at each look."""
    world = World(Random(f"{name} {seed} {noise}"), noise).build()
    script = (INCIDENTS | HARDER | {WELL: nothing})[name](world)
    told: dict[float, Judgement] = {}
    waits = iter(looks)

    def see(evidence: Evidence, now: float) -> None:
        causes = explain(evidence.snapshot(now), (), now)
        told[next(waits)] = Judgement(_verdict(script, causes), causes, script)

    play(world, script, looks, see)
    return told


def _verdict(script: Script, causes: list[Cause]) -> str:
    if script.is_none:
        named = bool(causes) and causes[0].kind is not CauseKind.UNKNOWN
        return "wrong" if named else "unknown" if causes else "right"
    if not causes or causes[0].kind is CauseKind.UNKNOWN:
        return "unknown"
    return "right" if script.is_named_by(causes[0]) else "wrong"


def tally(name: str, seeds: int, looks: tuple[float, ...] = LOOKS) -> Row:
    """One incident in as many worlds at each level of noise."""
    row: Row = {look: Counter() for look in looks}
    for noise in NOISES:
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            for look, judgement in judge(name, seed, noise, looks).items():
                row[look][judgement.verdict] += 1
    return row


def table(seeds: int) -> Iterator[tuple[str, bool]]:
    """The table, line by line as it is made, and whether each meets its goals."""
    columns = "".join(f" {look:.0f} s |" for look in LOOKS)
    yield f"| right / wrong / unknown, % of {seeds * len(NOISES)} worlds, after |{columns}", True
    yield "|---|" + "---|" * len(LOOKS), True
    for names in (INCIDENTS, (WELL,), HARDER):
        for name in names:
            row = tally(name, seeds)
            cells = " | ".join(_cell(row[look]) for look in LOOKS)
            mark = " *(harder)*" if name in HARDER else ""
            yield f"| {name}{mark} | {cells} |", name in HARDER or meets(row[JUDGED])


def meets(counts: Counter[str]) -> bool:
    """Whether a row meets the goals: right 95 times of 100, wrong once."""
    total = counts.total()
    return counts["right"] >= RIGHT * total and counts["wrong"] <= WRONG * total


def _cell(counts: Counter[str]) -> str:
    total = sum(counts.values())
    verdicts = ("right", "wrong", "unknown")
    return " / ".join(f"{100.0 * counts[verdict] / total:.0f}" for verdict in verdicts)


def _tell(name: str, seed: int) -> None:
    for noise in NOISES:
        for look, (verdict, causes, script) in judge(name, seed, noise).items():
            nodes = ", ".join(sorted(script.nodes - {""}))
            sys.stdout.write(f"\n{noise:.0%} noise, {look:.0f} s: {verdict} ({nodes})\n")
            for cause in causes:
                at = cause.node or cause.about
                sys.stdout.write(f"  {cause.kind} {at} {cause.share:.0%}\n")
                sys.stdout.writelines(f"    + {line}\n" for line in cause.evidence_for)
                sys.stdout.writelines(f"    - {line}\n" for line in cause.evidence_against)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="into docs/attribution.md")
    parser.add_argument("--tell", metavar="INCIDENT", help="what is said of one")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    asked = parser.parse_args()
    if asked.tell:
        _tell(asked.tell, asked.seed)
        return
    lines, missed = [], []
    for line, met in table(asked.seeds):
        say(line)
        lines.append(line)
        if not met:
            missed.append(line)
    if asked.write:
        put(_PAGE, "attribution", "\n".join(lines))
    if missed:
        sys.exit("missed its goals:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
