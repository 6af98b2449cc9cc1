"""Core's request for a Messages API: what it rejects is adapted by name, or refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import (
    Document,
    Image,
    InexpressibleError,
    JsonFormat,
    Message,
    Refusal,
    Text,
    Thinking,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
    ToolResult,
    ToolUse,
)
from understudy.dialects.base import Traits
from understudy.dialects.messages import MESSAGES
from unit.dialects.messages.messages_samples import asks

#: Sonnet 4.5 and its like; 4.6; Opus 4.7 and its like.
OLD = Traits(max_output=64_000)
MIDDLE = Traits(thinking_adaptive=True, prefill=False, max_output=64_000)
NEW = Traits(sampling=False, thinking_budget=False, thinking_adaptive=True, prefill=False)
NO_THOUGHT = Traits(thinking_budget=False, max_output=8192)


def user(*parts) -> Message:
    return Message(role="user", parts=tuple(said(part) for part in parts))


def assistant(*parts) -> Message:
    return Message(role="assistant", parts=tuple(said(part) for part in parts))


def said(part):
    return Text(text=part) if isinstance(part, str) else part


def rendered(*messages, traits=OLD, **fields):
    body, names = MESSAGES.render_request(asks(*messages, **fields), "claude-x", traits)
    return json.loads(body), names


def turns(*messages, **fields):
    return rendered(*messages, **fields)[0]["messages"]


def text(words: str, **fields):
    return {"type": "text", "text": words, **fields}


def raw(value) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_the_least_request():
    assert rendered() == (
        {
            "model": "claude-x",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": [text("hello")]}],
        },
        [],
    )


def test_what_is_the_same_in_both_is_not_noted():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body, names = rendered(
        system=(Text(text="be kind", cache=raw({"type": "ephemeral"})), Text(text="brief")),
        tools=(ToolDefinition(name="n", description="d", schema=raw(schema), strict=True),),
        tool_choice=ToolChoice(mode="tool", name="n", parallel=False),
        temperature=0.5,
        top_k=4,
        stop=("END",),
        stream=True,
        user="u",
    )
    assert names == []
    assert body["system"] == [
        text("be kind", cache_control={"type": "ephemeral"}),
        text("brief"),
    ]
    assert body["tools"] == [
        {"name": "n", "description": "d", "input_schema": schema, "strict": True}
    ]
    assert body["tool_choice"] == {
        "type": "tool",
        "name": "n",
        "disable_parallel_tool_use": True,
    }
    assert (body["temperature"], body["top_k"]) == (0.5, 4)
    assert (body["stop_sequences"], body["stream"]) == (["END"], True)
    assert body["metadata"] == {"user_id": "u"}


@pytest.mark.parametrize(("traits", "limit"), [(OLD, 64_000), (Traits(), 4096)])
def test_max_tokens_is_required(traits, limit):
    body, names = rendered(max_tokens=None, traits=traits)
    assert (body["max_tokens"], names) == (limit, ["max_tokens"])


def test_max_tokens_over_the_models_limit_is_lowered():
    body, names = rendered(max_tokens=100_000, traits=NO_THOUGHT)
    assert (body["max_tokens"], names) == (8192, ["max_tokens"])


# -- turns


def test_turns_of_one_role_in_a_row_become_one():
    assert turns(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
        {"role": "user", "content": [text("e")]},
    ]


def test_empty_text_and_turns_without_content_are_left_out():
    assert turns(user("a", "", " \n"), assistant(""), user("b")) == [
        {"role": "user", "content": [text("a"), text("b")]}
    ]


def test_a_conversation_without_content_is_refused():
    with pytest.raises(InexpressibleError, match="messages"):
        rendered(user(" "))


CALLS = assistant(
    "calling",
    ToolUse(id="call_1", name="n", arguments='{"a": 1}'),
    ToolUse(id="call_2", name="n"),
)


def test_tool_results_come_first_in_the_turn_after_their_calls():
    conversation = turns(
        user("go"),
        CALLS,
        user("by the way"),
        user(ToolResult(id="call_1", content=(Text(text="x"), Text(text="")))),
        user(ToolResult(id="call_2", is_error=True), "and now?"),
    )
    assert conversation[1]["content"][1:] == [
        {"type": "tool_use", "id": "call_1", "name": "n", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "n", "input": {}},
    ]
    assert conversation[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [text("x")]},
        {"type": "tool_result", "tool_use_id": "call_2", "is_error": True},
        text("by the way"),
        text("and now?"),
    ]


def test_ids_that_the_api_rejects_are_changed_alike_in_call_and_result():
    conversation = turns(
        user("go"),
        assistant(ToolUse(id="call:1", name="n"), ToolUse(id="call.1", name="n")),
        user(ToolResult(id="call:1"), ToolResult(id="call.1")),
    )
    calls = [part["id"] for part in conversation[1]["content"]]
    results = [part["tool_use_id"] for part in conversation[2]["content"]]
    assert calls == results
    assert len(set(calls)) == 2
    assert all(set(call) <= set("call_0123456789abcdef") for call in calls)


@given(st.text(max_size=20))
def test_any_id_becomes_a_valid_one(tool_id):
    conversation = turns(user("go"), assistant(ToolUse(id=tool_id, name="n")), user("x"))
    written = conversation[1]["content"][0]["id"]
    assert written
    assert all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in written)


@pytest.mark.parametrize("arguments", ["", "[]", "{", "null", "{}x", '{"a":' * 3000])
def test_arguments_that_are_no_object_are_refused(arguments):
    with pytest.raises(InexpressibleError) as raised:
        rendered(user("x"), assistant(ToolUse(id="t", name="n", arguments=arguments)))
    assert raised.value.field == "messages[1].content[0]"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(url="https://x/y.png", detail="auto"),
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        ),
        (
            Image(data="aGk=", media_type="image/png"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
            },
        ),
        (
            Document(data="aGk=", media_type="application/pdf", title="T"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
                "title": "T",
            },
        ),
        (
            Document(text="x", media_type="text/plain"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            },
        ),
        (
            Document(url="https://x/y.pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
        ),
        (Refusal(text="no"), {"type": "text", "text": "no"}),
        (
            Thinking(text="hm", signature="s"),
            {"type": "thinking", "thinking": "hm", "signature": "s"},
        ),
        (Thinking(redacted="x"), {"type": "redacted_thinking", "data": "x"}),
    ],
)
def test_each_part(part, block):
    body, names = rendered(user(part))
    assert body["messages"][0]["content"] == [block]
    assert names == []


def test_an_image_without_its_type_is_refused():
    with pytest.raises(InexpressibleError, match=r"messages\[0\].content\[0\]"):
        rendered(user(Image(data="aGk=")))


def test_thoughts_without_a_signature_and_the_detail_of_images_are_left_out_by_name():
    image = Image(url="https://x/y.png", detail="low")
    body, names = rendered(user(image), assistant(Thinking(text="hm"), "x"), user("y"))
    assert body["messages"][1]["content"] == [text("x")]
    assert names == ["detail", "thinking history"]


# -- an assistant's turn at the end


def test_a_prefill_loses_its_trailing_white_space():
    body, names = rendered(user("x"), assistant("The answer is (\n "))
    assert body["messages"][-1]["content"] == [text("The answer is (")]
    assert names == []


FORMAT = JsonFormat(schema=raw({"type": "object", "additionalProperties": False}), strict=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"traits": MIDDLE},
        {"traits": NEW},
        {"max_tokens": 4096, "thinking": ThinkingMode(mode="enabled", budget_tokens=2000)},
        {"json_format": FORMAT},
    ],
    ids=["4.6", "4.7", "thinking", "structured output"],
)
def test_where_a_prefill_is_rejected_the_user_asks_to_go_on(fields):
    body, names = rendered(user("x"), assistant("The answer is ("), **fields)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert "The answer is (" in body["messages"][-1]["content"][0]["text"]
    assert "Continue from where you left off." in body["messages"][-1]["content"][0]["text"]
    assert "prefill" in names


# -- sampling


@pytest.mark.parametrize(
    ("fields", "kept", "names"),
    [
        ({"temperature": 1.7}, {"temperature": 1.0}, ["temperature"]),
        ({"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3}, ["top_p"]),
        ({"top_p": 0.9}, {"top_p": 0.9}, []),
        (
            {"temperature": 0.3, "top_p": 0.9, "top_k": 3, "traits": NEW},
            {},
            ["temperature", "top_p", "top_k"],
        ),
        (
            {"temperature": 0.3, "top_p": 0.9, "top_k": 3, "effort": True},
            {},
            ["temperature", "top_p", "top_k"],
        ),
        ({"top_p": 0.97, "effort": True}, {"top_p": 0.97}, []),
        ({"temperature": 1.0, "effort": True}, {"temperature": 1.0}, []),
    ],
)
def test_sampling(fields, kept, names):
    if fields.pop("effort", False):
        fields |= {"thinking": ThinkingMode(mode="adaptive"), "traits": MIDDLE}
    body, noted = rendered(**fields)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert noted == names


# -- thinking


def enabled(budget):
    return {"type": "enabled", "budget_tokens": budget}


ADAPTIVE = {"type": "adaptive"}
DISABLED = {"type": "disabled"}


@pytest.mark.parametrize(
    ("mode", "traits", "thinking", "effort", "names"),
    [
        (ThinkingMode(mode="enabled", budget_tokens=2000), OLD, enabled(2000), None, []),
        (ThinkingMode(mode="enabled", budget_tokens=2000), NEW, ADAPTIVE, None, ["thinking"]),
        (ThinkingMode(mode="enabled", budget_tokens=9), NO_THOUGHT, None, None, ["thinking"]),
        (ThinkingMode(mode="adaptive"), OLD, enabled(4096), None, ["thinking"]),
        (ThinkingMode(mode="adaptive"), MIDDLE, ADAPTIVE, None, []),
        (ThinkingMode(mode="adaptive"), NO_THOUGHT, None, None, ["thinking"]),
        (ThinkingMode(mode="disabled"), OLD, DISABLED, None, []),
        (ThinkingMode(mode="disabled"), Traits(thinking_off=False), None, None, ["thinking"]),
        (ThinkingMode(effort="none"), OLD, None, None, []),
        (ThinkingMode(effort="none"), MIDDLE, DISABLED, None, []),
        (ThinkingMode(effort="minimal"), NEW, ADAPTIVE, "low", ["reasoning_effort"]),
        (ThinkingMode(effort="low"), NEW, ADAPTIVE, "low", []),
        (ThinkingMode(effort="high"), MIDDLE, ADAPTIVE, "high", []),
        (ThinkingMode(effort="xhigh"), NEW, ADAPTIVE, "high", ["reasoning_effort"]),
        (ThinkingMode(effort="minimal"), OLD, None, None, ["reasoning_effort"]),
        (ThinkingMode(effort="low"), OLD, enabled(1024), None, ["reasoning_effort"]),
        (ThinkingMode(effort="medium"), OLD, enabled(2048), None, ["reasoning_effort"]),
        (ThinkingMode(effort="high"), OLD, enabled(4096), None, ["reasoning_effort"]),
        (ThinkingMode(effort="high"), NO_THOUGHT, None, None, ["reasoning_effort"]),
        (ThinkingMode(effort="of_tomorrow"), NEW, None, None, ["reasoning_effort"]),
        (ThinkingMode(mode="adaptive", effort="low"), NEW, ADAPTIVE, "low", []),
        (
            ThinkingMode(mode="disabled", effort="low"),
            OLD,
            DISABLED,
            None,
            ["output_config.effort"],
        ),
    ],
)
def test_thinking(mode, traits, thinking, effort, names):
    body, noted = rendered(thinking=mode, traits=traits, max_tokens=8000)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert noted == names


@pytest.mark.parametrize(
    ("max_tokens", "thinking"), [(10_000, enabled(5000)), (5000, enabled(2500)), (2000, None)]
)
def test_a_budget_stays_below_max_tokens(max_tokens, thinking):
    mode = ThinkingMode(mode="enabled", budget_tokens=5000)
    body, _ = rendered(thinking=mode, max_tokens=max_tokens)
    assert body.get("thinking") == thinking


@pytest.mark.parametrize("choice", [ToolChoice(mode="any"), ToolChoice(mode="tool", name="n")])
def test_a_forced_tool_wins_over_thinking(choice):
    body, names = rendered(
        tools=(ToolDefinition(name="n"),),
        tool_choice=choice,
        thinking=ThinkingMode(mode="adaptive"),
        traits=NEW,
    )
    assert "thinking" not in body
    assert names == ["thinking"]


@pytest.mark.parametrize(
    ("before", "thinks"),
    [((), False), ((Thinking(text="x", signature="s"),), True), (("text",), False)],
)
def test_a_tool_turn_is_resumed_with_thinking_only_if_it_began_so(before, thinks):
    body, names = rendered(
        user("go"),
        assistant(*before, ToolUse(id="t", name="n")),
        user(ToolResult(id="t")),
        tools=(ToolDefinition(name="n"),),
        thinking=ThinkingMode(mode="enabled", budget_tokens=2000),
        max_tokens=8000,
    )
    assert ("thinking" in body) is thinks
    assert ("thinking" in names) is not thinks


# -- tools, formats, stops


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(), {"type": "auto"}),
        (
            ToolChoice(parallel=False),
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (ToolChoice(mode="any"), {"type": "any"}),
        (ToolChoice(mode="none", parallel=False), {"type": "none"}),
        (None, None),
    ],
)
def test_tool_choices(choice, written):
    body, _ = rendered(tools=(ToolDefinition(name="n"),), tool_choice=choice)
    assert body.get("tool_choice") == written


@pytest.mark.parametrize(("mode", "names"), [("auto", []), ("any", ["tool_choice"])])
def test_a_choice_without_tools_is_left_out(mode, names):
    body, noted = rendered(tool_choice=ToolChoice(mode=mode))
    assert "tool_choice" not in body
    assert noted == names


def test_calls_in_the_history_define_their_tools_and_forbid_new_ones():
    body, names = rendered(user("go"), CALLS, user(ToolResult(id="call_1")))
    assert body["tools"] == [{"name": "n", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}
    assert names == ["tools"]


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({}, {"type": "object"}),
        ({"properties": {}}, {"type": "object", "properties": {}}),
        ({"type": "object", "x": 1}, {"type": "object", "x": 1}),
    ],
)
def test_a_tools_schema_has_a_type(schema, written):
    body, _ = rendered(tools=(ToolDefinition(name="n", schema=raw(schema)),))
    assert body["tools"][0]["input_schema"] == written


CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
    "additionalProperties": False,
}


def test_a_schema_that_the_api_takes_is_sent_as_it_is():
    body, names = rendered(json_format=JsonFormat(schema=raw(CLOSED), name="x", strict=True))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert "system" not in body
    assert names == []


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "object"},
        CLOSED | {"properties": {"a": {"type": "object"}}},
        CLOSED | {"$defs": {"a": {"properties": {}}}},
        CLOSED | {"properties": {"a": {"anyOf": [{"type": "object"}]}}},
    ],
)
def test_any_other_json_is_asked_for_in_words(schema):
    asked = JsonFormat(schema=None if schema is None else raw(schema), description="a bill")
    body, names = rendered(json_format=asked, system=(Text(text="be kind"),))
    assert "output_config" not in body
    assert body["system"][0] == text("be kind")
    assert "JSON object" in body["system"][1]["text"]
    assert "a bill" in body["system"][1]["text"]
    assert schema is None or json.dumps(schema) in body["system"][1]["text"]
    assert names == ["response_format"]


@pytest.mark.parametrize(
    ("stop", "traits", "kept", "names"),
    [
        (("a", "\n", ""), OLD, ["a"], ["stop_sequences"]),
        (("\n",), OLD, None, ["stop_sequences"]),
        (("a",), Traits(stop=False), None, ["stop_sequences"]),
    ],
)
def test_stop_sequences(stop, traits, kept, names):
    body, noted = rendered(stop=stop, traits=traits)
    assert body.get("stop_sequences") == kept
    assert noted == names


# -- what core has no word for


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 7),
        ("logit_bias", {"1": 2}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1),
        ("store", True),
        ("metadata", {"a": "b"}),
        ("service_tier", "flex"),
        ("prediction", {"type": "content", "content": "x"}),
        ("verbosity", "low"),
        ("prompt_cache_key", "x"),
        ("prompt_cache_retention", "24h"),
        ("safety_identifier", "x"),
        ("stream_options", {"include_obfuscation": False}),
    ],
)
def test_hints_are_left_out_by_name(name, value):
    body, names = rendered(extras={name: raw(value)})
    assert names == [name]
    assert name == "metadata" or name not in body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("web_search_options", {}),
        ("field_of_tomorrow", 1),
    ],
)
def test_what_changes_the_answer_is_refused_by_name(name, value):
    with pytest.raises(InexpressibleError) as raised:
        rendered(extras={name: raw(value)})
    assert raised.value.field == name
    assert name in raised.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("logprobs", False),
        ("modalities", ["text"]),
        ("presence_penalty", 0),
        ("frequency_penalty", 0.0),
        ("logit_bias", {}),
        ("service_tier", "default"),
        ("store", False),
        ("n", None),
        ("audio", None),
        ("field_of_tomorrow", None),
    ],
)
def test_a_default_asks_for_nothing(name, value):
    body, names = rendered(extras={name: raw(value)})
    assert (name in body, names) == (False, [])


def test_a_safety_identifier_stands_in_for_a_user():
    extras = {"safety_identifier": raw("s")}
    assert rendered(extras=extras)[0]["metadata"] == {"user_id": "s"}
    assert rendered(extras=extras, user="u")[0]["metadata"] == {"user_id": "u"}


def test_this_dialects_own_fields_go_through():
    extras = {"container": raw("c"), "inference_geo": raw("eu"), "service_tier": raw("auto")}
    body, names = rendered(extras=extras)
    assert (body["container"], body["inference_geo"], body["service_tier"]) == ("c", "eu", "auto")
    assert names == []


# -- there and back

WORDS = st.text(min_size=1, max_size=8).filter(lambda words: words.strip() == words != "")
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)


@st.composite
def requests(draw):
    """What this dialect says in exactly one way: turns alternate, the user's is last."""
    conversation = []
    for _ in range(draw(st.integers(min_value=0, max_value=2))):
        conversation.append(user(*draw(st.lists(WORDS, min_size=1, max_size=2))))
        call = draw(IDS)
        conversation.append(assistant(draw(WORDS), ToolUse(id=call, name=draw(IDS))))
        conversation.append(user(ToolResult(id=call, content=(Text(text=draw(WORDS)),))))
        conversation.append(assistant(draw(WORDS)))
    conversation.append(user(draw(WORDS)))
    tools = (ToolDefinition(name="n", schema=raw({"type": "object"}), strict=True),)
    return asks(
        *conversation,
        model="claude-x",
        system=tuple(Text(text=words) for words in draw(st.lists(WORDS, max_size=2))),
        tools=tools,
        tool_choice=draw(st.sampled_from([None, ToolChoice(), ToolChoice(mode="any")])),
        top_p=draw(st.none() | st.floats(min_value=0, max_value=1)),
        top_k=draw(st.none() | st.integers(min_value=1, max_value=9)),
        stop=tuple(draw(st.lists(WORDS, max_size=2))),
        stream=draw(st.booleans()),
        include_usage=True,
        user=draw(st.none() | WORDS),
    )


@given(requests())
def test_what_is_rendered_is_parsed_back(request):
    body, names = MESSAGES.render_request(request, "claude-x", OLD)
    assert MESSAGES.parse_request(body) == request
    assert names == []
