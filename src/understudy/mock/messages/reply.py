"""Writes answers and errors of Anthropic's messages API.

https://platform.claude.com/docs/en/api/messages, …/build-with-claude/streaming, …/api/errors.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.mock import models, tokens
from understudy.mock.allowance import Allowance
from understudy.mock.ask import Ask, Composition
from understudy.mock.errors import ErrorSpec
from understudy.mock.ids import Ids, sign
from understudy.mock.messages import limits
from understudy.mock.reply import Frame, Headers, Stage

__all__ = [
    "PING",
    "error_body",
    "error_event",
    "event",
    "frames",
    "headers",
    "model_list",
    "whole",
]

_ENCODER = msgspec.json.Encoder()
_JSON_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

_STOP_REASONS = {
    "end": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_use": "tool_use",
    "refused": "refusal",
}


def event(name: str, data: Mapping[str, object]) -> bytes:
    """One event of a stream."""
    return b"event: " + name.encode() + b"\ndata: " + _ENCODER.encode(data) + b"\n\n"


PING = event("ping", {"type": "ping"})


def headers(request_id: str, allowance: Allowance) -> Headers:
    """The vendor's headers."""
    return (
        ("request-id", request_id),
        ("anthropic-organization-id", "0d8e1f5c-2a3b-4c6d-9e7f-5a1b2c3d4e5f"),
        *limits.headers(allowance),
    )


def error_body(spec: ErrorSpec, request_id: str) -> bytes:
    """The error envelope."""
    return _ENCODER.encode(_error(spec) | {"request_id": request_id})


def error_event(spec: ErrorSpec, number: int) -> bytes:
    """The error as an event inside a stream; nothing follows it."""
    return event("error", _error(spec))


def _error(spec: ErrorSpec) -> dict[str, object]:
    error: dict[str, object] = {"type": spec.type, "message": spec.message}
    if spec.details is not None:
        error = {"details": spec.details, **error}
    return {"type": "error", "error": error}


def model_list() -> bytes:
    """`GET /v1/models`."""
    listed = [
        {
            "type": "model",
            "id": name,
            "display_name": title,
            "created_at": f"{released}T00:00:00Z",
            "lifecycle": "active",
            "max_input_tokens": context,
            "max_tokens": output,
        }
        for name, title, released, context, output in models.ANTHROPIC_MODELS
    ]
    ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
    return _ENCODER.encode({"data": listed, "has_more": False, **ends})


def _usage(ask: Ask, made: Composition, *, cache_hit: bool, output: int) -> dict[str, object]:
    cached = ask.cached_tokens
    written = 0 if cache_hit else cached
    usage: dict[str, object] = {
        "input_tokens": ask.input_tokens - cached,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached if cache_hit else 0,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }
    if made.thinking_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": made.thinking_tokens}
    return usage


def _ending(made: Composition) -> dict[str, object]:
    ending: dict[str, object] = {
        "stop_reason": _STOP_REASONS[made.ending],
        "stop_sequence": made.stop_sequence,
    }
    if made.ending == "refused":
        told = made.refusal or None
        ending["stop_details"] = {"type": "refusal", "category": None, "explanation": told}
    return ending


def whole(
    ask: Ask, made: tuple[Composition, ...], ids: Ids, *, created: int, cache_hit: bool
) -> bytes:
    """A whole answer."""
    answer = made[0]
    content: list[dict[str, object]] = []
    if answer.thinking:
        shown = "" if ask.thinking_hidden else answer.thinking
        content.append({"type": "thinking", "thinking": shown, "signature": sign(answer.thinking)})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for index, call in enumerate(answer.calls):
        try:
            given: object = _JSON_OBJECT.decode(call.arguments)
        except msgspec.DecodeError:
            given = {}  # Cut short by the limit: the API gives what it could read of it.
        content.append(
            {"type": "tool_use", "id": _tool_id(ids, index), "name": call.name, "input": given}
        )
    usage = _usage(ask, answer, cache_hit=cache_hit, output=answer.output_tokens)
    return _ENCODER.encode(
        _message(ask, ids) | {"content": content} | _ending(answer) | {"usage": usage}
    )


