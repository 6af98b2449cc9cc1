"""A caller's request is read exactly, or refused by the path of what is wrong."""

from __future__ import annotations

import base64
import json

import pytest

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    InexpressibleError,
    JsonFormat,
    Message,
    Refusal,
    Request,
    Text,
    Thinking,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
    ToolResult,
    ToolUse,
)
from understudy.dialects.base import EFFORT, PAST_THINKING, SAMPLING
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import (
    body_of,
    call,
    message,
    parse,
    reasoning,
    returned,
    user,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def read(wanted="hello", **fields):
    return RESPONSES.read_envelope(body_of(wanted, **fields))


def turns(*items):
    return parse(list(items)).messages


def parts(*items):
    (turn,) = turns(*items)
    return turn.parts


# -- the envelope


def test_the_envelope():
    body = body_of([user()], stream=True, max_output_tokens=64)
    envelope = RESPONSES.read_envelope(body)
    assert (envelope.model, envelope.stream, envelope.max_tokens) == ("gpt-5.2", True, 64)
    assert (envelope.body, envelope.has_stop, envelope.choices) == (body, False, 1)
    assert (envelope.delicate, envelope.structured) == (0, False)


@pytest.mark.parametrize(
    ("fields", "delicate"),
    [
        ({"temperature": 0.5}, SAMPLING),
        ({"top_p": 0.5}, SAMPLING),
        ({"reasoning": {"effort": "low"}}, EFFORT),
        ({"include": ["reasoning.encrypted_content"]}, EFFORT),
        ({"include": ["file_search_call.results"]}, 0),
        ({"input": [user(), reasoning("hm")]}, PAST_THINKING),
        ({"input": [reasoning()], "reasoning": {"effort": "low"}}, PAST_THINKING | EFFORT),
        ({"input": 'he said "reasoning"'}, 0),
        ({"metadata": {"a": "b"}, "tools": []}, 0),
    ],
)
def test_what_some_model_rejects_is_seen(fields, delicate):
    body = json.dumps({"model": "m", "input": "x", **fields}).encode()
    assert RESPONSES.read_envelope(body).delicate == delicate


@pytest.mark.parametrize(
    ("text", "structured"),
    [
        ({"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}, True),
        ({"format": {"type": "json_object"}}, True),
        ({"format": {"type": "text"}}, False),
        ({"verbosity": "low"}, False),
        (None, False),
    ],
)
def test_whether_the_output_is_structured(text, structured):
    assert read(text=text).structured is structured


@pytest.mark.parametrize(
    "state",
    [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"prompt": {"id": "p"}}],
)
def test_the_input_may_be_kept_by_the_vendor(state):
    for rest in ({}, {"input": None}, {"input": []}):
        body = json.dumps({"model": "m", **rest, **state}).encode()
        assert RESPONSES.read_envelope(body).model == "m"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model": "m", "input": "x"', None),
        (b'{"input": "x"}', "model"),
        (b'{"model": " ", "input": "x"}', "model"),
        (b'{"model": 3, "input": "x"}', "model"),
        (b'{"model": "m"}', "input"),
        (b'{"model": "m", "input": null}', "input"),
        (b'{"model": "m", "input": []}', "input"),
        (b'{"model": "m", "input": {}}', "input"),
        (b'{"model": "m", "input": 3}', "input"),
        (b'{"model": "m", "input": "x", "stream": "yes"}', "stream"),
        (b'{"model": "m", "input": "x", "max_output_tokens": "9"}', "max_output_tokens"),
        (b'{"model": "m", "input": "x", "text": {"format": {"type": 1}}}', "text.format.type"),
        (b'{"model": "m", "input": "x", "background": true}', "background"),
    ],
)
def test_a_wrong_envelope_is_refused_by_field(body, field):
    with pytest.raises(BadRequestError) as caught:
        RESPONSES.read_envelope(body)
    assert caught.value.field == field


def test_background_is_refused_in_words():
    with pytest.raises(BadRequestError, match="not supported here") as caught:
        parse(background=True)
    assert caught.value.field == "background"
    assert parse(background=False).extras == {}


# -- items


def test_a_string_is_the_users_turn():
    request = parse("hello", instructions="Be kind.")
    assert request.system == (Text(text="Be kind."),)
    assert request.messages == (Message(role="user", parts=(Text(text="hello"),)),)


TEXT = {"type": "input_text", "text": "a"}
PNG = "data:image/png;base64,iVBO"
PDF = "data:application/pdf;base64,JVBE"
PLAIN = "data:text/plain;base64," + base64.b64encode(b"words").decode()


