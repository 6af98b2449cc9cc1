"""Whole answers and errors, with OpenAI's own SDK as the judge of what is written."""

from __future__ import annotations

import json

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.chat import ChatCompletion

from understudy.core.conversation import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from understudy.core.faults import FaultError, Kind, Scope
from understudy.dialects.base import ErrorView
from understudy.dialects.chat_completions import CHAT_COMPLETIONS


def completion(message=None, finish="stop", **fields):
    choice = {"index": 0, "message": message or {"content": "hi"}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "model": "gpt-5.2", "created": 17, "choices": [choice], **fields}
    return json.dumps(body).encode()


def answer_of(message, finish="stop", **fields):
    return CHAT_COMPLETIONS.parse_answer(completion(message, finish, **fields))


def calls(*arguments, **changes):
    functions = [{"name": "f", "arguments": text} for text in arguments]
    return {
        "content": None,
        "tool_calls": [
            {"id": f"c{i}", "type": "function", "function": function, **changes}
            for i, function in enumerate(functions)
        ],
    }


class TestReading:
    def test_everything(self):
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        message = {**calls('{"a":1}', ""), "content": "hi", "reasoning_content": "hm"}
        assert answer_of(message, "tool_calls", usage=usage) == Answer(
            id="chatcmpl-1",
            model="gpt-5.2",
            created=17,
            parts=(
                Thinking(text="hm"),
                Text(text="hi"),
                ToolUse(id="c0", name="f", arguments='{"a":1}'),
                ToolUse(id="c1", name="f", arguments="{}"),
            ),
            stop=Stop.TOOL_USE,
            usage=Usage(input=10, output=5, cache_read=4, cache_write=2, reasoning=3),
        )

    @pytest.mark.parametrize(
        ("message", "parts", "stop"),
        [
            ({"content": ""}, (), Stop.END),
            ({"content": None, "refusal": "no"}, (Refusal(text="no"),), Stop.REFUSED),
            ({"content": "x", "reasoning": "hm"}, (Thinking(text="hm"), Text(text="x")), Stop.END),
            (
                {"content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "t"}]},
                (Thinking(text="t"), Text(text="x")),
                Stop.END,
            ),
            (calls({"a": 1}), (ToolUse(id="c0", name="f", arguments='{"a":1}'),), Stop.TOOL_USE),
        ],
    )
    def test_messages(self, message, parts, stop):
        answer = answer_of(message)
        assert (answer.parts, answer.stop) == (parts, stop)

    @pytest.mark.parametrize(
        ("finish", "stop"),
        [
            ("stop", Stop.END),
            ("length", Stop.LENGTH),
            ("tool_calls", Stop.TOOL_USE),
            ("function_call", Stop.TOOL_USE),
            ("content_filter", Stop.REFUSED),
            ("model_length", Stop.CONTEXT),
            (None, Stop.END),
            ("", Stop.END),
            ("tomorrow", Stop.END),
        ],
    )
    def test_finish_reasons(self, finish, stop):
        assert answer_of({"content": "x"}, finish).stop is stop
        assert CHAT_COMPLETIONS.glance_answer(completion(None, finish)).stop is stop

    @pytest.mark.parametrize("missing", [None, ""])
    def test_calls_without_ids_get_stable_different_ones(self, missing):
        parts = answer_of(calls("{}", "{}", id=missing)).parts
        assert len({part.id for part in parts}) == 2
        assert parts == answer_of(calls("{}", "{}", id=missing)).parts

    def test_the_deprecated_call(self):
        (use,) = answer_of({"function_call": {"name": "f", "arguments": "{}"}}).parts
        assert (use.name, use.arguments) == ("f", "{}")

    def test_a_call_cut_by_the_token_limit_is_not_made(self):
        answer = answer_of(calls('{"a":1}', '{"b'), "length")
        assert [part.id for part in answer.parts] == ["c0"]
        assert answer.stop is Stop.LENGTH

    @pytest.mark.parametrize("arguments", ["{", "[1]", "x"])
    def test_a_call_with_broken_arguments_is_malformed(self, arguments):
        with pytest.raises(FaultError) as caught:
            answer_of(calls(arguments), "tool_calls")
        assert (caught.value.fault.kind, caught.value.fault.scope) == (Kind.MALFORMED, Scope.MODEL)


NO_COMPLETION = [
    b"",
    b"<html>",
    b"[]",
    b"7",
    b"{}",
    b'{"object":"list","data":[]}',
    b'{"choices":"none"}',
    b'{"choices":null}',
    b"\xff",
    b"[" * 100_000,
    b'{"choices":' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", NO_COMPLETION)
@pytest.mark.parametrize("read", ["parse_answer", "glance_answer"])
def test_a_body_of_another_kind_is_malformed(body, read):
    with pytest.raises(FaultError) as caught:
        getattr(CHAT_COMPLETIONS, read)(body)
    fault = caught.value.fault
    assert (fault.kind, fault.scope) == (Kind.MALFORMED, Scope.PROVIDER)


@pytest.mark.parametrize("read", ["parse_answer", "glance_answer"])
@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
def test_a_finish_reason_that_admits_a_failure_is_a_fault(reason, read):
    with pytest.raises(FaultError) as caught:
        getattr(CHAT_COMPLETIONS, read)(completion(None, reason))
    assert caught.value.fault.code == reason


@given(body=st.binary(max_size=80))
@settings(deadline=None)
def test_garbage_raises_nothing_but_faults(body):
    for read in (CHAT_COMPLETIONS.parse_answer, CHAT_COMPLETIONS.glance_answer):
        with pytest.raises(FaultError):
            read(body)


class TestGlance:
    @pytest.mark.parametrize(
        ("message", "has_content"),
        [
            ({"content": "x"}, True),
            ({"content": ""}, False),
            ({"content": None, "tool_calls": []}, False),
            ({"refusal": "no"}, True),
            (calls("{}"), True),
            ({"function_call": {"name": "f"}}, True),
            ({"reasoning_content": "hm"}, True),
            ({"reasoning": "hm"}, True),
            ({"audio": {"id": "a"}}, True),
        ],
    )
    def test_content(self, message, has_content):
        assert CHAT_COMPLETIONS.glance_answer(completion(message)).has_content is has_content

    def test_content_of_any_choice_but_the_stop_of_the_first(self):
        choices = [
            {"index": 0, "message": {"content": ""}, "finish_reason": "length"},
            {"index": 1, "message": {"content": "x"}, "finish_reason": "stop"},
        ]
        glance = CHAT_COMPLETIONS.glance_answer(completion(choices=choices))
        assert (glance.has_content, glance.stop) == (True, Stop.LENGTH)

    def test_usage(self):
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": None}
        glance = CHAT_COMPLETIONS.glance_answer(completion(usage=usage))
        assert glance.usage == Usage(input=3, output=1)
        assert CHAT_COMPLETIONS.glance_answer(completion()).usage is None

    @pytest.mark.parametrize(
        "body",
        [
            b'{"error":{"message":"x"}}',
            b'{"error":"x"}',
            b'{"object":"error","message":"x","code":400}',
            completion(error={"message": "x"}),
        ],
    )
    def test_an_error_under_200(self, body):
        assert CHAT_COMPLETIONS.glance_answer(body).error == body

    def test_a_null_error_is_none(self):
        assert CHAT_COMPLETIONS.glance_answer(completion(error=None)).error is None

    @pytest.mark.parametrize(
        "odd", [{"created": 1.5}, {"usage": "free"}, {"id": None}, {"model": 7}]
    )
    def test_a_field_of_a_wrong_type_costs_nothing_but_itself(self, odd):
        assert CHAT_COMPLETIONS.glance_answer(completion(**odd)).has_content
        assert CHAT_COMPLETIONS.parse_answer(completion(**odd)).parts == (Text(text="hi"),)


class TestWriting:
    def answer(self, *parts, stop=Stop.END):
        usage = Usage(input=10, output=5, cache_read=4, cache_write=1, reasoning=3)
        return Answer(id="msg_1", model="claude", parts=parts, stop=stop, usage=usage, created=17)

    def sdk(self, *parts, stop=Stop.END):
        body = CHAT_COMPLETIONS.render_answer(self.answer(*parts, stop=stop))
        return ChatCompletion.model_validate_json(body, strict=True)

    def test_the_sdk_reads_it(self):
        read = self.sdk(
            Thinking(text="hm", signature="s"),
            Text(text="a"),
            Text(text="b"),
            ToolUse(id="toolu_1", name="f", arguments='{"x":1}'),
            stop=Stop.TOOL_USE,
        )
        assert (read.id, read.model, read.created) == ("msg_1", "claude", 17)
        (choice,) = read.choices
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content == "ab"
        assert choice.message.reasoning_content == "hm"
        assert choice.message.tool_calls[0].function.arguments == '{"x":1}'
        assert read.usage.model_dump(exclude_none=True) == {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }

    def test_no_text_is_null_and_no_calls_are_absent(self):
        body = json.loads(CHAT_COMPLETIONS.render_answer(self.answer(Refusal(text="no"))))
        message = body["choices"][0]["message"]
        assert message == {"role": "assistant", "content": None, "refusal": "no"}

    @pytest.mark.parametrize(
        ("parts", "stop", "finish"),
        [
            ((), Stop.STOP_SEQUENCE, "stop"),
            ((), Stop.LENGTH, "length"),
            ((), Stop.CONTEXT, "length"),
            ((), Stop.PAUSE, "stop"),
            ((), Stop.REFUSED, "content_filter"),
            ((Refusal(text="no"),), Stop.REFUSED, "stop"),
        ],
    )
    def test_finish_reasons(self, parts, stop, finish):
        assert self.sdk(*parts, stop=stop).choices[0].finish_reason == finish

    @pytest.mark.parametrize(
        ("parts", "stop"),
        [
            ((Text(text="x"),), Stop.END),
            ((Thinking(text="hm"), Text(text="x"), ToolUse(id="a", name="f")), Stop.TOOL_USE),
            ((Refusal(text="no"),), Stop.REFUSED),
            ((), Stop.LENGTH),
        ],
    )
    def test_what_is_written_reads_back_the_same(self, parts, stop):
        answer = self.answer(*parts, stop=stop)
        assert CHAT_COMPLETIONS.parse_answer(CHAT_COMPLETIONS.render_answer(answer)) == answer


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "status", "wire", "code"),
        [
            ("invalid_request", 400, "invalid_request_error", None),
            ("authentication", 401, "invalid_request_error", "invalid_api_key"),
            ("permission", 403, "permission_error", None),
            ("not_found", 404, "invalid_request_error", "model_not_found"),
            ("request_too_large", 413, "invalid_request_error", "request_too_large"),
            ("rate_limit", 429, "rate_limit_error", "rate_limit_exceeded"),
            ("billing", 429, "insufficient_quota", "insufficient_quota"),
            ("api", 500, "server_error", None),
            ("overloaded", 503, "service_unavailable_error", "server_is_overloaded"),
            ("timeout", 504, "server_error", "timeout"),
            ("of_tomorrow", 418, "invalid_request_error", None),
            ("of_tomorrow", 500, "server_error", None),
        ],
    )
    def test_types_and_codes(self, kind, status, wire, code):
        view = ErrorView(status=status, kind=kind, message="m", param="messages[0]")
        assert json.loads(CHAT_COMPLETIONS.render_error(view)) == {
            "error": {"message": "m", "type": wire, "param": "messages[0]", "code": code}
        }

    def test_the_views_own_code_and_our_object(self):
        understudy = {"code": "nothing_can_serve", "retry_after": 7}
        view = ErrorView(
            status=503, kind="overloaded", message="m", code="x", understudy=understudy
        )
        error = json.loads(CHAT_COMPLETIONS.render_error(view))["error"]
        assert (error["code"], error["understudy"]) == ("x", understudy)

    def test_in_a_stream_it_is_one_event_that_the_sdk_raises(self):
        view = ErrorView(status=503, kind="overloaded", message="gone")
        event = CHAT_COMPLETIONS.render_stream_error(view)
        assert event.startswith(b"data: {")
        assert event.endswith(b"}\n\n")
        assert b"[DONE]" not in event
        transport = httpx2.MockTransport(
            lambda _: httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, content=event
            )
        )
        with (
            httpx2.Client(transport=transport) as http,
            OpenAI(api_key="k", base_url="http://x.test/v1", http_client=http) as client,
        ):
            stream = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}], stream=True
            )
            with pytest.raises(Exception, match="gone"):
                list(stream)
