"""How a request spends its time: patience with an attempt, waits between attempts, one deadline."""

from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import Kind
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.delivery import Abandon, Break, Refuse, Start, State, Wait
from unit.policy.policy_world import CALENDAR, NOW, WALL, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")
THIRD = target("mistral@main/large")

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
    assert isinstance(life.last, Refuse | Break)
    assert life.delivery.outcome is RequestOutcome.FAILED
    return life.last.verdict


# -- patience with a stream -------------------------------------------------------------------


def test_a_stream_without_content_in_time_gives_way_to_the_next_target(world):
    life = begun(world, PRIMARY, OTHER, first_token=10.0)
    assert life.delivery.due == NOW + 10.0
    abandon, start = life.due()
    assert isinstance(abandon, Abandon)
    assert isinstance(start, Start)
    assert start.target == OTHER
    attempt = life.delivery.attempts[0]
    assert attempt.result is Result.FAULT
    assert attempt.fault.kind is Kind.SLOW
    assert attempt.fault.code == "first_token_timeout"
    assert attempt.ended_ms == pytest.approx(10_000.0)


@given(now=st.floats(0.0, 1e9), first_token=st.floats(0.05, 300.0))
@settings(deadline=None)
def test_a_target_that_had_all_of_its_time_is_slow_whatever_the_rounding(now, first_token):
    life = begun(World(now=now), PRIMARY, OTHER, first_token=first_token, seconds=1000.0)
    life.due()
    assert life.delivery.attempts[0].result is Result.FAULT


def test_content_at_the_last_moment_is_in_time(world):
    life = begun(world, PRIMARY, OTHER)
    world.now = life.delivery.due
    life.content()
    assert life.state is State.COMMITTED
    assert life.delivery.due == world.now + 30.0


def test_a_stream_that_begins_late_is_looked_at_no_later_than_its_deadline(world):
    life = begun(world, PRIMARY, seconds=20.0)
    world.pass_by(9.0)
    life.content()
    assert life.delivery.due == life.limits.deadline


def test_a_stream_that_goes_on_is_left_alone(world):
    life = begun(world, PRIMARY)
    life.content()
    for _ in range(3):
        world.pass_by(20.0)
        life.last_activity = world.now
        world.now = life.delivery.due
        assert life.tick() == ()
        assert life.delivery.due == min(life.last_activity + 30.0, life.limits.deadline)
    assert life.state is State.COMMITTED


def test_a_stream_that_falls_silent_ends_in_an_error_and_not_as_a_success(world):
    life = begun(world, PRIMARY, OTHER, idle=30.0)
    life.content()
    abandon, decision = life.due()
    assert isinstance(abandon, Abandon)
    assert isinstance(decision, Break)
    attempt = life.delivery.attempts[0]
    assert (attempt.fault.kind, attempt.fault.code) == (Kind.SLOW, "idle_timeout")
    assert attempt.ended_ms == pytest.approx(30_000.0)
    assert life.tried == [PRIMARY.key]


@given(now=st.floats(0.0, 1e9), idle=st.floats(0.05, 300.0))
@settings(deadline=None)
def test_a_silent_stream_is_given_up_at_the_very_moment_that_was_asked_for(now, idle):
    # A moment that comes and changes nothing would be asked for again, for ever.
    life = begun(World(now=now), PRIMARY, idle=idle, seconds=1000.0)
    life.content()
    life.due()
    assert life.state is State.FAILED


def test_a_stream_past_its_deadline_ends_in_an_error_that_blames_nobody(world):
    life = begun(world, PRIMARY, seconds=40.0)
    world.pass_by(5.0)
    life.content()
    world.pass_by(20.0)
    life.last_activity = world.now
    life.tick()
    assert life.delivery.due == life.limits.deadline
    abandon, decision = life.due()
    assert isinstance(abandon, Abandon)
    assert isinstance(decision, Break)
    assert decision.verdict.status == 504
    assert life.delivery.attempts[0].result is Result.ABANDONED
    assert life.delivery.attempts[0].fault is None


# -- patience with a whole answer -------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "limits", "seconds"),
    [
        pytest.param((PRIMARY, OTHER), {}, 60.0, id="half of the time, so that another may try"),
        pytest.param((PRIMARY,), {}, 120.0, id="all of it where there is no other target"),
        pytest.param((PRIMARY, OTHER), {"attempts": 1}, 120.0, id="all of it in the last attempt"),
        pytest.param(
            (PRIMARY, OTHER), {"max_tokens": 640}, 28.0, id="what so many tokens take, and no more"
        ),
        pytest.param(
            (PRIMARY, OTHER), {"max_tokens": 64_000}, 60.0, id="a long answer leaves time, too"
        ),
        pytest.param(
            (PRIMARY,), {"max_tokens": 640}, 120.0, id="no reason to give up the only one"
        ),
    ],
)
def test_how_long_a_whole_answer_may_take(world, targets, limits, seconds):
    life = begun(world, *targets, stream=False, **limits)
    assert life.delivery.due - NOW == pytest.approx(seconds)


