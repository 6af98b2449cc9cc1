"""The sixteen scenarios of Failover Bench, over the dialects of all three kinds of caller.

https://github.com/failoverbench/failoverbench (scenarios/catalogue.yaml) describes them for chat
completions; the times here are scaled down. To pass is to give the caller all of a right answer, or
its own error, signalled as what it is. The results stand in docs/failover-bench.md.
"""

import json

import pytest

from support_lab import DIALECTS, OTHER, OWN, claude, compatible, gpt
from understudy.mock import CATALOGUE

dialects = pytest.mark.parametrize("dialect", DIALECTS)
modes = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])

#: What a test waits for. A provider that says nothing takes twenty seconds in the original.
SOON = {"first_token": "250ms", "idle": "250ms"}
#: How providers say that a prompt is too long.
TOO_LONG = {CATALOGUE["context_too_long"].error_in(dialect).message for dialect in DIALECTS}
#: So few tokens that a whole answer, too, is due soon.
FEW = 16


def ids_of(told):
    """Every id that the answer goes by."""
    read = []
    for line in told.raw.decode().splitlines():
        if line.startswith("data: {"):
            data = json.loads(line[6:])
            read.append((data.get("message") or data.get("response") or data).get("id"))
    return set(read) - {None}


def assert_moved_on(told, right, first):
    """The second target's answer, all of it, and nothing of the first's."""
    assert told.is_whole()
    assert told.answer.text == right.text
    assert told.results == [first, "content"]
    assert told.places == [0, 1]
    assert told.attempts[1]["from_char"] == 0
    assert told.answer.marks == []
    assert told.headers["x-understudy-attempts"] == "2"
    assert told.journal["outcome"] == "succeeded"


def assert_continued(told, right, first):
    """One answer, of two targets: each character once, under the first's name and ids."""
    assert told.is_whole()
    assert told.answer.text == right.text
    assert told.results == [first, "content"]
    second = told.attempts[1]
    assert 0 < second["from_char"] <= len(right.text)
    mark = f"understudy continued at {second['target']} from character {second['from_char']}"
    assert told.answer.marks == [(mark, second["from_char"])]
    assert ids_of(told) == {told.answer.id}
    assert told.headers["x-understudy-target"] == told.attempts[0]["target"]
    assert told.headers["x-understudy-attempts"] == "1"
    assert told.journal["outcome"] == "succeeded"


@dialects
@modes
class TestS01ThrottledWithRetryAfter:
    def test_a_fallback_answers_without_waiting(self, lab, dialect, stream):
        # To wait for an hour is not possible within the deadline: whoever answers did not.
        throttled = {"fault": "rate_limited", "retry_after": "3600"}
        scene = lab.serve(OWN[dialect](throttled), OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert_moved_on(told, lab.right(dialect, stream=stream), "throttled")
        assert told.attempts[1]["why"].startswith("after throttled")

    def test_with_nobody_else_the_wait_is_kept(self, lab, dialect, stream):
        # Longer than any wait of our own before a first retry.
        throttled = {"fault": "rate_limited", "retry_after": "0.6", "times": 1}
        scene = lab.serve(OWN[dialect](throttled))
        told = scene.ask(dialect, stream=stream)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=stream).text
        assert told.results == ["throttled", "content"]
        first, second = scene.asked(0)
        assert second.started - first.started >= 0.6
        assert told.attempts[1]["why"].startswith("again after throttled, waited ")

    def test_with_nobody_else_and_no_time_the_caller_hears_how_long(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect]({"fault": "rate_limited", "retry_after": "3600"}))
        told = scene.ask(dialect, stream=stream)
        assert told.status == 503
        assert 3500 < int(told.headers["retry-after"]) <= 3600
        assert len(scene.asked(0)) == 1


@dialects
@modes
def test_s02_throttled_for_ever(lab, dialect, stream):
    scene = lab.serve(OWN[dialect]({"fault": "rate_limited"}), OTHER[dialect]())
    right = lab.right(dialect, stream=stream)
    assert_moved_on(scene.ask(dialect, stream=stream), right, "throttled")
    # While it asks to be left alone, it is.
    told = scene.ask(dialect, stream=stream)
    assert told.results == ["content"]
    assert told.answer.text == right.text
    assert len(scene.asked(0)) == 1


