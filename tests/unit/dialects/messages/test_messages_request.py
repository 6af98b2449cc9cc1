"""A caller's request: read lightly for the relay, in full for translation, refused by its path."""

from __future__ import annotations

import json

import msgspec
import pytest

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    InexpressibleError,
    JsonFormat,
    Message,
    Text,
    Thinking,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
    ToolResult,
    ToolUse,
)
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from unit.dialects.messages.messages_samples import body_of

CACHE = {"type": "ephemeral"}
RAW_CACHE = msgspec.Raw(b'{"type": "ephemeral"}')
HELLO = [{"role": "user", "content": "hello"}]


def without(name: str) -> bytes:
    fields = json.loads(body_of())
    del fields[name]
    return json.dumps(fields).encode()


# -- the envelope


@pytest.mark.parametrize(
    ("fields", "structured"),
    [
        ({}, False),
        ({"output_config": {"effort": "low"}}, False),
        ({"output_config": {"format": None}}, False),
        ({"output_config": None}, False),
        ({"output_config": 3}, False),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, True),
        ({"output_format": {"type": "json_schema", "schema": {}}}, True),
        ({"output_format": None}, False),
    ],
)
def test_an_envelope_says_whether_half_an_answer_is_of_any_use(fields, structured):
    envelope = MESSAGES.read_envelope(body_of(**fields))
    assert (envelope.structured, envelope.choices) == (structured, 1)


def test_an_envelope_holds_every_field_untouched_and_in_order():
    body = b'{"messages": [ {"role":"user"} ], "x": 1e2, "max_tokens": 5, "model": "m"}'
    envelope = MESSAGES.read_envelope(body)
    assert (envelope.model, envelope.stream, envelope.has_stop) == ("m", False, False)
    assert list(envelope.fields) == ["messages", "x", "max_tokens", "model"]
    assert bytes(envelope.fields["messages"]) == b'[ {"role":"user"} ]'
    assert bytes(envelope.fields["x"]) == b"1e2"


@pytest.mark.parametrize(
    ("fields", "stream", "has_stop"),
    [
        ({"stream": True}, True, False),
        ({"stream": False}, False, False),
        ({"stream": None}, False, False),
        ({"stop_sequences": ["x"]}, False, True),
        ({"stop_sequences": []}, False, False),
        ({"stop_sequences": None}, False, False),
        ({"max_tokens": 0}, False, False),
    ],
)
def test_stream_and_stop(fields, stream, has_stop):
    envelope = MESSAGES.read_envelope(body_of(**fields))
    assert (envelope.stream, envelope.has_stop) == (stream, has_stop)


WRONG_ENVELOPES = [
    (b"", None),
    (b"[]", None),
    (without("model"), "model"),
    (body_of(model=""), "model"),
    (body_of(model=3), "model"),
    (without("messages"), "messages"),
    (body_of([]), "messages"),
    (body_of({}), "messages"),
    (body_of("hello"), "messages"),
]
WRONG_LIMITS = [
    (without("max_tokens"), "max_tokens"),
    (body_of(max_tokens=None), "max_tokens"),
    (body_of(max_tokens=-1), "max_tokens"),
    (body_of(max_tokens="5"), "max_tokens"),
    (body_of(max_tokens=1.5), "max_tokens"),
    (body_of(max_tokens=True), "max_tokens"),
    (body_of(stream="yes"), "stream"),
]


@pytest.mark.parametrize(("body", "field"), [*WRONG_ENVELOPES, *WRONG_LIMITS])
@pytest.mark.parametrize("read", [MESSAGES.read_envelope, MESSAGES.parse_request])
def test_what_is_required_is_named(read, body, field):
    with pytest.raises(BadRequestError) as raised:
        read(body)
    assert raised.value.field == field


def test_a_missing_max_tokens_says_so():
    with pytest.raises(BadRequestError, match="max_tokens: Field required"):
        MESSAGES.read_envelope(without("max_tokens"))


