"""What a fault, an answer or a caller who leaves means for one request."""

import pytest

from understudy.core.faults import Kind, Remedy, Scope
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.decisions import Break, Ended, Finish, Refuse, Start, Wait
from understudy.policy.transitions import State
from unit.policy.policy_world import TYPICAL, WALL, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
BACKUP = target("anthropic@backup/sonnet")
HAIKU = target("anthropic@main/haiku", tier="reduced")
OTHER = target("openai@main/gpt", tier="substitute")

#: What is the caller's own business.
GIVEN_BACK = {Kind.CALLER, Kind.REFUSED}
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


@pytest.fixture
def world() -> World:
    return World()


def begun(world: World, *targets, **limits) -> Life:
    life = Life(world, targets, **limits)
    life.begin()
    return life


def refusal(life: Life):
    assert isinstance(life.last, Refuse)
    assert life.delivery.outcome is RequestOutcome.FAILED
    return life.last.verdict


def test_a_table_of_kinds_leaves_none_out():
    assert set(TYPICAL) == set(Kind)


# -- an answer --------------------------------------------------------------------------------


def test_a_request_begins_at_the_first_target_and_ends_with_its_terminal_signal(world):
    life = begun(world, PRIMARY, OTHER)
    world.pass_by(2.0)
    assert life.stream() == ()
    world.pass_by(3.0)
    assert life.whole() == (Ended(life.starts[0]), Finish())
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED
    (attempt,) = life.delivery.attempts
    assert attempt.target == "anthropic/sonnet"
    assert (attempt.account, attempt.tier, attempt.why) == ("main", "same", "first in order")
    assert attempt.started_at == pytest.approx(world.now - 5.0 + WALL)
    assert (attempt.first_content_ms, attempt.ended_ms) == (2000.0, 5000.0)
    assert attempt.result is Result.CONTENT
    assert attempt.fault is None
    assert attempt.from_char == 0


def test_a_whole_answer_without_a_stream_shows_all_its_content_at_its_end(world):
    life = begun(world, PRIMARY, stream=False)
    world.pass_by(4.0)
    life.whole()
    (attempt,) = life.delivery.attempts
    assert attempt.first_content_ms == attempt.ended_ms == 4000.0


def test_content_alone_is_no_success(world):
    life = begun(world, PRIMARY)
    life.stream()
    assert life.delivery.outcome is None
    assert life.delivery.attempts[0].result is None


# -- every kind of fault ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_at_the_first_target_moves_on_unless_it_is_the_callers(world, kind):
    life = begun(world, PRIMARY, OTHER)
    ended, decision = life.fault(kind)
    assert ended == Ended(life.starts[0])
    if kind in GIVEN_BACK:
        assert refusal(life).is_callers
        assert life.tried == [PRIMARY.key]
        return
    assert isinstance(decision, Start)
    assert decision.target == OTHER
    assert decision.retry is False
    assert decision.attempt.why == f"after {kind} at {PRIMARY.key}"
    assert decision.attempt.tier == "substitute"


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_at_the_only_target(world, kind):
    life = begun(world, PRIMARY)
    _, decision = life.fault(kind)
    if kind in PASSES:
        assert decision == Wait(PRIMARY)
        return
    verdict = refusal(life)
    assert verdict.is_callers is (kind in GIVEN_BACK | {Kind.ADAPTABLE})
    assert verdict.status == (400 if verdict.is_callers else 503)
    assert life.tried == [PRIMARY.key]


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_at_the_last_target_goes_back_to_one_that_may_have_recovered(world, kind):
    life = begun(world, PRIMARY, OTHER)
    life.fault(Kind.OUTAGE)
    _, decision = life.fault(kind)
    if kind in GIVEN_BACK:
        assert refusal(life).is_callers
    else:
        # Both have had their turn; the first one's fault passes by itself.
        assert decision == Wait(PRIMARY)


@pytest.mark.parametrize("kind", Kind)
def test_the_number_of_attempts_is_bounded_whatever_the_fault(world, kind):
    life = begun(world, PRIMARY, OTHER, attempts=1)
    life.fault(kind)
    assert refusal(life).is_callers is (kind in GIVEN_BACK | {Kind.ADAPTABLE})
    assert life.tried == [PRIMARY.key]


