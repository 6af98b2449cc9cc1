"""Requests and whole answers between the dialects: what is meant in one arrives in the others.

The official SDKs' types judge what is written.
"""

from __future__ import annotations

import json

import pytest
from anthropic.types import Message as SdkMessage
from msgspec.structs import replace
from openai.types.chat import ChatCompletion
from openai.types.responses import Response as SdkResponse

from understudy.core.conversation import InexpressibleError
from understudy.dialects.base import Traits
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.dialects.responses import RESPONSES

GPT = Traits(completion_tokens_name=True, effort=True)
CLAUDE = Traits()
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def to_chat(body, traits=GPT):
    request = MESSAGES.parse_request(json.dumps(body).encode())
    rendered, names = CHAT_COMPLETIONS.render_request(request, "gpt-5.2", traits)
    return json.loads(rendered), names


def to_messages(body, traits=CLAUDE):
    request = CHAT_COMPLETIONS.parse_request(json.dumps(body).encode())
    rendered, names = MESSAGES.render_request(request, "claude-sonnet-5", traits)
    return json.loads(rendered), names


def anthropic(*messages, **fields):
    return {"model": "claude", "max_tokens": 100, "messages": list(messages), **fields}


def openai(*messages, **fields):
    return {"model": "gpt", "max_completion_tokens": 100, "messages": list(messages), **fields}


def turn(role, content, **fields):
    return {"role": role, "content": content, **fields}


def function(name, **fields):
    return {"type": "function", "function": {"name": name, **fields}}


def blocks_of(message):
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


CHAT_CONVERSATION = openai(
    turn("system", "Be kind."),
    turn("user", "Weather in Oslo and Rome?"),
    turn(
        "assistant",
        "Let me look.",
        tool_calls=[
            {"id": "call_1", **function("weather", arguments='{"city": "Oslo"}')},
            {"id": "call_2", **function("weather", arguments="")},
        ],
    ),
    turn("tool", "snow", tool_call_id="call_1"),
    turn("tool", "sun", tool_call_id="call_2"),
    turn("user", "Thanks. And tomorrow?"),
    tools=[function("weather", description="Looks it up.", parameters=SCHEMA)],
    tool_choice="required",
    parallel_tool_calls=False,
    stop=["END"],
    temperature=0.5,
    user="u-1",
)

MESSAGES_CONVERSATION = anthropic(
    turn("user", [{"type": "text", "text": "Weather in Oslo and Rome?"}]),
    turn(
        "assistant",
        [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
        ],
    ),
    turn(
        "user",
        [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "snow"},
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "is_error": True,
                "content": [{"type": "text", "text": "no such city"}],
            },
            {"type": "text", "text": "Thanks. And tomorrow?"},
        ],
    ),
    system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    tools=[{"name": "weather", "description": "Looks it up.", "input_schema": SCHEMA}],
    tool_choice={"type": "any", "disable_parallel_tool_use": True},
    stop_sequences=["END"],
    temperature=0.5,
    metadata={"user_id": "u-1"},
)


