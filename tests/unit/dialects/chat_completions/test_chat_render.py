"""Requests to a provider: from the core, and the caller's own with another model."""

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
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from unit.dialects.chat_completions.chat_samples import body_of, parse, user

CACHE = msgspec.Raw(b'{"type":"ephemeral"}')


def request_of(*messages, **fields):
    messages = messages or (Message(role="user", parts=(Text(text="hi"),)),)
    return Request(model="claude", messages=messages, **fields)


def asks(*parts):
    return Message(role="user", parts=parts)


def says(*parts):
    return Message(role="assistant", parts=parts)


def render(request, **traits):
    body, names = CHAT_COMPLETIONS.render_request(request, "gpt-5.2", Traits(**traits))
    return json.loads(body), names


def messages_of(*messages, **fields):
    body, names = render(request_of(*messages, **fields))
    return body["messages"], names


class TestTurns:
    def test_the_system_prompt_is_one_message(self):
        system = (Text(text="a"), Text(text="b", cache=CACHE))
        messages, names = messages_of(system=system)
        assert messages[0] == {"role": "system", "content": "a\n\nb"}
        assert names == ["cache_control"]

    @pytest.mark.parametrize(
        ("part", "content"),
        [
            (Text(text="x"), "x"),
            (
                Image(url="https://x.test/a", detail="low"),
                [
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://x.test/a", "detail": "low"},
                    }
                ],
            ),
            (
                Image(data="iVBO", media_type="image/png"),
                [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}],
            ),
            (
                Document(data="JVBE", media_type="application/pdf", title="a.pdf"),
                [
                    {
                        "type": "file",
                        "file": {
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JVBE",
                        },
                    }
                ],
            ),
            (Document(text="body", title="Title"), "Title\n\nbody"),
            (Document(text="body"), "body"),
        ],
    )
    def test_user_parts(self, part, content):
        assert messages_of(asks(part)) == ([{"role": "user", "content": content}], [])

    def test_an_assistants_turn(self):
        turn = says(
            Thinking(text="hm", signature="s"),
            Text(text="a"),
            Text(text="b"),
            Refusal(text="no"),
            ToolUse(id="toolu_1", name="f", arguments='{"x":1}'),
        )
        messages, names = messages_of(asks(Text(text="q")), turn, asks(Text(text="r")))
        assert messages[1] == {
            "role": "assistant",
            "content": "ab",
            "refusal": "no",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"x":1}'},
                }
            ],
        }
        assert names == ["thinking"]

    def test_a_turn_of_nothing_but_thought_is_left_out(self):
        messages, names = messages_of(asks(Text(text="q")), says(Thinking(redacted="x")))
        assert [message["role"] for message in messages] == ["user"]
        assert names == ["thinking"]

    def test_results_stand_right_behind_the_calls(self):
        calls = says(ToolUse(id="a", name="f"), ToolUse(id="b", name="f"))
        results = asks(
            Text(text="and now?"),
            ToolResult(id="a", content=(Text(text="1"), Text(text="2"))),
            ToolResult(id="b", content=(Text(text="bad"),), is_error=True),
            ToolResult(id="c"),
        )
        messages, names = messages_of(asks(Text(text="q")), calls, results)
        assert messages[1]["content"] is None
        assert messages[2:] == [
            {"role": "tool", "tool_call_id": "a", "content": "1\n2"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: bad"},
            {"role": "tool", "tool_call_id": "c", "content": ""},
            {"role": "user", "content": "and now?"},
        ]
        assert names == ["tool_result.is_error"]

    def test_an_image_from_a_tool_goes_into_the_next_user_message(self):
        picture = Image(data="iVBO", media_type="image/png")
        result = ToolResult(id="a", content=(Text(text="seen"), picture))
        messages, names = messages_of(asks(result, Text(text="and?")))
        answer, rest = messages
        assert answer["content"].startswith("seen\n")
        texts = [part.get("text") for part in rest["content"]]
        assert [part["type"] for part in rest["content"]] == ["text", "image_url", "text"]
        assert "a" in texts[0]
        assert texts[2] == "and?"
        assert names == ["tool_result.content"]

    def test_long_ids_are_shortened_the_same_way_everywhere(self):
        long, other = "toolu_" + "x" * 60, "toolu_" + "x" * 59 + "y"
        calls = says(ToolUse(id=long, name="f"), ToolUse(id=other, name="f"))
        results = asks(ToolResult(id=long), ToolResult(id=other))
        messages, names = messages_of(asks(Text(text="q")), calls, results)
        ids = [call["id"] for call in messages[1]["tool_calls"]]
        assert ids == [message["tool_call_id"] for message in messages[2:]]
        assert len(set(ids)) == 2
        assert all(len(tool_id) <= 40 for tool_id in ids)
        assert names == ["tool_call_id"]

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            (Document(url="https://x.test/a.pdf"), "messages[0].content[0].source.url"),
            (
                Document(data="x", media_type="application/zip"),
                "messages[0].content[0].source.media_type",
            ),
        ],
    )
    def test_documents_without_a_place_are_refused_by_name(self, document, field):
        for part in (document, ToolResult(id="a", content=(document,))):
            with pytest.raises(InexpressibleError) as caught:
                messages_of(asks(part))
            assert caught.value.field.endswith(field.rpartition("]")[2])
            assert caught.value.dialect == "chat_completions"

    @pytest.mark.parametrize(
        "marked",
        [
            {"system": (Text(text="a", cache=CACHE),)},
            {"tools": (ToolDefinition(name="f", cache=CACHE),)},
        ],
    )
    def test_cache_marks_are_noted_once(self, marked):
        turn = asks(Text(text="x", cache=CACHE), Text(text="y", cache=CACHE))
        assert render(request_of(turn, **marked))[1] == ["cache_control"]

    def test_a_turn_to_be_continued(self):
        turns = (asks(Text(text="q")), says(Text(text="{")))
        body, names = render(request_of(*turns), prefill=False)
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
        assert names == ["prefill"]
        body, names = render(request_of(*turns), prefill=True)
        assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
        assert names == []


