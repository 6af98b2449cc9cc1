"""What people reported of other gateways, as acceptance tests: none of it happens here.

Each test names the report and fails where the relay does what was reported. Numbers are those of
our own list. 17 and 22 take minutes and are in `tests/simulation/test_symptoms_health.py`; 24
speaks of jobs.
"""

import json

import pytest

from support_lab import (
    DIALECTS,
    OTHER,
    OWN,
    PATHS,
    body_of,
    claude,
    compatible,
    gpt,
    json_of,
    tools_of,
)

dialects = pytest.mark.parametrize("dialect", DIALECTS)
modes = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])

WEATHER = "What is the weather in Oslo?"
#: What begins a stream, and stands in it once.
STARTS = {
    "messages": b'"type":"message_start"',
    "chat_completions": b'"role":"assistant"',
    "responses": b'"type":"response.created"',
}
#: More failures than a breaker needs.
MANY = 8


def cut(tokens=30, **more):
    return {"fault": "close", "where": "mid_text", "n": tokens, **more}


class TestSymptom01:
    """BerriAI/litellm #24004: 200, then an `overloaded_error` event on /v1/messages, was passed
    through and logged as a success, without a fallback.
    """

    @pytest.mark.parametrize("where", ["after_headers_before_content", "mid_text"])
    def test_an_overload_inside_a_stream_is_a_fault_and_the_fallback_answers(self, lab, where):
        scene = lab.serve(claude({"fault": "overloaded", "where": where}), gpt())
        told = scene.ask("messages", stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right("messages", stream=True).text
        assert told.results == ["overload", "content"]
        assert b"overloaded_error" not in told.raw


class TestSymptom02:
    """maximhq/bifrost #5395: an error after `response.created` never fell back."""

    @pytest.mark.parametrize("fault", ["response_failed", "error_nested", "overloaded"])
    def test_an_error_after_response_created_falls_back(self, lab, fault):
        failed = {"fault": fault, "where": "after_headers_before_content"}
        scene = lab.serve(gpt(failed), claude())
        told = scene.ask("responses", stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right("responses", stream=True).text
        assert told.places == [0, 1]
        assert told.raw.count(b"event: response.created") == 1


@dialects
class TestSymptom03:
    """maximhq/bifrost #5546, Portkey-AI/gateway #1797: the provider died, the caller got a clean
    end, and the part looked whole.
    """

    @pytest.mark.parametrize("fault", ["reset", "close", "half_close", "no_terminal"])
    def test_a_dead_provider_never_gives_a_clean_end(self, lab, dialect, fault):
        broken = {"fault": fault, "where": "mid_text", "n": 30}
        scene = lab.serve(OWN[dialect](broken), OTHER[dialect](), continue_streams=False)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.answer.stop is None


@dialects
class TestSymptom04:
    """BerriAI/litellm #40404: after a cut, stalled or malformed stream the fallback got no
    request at all.
    """

    @pytest.mark.parametrize("fault", ["reset", "hang", "malformed_event"])
    def test_the_fallback_is_asked(self, lab, dialect, fault):
        broken = {"fault": fault, "where": "mid_text", "n": 30}
        scene = lab.serve(OWN[dialect](broken), OTHER[dialect](), idle="250ms")
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        (attempt,) = scene.asked(1)
        assert attempt.continues


@dialects
class TestSymptom05:
    """BerriAI/litellm #27967: the continuation sent a prefill, Claude 4.6 and later answered 400,
    and that hid the real error.
    """

    def test_models_that_take_no_prefill_are_sent_none(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut()), claude(model="claude-sonnet-4-6"))
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        (attempt,) = scene.asked(1)
        assert json.loads(attempt.body)["messages"][-1]["role"] == "user"

    def test_a_400_of_the_fallback_does_not_hide_what_broke_the_stream(self, lab, dialect):
        overload = {"fault": "overloaded", "where": "mid_text"}
        refusing = {"fault": "unsupported_parameter"}
        scene = lab.serve(OWN[dialect](overload), OTHER[dialect](refusing), attempts=2)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.results == ["overload", "adaptable"]
        assert told.error["understudy"]["code"] == "stream_broken"
        assert "overload" in told.error["message"]


@dialects
class TestSymptom06:
    """BerriAI/litellm #35578: the fallback failed in the middle too, and the rest of the chain
    was thrown away.
    """

    def test_the_rest_of_the_chain_has_its_turn(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(20)), OTHER[dialect](cut(20)), compatible())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.places == [0, 1, 2]


