"""Writes whole answers of OpenAI's Responses, and the objects that its streams carry too.

https://developers.openai.com/api/reference/resources/responses.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.mock.ask import Ask, Call, Composition
from understudy.mock.errors import ErrorSpec
from understudy.mock.ids import Ids, sign

__all__ = [
    "call",
    "call_id",
    "error_event",
    "event",
    "failed",
    "finished",
    "item_id",
    "message",
    "output_of",
    "part",
    "reasoning",
    "started",
    "whole",
]

_ENCODER = msgspec.json.Encoder()

#: Endings of an answer that is not whole, by the reason that is told.
_INCOMPLETE = {"length": "max_output_tokens", "refused": "content_filter"}


def event(data: Mapping[str, object]) -> bytes:
    """One event of a stream, named after its type."""
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + _ENCODER.encode(data) + b"\n\n"


def error_event(spec: ErrorSpec, number: int) -> bytes:
    """The error as an event inside a stream, `number` events having come before it."""
    return event(
        {
            "type": "error",
            "sequence_number": number,
            "code": spec.code or spec.type,
            "message": spec.message,
            "param": spec.param,
        }
    )


# -- the response


def started(ask: Ask, ids: Ids, created: int) -> dict[str, object]:
    """The response while it is in progress."""
    return _response(ask, ids, created, "in_progress")


def finished(
    ask: Ask, answer: Composition, ids: Ids, *, created: int, cache_hit: bool
) -> dict[str, object]:
    """The response when all of it has been said."""
    reason = _INCOMPLETE.get(answer.ending)
    response = _response(ask, ids, created, "incomplete" if reason else "completed")
    response["completed_at"] = None if reason else created
    response["incomplete_details"] = {"reason": reason} if reason else None
    response["output"] = output_of(ask, answer, ids)
    response["usage"] = _usage(ask, answer, cache_hit=cache_hit)
    return response


def failed(response: dict[str, object], code: str, text: str) -> dict[str, object]:
    """The same response as one that failed."""
    return response | {
        "status": "failed",
        "completed_at": None,
        "error": {"code": code, "message": text},
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def whole(
    ask: Ask, made: tuple[Composition, ...], ids: Ids, *, created: int, cache_hit: bool
) -> bytes:
    """A whole answer."""
    return _ENCODER.encode(finished(ask, made[0], ids, created=created, cache_hit=cache_hit))


def _response(ask: Ask, ids: Ids, created: int, status: str) -> dict[str, object]:
    return {
        "id": f"resp_{ids.hexadecimal('response', 50)}",
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": ask.model,
        "output": [],
        "service_tier": "default",
        "usage": None,
        **ask.repeated,
    }


def _usage(ask: Ask, answer: Composition, *, cache_hit: bool) -> dict[str, object]:
    return {
        "input_tokens": ask.input_tokens,
        "input_tokens_details": {
            "cached_tokens": ask.cached_tokens if cache_hit else 0,
            "cache_write_tokens": 0 if cache_hit else ask.cached_tokens,
        },
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.thinking_tokens},
        "total_tokens": ask.input_tokens + answer.output_tokens,
    }


# -- its items


def output_of(ask: Ask, answer: Composition, ids: Ids) -> list[dict[str, object]]:
    """The items of the answer, whole; the last is incomplete where a limit cut it."""
    items: list[dict[str, object]] = []
    if answer.thinking or ask.reasoning_tokens:
        items.append(reasoning(ask, answer, ids))
    if answer.text or answer.refusal:
        items.append(message(ids, [part(answer)], "completed"))
    for index, made in enumerate(answer.calls):
        items.append(call(ids, index, made, "completed"))
    if answer.ending == "length" and items and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    return items


def item_id(ids: Ids, kind: str, index: int = 0) -> str:
    """The id of an item: `rs`, `msg` or `fc`."""
    return f"{kind}_{ids.hexadecimal(f'{kind} {index}', 50)}"


def call_id(ids: Ids, index: int) -> str:
    """The id that a call's output is to name."""
    return f"call_{ids.text(f'call 0 {index}', 24)}"


def reasoning(ask: Ask, answer: Composition, ids: Ids) -> dict[str, object]:
    """The reasoning item: a summary and a seal from OpenAI's models, all of it from others."""
    item: dict[str, object] = {"id": item_id(ids, "rs"), "type": "reasoning", "summary": []}
    if not ask.reasoning_tokens:
        return item | {"content": [{"type": "reasoning_text", "text": answer.thinking}]}
    if answer.thinking:
        item["summary"] = [{"type": "summary_text", "text": answer.thinking}]
    return item | {"encrypted_content": sign(answer.thinking)}


def message(ids: Ids, content: list[dict[str, object]], status: str) -> dict[str, object]:
    """The message with the answer's text."""
    return {
        "id": item_id(ids, "msg"),
        "type": "message",
        "status": status,
        "content": content,
        "role": "assistant",
    }


def part(answer: Composition) -> dict[str, object]:
    """What the message says: the text, or a refusal."""
    if answer.refusal and not answer.text:
        return {"type": "refusal", "refusal": answer.refusal}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}


def call(ids: Ids, index: int, made: Call, status: str) -> dict[str, object]:
    """A function call."""
    return {
        "id": item_id(ids, "fc", index),
        "type": "function_call",
        "status": status,
        "arguments": made.arguments,
        "call_id": call_id(ids, index),
        "name": made.name,
    }
