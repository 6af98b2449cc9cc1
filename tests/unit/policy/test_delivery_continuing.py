"""A stream that breaks after its first content: who goes on, from where, and when nobody does."""

import pytest

from understudy.core.faults import Kind, Remedy
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.decisions import Break, Ended, Finish, Start, Wait
from understudy.policy.transitions import State
from unit.policy.policy_world import NOW, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
BACKUP = target("anthropic@backup/sonnet")
HAIKU = target("anthropic@main/haiku", tier="reduced")
OTHER = target("openai@main/gpt", tier="substitute")

#: What passes by itself, so that the same target may be asked again.
PASSES = {
    Kind.THROTTLED,
    Kind.OVERLOAD,
    Kind.OUTAGE,
    Kind.SLOW,
    Kind.TRUNCATED,
    Kind.EMPTY,
    Kind.MALFORMED,
}
MISFIT = fault(Kind.ADAPTABLE, remedy=Remedy.WITHOUT_PREFILL)


@pytest.fixture
def world() -> World:
    return World()


def streaming(world: World, *targets, characters: int = 40, **limits) -> Life:
    """A request whose caller has the beginning of an answer."""
    life = Life(world, targets, **({"continues": True} | limits))
    life.begin()
    world.pass_by(1.0)
    life.stream(characters=characters)
    world.pass_by(1.0)
    return life


def broken(life: Life):
    assert isinstance(life.last, Break)
    assert life.delivery.outcome is RequestOutcome.FAILED
    return life.last.verdict


# -- who goes on ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.REFUSED}))
def test_a_stream_that_breaks_goes_on_at_the_next_target(world, kind):
    life = streaming(world, PRIMARY, OTHER)
    ended, start = life.fault(kind)
    assert ended == Ended(life.starts[0])
    assert isinstance(start, Start)
    assert (start.target, start.retry, start.hedge) == (OTHER, False, False)
    assert start.attempt.why == f"after {kind} at {PRIMARY.key}"
    assert start.attempt.from_char == 40
    assert life.state is State.CONTINUING
    first = life.delivery.attempts[0]
    assert (first.result, first.fault, first.from_char) == (Result.FAULT, fault(kind), 0)


def test_the_answer_is_whole_when_the_one_who_went_on_says_so(world):
    life = streaming(world, PRIMARY, OTHER)
    life.fault(Kind.TRUNCATED)
    world.pass_by(1.0)
    assert life.stream(characters=2) == ()
    assert life.state is State.COMMITTED
    assert life.whole() == (Ended(life.starts[1]), Finish())
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED
    assert [a.result for a in life.delivery.attempts] == [Result.FAULT, Result.CONTENT]
    assert life.delivery.attempts[1].first_content_ms == pytest.approx(1000.0)


def test_one_who_has_nothing_to_add_may_say_that_it_is_whole(world):
    life = streaming(world, PRIMARY, OTHER)
    life.fault(Kind.TRUNCATED)
    life.whole()
    assert life.state is State.SUCCEEDED


def test_each_goes_on_from_where_the_callers_text_stands_then(world):
    life = streaming(world, PRIMARY, BACKUP, OTHER, characters=40)
    life.fault(Kind.TRUNCATED)
    life.stream(characters=7)
    life.more(characters=5)
    life.fault(Kind.OUTAGE)
    assert [a.from_char for a in life.delivery.attempts] == [0, 40, 52]
    # The second one's text stays even where nothing of the third came.
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED


def test_one_who_shows_nothing_leaves_the_place_as_it_was(world):
    life = streaming(world, PRIMARY, BACKUP, OTHER)
    life.fault(Kind.TRUNCATED)
    life.fault(Kind.OVERLOAD)
    assert [a.from_char for a in life.delivery.attempts] == [0, 40, 40]


def test_a_caller_who_has_nothing_but_a_sign_of_life_gets_the_answer_from_its_beginning(world):
    life = Life(world, (PRIMARY, OTHER), continues=True)
    life.begin()
    life.content()
    life.sent()
    life.fault(Kind.TRUNCATED)
    assert life.starts[-1].attempt.from_char == 0
    assert life.state is State.CONTINUING


def test_a_lost_race_is_no_turn(world):
    # Two accounts of one model: the slower one is fresh when the faster one's stream breaks.
    world.grow_busy(PRIMARY)
    life = Life(world, (PRIMARY, BACKUP), continues=True, hedge=2.0)
    life.begin()
    life.due()
    life.stream(life.running[1])
    life.fault(Kind.TRUNCATED)
    assert life.tried == [PRIMARY.key, BACKUP.key, PRIMARY.key]
    assert life.starts[-1].retry is False
    assert life.starts[-1].attempt.from_char == 10


# -- when nobody does -------------------------------------------------------------------------


def test_where_the_feature_does_not_want_it_the_stream_ends_in_an_error(world):
    life = streaming(world, PRIMARY, OTHER, continues=False)
    life.fault(Kind.TRUNCATED)
    assert broken(life).code == "stream_broken"
    assert life.tried == [PRIMARY.key]


