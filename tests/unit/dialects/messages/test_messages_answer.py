"""Whole answers: read, written for the vendor's own SDK, and glanced at."""

from __future__ import annotations

import json

import anthropic.types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import (
    Answer,
    InexpressibleError,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from understudy.core.faults import FaultError, Kind, Scope
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from unit.dialects.messages.messages_samples import USAGE, asks, read_error

REASONS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.CONTEXT,
    "tool_use": Stop.TOOL_USE,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSED,
}


def message(*content, reason="end_turn", **fields) -> bytes:
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": list(content),
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": USAGE,
        }
        | fields
    ).encode()


HELLO = {"type": "text", "text": "hello"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (HELLO, Text(text="hello")),
        (HELLO | {"citations": [{"type": "char_location"}]}, Text(text="hello")),
        (
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            Thinking(text="hm", signature="s"),
        ),
        ({"type": "redacted_thinking", "data": "x"}, Thinking(redacted="x")),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "n", "input": {"a": [1]}},
            ToolUse(id="toolu_1", name="n", arguments='{"a": [1]}'),
        ),
        ({"type": "tool_use", "id": "toolu_1", "name": "n"}, ToolUse(id="toolu_1", name="n")),
        ({"type": "server_tool_use", "id": "s", "name": "n", "input": {}}, None),
        ({"type": "block_of_tomorrow"}, None),
    ],
)
def test_each_block(block, part):
    answer = MESSAGES.parse_answer(message(block))
    assert answer.parts == (() if part is None else (part,))


@pytest.mark.parametrize(("reason", "stop"), [*REASONS.items(), ("x", Stop.END), (None, Stop.END)])
def test_stop_reasons(reason, stop):
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    answer = MESSAGES.parse_answer(message(HELLO, reason=reason, stop_details=details))
    assert answer.stop is stop


def test_the_rest_of_an_answer():
    body = message(HELLO, reason="stop_sequence", stop_sequence="END")
    assert MESSAGES.parse_answer(body) == Answer(
        id="msg_1",
        model="claude-sonnet-4-5",
        parts=(Text(text="hello"),),
        stop=Stop.STOP_SEQUENCE,
        stop_sequence="END",
        usage=Usage(input=18, output=1, cache_read=5, cache_write=3),
    )


NO_MESSAGES = [
    b"",
    b"<html>",
    b"[]",
    b'"x"',
    b"{}",
    b'{"content":null}',
    b'{"object":"chat.completion","choices":[]}',
    b'{"content":[' * 5000,
    b'{"content":["\xff"]}',
]


@pytest.mark.parametrize("body", NO_MESSAGES, ids=lambda body: body[:20])
@pytest.mark.parametrize("read", [MESSAGES.parse_answer, MESSAGES.glance_answer])
def test_what_is_no_message_is_malformed(read, body):
    with pytest.raises(FaultError) as raised:
        read(body)
    fault = raised.value.fault
    assert (fault.kind, fault.scope, fault.status) == (Kind.MALFORMED, Scope.PROVIDER, 200)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_use", "name": "n", "input": {}},
        {"type": "tool_use", "id": "t", "input": {}},
        {"type": "tool_use", "id": "t", "name": "n", "input": [1]},
        {"text": "no type"},
    ],
)
def test_a_block_that_cannot_be_told_is_malformed(block):
    with pytest.raises(FaultError, match="malformed"):
        MESSAGES.parse_answer(message(block))


ERRORS = [
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    b'{"type":"error"}',
    b'{"error":{"message":"x"}}',
    b'{"content":[],"error":{"message":"x"}}',
]


@pytest.mark.parametrize("body", ERRORS)
def test_an_error_under_200_is_shown_as_it_came(body):
    assert MESSAGES.glance_answer(body).error == body
    assert COUNT_TOKENS.glance_answer(body).error == body
    with pytest.raises(FaultError):
        MESSAGES.parse_answer(body)


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        ([], False),
        ([{"type": "text", "text": ""}], False),
        ([HELLO], True),
        ([{"type": "thinking", "thinking": "", "signature": "s"}], False),
        ([{"type": "thinking", "thinking": "x", "signature": "s"}], True),
        ([{"type": "redacted_thinking", "data": "x"}], True),
        ([{"type": "tool_use", "id": "t", "name": "n", "input": {}}], True),
        ([{"type": "server_tool_use", "id": "t", "name": "n", "input": {}}], True),
        ([{"type": "block_of_tomorrow", "text": 5 * "x"}], True),
    ],
)
def test_what_counts_as_content(blocks, content):
    assert MESSAGES.glance_answer(message(*blocks)).has_content is content


def test_the_glance_shows_stop_and_usage():
    glance = MESSAGES.glance_answer(message(HELLO, reason="max_tokens", error=None))
    assert (glance.stop, glance.error) == (Stop.LENGTH, None)
    assert glance.usage == Usage(input=18, output=1, cache_read=5, cache_write=3)
    assert MESSAGES.glance_answer(message(HELLO, reason=None, usage=7)).stop is None


