"""Whose turn it is at a target that cannot take everyone."""

import pytest

from understudy.core.quota import Need, Quota, Unit
from understudy.policy.gates import GUESS_SECONDS, RESERVE, Gates, Ticket
from understudy.policy.plans import Claim
from unit.policy.policy_world import NOW, target

HERE = target("anthropic@main/sonnet")
THERE = target("openai@main/gpt")
SMALL = Need(input=100.0, output=100.0)


class Door:
    """A clock, the gates, and a target that bears so many answers at once."""

    def __init__(self, bears: float | None = None) -> None:
        self.now = NOW
        self.gates = Gates()
        if bears is not None:
            self.gates.of(HERE).concurrency.limit = bears

    def request(
        self, tenant: str | None = None, *, background: bool = False, need: Need = SMALL
    ) -> Ticket:
        return Ticket(self.gates, Claim(need, tenant, background), lambda: 0.5)

    def comes(self, ticket: Ticket, *targets) -> bool:
        """A request comes, and goes in or waits."""
        for where in targets or (HERE,):
            if ticket.shut(where, self.now) is None:
                self.gates.started(where, ticket, self.now)
                return True
        self.gates.enter(ticket, targets or (HERE,), self.now)
        return False

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.gates.grant(self.now)

    def ends(self, where=HERE, times: int = 1) -> None:
        for _ in range(times):
            self.gates.ended(where, self.now).allowance.used(SMALL, None, self.now)
        self.gates.grant(self.now)

    def tells(self, unit: Unit, limit: float, remaining: float) -> None:
        """The provider says what is left."""
        gate = self.gates.of(HERE)
        mark = gate.allowance.took(Need(input=0.0, output=0.0), self.now)
        quota = Quota(unit=unit, limit=limit, remaining=remaining)
        gate.allowance.told((quota,), mark, self.now)

    def goes_in(self, *tickets: Ticket) -> list[Ticket]:
        """Those that were let in go in."""
        gone = [ticket for ticket in tickets if ticket.granted]
        for ticket in gone:
            self.gates.started(HERE, ticket, self.now)
            ticket.waits = False
        return gone


def names(tickets: list[Ticket]) -> list[str | None]:
    return [ticket.claim.tenant for ticket in tickets]


def test_a_target_of_which_nothing_is_known_takes_everyone():
    door = Door()
    assert all(door.comes(door.request()) for _ in range(10))


def test_what_a_target_bears_is_not_exceeded_by_those_who_come():
    door = Door(bears=3)
    assert [door.comes(door.request()) for _ in range(3)] == [True, True, True]
    assert "3 answers at once" in door.request().shut(HERE, door.now)


def test_who_waits_goes_in_when_another_has_ended():
    door = Door(bears=1)
    door.comes(door.request())
    waiting = door.request()
    door.comes(waiting)
    assert not waiting.granted
    door.ends()
    assert waiting.granted == HERE.key
    assert waiting.shut(HERE, door.now) is None


def test_nobody_who_comes_goes_before_one_who_waits():
    door = Door(bears=1)
    door.comes(door.request())
    door.comes(door.request())
    late = door.request()
    gate = door.gates.of(HERE)
    gate.concurrency.ended(door.now)
    assert "others wait" in late.shut(HERE, door.now)


def test_as_many_go_in_as_there_is_room_for_at_once():
    door = Door(bears=4)
    for _ in range(4):
        door.comes(door.request())
    waiting = [door.request() for _ in range(6)]
    for ticket in waiting:
        door.comes(ticket)
    door.ends(times=3)
    assert [bool(ticket.granted) for ticket in waiting] == [True] * 3 + [False] * 3
    assert door.gates.of(HERE).concurrency.in_flight == 4


def test_interactive_requests_go_in_before_background_that_came_first():
    door = Door(bears=1)
    door.comes(door.request())
    background = door.request("b", background=True)
    interactive = door.request("i")
    door.comes(background)
    door.comes(interactive)
    door.ends()
    assert names(door.goes_in(background, interactive)) == ["i"]


def test_background_leaves_a_part_of_what_a_target_bears():
    door = Door(bears=10)
    gone = [door.comes(door.request(background=True)) for _ in range(10)]
    assert sum(gone) == 10 * (1.0 - RESERVE)
    assert door.request().shut(HERE, door.now) is None


def test_background_leaves_a_part_of_a_rate_limit():
    door = Door()
    door.tells(Unit.REQUESTS, 100.0, 25.0)
    gone = [door.comes(door.request(background=True)) for _ in range(25)]
    assert sum(gone) == pytest.approx(25 - 100 * RESERVE, abs=1)
    assert door.request().shut(HERE, door.now) is None


