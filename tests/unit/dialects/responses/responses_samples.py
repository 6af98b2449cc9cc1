"""Requests, events and streams that the tests of the Responses API share."""

from __future__ import annotations

import json
from typing import Any

from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from understudy.core.conversation import Request, Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.responses import RESPONSES

SDK_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ASKED = Request(model="gpt-5.2", messages=(), stream=True)
DONE = b"data: [DONE]\n\n"


def read_error(body: bytes) -> Fault:
    """A provider's table, as far as a dialect's tests need one: shows what it was given."""
    return Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL, status=200, message=body.decode())


def body_of(wanted: Any = "hello", **fields: Any) -> bytes:
    return json.dumps({"model": "gpt-5.2", "input": wanted, **fields}).encode()


def parse(wanted: Any = "hello", **fields: Any) -> Request:
    return RESPONSES.parse_request(body_of(wanted, **fields))


def user(content: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def call(call_id: str = "call_1", name: str = "f", arguments: str = "{}", **fields: Any) -> Any:
    kind = {"type": "function_call", "call_id": call_id, "name": name}
    return {**kind, "arguments": arguments, **fields}


def returned(output: Any, call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def event(kind: str, number: int | None = None, **fields: Any) -> bytes:
    counted = {} if number is None else {"sequence_number": number}
    payload = json.dumps({"type": kind, **counted, **fields})
    return f"event: {kind}\ndata: {payload}\n\n".encode()


def numbered(*kinds_and_fields: tuple[str, dict[str, Any]]) -> tuple[bytes, ...]:
    return tuple(event(kind, n, **fields) for n, (kind, fields) in enumerate(kinds_and_fields))


def response(status: str = "in_progress", **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be kind.",
        "metadata": {"a": "b"},
        "model": "gpt-5.2",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
        **fields,
    }


USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 3},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}


def message(text: str, status: str = "completed", item_id: str = "msg_1") -> dict[str, Any]:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    content = [part] if text else []
    head = {"id": item_id, "type": "message", "status": status}
    return {**head, "content": content, "role": "assistant"}


def reasoning(text: str = "", **fields: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": "rs_1", "type": "reasoning", "summary": summary, **fields}


def opening(**fields: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("response.created", {"response": response(**fields)}),
        ("response.in_progress", {"response": response(**fields)}),
    ]


def text_item(
    *texts: str, index: int = 0, item_id: str = "msg_1"
) -> list[tuple[str, dict[str, Any]]]:
    """A message as OpenAI streams it."""
    at = {"item_id": item_id, "output_index": index, "content_index": 0}
    whole = "".join(texts)
    empty = message("", "in_progress", item_id)
    return [
        ("response.output_item.added", {"output_index": index, "item": empty}),
        ("response.content_part.added", {**at, "part": _part("")}),
        *(("response.output_text.delta", {**at, "delta": t, "logprobs": []}) for t in texts),
        ("response.output_text.done", {**at, "text": whole, "logprobs": []}),
        ("response.content_part.done", {**at, "part": _part(whole)}),
        (
            "response.output_item.done",
            {"output_index": index, "item": message(whole, item_id=item_id)},
        ),
    ]


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def call_item(*pieces: str, index: int, call_id: str, name: str = "weather") -> Any:
    """A function call as OpenAI streams it."""
    mark = f"fc_{index}"
    at = {"item_id": mark, "output_index": index}
    whole = call(call_id, name, "".join(pieces), id=mark, status="completed")
    begun = call(call_id, name, "", id=mark, status="in_progress")
    said = "response.function_call_arguments"
    return [
        ("response.output_item.added", {"output_index": index, "item": begun}),
        *((f"{said}.delta", {**at, "delta": piece}) for piece in pieces),
        (f"{said}.done", {**at, "arguments": "".join(pieces)}),
        ("response.output_item.done", {"output_index": index, "item": whole}),
    ]


def reasoning_item(*texts: str, index: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Reasoning with one summary, as OpenAI streams it."""
    at = {"item_id": "rs_1", "output_index": index, "summary_index": 0}
    whole = "".join(texts)
    said, about = "response.reasoning_summary_text", "response.reasoning_summary_part"
    part = {"type": "summary_text", "text": ""}
    return [
        ("response.output_item.added", {"output_index": index, "item": reasoning()}),
        (f"{about}.added", {**at, "part": part}),
        *((f"{said}.delta", {**at, "delta": text}) for text in texts),
        (f"{said}.done", {**at, "text": whole}),
        (f"{about}.done", {**at, "part": {**part, "text": whole}}),
        ("response.output_item.done", {"output_index": index, "item": reasoning(whole)}),
    ]


def closing(*output: Any, status: str = "completed", **fields: Any) -> Any:
    whole = response(status, output=list(output), usage=USAGE, **fields)
    return (f"response.{status}", {"response": whole})


TEXT_STREAM = numbered(*opening(), *text_item("Hel", "lo ☃"), closing(message("Hello ☃")))

CALLS = (
    call("call_a", "weather", '{"city":"Oslo"}', id="fc_2", status="completed"),
    call("call_b", "weather", "{}", id="fc_3", status="completed"),
)
TOOL_STREAM = numbered(
    *opening(),
    *reasoning_item("Let ", "me think."),
    *text_item("Let me see.", index=1),
    *call_item('{"city":', '"Oslo"}', index=2, call_id="call_a"),
    *call_item("{}", index=3, call_id="call_b"),
    closing(reasoning("Let me think."), message("Let me see."), *CALLS),
)

#: An answer in the core's words, with all kinds of blocks.
BLOCKS: list[Event] = [
    Started(id="resp_9", model="claude", created=17, usage=Usage(input=3)),
    BlockStarted(index=0, kind="thinking"),
    ThinkingDelta(0, "h"),
    ThinkingDelta(0, "m"),
    BlockStopped(0),
    BlockStarted(index=1, kind="text"),
    TextDelta(1, "Hel"),
    TextDelta(1, 'lo "☃"'),
    BlockStopped(1),
    BlockStarted(index=2, kind="refusal"),
    RefusalDelta(2, "no"),
    BlockStopped(2),
    BlockStarted(index=3, kind="tool_use", tool_id="toolu_1", tool_name="f"),
    ToolDelta(3, '{"a":'),
    ToolDelta(3, "1}"),
    BlockStopped(3),
    BlockStarted(index=4, kind="tool_use", tool_id="toolu_2", tool_name="g"),
    ToolDelta(4, "{}"),
    BlockStopped(4),
    BlockStarted(index=5, kind="text"),
    TextDelta(5, "bye"),
    BlockStopped(5),
    Finished(stop=Stop.REFUSED),
    UsageSeen(Usage(input=3, output=4, cache_read=1, cache_write=1, reasoning=2)),
    Ended(),
]


def events_of(stream: bytes) -> list[Any]:
    """Every event, judged by the SDK's types."""
    return [
        SDK_EVENTS.validate_json(block.split(b"data: ", 1)[1], strict=True)
        for block in stream.split(b"\n\n")
        if block and not block.startswith(b":")
    ]


def parsed(stream: bytes) -> list[Event]:
    parser = RESPONSES.stream_parser(read_error)
    return parser.feed(stream) + parser.finish()
