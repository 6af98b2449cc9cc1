"""The core's requests as bodies of this dialect, and a caller's own body for another model."""

from __future__ import annotations

import json

import msgspec
import pytest

from understudy.core.conversation import (
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
from understudy.dialects.base import Traits
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import (
    call,
    message,
    parse,
    returned,
    user,
)

GPT = Traits(effort=True, prefill=False)
RAW = msgspec.Raw(b'{"type":"object"}')


def said(*parts, role="user"):
    return Message(role=role, parts=parts)


def render(*messages, traits=GPT, **fields):
    request = Request(model="m", messages=messages or (said(Text(text="x")),), **fields)
    body, names = RESPONSES.render_request(request, "gpt-5.2", traits)
    return json.loads(body), names


def items(*messages, **fields):
    body, names = render(*messages, **fields)
    return body["input"], names


# -- turns


def test_a_plain_question():
    body, names = render(stream=True, system=(Text(text="a"), Text(text="b")), user="u-1")
    assert body == {
        "model": "gpt-5.2",
        "instructions": "a\n\nb",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
        ],
        "user": "u-1",
        "stream": True,
        "store": False,
    }
    assert names == []


def test_what_the_model_said_and_called_stays_in_its_order():
    turn = said(
        Text(text="a"),
        Refusal(text="no"),
        ToolUse(id="c1", name="f", arguments='{"a":1}'),
        Text(text="b"),
        role="assistant",
    )
    first, called, last = items(said(Text(text="q")), turn, said(Text(text="r")))[0][1:4]
    assert first["content"] == [
        {"type": "output_text", "text": "a"},
        {"type": "refusal", "refusal": "no"},
    ]
    assert called == call("c1", "f", '{"a":1}')
    assert last["content"] == [{"type": "output_text", "text": "b"}]


def test_outputs_of_functions_come_before_the_rest_of_their_turn():
    picture = Image(data="iVBO", media_type="image/png")
    results = (
        Text(text="and now?"),
        ToolResult(id="c1", content=(Text(text="a"), Text(text="b"))),
        ToolResult(id="c2", content=(Text(text="see"), picture)),
        ToolResult(id="c3", is_error=True, content=(Text(text="broke"),)),
        ToolResult(id="c4"),
    )
    rendered, names = items(said(*results))
    url = "data:image/png;base64,iVBO"
    assert rendered[:4] == [
        returned("a\nb", "c1"),
        returned(
            [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": url, "detail": "auto"},
            ],
            "c2",
        ),
        returned("Error: broke", "c3"),
        returned("", "c4"),
    ]
    assert rendered[4]["content"] == [{"type": "input_text", "text": "and now?"}]
    assert names == ["tool_result.is_error"]


def test_an_error_with_a_picture_says_that_it_is_one():
    result = ToolResult(id="c", is_error=True, content=(Image(url="https://x.test/a.png"),))
    ((output,), _) = items(said(result))
    assert output["output"][0] == {"type": "input_text", "text": "Error: "}
    assert output["output"][1]["image_url"] == "https://x.test/a.png"


@pytest.mark.parametrize(
    ("part", "rendered"),
    [
        (
            Image(url="https://x.test/a.png", detail="low"),
            {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
        ),
        (
            Document(data="JVBE", media_type="application/pdf", title="a.pdf"),
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,JVBE",
            },
        ),
        (
            Document(url="https://x.test/a.pdf"),
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        ),
        (Document(text="words", title="a"), {"type": "input_text", "text": "a\n\nwords"}),
    ],
)
def test_files(part, rendered):
    assert items(said(part))[0][0]["content"] == [rendered]


def test_thinking_and_cache_marks_stay_behind_and_are_noted():
    cache = msgspec.Raw(b'{"type":"ephemeral"}')
    turn = said(Thinking(text="hm", signature="s"), Text(text="a", cache=cache), role="assistant")
    rendered, names = items(said(Text(text="q")), turn, said(Text(text="r")))
    assert [item["role"] for item in rendered] == ["user", "assistant", "user"]
    assert names == ["thinking history", "cache_control"]


def test_an_id_that_is_too_long_still_matches():
    long = "x" * 65
    turn = said(ToolUse(id=long, name="f"), role="assistant")
    rendered, names = items(said(Text(text="q")), turn, said(ToolResult(id=long)))
    assert rendered[1]["call_id"] == rendered[2]["call_id"]
    assert len(rendered[1]["call_id"]) <= 64
    assert names == ["call_id"]
    turn = said(ToolUse(id="x" * 64, name="f"), role="assistant")
    assert items(said(Text(text="q")), turn)[0][1]["call_id"] == "x" * 64


def test_a_part_out_of_place_is_refused_by_its_path():
    with pytest.raises(InexpressibleError) as caught:
        items(said(Text(text="a")), said(Image(url="u"), role="assistant"))
    assert caught.value.field == "messages[1].content[0]"


def test_a_last_turn_of_the_assistants_is_gone_on_with_where_the_model_can():
    turns = (said(Text(text="q")), said(Text(text="I "), role="assistant"))
    rendered, names = items(*turns)
    assert rendered[-1]["role"] == "user"
    assert names == ["prefill"]
    rendered, names = items(*turns, traits=Traits())
    assert rendered[-1]["role"] == "assistant"
    assert names == []


# -- the other fields


