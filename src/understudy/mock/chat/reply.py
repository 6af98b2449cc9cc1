"""Writes answers of OpenAI's chat completions.

https://developers.openai.com/api/reference/resources/chat.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.mock import tokens
from understudy.mock.ask import Ask, Composition
from understudy.mock.errors import ErrorSpec
from understudy.mock.ids import Ids
from understudy.mock.openai.vendor import error_object
from understudy.mock.reply import Frame, Stage

__all__ = ["DONE", "error_event", "event", "frames", "whole"]

_ENCODER = msgspec.json.Encoder()

_FINISH = {
    "end": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_use": "tool_calls",
    "refused": "content_filter",
}
DONE = b"data: [DONE]\n\n"


def event(data: Mapping[str, object]) -> bytes:
    """One event of a stream."""
    return b"data: " + _ENCODER.encode(data) + b"\n\n"


def error_event(spec: ErrorSpec, number: int) -> bytes:
    """The error as an event inside a stream."""
    return event({"error": error_object(spec)})


def _usage(ask: Ask, made: tuple[Composition, ...], *, cache_hit: bool) -> dict[str, object]:
    output = sum(choice.output_tokens for choice in made)
    return {
        "prompt_tokens": ask.input_tokens,
        "completion_tokens": output,
        "total_tokens": ask.input_tokens + output,
        "prompt_tokens_details": {
            "cached_tokens": ask.cached_tokens if cache_hit else 0,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(choice.thinking_tokens for choice in made),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _head(ask: Ask, ids: Ids, kind: str, created: int) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{ids.text('completion', 29)}",
        "object": kind,
        "created": created,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_understudy",
    }


def _call_id(ids: Ids, choice: int, index: int) -> str:
    return f"call_{ids.text(f'call {choice} {index}', 24)}"


def whole(
    ask: Ask, made: tuple[Composition, ...], ids: Ids, *, created: int, cache_hit: bool
) -> bytes:
    """A whole answer."""
    choices = []
    for number, answer in enumerate(made):
        message: dict[str, object] = {
            "role": "assistant",
            "content": None if answer.calls and not answer.text else answer.text,
            "refusal": answer.refusal or None,
            "annotations": [],
        }
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if answer.calls:
            message["tool_calls"] = [
                {
                    "id": _call_id(ids, number, index),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for index, call in enumerate(answer.calls)
            ]
        choices.append(
            {
                "index": number,
                "message": message,
                "logprobs": None,
                "finish_reason": _FINISH[answer.ending],
            }
        )
    head = _head(ask, ids, "chat.completion", created)
    return _ENCODER.encode(
        head | {"choices": choices, "usage": _usage(ask, made, cache_hit=cache_hit)}
    )


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
    writer = _Chunks(ask, _head(ask, ids, "chat.completion.chunk", created))
    told: list[Frame] = []
    for number in range(len(made)):
        opening = {"role": "assistant", "content": "", "refusal": None}
        told.append(writer.chunk(number, opening, Stage.OPENING))
    for number, answer in enumerate(made):
        told += _content(writer, number, answer, ids, size)
    for number, answer in enumerate(made):
        told.append(writer.chunk(number, {}, Stage.CLOSING, finish=_FINISH[answer.ending]))
    if ask.include_usage:
        told.append(writer.usage(_usage(ask, made, cache_hit=cache_hit)))
    told.append(Frame(DONE, Stage.TERMINAL))
    return tuple(told)


class _Chunks:
    """Writes chunks that share a head."""

    def __init__(self, ask: Ask, head: dict[str, object]) -> None:
        self._tail: dict[str, object] = {"usage": None} if ask.include_usage else {}
        self._head = head

    def chunk(
        self,
        choice: int,
        delta: Mapping[str, object],
        stage: Stage,
        count: int = 0,
        *,
        finish: str | None = None,
    ) -> Frame:
        """One chunk with one choice."""
        told = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Frame(event(self._head | {"choices": [told]} | self._tail), stage, count)

    def usage(self, usage: dict[str, object]) -> Frame:
        """The last chunk, which has no choice."""
        return Frame(event(self._head | {"choices": [], "usage": usage}), Stage.CLOSING)


def _content(writer: _Chunks, number: int, answer: Composition, ids: Ids, size: int) -> list[Frame]:
    told = [
        writer.chunk(number, {"reasoning_content": piece}, Stage.THINKING, count)
        for piece, count in tokens.group(answer.thinking, size)
    ]
    told += [
        writer.chunk(number, {"content": piece}, Stage.TEXT, count)
        for piece, count in tokens.group(answer.text, size)
    ]
    if answer.refusal:
        count = tokens.count(answer.refusal)
        told.append(writer.chunk(number, {"refusal": answer.refusal}, Stage.TEXT, count))
    for index, call in enumerate(answer.calls):
        first: dict[str, object] = {
            "index": index,
            "id": _call_id(ids, number, index),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        told.append(writer.chunk(number, {"tool_calls": [first]}, Stage.TOOL))
        for piece, count in tokens.group(call.arguments, size):
            more = {"index": index, "function": {"arguments": piece}}
            told.append(writer.chunk(number, {"tool_calls": [more]}, Stage.TOOL, count))
    return told
