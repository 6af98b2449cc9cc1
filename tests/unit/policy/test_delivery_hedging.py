"""A second attempt beside a slow first one: when it begins, when not, and who wins."""

import pytest

from understudy.core.faults import Kind, Remedy
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.decisions import Ended, Finish, Refuse, Start, Wait
from understudy.policy.transitions import State
from unit.policy.policy_world import CALENDAR, NOW, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
BACKUP = target("anthropic@backup/sonnet")
OTHER = target("openai@main/gpt", tier="substitute")

#: When a first attempt counts as slow.
SLOW = 2.0


@pytest.fixture
def world() -> World:
    """One in which others ask the first target often enough to pay for hedges."""
    world = World()
    world.grow_busy(PRIMARY, 100)
    return world


def begun(world: World, *targets, **limits) -> Life:
    life = Life(world, targets, **({"hedge": SLOW} | limits))
    life.begin()
    return life


def racing(world: World, *targets, **limits) -> Life:
    """Two attempts are under way."""
    life = begun(world, *targets, **limits)
    life.due()
    assert len(life.running) == 2
    return life


def not_hedged(life: Life) -> None:
    """The moment for a hedge comes, and none begins."""
    life.world.now = max(life.world.now, NOW + SLOW)
    assert life.tick() == ()
    assert life.state is State.ATTEMPTING
    assert len(life.running) == 1
    assert not any(start.hedge for start in life.starts)


# -- when a second attempt begins -------------------------------------------------------------


def test_a_slow_stream_gets_a_second_attempt_beside_it(world):
    life = begun(world, PRIMARY, OTHER)
    assert life.delivery.due == NOW + SLOW
    (start,) = life.due()
    assert isinstance(start, Start)
    assert (start.target, start.hedge, start.retry) == (OTHER, True, False)
    assert start.attempt.why == f"beside {PRIMARY.key}, which was slow after 2.0 s"
    assert life.running == life.starts
    assert [a.result for a in life.delivery.attempts] == [None, None]
    assert life.state is State.ATTEMPTING


def test_a_stream_that_shows_content_in_time_gets_none(world):
    life = begun(world, PRIMARY, OTHER)
    world.pass_by(SLOW / 2)
    life.stream()
    world.pass_by(SLOW)
    assert life.tick() == ()
    assert len(life.starts) == 1


def test_a_feature_that_does_not_ask_for_hedges_gets_none(world):
    life = begun(world, PRIMARY, OTHER, hedge=None)
    assert life.delivery.due == NOW + 10.0


def test_a_whole_answer_gets_none(world):
    # It shows nothing before its end: nobody knows that it is slow.
    life = begun(world, PRIMARY, OTHER, stream=False)
    assert life.delivery.due == NOW + 60.0


def test_a_second_attempt_that_is_learned_begins_after_what_is_slow_for_that_target(world):
    world.learn(PRIMARY, 3.0)
    life = begun(world, PRIMARY, OTHER, hedge=0.0)
    assert 3.0 <= life.delivery.due - NOW <= 3.0 * 1.15 + CALENDAR
    life.due()
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_nothing_is_slow_while_nobody_knows_the_target(world):
    world.learn(PRIMARY, 3.0, attempts=99)
    life = begun(world, PRIMARY, OTHER, hedge=0.0)
    assert life.delivery.due == NOW + 10.0


def test_the_next_target_after_a_fault_may_be_slow_as_well(world):
    world.grow_busy(OTHER)
    life = begun(world, PRIMARY, OTHER, BACKUP)
    world.pass_by(1.0)
    life.fault(Kind.OUTAGE)
    assert life.delivery.due == world.now + SLOW
    (start,) = life.due()
    assert (start.hedge, start.target) == (True, BACKUP)


# -- when it does not -------------------------------------------------------------------------


def test_not_when_there_is_content_that_is_held_back(world):
    life = begun(world, PRIMARY, OTHER)
    life.content()
    not_hedged(life)


def test_not_where_there_is_no_other_target(world):
    not_hedged(begun(world, PRIMARY))


def test_not_at_a_target_that_has_had_its_turn(world):
    world.grow_busy(OTHER)
    life = begun(world, PRIMARY, OTHER)
    life.fault(Kind.INTERNAL)
    not_hedged(life)


