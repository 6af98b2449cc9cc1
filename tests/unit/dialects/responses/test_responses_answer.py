"""Whole answers of the Responses API: read, written, glanced at."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from understudy.core.conversation import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from understudy.core.faults import FaultError, Kind
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import (
    USAGE,
    call,
    message,
    reasoning,
    response,
)


def body_of(*output, status="completed", **fields):
    return json.dumps(response(status, output=list(output), usage=USAGE, **fields)).encode()


def rendered(*parts, stop=Stop.END, **fields):
    answer = Answer(id="msg_1", model="claude", parts=parts, stop=stop, created=17, **fields)
    return Response.model_validate_json(RESPONSES.render_answer(answer), strict=True)


REFUSED = {**message(""), "content": [{"type": "refusal", "refusal": "no"}]}


def test_a_whole_answer():
    encrypted = reasoning("hm", encrypted_content="gAAA")
    body = body_of(encrypted, message("hi"), call("call_1", "f", '{"a": 1}', id="fc_1"))
    assert RESPONSES.parse_answer(body) == Answer(
        id="resp_1",
        model="gpt-5.2",
        parts=(
            Thinking(text="hm"),
            Text(text="hi"),
            ToolUse(id="call_1", name="f", arguments='{"a": 1}'),
        ),
        stop=Stop.TOOL_USE,
        usage=Usage(input=20, output=9, cache_read=12, cache_write=3, reasoning=4),
        created=1700000000,
    )


@pytest.mark.parametrize(
    ("body", "stop"),
    [
        (body_of(message("hi")), Stop.END),
        (body_of(call()), Stop.TOOL_USE),
        (body_of(REFUSED), Stop.REFUSED),
        (body_of(message("hi"), status="brand_new"), Stop.END),
        (body_of(message("hi"), status="incomplete"), Stop.LENGTH),
        (
            body_of(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Stop.LENGTH,
        ),
        (
            body_of(status="incomplete", incomplete_details={"reason": "content_filter"}),
            Stop.REFUSED,
        ),
        (body_of(status="incomplete", incomplete_details={"reason": "brand_new"}), Stop.LENGTH),
    ],
)
def test_why_it_ended(body, stop):
    assert RESPONSES.parse_answer(body).stop is stop
    assert RESPONSES.glance_answer(body).stop is stop


def test_reasoning_in_full_is_read_where_there_is_no_summary():
    item = {**reasoning(), "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert RESPONSES.parse_answer(body_of(item)).parts == (Thinking(text="hm"),)


def test_what_has_no_words_elsewhere_is_left_out():
    answer = RESPONSES.parse_answer(body_of({"type": "web_search_call", "id": "w"}, message("hi")))
    assert answer.parts == (Text(text="hi"),)


def test_a_call_that_a_limit_cut_is_left_out():
    cut = call("c", "f", '{"a": ')
    assert RESPONSES.parse_answer(body_of(message("x"), cut, status="incomplete")).parts == (
        Text(text="x"),
    )
    with pytest.raises(FaultError):
        RESPONSES.parse_answer(body_of(cut))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"id":"\xff"}',
        b'{"object":"chat.completion","choices":[]}',
        body_of(status="queued"),
        body_of(status="in_progress"),
    ],
)
def test_what_is_no_answer_is_malformed(body):
    for read in (RESPONSES.parse_answer, RESPONSES.glance_answer):
        with pytest.raises(FaultError) as caught:
            read(body)
        assert caught.value.fault.kind is Kind.MALFORMED


@pytest.mark.parametrize("item", [call("", "f"), call("c", "")])
def test_a_call_without_id_or_name_is_malformed(item):
    with pytest.raises(FaultError):
        RESPONSES.parse_answer(body_of(item))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            body_of(status="failed", error={"code": "server_error", "message": "No."}),
            {"code": "server_error", "message": "No."},
        ),
        (
            body_of(message("hi"), error={"code": "rate_limit_exceeded", "message": "No."}),
            {"code": "rate_limit_exceeded", "message": "No."},
        ),
        (b'{"error": {"message": "No."}}', {"message": "No."}),
        (b'{"error": "No."}', "No."),
    ],
)
def test_an_error_under_a_success_is_the_bodys_error(body, error):
    glance = RESPONSES.glance_answer(body)
    assert json.loads(glance.error) == {"error": error}
    with pytest.raises(FaultError):
        RESPONSES.parse_answer(body)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failure_that_says_nothing_is_the_servers(status):
    glance = RESPONSES.glance_answer(body_of(status=status))
    error = json.loads(glance.error)["error"]
    assert error["code"] == "server_error"
    assert status in error["message"]


@pytest.mark.parametrize(
    ("output", "has_content"),
    [
        ([message("hi")], True),
        ([REFUSED], True),
        ([call()], True),
        ([reasoning("hm")], True),
        ([{"type": "image_generation_call", "id": "ig_1", "result": "iVBO"}], True),
        ([], False),
        ([message("")], False),
        ([reasoning(), message("")], False),
        ([reasoning(encrypted_content="gAAA")], False),
    ],
)
def test_what_counts_as_content(output, has_content):
    glance = RESPONSES.glance_answer(body_of(*output))
    assert glance.has_content is has_content
    assert glance.usage == Usage(input=20, output=9, cache_read=12, cache_write=3, reasoning=4)


@given(st.binary(max_size=200))
def test_garbage_is_a_fault_and_nothing_else(body):
    for read in (RESPONSES.parse_answer, RESPONSES.glance_answer):
        with suppress(FaultError):
            read(body)


# -- written


def test_an_answer_satisfies_the_sdk():
    use = ToolUse(id="toolu_1", name="f", arguments='{"a":1}')
    words = (Text(text="hi "), Text(text="there"), Refusal(text="no"))
    usage = Usage(input=9, output=4, cache_read=3, cache_write=2, reasoning=1)
    read = rendered(
        Thinking(text="hm", signature="s"), *words, use, stop=Stop.TOOL_USE, usage=usage
    )
    thought, said, called = read.output
    assert (read.id, read.model, read.created_at, read.status) == (
        "resp_msg_1",
        "claude",
        17,
        "completed",
    )
    assert thought.summary[0].text == "hm"
    assert read.output_text == "hi there"
    assert said.content[2].refusal == "no"
    assert (called.call_id, called.name, called.arguments) == ("toolu_1", "f", '{"a":1}')
    assert [item.id.split("_")[0] for item in read.output] == ["rs", "msg", "fc"]
    assert (read.usage.input_tokens, read.usage.total_tokens) == (9, 13)
    assert read.usage.input_tokens_details.cached_tokens == 3


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop.END, "completed", None),
        (Stop.TOOL_USE, "completed", None),
        (Stop.LENGTH, "incomplete", "max_output_tokens"),
        (Stop.CONTEXT, "incomplete", "max_output_tokens"),
        (Stop.REFUSED, "incomplete", "content_filter"),
    ],
)
def test_how_an_end_is_written(stop, status, reason):
    read = rendered(Text(text="hi"), stop=stop)
    assert read.status == status
    assert (read.incomplete_details.reason if read.incomplete_details else None) == reason
    assert read.output[0].status == status


def test_a_refusal_in_words_completes_an_answer():
    read = rendered(Refusal(text="no"), stop=Stop.REFUSED)
    assert (read.status, read.incomplete_details) == ("completed", None)


def test_an_empty_answer_has_an_empty_output():
    assert rendered().output == []
    assert rendered(Thinking(redacted="x"), Thinking(signature="s")).output == []


def test_nobody_keeps_what_a_substitute_answered():
    answer = Answer(id="a", model="m", parts=(), stop=Stop.END)
    assert json.loads(RESPONSES.render_answer(answer))["store"] is False


def test_there_and_back_it_means_the_same():
    parts = (
        Thinking(text="hm"),
        Text(text="hi"),
        Refusal(text="no"),
        ToolUse(id="toolu_1", name="f", arguments='{"a":1}'),
        Text(text="bye"),
    )
    usage = Usage(input=9, output=4, cache_read=3, cache_write=2, reasoning=1)
    answer = Answer(id="resp_1", model="m", parts=parts, stop=Stop.REFUSED, usage=usage, created=17)
    assert RESPONSES.parse_answer(RESPONSES.render_answer(answer)) == answer