TOOL = ToolDefinition(name="f", description="d", schema=msgspec.Raw(b'{"a": 1}'), strict=True)


class TestFields:
    def test_tools(self):
        body, names = render(request_of(tools=(TOOL, ToolDefinition(name="g"))))
        assert body["tools"][0] == {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"a": 1}, "strict": True},
        }
        assert "tool_choice" not in body
        assert names == []

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            (ToolChoice(mode="auto"), {"tool_choice": "auto"}),
            (ToolChoice(mode="none"), {"tool_choice": "none"}),
            (
                ToolChoice(mode="any", parallel=False),
                {"tool_choice": "required", "parallel_tool_calls": False},
            ),
            (
                ToolChoice(mode="tool", name="f"),
                {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            ),
        ],
    )
    def test_tool_choice(self, choice, expected):
        body, _ = render(request_of(tools=(TOOL,), tool_choice=choice))
        assert expected.items() <= body.items()
        without = render(request_of(tool_choice=choice))[0]
        assert not without.keys() & {"tool_choice", "parallel_tool_calls", "tools"}

    @pytest.mark.parametrize(
        ("fields", "traits", "expected", "names"),
        [
            ({"max_tokens": 9}, {}, {"max_tokens": 9}, []),
            (
                {"max_tokens": 9},
                {"completion_tokens_name": True},
                {"max_completion_tokens": 9},
                [],
            ),
            ({"max_tokens": 9}, {"max_output": 5}, {"max_tokens": 5}, ["max_tokens"]),
            ({"temperature": 0.5, "top_p": 0.9}, {}, {"temperature": 0.5, "top_p": 0.9}, []),
            (
                {"temperature": 0.5, "top_p": 0.9},
                {"sampling": False},
                {},
                ["temperature", "top_p"],
            ),
            ({"top_k": 5}, {}, {}, ["top_k"]),
            ({"stop": ("a",)}, {}, {"stop": ["a"]}, []),
            ({"stop": tuple("abcde")}, {}, {"stop": list("abcd")}, ["stop"]),
            ({"stop": ("a",)}, {"stop": False}, {}, ["stop"]),
            ({"user": "u"}, {}, {"user": "u"}, []),
            ({"stream": True}, {}, {"stream": True, "stream_options": {"include_usage": True}}, []),
            (
                {"json_format": JsonFormat()},
                {},
                {"response_format": {"type": "json_object"}},
                [],
            ),
            (
                {
                    "json_format": JsonFormat(
                        schema=msgspec.Raw(b"{}"), name="n", description="d", strict=True
                    )
                },
                {},
                {
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {
                            "name": "n",
                            "description": "d",
                            "schema": {},
                            "strict": True,
                        },
                    }
                },
                [],
            ),
        ],
    )
    def test_fields(self, fields, traits, expected, names):
        body, adapted = render(request_of(**fields), **traits)
        del body["model"], body["messages"]
        assert (body, adapted) == (expected, names)

    @pytest.mark.parametrize(
        ("thinking", "effort", "names"),
        [
            (ThinkingMode(mode="enabled", budget_tokens=2048), "low", []),
            (ThinkingMode(mode="enabled", budget_tokens=8192), "medium", []),
            (ThinkingMode(mode="enabled", budget_tokens=8193), "high", []),
            (ThinkingMode(mode="enabled"), "medium", []),
            (ThinkingMode(mode="adaptive"), None, []),
            (ThinkingMode(mode="adaptive", effort="low"), "low", []),
            (ThinkingMode(effort="minimal"), "minimal", []),
            (ThinkingMode(effort="max"), "high", ["thinking"]),
            (ThinkingMode(effort="xhigh"), "high", ["thinking"]),
            (ThinkingMode(mode="disabled"), None, ["thinking"]),
            (ThinkingMode(mode="disabled", effort="none"), "none", []),
        ],
    )
    def test_effort(self, thinking, effort, names):
        body, adapted = render(request_of(thinking=thinking), effort=True)
        assert (body.get("reasoning_effort"), adapted) == (effort, names)

    @pytest.mark.parametrize(
        ("thinking", "names"),
        [
            (ThinkingMode(mode="enabled", budget_tokens=9000), ["thinking"]),
            (ThinkingMode(effort="low"), ["thinking"]),
            (ThinkingMode(mode="disabled"), []),
        ],
    )
    def test_a_model_that_does_not_reason(self, thinking, names):
        body, adapted = render(request_of(thinking=thinking), effort=False)
        assert "reasoning_effort" not in body
        assert adapted == names

    @pytest.mark.parametrize("name", ["context_management", "speed", "cache_control"])
    def test_hints_of_other_dialects_are_left_out_and_noted(self, name):
        body, names = render(request_of(extras={name: msgspec.Raw(b'{"a":1}')}))
        assert name not in body
        assert names == [name]

    @pytest.mark.parametrize("name", ["mcp_servers", "container", "inference_geo", "brand_new"])
    def test_what_changes_the_answer_is_refused_by_name(self, name):
        with pytest.raises(InexpressibleError) as caught:
            render(request_of(extras={name: msgspec.Raw(b"[1]")}))
        assert caught.value.field == name
        render(request_of(extras={name: msgspec.Raw(b"null")}))

    def test_service_tiers(self):
        tier = msgspec.Raw(b'"standard_only"')
        assert render(request_of(extras={"service_tier": tier}))[1] == ["service_tier"]
        tier = msgspec.Raw(b'"auto"')
        assert render(request_of(extras={"service_tier": tier}))[0]["service_tier"] == "auto"

    def test_fields_of_the_same_dialect_pass(self):
        body, names = render(parse(user(), seed=7, n=2, verbosity="low"))
        assert (body["seed"], body["n"], body["verbosity"], names) == (7, 2, "low", [])