def test_what_no_other_target_can_go_on_from_ends_in_an_error(world):
    life = streaming(world, PRIMARY, OTHER)
    life.answer.characters = None
    life.fault(Kind.TRUNCATED)
    assert broken(life).fault == fault(Kind.TRUNCATED)
    assert life.tried == [PRIMARY.key]


@pytest.mark.parametrize("end", ["fault", "due"])
def test_what_could_go_on_before_may_not_go_on_now(world, end):
    life = streaming(world, PRIMARY, BACKUP, OTHER)
    life.fault(Kind.TRUNCATED)
    life.stream()
    life.answer.characters = None
    if end == "fault":
        life.fault(Kind.TRUNCATED)
    else:
        life.due()
    broken(life)
    assert life.tried == [PRIMARY.key, BACKUP.key]


def test_a_refusal_in_the_middle_is_the_end_and_nobody_is_asked_instead(world):
    life = streaming(world, PRIMARY, OTHER)
    life.fault(Kind.REFUSED)
    assert broken(life).fault == fault(Kind.REFUSED)
    assert life.tried == [PRIMARY.key]


def test_a_refusal_of_one_who_was_to_go_on_is_the_end_too(world):
    life = streaming(world, PRIMARY, OTHER, BACKUP)
    life.fault(Kind.TRUNCATED)
    life.fault(Kind.REFUSED)
    assert broken(life).fault == fault(Kind.REFUSED)
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_what_our_extended_body_is_told_off_for_is_not_the_callers_fault(world):
    life = streaming(world, PRIMARY, HAIKU, OTHER, attempts=4)
    life.fault(Kind.TRUNCATED)
    life.fault(Kind.CALLER)
    assert life.tried == [PRIMARY.key, HAIKU.key, OTHER.key]


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.ADAPTABLE])
def test_a_fallback_that_does_not_fit_does_not_hide_why_the_stream_broke(world, kind):
    life = streaming(world, PRIMARY, OTHER, attempts=2)
    life.fault(Kind.TRUNCATED)
    life.fault(kind)
    verdict = broken(life)
    assert verdict.fault == fault(Kind.TRUNCATED)
    assert (verdict.status, verdict.is_callers) == (503, False)


def test_attempts_bound_the_beginning_and_its_continuations_together(world):
    life = streaming(world, PRIMARY, BACKUP, OTHER, attempts=2)
    life.fault(Kind.TRUNCATED)
    life.stream()
    life.fault(Kind.TRUNCATED)
    broken(life)
    assert life.tried == [PRIMARY.key, BACKUP.key]


def test_when_every_target_is_closed_the_stream_ends_in_an_error(world):
    for where in (BACKUP, OTHER):
        world.attempt(where, fault(Kind.THROTTLED, retry_after=60.0))
    life = streaming(world, PRIMARY, BACKUP, OTHER)
    life.fault(Kind.CONFIG)
    assert broken(life).fault == fault(Kind.CONFIG)


# -- patience ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "ping", "code"), [(30.0, 0.0, "idle_timeout"), (120.0, 20.0, "no_progress")]
)
def test_a_stream_that_stalls_goes_on_elsewhere(world, seconds, ping, code):
    life = streaming(world, PRIMARY, OTHER, seconds=600.0)
    began = life.answer.heard_at
    decisions = ()
    while not decisions:
        if ping:
            world.pass_by(ping)
            life.ping()
        decisions = life.tick() if ping else life.due()
    ended, start = decisions
    assert (ended, start.target) == (Ended(life.starts[0]), OTHER)
    assert life.delivery.attempts[0].fault.code == code
    assert world.now - began == pytest.approx(seconds, abs=ping)


def test_one_who_is_to_go_on_has_the_same_time_to_its_first_content(world):
    life = streaming(world, PRIMARY, BACKUP, OTHER, first_token=8.0)
    life.fault(Kind.TRUNCATED)
    assert life.delivery.due == world.now + 8.0
    _, start = life.due()
    assert start.target == OTHER
    assert life.delivery.attempts[1].fault.code == "first_token_timeout"
    assert life.state is State.CONTINUING


def test_a_new_stream_is_not_judged_by_the_old_ones_silence(world):
    life = streaming(world, PRIMARY, OTHER, seconds=600.0)
    world.pass_by(25.0)
    life.fault(Kind.TRUNCATED)
    world.pass_by(8.0)
    life.stream()
    assert life.due() != ()
    assert world.now == pytest.approx(NOW + 2.0 + 25.0 + 8.0 + 30.0)


def test_a_continuation_past_the_deadline_is_not_begun(world):
    life = streaming(world, PRIMARY, OTHER, seconds=5.0)
    world.pass_by(3.0)
    life.fault(Kind.TRUNCATED)
    assert broken(life).status == 504
    assert life.tried == [PRIMARY.key]


def test_a_continuation_ends_at_the_deadline_and_blames_nobody(world):
    life = streaming(world, PRIMARY, OTHER, seconds=5.0)
    life.fault(Kind.TRUNCATED)
    life.due()
    assert broken(life).status == 504
    assert world.now == life.limits.deadline
    assert [a.result for a in life.delivery.attempts] == [Result.FAULT, Result.ABANDONED]


