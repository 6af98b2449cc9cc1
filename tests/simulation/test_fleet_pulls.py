"""What an operator does in one process holds in all, whatever was away when it was done."""

import asyncio

import pytest

from simulation.sim_fleet import Town, live
from simulation.sim_script import Provider
from understudy.policy.pulls import Node
from understudy.ports import StoreUnreachableError
from understudy.store.memory import MemoryStore

TOWN = (
    Provider(name="one", kind="anthropic", model="claude-haiku-4-5"),
    Provider(name="two", kind="openai", model="gpt-4.1"),
)
ONE = Node.parse("one")


class Store(MemoryStore):
    """A store that can be away."""

    is_away = False

    async def marks(self):
        self._reach()
        return await super().marks()

    async def mark(self, marks):
        self._reach()
        await super().mark(marks)

    def _reach(self):
        if self.is_away:
            raise StoreUnreachableError("away")


class Shared:
    """A town whose processes share a store."""

    def __init__(self, town):
        self.town = town
        self.store = Store()
        self.processes = []

    async def begin(self, count=1):
        for _ in range(count):
            process = self.town.begin()
            await process.relay.hand.share(self.store)
            self.processes.append(process)
        await asyncio.sleep(3.0)
        return self.processes

    def cut(self):
        """PostgreSQL is away: neither words nor rows."""
        self.town.hub.cut()
        self.store.is_away = True

    def mend(self):
        self.store.is_away = False
        self.town.hub.mend()

    def pulled(self):
        return [process.relay.pulls.at("one") is not None for process in self.processes]


def shared(script):
    async def run(town):
        await script(Shared(town))

    live(Town(*TOWN), run)


def pull(process, reason="it invents dates"):
    return process.relay.hand.pull(ONE, reason, "ann")


def restore(process, **how):
    return process.relay.hand.restore(ONE, **{"slowly": False, **how})


def test_a_pull_and_a_restore_hold_in_all_within_a_second():
    async def script(house):
        first, second, _ = await house.begin(3)
        pull(first)
        assert house.pulled() == [True, False, False]
        await asyncio.sleep(1.0)
        assert house.pulled() == [True] * 3
        assert [one.reason for one in second.relay.pulls] == ["it invents dates"]
        assert not second.serves("one")
        # Whoever is asked to.
        assert restore(second) is not None
        await asyncio.sleep(1.0)
        assert house.pulled() == [False] * 3
        assert first.serves("one")

    shared(script)


def test_a_word_that_is_lost_is_read_from_the_store():
    async def script(house):
        first, second = await house.begin(2)
        house.town.hub.cut(second.bulletin)
        pull(first)
        await asyncio.sleep(7.0)
        assert house.pulled() == [True] * 2

    shared(script)


def test_whoever_comes_later_has_it_from_the_start():
    async def script(house):
        (first,) = await house.begin(1)
        pull(first)
        await asyncio.sleep(1.0)
        process = house.town.begin()
        await process.relay.hand.share(house.store)
        assert process.relay.pulls.at("one") is not None

    shared(script)


def test_with_the_store_away_it_holds_here_at_once_and_everywhere_when_it_is_back():
    async def script(house):
        first, second, third = await house.begin(3)
        pull(third)
        await asyncio.sleep(1.0)
        house.cut()
        pull(first, "a contract")
        kept, warning = await first.relay.hand.kept()
        assert not kept
        assert "other processes will follow" in warning
        await asyncio.sleep(1.0)
        assert restore(second) is not None
        assert house.pulled() == [True, False, True]
        await asyncio.sleep(60.0)
        house.mend()
        await asyncio.sleep(5.0)
        # The restore was later.
        assert house.pulled() == [False] * 3

    shared(script)


@pytest.mark.parametrize("last", ["pull", "restore"])
def test_the_last_word_holds_though_its_process_has_the_slower_clock(last):
    async def script(house):
        first, second = await house.begin(2)
        first.relay.wall += 60.0
        pull(first)
        first.relay.wall -= 60.0
        await asyncio.sleep(0.5)
        if last == "restore":
            restore(second)
        else:
            pull(second, "a better reason")
        await asyncio.sleep(0.5)
        assert house.pulled() == [last == "pull"] * 2
        assert [one.reason for one in first.relay.pulls] == ["a better reason"] * (last == "pull")

    shared(script)


def test_what_is_restored_slowly_comes_back_slowly_in_all():
    async def script(house):
        first, second = await house.begin(2)
        pull(first)
        await asyncio.sleep(1.0)
        restore(first, slowly=True)
        await asyncio.sleep(1.0)
        now = house.town.loop.time()
        for process in (first, second):
            breaker = process.relay.board.of_target(process.target("one"))
            assert breaker.share(now) == pytest.approx(0.1)

    shared(script)


def test_a_process_that_comes_while_nothing_is_there_tells_the_others_what_its_file_said():
    async def script(house):
        (first,) = await house.begin(1)
        house.cut()
        process = house.town.begin()
        house.town.hub.cut()
        # As it was read.
        pull(process)
        await process.relay.hand.share(house.store)
        house.processes.append(process)
        house.mend()
        await asyncio.sleep(5.0)
        assert house.pulled() == [True] * 2
        assert first.log.stream.getvalue().count('"pulled"') == 1

    shared(script)