class TestRequests:
    def test_a_conversation_with_tools_for_anthropic(self):
        body, names = to_messages(CHAT_CONVERSATION)
        assert names == []
        assert body["model"] == "claude-sonnet-5"
        assert body["max_tokens"] == 100
        assert "".join(block["text"] for block in body["system"]) == "Be kind."
        asked, called, answered = body["messages"]
        assert blocks_of(asked)[0]["text"] == "Weather in Oslo and Rome?"
        text, *uses = called["content"]
        assert text == {"type": "text", "text": "Let me look."}
        assert [(use["id"], use["input"]) for use in uses] == [
            ("call_1", {"city": "Oslo"}),
            ("call_2", {}),
        ]
        first, second, thanks = answered["content"]
        assert [result["tool_use_id"] for result in (first, second)] == ["call_1", "call_2"]
        assert blocks_of(first)[0]["text"] == "snow"
        assert thanks["text"] == "Thanks. And tomorrow?"
        assert body["tools"][0]["input_schema"] == SCHEMA
        assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
        assert body["stop_sequences"] == ["END"]
        assert body["temperature"] == 0.5
        assert body["metadata"] == {"user_id": "u-1"}

    def test_a_conversation_with_tools_for_openai(self):
        body, names = to_chat(MESSAGES_CONVERSATION)
        assert names == ["cache_control", "thinking", "tool_result.is_error"]
        system, asked, called, first, second, thanks = body["messages"]
        assert system == turn("system", "Be kind.")
        assert asked == turn("user", "Weather in Oslo and Rome?")
        assert called["content"] == "Let me look."
        assert [
            (call["id"], json.loads(call["function"]["arguments"])) for call in called["tool_calls"]
        ] == [("toolu_1", {"city": "Oslo"}), ("toolu_2", {})]
        assert first == turn("tool", "snow", tool_call_id="toolu_1")
        assert second == turn("tool", "Error: no such city", tool_call_id="toolu_2")
        assert thanks == turn("user", "Thanks. And tomorrow?")
        assert body["tools"] == [function("weather", description="Looks it up.", parameters=SCHEMA)]
        assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
        assert body["max_completion_tokens"] == 100
        assert (body["stop"], body["temperature"], body["user"]) == (["END"], 0.5, "u-1")

    def test_there_and_back_it_means_the_same(self):
        request = CHAT_COMPLETIONS.parse_request(json.dumps(CHAT_CONVERSATION).encode())
        there, _ = MESSAGES.render_request(request, request.model, CLAUDE)
        assert MESSAGES.parse_request(there) == replace(request, include_usage=True)
        request = MESSAGES.parse_request(json.dumps(_plain(MESSAGES_CONVERSATION)).encode())
        there, names = CHAT_COMPLETIONS.render_request(request, request.model, GPT)
        assert names == []
        assert CHAT_COMPLETIONS.parse_request(there) == replace(request, include_usage=False)

    @pytest.mark.parametrize(
        ("image", "source"),
        [
            (
                "data:image/png;base64,iVBO",
                {"type": "base64", "media_type": "image/png", "data": "iVBO"},
            ),
            ("https://x.test/a.png", {"type": "url", "url": "https://x.test/a.png"}),
        ],
    )
    def test_images_both_ways(self, image, source):
        part = {"type": "image_url", "image_url": {"url": image}}
        block = {"type": "image", "source": source}
        text = {"type": "text", "text": "What is it?"}
        body, _ = to_messages(openai(turn("user", [text, part])))
        assert body["messages"][0]["content"] == [text, block]
        body, _ = to_chat(anthropic(turn("user", [text, block])))
        assert body["messages"][0]["content"] == [text, part]

    def test_pdfs_both_ways(self):
        data = "data:application/pdf;base64,JVBE"
        part = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
        source = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
        block = {"type": "document", "source": source, "title": "a.pdf"}
        body, _ = to_messages(openai(turn("user", [part])))
        assert body["messages"][0]["content"] == [block]
        body, _ = to_chat(anthropic(turn("user", [block])))
        assert body["messages"][0]["content"] == [part]

    def test_structured_output_both_ways(self):
        described = {"name": "place", "schema": SCHEMA, "strict": True}
        wanted = {"type": "json_schema", "json_schema": described}
        body, names = to_messages(openai(turn("user", "x"), response_format=wanted))
        output = {"format": {"type": "json_schema", "schema": SCHEMA}}
        assert (body["output_config"], names) == (output, [])
        body, _ = to_chat(anthropic(turn("user", "x"), output_config=output))
        assert body["response_format"]["json_schema"]["schema"] == SCHEMA
        assert body["response_format"]["json_schema"]["strict"] is True

    def test_how_much_to_think(self):
        thinking = {"type": "enabled", "budget_tokens": 4000}
        body, _ = to_chat(anthropic(turn("user", "x"), thinking=thinking))
        assert body["reasoning_effort"] == "medium"
        body, _ = to_messages(
            openai(turn("user", "x"), reasoning_effort="low", max_completion_tokens=9000)
        )
        assert body["thinking"]["type"] == "enabled"
        body, names = to_chat(anthropic(turn("user", "x"), thinking=thinking), Traits())
        assert "reasoning_effort" not in body
        assert names == ["thinking"]

    def test_a_system_message_amid_the_turns_is_not_lost(self):
        messages = [
            turn("user", "a"),
            turn("assistant", "b"),
            turn("system", "be brief"),
            turn("user", "c"),
        ]
        body, _ = to_messages(openai(*messages))
        texts = [block["text"] for block in blocks_of(body["messages"][2])]
        assert "be brief" in texts[0]
        assert texts[1] == "c"

    def test_ids_that_the_other_dialect_refuses_still_match(self):
        odd = "call:1." + "x" * 80
        calls = [{"id": odd, **function("f", arguments="{}")}]
        exchange = [
            turn("user", "q"),
            turn("assistant", None, tool_calls=calls),
            turn("tool", "r", tool_call_id=odd),
        ]
        body, _ = to_messages(openai(*exchange, tools=[function("f")]))
        used = body["messages"][1]["content"][0]["id"]
        assert used == body["messages"][2]["content"][0]["tool_use_id"]
        assert all(letter.isalnum() or letter in "_-" for letter in used)
        back, _ = to_chat(body)
        called = back["messages"][1]["tool_calls"][0]["id"]
        assert called == back["messages"][2]["tool_call_id"]
        assert len(called) <= 40

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({"n": 2}, "n"),
            ({"logprobs": True}, "logprobs"),
            ({"modalities": ["text", "audio"]}, "modalities"),
            ({"audio": {"voice": "a"}}, "audio"),
            ({"web_search_options": {}}, "web_search_options"),
            ({"brand_new": 1}, "brand_new"),
        ],
    )
    def test_what_anthropic_cannot_do_is_refused_by_name(self, fields, name):
        with pytest.raises(InexpressibleError) as caught:
            to_messages(openai(turn("user", "x"), **fields))
        assert (caught.value.field, caught.value.dialect) == (name, "messages")

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
            ({"container": "c"}, "container"),
            ({"inference_geo": "eu"}, "inference_geo"),
            ({"brand_new": 1}, "brand_new"),
        ],
    )
    def test_what_openai_cannot_do_is_refused_by_name(self, fields, name):
        with pytest.raises(InexpressibleError) as caught:
            to_chat(anthropic(turn("user", "x"), **fields))
        assert (caught.value.field, caught.value.dialect) == (name, "chat_completions")

    def test_a_server_tool_is_refused_by_name(self):
        tool = {"type": "web_search_20250305", "name": "web_search"}
        with pytest.raises(InexpressibleError) as caught:
            to_chat(anthropic(turn("user", "x"), tools=[tool]))
        assert caught.value.field == "tools[0]"

    def test_hints_are_left_out_and_noted(self):
        _, names = to_messages(openai(turn("user", "x"), seed=7, verbosity="low"))
        assert names == ["seed", "verbosity"]
        _, names = to_chat(
            anthropic(turn("user", "x"), top_k=5, service_tier="standard_only", speed="fast")
        )
        assert names == ["top_k", "service_tier", "speed"]


