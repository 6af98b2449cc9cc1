"""Requests, chunks and streams that the tests of chat completions share."""

from __future__ import annotations

import json
from typing import Any

from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.chat_completions import CHAT_COMPLETIONS

DONE = b"data: [DONE]\n\n"


def read_error(body: bytes) -> Fault:
    """A provider's table, as far as a dialect's tests need one: shows what it was given."""
    return Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL, status=200, message=body.decode())


def body_of(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "gpt-5.2", "messages": list(messages), **fields}).encode()


def user(content: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def parse(*messages: Any, **fields: Any):
    return CHAT_COMPLETIONS.parse_request(body_of(*messages, **fields))


def event(payload: Any) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def chunk(delta: Any = None, finish: str | None = None, *, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "gpt-5.2",
            "choices": [choice],
            **fields,
        }
    )


def call(
    index: int | None = 0,
    *,
    tool_id: str | None = None,
    name: str | None = None,
    arguments: Any = None,
) -> dict[str, Any]:
    """A fragment of a tool call with just the fields that are given."""
    function = {"name": name, "arguments": arguments}
    fragment: dict[str, Any] = {"index": index, "id": tool_id}
    fragment["function"] = {key: value for key, value in function.items() if value is not None}
    return {key: value for key, value in fragment.items() if value is not None}


USAGE_CHUNK = event(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-5.2",
        "choices": [],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 12},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
)

TEXT_STREAM = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo ☃"}),
    chunk({}, "stop"),
    USAGE_CHUNK,
    DONE,
)

TOOL_STREAM = (
    chunk({"role": "assistant", "content": None, "reasoning_content": "hm"}),
    chunk({"content": "Let me see."}),
    chunk({"tool_calls": [call(0, tool_id="call_a", name="weather", arguments="")]}),
    chunk({"tool_calls": [call(0, arguments='{"city":')]}),
    chunk({"tool_calls": [call(0, arguments='"Oslo"}')]}),
    chunk({"tool_calls": [call(1, tool_id="call_b", name="time", arguments="{}")]}),
    chunk({}, "tool_calls"),
    DONE,
)
