"""One store, its processes and its callers, and a schedule of kills drawn from a seed."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from durability.kill_audit import audit, make_old
from durability.kill_callers import Callers
from durability.kill_houses import House, PostgresHouse
from durability.kill_ledger import Ledger, Told
from durability.kill_requests import FEATURES

__all__ = ["Lane", "Report"]

#: Scenes of a kill, and how often each is drawn.
SCENES = {
    "at any moment": 30,
    "during the start": 16,
    "as a request comes in": 14,
    "right after a 202": 8,
    "as a job begins": 10,
    "as an answer ends": 12,
    "as a job is cancelled": 5,
    "while old jobs are forgotten": 5,
}
CALLERS = 8
#: The longest life, in starts of a process (a second at least).
LIFE = 2.0
#: Seconds that a scene may take to come about; then the kill comes anyway.
SCENE_SECONDS = 3.0
#: Seconds after the last kill in which everything has to end: a lease, a provider that is
#: overloaded at every second request, with up to 60 s between two tries, and a slow machine.
DRAIN_SECONDS = 600.0
#: Old jobs made at once.
OLD_AT_ONCE = 30


@dataclass
class Report:
    """What a lane has done and found."""

    name: str
    kills: int = 0
    victims: Counter[str] = field(default_factory=Counter)
    scenes: Counter[str] = field(default_factory=Counter)
    #: What was cut off: how many kills met at least one of it.
    cut: Counter[str] = field(default_factory=Counter)
    store: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    #: Starts that ended by themselves, because the database did not answer.
    vain_starts: int = 0
    seconds: float = 0.0
    drain_seconds: float = 0.0


class Lane:
    """Runs the kills of one store.

    Args:
        house: what is killed.
        kills: how often.
        seed: of the schedule, the requests and the callers.
    """

    def __init__(self, house: House, kills: int, seed: int) -> None:
        self.house = house
        self.report = Report(house.name)
        self._kills = kills
        self._chance = random.Random(seed)
        self._callers = Callers(self.report.ledger, house.processes, seed + 1)

    async def run(self) -> Report:
        """Kill, again and again; then let everything end, and look."""
        began = time.monotonic()
        await self.house.open()
        self._callers.begin(CALLERS)
        try:
            while self.report.kills < self._kills:
                await self._kill_once()
            await self._callers.stop()
            await self._drain()
        finally:
            await self._callers.close()
        self.report.vain_starts = self.house.vain_starts
        self.report.seconds = time.monotonic() - began
        return self.report

    # -- one kill -----------------------------------------------------------------------------

    async def _kill_once(self) -> None:
        (scene,) = self._chance.choices(list(SCENES), list(SCENES.values()))
        places = self._places(scene)
        await self._wait_for(scene, places)
        self._count(scene, places)
        if places:
            await asyncio.gather(*(self.house.processes[place].signal() for place in places))
        elif isinstance(self.house, PostgresHouse):
            await self.house.kill_server()
        for place in places:
            await self.house.start(place)
        if places and self._chance.random() < 0.15:
            # And once more before it is up.
            await asyncio.sleep(self._chance.uniform(0.0, self.house.start_seconds))
            self._count("during the start", places)
            await asyncio.gather(*(self.house.processes[place].signal() for place in places))
            for place in places:
                await self.house.start(place)
        for place in places:
            await self.house.up(place)

    def _places(self, scene: str) -> list[int]:
        """Which processes; none: the database's server."""
        if self.house.size == 1:
            return [0]
        drawn = self._chance.random()
        if drawn < 0.12 and scene not in {"during the start", "while old jobs are forgotten"}:
            return []
        return [0, 1] if drawn < 0.3 else [self._chance.randrange(2)]

    async def _wait_for(self, scene: str, places: list[int]) -> None:
        draw, moments = self._chance.uniform, self._callers.moments
        if scene in {"during the start", "while old jobs are forgotten"}:
            await self._restart(scene, places)
            return
        # So that there is something to lose.
        await asyncio.sleep(draw(0.0, LIFE * max(1.0, self.house.start_seconds)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SCENE_SECONDS):
                if scene == "as a request comes in":
                    await moments.next("asking")
                    await asyncio.sleep(draw(0.0, 0.012))
                elif scene == "right after a 202":
                    await moments.next("accepted")
                elif scene == "as a job begins":
                    await moments.next("running")
                elif scene == "as a job is cancelled":
                    await moments.next("cancelling")
                    await asyncio.sleep(draw(0.0, 0.006))
                elif scene == "as an answer ends":
                    told: Told = await moments.next("running")
                    seconds = FEATURES[told.ask.feature].seconds
                    await asyncio.sleep(max(0.0, seconds + draw(-0.02, 0.05)))

    async def _restart(self, scene: str, places: list[int]) -> None:
        """So that the kill meets the start. The one here counts for nothing."""
        await asyncio.gather(*(self.house.processes[place].signal() for place in places))
        is_purge = scene != "during the start"
        if is_purge:
            await asyncio.to_thread(self._make_old)
        for place in places:
            await self.house.start(place)
        # What is old is forgotten at the end of a start.
        least, most = (0.6, 1.3) if is_purge else (0.0, 1.0)
        await asyncio.sleep(self._chance.uniform(least, most) * self.house.start_seconds)

    def _count(self, scene: str, places: list[int]) -> None:
        report = self.report
        report.kills += 1
        report.scenes[scene] += 1
        names = {0: "the database's server", 1: "a process", 2: "both processes"}
        report.victims[names[len(places)]] += 1
        for name, count in self._callers.moments.under_way.items():
            report.cut[name] += count > 0

    def _make_old(self) -> None:
        """Some jobs have ended long ago, all of a sudden."""
        ended = [
            told
            for told in self.report.ledger.jobs
            if told.ending and told.reads and not told.is_old
        ]
        if not ended:
            return
        picked = self._chance.sample(ended, min(OLD_AT_ONCE, len(ended)))
        with contextlib.closing(self.house.look_inside()) as connection:
            make_old(connection, self.report.ledger, [told.id or "" for told in picked])

    # -- the end ------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Everything comes to its end; every result is read twice; then the store is read."""
        began = time.monotonic()
        ledger, callers = self.report.ledger, self._callers
        for told in list(ledger.told):
            if told.ask.key and told.is_unsure and not told.is_old:
                await callers.post(told)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while ledger.open:
                    for told in ledger.open:
                        await callers.look(told)
                    await asyncio.sleep(1.0)
        self.report.drain_seconds = time.monotonic() - began
        for told in ledger.open:
            ledger.fault("never ended", told)
        for _ in range(2):
            for told in ledger.jobs:
                await callers.read(told)
        await self.house.end()
        with contextlib.closing(self.house.look_inside()) as connection:
            self.report.store = audit(connection, ledger)