@dialects
class TestSymptom07:
    """zirkelc/ai-retry #51: a second start event after the switch, and the fallback's output
    was lost.
    """

    @pytest.mark.parametrize("where", ["after_headers_before_content", "mid_text"])
    def test_an_answer_starts_once(self, lab, dialect, where):
        scene = lab.serve(OWN[dialect]({"fault": "overloaded", "where": where}), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.raw.count(STARTS[dialect]) == 1


@dialects
class TestSymptom08:
    """askalf/dario #1286: the continuation itself was cut, and closed as a success."""

    @pytest.mark.parametrize("fault", ["reset", "no_terminal"])
    def test_a_cut_continuation_is_no_success(self, lab, dialect, fault):
        broken = {"fault": fault, "where": "mid_text", "n": 20}
        scene = lab.serve(OWN[dialect](cut()), OTHER[dialect](broken), attempts=2)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.journal["outcome"] == "failed"


@dialects
class TestSymptom09:
    """BerriAI/litellm #20722: a later Retry-After was ignored; it slept 9 s where 107 s were
    asked for.
    """

    def test_the_last_word_counts(self, lab, dialect):
        first = {"fault": "rate_limited", "retry_after": "0.01", "times": 1}
        then = {"fault": "rate_limited", "retry_after": "1.1", "times": 1}
        scene = lab.serve(OWN[dialect](first, then))
        told = scene.ask(dialect)
        assert told.is_whole()
        assert told.results == ["throttled", "throttled", "content"]
        _, second, third = scene.asked(0)
        assert third.started - second.started >= 1.1


@dialects
class TestSymptom10:
    """OpenHands #4936, BerriAI/litellm #3274: a hard quota, or retries inside the
    SDK, delayed the fallback by minutes.
    """

    def test_a_hard_quota_is_not_retried(self, lab, dialect):
        scene = lab.serve(OWN[dialect]({"fault": "spend_cap"}), OTHER[dialect]())
        told = scene.ask(dialect)
        assert told.is_whole()
        assert told.results == ["account", "content"]
        assert scene.ask(dialect).results == ["content"]
        assert len(scene.asked(0)) == 1

    def test_and_with_nobody_else_it_is_told_at_once(self, lab, dialect):
        scene = lab.serve(OWN[dialect]({"fault": "spend_cap"}))
        told = scene.ask(dialect)
        assert told.status == 503
        assert int(told.headers["retry-after"]) >= 300
        assert len(scene.asked(0)) == 1


@dialects
class TestSymptom11:
    """BerriAI/litellm #41223: one caller's tiny timeout benched a deployment for everyone."""

    @modes
    def test_a_callers_hurry_speaks_against_nobody(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect](), OTHER[dialect]())
        lab.stand_in.play({"fault": "headers_late", "seconds": 3600, "key": scene.name_of(0)})
        for _ in range(MANY):
            told = scene.ask(dialect, stream=stream, headers={"x-understudy-deadline": "20ms"})
            assert "fault" not in [attempt["result"] for attempt in told.attempts]
        lab.stand_in.play()
        assert scene.ask(dialect, stream=stream).places == [0]


@dialects
class TestSymptom12:
    """OmniRoute #7907: callers who left tripped the breaker."""

    def test_callers_who_leave_speak_against_nobody(self, lab, dialect):
        hang = {"fault": "hang", "where": "mid_text", "times": MANY}
        scene = lab.serve(OWN[dialect](hang), OTHER[dialect]())
        body = {"model": scene.name, **body_of(dialect, stream=True)}
        for _ in range(MANY):
            with lab.client.stream("POST", PATHS[dialect], json=body) as got:
                pieces = got.iter_bytes()
                next(pieces)
            scene.until(0, lambda attempt: attempt.client_closed)
        assert scene.ask(dialect, stream=True).places == [0]
        assert scene.asked(1) == []


@dialects
class TestSymptom13:
    """BerriAI/litellm #42432: a translation turned a provider's 400 into a 500, and benched the
    deployment.
    """

    @modes
    def test_a_400_stays_one_and_nobody_is_benched(self, lab, dialect, stream):
        scene = lab.serve(OTHER[dialect]({"fault": "invalid_request"}), OWN[dialect]())
        for _ in range(MANY):
            told = scene.ask(dialect, stream=stream)
            assert told.status == 400
            assert told.results == ["caller"]
            assert told.error["understudy"]["code"] == "request_rejected"
        lab.stand_in.play()
        assert scene.ask(dialect, stream=stream).places == [0]


