"""Several processes in virtual time behave as one: what one finds out the others know, together
they ask a sick provider no more than one would, and one whose own network is ill is not believed.
"""

import asyncio

import pytest

from simulation.sim_fleet import Town, live
from simulation.sim_fleet_outage import (
    DOWN,
    EVERY,
    HANGS,
    ILL,
    MINUTES,
    probes_of,
    provider,
    settled,
    town,
)
from simulation.sim_line import NetFault
from simulation.sim_script import Spell
from understudy.policy.probing import SUSPICION_BURST, SUSPICION_REFILL_SECONDS
from understudy.policy.quality import Sign
from understudy.relay.fleet.records import AT_ONCE


async def until(town, condition, most):
    """Wait until it is so, `most` seconds at most; how long it took."""
    began = town.loop.time()
    while not condition():
        assert town.loop.time() - began <= most
        await asyncio.sleep(0.05)
    return town.loop.time() - began


def agree(processes, provider="one"):
    return len({process.serves(provider) for process in processes}) == 1


# -- the budget -------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [DOWN, HANGS], ids=lambda rule: rule.fault)
@pytest.mark.parametrize("count", [2, 4, 8])
def test_all_together_send_a_sick_target_as_many_probes_as_one_would(rule, count):
    one = max(probes_of(1, rule, seed, alone=True) for seed in (1, 2))
    assert probes_of(count, rule, seed=1) <= one + 1


def test_cut_off_from_each_other_they_keep_the_budget_of_one_by_drawing_lots():
    budget = SUSPICION_BURST + MINUTES / SUSPICION_REFILL_SECONDS
    world = town()

    async def script(town):
        processes = await settled(town, 4)
        town.hub.cut()
        asking = [town.traffic(process, EVERY * 4, ILL + MINUTES) for process in processes]
        answers = [got for answers in await asyncio.gather(*asking) for got in answers]
        assert {got.status for got in answers} == {200}
        assert {process.fleet.processes for process in processes} == {4}
        assert not any(process.fleet.leads for process in processes)

    live(world, script)
    probes = world.asked("one", probes=True, start=ILL, end=ILL + MINUTES)
    one = probes_of(1, DOWN, 1, alone=True)
    assert one <= len(probes) <= min(budget, 3.5 * one)
    # In the long run, when rests have grown, no more than one would.
    late = [probe for probe in probes if probe.started > ILL + MINUTES / 2]
    assert len(late) <= 10


def test_requests_that_are_the_trial_are_no_more_for_many_than_for_one():
    def trials(count, **how):
        world = town(well=ILL + 900.0)

        async def script(town):
            processes = [town.begin(**how) for _ in range(count)]
            for process in processes:
                # Nobody sends probes.
                process.relay.board.probed = False
                process.relay._prober = None
            await asyncio.sleep(5.0)
            asking = [town.traffic(process, 0.25 * count, ILL + 900.0) for process in processes]
            await asyncio.gather(*asking)

        live(world, script)
        return len(world.asked("one", probes=False, start=ILL + 15.0, end=ILL + 900.0))

    assert trials(4) <= trials(1, alone=True) + 2


def test_the_last_target_there_is_is_tried_once_a_second_by_all_of_them_together():
    world = Town(provider("one", spells=(Spell(rule=DOWN, start=ILL),)))

    async def script(town):
        processes = await settled(town, 4)
        await asyncio.sleep(ILL + 70.0 - town.loop.time())
        for process in processes:
            town.traffic(process, 0.2, ILL + 190.0)
        await asyncio.sleep(180.0)

    live(world, script)
    tried = world.asked("one", probes=False, start=ILL + 90.0, end=ILL + 190.0)
    assert 20 <= len(tried) <= 110


# -- one for all ------------------------------------------------------------------------------