@dialects
@modes
class TestS03OneInternalError:
    def test_a_fallback_answers(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect]({"fault": "internal_error", "times": 1}), OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert_moved_on(told, lab.right(dialect, stream=stream), "outage")

    def test_with_nobody_else_it_is_asked_again(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect]({"fault": "internal_error", "times": 1}))
        told = scene.ask(dialect, stream=stream)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=stream).text
        assert told.results == ["outage", "content"]


@dialects
@modes
def test_s04_unavailable_for_ever(lab, dialect, stream):
    scene = lab.serve(OWN[dialect]({"fault": "overloaded"}), OTHER[dialect]())
    told = scene.ask(dialect, stream=stream)
    assert_moved_on(told, lab.right(dialect, stream=stream), "overload")


@dialects
@modes
def test_s05_reset_before_the_headers(lab, dialect, stream):
    reset = {"fault": "reset", "where": "before_headers"}
    scene = lab.serve(OWN[dialect](reset), OTHER[dialect]())
    told = scene.ask(dialect, stream=stream)
    assert_moved_on(told, lab.right(dialect, stream=stream), "outage")


@dialects
@modes
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fault": "hang", "where": "before_headers"}, id="s06-no-response"),
        pytest.param({"fault": "first_token_late", "seconds": 20}, id="s07-first-token-late"),
    ],
)
def test_s06_s07_nothing_within_the_time_allowed(lab, dialect, stream, fault):
    scene = lab.serve(OWN[dialect](fault), OTHER[dialect](), **SOON)
    told = scene.ask(dialect, stream=stream, limit=FEW)
    assert told.is_whole()
    assert told.answer.text == lab.right(dialect, stream=stream, limit=FEW).text
    assert told.results == ["slow", "content"]
    code = "first_token_timeout" if stream else "answer_timeout"
    assert told.attempts[0]["fault"]["code"] == code
    # It was left as soon as it was given up: what it would have written is not paid for.
    scene.until(0, lambda attempt: attempt.client_closed)


