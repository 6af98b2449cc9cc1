"""A caller's request: every part is read, every fault named by its path, nothing is dropped."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    InexpressibleError,
    Message,
    Refusal,
    Text,
    Thinking,
    ThinkingMode,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from unit.dialects.chat_completions.chat_samples import body_of, parse, user

PDF = "data:application/pdf;base64,JVBERi0="
NOTE = "data:text/plain;base64," + base64.b64encode("grüße".encode()).decode()


def assistant(**fields):
    return {"role": "assistant", **fields}


def tool_call(**changes):
    function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    return {"id": "call_1", "type": "function", "function": function, **changes}


def tool(content, tool_call_id="call_1"):
    return {"role": "tool", "tool_call_id": tool_call_id, "content": content}


FUNCTION = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
}


class TestEnvelope:
    def test_reads_what_choosing_a_target_needs(self):
        body = body_of(user(), stream=True, stop="x", seed=7)
        envelope = CHAT_COMPLETIONS.read_envelope(body)
        assert (envelope.model, envelope.stream, envelope.has_stop) == ("gpt-5.2", True, True)
        assert list(envelope.fields) == ["model", "messages", "stream", "stop", "seed"]
        assert bytes(envelope.fields["seed"]) == b"7"

    @pytest.mark.parametrize("stream", [{}, {"stream": None}, {"stream": False}])
    def test_a_stream_is_only_on_request(self, stream):
        envelope = CHAT_COMPLETIONS.read_envelope(body_of(user(), stop=None, **stream))
        assert (envelope.stream, envelope.has_stop) == (False, False)

    @pytest.mark.parametrize(
        ("fields", "structured"),
        [
            ({}, False),
            ({"response_format": None}, False),
            ({"response_format": {"type": "text"}}, False),
            ({"response_format": {"type": "grammar"}}, False),
            ({"response_format": 3}, False),
            ({"response_format": {"type": "json_object"}}, True),
            ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, True),
        ],
    )
    def test_whether_half_an_answer_is_of_any_use(self, fields, structured):
        assert CHAT_COMPLETIONS.read_envelope(body_of(user(), **fields)).structured is structured

    @pytest.mark.parametrize(("n", "choices"), [({}, 1), ({"n": None}, 1), ({"n": 3}, 3)])
    def test_how_many_answers_are_asked_for(self, n, choices):
        assert CHAT_COMPLETIONS.read_envelope(body_of(user(), **n)).choices == choices

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"", None),
            (b"[]", None),
            (b"{", None),
            (b'{"messages":[{}]}', "model"),
            (b'{"model":7,"messages":[{}]}', "model"),
            (b'{"model":"","messages":[{}]}', "model"),
            (b'{"model":"m"}', "messages"),
            (b'{"model":"m","messages":[ ]}', "messages"),
            (b'{"model":"m","messages":"hi"}', "messages"),
            (
                b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}',
                "stream",
            ),
        ],
    )
    def test_faults_are_named(self, body, field):
        for read in (CHAT_COMPLETIONS.read_envelope, CHAT_COMPLETIONS.parse_request):
            with pytest.raises(BadRequestError) as caught:
                read(body)
            assert caught.value.field == field


class TestTurns:
    @pytest.mark.parametrize(
        ("content", "parts"),
        [
            ("hello", (Text(text="hello"),)),
            ([{"type": "text", "text": "hello"}], (Text(text="hello"),)),
            (
                [{"type": "text", "text": ""}, {"type": "text", "text": "x"}],
                (Text(text="x"),),
            ),
            (
                [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}],
                (Image(url="https://x.test/a.png"),),
            ),
            (
                [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"},
                    }
                ],
                (Image(data="iVBO", media_type="image/png", detail="low"),),
            ),
            (
                [{"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}}],
                (Document(data="JVBERi0=", media_type="application/pdf", title="a.pdf"),),
            ),
            (
                [{"type": "file", "file": {"file_data": "JVBERi0="}}],
                (Document(data="JVBERi0=", media_type="application/pdf"),),
            ),
            (
                [{"type": "file", "file": {"file_data": NOTE}}],
                (Document(text="grüße", media_type="text/plain"),),
            ),
        ],
    )
    def test_user_content(self, content, parts):
        assert parse(user(content)).messages == (Message(role="user", parts=parts),)

    @pytest.mark.parametrize(
        ("message", "parts"),
        [
            (assistant(content="hi"), (Text(text="hi"),)),
            (
                assistant(
                    content=[{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
                ),
                (Text(text="a"), Refusal(text="b")),
            ),
            (assistant(content=None, refusal="no"), (Refusal(text="no"),)),
            (
                assistant(content=None, tool_calls=[tool_call()]),
                (ToolUse(id="call_1", name="weather", arguments='{"city": "Oslo"}'),),
            ),
            (
                assistant(content="x", reasoning_content="hm"),
                (Thinking(text="hm"), Text(text="x")),
            ),
            (assistant(content="x", reasoning="hm"), (Thinking(text="hm"), Text(text="x"))),
            # As SDKs dump an answer: nulls, and what some provider added.
            (
                assistant(
                    content="x",
                    refusal=None,
                    tool_calls=None,
                    function_call=None,
                    audio=None,
                    annotations=[],
                    provider_specific_fields={"a": 1},
                ),
                (Text(text="x"),),
            ),
        ],
    )
    def test_assistant_content(self, message, parts):
        assert parse(user(), message).messages[1] == Message(role="assistant", parts=parts)

    @pytest.mark.parametrize("arguments", ["", "  ", "{}"])
    def test_a_call_without_arguments_is_an_empty_object(self, arguments):
        call = tool_call(function={"name": "now", "arguments": arguments})
        request = parse(user(), assistant(tool_calls=[call]))
        assert request.messages[1].parts == (ToolUse(id="call_1", name="now", arguments="{}"),)

    def test_tool_results_join_the_turn_that_follows(self):
        calls = [tool_call(), tool_call(id="call_2")]
        request = parse(
            user("weather?"),
            assistant(content=None, tool_calls=calls),
            tool("sun"),
            tool([{"type": "text", "text": "rain"}], "call_2"),
            user("and?"),
        )
        assert request.messages[2] == Message(
            role="user",
            parts=(
                ToolResult(id="call_1", content=(Text(text="sun"),)),
                ToolResult(id="call_2", content=(Text(text="rain"),)),
                Text(text="and?"),
            ),
        )

    def test_system_and_developer_messages_at_the_head_are_the_system_prompt(self):
        request = parse(
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            user(),
        )
        assert request.system == (Text(text="a"), Text(text="b"))
        assert [message.role for message in request.messages] == ["user"]

    def test_a_later_system_message_stays_where_it_stood(self):
        request = parse(
            user("a"), assistant(content="b"), {"role": "system", "content": "be brief"}, user("c")
        )
        assert request.system == ()
        assert request.messages[2].parts == (
            Text(text="<system>\nbe brief\n</system>"),
            Text(text="c"),
        )

    def test_a_system_message_alone_is_something_to_answer(self):
        request = parse({"role": "system", "content": "a"}, {"role": "system", "content": "b"})
        assert request.system == (Text(text="a"),)
        assert request.messages[0].parts == (Text(text="<system>\nb\n</system>"),)

    def test_names_tell_people_apart(self):
        request = parse(
            {"role": "system", "content": "greet", "name": "example"},
            user("hi", name="ann"),
            assistant(content="hello", name="bot"),
            user([{"type": "image_url", "image_url": {"url": "https://x.test/a"}}], name="bob"),
        )
        assert request.system[0].text == "example: greet"
        assert request.messages[0].parts == (Text(text="ann: hi"),)
        assert request.messages[1].parts == (Text(text="hello"),)
        assert request.messages[2].parts[0] == Text(text="bob:")

    def test_empty_turns_vanish_and_their_neighbours_join(self):
        request = parse(user("a"), assistant(content=""), user("b"))
        assert request.messages == (Message(role="user", parts=(Text(text="a"), Text(text="b"))),)

    @pytest.mark.parametrize(
        ("mark", "cache"),
        [
            ({"prompt_cache_breakpoint": {"mode": "explicit"}}, b'{"type":"ephemeral"}'),
            (
                {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
                b'{"type":"ephemeral","ttl":"1h"}',
            ),
            ({"cache_control": {"type": "x"}}, b'{"type": "x"}'),
            ({"cache_control": None}, None),
            ({}, None),
        ],
    )
    def test_cache_marks(self, mark, cache):
        part = parse(user([{"type": "text", "text": "a", **mark}])).messages[0].parts[0]
        assert (None if part.cache is None else bytes(part.cache)) == cache


class TestFields:
    def test_all_that_the_core_has_words_for(self):
        request = parse(
            user(),
            tools=[FUNCTION],
            tool_choice={"type": "function", "function": {"name": "f"}},
            parallel_tool_calls=False,
            max_tokens=10,
            max_completion_tokens=20,
            temperature=1,
            top_p=0.5,
            stop=["a", "b"],
            stream=True,
            stream_options={"include_usage": True, "include_obfuscation": False},
            reasoning_effort="low",
            user="u1",
        )
        definition = request.tools[0]
        assert (definition.name, definition.description, definition.strict) == ("f", "d", True)
        assert json.loads(bytes(definition.schema)) == {"type": "object"}
        assert request.tool_choice == ToolChoice(mode="tool", name="f", parallel=False)
        assert request.max_tokens == 20
        assert (request.temperature, request.top_p) == (1.0, 0.5)
        assert request.stop == ("a", "b")
        assert (request.stream, request.include_usage) == (True, True)
        assert request.thinking == ThinkingMode(effort="low")
        assert request.user == "u1"
        assert request.extras == {}

    def test_null_is_the_same_as_absent(self):
        names = [
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "stop",
            "stream",
            "stream_options",
            "response_format",
            "reasoning_effort",
            "user",
            "functions",
            "function_call",
            "seed",
            "unknown",
        ]
        assert parse(user(), **dict.fromkeys(names)) == parse(user())

    @pytest.mark.parametrize(
        ("choice", "mode"), [("auto", "auto"), ("none", "none"), ("required", "any")]
    )
    def test_tool_choice_words(self, choice, mode):
        assert parse(user(), tool_choice=choice).tool_choice == ToolChoice(mode=mode)

    def test_parallel_alone(self):
        assert parse(user(), parallel_tool_calls=True).tool_choice == ToolChoice(parallel=True)

    def test_a_function_without_parameters(self):
        request = parse(user(), tools=[{"type": "function", "function": {"name": "f"}}])
        assert json.loads(bytes(request.tools[0].schema)) == {"type": "object", "properties": {}}

    def test_one_stop_sequence(self):
        assert parse(user(), stop="x").stop == ("x",)

    def test_no_effort_turns_thinking_off(self):
        thinking = parse(user(), reasoning_effort="none").thinking
        assert thinking == ThinkingMode(mode="disabled", effort="none")

    def test_response_formats(self):
        assert parse(user(), response_format={"type": "text"}).json_format is None
        assert parse(user(), response_format={"type": "json_object"}).json_format.schema is None
        described = {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True}
        wanted = parse(
            user(), response_format={"type": "json_schema", "json_schema": described}
        ).json_format
        assert (wanted.name, wanted.description, wanted.strict) == ("n", "d", True)
        assert json.loads(bytes(wanted.schema)) == {"type": "object"}

    def test_what_only_this_dialect_knows_travels_by_name(self):
        request = parse(user(), seed=7, n=2, logit_bias={"5": 1}, brand_new=[1])
        assert {name: json.loads(bytes(raw)) for name, raw in request.extras.items()} == {
            "seed": 7,
            "n": 2,
            "logit_bias": {"5": 1},
            "brand_new": [1],
        }


FILE_ID = {"type": "file", "file": {"file_id": "file-1"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
CUSTOM_CALL = {"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}}
CUSTOM_TOOL = {"type": "custom", "custom": {"name": "x"}}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}


@pytest.mark.parametrize(
    ("messages", "fields", "field"),
    [
        ([user([FILE_ID])], {}, "messages[0].content[0].file.file_id"),
        ([user([AUDIO])], {}, "messages[0].content[0].input_audio"),
        ([user([{"type": "hologram"}])], {}, "messages[0].content[0]"),
        ([user("x", shoe_size=44)], {}, "messages[0].shoe_size"),
        ([user(), assistant(function_call={"name": "f"})], {}, "messages[1].function_call"),
        ([user(), assistant(audio={"id": "a"})], {}, "messages[1].audio"),
        ([user(), assistant(tool_calls=[CUSTOM_CALL])], {}, "messages[1].tool_calls[0]"),
        ([user(), {"role": "function", "name": "f", "content": ""}], {}, "messages[1].role"),
        ([user()], {"tools": [FUNCTION, CUSTOM_TOOL]}, "tools[1]"),
        ([user()], {"tool_choice": ALLOWED}, "tool_choice"),
        ([user()], {"functions": [{"name": "f"}]}, "functions"),
        ([user()], {"function_call": "auto"}, "function_call"),
        ([user()], {"response_format": {"type": "grammar"}}, "response_format"),
    ],
)
def test_what_nobody_else_understands_is_refused_by_name(messages, fields, field):
    with pytest.raises(InexpressibleError) as caught:
        parse(*messages, **fields)
    assert caught.value.field == field
    assert field in caught.value.message


def image(url):
    return user([{"type": "image_url", "image_url": {"url": url}}])


@pytest.mark.parametrize(
    ("messages", "fields", "field"),
    [
        ([user(), image(5)], {}, "messages[1].content[0].image_url.url"),
        ([image("ftp://x")], {}, "messages[0].content[0].image_url.url"),
        ([image("data:image/png,raw")], {}, "messages[0].content[0].image_url.url"),
        ([image("data:image/png;base64,")], {}, "messages[0].content[0].image_url.url"),
        ([user([{"type": "image_url"}])], {}, "messages[0].content[0].image_url"),
        ([user([{"text": "x"}])], {}, "messages[0].content[0].type"),
        ([user(7)], {}, "messages[0].content"),
        ([{"role": "user"}], {}, "messages[0].content"),
        ([{"role": "robot", "content": "x"}], {}, "messages[0].role"),
        ([{"content": "x"}], {}, "messages[0].role"),
        (["hi"], {}, "messages[0]"),
        ([user("")], {}, "messages"),
        ([user([{"type": "file", "file": {}}])], {}, "messages[0].content[0].file.file_data"),
        (
            [user([{"type": "file", "file": {"file_data": "data:text/plain;base64,!"}}])],
            {},
            "messages[0].content[0].file.file_data",
        ),
        ([{"role": "tool", "content": "x"}], {}, "messages[0].tool_call_id"),
        (
            [user(), assistant(tool_calls=[tool_call(function={"name": "f", "arguments": "[1]"})])],
            {},
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            [user(), assistant(tool_calls=[tool_call(function={"name": "f", "arguments": "{"})])],
            {},
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            [user(), assistant(tool_calls=[tool_call(function=None)])],
            {},
            "messages[1].tool_calls[0].function",
        ),
        ([user()], {"max_tokens": "many"}, "max_tokens"),
        ([user()], {"temperature": "hot"}, "temperature"),
        ([user()], {"stop": [1]}, "stop[0]"),
        ([user()], {"tools": [{"type": "function"}]}, "tools[0].function"),
        (
            [user()],
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ([user()], {"tool_choice": "sometimes"}, "tool_choice"),
        ([user()], {"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ([user()], {"response_format": {}}, "response_format.type"),
        (
            [user()],
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
        ),
        (
            [user()],
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
    ],
)
def test_a_wrong_request_is_told_where_and_what_would_be_right(messages, fields, field):
    with pytest.raises(BadRequestError) as caught:
        parse(*messages, **fields)
    assert caught.value.field == field
    assert caught.value.message.startswith(("Expected", "Field required"))


@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_garbage_is_only_ever_a_bad_request(body):
    for read in (CHAT_COMPLETIONS.read_envelope, CHAT_COMPLETIONS.parse_request):
        with pytest.raises(BadRequestError):
            read(body)


@pytest.mark.parametrize(
    "body", [b'{"model":"m","messages":' + b"[" * 100_000, b'{"x":' * 100_000, b"\xff\xfe"]
)
def test_hostile_bodies_are_bad_requests(body):
    for read in (CHAT_COMPLETIONS.read_envelope, CHAT_COMPLETIONS.parse_request):
        with pytest.raises(BadRequestError):
            read(body)