@pytest.mark.parametrize(("body", "field"), WRONG_ENVELOPES)
@pytest.mark.parametrize("read", [COUNT_TOKENS.read_envelope, COUNT_TOKENS.parse_request])
def test_counting_requires_the_same_but_no_limit(read, body, field):
    with pytest.raises(BadRequestError) as raised:
        read(body)
    assert raised.value.field == field
    assert read(without("max_tokens")).model == "claude-sonnet-4-5"


# -- the whole request


def part_of(*blocks, role="user"):
    request = MESSAGES.parse_request(body_of([{"role": role, "content": list(blocks)}]))
    return request.messages[0].parts


BASE64_PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
BASE64_PDF = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "x"}, Text(text="x")),
        ({"type": "text", "text": "x", "citations": None}, Text(text="x")),
        ({"type": "text", "text": "x", "citations": []}, Text(text="x")),
        (
            {"type": "text", "text": "x", "cache_control": CACHE},
            Text(text="x", cache=RAW_CACHE),
        ),
        ({"type": "text", "text": "x", "cache_control": None}, Text(text="x")),
        (
            {"type": "image", "source": BASE64_PNG},
            Image(data="aGk=", media_type="image/png"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            Image(url="https://x/y.png"),
        ),
        (
            {"type": "document", "source": BASE64_PDF, "title": "T"},
            Document(data="aGk=", media_type="application/pdf", title="T"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
            Document(url="https://x/y.pdf"),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                "citations": {"enabled": False},
                "context": None,
            },
            Document(text="x", media_type="text/plain"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "x"}},
            Document(text="x", media_type="text/plain"),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
                },
            },
            Document(text="x\ny", media_type="text/plain"),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t"},
            ToolResult(id="t"),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True},
            ToolResult(id="t", content=(Text(text="x"),), is_error=True),
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "text", "text": "x"},
                    {"type": "image", "source": BASE64_PNG},
                    {"type": "document", "source": BASE64_PDF},
                ],
                "cache_control": CACHE,
            },
            ToolResult(
                id="t",
                content=(
                    Text(text="x"),
                    Image(data="aGk=", media_type="image/png"),
                    Document(data="aGk=", media_type="application/pdf"),
                ),
                cache=RAW_CACHE,
            ),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": [1]}},
            ToolUse(id="t", name="n", arguments='{"a": [1]}'),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "direct"}},
            ToolUse(id="t", name="n"),
        ),
        (
            {"type": "thinking", "thinking": "x", "signature": "s"},
            Thinking(text="x", signature="s"),
        ),
        ({"type": "thinking", "thinking": "x"}, Thinking(text="x")),
        ({"type": "redacted_thinking", "data": "x"}, Thinking(redacted="x")),
    ],
)
def test_each_block(block, part):
    assert msgspec.json.encode(part_of(block)[0]) == msgspec.json.encode(part)


def test_every_shared_field():
    schema = {"type": "object", "properties": {}}
    tool = {"name": "n", "description": "d", "input_schema": schema, "strict": True}
    request = MESSAGES.parse_request(
        body_of(
            [*HELLO, {"role": "assistant", "content": "hi"}],
            system="be kind",
            tools=[tool, {"type": "custom", "name": "m", "input_schema": {}}],
            tool_choice={"type": "tool", "name": "n", "disable_parallel_tool_use": True},
            temperature=1,
            top_p=0.5,
            top_k=3,
            stop_sequences=["END"],
            stream=True,
            thinking={"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": schema}},
            metadata={"user_id": "u"},
            service_tier="standard_only",
            container=None,
        )
    )
    raw_schema = msgspec.Raw(json.dumps(schema).encode())
    assert request.model == "claude-sonnet-4-5"
    assert request.messages == (
        Message(role="user", parts=(Text(text="hello"),)),
        Message(role="assistant", parts=(Text(text="hi"),)),
    )
    assert request.system == (Text(text="be kind"),)
    assert request.tools == (
        ToolDefinition(name="n", description="d", schema=raw_schema, strict=True),
        ToolDefinition(name="m", schema=msgspec.Raw(b"{}")),
    )
    assert request.tool_choice == ToolChoice(mode="tool", name="n", parallel=False)
    assert (request.max_tokens, request.temperature, request.top_p) == (100, 1.0, 0.5)
    assert (request.top_k, request.stop, request.stream) == (3, ("END",), True)
    assert request.include_usage
    assert request.json_format == JsonFormat(schema=raw_schema, strict=True)
    assert request.thinking == ThinkingMode(mode="enabled", budget_tokens=2000, effort="low")
    assert request.user == "u"
    assert {name: bytes(raw) for name, raw in request.extras.items()} == {
        "service_tier": b'"standard_only"'
    }


