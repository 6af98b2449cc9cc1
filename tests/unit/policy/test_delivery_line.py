"""A request that finds every target full waits for its turn, in the one machine of its life."""

import pytest

from understudy.core.faults import Kind
from understudy.core.quota import Need
from understudy.policy.decisions import Finish, Queue, Refuse, Start
from understudy.policy.plans import NOBODYS, Claim
from understudy.policy.transitions import State
from unit.policy.policy_world import Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")
BACKGROUND = Claim(Need(100.0, 100.0), None, background=True)


@pytest.fixture
def world() -> World:
    return World()


def begun(world: World, *targets, **limits) -> Life:
    life = Life(world, targets or (PRIMARY, OTHER), **limits)
    life.begin()
    return life


def wait(life: Life, seconds: float) -> None:
    """Time passes, tick by tick, as it does in the relay."""
    world, until = life.world, life.world.now + seconds
    while world.now < until:
        world.now = min(until, world.now + 0.05)
        let_in = world.gates.grant(world.now) and life.delivery.ticket.granted
        resting = life.state in {State.WAITING, State.PAUSED}
        if resting and (let_in or life.delivery.due <= world.now):
            life.tick()


def free(world: World, where=PRIMARY) -> None:
    """One of others' attempts ends."""
    world.gates.ended(where, world.now).allowance.used(NOBODYS.need, None, world.now)


def test_a_full_target_is_passed_over_for_one_with_room(world):
    world.fill(PRIMARY)
    life = begun(world)
    assert life.tried == [OTHER.key]
    assert "at once" in life.delivery.attempts[0].why


def test_it_waits_where_every_target_is_full_and_begins_when_one_has_room(world):
    world.fill(PRIMARY)
    world.fill(OTHER)
    life = begun(world)
    assert isinstance(life.last, Queue)
    assert life.state is State.WAITING
    assert not life.tried
    free(world, OTHER)
    wait(life, 0.1)
    assert life.tried == [OTHER.key]
    assert "for its turn" in life.delivery.attempts[0].why
    life.stream()
    life.whole()
    assert isinstance(life.last, Finish)


def test_a_sick_target_is_no_better_than_a_wait_for_a_good_one(world):
    world.attempt(OTHER)
    world.break_down(OTHER)
    world.fill(PRIMARY)
    life = begun(world)
    assert isinstance(life.last, Queue)
    assert [where.key for where in life.last.targets] == [PRIMARY.key]


def test_a_slow_target_with_room_is_better_than_a_wait(world):
    for _ in range(4):
        world.board.came(OTHER, world.now, world.now, late=True)
    assert world.board.of_target(OTHER).is_merely_slow
    world.fill(PRIMARY)
    assert begun(world).tried == [OTHER.key]


def crowd_for_ever(world: World, where) -> None:
    """It bears so few answers at once that even half as many again are under way."""
    world.fill(where)
    world.gates.of(where).concurrency.limit = 1.0


def test_an_interactive_request_goes_in_after_its_patience_where_only_a_guess_is_against_it(world):
    crowd_for_ever(world, PRIMARY)
    life = begun(world, PRIMARY, first_token=4.0)
    wait(life, 3.9)
    assert not life.tried
    wait(life, 0.2)
    assert life.tried == [PRIMARY.key]
    assert "in vain" in life.delivery.attempts[0].why


def test_it_does_not_wait_longer_than_half_of_its_time(world):
    crowd_for_ever(world, PRIMARY)
    life = begun(world, PRIMARY, first_token=10.0, seconds=6.0)
    wait(life, 2.9)
    assert not life.tried
    wait(life, 0.2)
    assert life.tried == [PRIMARY.key]


def test_what_a_provider_has_said_is_no_guess(world):
    """Asked all the same it would refuse, and everybody would have to wait for that."""
    world.gates.of(PRIMARY).allowance.throttled(30.0, world.now)
    life = begun(world, PRIMARY, first_token=4.0)
    wait(life, 4.1)
    assert not life.tried
    verdict = life.last.verdict
    assert (verdict.status, verdict.code) == (503, "at_capacity")
    assert verdict.retry_after == pytest.approx(26.0)
    assert "again in about 26 seconds" in verdict.words


def test_a_limit_that_only_refusals_taught_is_a_guess(world):
    allowance = world.gates.of(PRIMARY).allowance
    for _ in range(3):
        allowance.took(NOBODYS.need, world.now)
        allowance.throttled(0.0, world.now)
    for _ in range(5):
        allowance.took(NOBODYS.need, world.now)
    life = begun(world, PRIMARY, first_token=4.0)
    assert isinstance(life.last, Queue)
    wait(life, 4.1)
    assert life.tried == [PRIMARY.key]


