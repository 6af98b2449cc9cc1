"""When a target or an account is left alone, for how long, and who may try it again."""

from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import OUTAGE_LIKE, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.board import Board
from understudy.policy.breaker import BreakerState
from understudy.policy.plans import Recourse
from unit.policy.policy_world import NOW, World, fault, named, target

PRIMARY = target("anthropic@main/sonnet")
SAME_ACCOUNT = target("anthropic@main/haiku")
OTHER_ACCOUNT = target("anthropic@backup/sonnet")
OTHER = target("openai@main/gpt")

OUTAGE = fault(Kind.OUTAGE)
#: What holds a target or an account by itself, at once.
HOLDING = {Kind.THROTTLED, Kind.ACCOUNT, Kind.CONFIG}
#: What says nothing about the target.
SAYS_NOTHING = sorted(set(Kind) - OUTAGE_LIKE - HOLDING)


@pytest.fixture
def world() -> World:
    return World()


def is_shut(world: World, where=PRIMARY) -> bool:
    return world.board.rests(where, world.now) is not None


def rest(world: World, where=PRIMARY) -> float:
    return world.board.opens_again_in(where, world.now)


def state(world: World, where=PRIMARY) -> BreakerState:
    return world.board.of_target(where).state


def open_again(world: World) -> None:
    """The primary breaks down, and its time passes: the next attempt is a trial."""
    world.break_down(PRIMARY)
    world.pass_by(rest(world))


# -- opening ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(OUTAGE_LIKE))
def test_four_faults_in_a_row_open_a_target(world, kind):
    for _ in range(4):
        assert not is_shut(world)
        world.attempt(PRIMARY, fault(kind))
    assert is_shut(world)
    assert not is_shut(world, SAME_ACCOUNT)


def test_one_fault_is_a_suspicion_that_five_successes_end(world):
    world.attempt(PRIMARY, OUTAGE)
    for _ in range(5):
        assert world.board.of_target(PRIMARY).is_suspicious
        world.attempt(PRIMARY)
    assert not world.board.of_target(PRIMARY).is_suspicious


def test_a_target_that_fails_one_call_of_four_is_given_up(world):
    tried = 0
    while not is_shut(world):
        world.attempt(PRIMARY, OUTAGE if tried % 4 == 0 else Result.CONTENT)
        tried += 1
    assert tried <= 25


def test_one_fault_of_a_hundred_keeps_a_target_in_rotation(world):
    for turn in range(5000):
        world.attempt(PRIMARY, OUTAGE if turn % 100 == 0 else Result.CONTENT)
        assert not is_shut(world)


def test_the_same_request_failing_again_is_no_evidence_of_its_own(world):
    for _ in range(3):
        world.attempt(PRIMARY, OUTAGE)
        for _ in range(5):
            world.attempt(PRIMARY, OUTAGE, retry=True)
    assert not is_shut(world)
    world.attempt(PRIMARY, OUTAGE)
    assert is_shut(world)


def test_twenty_five_straight_server_errors_do_not_stay_in_rotation(world):
    sent = 0
    for _ in range(25):
        if not is_shut(world):
            sent += 1
            world.attempt(PRIMARY, OUTAGE)
        world.pass_by(0.1)
    assert sent == 4


# -- how wide ---------------------------------------------------------------------------------

#: Other models of the primary's provider that nobody has asked yet.
UNASKED = target("anthropic@main/opus")


def test_a_provider_all_of_whose_targets_fail_is_left_alone_as_a_whole(world):
    for _ in range(2):
        world.attempt(PRIMARY, OUTAGE)
        world.attempt(SAME_ACCOUNT, OUTAGE)
    assert world.board.of_provider(PRIMARY).state is BreakerState.OPEN
    assert "anthropic: outage" in world.board.rests(UNASKED, world.now)
    assert not is_shut(world, OTHER)