def _plain(body):
    """Without what only Anthropic has words for."""
    asked, called, answered = body["messages"]
    results = [{**block} for block in answered["content"]]
    for block in results:
        block.pop("is_error", None)
    system = [{"type": "text", "text": "Be kind."}]
    messages = [
        asked,
        turn("assistant", called["content"][1:]),
        turn("user", results),
    ]
    return {**body, "system": system, "messages": messages}


def completion(message, finish="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5.2", "created": 17}
    return json.dumps({**body, "choices": [choice], **fields}).encode()


def message(*content, stop="end_turn", **fields):
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    end = {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    return json.dumps({**body, "content": list(content), **end, **fields}).encode()


def for_anthropics_caller(body):
    rendered = MESSAGES.render_answer(CHAT_COMPLETIONS.parse_answer(body))
    return SdkMessage.model_validate_json(rendered)


def for_openais_caller(body):
    rendered = CHAT_COMPLETIONS.render_answer(MESSAGES.parse_answer(body))
    return ChatCompletion.model_validate_json(rendered, strict=True)


TEXT = {"type": "text", "text": "hi"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, "é"]}}


class TestAnswers:
    def test_text_and_a_call_for_anthropics_caller(self):
        calls = [{"id": "call_1", **function("f", arguments='{"a":[1,"é"]}')}]
        read = for_anthropics_caller(completion({"content": "hi", "tool_calls": calls}, "stop"))
        text, use = read.content
        assert (read.model, read.stop_reason) == ("gpt-5.2", "tool_use")
        assert text.text == "hi"
        assert (use.id, use.name, use.input) == ("call_1", "f", {"a": [1, "é"]})

    def test_text_and_a_call_for_openais_caller(self):
        read = for_openais_caller(message(TEXT, USE, stop="tool_use"))
        (choice,) = read.choices
        (call,) = choice.message.tool_calls
        assert (choice.message.content, choice.finish_reason) == ("hi", "tool_calls")
        assert (call.id, json.loads(call.function.arguments)) == ("toolu_1", {"a": [1, "é"]})

    def test_cached_tokens_are_counted_each_dialects_own_way(self):
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        }
        read = for_anthropics_caller(completion({"content": "hi"}, usage=usage)).usage
        assert (read.input_tokens, read.cache_read_input_tokens) == (10, 60)
        assert (read.cache_creation_input_tokens, read.output_tokens) == (30, 10)
        usage = {
            "input_tokens": 10,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 30,
            "output_tokens": 10,
        }
        read = for_openais_caller(message(TEXT, usage=usage)).usage
        assert (read.prompt_tokens, read.completion_tokens, read.total_tokens) == (100, 10, 110)
        assert read.prompt_tokens_details.cached_tokens == 60

    @pytest.mark.parametrize(
        ("finish", "reason"),
        [
            ("stop", "end_turn"),
            ("length", "max_tokens"),
            ("content_filter", "refusal"),
            ("tomorrow", "end_turn"),
        ],
    )
    def test_finish_reasons(self, finish, reason):
        assert for_anthropics_caller(completion({"content": "hi"}, finish)).stop_reason == reason

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("pause_turn", "stop"),
            ("refusal", "content_filter"),
            ("tomorrow", "stop"),
        ],
    )
    def test_stop_reasons(self, reason, finish):
        assert for_openais_caller(message(TEXT, stop=reason)).choices[0].finish_reason == finish

    def test_a_refusal_in_words_is_a_refusal_for_anthropics_caller(self):
        read = for_anthropics_caller(completion({"content": None, "refusal": "I can't."}))
        assert read.stop_reason == "refusal"
        assert read.content[0].text == "I can't."

    def test_thinking_both_ways(self):
        thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
        read = for_openais_caller(message(thought, TEXT))
        assert read.choices[0].message.reasoning_content == "hm"
        read = for_anthropics_caller(completion({"content": "hi", "reasoning_content": "hm"}))
        assert [block.type for block in read.content] == ["thinking", "text"]
        assert read.content[0].thinking == "hm"


