"""Several processes hold a caller to one limit, in virtual time, over words that take a while."""

import asyncio
import contextlib
import itertools
import random

import pytest

from simulation.sim_loop import VirtualLoop
from understudy.core.allotment import Allotment, Holder
from understudy.policy.allotments import Allotments, shortage
from understudy.policy.meter import SILENT_SECONDS
from understudy.relay.fleet import Fleet
from understudy.relay.shared_limits import TELL_SECONDS, SharedLimits
from understudy.store.memory_bulletin import DELAY_SECONDS, Hub

#: How old the newest is that a process does not know of another yet.
UNKNOWN = TELL_SECONDS + DELAY_SECONDS
#: By then a process is known to the others.
SETTLED = 3.0
CALLER = "caller:web-app"


class Process:
    """What one process knows of one caller."""

    def __init__(self, hub, holder):
        self.loop = asyncio.get_running_loop()
        self.holder = holder
        self.bulletin = hub.join()
        self.fleet = Fleet(self.bulletin, self.loop.time)
        self.allotments = Allotments()
        self.shared = SharedLimits(
            self.allotments,
            self.fleet,
            now=self.loop.time,
            call_later=self.loop.call_later,
            holder=lambda key: self.holder if key == self.holder.key else None,
        )
        self.let_in = []
        self.running = 0
        self.most = 0
        self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self):
        while True:
            self.fleet.look()
            self.allotments.sweep(self.loop.time())
            self.shared.look(self.loop.time())
            await asyncio.sleep(1.0)

    def ask(self, tokens=10):
        """The grant; None if there is no room."""
        now = self.loop.time()
        meters = self.allotments.of((self.holder,), now)
        if shortage(meters, tokens, runs=True, now=now) is not None:
            return None
        grant = self.allotments.take(meters, tokens, runs=True, now=now)
        self.shared.soon()
        self.let_in.append(now)
        return grant

    async def serve(self, seconds, tokens=10, used=10):
        """A request that takes so long, if there is room for it."""
        grant = self.ask(tokens)
        if grant is None:
            return
        self.running += 1
        await asyncio.sleep(seconds)
        self.running -= 1
        grant.release()
        grant.settle(used, self.loop.time())
        self.shared.soon()

    def die(self):
        """As by SIGKILL: nobody is told."""
        self._sweeping.cancel()
        self.bulletin.is_up = False


class World:
    """Processes that share one limit."""

    def __init__(self, **limits):
        self.loop = asyncio.get_running_loop()
        self.hub = Hub()
        self.holder = Holder(CALLER, Allotment(**limits))
        self.processes = []
        self._tasks = []
        self.most = 0

    def start(self, count):
        self.processes += [Process(self.hub, self.holder) for _ in range(count)]
        return self.processes[-count:]

    def let_in(self, start=0.0, end=float("inf")):
        return sum(start <= at < end for p in self.processes for at in p.let_in)

    async def ask(self, rate, seconds, processes=None, **more):
        """So many requests a second, at one process after the other."""
        turn = itertools.cycle(processes or self.processes)
        for _ in range(int(rate * seconds)):
            serving = next(turn).serve(more.get("lasts", 0.01), more.get("tokens", 10), 10)
            self._tasks.append(asyncio.create_task(serving))
            await asyncio.sleep(1.0 / rate)
            self.most = max(self.most, sum(p.running for p in self.processes))


def play(script, **limits):
    """A world, after its script."""
    loop = VirtualLoop(random.Random(7))
    made = []

    async def live():
        world = World(**limits)
        made.append(world)
        await script(world)

    with contextlib.closing(loop):
        asyncio.set_event_loop(loop)
        loop.run(live())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run(asyncio.sleep(0))
        asyncio.set_event_loop(None)
    assert loop.errors == []
    return made[0]


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("spread", ["evenly", "at one"])
def test_all_together_let_in_what_one_alone_would(count, spread):
    """Four times the limit is asked for, for five minutes."""
    rate, seconds, limit = 40.0, 300.0, 600

    async def script(world):
        processes = world.start(count)
        await asyncio.sleep(SETTLED)
        await world.ask(rate, seconds, processes if spread == "evenly" else processes[:1])

    world = play(script, requests=limit)
    allowed = limit * (1 + seconds / 60.0)
    unknown = rate * UNKNOWN * (count - 1) / count if spread == "evenly" else 0.0
    assert 0.98 * allowed <= world.let_in() <= allowed + unknown + count