def test_functions_are_as_strict_as_they_were():
    tools = (
        ToolDefinition(name="a", schema=RAW),
        ToolDefinition(name="b", description="d", strict=True, schema=RAW),
    )
    body, _ = render(tools=tools, tool_choice=ToolChoice(mode="any", parallel=False))
    kind = {"type": "function", "parameters": {"type": "object"}}
    assert body["tools"] == [
        {**kind, "name": "a", "strict": False},
        {**kind, "name": "b", "description": "d", "strict": True},
    ]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    body, _ = render(tools=tools, tool_choice=ToolChoice(mode="tool", name="a"))
    assert body["tool_choice"] == {"type": "function", "name": "a"}
    assert "tool_choice" not in render(tool_choice=ToolChoice(mode="auto"))[0]


def test_structured_output():
    body, _ = render(json_format=JsonFormat(schema=RAW, name="n", description="d"))
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "n",
        "description": "d",
        "schema": {"type": "object"},
        "strict": False,
    }
    assert render(json_format=JsonFormat())[0]["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("asked", "most", "sent", "names"),
    [
        (100, None, 100, []),
        (100, 50, 50, ["max_tokens"]),
        (1, None, 16, ["max_tokens"]),
        (None, 50, None, []),
    ],
)
def test_limits(asked, most, sent, names):
    body, noted = render(max_tokens=asked, traits=Traits(max_output=most))
    assert body.get("max_output_tokens") == sent
    assert noted == names


def test_sampling_as_far_as_the_model_takes_it():
    fields = {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop": ("END",)}
    body, names = render(**fields)
    assert (body["temperature"], body["top_p"], names) == (0.5, 0.9, ["stop", "top_k"])
    body, names = render(**fields, traits=Traits(sampling=False))
    assert "temperature" not in body
    assert names == ["stop", "temperature", "top_p", "top_k"]


@pytest.mark.parametrize(
    ("mode", "traits", "effort", "names"),
    [
        (ThinkingMode(effort="low"), GPT, {"effort": "low"}, []),
        (ThinkingMode(effort="max"), GPT, {"effort": "high"}, ["thinking"]),
        (ThinkingMode(mode="enabled", budget_tokens=1024), GPT, {"effort": "low"}, []),
        (ThinkingMode(mode="enabled", budget_tokens=4000), GPT, {"effort": "medium"}, []),
        (ThinkingMode(mode="enabled", budget_tokens=9000), GPT, {"effort": "high"}, []),
        (ThinkingMode(mode="enabled"), GPT, {"effort": "medium"}, []),
        (ThinkingMode(mode="adaptive"), GPT, None, []),
        (ThinkingMode(mode="disabled", effort="none"), GPT, {"effort": "none"}, []),
        (ThinkingMode(mode="disabled"), GPT, None, ["thinking"]),
        (ThinkingMode(effort="low"), Traits(), None, ["thinking"]),
        (ThinkingMode(mode="disabled"), Traits(), None, []),
    ],
)
def test_efforts(mode, traits, effort, names):
    body, noted = render(thinking=mode, traits=traits)
    assert body.get("reasoning") == effort
    assert noted == names


def extras(**fields):
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}


def test_fields_of_this_dialect_go_through():
    own = {
        "truncation": "auto",
        "metadata": {"a": "b"},
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "context_management": [{"type": "compaction"}],
    }
    body, names = render(extras=extras(**own))
    assert {name: body[name] for name in own} == own
    assert names == []


def test_verbosity_stands_beside_the_format():
    body, _ = render(extras=extras(verbosity="low"), json_format=JsonFormat())
    assert body["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}
    assert render(extras=extras(verbosity="low"))[0]["text"] == {"verbosity": "low"}


@pytest.mark.parametrize("store", [True, False, None])
def test_nothing_is_ever_stored_at_a_substitute(store):
    body, names = render(extras=extras(store=store))
    assert body["store"] is False
    assert names == (["store"] if store else [])


def test_hints_of_other_dialects_are_left_out_and_noted():
    given = extras(seed=7, logit_bias={"1": 2}, speed="fast", cache_control={"type": "ephemeral"})
    body, names = render(extras=given)
    assert not set(given) & set(body)
    assert names == list(given)
    given = extras(service_tier="standard_only", context_management={"edits": []})
    body, names = render(extras=given)
    assert not set(given) & set(body)
    assert names == list(given)


def test_values_that_ask_for_nothing_are_no_loss():
    given = extras(n=1, logprobs=False, modalities=["text"], seed=None, presence_penalty=0)
    assert render(extras=given)[1] == []


@pytest.mark.parametrize(
    "field", [{"n": 2}, {"logprobs": True}, {"audio": {}}, {"mcp_servers": [1]}, {"brand_new": 1}]
)
def test_what_this_dialect_cannot_do_is_refused_by_name(field):
    with pytest.raises(InexpressibleError) as caught:
        render(extras=extras(**field))
    assert (caught.value.field, caught.value.dialect) == (next(iter(field)), "responses")


def test_there_and_back_it_means_the_same():
    conversation = [
        user("q"),
        message("Let me see."),
        call("c1", "f", '{"a": 1}'),
        returned("snow", "c1"),
        user([{"type": "input_text", "text": "thanks"}]),
    ]
    request = parse(
        conversation,
        instructions="Be kind.",
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        tool_choice="required",
        parallel_tool_calls=False,
        max_output_tokens=64,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "low"},
        text={"format": {"type": "json_object"}, "verbosity": "low"},
        user="u-1",
        stream=True,
        store=False,
        truncation="auto",
    )
    body, names = RESPONSES.render_request(request, request.model, GPT)
    again = RESPONSES.parse_request(body)
    assert names == []
    assert _plain(again) == _plain(request)


def _plain(request):
    return json.loads(msgspec.json.encode(request))