def test_not_at_a_target_that_is_not_well(world):
    world.break_down(OTHER)
    life = begun(world, PRIMARY, OTHER)
    life.world.now = life.delivery.due
    assert life.tick() == ()


def test_the_next_target_that_is_well_is_taken(world):
    world.break_down(BACKUP)
    life = begun(world, PRIMARY, BACKUP, OTHER)
    life.due()
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_not_beyond_the_number_of_attempts(world):
    not_hedged(begun(world, PRIMARY, OTHER, attempts=1))


def test_not_beyond_a_share_of_first_attempts(world):
    for _ in range(5):
        racing(world, PRIMARY, OTHER)
    not_hedged(begun(world, PRIMARY, OTHER))


def test_not_where_traffic_is_thin():
    not_hedged(begun(World(), PRIMARY, OTHER))


@pytest.mark.parametrize("where", [PRIMARY, BACKUP, OTHER], ids=lambda where: where.key)
@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.OVERLOAD])
def test_not_while_any_target_of_the_plan_is_short(world, kind, where):
    # A second attempt beside a slow one would feed what makes it slow.
    world.attempt(where, fault(kind, retry_after=0.5))
    world.pass_by(5.0)
    life = begun(world, PRIMARY, BACKUP, OTHER)
    assert life.tried == [PRIMARY.key]
    life.world.now = life.delivery.due
    assert life.tick() == ()
    assert len(life.starts) == 1


def test_again_when_a_minute_has_passed_since_a_target_was_short(world):
    world.attempt(OTHER, fault(Kind.OVERLOAD))
    world.pass_by(60.0)
    world.grow_busy(PRIMARY)
    life = begun(world, PRIMARY, OTHER)
    (start,) = life.due()
    assert start.hedge


def test_not_for_a_stream_that_the_caller_has_begun_to_read(world):
    world.grow_busy(OTHER)
    life = begun(world, PRIMARY, OTHER, BACKUP, continues=True)
    life.stream()
    life.fault(Kind.TRUNCATED)
    assert life.state is State.CONTINUING
    assert life.delivery.due == world.now + 10.0


def test_once_for_each_first_attempt(world):
    life = racing(world, PRIMARY, OTHER, BACKUP, attempts=5)
    world.pass_by(SLOW)
    life.tick()
    assert len(life.starts) == 2
    assert life.delivery.due == NOW + 10.0


# -- who wins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_content_wins_and_the_other_is_dropped_at_once(world, winner):
    life = racing(world, PRIMARY, OTHER)
    world.pass_by(1.0)
    first, other = life.running[winner], life.running[1 - winner]
    assert life.content(first) == (Ended(other),)
    assert life.running == [first]
    life.sent()
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED
    assert first.attempt.result is Result.CONTENT
    # Having been slower than another speaks against nobody.
    assert (other.attempt.result, other.attempt.fault) == (Result.ABANDONED, None)
    assert other.attempt.ended_ms == pytest.approx((world.now - other.began) * 1000.0)


@pytest.mark.parametrize("winner", [0, 1])
def test_an_answer_that_is_whole_at_once_wins_as_well(world, winner):
    life = racing(world, PRIMARY, OTHER)
    first, other = life.running[winner], life.running[1 - winner]
    assert life.whole(first) == (Ended(first), Ended(other), Finish())
    assert other.attempt.result is Result.ABANDONED


def test_one_who_has_lost_cannot_come_back(world):
    life = racing(world, PRIMARY, OTHER)
    slow, hedge = life.running
    life.content(hedge)
    for event in (life.content, life.whole, lambda start: life.fault(Kind.OUTAGE, start)):
        with pytest.raises(RuntimeError, match="not under way"):
            event(slow)
    assert life.state is State.ATTEMPTING
    life.sent()
    life.whole(hedge)


def test_the_winner_of_a_race_is_watched_like_any_stream(world):
    life = racing(world, PRIMARY, OTHER, idle=20.0)
    world.pass_by(1.0)
    life.stream(life.running[1])
    assert life.delivery.due == world.now + 20.0


# -- faults of one of two ---------------------------------------------------------------------

ONE_OF_TWO = sorted(set(Kind) - {Kind.CALLER, Kind.REFUSED})