@dialects
class TestSymptom14:
    """BerriAI/litellm PR #16092: Anthropic's 400 "credit balance too low" was never benched."""

    def test_an_account_without_credit_is_spared(self, lab, dialect):
        scene = lab.serve(claude({"fault": "credit_too_low"}), gpt())
        answers = [scene.ask(dialect) for _ in range(3)]
        assert all(told.is_whole() for told in answers)
        assert [told.places for told in answers] == [[0, 1], [1], [1]]


@dialects
class TestSymptom15:
    """ferro-labs #136: the breaker took an opened stream for a success; failures in the
    middle stayed invisible.
    """

    def test_streams_that_break_in_the_middle_open_the_breaker(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut()), OTHER[dialect]())
        answers = [scene.ask(dialect, stream=True) for _ in range(MANY)]
        assert all(told.is_whole() for told in answers)
        assert answers[0].places == [0, 1]
        assert answers[-1].places == [1]


@dialects
class TestSymptom16:
    """BerriAI/litellm PR #34836, #40130: 25 straight 500s stayed in rotation."""

    def test_a_target_that_only_fails_is_spared(self, lab, dialect):
        scene = lab.serve(OWN[dialect]({"fault": "internal_error"}), OTHER[dialect]())
        answers = [scene.ask(dialect) for _ in range(25)]
        assert all(told.is_whole() for told in answers)
        assert len(scene.asked(0)) <= 5


@dialects
class TestSymptom18:
    """GoModel #947, 9router #3242: 200 with an empty or an error body counted
    as a success.
    """

    @modes
    @pytest.mark.parametrize("fault", ["empty_200", "empty_answer", "wrong_body_200", "html_200"])
    def test_200_alone_is_no_success(self, lab, dialect, stream, fault):
        scene = lab.serve(OWN[dialect]({"fault": fault}), OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=stream).text
        assert told.attempts[0]["result"] == "fault"


@dialects
class TestSymptom19:
    """BerriAI/litellm PR #39144, maximhq/bifrost #5097: tool-call ids broke after switching, in
    both directions.
    """

    @modes
    @pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
    def test_ids_hold_after_a_switch(self, lab, dialect, stream, back):
        one, other = (OTHER, OWN) if back else (OWN, OTHER)
        asked = {**tools_of(dialect), "stream": stream}
        called = lab.serve(one[dialect]()).ask(dialect, WEATHER, **asked)
        (call,) = called.answer.tools
        turns = [{"role": "user", "content": WEATHER}, *history(dialect, called.answer)]
        down = one[dialect]({"fault": "overloaded"})
        told = lab.serve(down, other[dialect]()).ask(dialect, turns, **asked)
        assert told.is_whole()
        assert told.results == ["overload", "content"]
        assert "Rain" in told.answer.text
        assert call.id