@pytest.mark.parametrize("kind", Kind)
def test_where_nothing_is_continued_a_fault_after_the_first_content_ends_the_stream(world, kind):
    life = begun(world, PRIMARY, OTHER)
    life.stream()
    _, decision = life.fault(kind)
    assert isinstance(decision, Break)
    assert decision.verdict.fault == fault(kind)
    assert life.delivery.outcome is RequestOutcome.FAILED
    assert life.tried == [PRIMARY.key]
    assert life.delivery.attempts[0].result is Result.FAULT


@pytest.mark.parametrize("kind", Kind)
def test_content_that_was_held_back_leaves_every_way_open(world, kind):
    # Half a tool call, half a JSON document: the caller has nothing of it.
    life = begun(world, PRIMARY, OTHER)
    life.content()
    _, decision = life.fault(kind)
    if kind in GIVEN_BACK:
        assert refusal(life).is_callers
        return
    assert isinstance(decision, Start)
    assert (decision.target, decision.attempt.from_char) == (OTHER, 0)
    assert life.state is State.ATTEMPTING


@pytest.mark.parametrize("kind", Kind)
def test_an_attempt_that_failed_says_so_in_the_journal(world, kind):
    life = begun(world, PRIMARY, OTHER)
    world.pass_by(1.5)
    life.fault(kind)
    attempt = life.delivery.attempts[0]
    assert attempt.result is Result.FAULT
    assert attempt.fault == fault(kind)
    assert attempt.ended_ms == 1500.0
    assert attempt.first_content_ms is None


# -- what a fault rules out -------------------------------------------------------------------


def test_a_caller_gets_the_status_and_words_of_the_provider(world):
    life = begun(world, PRIMARY, OTHER)
    seen = fault(Kind.CALLER, status=422, message="messages: at least one is required")
    life.fault(seen)
    verdict = refusal(life)
    assert (verdict.status, verdict.fault) == (422, seen)
    assert verdict.retry_after is None


def test_an_outage_does_not_take_a_request_around_a_safety_refusal(world):
    life = begun(world, PRIMARY, OTHER)
    life.fault(Kind.OUTAGE)
    life.fault(Kind.REFUSED)
    assert refusal(life).code == "refused"
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_what_does_not_fit_a_model_is_tried_at_another_model_only(world):
    life = begun(world, PRIMARY, BACKUP, HAIKU)
    life.fault(Kind.ADAPTABLE)
    assert life.tried == [PRIMARY.key, HAIKU.key]


def test_what_fits_nowhere_is_the_callers_business_in_the_first_targets_words(world):
    first = fault(Kind.ADAPTABLE, message="200,001 tokens > 200,000")
    life = begun(world, PRIMARY, OTHER)
    life.fault(first)
    life.fault(fault(Kind.ADAPTABLE, message="maximum context length is 128,000 tokens"))
    verdict = refusal(life)
    assert verdict.is_callers
    assert verdict.fault == first


def test_a_request_is_not_said_to_fit_nowhere_while_another_model_only_rests(world):
    world.attempt(OTHER, fault(Kind.THROTTLED, retry_after=20.0))
    life = begun(world, PRIMARY, OTHER)
    life.fault(Kind.ADAPTABLE)
    verdict = refusal(life)
    assert (verdict.status, verdict.is_callers) == (503, False)


def test_what_a_fallback_cannot_take_does_not_hide_the_outage_that_led_there(world):
    life = begun(world, PRIMARY, OTHER, attempts=2)
    life.fault(Kind.OVERLOAD)
    life.fault(Kind.ADAPTABLE)
    verdict = refusal(life)
    assert verdict.status == 503
    assert verdict.fault == fault(Kind.OVERLOAD)
    assert "overloaded" in verdict.words


def test_a_retired_model_is_not_asked_for_at_another_account(world):
    life = begun(world, PRIMARY, BACKUP, HAIKU)
    life.fault(Kind.CONFIG)
    assert life.tried == [PRIMARY.key, HAIKU.key]


def test_a_model_that_one_account_may_not_use_is_tried_at_another_account(world):
    life = begun(world, PRIMARY, BACKUP, HAIKU)
    life.fault(fault(Kind.CONFIG, scope=Scope.ACCOUNT, status=403))
    assert life.tried == [PRIMARY.key, BACKUP.key]