@pytest.mark.parametrize("loser", [0, 1])
@pytest.mark.parametrize("kind", ONE_OF_TWO)
def test_the_other_goes_on_alone_when_one_fails(world, kind, loser):
    life = racing(world, PRIMARY, OTHER)
    lost, other = life.running[loser], life.running[1 - loser]
    assert life.fault(kind, lost) == (Ended(lost),)
    assert life.state is State.ATTEMPTING
    assert life.running == [other]
    assert lost.attempt.fault == fault(kind)
    # It keeps the time that it was given.
    assert life.delivery.due == other.began + 10.0
    life.stream()
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED


@pytest.mark.parametrize("loser", [0, 1])
@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.REFUSED])
def test_what_is_the_callers_own_ends_both(world, kind, loser):
    life = racing(world, PRIMARY, OTHER)
    lost, other = life.running[loser], life.running[1 - loser]
    *ended, refusal = life.fault(kind, lost)
    assert ended == [Ended(lost), Ended(other)]
    assert isinstance(refusal, Refuse)
    assert refusal.verdict.is_callers
    assert other.attempt.result is Result.ABANDONED


def test_when_both_have_failed_the_next_target_has_its_turn(world):
    life = racing(world, PRIMARY, OTHER, BACKUP)
    life.fault(Kind.OUTAGE)
    ended, start = life.fault(Kind.EMPTY)
    assert ended == Ended(life.starts[1])
    assert (start.target, start.hedge) == (BACKUP, False)
    assert start.attempt.why == f"after empty at {OTHER.key}"


def test_when_both_have_failed_and_none_is_left_one_of_them_may_be_asked_again(world):
    life = racing(world, PRIMARY, OTHER)
    life.fault(Kind.OUTAGE)
    assert life.fault(Kind.OUTAGE)[-1] == Wait(PRIMARY)
    (start,) = life.due()
    assert (start.retry, start.hedge) == (True, False)


def test_a_remedy_is_not_begun_beside_another(world):
    life = racing(world, PRIMARY, OTHER)
    misfit = fault(Kind.ADAPTABLE, remedy=Remedy.WITHOUT_THINKING)
    assert life.fault(misfit) == (Ended(life.starts[0]),)
    assert len(life.starts) == 2


# -- time -------------------------------------------------------------------------------------


def test_a_first_attempt_that_is_given_up_leaves_the_second_its_time(world):
    life = racing(world, PRIMARY, OTHER, BACKUP)
    assert life.delivery.due == NOW + 10.0
    assert life.due() == (Ended(life.starts[0]),)
    assert life.delivery.attempts[0].fault.code == "first_token_timeout"
    assert life.delivery.due == NOW + SLOW + 10.0
    ended, start = life.due()
    assert ended == Ended(life.starts[1])
    assert start.target == BACKUP


def test_two_that_are_given_up_at_once_are_followed_by_one(world):
    life = racing(world, PRIMARY, OTHER, BACKUP)
    world.pass_by(20.0)
    *ended, start = life.tick()
    assert ended == [Ended(life.starts[0]), Ended(life.starts[1])]
    assert (start.target, start.hedge) == (BACKUP, False)


def test_both_end_at_the_deadline(world):
    life = racing(world, PRIMARY, OTHER, seconds=5.0)
    *ended, refusal = life.due()
    assert ended == [Ended(start) for start in life.starts]
    assert refusal.verdict.status == 504
    assert [a.result for a in life.delivery.attempts] == [Result.ABANDONED] * 2


def test_both_end_when_the_caller_leaves(world):
    life = racing(world, PRIMARY, OTHER)
    assert life.gone() == tuple(Ended(start) for start in life.starts)
    assert [a.result for a in life.delivery.attempts] == [Result.CANCELLED] * 2


# -- what a race teaches ----------------------------------------------------------------------


def test_losing_races_does_not_bench_a_target(world):
    world.grow_busy(PRIMARY, 1000)
    for _ in range(20):
        life = racing(world, PRIMARY, OTHER)
        life.stream(life.running[1])
        life.whole()
    assert world.board.obstacle(PRIMARY, world.now) is None


def test_races_that_are_lost_do_not_hide_that_the_target_has_become_slow(world):
    world.learn(PRIMARY, 1.0, attempts=100)
    world.grow_busy(PRIMARY, 1000)
    before = world.pace.hedge_after(PRIMARY.key)
    for _ in range(20):
        life = racing(world, PRIMARY, OTHER)
        life.stream(life.running[1])
        life.whole()
    assert world.pace.hedge_after(PRIMARY.key) > before