@pytest.mark.parametrize(
    ("part", "read_as"),
    [
        (TEXT, Text(text="a")),
        ({"type": "output_text", "text": "a", "annotations": []}, Text(text="a")),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        (
            {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
            Image(url="https://x.test/a.png", detail="low"),
        ),
        ({"type": "input_image", "image_url": PNG}, Image(data="iVBO", media_type="image/png")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
            Document(data="JVBE", media_type="application/pdf", title="a.pdf"),
        ),
        (
            {"type": "input_file", "file_data": "JVBE"},
            Document(data="JVBE", media_type="application/pdf"),
        ),
        (
            {"type": "input_file", "filename": "a.txt", "file_data": PLAIN},
            Document(text="words", media_type="text/plain", title="a.txt"),
        ),
        (
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            Document(url="https://x.test/a.pdf"),
        ),
    ],
)
def test_parts_of_a_message(part, read_as):
    assert parts(user([part])) == (read_as,)
    assert parts({"type": "message", **user([part])}) == (read_as,)


@pytest.mark.parametrize(
    ("ttl", "cache"),
    [({}, {"type": "ephemeral"}), ({"ttl": "12h"}, {"type": "ephemeral", "ttl": "1h"})],
)
def test_a_cache_breakpoint_is_kept(ttl, cache):
    (text,) = parts(user([{**TEXT, "prompt_cache_breakpoint": {"mode": "explicit", **ttl}}]))
    assert json.loads(bytes(text.cache)) == cache


def test_the_models_own_messages_come_back_as_they_were_given():
    given = {**message("hi"), "phase": "final_answer", "brand_new": 1}
    assert turns(user(), given) == (
        Message(role="user", parts=(Text(text="hello"),)),
        Message(role="assistant", parts=(Text(text="hi"),)),
    )
    assert turns({"role": "assistant", "content": "hi"})[0].parts == (Text(text="hi"),)


def test_a_conversation_with_functions():
    asked, called, answered = turns(
        user("q"),
        reasoning("hm", encrypted_content="gAAA", status=None),
        message("Let me see."),
        call("call_1", "f", '{"a": 1}', id="fc_1", status="completed"),
        call("call_2", "g", "", caller={"type": "direct"}),
        returned("snow"),
        returned([TEXT, {"type": "input_image", "image_url": PNG}], "call_2"),
        user("Thanks."),
    )
    assert asked.parts == (Text(text="q"),)
    assert called.parts == (
        Thinking(text="hm"),
        Text(text="Let me see."),
        ToolUse(id="call_1", name="f", arguments='{"a": 1}'),
        ToolUse(id="call_2", name="g", arguments="{}"),
    )
    assert answered.parts == (
        ToolResult(id="call_1", content=(Text(text="snow"),)),
        ToolResult(
            id="call_2", content=(Text(text="a"), Image(data="iVBO", media_type="image/png"))
        ),
        Text(text="Thanks."),
    )


def test_reasoning_without_a_word_is_no_turn():
    assert len(turns(user(), reasoning(encrypted_content="gAAA"))) == 1
    item = {**reasoning(), "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert turns(user(), item)[1].parts == (Thinking(text="hm"),)


def test_instructions_at_the_head_are_the_system_prompt():
    items = [{"role": "system", "content": "a"}, {"role": "developer", "content": [TEXT]}, user()]
    request = parse(items, instructions="first")
    assert [text.text for text in request.system] == ["first", "a", "a"]
    assert len(request.messages) == 1


def test_later_instructions_stay_where_they_stood():
    items = [user("a"), message("b"), {"role": "system", "content": "brief"}, user("c")]
    last = turns(*items)[-1]
    assert last.parts == (Text(text="<system>\nbrief\n</system>"), Text(text="c"))
    assert turns({"role": "developer", "content": "x"})[0].role == "user"


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([{"type": "message", "content": "x"}], "input[0].role"),
        ([user(), {"role": "robot", "content": "x"}], "input[1].role"),
        ([{"role": "user"}], "input[0].content"),
        ([user([{"type": "input_text"}])], "input[0].content[0].text"),
        ([user([TEXT, {"type": "input_image"}])], "input[0].content[1].image_url"),
        (
            [user([{"type": "input_image", "image_url": "ftp://x"}])],
            "input[0].content[0].image_url",
        ),
        ([user([{"type": "input_file"}])], "input[0].content[0].file_data"),
        ([user([{"type": "input_file", "file_url": "x"}])], "input[0].content[0].file_url"),
        ([call(arguments="[1]")], "input[0].arguments"),
        ([call(arguments="{")], "input[0].arguments"),
        ([{"type": "function_call", "call_id": "c"}], "input[0].name"),
        ([{"type": "function_call_output", "output": "x"}], "input[0].call_id"),
        ([user(), {"type": "function_call_output", "call_id": "c"}], "input[1].output"),
        ([3], "input[0]"),
        ([user("")], "input"),
    ],
)
def test_a_wrong_item_is_refused_by_its_path(items, field):
    with pytest.raises(BadRequestError) as caught:
        parse(items)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([user(), {"type": "item_reference", "id": "msg_1"}], "input[1]"),
        ([{"id": "msg_1"}], "input[0]"),
        ([user(), {"type": "web_search_call", "id": "ws_1"}], "input[1]"),
        ([{"type": "brand_new"}], "input[0]"),
        ([user([{"type": "input_audio", "input_audio": {}}])], "input[0].content[0]"),
        ([user([{"type": "input_image", "file_id": "f"}])], "input[0].content[0].file_id"),
        ([user([{"type": "input_file", "file_id": "f"}])], "input[0].content[0].file_id"),
        ([user([{**TEXT, "brand_new": 1}])], "input[0].content[0].brand_new"),
        ([call(namespace="n")], "input[0].namespace"),
        ([returned([{"type": "brand_new"}])], "input[0].output[0]"),
        (
            [{"role": "system", "content": [{"type": "input_image", "image_url": PNG}]}, user()],
            "input[0].content[0]",
        ),
    ],
)
def test_what_no_other_dialect_knows_is_refused_by_its_path(items, field):
    with pytest.raises(InexpressibleError) as caught:
        parse(items)
    assert caught.value.field == field


