"""`make store-outage`: four workers, and their PostgreSQL away for a minute, stopped and frozen.

    python tests/store_away/store_outage.py --write        # into docs/processes.md; about 8 minutes
    python tests/store_away/store_outage.py --seconds 20 --only stopped

Callers go on asking all the time, and so do those who ask for jobs. While the store is away a
provider falls ill for all workers, and a target for one of them alone. Exits 1 where something did
not hold that docs/processes.md promises.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from store_away.outage_callers import Callers, Jobs, ask_once
from store_away.outage_house import House, model_of, target_of
from store_away.outage_workers import Crew
from support_pages import machine, put, table
from support_pages import say as tell
from support_tasks import meanwhile

PAGE = Path(__file__).resolve().parents[2] / "docs/processes.md"
WORKERS = 4
#: Seconds: before anything happens, and that anything may take.
SETTLE, PATIENCE = 10.0, 600.0
#: How often it is measured how soon all know what one has found.
SPREADS = 5
#: Goals, in seconds.
AGREE_WITHIN, KNOWN_WITHIN = 5.0, 1.0


@dataclass
class Outage:
    """What was seen of one. Seconds count from when the store was there again; None: not at all."""

    kind: str
    differed: bool = False
    agreed: float | None = None
    accepted: float | None = None
    done: float | None = None
    #: Jobs that were under way when the store went, and when the last of them was done.
    caught: int = 0
    caught_up: float | None = None
    refused: int = 0


@dataclass
class Report:
    """Everything that was measured."""

    seconds: float
    outages: list[Outage] = field(default_factory=list)
    spread: list[float | None] = field(default_factory=list)
    #: Workers → probes at a sick target within a minute.
    probes: dict[int, int] = field(default_factory=dict)
    callers: Callers | None = None
    jobs: Jobs | None = None


def say(text: str) -> None:
    """A line for whoever watches, and when it was said."""
    tell(f"{datetime.now(UTC):%H:%M:%S} {text}")


class Scene:
    """Four workers, and what they are asked."""

    def __init__(self, house: House, crew: Crew) -> None:
        self.house = house
        self.crew = crew
        #: Fragile targets that have fallen ill, in order; they stay so.
        self._sick: list[str] = []

    async def open_in_one(self) -> tuple[str, float]:
        """Let one worker find out that a target is sick: which one, and when it had (monotonic)."""
        number = len(self._sick)
        target = target_of(number)
        self._sick.append(model_of(number))
        self.house.secondary.fail(*self._sick)
        # One connection: one worker.
        async with (
            httpx.AsyncClient(base_url=self.house.relay, timeout=PATIENCE) as client,
            meanwhile(_ask_for_ever(client, f"lonely-{number}")),
        ):
            at = await self.crew.until(lambda known: any(target in one.left_alone for one in known))
        if at is None:
            raise RuntimeError("no breaker opened")
        return target, at

    async def measure_spread(self) -> float | None:
        """Seconds until all know what one has found."""
        target, first = await self.open_in_one()
        last = await self.crew.until(
            lambda known: all(target in one.left_alone for one in known), 30.0
        )
        return None if last is None else last - first

    async def measure_probes(self, seconds: float) -> int:
        """Probes at a target that is sick, and that no caller asks for, in so many seconds."""
        await self.open_in_one()
        model = self._sick[-1]
        before = len(self.house.secondary.asked(model))
        await asyncio.sleep(seconds)
        return len(self.house.secondary.asked(model)) - before


async def _ask_for_ever(client: httpx.AsyncClient, feature: str) -> None:
    while True:
        got = await client.post("/v1/messages", json=ask_once(feature))
        got.raise_for_status()


async def measure_outage(
    scene: Scene, callers: Callers, jobs: Jobs, outage: Outage, seconds: float
) -> None:
    """One outage of so many seconds, from beginning to end."""
    house, crew, kind = scene.house, scene.crew, outage.kind
    callers.phase = f"{kind}, away"
    gone = time.monotonic()
    refused = len(jobs.refused)
    async with house.cluster.away_from_loop(kind):
        caught = list(jobs.open_since(gone))
        await asyncio.sleep(seconds / 6)
        say(f"{kind}: the primary is overloaded")
        house.primary.fail("*")
        await asyncio.sleep(seconds / 4)
        house.primary.heal()
        say(f"{kind}: one worker finds a target sick")
        await scene.open_in_one()
        await asyncio.sleep(max(0.0, gone + seconds - time.monotonic()))
        outage.differed = len({one.left_alone for one in await crew.known()}) > 1
    back = time.monotonic()
    callers.phase = f"{kind}, after"
    say(f"{kind}: the store is back")
    agreed = await crew.until(
        lambda known: (
            len({one.left_alone for one in known}) == 1 and all(one.reachable for one in known)
        )
    )
    outage.agreed = None if agreed is None else agreed - back
    if agreed is None:
        for one in await crew.known():
            say(f"{kind}: {one}")
    outage.accepted = await _first(lambda: [at for at in jobs.accepted if at > back], back)
    outage.done = await _first(lambda: [at for _, at, _ in jobs.ended if at > back], back)
    outage.caught = len(caught)
    outage.caught_up = await _first(
        lambda: [] if any(path in jobs.waiting for path in caught) else [time.monotonic()], back
    )
    outage.refused = len(jobs.refused) - refused
    say(f"{kind}: {outage}")


async def _first(found: Callable[[], list[float]], since: float) -> float | None:
    """Seconds until something is found."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if moments := found():
            return min(moments) - since
        await asyncio.sleep(0.05)
    return None


