"""`hold`: a request that nothing can serve is kept until something can."""

from itertools import cycle

import pytest

from understudy.core.faults import Kind
from understudy.core.outcomes import Result
from understudy.policy.decisions import Break, Finish, Hold, Queue, Refuse, Start
from understudy.policy.transitions import State
from unit.policy.policy_world import ENDED, RESTING, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")


@pytest.fixture
def world() -> World:
    return World()


def down(world: World, *where) -> None:
    """An outage that began more than a minute ago, and that probes have an eye on."""
    for one in where:
        world.break_down(one)
    world.pass_by(61.0)


def kept(world: World, *, hold: float = 30.0, **limits) -> Life:
    """A request that came in the middle of an outage, when a guess at each had just failed."""
    down(world, PRIMARY, OTHER)
    life = Life(world, (PRIMARY, OTHER), hold=hold, **limits)
    life.begin()
    while life.running:
        life.fault(Kind.OUTAGE)
        if life.state is State.WAITING and not isinstance(life.last, Hold):
            life.due()
    assert isinstance(life.last, Hold)
    return life


def heal(world: World, where=PRIMARY) -> None:
    """Somebody's request finds that it works."""
    world.attempt(where)
    assert world.board.rests(where, world.now) is None


def live(life: Life, seconds: float, *, answers: bool = False) -> None:
    """Time passes; what is asked fails, or answers."""
    until = life.world.now + seconds
    while life.state not in ENDED and life.world.now < until:
        if life.running and answers:
            life.stream()
            life.whole()
        elif life.running:
            life.fault(Kind.OUTAGE)
        elif life.delivery.due > until:
            life.world.now = until
        else:
            life.due()


def test_without_hold_it_is_refused_at_once(world):
    down(world, PRIMARY)
    life = Life(world, (PRIMARY,))
    life.begin()
    while life.state not in ENDED:
        if life.running:
            life.fault(Kind.OUTAGE)
        else:
            life.due()
    assert isinstance(life.last, Refuse)
    assert not any(isinstance(decision, Hold) for decision in life.decisions)


def test_it_is_kept_while_nothing_serves_and_answered_when_something_does(world):
    life = kept(world)
    assert life.state is State.WAITING
    heal(world, OTHER)
    live(life, 15.0, answers=True)
    assert isinstance(life.last, Finish)
    assert life.starts[-1].target is OTHER
    assert "kept for" in life.delivery.attempts[-1].why


def test_it_is_kept_no_longer_than_asked_and_then_told_what_is_the_matter(world):
    life = kept(world, hold=30.0)
    began = world.now
    live(life, 100.0)
    assert isinstance(life.last, Refuse)
    assert life.last.verdict.code == "no_target_available"
    assert world.now - began == pytest.approx(30.0, abs=1.0)


def test_it_is_kept_no_longer_than_its_deadline(world):
    life = kept(world, hold=100.0, seconds=20.0)
    live(life, 100.0)
    assert isinstance(life.last, Refuse)
    assert life.last.verdict.code == "deadline_exceeded"
    assert world.now == pytest.approx(life.limits.deadline)


def test_what_is_out_of_order_is_tried_ever_more_seldom(world):
    life = kept(world, hold=60.0)
    before = len(life.starts)
    live(life, 60.0)
    # After 2, 4, 8, 16 s and 16 s again, less jitter; never all of `attempts` at once.
    assert 4 <= len(life.starts) - before <= 9


def test_it_recovers_by_its_own_guess_where_nobody_else_is_there_to_find_out(world):
    life = kept(world, hold=30.0)
    while not life.running:
        life.due()
    life.stream()
    life.whole()
    assert isinstance(life.last, Finish)


@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.CONFIG])
def test_what_only_a_human_can_mend_is_not_waited_for(world, kind):
    life = Life(world, (PRIMARY,), hold=30.0)
    life.begin()
    life.fault(kind)
    assert isinstance(life.last, Refuse)


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.REFUSED, Kind.ADAPTABLE])
def test_the_callers_own_fault_goes_back_at_once(world, kind):
    life = Life(world, (PRIMARY,), hold=30.0)
    life.begin()
    life.fault(kind)
    assert isinstance(life.last, Refuse)
    assert life.last.verdict.is_callers


def test_a_stream_that_broke_is_kept_too_and_goes_on(world):
    down(world, OTHER)
    life = Life(world, (PRIMARY, OTHER), hold=30.0, continues=True, attempts=1)
    life.begin()
    life.stream(characters=40)
    life.fault(Kind.TRUNCATED)
    assert isinstance(life.last, Hold)
    assert life.state is State.PAUSED
    while not life.running:
        life.due()
    assert life.delivery.attempts[-1].from_char == 40
    life.content()
    life.sent()
    life.whole()
    assert isinstance(life.last, Finish)


def test_a_stream_that_nobody_may_go_on_with_is_not_kept(world):
    life = Life(world, (PRIMARY,), hold=30.0, continues=False, attempts=1)
    life.begin()
    life.stream()
    life.fault(Kind.TRUNCATED)
    assert isinstance(life.last, Break)


def test_who_leaves_while_kept_is_gone(world):
    life = kept(world)
    life.gone()
    assert life.state is State.CANCELLED
    assert all(attempt.result is Result.FAULT for attempt in life.delivery.attempts)


def test_a_retry_that_was_promised_is_not_owed_while_it_is_kept(world):
    kept(world)
    for _ in range(3):
        assert world.budget.allows(PRIMARY.key, world.now)


def test_a_crowd_that_was_kept_does_not_arrive_at_once():
    """A target in slow start has a tenth of the traffic: not all of those who waited for it."""
    chances = cycle([(7 * n % 100) / 100.0 for n in range(100)])
    world = World(draws=chances)
    down(world, PRIMARY)
    crowd = [Life(world, (PRIMARY,), hold=120.0, attempts=1) for _ in range(50)]
    for life in crowd:
        life.begin()
        if life.running:
            life.fault(Kind.OUTAGE)
    heal(world)
    healed, begun = world.now, []
    while world.now < healed + 40.0:
        world.pass_by(0.05)
        for life in crowd:
            if life.state in RESTING and life.delivery.due <= world.now:
                life.tick()
                if life.running:
                    begun.append(world.now - healed)
                    life.stream()
                    life.whole()
    assert len(begun) == 50, "all of them are served"
    assert sum(at < 1.0 for at in begun) <= 25
    assert max(begun) > 2.0


def test_one_that_finds_it_full_takes_its_place_in_the_line(world):
    life = kept(world)
    heal(world)
    world.board.of_target(PRIMARY).ramp(world.now - 1000.0)
    world.fill(PRIMARY)
    life.due()
    assert isinstance(life.last, Queue)
    world.empty(PRIMARY)
    life.due()
    assert isinstance(life.last, Start)


def test_it_is_tried_at_most_as_often_as_attempts_allow_once_something_serves(world):
    life = kept(world, attempts=2)
    heal(world, PRIMARY)
    heal(world, OTHER)
    while not life.running:
        life.due()
    before = len(life.starts) - 1
    while life.running:
        life.fault(fault(Kind.INTERNAL))
    assert len(life.starts) - before <= 2
    assert isinstance(life.last, Hold | Refuse)
