"""What one server-sent event of this dialect holds: the way from an event's bytes to JSON.

The dialect is `data: {chunk}` events and a last `data: [DONE]`. Around it stand a few habits of
servers: `event: error`, llama.cpp's `error: {…}` field, and an HTML page or a bare JSON body
where a stream was promised.
"""

from __future__ import annotations

from typing import Final

from understudy.core.conversation import Usage
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.base import ReadError
from understudy.dialects.chat_completions.wire import Chunk, LenientDecoder, WireUsage, is_error
from understudy.dialects.sse import parse_event

__all__ = [
    "DONE",
    "MAX_CHOICES",
    "decode_chunk",
    "error_fault",
    "malformed",
    "payload_of",
    "tail_fault",
    "usage_of",
]

DONE: Final = b"[DONE]"

#: The API takes `n` up to this (API reference): more choices are no answer, and no memory for us.
MAX_CHOICES: Final = 128

_CHUNKS: Final = LenientDecoder(Chunk)


def payload_of(raw: bytes) -> tuple[bytes, bool] | None:
    """The payload of one whole event, as `SseSplitter` returns it.

    Returns:
        The JSON (or `[DONE]`), and whether it comes in a place where only errors come. None where
        there is nothing to read: a comment.
    """
    event = parse_event(raw)
    if event.data is not None:
        data = event.data.strip()
        return (data, event.event == "error") if data else None
    stripped = raw.strip()
    if stripped.startswith(b"error:"):
        return stripped[6:].strip(), True
    return (stripped, True) if stripped[:1] in {b"<", b"{"} else None


def decode_chunk(payload: bytes) -> Chunk:
    """The chunk that a payload holds.

    Raises:
        ValueError: not UTF-8, not JSON, or nothing like a chunk.
    """
    if not payload.isascii():
        payload.decode()  # What the decoder skips, it does not check.
    chunk = _CHUNKS.decode(payload)
    if any(not 0 <= choice.index < MAX_CHOICES for choice in chunk.choices or ()):
        raise ValueError("a choice out of range")
    return chunk


def error_fault(payload: bytes, read_error: ReadError) -> Fault:
    """The fault that stands in a place of errors; MALFORMED where no error can be read there."""
    try:
        chunk = decode_chunk(payload)
    except ValueError:
        return malformed("not an event stream")
    if chunk.choices is not None and not is_error(chunk):
        return malformed("a bare body where a stream was promised")
    return read_error(payload)


def tail_fault(pending: bytes, read_error: ReadError) -> Fault | None:
    """The error in a last event that its server did not close with an empty line, if it is one."""
    read = payload_of(pending.rstrip() + b"\n\n")
    if read is None:
        return None
    try:
        return read_error(read[0]) if is_error(decode_chunk(read[0])) else None
    except ValueError:
        return None


def malformed(message: str) -> Fault:
    """The provider did not speak the dialect."""
    return Fault(kind=Kind.MALFORMED, scope=Scope.PROVIDER, status=200, message=message)


def usage_of(usage: WireUsage | None) -> Usage | None:
    """Usage in the core's words; OpenAI counts as the core does."""
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    if prompt is None and completion is None:
        return Usage(input=usage.prompt_tokens or 0, output=usage.completion_tokens or 0)
    return Usage(
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cache_read=(prompt.cached_tokens or 0) if prompt is not None else 0,
        cache_write=(prompt.cache_write_tokens or 0) if prompt is not None else 0,
        reasoning=(completion.reasoning_tokens or 0) if completion is not None else 0,
    )