def test_one_tenants_flood_delays_that_tenant():
    door = Door(bears=1)
    door.comes(door.request("loud"))
    loud = [door.request("loud") for _ in range(20)]
    for ticket in loud:
        door.comes(ticket)
    quiet = [door.request("quiet") for _ in range(3)]
    for ticket in quiet:
        door.comes(ticket)
    order = []
    for _ in range(8):
        door.ends()
        order += names(door.goes_in(*loud, *quiet))
    assert order.count("quiet") == 3
    assert "quiet" in order[:3]


def test_turns_are_measured_in_tokens():
    door = Door(bears=1)
    door.comes(door.request())
    large = [door.request("large", need=Need(9_000.0, 1_000.0)) for _ in range(10)]
    small = [door.request("small", need=Need(500.0, 500.0)) for _ in range(10)]
    for pair in zip(large, small, strict=True):
        for ticket in pair:
            door.comes(ticket)
    order = []
    for _ in range(11):
        door.ends()
        order += names(door.goes_in(*large, *small))
    assert order.count("small") == 10 - order.count("large") + 1
    assert order.count("large") <= 2


def test_a_rate_limit_that_is_used_up_shuts_and_opens_again_by_the_clock():
    door = Door()
    door.tells(Unit.REQUESTS, 60.0, 1.0)
    assert door.comes(door.request())
    waiting = door.request()
    assert not door.comes(waiting)
    assert waiting.waits
    door.passes(0.5)
    assert not waiting.granted
    door.passes(0.6)
    assert waiting.granted


def test_what_is_told_to_one_is_not_told_to_another():
    """Ten wait, and a rate limit has room for two."""
    door = Door()
    door.tells(Unit.REQUESTS, 60.0, 0.0)
    waiting = [door.request() for _ in range(10)]
    for ticket in waiting:
        door.comes(ticket)
    door.passes(2.05)
    assert sum(bool(ticket.granted) for ticket in waiting) == 2


def test_what_is_guessed_gives_way_to_interactive_requests_after_a_moment():
    door = Door(bears=2)
    for _ in range(2):
        door.comes(door.request())
    waiting = [door.request() for _ in range(3)]
    for ticket in waiting:
        door.comes(ticket)
    background = door.request(background=True)
    door.comes(background)
    door.passes(GUESS_SECONDS - 0.01)
    assert not any(ticket.granted for ticket in waiting)
    door.passes(0.02)
    assert [bool(ticket.granted) for ticket in waiting] == [True, False, False]
    assert not background.granted


def test_what_is_said_does_not_give_way():
    door = Door()
    door.tells(Unit.REQUESTS, 6.0, 0.0)
    waiting = door.request()
    assert "rate limit" in waiting.shut(HERE, door.now)
    door.comes(waiting)
    door.passes(GUESS_SECONDS + 1.0)
    assert not waiting.granted


def test_one_who_waits_for_several_goes_to_the_first_with_room():
    door = Door(bears=1)
    door.gates.of(THERE).concurrency.limit = 1.0
    door.comes(door.request())
    door.comes(door.request(), THERE)
    waiting = door.request()
    door.comes(waiting, HERE, THERE)
    door.ends(THERE)
    assert waiting.granted == THERE.key
    assert "elsewhere" in waiting.shut(HERE, door.now)
    door.gates.started(THERE, waiting, door.now)
    waiting.waits = False
    door.ends(HERE)
    assert door.gates.of(HERE).concurrency.in_flight == 0


@pytest.mark.parametrize("granted", [False, True])
def test_one_who_leaves_the_line_leaves_its_room(granted):
    door = Door(bears=1)
    door.comes(door.request())
    leaving, staying = door.request(), door.request()
    door.comes(leaving)
    door.comes(staying)
    if granted:
        door.ends()
        assert leaving.granted
        leaving.waits = False
        door.passes(0.0)
    else:
        leaving.waits = False
        door.ends()
    assert staying.granted
    assert door.gates.of(HERE).concurrency.in_flight == 1


def test_one_who_was_let_in_and_enters_again_gives_back_what_was_taken():
    door = Door(bears=1)
    door.comes(door.request())
    waiting = door.request()
    door.comes(waiting)
    door.ends()
    door.gates.enter(waiting, (THERE,), door.now)
    assert not waiting.granted
    assert door.gates.of(HERE).concurrency.in_flight == 0
    assert waiting.since == NOW


def test_idle_gates_are_let_go_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr("understudy.policy.gates.GATES_KEPT", 2)
    door = Door(bears=1)
    door.comes(door.request())
    busy = door.gates.of(HERE)
    for number in range(5):
        door.gates.of(target(f"openai@main/gpt-{number}"))
    assert door.gates.of(HERE) is busy
