"""Requests, events and streams that the tests of the messages dialect share."""

from __future__ import annotations

import json
from typing import Any

from understudy.core.conversation import Message, Request, Text
from understudy.core.faults import Fault, Kind, Scope

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 1,
}


def read_error(body: bytes) -> Fault:
    """A provider's table, as far as a dialect's tests need one: shows what it was given."""
    return Fault(
        kind=Kind.OVERLOAD, scope=Scope.MODEL, status=200, message=body.decode("utf-8", "replace")
    )


def body_of(messages: Any = None, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": "hello"}] if messages is None else messages
    return json.dumps(
        {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": messages, **fields}
    ).encode()


def asks(*messages: Message, **fields: Any) -> Request:
    turns = messages or (Message(role="user", parts=(Text(text="hello"),)),)
    fields = {"model": "caller-model", "max_tokens": 100, **fields}
    return Request(messages=turns, **fields)


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def message_start(**fields: Any) -> bytes:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": USAGE,
    }
    return event("message_start", message=message | fields)


def block_start(index: int = 0, **block: Any) -> bytes:
    return event(
        "content_block_start", index=index, content_block=block or {"type": "text", "text": ""}
    )


def delta(index: int = 0, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def text(said: str = "hi", index: int = 0) -> bytes:
    return delta(index, type="text_delta", text=said)


def block_stop(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


def message_delta(reason: str | None = "end_turn", **fields: Any) -> bytes:
    return event(
        "message_delta",
        delta={"stop_reason": reason, "stop_sequence": None},
        **({"usage": {"output_tokens": 7}} | fields),
    )


MESSAGE_STOP = event("message_stop")
PING = event("ping")
TAIL = [message_delta(), MESSAGE_STOP]

TEXT_STREAM = [
    message_start(),
    block_start(),
    PING,
    text("Hel"),
    text("lo \u00e9\U0001f600"),
    block_stop(),
    *TAIL,
]

FULL_STREAM = [
    b": a comment\n\n",
    message_start(),
    block_start(0, type="thinking", thinking="", signature=""),
    delta(0, type="thinking_delta", thinking="hm"),
    delta(0, type="signature_delta", signature="c2ln"),
    block_stop(0),
    block_start(1, type="redacted_thinking", data="ZGF0YQ=="),
    block_stop(1),
    PING,
    block_start(2, type="text", text=""),
    text("I'll ask.", 2),
    delta(2, type="citations_delta", citation={"type": "char_location"}),
    block_stop(2),
    block_start(3, type="tool_use", id="toolu_1", name="weather", input={}),
    delta(3, type="input_json_delta", partial_json=""),
    delta(3, type="input_json_delta", partial_json='{"city":'),
    delta(3, type="input_json_delta", partial_json='"Paris"}'),
    block_stop(3),
    message_delta("tool_use", usage={"output_tokens": 42, "input_tokens": None}),
    MESSAGE_STOP,
]