def test_of_several_it_goes_to_the_one_that_only_a_guess_is_against(world):
    world.gates.of(PRIMARY).allowance.throttled(30.0, world.now)
    crowd_for_ever(world, OTHER)
    life = begun(world, first_token=4.0)
    wait(life, 4.1)
    assert life.tried == [OTHER.key]


def test_background_waits_half_of_its_time_and_is_told_that_there_was_no_room(world):
    world.fill(PRIMARY)
    life = begun(world, PRIMARY, first_token=4.0, seconds=60.0, claim=BACKGROUND)
    wait(life, 29.0)
    assert not life.tried
    wait(life, 1.1)
    assert isinstance(life.last, Refuse)
    verdict = life.last.verdict
    assert (verdict.status, verdict.code) == (503, "at_capacity")
    assert verdict.retry_after >= 30.0


def test_a_short_wait_that_was_asked_for_is_waited_for(world):
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=2.0))
    world.gates.of(PRIMARY).allowance.throttled(2.0, world.now)
    life = begun(world, PRIMARY)
    assert isinstance(life.last, Queue)
    wait(life, 2.1)
    assert life.tried == [PRIMARY.key]


def test_a_long_wait_that_was_asked_for_is_told_at_once(world):
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=60.0))
    life = begun(world, PRIMARY)
    assert isinstance(life.last, Refuse)
    assert life.last.verdict.retry_after == pytest.approx(60.0)


def test_what_has_just_recovered_is_no_way_around_a_line(world):
    world.break_down(PRIMARY)
    world.pass_by(world.board.opens_again_in(PRIMARY, world.now))
    world.attempt(PRIMARY)
    assert world.board.of_target(PRIMARY).share(world.now) == pytest.approx(0.1)
    world.fill(OTHER)
    life = begun(world)
    assert isinstance(life.last, Queue)
    assert [where.key for where in life.last.targets] == [OTHER.key]


def test_who_looks_often_is_let_in_no_sooner():
    """A request draws its luck once, else each look were one more chance at its share."""
    luck = [0.5]
    world = World(iter(lambda: luck[0], None))
    world.break_down(PRIMARY)
    world.pass_by(world.board.opens_again_in(PRIMARY, world.now))
    world.attempt(PRIMARY)
    world.fill(OTHER)
    world.gates.of(OTHER).concurrency.limit = 1.0
    life = begun(world)
    assert not life.tried
    luck[0] = 0.0
    wait(life, 9.0)
    assert not life.tried


def test_what_it_waits_for_breaks_down_and_it_goes_where_it_can(world):
    world.fill(PRIMARY)
    world.fill(OTHER)
    life = begun(world)
    world.break_down(PRIMARY)
    free(world, OTHER)
    wait(life, 0.1)
    assert life.tried == [OTHER.key]


def test_all_that_it_waits_for_breaks_down(world):
    world.fill(PRIMARY)
    life = begun(world, PRIMARY)
    world.attempt(PRIMARY, fault(Kind.ACCOUNT))
    wait(life, 1.1)
    assert isinstance(life.last, Refuse)
    assert life.last.verdict.code == "no_target_available"


def test_let_in_where_it_may_not_go_any_more_it_stands_in_line_again(world):
    world.fill(PRIMARY)
    world.fill(OTHER)
    life = begun(world)
    free(world, PRIMARY)
    world.gates.grant(world.now)
    assert life.delivery.ticket.granted == PRIMARY.key
    world.break_down(PRIMARY)
    life.due()
    assert isinstance(life.last, Queue)
    assert not life.delivery.ticket.granted
    free(world, OTHER)
    wait(life, 0.1)
    assert life.tried == [OTHER.key]


def test_a_caller_who_leaves_the_line_leaves_its_room_to_the_next(world):
    world.fill(PRIMARY)
    first, second = begun(world, PRIMARY), begun(world, PRIMARY)
    first.gone()
    free(world)
    wait(second, 0.1)
    assert first.state is State.CANCELLED
    assert second.tried == [PRIMARY.key]


def test_a_broken_stream_waits_for_its_turn_at_a_full_target_and_goes_on(world):
    life = begun(world, continues=True)
    life.stream()
    world.fill(OTHER)
    life.fault(Kind.OUTAGE)
    assert life.state is State.PAUSED
    free(world, OTHER)
    wait(life, 0.1)
    assert life.tried == [PRIMARY.key, OTHER.key]
    assert life.starts[-1].attempt.from_char == 10


def test_no_second_attempt_begins_beside_a_slow_one_at_a_full_target(world):
    world.grow_busy(PRIMARY)
    world.fill(OTHER)
    life = begun(world, hedge=1.0)
    life.due()
    assert life.tried == [PRIMARY.key]


def test_a_promised_retry_does_not_go_through_a_shut_gate(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.OUTAGE)
    world.fill(PRIMARY)
    life.due()
    assert [type(decision) for decision in life.decisions].count(Start) == 1
    assert life.state is State.WAITING