@pytest.mark.parametrize(
    ("choice", "parsed"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "any"}, ToolChoice(mode="any")),
        ({"type": "none"}, ToolChoice(mode="none")),
        (
            {"type": "auto", "disable_parallel_tool_use": False},
            ToolChoice(mode="auto", parallel=True),
        ),
    ],
)
def test_tool_choices(choice, parsed):
    assert MESSAGES.parse_request(body_of(tool_choice=choice)).tool_choice == parsed


@pytest.mark.parametrize(
    ("fields", "parsed"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, ThinkingMode(mode="disabled")),
        ({"thinking": {"type": "adaptive"}}, ThinkingMode(mode="adaptive")),
        ({"output_config": {"effort": "max"}}, ThinkingMode(effort="max")),
        ({"output_config": {}}, None),
    ],
)
def test_thinking(fields, parsed):
    assert MESSAGES.parse_request(body_of(**fields)).thinking == parsed


def test_the_older_place_of_structured_output():
    body = body_of(output_format={"type": "json_schema", "schema": {"type": "object"}})
    assert MESSAGES.parse_request(body).json_format is not None


def test_system_blocks_keep_their_cache_marks():
    system = [{"type": "text", "text": "a", "cache_control": CACHE}, {"type": "text", "text": "b"}]
    request = MESSAGES.parse_request(body_of(system=system))
    assert [part.cache and bytes(part.cache) for part in request.system] == [bytes(RAW_CACHE), None]


def test_system_turns_lead_the_prompt_or_stay_where_they_stood():
    turns = [
        {"role": "system", "content": "a"},
        *HELLO,
        {"role": "system", "content": [{"type": "text", "text": "b"}]},
    ]
    request = MESSAGES.parse_request(body_of(turns, system="first"))
    assert request.system == (Text(text="first"), Text(text="a"))
    assert request.messages[1] == Message(role="user", parts=(Text(text="<system>\nb\n</system>"),))