# -- the other fields


def tool(**fields):
    return {"type": "function", "name": "f", **fields}


def test_everything_that_has_words_elsewhere():
    request = parse(
        "hello",
        tools=[tool(description="d", parameters=SCHEMA, strict=True)],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        max_output_tokens=64,
        temperature=0.5,
        top_p=0.9,
        stream=True,
        stream_options={"include_obfuscation": False},
        reasoning={"effort": "low", "summary": "auto"},
        user="u-1",
    )
    assert request == Request(
        model="gpt-5.2",
        messages=(Message(role="user", parts=(Text(text="hello"),)),),
        tools=(
            ToolDefinition(name="f", description="d", schema=request.tools[0].schema, strict=True),
        ),
        tool_choice=ToolChoice(mode="tool", name="f", parallel=False),
        max_tokens=64,
        temperature=0.5,
        top_p=0.9,
        stream=True,
        include_usage=True,
        thinking=ThinkingMode(effort="low"),
        user="u-1",
    )
    assert json.loads(bytes(request.tools[0].schema)) == SCHEMA


@pytest.mark.parametrize(
    ("choice", "mode"), [("auto", "auto"), ("none", "none"), ("required", "any")]
)
def test_tool_choices(choice, mode):
    assert parse(tools=[tool()], tool_choice=choice).tool_choice.mode == mode


def test_a_function_that_names_no_schema_takes_nothing():
    (definition,) = parse(tools=[tool(parameters=None)]).tools
    assert json.loads(bytes(definition.schema)) == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ({"format": {"type": "text"}}, None),
        ({"format": {"type": "json_object"}}, JsonFormat()),
        ({"format": None}, None),
    ],
)
def test_formats(text, wanted):
    assert parse(text=text).json_format == wanted


def test_a_schema():
    form = {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}
    wanted = parse(text={"format": {**form, "description": "d"}}).json_format
    assert (wanted.name, wanted.description, wanted.strict) == ("a", "d", True)
    assert json.loads(bytes(wanted.schema)) == SCHEMA


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ({"effort": "none"}, ThinkingMode(mode="disabled", effort="none")),
        ({"effort": "high"}, ThinkingMode(effort="high")),
        ({"summary": "auto"}, None),
        (None, None),
    ],
)
def test_efforts(effort, thinking):
    assert parse(reasoning=effort).thinking == thinking


@pytest.mark.parametrize(
    ("fields", "extras"),
    [
        ({"store": True}, {}),
        ({"store": None}, {}),
        ({"store": False}, {"store": False}),
        ({"metadata": {"a": "b"}, "max_tool_calls": 3}, {}),
        ({"truncation": "disabled"}, {}),
        ({"truncation": "auto"}, {"truncation": "auto"}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
        (
            {"prompt_cache_key": "k", "service_tier": "flex"},
            {"prompt_cache_key": "k", "service_tier": "flex"},
        ),
        ({"brand_new": {"a": 1}}, {"brand_new": {"a": 1}}),
        ({"previous_response_id": None, "conversation": None, "top_logprobs": 0}, {}),
    ],
)
def test_what_else_travels_by_its_name(fields, extras):
    request = parse(**fields)
    assert {name: json.loads(bytes(raw)) for name, raw in request.extras.items()} == extras


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [tool(), {"type": "file_search", "vector_store_ids": []}]}, "tools[1]"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0]"),
        ({"tools": [tool(defer_loading=True)]}, "tools[0].defer_loading"),
        ({"tools": [tool(allowed_callers=["programmatic"])]}, "tools[0].allowed_callers"),
        ({"tools": [tool(brand_new=1)]}, "tools[0].brand_new"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"text": {"brand_new": 1}}, "text.brand_new"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"reasoning": {"brand_new": 1}}, "reasoning.brand_new"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"top_logprobs": 3}, "top_logprobs"),
    ],
)
def test_a_field_that_no_other_dialect_has_words_for(fields, field):
    assert read(**fields).model == "gpt-5.2"
    with pytest.raises(InexpressibleError) as caught:
        parse(**fields)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input": None}, "input"),
        ({"temperature": "warm"}, "temperature"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [tool(parameters=[])]}, "tools[0].parameters"),
        ({"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": 1}}},
            "text.format.schema",
        ),
        ({"instructions": 3}, "instructions"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(fields, field):
    body = json.dumps({"model": "m", "input": "x", **fields}).encode()
    with pytest.raises(BadRequestError) as caught:
        RESPONSES.parse_request(body)
    assert caught.value.field == field