class TestReaddress:
    def envelope(self, **fields):
        return CHAT_COMPLETIONS.read_envelope(body_of(user(), **fields))

    def test_only_the_model_changes_and_no_byte_beside_it(self):
        body = (
            b'{"x": {"b" :1.0,"a":"\\u00e9"},"model":"a","messages":[ {"role":"user"} ],"n":null}'
        )
        envelope = CHAT_COMPLETIONS.read_envelope(body)
        readdressed, names = CHAT_COMPLETIONS.readdress(envelope, 'b"', None)
        assert readdressed == (
            b'{"x":{"b" :1.0,"a":"\\u00e9"},"model":"b\\"","messages":[ {"role":"user"} ],"n":null}'
        )
        assert names == []
        assert envelope.body == body

    @pytest.mark.parametrize(
        ("fields", "traits", "expected", "names"),
        [
            ({"max_tokens": 5}, {}, {"max_tokens": 5}, []),
            (
                {"max_tokens": 5},
                {"completion_tokens_name": True},
                {"max_completion_tokens": 5},
                ["max_tokens"],
            ),
            (
                {"max_completion_tokens": 5},
                {},
                {"max_tokens": 5},
                ["max_completion_tokens"],
            ),
            (
                {"max_tokens": 5, "max_completion_tokens": 6},
                {"completion_tokens_name": True},
                {"max_completion_tokens": 6},
                ["max_tokens"],
            ),
            ({"max_tokens": 50}, {"max_output": 9}, {"max_tokens": 9}, ["max_tokens"]),
            (
                {"temperature": 1, "top_p": 1, "presence_penalty": 1, "frequency_penalty": 1},
                {"sampling": False},
                {},
                ["temperature", "top_p", "presence_penalty", "frequency_penalty"],
            ),
            ({"temperature": None}, {"sampling": False}, {"temperature": None}, []),
            ({"reasoning_effort": "low"}, {}, {}, ["reasoning_effort"]),
            ({"reasoning_effort": "low"}, {"effort": True}, {"reasoning_effort": "low"}, []),
            ({"stop": "x"}, {"stop": False}, {}, ["stop"]),
            ({"stop": "x", "seed": 1}, {}, {"stop": "x", "seed": 1}, []),
        ],
    )
    def test_traits(self, fields, traits, expected, names):
        body, adapted = CHAT_COMPLETIONS.readdress(self.envelope(**fields), "m", Traits(**traits))
        decoded = json.loads(body)
        assert decoded.pop("model") == "m"
        assert decoded.pop("messages") == [user()]
        assert (decoded, adapted) == (expected, names)


TEXTS = st.text(min_size=1, max_size=8)
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image_url", "image_url": {"url": "https://x.test/a"}}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}),
)
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
EXCHANGE = st.tuples(
    st.one_of(TEXTS, st.lists(PARTS, min_size=2, max_size=3)).map(user),
    TEXTS.map(lambda text: {"role": "assistant", "content": text, "tool_calls": [CALL]}),
    TEXTS.map(lambda text: {"role": "tool", "tool_call_id": "c1", "content": text}),
)


@given(exchanges=st.lists(EXCHANGE, min_size=1, max_size=3))
def test_a_conversation_reads_and_renders_to_the_same_conversation(exchanges):
    messages = [message for exchange in exchanges for message in exchange]
    request = parse(*messages)
    body, names = CHAT_COMPLETIONS.render_request(request, "gpt-5.2", Traits())
    assert names == []
    assert CHAT_COMPLETIONS.parse_request(body) == request
    assert json.loads(body)["messages"] == messages