def responses(*items, **fields):
    return {"model": "gpt", "max_output_tokens": 100, "input": list(items), **fields}


def translated(body, source, target, traits):
    request = source.parse_request(json.dumps(body).encode())
    rendered, names = target.render_request(request, "other", traits)
    return json.loads(rendered), names


def called(call_id, arguments):
    return {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": arguments}


def returned(call_id, output):
    return {"type": "function_call_output", "call_id": call_id, "output": output}


LET_ME = [{"type": "output_text", "text": "Let me look."}]
RESPONSES_CONVERSATION = responses(
    turn("user", "Weather in Oslo and Rome?"),
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    turn("assistant", LET_ME, type="message", id="msg_1"),
    called("call_1", '{"city": "Oslo"}'),
    called("call_2", "{}"),
    returned("call_1", "snow"),
    returned("call_2", "sun"),
    turn("user", [{"type": "input_text", "text": "Thanks. And tomorrow?"}]),
    instructions="Be kind.",
    tools=[
        {"type": "function", "name": "weather", "description": "Looks it up.", "parameters": SCHEMA}
    ],
    tool_choice="required",
    parallel_tool_calls=False,
    temperature=0.5,
    user="u-1",
    store=True,
)


class TestResponsesRequests:
    def test_a_conversation_with_tools_for_anthropic(self):
        body, names = translated(RESPONSES_CONVERSATION, RESPONSES, MESSAGES, CLAUDE)
        assert names == ["thinking history"]
        assert "".join(block["text"] for block in body["system"]) == "Be kind."
        assert body["max_tokens"] == 100
        asked, said, answered = body["messages"]
        assert blocks_of(asked)[0]["text"] == "Weather in Oslo and Rome?"
        text, *uses = said["content"]
        assert text["text"] == "Let me look."
        assert [(use["id"], use["input"]) for use in uses] == [
            ("call_1", {"city": "Oslo"}),
            ("call_2", {}),
        ]
        first, second, thanks = answered["content"]
        assert [result["tool_use_id"] for result in (first, second)] == ["call_1", "call_2"]
        assert thanks["text"] == "Thanks. And tomorrow?"
        assert body["tools"][0]["input_schema"] == SCHEMA
        assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
        assert body["metadata"] == {"user_id": "u-1"}

    def test_a_conversation_with_tools_for_chat_completions(self):
        body, names = translated(RESPONSES_CONVERSATION, RESPONSES, CHAT_COMPLETIONS, GPT)
        assert names == ["thinking"]
        system, asked, said, first, second, thanks = body["messages"]
        assert system == turn("system", "Be kind.")
        assert asked == turn("user", "Weather in Oslo and Rome?")
        assert [call["id"] for call in said["tool_calls"]] == ["call_1", "call_2"]
        assert first == turn("tool", "snow", tool_call_id="call_1")
        assert second == turn("tool", "sun", tool_call_id="call_2")
        assert thanks == turn("user", "Thanks. And tomorrow?")
        assert body["tools"] == [function("weather", description="Looks it up.", parameters=SCHEMA)]
        assert body["max_completion_tokens"] == 100
        assert "store" not in body

    @pytest.mark.parametrize(
        ("conversation", "source", "noted"),
        [
            (CHAT_CONVERSATION, CHAT_COMPLETIONS, ["stop"]),
            (
                MESSAGES_CONVERSATION,
                MESSAGES,
                ["cache_control", "thinking history", "tool_result.is_error", "stop"],
            ),
        ],
    )
    def test_a_conversation_with_tools_for_responses(self, conversation, source, noted):
        body, names = translated(conversation, source, RESPONSES, GPT)
        assert names == noted
        asked, said, first, second, one, two, thanks = body["input"]
        assert body["instructions"] == "Be kind."
        assert asked["content"][0]["text"] == "Weather in Oslo and Rome?"
        assert said["content"] == LET_ME
        assert json.loads(first["arguments"]) == {"city": "Oslo"}
        assert second["arguments"] == "{}"
        assert [first["call_id"], second["call_id"]] == [one["call_id"], two["call_id"]]
        assert one["output"] == "snow"
        assert thanks["content"][0]["text"] == "Thanks. And tomorrow?"
        assert body["tools"][0]["parameters"] == SCHEMA
        assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
        assert (body["max_output_tokens"], body["temperature"]) == (100, 0.5)
        assert (body["user"], body["store"]) == ("u-1", False)

    @pytest.mark.parametrize("dialect", [MESSAGES, CHAT_COMPLETIONS])
    def test_there_and_back_it_means_the_same(self, dialect):
        items = [i for i in RESPONSES_CONVERSATION["input"] if i.get("type") != "reasoning"]
        body = {**RESPONSES_CONVERSATION, "input": items}
        request = RESPONSES.parse_request(json.dumps(body).encode())
        there, names = dialect.render_request(request, request.model, GPT)
        assert names == []
        again = dialect.parse_request(there)
        assert replace(again, include_usage=True) == request

    @pytest.mark.parametrize(
        ("image", "source"),
        [
            (
                "data:image/png;base64,iVBO",
                {"type": "base64", "media_type": "image/png", "data": "iVBO"},
            ),
            ("https://x.test/a.png", {"type": "url", "url": "https://x.test/a.png"}),
        ],
    )
    def test_images_both_ways(self, image, source):
        part = {"type": "input_image", "image_url": image, "detail": "auto"}
        block = {"type": "image", "source": source}
        body, _ = translated(responses(turn("user", [part])), RESPONSES, MESSAGES, CLAUDE)
        assert body["messages"][0]["content"] == [block]
        body, _ = translated(anthropic(turn("user", [block])), MESSAGES, RESPONSES, GPT)
        assert body["input"][0]["content"] == [part]

    def test_structured_output_both_ways(self):
        form = {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}
        asked = responses(turn("user", "x"), text={"format": form})
        body, _ = translated(asked, RESPONSES, CHAT_COMPLETIONS, GPT)
        described = {"name": "place", "schema": SCHEMA, "strict": True}
        assert body["response_format"] == {"type": "json_schema", "json_schema": described}
        asked = openai(turn("user", "x"), response_format=body["response_format"])
        body, _ = translated(asked, CHAT_COMPLETIONS, RESPONSES, GPT)
        assert body["text"]["format"] == form

    def test_how_much_to_think(self):
        asked = responses(turn("user", "x"), reasoning={"effort": "low"}, max_output_tokens=9000)
        body, _ = translated(asked, RESPONSES, MESSAGES, CLAUDE)
        assert body["thinking"]["type"] == "enabled"
        body, _ = translated(asked, RESPONSES, CHAT_COMPLETIONS, GPT)
        assert body["reasoning_effort"] == "low"
        asked = openai(turn("user", "x"), reasoning_effort="high")
        body, _ = translated(asked, CHAT_COMPLETIONS, RESPONSES, GPT)
        assert body["reasoning"] == {"effort": "high"}

    def test_verbosity_is_known_to_both_of_openais_dialects(self):
        asked = responses(turn("user", "x"), text={"verbosity": "low"})
        body, _ = translated(asked, RESPONSES, CHAT_COMPLETIONS, GPT)
        assert body["verbosity"] == "low"
        _, names = translated(asked, RESPONSES, MESSAGES, CLAUDE)
        assert names == ["verbosity"]
        asked = openai(turn("user", "x"), verbosity="low")
        body, _ = translated(asked, CHAT_COMPLETIONS, RESPONSES, GPT)
        assert body["text"] == {"verbosity": "low"}

    @pytest.mark.parametrize("dialect", [MESSAGES, CHAT_COMPLETIONS])
    def test_what_only_openai_keeps_is_refused_by_name(self, dialect):
        asked = responses(turn("user", "x"), previous_response_id="resp_1")
        with pytest.raises(InexpressibleError) as caught:
            translated(asked, RESPONSES, dialect, GPT)
        assert caught.value.field == "previous_response_id"


def response(*output, status="completed", **fields):
    body = {"id": "resp_1", "object": "response", "model": "gpt-5.2", "created_at": 17}
    return json.dumps({**body, "status": status, "output": list(output), **fields}).encode()


def said(text):
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}