def test_what_one_process_finds_broken_all_know_within_a_second_and_later_that_it_works():
    world = town(well=ILL + 30.0)

    async def script(town):
        first, second, third = processes = await settled(town, 3)
        assert first.fleet.leads
        town.traffic(second, 0.5, ILL + 300.0)
        await until(town, lambda: not second.serves("one"), ILL + 30.0)
        assert await until(town, lambda: agree(processes), 1.0) <= 1.0
        assert third.relay.tidings.told_by(third.target("one").key) in {"process-1", "process-2"}
        await until(town, lambda: third.serves("one"), 120.0)
        assert await until(town, lambda: agree(processes), 1.0) <= 1.0
        shares = {
            round(p.relay.board.of_target(p.target("one")).share(town.loop.time()), 1)
            for p in processes
        }
        assert shares == {0.1}

    live(world, script)
    # Only whoever leads has sent probes.
    assert {one.key for one in world.asked("one", probes=True, start=ILL)} == {"p001"}


def test_whoever_comes_later_knows_it_as_well():
    world = town()

    async def script(town):
        (first,) = await settled(town, 1)
        town.traffic(first, 0.5, ILL + 60.0)
        await until(town, lambda: not first.serves("one"), ILL + 30.0)
        late = town.begin()
        assert await until(town, lambda: not late.serves("one"), 3.0) <= 3.0
        assert late.relay.board.of_target(late.target("two")).told_good > 0.0

    live(world, script)


@pytest.mark.parametrize("trouble", ["killed", "ended"])
def test_when_whoever_leads_is_gone_another_sends_the_probes(trouble):
    world = town()

    async def script(town):
        first, second, third = await settled(town, 3)
        await asyncio.sleep(ILL - town.loop.time() + 0.5)
        await asyncio.gather(*(second.ask() for _ in range(4)))
        await until(town, lambda: not third.serves("one"), 5.0)
        if trouble == "killed":
            town.hub.cut(first.bulletin)
            town.hub.leave(first.bulletin)
            first.relay.draining = True
        else:
            await first.end()
        await until(town, lambda: second.fleet.leads or third.fleet.leads, 1.0)
        await until(town, lambda: second.fleet.processes == 2, 7.0)
        began = town.loop.time()
        await asyncio.sleep(100.0)
        assert {a.key for a in town.asked("one", probes=True, start=began)} == {"p002"}

    live(world, script)


def test_a_process_that_is_told_to_end_leaves_the_lead_to_others_at_once():
    async def script(town):
        first, second = await settled(town, 2)
        hold = asyncio.create_task(first.ask())
        await asyncio.sleep(0.1)
        draining = asyncio.create_task(first.relay.drain(30.0))
        await until(town, lambda: second.fleet.leads, 1.0)
        assert not first.fleet.leads
        assert (await hold).status == 200
        await draining

    live(town(), script)


# -- cut off ----------------------------------------------------------------------------------


def test_after_a_minute_in_which_they_could_not_hear_each_other_they_agree_within_five_seconds():
    world = town(well=ILL + 400.0)

    async def script(town):
        processes = await settled(town, 4)
        await asyncio.sleep(ILL - 10.0 - town.loop.time())
        town.hub.cut()
        # Two of four find out; nobody notices anything.
        asking = [town.traffic(process, 0.5, ILL + 50.0) for process in processes[2:]]
        answers = [got for answers in await asyncio.gather(*asking) for got in answers]
        assert {got.status for got in answers} == {200}
        assert [process.serves("one") for process in processes] == [True, True, False, False]
        town.hub.mend()
        assert await until(town, lambda: agree(processes), 5.0) <= 5.0
        assert not processes[0].serves("one")
        assert {process.fleet.processes for process in processes} == {4}
        assert sum(process.fleet.leads for process in processes) == 1

    live(world, script)


def test_one_that_is_cut_off_alone_goes_on_with_its_last_knowledge():
    world = town()

    async def script(town):
        first, second, third = await settled(town, 3)
        town.traffic(first, 0.5, ILL + 200.0)
        await until(town, lambda: not third.serves("one"), ILL + 30.0)
        town.hub.cut(third.bulletin)
        await asyncio.sleep(2.0)
        assert not third.serves("one")
        assert (third.fleet.processes, second.fleet.processes) == (3, 3)
        await asyncio.sleep(5.0)
        assert (third.fleet.processes, second.fleet.processes) == (3, 2)
        assert (await third.ask()).status == 200

    live(world, script)


# -- whom to believe --------------------------------------------------------------------------


