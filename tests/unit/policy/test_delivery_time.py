"""How a request spends its time: patience with an attempt, and one deadline."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.decisions import Break, Ended, Refuse, Start
from understudy.policy.transitions import State
from unit.policy.policy_world import CALENDAR, NOW, Life, World, target

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
    ended, start = life.due()
    assert ended == Ended(life.starts[0])
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
    life.stream()
    assert life.state is State.COMMITTED
    assert life.delivery.due == world.now + 30.0


def test_a_stream_that_begins_late_is_looked_at_no_later_than_its_deadline(world):
    life = begun(world, PRIMARY, seconds=20.0)
    world.pass_by(9.0)
    life.stream()
    assert life.delivery.due == life.limits.deadline


def test_content_that_is_held_back_is_content(world):
    life = begun(world, PRIMARY, OTHER)
    life.content()
    world.pass_by(20.0)
    assert life.tick() == ()
    assert life.tried == [PRIMARY.key]
    assert life.state is State.ATTEMPTING


# -- patience with a stream that has begun ----------------------------------------------------


def test_a_stream_that_goes_on_is_left_alone(world):
    life = begun(world, PRIMARY)
    life.stream()
    for _ in range(3):
        world.pass_by(20.0)
        life.more()
        world.now = life.delivery.due
        assert life.tick() == ()
        assert life.delivery.due == min(life.answer.heard_at + 30.0, life.limits.deadline)
    assert life.state is State.COMMITTED


def broken(life: Life, decisions) -> Fault:
    """The fault that a stream under way was given up for."""
    ended, decision = decisions
    assert ended == Ended(life.starts[0])
    assert isinstance(decision, Break)
    assert decision.verdict.status == 503
    assert life.tried == [PRIMARY.key]
    attempt = life.delivery.attempts[0]
    assert (attempt.result, attempt.fault) == (Result.FAULT, decision.verdict.fault)
    assert (attempt.fault.kind, attempt.fault.scope) == (Kind.SLOW, Scope.MODEL)
    return attempt.fault


def test_a_stream_that_falls_silent_ends_in_an_error_and_not_as_a_success(world):
    life = begun(world, PRIMARY, OTHER, idle=30.0)
    life.stream()
    assert broken(life, life.due()).code == "idle_timeout"
    assert life.delivery.attempts[0].ended_ms == pytest.approx(30_000.0)


def test_a_stream_that_falls_silent_early_is_to_blame_as_well(world):
    # Its time to the first content has nothing to do with it any more.
    life = begun(world, PRIMARY, idle=2.0, first_token=40.0)
    world.pass_by(1.0)
    life.stream()
    assert broken(life, life.due()).code == "idle_timeout"
    assert world.now == pytest.approx(NOW + 3.0)


def test_signs_of_life_alone_do_not_keep_a_stream_alive_for_ever(world):
    life = begun(world, PRIMARY, idle=10.0)
    life.stream()
    decisions = ()
    while not decisions:
        world.pass_by(5.0)
        life.ping()
        decisions = life.tick()
    assert broken(life, decisions).code == "no_progress"
    assert world.now == pytest.approx(NOW + 40.0)


def test_a_trickle_does_not_keep_a_stream_alive_for_ever(world):
    life = begun(world, PRIMARY, idle=10.0)
    life.stream()
    decisions = ()
    while not decisions:
        world.pass_by(5.0)
        life.more(characters=1, size=100)
        decisions = life.tick()
    assert broken(life, decisions).code == "slow_drip"
    assert world.now == pytest.approx(NOW + 40.0)


MOMENTS = st.floats(0.0, 1e9)


@pytest.mark.parametrize("ping", [False, True])
@given(now=MOMENTS, heard=st.floats(0.0, 100.0), idle=st.floats(0.05, 300.0))
@settings(deadline=None, max_examples=50)
def test_a_stalled_stream_is_given_up_at_the_moment_that_was_asked_for(ping, now, heard, idle):
    # A moment that comes and changes nothing would be asked for again, for ever.
    life = begun(World(now=now), PRIMARY, idle=idle, seconds=10_000.0)
    life.stream()
    life.world.pass_by(min(heard, idle * 0.9))
    life.ping()
    for _ in range(20):
        if life.state is State.COMMITTED:
            if ping:
                life.ping()
            life.due()
    assert life.state is State.FAILED


def test_a_stream_past_its_deadline_ends_in_an_error_that_blames_nobody(world):
    life = begun(world, PRIMARY, seconds=40.0)
    world.pass_by(5.0)
    life.stream()
    world.pass_by(20.0)
    life.more()
    life.tick()
    assert life.delivery.due == life.limits.deadline
    _, decision = life.due()
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


# -- limits that are learned ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usual", "limits", "seconds"),
    [
        pytest.param(7.0, {"learned": True}, 7.0, id="as long as the target takes"),
        pytest.param(0.3, {"learned": True}, 5.0, id="some seconds, however fast it is"),
        pytest.param(None, {"learned": True}, 30.0, id="patience with what nobody knows yet"),
        pytest.param(7.0, {}, 10.0, id="what the settings say"),
    ],
)
def test_how_long_a_stream_may_take_to_its_first_content(world, usual, limits, seconds):
    if usual is not None:
        world.learn(PRIMARY, usual)
    life = begun(world, PRIMARY, OTHER, **limits)
    # A history's buckets are 15 % wide.
    assert seconds <= life.delivery.due - NOW <= seconds * 1.15 + CALENDAR


def test_a_stream_of_each_target_has_that_targets_patience(world):
    world.learn(OTHER, 20.0)
    life = begun(world, PRIMARY, OTHER, learned=True)
    life.fault(Kind.OUTAGE)
    assert 20.0 <= life.delivery.due - NOW <= 23.0 + CALENDAR


@pytest.mark.parametrize(
    ("usual", "limits", "seconds"),
    [
        pytest.param(20.0, {"learned": True}, 30.0, id="half as long again as the target takes"),
        pytest.param(20.0, {"learned": True, "hurried": True}, 30.0, id="whoever is in a hurry"),
        pytest.param(20.0, {"learned": True, "max_tokens": 640}, 28.0, id="if not for the tokens"),
        pytest.param(1.0, {"learned": True}, 10.0, id="never less than to a first token"),
        pytest.param(50.0, {"learned": True}, 60.0, id="time for another is left"),
        pytest.param(None, {"learned": True}, 60.0, id="half of the time where nothing is known"),
        pytest.param(20.0, {}, 60.0, id="or learned"),
    ],
)
def test_how_long_a_whole_answer_of_a_known_target_may_take(world, usual, limits, seconds):
    if usual is not None:
        world.learn(PRIMARY, usual, stream=False)
    life = begun(world, PRIMARY, OTHER, stream=False, **limits)
    assert seconds - CALENDAR <= life.delivery.due - NOW <= seconds * 1.15 + CALENDAR
    # Having had what its own history entitles it to, it is to blame.
    if usual == 20.0 and limits:
        life.due()
        assert life.delivery.attempts[0].result is Result.FAULT


# -- one deadline -----------------------------------------------------------------------------


def test_one_deadline_spans_all_attempts(world):
    life = begun(world, PRIMARY, OTHER, THIRD, first_token=10.0, seconds=25.0)
    life.due()
    life.due()
    assert life.delivery.due == life.limits.deadline
    _, decision = life.due()
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
    _, decision = life.fault(Kind.OUTAGE)
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
