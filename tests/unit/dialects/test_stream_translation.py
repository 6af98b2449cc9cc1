"""Streams between the dialects, each event as it comes; the official SDKs' types judge."""

from __future__ import annotations

import json

import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from understudy.core.events import Ended, Failed
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.dialects.responses import RESPONSES

RESPONSE_EVENTS = TypeAdapter(ResponseStreamEvent)
EVENTS = TypeAdapter(RawMessageStreamEvent)
ASKED = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}


def read_error(body: bytes) -> Fault:
    return Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL, message=body.decode())


def anthropic(**fields):
    return {**ASKED, "max_tokens": 100, **fields}


def openai(**fields):
    return {**ASKED, **fields}


def responses(**fields):
    return {"model": "m", "input": "x", "stream": True, **fields}


def function(name, **fields):
    return {"type": "function", "function": {"name": name, **fields}}


def data(payload):
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def chunk(delta, finish=None, **fields):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return data({"id": "chatcmpl-1", "model": "gpt-5.2", "created": 17, "choices": [choice]})


def call(index, **fields):
    return {"tool_calls": [{"index": index, **fields}]}


CHAT_STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Let me "}),
    chunk({"content": "look."}),
    chunk(call(0, id="call_1", **function("weather", arguments=""))),
    chunk(call(0, function={"arguments": '{"city":'})),
    chunk(call(0, function={"arguments": '"Oslo"}'})),
    chunk(call(1, id="call_2", **function("now", arguments=""))),
    chunk({}, "tool_calls"),
    data(
        {
            "id": "chatcmpl-1",
            "choices": [],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 60},
            },
        }
    ),
    b"data: [DONE]\n\n",
]


def sse(payload):
    return b"event: " + payload["type"].encode() + b"\n" + data(payload)


def delta(index, kind, **fields):
    return sse({"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}})


def block(index, *deltas, **fields):
    start = {"type": "content_block_start", "index": index, "content_block": fields}
    return [sse(start), *deltas, sse({"type": "content_block_stop", "index": index})]


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 1},
}
MESSAGES_STREAM = [
    sse({"type": "message_start", "message": MESSAGE}),
    sse({"type": "ping"}),
    *block(
        0,
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        type="thinking",
        thinking="",
        signature="",
    ),
    *block(
        1,
        delta(1, "text_delta", text="Let me "),
        delta(1, "text_delta", text="look."),
        type="text",
        text="",
    ),
    *block(
        2,
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"city":'),
        delta(2, "input_json_delta", partial_json='"Oslo"}'),
        type="tool_use",
        id="toolu_1",
        name="weather",
        input={},
    ),
    *block(3, type="tool_use", id="toolu_2", name="now", input={}),
    sse(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 10},
        }
    ),
    sse({"type": "message_stop"}),
]


_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5.2",
    "created_at": 17,
    "output": [],
}
_USED = {
    "input_tokens": 100,
    "output_tokens": 10,
    "input_tokens_details": {"cached_tokens": 60},
}
_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_MESSAGE = {"type": "message", "id": "msg_1", "content": []}
_CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather"}
_NOW = {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "now"}
_CITY = '{"city":"Oslo"}'


def _typed(kind, **fields):
    return {"type": f"response.{kind}", **fields}


RESPONSES_STREAM = [
    sse({"sequence_number": number, **payload})
    for number, payload in enumerate(
        [
            _typed("created", response=_RESPONSE),
            _typed("in_progress", response=_RESPONSE),
            _typed("output_item.added", output_index=0, item=_MESSAGE),
            _typed("content_part.added", **_AT, part={"type": "output_text", "text": ""}),
            _typed("output_text.delta", **_AT, delta="Let me "),
            _typed("output_text.delta", **_AT, delta="look."),
            _typed("output_text.done", **_AT, text="Let me look."),
            _typed("output_item.added", output_index=1, item=_CALL),
            _typed("function_call_arguments.delta", output_index=1, delta=_CITY[:8]),
            _typed("function_call_arguments.delta", output_index=1, delta=_CITY[8:]),
            _typed("function_call_arguments.done", output_index=1, arguments=_CITY),
            _typed("output_item.added", output_index=2, item=_NOW),
            _typed("function_call_arguments.done", output_index=2, arguments="{}"),
            _typed("completed", response={**_RESPONSE, "status": "completed", "usage": _USED}),
        ]
    )
]


def translated(pieces, source, target, request):
    """Each piece as it comes: parsed by the provider's dialect, written in the caller's."""
    parser = source.stream_parser(read_error)
    writer = target.stream_writer(target.parse_request(json.dumps(request).encode()))
    events = [event for piece in pieces for event in parser.feed(piece)]
    events += parser.finish()
    return b"".join(writer.write([event]) for event in events), events