@pytest.mark.parametrize("count", [1, 3])
def test_tokens_are_shared_as_they_are_settled(count):
    """A hundred are kept for each request, and ten are used: so ten times as many fit."""

    async def script(world):
        world.start(count)
        await asyncio.sleep(SETTLED)
        await world.ask(60.0, 120.0, tokens=100, lasts=0.5)

    world = play(script, tokens=12_000)
    used = 10 * world.let_in()
    assert 0.9 * 12_000 * 3 <= used <= 12_000 * 3 + 60.0 * UNKNOWN * 100


def test_what_all_let_in_in_one_instant_is_paid_back():
    """The worst that can be: nobody has heard of the others' share of a burst."""

    async def script(world):
        world.start(4)
        await asyncio.sleep(SETTLED)
        for process in world.processes:
            while process.ask() is not None:
                pass
        await world.ask(40.0, 300.0)

    world = play(script, requests=600)
    burst = world.let_in(end=SETTLED + UNKNOWN)
    assert burst <= 4 * 600 + 40.0 * UNKNOWN
    assert world.let_in(SETTLED + UNKNOWN, SETTLED + 175.0) == 0
    assert world.let_in() <= 600 + 5 * 600 + 40


def test_places_are_shared():
    async def script(world):
        world.start(4)
        await asyncio.sleep(SETTLED)
        await world.ask(20.0, 60.0, lasts=5.0)

    world = play(script, concurrency=10)
    assert world.most <= 10 + 20.0 * UNKNOWN
    # Ten places, five seconds each.
    assert world.let_in() >= 0.8 * 60.0 * 10 / 5.0


def test_the_places_of_a_process_that_dies_are_free_soon():
    async def script(world):
        one, other = world.start(2)
        await asyncio.sleep(SETTLED)
        for _ in range(5):
            one.ask()
        await asyncio.sleep(1.0)
        assert other.ask() is None
        one.die()
        await asyncio.sleep(SILENT_SECONDS - 1.5)
        assert other.ask() is None
        await asyncio.sleep(3.0)
        assert other.ask() is not None

    play(script, concurrency=5)


def test_apart_they_let_in_as_much_as_together():
    """The database is gone for two minutes."""
    gone, back = SETTLED + 60.0, SETTLED + 180.0

    async def script(world):
        world.start(4)
        await asyncio.sleep(SETTLED)
        asking = asyncio.create_task(world.ask(40.0, 300.0))
        await asyncio.sleep(60.0)
        world.hub.cut()
        await asyncio.sleep(120.0)
        world.hub.mend()
        await asking

    world = play(script, requests=600)
    for start, end in ((gone, gone + 60.0), (gone + 60.0, back), (back, back + 60.0)):
        assert 0.9 * 600 <= world.let_in(start, end) <= 600 + 40.0 * UNKNOWN + 4
    assert world.let_in() <= 600 * 6 + 2 * 40.0 * UNKNOWN


def test_a_process_that_is_new_begins_with_what_the_others_have_left():
    """A rolling restart gives nobody a minute's worth anew."""

    async def script(world):
        world.start(3)
        await asyncio.sleep(SETTLED)
        await world.ask(40.0, 60.0)
        for _ in range(3):
            world.processes[0].die()
            world.hub.leave(world.processes[0].bulletin)
            gone = world.processes.pop(0)
            world.start(1)
            await world.ask(40.0, 20.0)
            world.processes[-1].let_in += gone.let_in

    world = play(script, requests=600)
    # Until a word has reached it, a new one lets in what it is asked.
    assert world.let_in() <= 600 * 3 + 4 * 40.0 * UNKNOWN


def test_what_is_told_fits_into_words():
    """A thousand tenants at once, with names as long as they may be."""

    async def script(world):
        one, other = world.start(2)
        await asyncio.sleep(SETTLED)
        allotment = world.holder.allotment
        holders = {f"tenant:{n:064}": Holder(f"tenant:{n:064}", allotment) for n in range(1_000)}
        for process in (one, other):
            process.shared._holder = holders.get
        for holder in holders.values():
            one.holder = holder
            one.ask()
        await asyncio.sleep(2 * UNKNOWN)
        now = world.loop.time()
        for holder in holders.values():
            other.holder = holder
            assert other.allotments.of((holder,), now)[0].requests.left(now) < 60.0

    play(script, requests=60)


def test_nonsense_from_another_program_is_passed_over():
    async def script(world):
        one, other = world.start(2)
        await asyncio.sleep(SETTLED)
        for word in (b"", b"{}", b"[1]", b'[["caller:web-app","x"]]', b"\xff"):
            one.fleet.tell("limits", word)
        one.fleet.tell("limits", b'[["caller:nobody",5,5,0,1,1]]')
        await asyncio.sleep(1.0)
        assert len(other.allotments) == 0

    play(script, requests=600)