def test_a_model_that_fails_alone_does_not_take_its_provider_along(world):
    for _ in range(10):
        world.attempt(PRIMARY, OUTAGE)
        world.attempt(SAME_ACCOUNT)
    assert is_shut(world)
    assert not is_shut(world, SAME_ACCOUNT)
    assert not is_shut(world, UNASKED)


def test_a_model_that_fails_where_nobody_has_asked_another_speaks_for_itself_alone(world):
    world.break_down(PRIMARY)
    assert not is_shut(world, UNASKED)


def test_a_provider_is_back_when_one_of_its_targets_is(world):
    for _ in range(2):
        world.attempt(PRIMARY, OUTAGE)
        world.attempt(SAME_ACCOUNT, OUTAGE)
    world.pass_by(rest(world, UNASKED))
    world.attempt(UNASKED)
    assert world.board.of_provider(PRIMARY).state is BreakerState.CLOSED
    assert not is_shut(world, UNASKED)


# -- how long ---------------------------------------------------------------------------------


def test_every_failed_trial_doubles_the_rest_up_to_five_minutes(world):
    world.break_down(PRIMARY)
    rests = []
    for _ in range(7):
        rests.append(rest(world))
        world.pass_by(rest(world))
        assert not is_shut(world)
        world.attempt(PRIMARY, OUTAGE)
    assert rests == pytest.approx([15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0])


@pytest.mark.parametrize(("draw", "first", "longest"), [(0.0, 12.0, 240.0), (0.5, 15.0, 300.0)])
def test_rests_are_jittered_by_a_fifth(draw, first, longest):
    world = World(repeat(draw))
    world.break_down(PRIMARY)
    assert rest(world) == pytest.approx(first)
    for _ in range(6):
        world.pass_by(rest(world))
        world.attempt(PRIMARY, OUTAGE)
    assert rest(world) == pytest.approx(longest)


@given(draw=st.floats(0.0, 1.0, exclude_max=True), failed=st.integers(0, 12))
@settings(deadline=None)
def test_a_rest_is_within_its_bounds_whatever_is_drawn(draw, failed):
    world = World(repeat(draw))
    world.break_down(PRIMARY)
    for _ in range(failed):
        world.pass_by(rest(world))
        world.attempt(PRIMARY, OUTAGE)
    middle = min(300.0, 15.0 * 2**failed)
    assert 0.8 * middle - 1e-6 <= rest(world) <= 1.2 * middle + 1e-6


def test_an_outage_of_weeks_changes_nothing(world):
    world.break_down(PRIMARY)
    for _ in range(5000):
        world.pass_by(rest(world))
        world.attempt(PRIMARY, OUTAGE)
    assert rest(world) == pytest.approx(300.0)
    world.pass_by(300.0)
    world.attempt(PRIMARY)
    assert not is_shut(world)


def test_what_breaks_down_again_soon_rests_longer_than_before(world):
    rests = []
    for _ in range(4):
        world.break_down(PRIMARY)
        rests.append(rest(world))
        world.pass_by(rest(world))
        world.attempt(PRIMARY)
        world.pass_by(30.0)
    assert rests == pytest.approx([15.0, 30.0, 60.0, 120.0])


def test_ten_good_minutes_make_the_next_rest_short_again(world):
    open_again(world)
    world.attempt(PRIMARY, OUTAGE)
    world.pass_by(rest(world))
    world.attempt(PRIMARY)
    world.pass_by(600.0)
    world.break_down(PRIMARY)
    assert rest(world) == pytest.approx(15.0)


# -- slow start -------------------------------------------------------------------------------


def _recover(world):
    open_again(world)
    world.attempt(PRIMARY)


@pytest.mark.parametrize(("seconds", "share"), [(0, 0.1), (12, 0.1), (30, 0.25), (90, 0.75)])
def test_after_an_outage_the_traffic_comes_back_step_by_step(world, seconds, share):
    _recover(world)
    world.pass_by(seconds)
    assert world.board.of_target(PRIMARY).share(world.now) == pytest.approx(share)