async def measure(report: Report, kinds: list[str], folder: Path) -> None:
    """Everything with four workers, and the probes of one process beside it."""
    with House(WORKERS, folder) as house:
        callers, jobs = Callers(house.relay), Jobs(house.relay)
        report.callers, report.jobs = callers, jobs
        scene = Scene(house, await Crew.find(house.web, WORKERS))
        say(f"{WORKERS} workers serve at {house.relay}")
        async with callers.going_on(), jobs.going_on():
            await asyncio.sleep(SETTLE)
            for _ in range(SPREADS):
                report.spread.append(await scene.measure_spread())
                say(f"known in all after {report.spread[-1]} s")
            report.probes[WORKERS] = await scene.measure_probes(report.seconds)
            say(f"probes: {report.probes}")
            for kind in kinds:
                outage = Outage(kind)
                report.outages.append(outage)
                await measure_outage(scene, callers, jobs, outage, report.seconds)
            callers.phase = "at the end"
            say("waiting for the last jobs")
            await jobs.finish(PATIENCE)
        await scene.crew.close()
    with House(1, folder) as house:
        scene = Scene(house, await Crew.find(house.web, 1))
        report.probes[1] = await scene.measure_probes(report.seconds)
        await scene.crew.close()


def faults(report: Report) -> list[str]:
    """What did not hold."""
    callers, jobs = report.callers, report.jobs
    found = list(callers.words[:20]) + list(jobs.strange[:20])
    found += [f"job {path} has not ended" for path in jobs.left[:20]]
    found += [f"a job has {status}" for _, _, status in jobs.ended if status != "succeeded"]
    for outage in report.outages:
        for what in ("agreed", "accepted", "done", "caught_up"):
            if getattr(outage, what) is None:
                found.append(f"{outage.kind}: never {what}")
        if not outage.differed:
            found.append(f"{outage.kind}: no state differed")
        if (outage.agreed or 0.0) > AGREE_WITHIN:
            found.append(f"{outage.kind}: states agreed after {outage.agreed:.1f} s")
    if any(one is None or one > KNOWN_WITHIN for one in report.spread):
        found.append(f"not known in all within {KNOWN_WITHIN} s: {report.spread}")
    if report.probes[WORKERS] > report.probes[1]:
        found.append(f"more probes than one process sends: {report.probes}")
    return found


def tables(report: Report) -> str:
    """For the page."""
    callers, jobs = report.callers, report.jobs

    def s(value: float | None) -> str:
        return "never" if value is None else f"{max(value, 0.0):.1f} s"

    def asked(phase: str) -> str:
        return f"{callers.asked[phase]:,}, {callers.failed[phase]}"

    kinds = [outage.kind for outage in report.outages]
    rows = [
        ["relay requests while it was away, failed", *(asked(f"{k}, away") for k in kinds)],
        ["the slowest of them", *(s(callers.slowest.get(f"{k}, away")) for k in kinds)],
        ["relay requests after it was back, failed", *(asked(f"{k}, after") for k in kinds)],
        [
            "workers knew different things just before it was back",
            *("yes" if o.differed else "no" for o in report.outages),
        ],
        ["after which all knew the same", *(s(o.agreed) for o in report.outages)],
        ["first job accepted after", *(s(o.accepted) for o in report.outages)],
        ["first job seen done after", *(s(o.done) for o in report.outages)],
        [
            "jobs under way when it went; all done after",
            *(f"{o.caught}; {s(o.caught_up)}" for o in report.outages),
        ],
        ["jobs refused meanwhile (503)", *(str(o.refused) for o in report.outages)],
    ]
    first = table([f"PostgreSQL for {report.seconds:.0f} s", *kinds], rows)
    failed = sum(status != "succeeded" for _, _, status in jobs.ended)
    spread = [one for one in report.spread if one is not None]
    second = (
        f"Of {jobs.followed} accepted jobs {len(jobs.left)} were lost and {failed} failed. A "
        f"breaker that opened in one worker was known in all {WORKERS} after "
        f"{max(spread, default=0.0):.2f} s at most "
        f"({len(spread)} times of {len(report.spread)}). Probes at a target that was sick for "
        f"{report.seconds:.0f} s: {report.probes[WORKERS]} of {WORKERS} workers together, "
        f"{report.probes[1]} of one process alone."
    )
    return f"{first}\n\n{second}\n\n{machine()}."


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="that the store is away")
    parser.add_argument("--only", choices=["stopped", "frozen"], help="one of the two")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    told = parser.parse_args()
    report = Report(told.seconds)
    with tempfile.TemporaryDirectory(prefix="understudy-outage-") as folder:
        kinds = [told.only] if told.only else ["stopped", "frozen"]
        asyncio.run(measure(report, kinds, Path(folder)))
    text = tables(report)
    say(f"\n{text}")
    if told.write:
        put(PAGE, "store-outage", text)
    found = faults(report)
    for fault in found:
        say(f"FAULT {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