class TestStreams:
    def test_openais_stream_for_anthropics_caller(self):
        request = anthropic()
        stream, _ = translated(CHAT_STREAM, CHAT_COMPLETIONS, MESSAGES, request)
        read = [
            EVENTS.validate_json(line[6:]) for line in stream.split(b"\n") if line[:6] == b"data: "
        ]
        assert [event.type for event in read if event.type != "ping"] == [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
        starts = [event for event in read if event.type == "content_block_start"]
        assert [start.index for start in starts] == [0, 1, 2]
        tools = [start.content_block for start in starts[1:]]
        assert [(tool.id, tool.name, tool.input) for tool in tools] == [
            ("call_1", "weather", {}),
            ("call_2", "now", {}),
        ]
        pieces = [
            event.delta.partial_json
            for event in read
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta"
        ]
        assert json.loads("".join(pieces)) == {"city": "Oslo"}
        (last,) = [event for event in read if event.type == "message_delta"]
        assert last.delta.stop_reason == "tool_use"
        assert (last.usage.input_tokens, last.usage.cache_read_input_tokens) == (40, 60)
        assert last.usage.output_tokens == 10

    def test_anthropics_stream_for_openais_caller(self):
        options = {"stream_options": {"include_usage": True}}
        request = openai(**options)
        stream, _ = translated(MESSAGES_STREAM, MESSAGES, CHAT_COMPLETIONS, request)
        assert stream.endswith(b"data: [DONE]\n\n")
        read = [
            ChatCompletionChunk.model_validate_json(line[6:], strict=True)
            for line in stream.split(b"\n")
            if line[:7] == b"data: {"
        ]
        deltas = [chunk.choices[0].delta for chunk in read if chunk.choices]
        assert "".join(delta.content or "" for delta in deltas) == "Let me look."
        assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas) == "hm"
        arguments: dict[int, str] = {}
        for fragment in (call for delta in deltas for call in delta.tool_calls or ()):
            text = arguments.get(fragment.index, "") + fragment.function.arguments
            arguments[fragment.index] = text
        assert {index: json.loads(text) for index, text in arguments.items()} == {
            0: {"city": "Oslo"},
            1: {},
        }
        assert {chunk.id for chunk in read} == {"msg_1"}
        assert read[-2].choices[0].finish_reason == "tool_calls"
        assert (read[-1].usage.prompt_tokens, read[-1].usage.completion_tokens) == (100, 10)
        assert read[-1].usage.prompt_tokens_details.cached_tokens == 60

    @pytest.mark.parametrize(
        ("pieces", "source", "thought"),
        [(MESSAGES_STREAM, MESSAGES, ["hm"]), (CHAT_STREAM, CHAT_COMPLETIONS, [])],
    )
    def test_a_stream_for_a_caller_of_responses(self, pieces, source, thought):
        stream, _ = translated(pieces, source, RESPONSES, responses())
        read = [
            RESPONSE_EVENTS.validate_json(line[6:], strict=True)
            for line in stream.split(b"\n")
            if line[:6] == b"data: "
        ]
        assert [event.sequence_number for event in read] == list(range(len(read)))
        last = read[-1]
        assert last.type == "response.completed"
        *thoughts, said, first, second = last.response.output
        assert [item.summary[0].text for item in thoughts] == thought
        assert said.content[0].text == "Let me look."
        assert [json.loads(call.arguments) for call in (first, second)] == [{"city": "Oslo"}, {}]
        assert (first.name, second.name) == ("weather", "now")
        usage = last.response.usage
        assert (usage.input_tokens, usage.output_tokens) == (100, 10)
        assert usage.input_tokens_details.cached_tokens == 60
        deltas = [event.delta for event in read if event.type == "response.output_text.delta"]
        assert deltas == ["Let me ", "look."]

    def test_a_stream_of_responses_for_anthropics_caller(self):
        stream, _ = translated(RESPONSES_STREAM, RESPONSES, MESSAGES, anthropic())
        read = [
            EVENTS.validate_json(line[6:]) for line in stream.split(b"\n") if line[:6] == b"data: "
        ]
        starts = [event.content_block for event in read if event.type == "content_block_start"]
        assert [block.type for block in starts] == ["text", "tool_use", "tool_use"]
        assert [block.id for block in starts[1:]] == ["call_1", "call_2"]
        (last,) = [event for event in read if event.type == "message_delta"]
        assert last.delta.stop_reason == "tool_use"
        assert (last.usage.input_tokens, last.usage.output_tokens) == (40, 10)

    def test_a_stream_of_responses_for_chat_completions_caller(self):
        request = openai(stream_options={"include_usage": True})
        stream, _ = translated(RESPONSES_STREAM, RESPONSES, CHAT_COMPLETIONS, request)
        read = [
            ChatCompletionChunk.model_validate_json(line[6:], strict=True)
            for line in stream.split(b"\n")
            if line[:7] == b"data: {"
        ]
        deltas = [chunk.choices[0].delta for chunk in read if chunk.choices]
        assert "".join(delta.content or "" for delta in deltas) == "Let me look."
        ids = [call.id for delta in deltas for call in delta.tool_calls or () if call.id]
        assert ids == ["call_1", "call_2"]
        assert read[-2].choices[0].finish_reason == "tool_calls"
        assert read[-1].usage.prompt_tokens == 100
        assert {chunk.created for chunk in read} == {17}

    @pytest.mark.parametrize(
        ("pieces", "source", "target", "request_of", "terminal"),
        [
            (CHAT_STREAM, CHAT_COMPLETIONS, MESSAGES, anthropic, b"message_stop"),
            (MESSAGES_STREAM, MESSAGES, CHAT_COMPLETIONS, openai, b"[DONE]"),
            (RESPONSES_STREAM, RESPONSES, MESSAGES, anthropic, b"message_stop"),
            (RESPONSES_STREAM, RESPONSES, CHAT_COMPLETIONS, openai, b"[DONE]"),
            (MESSAGES_STREAM, MESSAGES, RESPONSES, responses, b"response.completed"),
            (CHAT_STREAM, CHAT_COMPLETIONS, RESPONSES, responses, b"response.completed"),
        ],
    )
    def test_a_stream_that_breaks_anywhere_never_looks_whole(
        self, pieces, source, target, request_of, terminal
    ):
        request = request_of()
        # The last pieces (usage, terminal signals) may be missing from streams that are whole.
        for cut in range(len(pieces) - 3):
            stream, events = translated(pieces[:cut], source, target, request)
            assert isinstance(events[-1], Failed)
            assert terminal not in stream
        stream, events = translated(pieces, source, target, request)
        assert isinstance(events[-1], Ended)
        assert terminal in stream