def test_a_share_is_drawn_for_each_request():
    chance = iter([])
    world = World(iter(lambda: next(chance, 0.5), None))
    _recover(world)
    world.pass_by(60.0)
    chance = iter([n / 100 for n in range(100)])
    passed = sum(world.board.obstacle(PRIMARY, world.now) is None for _ in range(100))
    assert passed == 50


def test_slow_start_ends_after_two_minutes(world):
    _recover(world)
    assert "10%" in world.board.obstacle(PRIMARY, world.now)
    world.pass_by(120.0)
    assert world.board.obstacle(PRIMARY, world.now) is None


def test_in_slow_start_nobody_is_refused_for_want_of_another(world):
    _recover(world)
    assert world.board.obstacle(PRIMARY, world.now) is not None
    assert world.board.recourse(PRIMARY, world.now) is Recourse.RECOVERING


def test_what_was_told_to_wait_needs_no_slow_start(world):
    world.attempt(PRIMARY, fault(Kind.THROTTLED))
    world.pass_by(5.0)
    world.attempt(PRIMARY)
    assert world.board.obstacle(PRIMARY, world.now) is None


# -- probes instead of callers ----------------------------------------------------------------

PROBED = target("anthropic@main/sonnet", probed=True)


def test_where_probes_are_sent_no_caller_is_the_trial(world):
    world.board.probed = True
    world.break_down(PROBED)
    world.pass_by(rest(world, PROBED))
    assert is_shut(world, PROBED)
    for _ in range(3):
        assert is_shut(world, PROBED)
        world.attempt(PROBED, is_probe=True)
        world.pass_by(2.0)
    assert not is_shut(world, PROBED)


def test_a_probe_that_fails_after_others_have_passed_begins_the_count_anew_soon(world):
    world.board.probed = True
    world.break_down(PROBED)
    world.pass_by(rest(world, PROBED))
    for _ in range(2):
        world.attempt(PROBED, is_probe=True)
        world.pass_by(2.0)
    world.attempt(PROBED, OUTAGE, is_probe=True)
    assert rest(world, PROBED) == pytest.approx(5.0)
    for _ in range(3):
        world.pass_by(rest(world, PROBED))
        assert is_shut(world, PROBED)
        world.attempt(PROBED, is_probe=True)
    assert not is_shut(world, PROBED)


def test_what_was_told_to_wait_is_tried_by_a_caller_all_the_same(world):
    world.board.probed = True
    world.attempt(PROBED, fault(Kind.THROTTLED))
    world.pass_by(5.0)
    assert not is_shut(world, PROBED)


# -- the trial --------------------------------------------------------------------------------


def test_after_the_rest_not_every_caller_comes_at_once_but_one(world):
    open_again(world)
    assert not is_shut(world)
    world.board.started(PRIMARY, world.now)
    assert state(world) is BreakerState.HALF_OPEN
    for _ in range(20):
        world.pass_by(0.1)
        assert is_shut(world)
    assert "a trial decides" in world.board.obstacle(PRIMARY, world.now)


def test_a_trial_that_succeeds_closes(world):
    open_again(world)
    world.attempt(PRIMARY, seconds=3.0)
    assert state(world) is BreakerState.CLOSED
    assert not is_shut(world)
    assert rest(world) == 0.0


def test_what_led_to_an_opening_is_forgotten_with_it(world):
    open_again(world)
    world.attempt(PRIMARY)
    for _ in range(3):
        world.attempt(PRIMARY, OUTAGE)
        assert not is_shut(world)


@pytest.mark.parametrize(
    "end", [Result.CANCELLED, Result.ABANDONED, *(fault(kind) for kind in SAYS_NOTHING)], ids=named
)
def test_a_trial_that_says_nothing_leaves_its_place_to_the_next(world, end):
    open_again(world)
    world.attempt(PRIMARY, end)
    assert state(world) is BreakerState.OPEN
    assert not is_shut(world)
    world.attempt(PRIMARY)
    assert state(world) is BreakerState.CLOSED


