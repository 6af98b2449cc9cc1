"""The shapes of what a vendor sends, and of a caller's past turns: only what is looked at.

They forgive what the strict shapes of a request (`wire`) do not: an unknown field or tag is read
over. msgspec reads these annotations at run time, so this module is never compiled: mypyc keeps no
annotation that is a union or has parameters.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "AnswerBlock",
    "Count",
    "ErrorShape",
    "Kind",
    "LightAnswer",
    "LightBlock",
    "OutputKind",
    "PastBlock",
    "PastText",
    "PastTextTurn",
    "PastTurn",
    "PlainAnswer",
    "StreamBlock",
    "StreamEvent",
    "WholeAnswer",
    "WireUsage",
]


class Kind(msgspec.Struct):
    """Anything that names its kind."""

    type: str = ""


class ErrorShape(msgspec.Struct):
    """An error, or what may be one."""

    type: str = ""
    error: msgspec.Raw = msgspec.Raw()


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """`usage` as it comes. Every field may be absent or null in `message_delta`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


# -- whole answers


class AnswerBlock(msgspec.Struct):
    """A block of an answer. `input` is a tool call's."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class WholeAnswer(msgspec.Struct):
    """A message."""

    content: list[AnswerBlock]
    type: str = ""
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class PlainText(msgspec.Struct, gc=False):
    """A block of text."""

    type: Literal["text"]
    text: str


class LightBlock(msgspec.Struct):
    """A block of an answer that passes."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None


class LightAnswer(msgspec.Struct):
    """A message that passes."""

    type: str = ""
    content: list[LightBlock] | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class PlainAnswer(msgspec.Struct, gc=False):
    """The common case of a whole answer: one block of text, an end, a count, and no error."""

    id: str
    model: str
    content: tuple[PlainText]
    stop_reason: str
    usage: WireUsage
    stop_sequence: str | None = None
    type: Literal["message"] = "message"
    error: None = None


class Count(msgspec.Struct):
    """The answer of `count_tokens`."""

    type: str = ""
    input_tokens: int | None = None
    error: msgspec.Raw = msgspec.Raw()


# -- streams


class _StreamDelta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class StreamBlock(msgspec.Struct):
    """A block as it begins."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _StreamMessage(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: msgspec.Raw = msgspec.Raw()


class StreamEvent(msgspec.Struct):
    """Any event of a stream."""

    type: str = ""
    index: int = -1
    delta: _StreamDelta | None = None
    content_block: StreamBlock | None = None
    message: _StreamMessage | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


# -- what a caller sends back


class OutputKind(msgspec.Struct):
    """Of `output_config` whether it asks for structured output."""

    format: msgspec.Raw = msgspec.Raw()


class PastTurn(msgspec.Struct):
    """A turn so far."""

    role: str = ""
    content: msgspec.Raw = msgspec.Raw()


class PastBlock(msgspec.Struct):
    """A block of one, and what makes a thought of it valid."""

    type: str = ""
    signature: str | None = None
    data: str | None = None


class PastText(msgspec.Struct):
    """The text of one."""

    type: str = ""
    text: str = ""


class PastTextTurn(msgspec.Struct):
    """A turn so far, of whose blocks only the text matters."""

    role: str = ""
    content: str | list[PastText] = ""