def block(kind: str, **fields):
    return [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": kind, **fields}]}]


def result(**inner):
    return block("tool_result", tool_use_id="t", content=[inner])


DOCUMENT = {"source": {"type": "text", "media_type": "text/plain", "data": "x"}}
TOOL = {"name": "n", "input_schema": {"type": "object"}}
KNOWN_HERE_ONLY = [
    ({"messages": block("search_result", title="t")}, "messages[0].content[1]"),
    ({"messages": block("server_tool_use", id="s")}, "messages[0].content[1]"),
    ({"messages": block("web_search_tool_result")}, "messages[0].content[1]"),
    ({"messages": block("container_upload", file_id="f")}, "messages[0].content[1]"),
    (
        {"messages": block("image", source={"type": "file", "file_id": "f"})},
        "messages[0].content[1].source",
    ),
    (
        {"messages": block("document", source={"type": "file", "file_id": "f"})},
        "messages[0].content[1].source",
    ),
    (
        {"messages": block("document", **DOCUMENT, citations={"enabled": True})},
        "messages[0].content[1].citations",
    ),
    (
        {"messages": block("document", **DOCUMENT, context="c")},
        "messages[0].content[1].context",
    ),
    (
        {
            "messages": block(
                "document",
                source={
                    "type": "content",
                    "content": [{"type": "image", "source": BASE64_PNG}],
                },
            )
        },
        "messages[0].content[1].source.content[0]",
    ),
    (
        {"messages": block("text", text="x", citations=[{"type": "char_location"}])},
        "messages[0].content[1].citations",
    ),
    ({"messages": block("text", text="x", novelty=1)}, "messages[0].content[1].novelty"),
    (
        {"messages": block("image", source=BASE64_PNG, transformations={"oversized": {}})},
        "messages[0].content[1].transformations",
    ),
    (
        {"messages": block("tool_use", id="t", name="n", input={}, toolset_name="browser")},
        "messages[0].content[1].toolset_name",
    ),
    (
        {
            "messages": block(
                "tool_use", id="t", name="n", input={}, caller={"type": "code_execution_20250825"}
            )
        },
        "messages[0].content[1].caller",
    ),
    (
        {"messages": result(type="tool_reference", tool_name="x")},
        "messages[0].content[1].content[0]",
    ),
    (
        {"messages": block("tool_result", tool_use_id="t", toolset_name="browser")},
        "messages[0].content[1].toolset_name",
    ),
    ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools[1]"),
    ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading"),
    ({"tools": [TOOL | {"allowed_callers": ["x"]}]}, "tools[0].allowed_callers"),
    ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools[0].input_examples"),
    ({"tool_choice": {"type": "choice_of_tomorrow"}}, "tool_choice"),
    ({"thinking": {"type": "between_tools"}}, "thinking"),
    ({"thinking": {"type": "adaptive", "novelty": 1}}, "thinking.novelty"),
    ({"output_config": {"task_budget": {}}}, "output_config.task_budget"),
    ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
    ({"metadata": {"team": "x"}}, "metadata.team"),
    ({"max_tokens": 0}, "max_tokens"),
]


@pytest.mark.parametrize(
    ("fields", "field"), KNOWN_HERE_ONLY, ids=[field for _, field in KNOWN_HERE_ONLY]
)
def test_what_only_this_dialect_knows_is_refused_by_its_path(fields, field):
    with pytest.raises(InexpressibleError) as raised:
        MESSAGES.parse_request(body_of(**fields))
    assert raised.value.field == field
    assert field in raised.value.message


WRONG = [
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [*HELLO, {"role": "user"}]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": block("text")}, "messages[0].content[1].text"),
    ({"messages": block("text", text=3)}, "messages[0].content[1].text"),
    ({"messages": block("tool_use", id="t", name="n", input=[])}, "messages[0].content[1].input"),
    ({"messages": block("image", source="x")}, "messages[0].content[1].source"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "system", "content": [{"type": "image", "source": BASE64_PNG}]}]},
        "messages[0].content",
    ),
    ({"system": 3}, "system"),
    ({"system": [{"type": "text"}]}, "system[0].text"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"name": "n"}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "n", "input_schema": []}]}, "tools[0].input_schema"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"temperature": "1"}, "temperature"),
    ({"top_p": []}, "top_p"),
    ({"top_k": 1.5}, "top_k"),
    ({"stop_sequences": "END"}, "stop_sequences"),
    ({"stop_sequences": [1]}, "stop_sequences[0]"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"thinking": {}}, "thinking.type"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"metadata": []}, "metadata"),
]


@pytest.mark.parametrize(("fields", "field"), WRONG, ids=[field for _, field in WRONG])
def test_a_wrong_field_is_named_by_its_path(fields, field):
    with pytest.raises(BadRequestError) as raised:
        MESSAGES.parse_request(body_of(**fields))
    assert raised.value.field == field


def test_a_wrong_role_says_what_would_be_right():
    with pytest.raises(BadRequestError, match="`user`, `assistant` or `system`, got 'tool'"):
        MESSAGES.parse_request(body_of([{"role": "tool", "content": "x"}]))


def test_nesting_that_cannot_be_read_is_the_callers_fault():
    deep = b'{"model":"m","max_tokens":1,"messages":' + b"[" * 5000 + b"]" * 5000 + b"}"
    with pytest.raises(BadRequestError, match="nested"):
        MESSAGES.read_envelope(deep)