def test_a_throttled_trial_rests_as_asked_and_does_not_double_the_rest(world):
    open_again(world)
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=7.0))
    assert rest(world) == pytest.approx(7.0)
    world.pass_by(7.0)
    world.attempt(PRIMARY, OUTAGE)
    assert rest(world) == pytest.approx(30.0)


# -- late reports -----------------------------------------------------------------------------

LATE = [Result.CONTENT, Result.CANCELLED, OUTAGE, fault(Kind.CALLER)]


@pytest.mark.parametrize("end", LATE, ids=named)
def test_an_attempt_that_began_before_the_opening_changes_nothing_when_it_ends(world, end):
    began = world.now
    world.board.started(PRIMARY, began)
    world.pass_by(1.0)
    world.break_down(PRIMARY)
    before = rest(world)
    world.end(PRIMARY, end, began)
    assert state(world) is BreakerState.OPEN
    assert rest(world) == before
    world.pass_by(before)
    world.end(PRIMARY, end, began)
    assert not is_shut(world)


@pytest.mark.parametrize("end", LATE, ids=named)
def test_an_attempt_that_began_before_the_opening_does_not_decide_for_the_trial(world, end):
    began = world.now
    world.board.started(PRIMARY, began)
    world.pass_by(1.0)
    open_again(world)
    trial = world.now
    world.board.started(PRIMARY, trial)
    world.pass_by(1.0)
    world.end(PRIMARY, end, began)
    assert state(world) is BreakerState.HALF_OPEN
    assert is_shut(world)
    world.end(PRIMARY, Result.CONTENT, trial)
    assert state(world) is BreakerState.CLOSED


def test_late_failures_of_an_outage_do_not_open_a_target_that_has_recovered(world):
    began = world.now
    for _ in range(10):
        world.board.started(PRIMARY, began)
    world.pass_by(1.0)
    open_again(world)
    world.attempt(PRIMARY)
    for _ in range(10):
        world.end(PRIMARY, OUTAGE, began)
    assert not is_shut(world)


# -- faults that speak for themselves ---------------------------------------------------------


@pytest.mark.parametrize(("said", "seconds"), [(None, 5.0), (0.0, 5.0), (2.0, 2.0), (107.0, 107.0)])
def test_a_throttled_target_rests_as_long_as_the_provider_says(world, said, seconds):
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=said))
    assert is_shut(world)
    assert rest(world) == pytest.approx(seconds)
    assert not is_shut(world, SAME_ACCOUNT)


def test_being_throttled_again_and_again_does_not_grow_the_rest(world):
    for _ in range(10):
        world.attempt(PRIMARY, fault(Kind.THROTTLED))
        assert rest(world) == pytest.approx(5.0)
        world.pass_by(5.0)
    world.break_down(PRIMARY)
    assert rest(world) == pytest.approx(15.0)


@pytest.mark.parametrize(("first", "second"), [(107.0, 9.0), (9.0, 107.0)])
def test_benching_again_keeps_the_longer_time(world, first, second):
    began = world.now
    for _ in range(2):
        world.board.started(PRIMARY, began)
    world.end(PRIMARY, fault(Kind.THROTTLED, retry_after=first), began)
    world.end(PRIMARY, fault(Kind.THROTTLED, retry_after=second), began)
    assert rest(world) == pytest.approx(107.0)


@pytest.mark.parametrize(("said", "seconds"), [(None, 300.0), (10.0, 300.0), (3600.0, 3600.0)])
def test_a_dead_account_is_held_with_all_its_models_and_alone(world, said, seconds):
    world.attempt(PRIMARY, fault(Kind.ACCOUNT, retry_after=said))
    assert rest(world) == pytest.approx(seconds)
    assert is_shut(world)
    assert is_shut(world, SAME_ACCOUNT)
    assert not is_shut(world, OTHER_ACCOUNT)
    assert not is_shut(world, OTHER)
    world.pass_by(seconds)
    assert not is_shut(world)


