"""A retry at the same target: when it is promised, how long it waits, and what it asks then."""

from itertools import chain, repeat

import pytest

from understudy.core.faults import Kind
from understudy.core.outcomes import RequestOutcome
from understudy.policy.decisions import Ended, Refuse, Start, Wait
from understudy.policy.transitions import State
from unit.policy.policy_world import CALENDAR, NOW, WALL, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")

#: The longest first wait: a backoff of 0.5 s before jitter.
FIRST_WAIT = 0.5


@pytest.fixture
def world() -> World:
    return World()


def begun(world: World, *targets, **limits) -> Life:
    life = Life(world, targets, **limits)
    life.begin()
    return life


def verdict_of(life: Life):
    assert isinstance(life.last, Refuse)
    assert life.delivery.outcome is RequestOutcome.FAILED
    return life.last.verdict


# -- waiting for a retry ----------------------------------------------------------------------


@pytest.mark.parametrize("draw", [0.0, 0.3, 0.999])
def test_a_retry_waits_with_full_jitter(draw):
    world = World(repeat(draw))
    life = begun(world, PRIMARY)
    assert life.fault(Kind.OUTAGE) == (Ended(life.starts[0]), Wait(PRIMARY))
    assert life.delivery.due - NOW == pytest.approx(draw * FIRST_WAIT, abs=CALENDAR)
    (decision,) = life.due()
    assert isinstance(decision, Start)
    assert decision.retry
    assert decision.attempt.why == (
        f"again after outage, waited {draw * FIRST_WAIT:.1f} s; no other is left"
    )
    assert decision.attempt.started_at == pytest.approx(world.now + WALL, abs=CALENDAR)


def test_every_further_wait_may_be_twice_as_long_up_to_eight_seconds():
    world = World(chain(repeat(0.999, 30)))
    life = begun(world, PRIMARY, attempts=8, seconds=600.0)
    waits = []
    for _ in range(7):
        before = world.now
        assert isinstance(life.fault(Kind.OUTAGE)[-1], Wait)
        waits.append(life.delivery.due - before)
        world.now = life.delivery.due
        life.tick()
    assert waits == pytest.approx([0.4995, 0.999, 1.998, 3.996, 7.992, 7.992, 7.992])


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.OVERLOAD, Kind.OUTAGE])
def test_a_retry_never_comes_sooner_than_the_provider_asks(world, kind):
    life = begun(world, PRIMARY)
    life.fault(fault(kind, retry_after=7.0))
    assert life.delivery.due == NOW + 7.0
    life.due()
    assert life.tried == [PRIMARY.key] * 2


def test_a_wait_beyond_the_deadline_is_not_begun(world):
    life = begun(world, PRIMARY, seconds=60.0)
    _, decision = life.fault(fault(Kind.THROTTLED, retry_after=61.0))
    assert isinstance(decision, Refuse)
    assert decision.verdict.status == 503
    assert decision.verdict.retry_after == 61.0


def test_a_later_retry_after_of_the_same_target_is_not_ignored(world):
    life = begun(world, PRIMARY)
    life.fault(fault(Kind.THROTTLED, retry_after=9.0))
    life.due()
    life.fault(fault(Kind.THROTTLED, retry_after=107.0))
    assert life.delivery.due == world.now + 107.0


def test_a_caller_hears_the_later_retry_after_of_the_same_target(world):
    life = begun(world, PRIMARY, attempts=2)
    life.fault(fault(Kind.THROTTLED, retry_after=9.0))
    life.due()
    life.fault(fault(Kind.THROTTLED, retry_after=107.0))
    assert verdict_of(life).retry_after == 107.0


def test_of_several_targets_the_one_that_is_ready_first_is_tried_again(world):
    life = begun(world, PRIMARY, OTHER)
    life.fault(fault(Kind.THROTTLED, retry_after=20.0))
    assert life.fault(fault(Kind.THROTTLED, retry_after=4.0))[-1] == Wait(OTHER)
    assert life.delivery.due == NOW + 4.0


def test_without_budget_a_request_fails_instead_of_waiting(world):
    for _ in range(3):
        world.budget.retry(PRIMARY.key, world.now)
    life = begun(world, PRIMARY)
    assert isinstance(life.fault(Kind.OUTAGE)[-1], Refuse)


def test_failing_over_is_not_charged_to_the_retry_budget(world):
    for where in (PRIMARY, OTHER):
        for _ in range(3):
            world.budget.retry(where.key, world.now)
    life = begun(world, PRIMARY, OTHER)
    life.fault(Kind.OUTAGE)
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_a_promised_retry_that_is_looked_at_after_the_deadline_is_given_up(world):
    life = begun(world, PRIMARY, seconds=10.0)
    life.fault(fault(Kind.THROTTLED, retry_after=9.0))
    world.pass_by(11.0)
    (decision,) = life.tick()
    assert isinstance(decision, Refuse)
    assert decision.verdict.status == 504


# -- a retry asks health like everyone --------------------------------------------------------


def test_a_retry_does_not_go_to_a_target_that_was_given_up_meanwhile(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.OUTAGE)
    world.break_down(PRIMARY)
    (decision,) = life.due()
    assert isinstance(decision, Refuse)
    assert decision.verdict.retry_after == pytest.approx(15.0, abs=FIRST_WAIT)
    assert life.tried == [PRIMARY.key]


def test_a_retry_does_not_go_to_an_account_that_died_meanwhile(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.OUTAGE)
    world.attempt(target("anthropic@main/haiku"), fault(Kind.ACCOUNT))
    (decision,) = life.due()
    assert isinstance(decision, Refuse)


def test_a_throttled_target_gets_its_rest_where_the_provider_does_not_say_how_long(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.THROTTLED)
    assert life.due() == ()
    assert life.state is State.WAITING
    assert life.delivery.due == NOW + 5.0
    (decision,) = life.due()
    assert isinstance(decision, Start)
    assert "waited 5.0 s" in decision.attempt.why


def test_a_rest_that_lasts_beyond_the_deadline_is_not_waited_for(world):
    life = begun(world, PRIMARY, seconds=4.0)
    life.fault(Kind.THROTTLED)
    (decision,) = life.due()
    assert isinstance(decision, Refuse)
    assert decision.verdict.status == 503
    assert world.now < life.limits.deadline


def test_when_a_wait_is_over_not_every_caller_comes_at_once(world):
    lives = [begun(world, PRIMARY) for _ in range(3)]
    for life in lives:
        assert life.fault(fault(Kind.THROTTLED, retry_after=4.0))[-1] == Wait(PRIMARY)
    world.now = NOW + 4.0
    for life in lives:
        life.tick()
    first, *others = lives
    assert first.state is State.ATTEMPTING
    assert [life.state for life in others] == [State.WAITING] * 2
    assert [life.delivery.due for life in others] == [NOW + 4.5] * 2
    first.stream()
    first.whole()
    # The first one's success lets the others through, one after the other.
    began = []
    for life in others:
        while not life.due():
            pass
        assert isinstance(life.last, Start)
        began.append(world.now)
    assert NOW + 4.5 <= began[0] < began[1] <= NOW + 10.0
