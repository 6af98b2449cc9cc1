"""The shapes of what passes through: only what is looked at."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["ABSENT", "AnyDelta", "MessagesEnvelope", "PassingEvent"]


_Something = Annotated[str, msgspec.Meta(min_length=1)]


class _Text(msgspec.Struct, tag_field="type", tag="text_delta", gc=False):
    text: _Something


class _Thought(msgspec.Struct, tag_field="type", tag="thinking_delta", gc=False):
    thinking: _Something


class _Arguments(msgspec.Struct, tag_field="type", tag="input_json_delta", gc=False):
    partial_json: _Something


class AnyDelta(msgspec.Struct, tag_field="type", tag="content_block_delta", gc=False):
    """A delta as the vendor writes it, that adds something: what, does not matter."""

    index: int
    delta: _Text | _Thought | _Arguments


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw()


class PassingEvent(msgspec.Struct):
    """Any other event."""

    type: str = ""
    index: int = -1
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


#: A field that is not there.
ABSENT = msgspec.Raw()


class MessagesEnvelope(msgspec.Struct, gc=False):
    """What of a request the relay must know before it chooses a target."""

    model: str
    messages: list[msgspec.Raw]
    max_tokens: int
    stream: bool | None = None
    stop_sequences: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    top_k: msgspec.Raw = ABSENT
    thinking: msgspec.Raw = ABSENT
    output_config: msgspec.Raw = ABSENT
    output_format: msgspec.Raw = ABSENT