def test_credit_balance_too_low_benches_the_account_although_it_is_a_bad_request(world):
    broke = fault(Kind.ACCOUNT, status=400, message="Your credit balance is too low to access")
    world.attempt(PRIMARY, broke)
    assert is_shut(world, SAME_ACCOUNT)
    assert "anthropic@main: account" in world.board.obstacle(SAME_ACCOUNT, world.now)


@pytest.mark.parametrize("scope", [Scope.MODEL, Scope.ACCOUNT, Scope.PROVIDER])
@pytest.mark.parametrize(("said", "seconds"), [(None, 300.0), (10.0, 300.0), (3600.0, 3600.0)])
def test_a_missing_model_is_held_and_nothing_else(world, scope, said, seconds):
    world.attempt(PRIMARY, fault(Kind.CONFIG, scope=scope, retry_after=said))
    assert rest(world) == pytest.approx(seconds)
    assert is_shut(world)
    for where in (SAME_ACCOUNT, OTHER_ACCOUNT, OTHER):
        assert not is_shut(world, where)


def test_one_request_tries_a_dead_account_again_not_every_model_of_it(world):
    world.attempt(PRIMARY, fault(Kind.ACCOUNT))
    world.pass_by(300.0)
    world.board.started(PRIMARY, world.now)
    assert is_shut(world, SAME_ACCOUNT)


@pytest.mark.parametrize(
    "end",
    [
        Result.CONTENT,
        fault(Kind.THROTTLED),
        fault(Kind.CONFIG),
        fault(Kind.OVERLOAD),
        fault(Kind.TRUNCATED),
    ],
    ids=named,
)
def test_an_account_that_is_let_in_again_works(world, end):
    world.attempt(PRIMARY, fault(Kind.ACCOUNT))
    world.pass_by(300.0)
    world.attempt(PRIMARY, end)
    assert world.board.of_account(PRIMARY).state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "end",
    [
        Result.CANCELLED,
        Result.ABANDONED,
        fault(Kind.INTERNAL),
        fault(Kind.CALLER),
        fault(Kind.ADAPTABLE),
        fault(Kind.SLOW, scope=Scope.MODEL, status=None),
        fault(Kind.OUTAGE, scope=Scope.NETWORK, status=None),
        fault(Kind.OUTAGE, scope=Scope.EDGE, status=502),
    ],
    ids=named,
)
def test_an_account_is_not_said_to_work_because_something_else_failed(world, end):
    world.attempt(PRIMARY, fault(Kind.ACCOUNT))
    world.pass_by(300.0)
    world.attempt(PRIMARY, end)
    assert world.board.of_account(PRIMARY).state is BreakerState.OPEN
    # Nor is it held for longer: the next request is the trial.
    assert not is_shut(world, SAME_ACCOUNT)


# -- what says nothing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [Result.CANCELLED, Result.ABANDONED, *(fault(kind) for kind in SAYS_NOTHING)], ids=named
)
def test_callers_and_our_own_faults_never_open_anything(world, end):
    for _ in range(50):
        world.attempt(PRIMARY, end)
    assert not is_shut(world)
    assert state(world) is BreakerState.CLOSED
    assert world.board.of_account(PRIMARY).state is BreakerState.CLOSED


def test_callers_who_leave_do_not_hide_a_streak_of_faults(world):
    for _ in range(4):
        assert not is_shut(world)
        world.attempt(PRIMARY, OUTAGE)
        world.attempt(PRIMARY, Result.CANCELLED)
    assert is_shut(world)


# -- when nothing else is left ----------------------------------------------------------------


def may_panic(world: World, where=PRIMARY) -> bool:
    return world.board.recourse(where, world.now) not in {Recourse.SOON, Recourse.OUT}