def for_responses_caller(body, dialect):
    rendered = RESPONSES.render_answer(dialect.parse_answer(body))
    return SdkResponse.model_validate_json(rendered, strict=True)


class TestResponsesAnswers:
    def test_text_and_a_call_for_anthropics_caller(self):
        body = response(said("hi"), called("call_1", '{"a":1}'))
        rendered = MESSAGES.render_answer(RESPONSES.parse_answer(body))
        read = SdkMessage.model_validate_json(rendered)
        text, use = read.content
        assert (read.model, read.stop_reason, text.text) == ("gpt-5.2", "tool_use", "hi")
        assert (use.id, use.name, use.input) == ("call_1", "weather", {"a": 1})

    def test_text_and_a_call_for_chat_completions_caller(self):
        body = response(said("hi"), called("call_1", '{"a":1}'))
        rendered = CHAT_COMPLETIONS.render_answer(RESPONSES.parse_answer(body))
        read = ChatCompletion.model_validate_json(rendered, strict=True)
        (choice,) = read.choices
        (call,) = choice.message.tool_calls
        assert (choice.message.content, choice.finish_reason) == ("hi", "tool_calls")
        assert (call.id, call.function.arguments) == ("call_1", '{"a":1}')

    def test_anthropics_answer_for_its_caller(self):
        thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
        read = for_responses_caller(message(thought, TEXT, USE, stop="tool_use"), MESSAGES)
        reasoning, text, call = read.output
        assert (reasoning.summary[0].text, text.content[0].text) == ("hm", "hi")
        assert (call.call_id, json.loads(call.arguments)) == ("toolu_1", {"a": [1, "é"]})
        assert (read.status, read.usage.total_tokens) == ("completed", 2)

    def test_chat_completions_answer_for_its_caller(self):
        calls = [{"id": "call_1", **function("f", arguments="{}")}]
        body = completion({"content": "hi", "reasoning_content": "hm", "tool_calls": calls})
        read = for_responses_caller(body, CHAT_COMPLETIONS)
        assert [item.type for item in read.output] == ["reasoning", "message", "function_call"]
        assert (read.output_text, read.created_at) == ("hi", 17)

    @pytest.mark.parametrize(
        ("reason", "status", "detail"),
        [
            ("end_turn", "completed", None),
            ("max_tokens", "incomplete", "max_output_tokens"),
            ("refusal", "incomplete", "content_filter"),
        ],
    )
    def test_stop_reasons_of_anthropics(self, reason, status, detail):
        read = for_responses_caller(message(TEXT, stop=reason), MESSAGES)
        assert read.status == status
        assert (read.incomplete_details.reason if read.incomplete_details else None) == detail