def test_a_whole_answer_that_never_comes_leaves_time_for_two_more_targets(world):
    life = begun(world, PRIMARY, OTHER, THIRD, stream=False)
    life.due()
    life.due()
    assert life.tried == [PRIMARY.key, OTHER.key, THIRD.key]
    assert life.limits.deadline - world.now == pytest.approx(30.0)
    assert life.delivery.due == life.limits.deadline
    assert [a.fault.code for a in life.delivery.attempts[:2]] == ["answer_timeout"] * 2


@pytest.mark.parametrize(
    ("limits", "blamed"),
    [
        pytest.param({}, True, id="the feature's own deadline"),
        pytest.param({"hurried": True}, False, id="a caller in a hurry"),
        pytest.param({"hurried": True, "max_tokens": 640}, True, id="time enough for the tokens"),
        pytest.param({"max_tokens": 64_000}, False, id="too little time for so many tokens"),
    ],
)
def test_only_a_target_that_had_the_time_it_is_entitled_to_is_blamed(world, limits, blamed):
    life = begun(world, PRIMARY, OTHER, stream=False, **limits)
    life.due()
    attempt = life.delivery.attempts[0]
    assert attempt.result is (Result.FAULT if blamed else Result.ABANDONED)
    assert (attempt.fault is not None) is blamed
    # Blamed or not, the next target has its turn.
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_the_last_target_that_can_have_a_turn_may_take_all_the_time_there_is(world):
    life = begun(world, PRIMARY, OTHER, stream=False, attempts=5)
    life.fault(Kind.OUTAGE)
    assert life.delivery.due == life.limits.deadline


def test_a_target_whose_account_died_is_nobody_to_leave_time_for(world):
    life = begun(world, PRIMARY, OTHER, target("anthropic@main/haiku"), stream=False, attempts=5)
    life.fault(Kind.ACCOUNT)
    assert life.delivery.due == life.limits.deadline


# -- one deadline -----------------------------------------------------------------------------


def test_one_deadline_spans_all_attempts(world):
    life = begun(world, PRIMARY, OTHER, THIRD, first_token=10.0, seconds=25.0)
    life.due()
    life.due()
    assert life.delivery.due == life.limits.deadline
    abandon, decision = life.due()
    assert isinstance(abandon, Abandon)
    assert isinstance(decision, Refuse)
    assert verdict_of(life).status == 504
    assert world.now == NOW + 25.0
    # The third had five seconds of the ten that it is entitled to.
    assert [a.result for a in life.delivery.attempts] == [
        Result.FAULT,
        Result.FAULT,
        Result.ABANDONED,
    ]


def test_no_attempt_begins_at_the_deadline(world):
    life = begun(world, PRIMARY, OTHER, seconds=5.0)
    world.now = life.limits.deadline
    (decision,) = life.fault(Kind.OUTAGE)
    assert isinstance(decision, Refuse)
    assert decision.verdict.status == 504
    assert life.tried == [PRIMARY.key]


def test_a_request_that_comes_too_late_is_told_so_without_an_attempt(world):
    life = begun(world, PRIMARY, seconds=0.0)
    assert verdict_of(life).status == 504
    assert life.tried == []


@given(now=st.floats(0.0, 1e9), seconds=st.floats(0.001, 1000.0), stream=st.booleans())
@settings(deadline=None)
def test_the_next_moment_is_never_after_the_deadline(now, seconds, stream):
    life = begun(World(now=now), PRIMARY, OTHER, seconds=seconds, stream=stream, attempts=4)
    for _ in range(12):
        if life.delivery.outcome is None:
            assert life.delivery.due <= life.limits.deadline
            life.due()
    assert life.delivery.outcome is RequestOutcome.FAILED
    assert life.world.now <= life.limits.deadline


# -- waiting for a retry ----------------------------------------------------------------------


@pytest.mark.parametrize("draw", [0.0, 0.3, 0.999])
def test_a_retry_waits_with_full_jitter(draw):
    world = World(repeat(draw))
    life = begun(world, PRIMARY)
    assert life.fault(Kind.OUTAGE) == (Wait(PRIMARY),)
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
        # Health is kept out of this: it would close the target to the request after five.
        world.board.of_target(PRIMARY).succeeded(world.now, world.now)
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
    (decision,) = life.fault(fault(Kind.THROTTLED, retry_after=61.0))
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
    assert life.fault(fault(Kind.THROTTLED, retry_after=4.0)) == (Wait(OTHER),)
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
        assert life.fault(fault(Kind.THROTTLED, retry_after=4.0)) == (Wait(PRIMARY),)
    world.now = NOW + 4.0
    for life in lives:
        life.tick()
    first, *others = lives
    assert first.state is State.ATTEMPTING
    assert [life.state for life in others] == [State.WAITING] * 2
    assert [life.delivery.due for life in others] == [NOW + 4.5] * 2
    first.content()
    first.whole()
    # The first one's success lets the others through.
    for life in others:
        assert isinstance(life.due()[-1], Start)