@pytest.mark.parametrize("kind", sorted(OUTAGE_LIKE))
def test_a_broken_target_may_be_tried_once_a_second(world, kind):
    world.break_down(PRIMARY, kind)
    assert not may_panic(world)
    tried = 0
    for _ in range(100):
        world.pass_by(0.1)
        if may_panic(world):
            world.attempt(PRIMARY, fault(kind))
            tried += 1
    assert 9 <= tried <= 10


def test_one_that_still_answers_some_is_used_where_there_is_nobody_else(world):
    world.attempt(PRIMARY)
    world.break_down(PRIMARY)
    for _ in range(10):
        assert may_panic(world)
        world.board.started(PRIMARY, world.now)
    world.pass_by(61.0)
    world.board.started(PRIMARY, world.now)
    assert not may_panic(world)


def test_a_try_out_of_turn_that_succeeds_closes(world):
    world.break_down(PRIMARY)
    world.pass_by(1.0)
    world.attempt(PRIMARY, seconds=0.5)
    assert not is_shut(world)
    assert rest(world) == 0.0


def test_tries_out_of_turn_that_fail_leave_the_rest_as_it_stands(world):
    world.break_down(PRIMARY)
    for _ in range(10):
        world.pass_by(1.0)
        world.attempt(PRIMARY, OUTAGE)
    assert rest(world) == pytest.approx(5.0)
    world.pass_by(5.0)
    world.attempt(PRIMARY, OUTAGE)
    assert rest(world) == pytest.approx(30.0)


@pytest.mark.parametrize("kind", sorted(HOLDING))
def test_a_target_that_was_told_to_wait_is_not_tried_out_of_turn(world, kind):
    world.attempt(PRIMARY, fault(kind))
    for _ in range(4):
        world.pass_by(1.0)
        assert not may_panic(world)


def test_a_dead_account_is_not_tried_out_of_turn_through_another_model(world):
    world.break_down(SAME_ACCOUNT)
    world.attempt(PRIMARY, fault(Kind.ACCOUNT))
    world.pass_by(2.0)
    assert not may_panic(world, SAME_ACCOUNT)


def test_a_broken_target_that_turns_out_to_be_missing_is_not_tried_out_of_turn(world):
    began = world.now
    world.board.started(PRIMARY, began)
    world.pass_by(1.0)
    world.break_down(PRIMARY)
    world.end(PRIMARY, fault(Kind.CONFIG), began)
    assert rest(world) == pytest.approx(300.0)
    world.pass_by(2.0)
    assert not may_panic(world)
    assert "config" in world.board.obstacle(PRIMARY, world.now)


# -- in words ---------------------------------------------------------------------------------


def test_an_obstacle_names_who_why_and_when(world):
    world.break_down(PRIMARY, Kind.OVERLOAD)
    assert world.board.obstacle(PRIMARY, world.now) == (
        "anthropic@main/sonnet: overload, next try in 15 s"
    )
    world.attempt(OTHER, fault(Kind.ACCOUNT))
    assert world.board.obstacle(OTHER, world.now) == "openai@main: account, next try in 300 s"


def test_nothing_stands_against_a_target_that_nobody_has_used(world):
    assert not is_shut(world)
    assert rest(world) == 0.0
    assert world.now == NOW


# -- answers that come late -------------------------------------------------------------------


def comes(world: World, where=PRIMARY, *, late: bool, is_probe: bool = False) -> None:
    """An attempt's first content comes now, and all of the answer with it."""
    began = world.now
    world.board.started(where, began)
    world.board.came(where, world.now, began, late=late, is_probe=is_probe)
    world.board.ended(where, Result.CONTENT, None, world.now, began, is_probe=is_probe, late=late)


def grown_slow(world: World, where=PRIMARY) -> None:
    for _ in range(4):
        comes(world, where, late=True)


