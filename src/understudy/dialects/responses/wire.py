"""The shapes of answers: whole responses, and the events of streamed ones.

They name only what is needed, and they forgive: servers that imitate the API differ in what is
null, absent or of another type. A value that does not fit is taken as not given (`LenientDecoder`);
only what is no JSON object at all is an error.
"""

from __future__ import annotations

from typing import Any

import msgspec

from understudy.core.conversation import Usage
from understudy.dialects.chat_completions.wire import UNREADABLE, LenientDecoder

__all__ = [
    "CALLERS_TOOLS",
    "UNREADABLE",
    "Item",
    "Part",
    "RawEvent",
    "Response",
    "StreamEvent",
    "TextDelta",
    "WireUsage",
    "arguments_of",
    "decode_event",
    "decode_response",
    "holds_content",
    "is_foreign",
    "reason_of",
    "refuses",
    "usage_of",
]

#: Items that the core has words for.
_KNOWN = frozenset({"function_call", "message", "reasoning"})

#: Items that ask the caller to run something. All others run at the provider, or nowhere.
CALLERS_TOOLS = frozenset(
    {
        "apply_patch_call",
        "computer_call",
        "custom_tool_call",
        "function_call",
        "local_shell_call",
        "shell_call",
        "tool_search_call",
    }
)


class Part(msgspec.Struct, gc=False):
    """Part of a message's content, or of a reasoning item's content or summary."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct, gc=False):
    """One of `output`. `arguments` is JSON text; some servers send the object itself."""

    type: str = ""
    id: str | None = None
    content: list[Part] | None = None
    summary: list[Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct, gc=False):
    """`usage`: `input_tokens` counts cached tokens too."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _IncompleteDetails(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A response, whole or in the making. `output` is None where the body is none at all."""

    id: str = ""
    model: str = ""
    created_at: float = 0
    status: str | None = None
    error: Any = None
    incomplete_details: _IncompleteDetails | None = None
    output: list[Item] | None = None
    usage: WireUsage | None = None


class StreamEvent(msgspec.Struct, gc=False):
    """One event of a stream; `type` says which of the fields it has."""

    type: str = ""
    sequence_number: int | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    item: Item | None = None
    part: Part | None = None
    response: Response | None = None
    error: Any = None


class TextDelta(msgspec.Struct, tag_field="type", tag="response.output_text.delta", gc=False):
    """By far the most frequent event, once content has been seen."""

    delta: str
    sequence_number: int = 0
    error: Any = None


class RawEvent(msgspec.Struct, gc=False):
    """What of an event is kept as it was written."""

    item: msgspec.Raw = msgspec.Raw(b"null")
    part: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")


_RESPONSES = LenientDecoder(Response)
_EVENTS = LenientDecoder(StreamEvent)


def decode_response(body: bytes) -> Response:
    """A whole body.

    Raises:
        ValueError: not UTF-8, not JSON, or nothing like a response.
    """
    if not body.isascii():
        body.decode()  # What the decoder skips, it does not check.
    return _RESPONSES.decode(body)


def decode_event(payload: bytes) -> StreamEvent:
    """The JSON of one event.

    Raises:
        ValueError: not UTF-8, not JSON, or nothing like an event.
    """
    if not payload.isascii():
        payload.decode()
    return _EVENTS.decode(payload)


def arguments_of(item: Item) -> str:
    """The JSON text of a call's arguments; some servers send the object itself."""
    if isinstance(item.arguments, dict):
        return msgspec.json.encode(item.arguments).decode()
    return item.arguments or ""


def is_foreign(item: Item) -> bool:
    """Whether an output item is of a kind that no other dialect has words for."""
    return bool(item.type) and item.type not in _KNOWN


def holds_content(item: Item) -> bool:
    """Whether an output item holds anything. All but messages and reasoning do by being there."""
    if item.type not in {"message", "reasoning"}:
        return True
    parts = (*(item.content or ()), *(item.summary or ()))
    return any(part.text or part.refusal for part in parts)


def reason_of(response: Response) -> str | None:
    """Why a response is incomplete, where it says so."""
    details = response.incomplete_details
    return None if details is None else details.reason


def refuses(item: Item) -> bool:
    """Whether an output item holds a refusal in words."""
    return any(part.refusal for part in item.content or ())


def usage_of(usage: WireUsage | None) -> Usage | None:
    """Usage in the core's words; OpenAI counts as the core does."""
    if usage is None:
        return None
    taken = usage.input_tokens_details or _InputDetails()
    made = usage.output_tokens_details or _OutputDetails()
    return Usage(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        cache_read=taken.cached_tokens or 0,
        cache_write=taken.cache_write_tokens or 0,
        reasoning=made.reasoning_tokens or 0,
    )