def history(dialect, answer):
    """An answer that calls a tool, and the tool's result, as the next turns."""
    (call,) = answer.tools
    result = "Rain, 4 degrees."
    if dialect == "messages":
        used = {"type": "tool_use", "id": call.id, "name": call.name}
        return [
            {"role": "assistant", "content": [{**used, "input": json.loads(call.arguments)}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call.id, "content": result}],
            },
        ]
    named = {"name": call.name, "arguments": call.arguments}
    if dialect == "chat_completions":
        calls = [{"id": call.id, "type": "function", "function": named}]
        return [
            {"role": "assistant", "content": answer.text or None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": call.id, "content": result},
        ]
    return [
        {"type": "function_call", "call_id": call.id, **named},
        {"type": "function_call_output", "call_id": call.id, "output": result},
    ]


@dialects
class TestSymptom20:
    """mnfst #2419: the JSON Schema was dropped on the fallback, and prose came back."""

    @modes
    def test_the_fallback_keeps_the_schema(self, lab, dialect, stream):
        scene = lab.serve(OWN[dialect]({"fault": "overloaded"}), OTHER[dialect]())
        told = scene.ask(dialect, "Name a ship.", stream=stream, **json_of(dialect))
        assert told.is_whole()
        assert set(json.loads(told.answer.text)) == {"name", "masts"}
        assert b'"masts"' in scene.asked(1)[0].body


class TestSymptom21:
    """BerriAI/litellm #26987, experiential #1054: a probe of one token failed on reasoning
    models; a short limit for the first token would have cut 6 % of good calls.
    """

    @dialects
    @modes
    def test_an_answer_of_reasoning_alone_is_no_failure(self, lab, dialect, stream):
        scene = lab.serve(gpt(model="gpt-5.2"), claude())
        for _ in range(MANY):
            # Responses takes no limit under 16.
            told = scene.ask(dialect, stream=stream, limit=16 if dialect == "responses" else 1)
            assert told.is_whole()
            assert told.results == ["content"]
            assert told.places == [0]

    @dialects
    def test_little_history_makes_nobody_impatient(self, lab, dialect):
        scene = lab.serve(OWN[dialect](), OTHER[dialect](), first_token="auto")
        for _ in range(MANY):
            scene.ask(dialect, stream=True, limit=16)
        lab.stand_in.play({"fault": "first_token_late", "seconds": 0.5, "key": scene.name_of(0)})
        assert scene.ask(dialect, stream=True).results == ["content"]


@dialects
class TestSymptom23:
    """BerriAI/litellm #40406, BerriAI/litellm-docs #1061: an outage's fallback went around a safety
    refusal, and around a key's or team's model access.
    """

    @modes
    @pytest.mark.parametrize("fault", ["content_filter", "refusal"])
    def test_a_refusal_is_not_gone_around(self, lab, dialect, stream, fault):
        scene = lab.serve(OWN[dialect]({"fault": fault}), OTHER[dialect]())
        told = scene.ask(dialect, stream=stream)
        assert told.places == [0]
        assert scene.asked(1) == []

    @modes
    def test_nor_is_what_a_tenant_may_use(self, lab, dialect, stream):
        down = {"fault": "overloaded"}
        scene = lab.serve(OWN[dialect](down), OTHER[dialect](), tenants={"acme": (0,)})
        told = scene.ask(dialect, stream=stream, headers={"x-understudy-tenant": "acme"})
        assert told.status == 503
        assert set(told.places) == {0}
        assert scene.asked(1) == []
        assert scene.ask(dialect, stream=stream).is_whole()

    def test_nor_in_the_middle_of_an_answer(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut()), OTHER[dialect](), tenants={"acme": (0,)}, attempts=1)
        told = scene.ask(dialect, stream=True, headers={"x-understudy-tenant": "acme"})
        assert told.is_broken_off()
        assert scene.asked(1) == []


@dialects
class TestSymptom25:
    """suitenumerique #113, BerriAI/litellm #27823: an endless spinner; no
    Retry-After when all are down.
    """

    #: A provider that never ends, and the limit that ends it.
    ENDLESS = {  # noqa: RUF012 - a table
        "silence-at-first": {"fault": "hang", "where": "before_headers"},
        "pings-at-first": {"fault": "pings_first", "n": 100_000, "seconds": 0.05},
        "silence-midway": {"fault": "hang", "where": "mid_text"},
        "pings-midway": {"fault": "stall_with_pings", "seconds": 0.05},
        "comments-midway": {"fault": "stall_with_comments", "seconds": 0.05},
        "a-crawl": {"fault": "drip_after", "seconds": 3600},
    }

    @pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
    def test_every_stream_ends(self, lab, dialect, endless):
        scene = lab.serve(OWN[dialect](endless), first_token="200ms", idle="200ms", attempts=1)
        told = scene.ask(dialect, stream=True)
        if told.streamed:
            assert told.is_broken_off()
        else:
            assert told.status in {503, 504}
            assert int(told.headers["retry-after"]) >= 1
        assert told.results == ["slow"]

    def test_every_stream_ends_at_its_deadline(self, lab, dialect):
        drip = {"fault": "slow_drip", "seconds": 0.1}
        scene = lab.serve(OWN[dialect](drip), deadline="1s", attempts=1)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.results == ["abandoned"]

    def test_every_whole_answer_ends(self, lab, dialect):
        hang = {"fault": "hang", "where": "mid_text"}
        scene = lab.serve(OWN[dialect](hang), first_token="200ms", deadline="400ms")
        told = scene.ask(dialect)
        assert told.status in {503, 504}
        assert int(told.headers["retry-after"]) >= 1

    @modes
    def test_when_all_are_down_it_is_said_for_how_long(self, lab, dialect, stream):
        # Longer than the deadline: to wait for it would be in vain.
        down = {"fault": "rate_limited", "retry_after": "300"}
        scene = lab.serve(OWN[dialect](down), OTHER[dialect](down))
        told = scene.ask(dialect, stream=stream)
        assert told.status == 503
        assert 290 < int(told.headers["retry-after"]) <= 300
        assert told.error["understudy"]["retry_after"] > 290