def _message(ask: Ask, ids: Ids) -> dict[str, object]:
    return {
        "id": f"msg_01{ids.text('message', 22)}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
    }


def _tool_id(ids: Ids, index: int) -> str:
    return f"toolu_01{ids.text(f'tool {index}', 22)}"


def frames(
    ask: Ask,
    made: tuple[Composition, ...],
    ids: Ids,
    *,
    created: int,
    cache_hit: bool,
    size: int,
) -> tuple[Frame, ...]:
    """A streamed answer, `size` tokens to a delta."""
    answer = made[0]
    usage = _usage(ask, answer, cache_hit=cache_hit, output=min(answer.output_tokens, 1))
    start = _message(ask, ids) | {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    told = [
        Frame(event("message_start", {"type": "message_start", "message": start}), Stage.OPENING),
        Frame(PING, Stage.OPENING),
    ]
    index = 0
    if answer.thinking:
        told += _thinking_frames(ask, answer, index, size)
        index += 1
    if answer.text:
        told += _text_frames(answer.text, index, size)
        index += 1
    for number, call in enumerate(answer.calls):
        block = {
            "type": "tool_use",
            "id": _tool_id(ids, number),
            "name": call.name,
            "input": {},
        }
        told += _tool_frames(block, call.arguments, index, size)
        index += 1
    final = _usage(ask, answer, cache_hit=cache_hit, output=answer.output_tokens)
    del final["service_tier"], final["cache_creation"]
    delta = {"type": "message_delta", "delta": _ending(answer), "usage": final}
    told.append(Frame(event("message_delta", delta), Stage.CLOSING))
    told.append(Frame(event("message_stop", {"type": "message_stop"}), Stage.TERMINAL))
    return tuple(told)


def _block(
    index: int, block: Mapping[str, object], stage: Stage, deltas: list[Frame]
) -> list[Frame]:
    start = {"type": "content_block_start", "index": index, "content_block": block}
    stop = {"type": "content_block_stop", "index": index}
    return [
        Frame(event("content_block_start", start), stage),
        *deltas,
        Frame(event("content_block_stop", stop), stage),
    ]


def _delta(index: int, delta: Mapping[str, object], stage: Stage, count: int) -> Frame:
    data = {"type": "content_block_delta", "index": index, "delta": delta}
    return Frame(event("content_block_delta", data), stage, count)


def _thinking_frames(ask: Ask, answer: Composition, index: int, size: int) -> list[Frame]:
    deltas = []
    if not ask.thinking_hidden:
        deltas = [
            _delta(index, {"type": "thinking_delta", "thinking": piece}, Stage.THINKING, count)
            for piece, count in tokens.group(answer.thinking, size)
        ]
    signature = {"type": "signature_delta", "signature": sign(answer.thinking)}
    deltas.append(_delta(index, signature, Stage.THINKING, 0))
    block: Mapping[str, object] = {"type": "thinking", "thinking": "", "signature": ""}
    return _block(index, block, Stage.THINKING, deltas)


def _text_frames(text: str, index: int, size: int) -> list[Frame]:
    deltas = [
        _delta(index, {"type": "text_delta", "text": piece}, Stage.TEXT, count)
        for piece, count in tokens.group(text, size)
    ]
    return _block(index, {"type": "text", "text": ""}, Stage.TEXT, deltas)


def _tool_frames(block: Mapping[str, object], arguments: str, index: int, size: int) -> list[Frame]:
    first: dict[str, object] = {"type": "input_json_delta", "partial_json": ""}
    deltas = [_delta(index, first, Stage.TOOL, 0)]
    deltas += [
        _delta(index, {"type": "input_json_delta", "partial_json": piece}, Stage.TOOL, count)
        for piece, count in tokens.group(arguments, size)
    ]
    return _block(index, block, Stage.TOOL, deltas)
