"""What a response is made of, as it is written: items, the object around them, usage.

What only echoes the request (`tools`, `temperature` …) stands at its default: callers know what
they asked for. `store` is false: what a substitute answered is kept by nobody, so its id is of no
use as a `previous_response_id`.
"""

from __future__ import annotations

from collections.abc import Sequence

from understudy.core.conversation import Usage

__all__ = [
    "Json",
    "call_item",
    "message_item",
    "reasoning_item",
    "refusal_part",
    "response_head",
    "response_tail",
    "summary_part",
    "text_part",
    "usage_json",
]

Json = dict[str, object]


def text_part(text: str) -> Json:
    """Text of a message."""
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> Json:
    """A refusal in words."""
    return {"type": "refusal", "refusal": text}


def summary_part(text: str) -> Json:
    """A summary of reasoning, the form in which callers are shown any."""
    return {"type": "summary_text", "text": text}


def message_item(item_id: str, status: str, content: Sequence[object]) -> Json:
    """A message. `status`: in_progress, completed or incomplete."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "content": content,
        "role": "assistant",
    }


def call_item(item_id: str, status: str, call_id: str, name: str, arguments: str) -> Json:
    """A call of a function. `call_id` is what its output refers to."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": call_id,
        "name": name,
    }


def reasoning_item(item_id: str, summary: Sequence[object]) -> Json:
    """Reasoning, without the encrypted form that only its own vendor can write and read."""
    return {"id": item_id, "type": "reasoning", "summary": summary}


def response_head(response_id: str, model: str, created: int) -> Json:
    """What of a response stands from its beginning. `created` is in Unix seconds."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "store": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def response_tail(
    status: str, reason: str | None, output: Sequence[object], usage: Usage | None
) -> Json:
    """What of a response is known at its end only, to be laid over the head."""
    return {
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": None if usage is None else usage_json(usage),
    }


def usage_json(usage: Usage) -> Json:
    """OpenAI's `usage` object."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