def test_four_late_answers_in_a_row_make_others_preferred(world):
    for _ in range(3):
        comes(world, late=True)
        assert not is_shut(world)
    comes(world, late=True)
    assert is_shut(world)
    assert world.board.fault(PRIMARY).code == "slower_than_usual"
    assert not is_shut(world, SAME_ACCOUNT)


def test_a_late_answer_that_three_probes_confirm_is_enough(world):
    comes(world, late=True)
    for _ in range(3):
        comes(world, late=True, is_probe=True)
    assert is_shut(world)


def test_probes_in_time_do_not_contradict_what_callers_wait_for(world):
    for _ in range(4):
        comes(world, late=True)
        comes(world, late=False, is_probe=True)
    assert is_shut(world)


def test_one_late_answer_in_thirty_is_the_usual(world):
    for number in range(1_000):
        comes(world, late=number % 30 == 0)
    assert not is_shut(world)


def test_a_slow_target_is_the_first_recourse_at_any_time(world):
    grown_slow(world)
    for _ in range(100):
        assert world.board.recourse(PRIMARY, world.now) is Recourse.LESSER
        comes(world, late=True)
        world.pass_by(7.0)


def test_answers_in_time_out_of_turn_do_not_take_a_slow_target_back(world):
    grown_slow(world)
    comes(world, late=False)
    assert is_shut(world)


def test_a_trial_in_time_takes_a_slow_target_back_step_by_step(world):
    grown_slow(world)
    world.pass_by(rest(world))
    comes(world, late=False)
    assert state(world) is BreakerState.CLOSED
    assert world.board.of_target(PRIMARY).share(world.now) < 1.0


def test_a_late_trial_doubles_the_rest_of_a_slow_target(world):
    grown_slow(world)
    first = rest(world)
    world.pass_by(first)
    comes(world, late=True)
    assert rest(world) == pytest.approx(2 * first)


def test_three_probes_in_time_take_a_slow_target_back(world):
    grown_slow(world)
    for _ in range(3):
        assert is_shut(world)
        world.pass_by(rest(world))
        comes(world, late=False, is_probe=True)
    assert not is_shut(world) or "recovering" in world.board.obstacle(PRIMARY, world.now)
    assert state(world) is BreakerState.CLOSED


def test_a_late_answer_takes_a_dead_target_back(world):
    """It works: that it is slow is another matter."""
    open_again(world)
    comes(world, late=True)
    assert state(world) is BreakerState.CLOSED


def test_what_began_before_a_target_was_found_slow_says_nothing_of_it(world):
    began = world.now
    world.board.started(PRIMARY, began)
    world.pass_by(1.0)
    grown_slow(world)
    before = rest(world)
    world.board.came(PRIMARY, world.now, began, late=False)
    world.board.ended(PRIMARY, Result.CONTENT, None, world.now, began)
    assert rest(world) == before


def test_the_first_content_of_what_asked_us_to_wait_ends_the_wait(world):
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=10.0))
    world.pass_by(10.0)
    began = world.now
    world.board.started(PRIMARY, began)
    assert is_shut(world)
    world.board.came(PRIMARY, world.now + 1.0, began, late=False)
    assert not is_shut(world)


# -- answers that are doubtful ----------------------------------------------------------------


class Doubts:
    """What is known of answers: one model's are doubtful."""

    def __init__(self) -> None:
        self.doubted = {PRIMARY.name: "its answers loop"}

    def doubt(self, model: str, now: float) -> str | None:
        return self.doubted.get(model)


def test_a_model_whose_answers_are_doubtful_is_the_first_recourse_and_never_rests():
    board = Board(lambda: 0.5, quality=Doubts())
    assert board.obstacle(PRIMARY, NOW) == f"{PRIMARY.key}: its answers loop"
    assert board.recourse(PRIMARY, NOW) is Recourse.LESSER
    assert board.rests(PRIMARY, NOW) is None
    assert board.obstacle(OTHER, NOW) is None
