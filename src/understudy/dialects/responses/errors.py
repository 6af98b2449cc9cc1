"""Errors as OpenAI words them: the bodies are those of chat completions, the event is its own.

The reference documents the `error` event of a stream as flat (`code`, `message`, `param`,
`sequence_number`); the API sends an `error` object in it (openai/openai-dotnet#881), and the
official SDKs raise only where that stands (openai-python `_streaming.py`, openai-node
`core/streaming.ts`). The event here has both, so that every reader finds what it looks for.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.base import ErrorView
from understudy.dialects.chat_completions.errors import render_error

__all__ = ["render_error", "render_stream_error"]


class _Body(msgspec.Struct):
    error: dict[str, object]


_BODY = msgspec.json.Decoder(_Body)


def render_stream_error(view: ErrorView) -> bytes:
    """The event of an error inside a stream; no terminal event follows it.

    SDKs want a number there; it is 0 where nobody knows how far the stream had come.
    """
    error = _BODY.decode(render_error(view)).error
    event = {
        "type": "error",
        "sequence_number": view.number,
        "code": error["code"],
        "message": error["message"],
        "param": error["param"],
        "error": error,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"