def test_a_caller_who_leaves_meanwhile_is_no_fault_of_anybodys(world):
    life = streaming(world, PRIMARY, OTHER)
    life.fault(Kind.TRUNCATED)
    assert life.gone() == (Ended(life.starts[1]),)
    assert life.delivery.outcome is RequestOutcome.CANCELLED
    assert life.delivery.attempts[1].result is Result.CANCELLED


# -- a retry that is to go on -----------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.REFUSED}))
def test_the_only_target_may_go_on_itself_after_a_wait(world, kind):
    life = streaming(world, PRIMARY)
    _, decision = life.fault(kind)
    if kind not in PASSES:
        assert isinstance(decision, Break)
        return
    assert decision == Wait(PRIMARY)
    assert life.state is State.PAUSED
    while life.state is State.PAUSED:
        life.due()
    start = life.starts[-1]
    assert (start.target, start.retry, start.attempt.from_char) == (PRIMARY, True, 40)
    assert life.state is State.CONTINUING


def test_a_retry_in_the_middle_is_charged_to_the_budget_like_any_other(world):
    for _ in range(3):
        world.budget.retry(PRIMARY.key, world.now)
    life = streaming(world, PRIMARY)
    life.fault(Kind.TRUNCATED)
    broken(life)


def test_a_pause_ends_in_an_error_where_the_target_was_given_up_meanwhile(world):
    life = streaming(world, PRIMARY)
    life.fault(Kind.TRUNCATED)
    world.break_down(PRIMARY)
    life.due()
    assert broken(life).fault == fault(Kind.TRUNCATED)


def test_a_pause_lasts_as_long_as_a_throttled_target_rests(world):
    life = streaming(world, PRIMARY)
    began = world.now
    life.fault(Kind.THROTTLED)
    assert life.due() == ()
    assert life.state is State.PAUSED
    assert life.delivery.due == began + 5.0
    life.due()
    assert life.state is State.CONTINUING


def test_another_target_that_recovers_during_a_pause_goes_on(world):
    world.attempt(OTHER, fault(Kind.THROTTLED, retry_after=3.0))
    life = streaming(world, PRIMARY, OTHER)
    life.fault(fault(Kind.THROTTLED, retry_after=4.0))
    world.attempt(PRIMARY, fault(Kind.THROTTLED, retry_after=30.0))
    life.due()
    assert life.tried == [PRIMARY.key, OTHER.key]
    start = life.starts[-1]
    assert (start.retry, start.attempt.from_char) == (False, 40)
    # The promise that was not kept costs the budget nothing.
    for _ in range(3):
        assert world.budget.allows(PRIMARY.key, world.now)
        world.budget.retry(PRIMARY.key, world.now)
    # And nothing is left of it to be looked at again.
    assert life.due()[0] == Ended(start)
    assert start.attempt.fault.code == "first_token_timeout"


def test_a_caller_who_leaves_during_a_pause_leaves_nothing_to_end(world):
    life = streaming(world, PRIMARY)
    life.fault(Kind.TRUNCATED)
    assert life.gone() == ()
    assert life.state is State.CANCELLED


# -- a remedy that is to go on ----------------------------------------------------------------


def test_one_that_takes_no_prefill_is_asked_in_another_way(world):
    life = streaming(world, PRIMARY, OTHER, attempts=4)
    life.fault(Kind.TRUNCATED)
    _, start = life.fault(MISFIT)
    assert (start.target, start.retry, start.attempt.from_char) == (OTHER, False, 40)
    assert start.attempt.why == "again, without prefill"
    life.stream()
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED


@pytest.mark.parametrize("limits", [{"continues": False}, {"attempts": 1}])
def test_a_remedy_takes_nothing_further_than_a_continuation_may_go(world, limits):
    life = streaming(world, PRIMARY, OTHER, **limits)
    life.fault(MISFIT)
    broken(life)
    assert life.tried == [PRIMARY.key]


def test_a_remedy_does_not_help_what_cannot_go_on(world):
    life = streaming(world, PRIMARY, OTHER)
    life.answer.characters = None
    life.fault(MISFIT)
    broken(life)


# -- all of it together -----------------------------------------------------------------------


def test_the_example_of_the_documentation(world):
    world.grow_busy(PRIMARY)
    life = Life(world, (PRIMARY, OTHER), continues=True, attempts=5, hedge=2.0)

    def at(seconds: float) -> None:
        world.now = NOW + seconds

    (first,) = life.begin()
    (second,) = life.due()
    assert world.now == NOW + 2.0
    at(2.8)
    assert life.stream(second, characters=412) == (Ended(first),)
    at(9.1)
    _, third = life.fault(Kind.OUTAGE)
    at(9.3)
    _, fourth = life.fault(MISFIT)
    at(10.0)
    life.stream(characters=200)
    at(14.2)
    assert life.whole() == (Ended(fourth), Finish())
    assert [start.target for start in life.starts] == [PRIMARY, OTHER, PRIMARY, PRIMARY]
    assert [a.from_char for a in life.delivery.attempts] == [0, 0, 412, 412]
    assert third.attempt.fault == MISFIT