TEXTS = st.text(max_size=10)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
ARGUMENTS = st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3).map(json.dumps)
PARTS = st.one_of(
    st.builds(Text, text=TEXTS),
    st.builds(ToolUse, id=IDS, name=IDS, arguments=ARGUMENTS),
    st.builds(Thinking, text=TEXTS, signature=IDS),
    st.builds(Thinking, redacted=TEXTS),
)
COUNTS = st.integers(min_value=0, max_value=10**6)


@st.composite
def answers(draw):
    read, write = draw(COUNTS), draw(COUNTS)
    return Answer(
        id="msg_" + draw(IDS),
        model=draw(TEXTS),
        parts=tuple(draw(st.lists(PARTS, max_size=4))),
        stop=draw(st.sampled_from(Stop)),
        stop_sequence=draw(st.none() | TEXTS),
        usage=Usage(
            input=draw(COUNTS) + read + write,
            output=draw(COUNTS),
            cache_read=read,
            cache_write=write,
            reasoning=draw(COUNTS),
        ),
    )


@given(answers())
def test_what_is_written_is_read_back_and_the_vendors_sdk_reads_it_too(answer):
    body = MESSAGES.render_answer(answer)
    assert MESSAGES.parse_answer(body) == answer
    assert MESSAGES.glance_answer(body).stop is answer.stop
    vendors = anthropic.types.Message.model_validate_json(body)
    assert (vendors.id, vendors.model) == (answer.id, answer.model)
    assert len(vendors.content) == len(answer.parts)


@pytest.mark.parametrize(("reason", "stop"), REASONS.items())
def test_each_stop_is_written_in_the_vendors_word(reason, stop):
    body = MESSAGES.render_answer(Answer(id="msg_1", model="m", parts=(), stop=stop))
    assert json.loads(body)["stop_reason"] == reason


@pytest.mark.parametrize(
    ("given_id", "written_id"),
    [
        ("msg_01", "msg_01"),
        ("chatcmpl-7", "msg_chatcmpl-7"),
        ("a:b", "msg_a_b"),
        ("", "msg_"),
    ],
)
def test_ids_take_the_vendors_form(given_id, written_id):
    answer = Answer(id=given_id, model="m", parts=(), stop=Stop.END)
    assert json.loads(MESSAGES.render_answer(answer))["id"] == written_id


def test_a_refusal_in_words_is_text():
    answer = Answer(id="msg_1", model="m", parts=(Refusal(text="no"),), stop=Stop.REFUSED)
    body = json.loads(MESSAGES.render_answer(answer))
    assert body["content"] == [{"type": "text", "text": "no"}]
    assert body["stop_reason"] == "refusal"


def test_a_tool_call_cut_by_a_token_limit_is_left_out():
    cut = ToolUse(id="t", name="n", arguments='{"city": "Pa')
    answer = Answer(id="msg_1", model="m", parts=(Text(text="x"), cut), stop=Stop.LENGTH)
    assert len(json.loads(MESSAGES.render_answer(answer))["content"]) == 1


def test_broken_arguments_are_a_fault_of_the_model_not_our_invention():
    broken = ToolUse(id="t", name="n", arguments="{city}")
    with pytest.raises(FaultError) as raised:
        MESSAGES.render_answer(Answer(id="a", model="m", parts=(broken,), stop=Stop.TOOL_USE))
    assert (raised.value.fault.kind, raised.value.fault.scope) == (Kind.MALFORMED, Scope.MODEL)


def test_a_token_count_is_content():
    glance = COUNT_TOKENS.glance_answer(b'{"input_tokens":2095}')
    assert glance.has_content
    assert glance.usage == Usage(input=2095)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"input_tokens":"1"}', b"<html>"])
def test_what_is_no_token_count_is_malformed(body):
    with pytest.raises(FaultError, match="malformed"):
        COUNT_TOKENS.glance_answer(body)


@pytest.mark.parametrize(
    "translate",
    [
        lambda: COUNT_TOKENS.render_answer(Answer(id="a", model="m", parts=(), stop=Stop.END)),
        lambda: COUNT_TOKENS.parse_answer(b'{"input_tokens":1}'),
        lambda: COUNT_TOKENS.render_request(asks(), "m", None),
        lambda: COUNT_TOKENS.stream_writer(asks()),
        lambda: COUNT_TOKENS.stream_parser(read_error),
        lambda: COUNT_TOKENS.stream_glance(read_error, 0),
        COUNT_TOKENS.sent,
        lambda: COUNT_TOKENS.extend(b"{}", [("user", "x")], None),
    ],
)
def test_token_counting_is_not_translated(translate):
    with pytest.raises(InexpressibleError) as raised:
        translate()
    assert raised.value.field == "count_tokens"