def test_a_dead_account_is_left_with_all_its_models_for_another_account(world):
    life = begun(world, PRIMARY, HAIKU, BACKUP)
    life.fault(Kind.ACCOUNT)
    assert life.tried == [PRIMARY.key, BACKUP.key]


def test_a_dead_account_is_not_gone_back_to_for_a_model_that_failed_earlier(world):
    life = begun(world, PRIMARY, HAIKU)
    life.fault(Kind.OUTAGE)
    life.fault(Kind.ACCOUNT)
    assert refusal(life).status == 503
    assert life.tried == [PRIMARY.key, HAIKU.key]


def test_a_retired_model_is_not_gone_back_to_where_it_seemed_to_fail_in_passing(world):
    life = begun(world, PRIMARY, BACKUP)
    life.fault(Kind.OUTAGE)
    life.fault(Kind.CONFIG)
    assert refusal(life).status == 503


@pytest.mark.parametrize("kind", sorted(set(Kind) - PASSES - GIVEN_BACK))
def test_what_does_not_pass_by_itself_is_never_retried_at_the_same_target(world, kind):
    life = begun(world, PRIMARY, OTHER, attempts=10)
    life.fault(kind)
    life.fault(kind)
    assert isinstance(life.last, Refuse)
    assert life.tried == [PRIMARY.key, OTHER.key]


def test_a_hard_quota_does_not_delay_the_fallback(world):
    life = begun(world, PRIMARY, OTHER)
    began = world.now
    decision = life.fault(fault(Kind.ACCOUNT, status=429, retry_after=86_400.0))[-1]
    assert isinstance(decision, Start)
    assert decision.began == began


def test_a_rate_limit_does_not_delay_the_fallback(world):
    life = begun(world, PRIMARY, OTHER)
    assert isinstance(life.fault(fault(Kind.THROTTLED, retry_after=30.0))[-1], Start)


def test_a_fallback_that_fails_too_does_not_throw_away_the_rest_of_the_chain(world):
    life = begun(world, PRIMARY, BACKUP, OTHER)
    life.fault(Kind.OVERLOAD)
    life.fault(Kind.TRUNCATED)
    assert life.tried == [PRIMARY.key, BACKUP.key, OTHER.key]
    life.stream()
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED


def test_a_bug_of_ours_is_a_503_and_no_4xx(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.INTERNAL)
    assert refusal(life).status == 503


def test_when_nothing_is_eligible_the_request_fails_without_an_attempt(world):
    life = begun(world)
    assert refusal(life).status == 503
    assert life.delivery.attempts == []


def test_when_everything_is_open_the_caller_hears_when_to_come_back(world):
    world.break_down(PRIMARY)
    life = begun(world, PRIMARY)
    verdict = refusal(life)
    assert verdict.status == 503
    assert verdict.retry_after == pytest.approx(15.0)


# -- a fault that says how the request would fit ----------------------------------------------


def misfit(remedy=Remedy.WITHOUT_THINKING):
    return fault(Kind.ADAPTABLE, code="signature", remedy=remedy)


def test_the_same_target_is_asked_once_more_without_what_it_could_not_take(world):
    life = begun(world, PRIMARY, OTHER)
    began = world.now
    ended, start = life.fault(misfit())
    assert ended == Ended(life.starts[0])
    assert (start.target, start.began) == (PRIMARY, began)
    assert start.attempt.why == "again, without past thinking"
    # No retry: it waits for nothing, and is not charged to the budget of retries.
    assert start.retry is False
    life.stream()
    life.whole()
    assert life.delivery.outcome is RequestOutcome.SUCCEEDED


def test_a_remedy_that_does_not_help_is_not_taken_twice(world):
    life = begun(world, PRIMARY, OTHER, attempts=5)
    life.fault(misfit())
    life.fault(misfit())
    assert life.tried == [PRIMARY.key, PRIMARY.key, OTHER.key]


def test_two_things_that_do_not_fit_are_both_mended(world):
    life = begun(world, PRIMARY, OTHER, attempts=5)
    life.fault(misfit())
    life.fault(misfit(Remedy.WITHOUT_PREFILL))
    assert life.tried == [PRIMARY.key] * 3
    assert life.starts[-1].attempt.why == "again, without prefill"


