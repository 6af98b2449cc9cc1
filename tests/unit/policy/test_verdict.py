"""What a caller is told in the end: a status, a time to come back, and words for people."""

import pytest

from understudy.core.faults import Kind
from understudy.policy.verdict import broken_off, cannot_serve, give_back, out_of_time
from unit.policy.policy_world import fault

#: What is never anybody's last word: the caller's own, and what the house cannot tell yet.
WORDLESS = {Kind.CALLER, Kind.ADAPTABLE, Kind.REFUSED, Kind.DEGRADED}
OUTAGE = fault(Kind.OUTAGE)


# -- the caller's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "seen", "status", "code"),
    [
        (Kind.CALLER, 400, 400, "request_rejected"),
        (Kind.CALLER, 413, 413, "request_rejected"),
        (Kind.CALLER, 422, 422, "request_rejected"),
        (Kind.ADAPTABLE, 400, 400, "request_rejected"),
        # In a stream, and before anything was sent.
        (Kind.CALLER, 200, 400, "request_rejected"),
        (Kind.CALLER, None, 400, "request_rejected"),
        (Kind.REFUSED, 200, 400, "refused"),
        (Kind.REFUSED, 403, 403, "refused"),
    ],
)
def test_what_is_the_callers_goes_back_with_the_providers_status(kind, seen, status, code):
    given = fault(kind, status=seen)
    verdict = give_back(given)
    assert (verdict.status, verdict.code) == (status, code)
    assert verdict.is_callers
    assert verdict.fault is given
    # Trying again would not help.
    assert verdict.retry_after is None


def test_a_refusal_is_told_apart_from_a_mistake():
    assert give_back(fault(Kind.REFUSED)).words == "The AI declined this request."
    assert "trying again will not help" in give_back(fault(Kind.CALLER)).words


# -- nothing can serve ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_whatever_went_wrong_it_is_never_the_callers_and_there_is_a_time_to_come_back(kind):
    verdict = cannot_serve([fault(kind)], 0.0)
    assert (verdict.status, verdict.code) == (503, "no_target_available")
    assert not verdict.is_callers
    assert verdict.retry_after >= 1.0


@pytest.mark.parametrize(
    ("faults", "opens_in", "seconds"),
    [
        pytest.param([], 0.0, 15.0, id="nothing is known"),
        pytest.param([], 42.0, 42.0, id="health knows when a target opens"),
        pytest.param([fault(Kind.THROTTLED, retry_after=107.0)], 0.0, 107.0, id="as asked"),
        pytest.param([fault(Kind.THROTTLED, retry_after=107.0)], 42.0, 42.0, id="the sooner"),
        pytest.param([fault(Kind.THROTTLED, retry_after=9.0)], 42.0, 9.0, id="the sooner, again"),
        pytest.param(
            [fault(Kind.OVERLOAD, retry_after=30.0), fault(Kind.THROTTLED, retry_after=9.0)],
            0.0,
            9.0,
            id="the soonest of several",
        ),
        pytest.param([OUTAGE], 0.0, 15.0, id="a fault that says nothing"),
        pytest.param([fault(Kind.THROTTLED, retry_after=0.2)], 0.0, 1.0, id="no less than one"),
        pytest.param([fault(Kind.ACCOUNT)], 0.0, 300.0, id="a human must act"),
        pytest.param([fault(Kind.ACCOUNT), fault(Kind.CONFIG)], 20.0, 300.0, id="or two"),
        pytest.param(
            [fault(Kind.ACCOUNT, retry_after=86_400.0), OUTAGE],
            0.0,
            15.0,
            id="an account that is dead for a day is not what is waited for",
        ),
    ],
)
def test_when_to_come_back(faults, opens_in, seconds):
    assert cannot_serve(faults, opens_in).retry_after == seconds


# -- out of time ------------------------------------------------------------------------------


def test_a_deadline_that_passed_is_a_504():
    verdict = out_of_time([])
    assert (verdict.status, verdict.code) == (504, "deadline_exceeded")
    assert verdict.retry_after == 15.0
    assert verdict.words == "The AI did not answer in the time allowed. Please try again."
    assert verdict.fault is None


def test_a_deadline_that_passed_after_faults_says_what_was_the_matter():
    verdict = out_of_time([fault(Kind.SLOW), fault(Kind.OVERLOAD)])
    assert verdict.fault.kind is Kind.OVERLOAD
    assert verdict.words.startswith("The AI provider is overloaded right now.")


# -- broken off -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_an_answer_that_broke_off_is_told_to_be_incomplete_whatever_broke_it(kind):
    verdict = broken_off(fault(kind))
    assert (verdict.status, verdict.code) == (503, "stream_broken")
    assert not verdict.is_callers
    assert "incomplete" in verdict.words
    assert verdict.retry_after == 1.0
    assert verdict.fault == fault(kind)


def test_an_answer_whose_time_was_up_is_told_to_be_incomplete_too():
    verdict = broken_off(None)
    assert (verdict.status, verdict.code, verdict.fault) == (504, "stream_broken", None)
    assert "incomplete" in verdict.words


# -- words for people -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.THROTTLED, "Too many AI requests"),
        (Kind.OVERLOAD, "overloaded"),
        (Kind.OUTAGE, "not reachable or not working"),
        (Kind.SLOW, "not answering in time"),
        (Kind.TRUNCATED, "broke off its answer"),
        (Kind.EMPTY, "an empty answer"),
        (Kind.MALFORMED, "not an answer"),
        (Kind.ACCOUNT, "we have to mend it"),
        (Kind.CONFIG, "we have to mend it"),
        (Kind.INTERNAL, "on our side"),
        *((kind, "we do not know why yet") for kind in sorted(WORDLESS)),
    ],
)
def test_people_are_told_what_is_the_matter(kind, words):
    assert words in cannot_serve([fault(kind)], 0.0).words


def test_people_are_told_of_the_last_fault():
    words = cannot_serve([fault(Kind.THROTTLED), fault(Kind.OVERLOAD)], 0.0).words
    assert "overloaded" in words


@pytest.mark.parametrize("kind", sorted(WORDLESS))
def test_a_fault_without_words_does_not_hide_the_one_before_it(kind):
    verdict = cannot_serve([OUTAGE, fault(kind)], 0.0)
    assert verdict.fault is OUTAGE
    assert "not reachable" in verdict.words


def test_people_are_told_nothing_that_a_provider_or_a_caller_wrote():
    secret = "sk-ant-… rejected: 'dear diary'"
    for kind in Kind:
        seen = fault(kind, message=secret, code=secret)
        for verdict in (
            cannot_serve([seen], 0.0),
            out_of_time([seen]),
            give_back(seen),
            broken_off(seen),
        ):
            assert secret not in verdict.words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "Please try again in about 1 second."),
        (1.4, "Please try again in about 1 second."),
        (15.0, "Please try again in about 15 seconds."),
        (89.0, "Please try again in about 89 seconds."),
        (90.0, "Please try again in about 2 minutes."),
        (300.0, "Please try again in about 5 minutes."),
        (5399.0, "Please try again in about 90 minutes."),
        (5400.0, "It may take some hours."),
    ],
)
def test_people_are_told_when_to_come_back(seconds, words):
    throttled = fault(Kind.THROTTLED, retry_after=seconds)
    assert cannot_serve([throttled], 0.0).words.endswith(words)