def ill_network(number, end=400.0):
    """Nothing gets through from one process to either provider."""
    hosts = [f"{name}-{number}" for name in ("one", "two")]
    return tuple(
        NetFault(host=host, trouble=trouble, start=ILL, end=until)
        for host in hosts
        for trouble, until in (("refuse", end), ("reset_all", ILL + 0.01))
    )


@pytest.mark.parametrize("number", [1, 2], ids=["who leads", "another"])
def test_a_process_whose_own_network_is_ill_keeps_no_other_from_serving(number):
    world = Town(provider("one"), provider("two"), network=ill_network(number))
    away = []

    async def script(town):
        processes = await settled(town, 4)
        sound = [process for process in processes if process.number != number]
        asking = [town.traffic(process, EVERY, 500.0) for process in processes]
        while town.loop.time() < 500.0:
            await asyncio.sleep(0.5)
            if any(not process.serves("one") for process in sound):
                away.append(town.loop.time())
        for process, got in zip(processes, await asyncio.gather(*asking), strict=True):
            if process in sound:
                assert {answer.status for answer in got} == {200}
        # It knows that it is not believed, and leaves the probes to others.
        ill = processes[number - 1]
        assert '"refuted"' in ill.log.stream.getvalue()
        assert not any('"refuted"' in process.log.stream.getvalue() for process in sound)
        assert not ill.fleet.leads
        await asyncio.sleep(800.0)
        assert all(process.serves("one") for process in processes)

    live(world, script)
    # The others have looked elsewhere for some seconds, once.
    assert len(away) * 0.5 <= 20.0


# -- what else is shared ----------------------------------------------------------------------


def test_a_record_is_found_from_any_process_and_only_by_who_asked():
    async def script(town):
        first, second = await settled(town, 2)
        got = await first.ask()
        path = f"/v1/requests/{got.headers['x-request-id']}"
        own = await first.call("GET", path)
        assert own.status == 200
        other = await second.call("GET", path)
        assert (other.status, other.json()) == (200, own.json())
        began = town.loop.time()
        unknown = await second.call("GET", "/v1/requests/req_unknown")
        assert (unknown.status, town.loop.time() - began) == (404, pytest.approx(1.0))
        record = first.relay.journal.find(got.headers["x-request-id"])
        record.caller = "ann"
        assert (await second.call("GET", path)).status == 404
        record.caller = None
        town.hub.cut()
        assert (await second.call("GET", path)).status == 404

    live(town(), script)


def test_no_more_is_asked_of_the_others_at_once_than_they_can_bear():
    async def script(town):
        _, second = await settled(town, 2)
        began = town.loop.time()
        paths = [f"/v1/requests/req_{number}" for number in range(100)]
        asking = [asyncio.create_task(second.call("GET", path)) for path in paths]
        await asyncio.sleep(0.0)
        assert sum(task.done() for task in asking) == 100 - AT_ONCE
        assert {got.status for got in await asyncio.gather(*asking)} == {404}
        assert town.loop.time() - began == pytest.approx(1.0)

    live(town(), script)


def test_a_record_of_any_length_is_found():
    async def script(town):
        first, second = await settled(town, 2)
        got = await first.ask()
        record = first.relay.journal.find(got.headers["x-request-id"])
        words = (chr(32 + (7919 * number) % 9973) for number in range(30_000))
        record.attempts[0].why = "".join(words)
        other = await second.call("GET", f"/v1/requests/{record.id}")
        assert other.json()["attempts"][0]["why"] == record.attempts[0].why

    live(town(), script)


def test_a_model_whose_answers_are_accepted_in_one_process_is_accepted_in_all():
    async def script(town):
        first, second = await settled(town, 2)
        model = first.target("one").name
        for quality in (first.relay.quality, second.relay.quality):
            for _ in range(1_000):
                quality.answered(model, "f")
            for number in range(100):
                quality.showed(model, "f", Sign.REFUSED, town.loop.time(), f"user {number}")
            assert model in quality.doubted
        assert "refus" in first.relay.hand.accept(model)
        await asyncio.sleep(0.1)
        assert second.relay.quality.doubted == {}

    live(town(), script)