def test_each_target_may_take_a_remedy_of_its_own(world):
    life = begun(world, PRIMARY, OTHER, attempts=5)
    life.fault(misfit())
    life.fault(Kind.OUTAGE)
    life.fault(misfit())
    assert life.tried == [PRIMARY.key, PRIMARY.key, OTHER.key, OTHER.key]


def test_a_remedy_counts_as_an_attempt(world):
    life = begun(world, PRIMARY, OTHER, attempts=1)
    life.fault(misfit())
    assert refusal(life).fault == misfit()
    assert life.tried == [PRIMARY.key]


def test_a_remedy_is_not_begun_at_the_deadline(world):
    life = begun(world, PRIMARY, OTHER, seconds=5.0)
    world.pass_by(5.0)
    life.fault(misfit())
    assert refusal(life).status == 504


def test_a_mended_attempt_that_fails_in_passing_is_retried_like_any_other(world):
    life = begun(world, PRIMARY)
    life.fault(misfit())
    assert life.fault(Kind.OUTAGE)[-1] == Wait(PRIMARY)


def test_a_remedy_neither_needs_nor_spends_the_retry_budget(world):
    for _ in range(3):
        world.budget.retry(PRIMARY.key, world.now)
    life = begun(world, PRIMARY)
    life.fault(misfit())
    assert life.tried == [PRIMARY.key] * 2


# -- a caller who leaves ----------------------------------------------------------------------


def test_a_caller_who_leaves_ends_the_attempt_at_once(world):
    life = begun(world, PRIMARY, OTHER)
    world.pass_by(1.0)
    assert life.gone() == (Ended(life.starts[0]),)
    assert life.delivery.outcome is RequestOutcome.CANCELLED
    (attempt,) = life.delivery.attempts
    assert (attempt.result, attempt.fault, attempt.ended_ms) == (Result.CANCELLED, None, 1000.0)


def test_a_caller_who_leaves_ends_the_stream_at_once(world):
    life = begun(world, PRIMARY)
    life.stream()
    assert life.gone() == (Ended(life.starts[0]),)
    assert life.delivery.attempts[0].result is Result.CANCELLED


def test_a_caller_who_leaves_while_nothing_runs_leaves_nothing_to_end(world):
    life = begun(world, PRIMARY)
    life.fault(Kind.OUTAGE)
    assert life.gone() == ()
    assert life.state is State.CANCELLED
    assert life.delivery.attempts[0].result is Result.FAULT


# -- what a request teaches health ------------------------------------------------------------


def test_a_provider_that_fails_in_the_middle_of_its_streams_is_noticed(world):
    for _ in range(4):
        life = begun(world, PRIMARY)
        life.stream()
        life.fault(Kind.TRUNCATED)
    assert world.board.obstacle(PRIMARY, world.now) is not None


def test_callers_with_a_tiny_deadline_do_not_bench_a_target_for_everyone(world):
    for stream in (True, False):
        for _ in range(20):
            life = begun(world, PRIMARY, seconds=0.5, hurried=True, stream=stream)
            life.due()
            assert refusal(life).status == 504
            assert life.delivery.attempts[0].result is Result.ABANDONED
            assert life.delivery.attempts[0].fault is None
    assert world.board.obstacle(PRIMARY, world.now) is None


def test_callers_who_leave_do_not_bench_a_target(world):
    for _ in range(20):
        life = begun(world, PRIMARY)
        life.stream()
        life.gone()
    assert world.board.obstacle(PRIMARY, world.now) is None


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.INTERNAL, Kind.ADAPTABLE, Kind.REFUSED])
def test_a_bug_in_translation_or_a_bad_request_does_not_bench_a_target(world, kind):
    for _ in range(20):
        begun(world, PRIMARY).fault(kind)
    assert world.board.obstacle(PRIMARY, world.now) is None


def test_an_account_without_credit_is_benched_by_one_request(world):
    broke = fault(Kind.ACCOUNT, status=400, message="Your credit balance is too low")
    begun(world, PRIMARY).fault(broke)
    life = begun(world, HAIKU, BACKUP)
    assert life.tried == [BACKUP.key]
    assert "anthropic@main: account" in life.delivery.attempts[0].why