@dialects
class TestABrokenStreamGoesOn:
    def test_s08_cut(self, lab, dialect):
        scene = lab.serve(OWN[dialect]({"fault": "cut_after", "n": 40}), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert_continued(told, lab.right(dialect, stream=True), "truncated")
        assert scene.asked(0)[0].output_tokens == 40
        assert scene.asked(1)[0].continues

    def test_s09_stalled(self, lab, dialect):
        stalled = {"fault": "stall_after", "n": 20, "seconds": 3600}
        scene = lab.serve(OWN[dialect](stalled), OTHER[dialect](), **SOON)
        told = scene.ask(dialect, stream=True)
        assert_continued(told, lab.right(dialect, stream=True), "slow")
        assert told.attempts[0]["fault"]["code"] == "idle_timeout"
        scene.until(0, lambda attempt: attempt.client_closed)

    def test_s10_a_malformed_event(self, lab, dialect):
        malformed = {"fault": "malformed_event", "where": "mid_text", "n": 20}
        scene = lab.serve(OWN[dialect](malformed), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert_continued(told, lab.right(dialect, stream=True), "malformed")

    def test_s11_a_last_word_that_says_nothing_is_not_waited_for(self, lab, dialect):
        missing = {"messages": "stop_missing", "chat_completions": "done_missing"}
        # Responses has no such word: its last event is the answer's end itself.
        faults = [{"fault": missing[dialect]}] if dialect in missing else []
        told = lab.serve(OWN[dialect](*faults), OTHER[dialect]()).ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.results == ["content"]
        assert told.usage[1] > 0

    @pytest.mark.parametrize("n", [40, None], ids=["half", "all-of-the-text"])
    def test_s11_no_terminal_signal(self, lab, dialect, n):
        where = "mid_text" if n else "after_content_before_terminal"
        ended = {"fault": "no_terminal", "where": where, "n": n}
        scene = lab.serve(OWN[dialect](ended), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert_continued(told, lab.right(dialect, stream=True), "truncated")


@dialects
@modes
class TestS12TheContextIsTooLong:
    def test_it_goes_to_a_model_of_another_name(self, lab, dialect, stream):
        # What one account's model cannot take, another account's cannot either.
        first = OWN[dialect]({"fault": "context_too_long"}, accounts=("main", "backup"))
        scene = lab.serve(first, OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert_moved_on(told, lab.right(dialect, stream=stream), "adaptable")
        assert len(scene.asked(0)) == 1

    def test_where_it_fits_nowhere_the_providers_error_comes_back(self, lab, dialect, stream):
        too_long = {"fault": "context_too_long"}
        scene = lab.serve(OWN[dialect](too_long), OTHER[dialect](too_long))
        told = scene.ask(dialect, stream=stream)
        assert told.status == 400
        assert told.results == ["adaptable", "adaptable"]
        assert told.error["message"] in TOO_LONG
        assert told.headers["x-should-retry"] == "false"


@dialects
@modes
def test_s13_a_content_filter_is_never_routed_around(lab, dialect, stream):
    scene = lab.serve(OWN[dialect]({"fault": "content_filter"}), OTHER[dialect]())
    told = scene.ask(dialect, stream=stream)
    assert told.status == 400
    assert told.results == ["refused"]
    assert told.error["understudy"]["code"] == "refused"
    assert told.headers["x-should-retry"] == "false"
    assert scene.asked(1) == []


@dialects
@pytest.mark.parametrize("second", [claude, compatible], ids=["claude", "compatible"])
def test_s14_the_second_target_refuses_a_prefill(lab, dialect, second):
    scene = lab.serve(
        OWN[dialect]({"fault": "cut_after", "n": 40}), second({"fault": "no_prefill"})
    )
    told = scene.ask(dialect, stream=True)
    assert told.is_whole()
    assert told.answer.text == lab.right(dialect, stream=True).text
    tries = scene.asked(1)
    if second is claude:
        # The model is one that used to take prefills: it is asked once more, by a user's turn.
        assert told.results == ["truncated", "adaptable", "content"]
        assert [attempt.status for attempt in tries] == [400, 200]
    else:  # Servers that may take a prefill for a finished turn are never sent one.
        assert told.results == ["truncated", "content"]
        assert [attempt.status for attempt in tries] == [200]
    assert all(attempt.continues for attempt in tries)


@dialects
class TestS15Flapping:
    REQUESTS = 40

    @pytest.mark.parametrize(
        ("fault", "most"), [("overloaded", 5), ("flapping", 12)], ids=["down", "every-second"]
    )
    def test_everybody_is_served_and_the_sick_target_is_mostly_spared(
        self, lab, dialect, fault, most
    ):
        scene = lab.serve(OWN[dialect]({"fault": fault}), OTHER[dialect]())
        right = lab.right(dialect, stream=True)
        answers = [scene.ask(dialect, stream=True) for _ in range(self.REQUESTS)]
        assert all(told.is_whole() and told.answer.text == right.text for told in answers)
        assert len(scene.asked(0)) <= most
        assert len(scene.asked(1)) <= self.REQUESTS
        # Once it is spared, nobody waits for it any more.
        assert answers[-1].places == [1]


@dialects
class TestS16Accounting:
    @modes
    def test_who_answers_is_named_and_what_failed_is_not_billed(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect]({"fault": "overloaded"}), OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert_moved_on(told, lab.right(dialect, stream=stream), "overload")
        (attempt,) = scene.asked(1)
        assert told.answer.model == attempt.model
        assert told.headers["x-understudy-target"] == scene.target(1)
        assert told.usage == (attempt.input_tokens, attempt.output_tokens)

    def test_usage_is_of_all_attempts_together(self, lab, dialect):
        scene = lab.serve(claude({"fault": "cut_after", "n": 40}), gpt())
        told = scene.ask(dialect, stream=True)
        (first,), (second,) = scene.asked(0), scene.asked(1)
        assert_continued(told, lab.right(dialect, stream=True), "truncated")
        spent, made = told.usage
        assert spent == first.input_tokens + second.input_tokens
        # What the first one made is an estimate: it broke before it told. Never too little.
        assert first.output_tokens <= made - second.output_tokens <= 2 * first.output_tokens

    def test_the_journal_has_every_attempt_and_where_it_began(self, lab, dialect):
        first, second = (
            OWN[dialect]({"fault": "cut_after", "n": 30}),
            OTHER[dialect]({"fault": "cut_after", "n": 20}),
        )
        scene = lab.serve(first, second, claude(model="claude-sonnet-4-5"))
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.results == ["truncated", "truncated", "content"]
        starts = [attempt["from_char"] for attempt in told.attempts]
        assert starts[0] == 0 < starts[1] < starts[2] < len(told.answer.text)
        assert [at for _, at in told.answer.marks] == starts[1:]
        assert all(attempt["ended_ms"] is not None for attempt in told.attempts)
