"""What the relay must know of a messages request before it chooses a target."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import BadRequestError
from understudy.dialects.base import PAST_THINKING, PREFILL, SAMPLING, THINKING, Envelope
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    is_filled_array,
    require_array,
    require_model,
)
from understudy.dialects.messages.history import may_hold_thinking
from understudy.dialects.messages.passing import ABSENT, MessagesEnvelope
from understudy.dialects.messages.shapes import OutputKind

__all__ = ["read_count_envelope", "read_envelope"]


#: How a user's turn mostly begins.
_USER = (b'{"role":"user"', b'{"role": "user"')
_USERS: Final = max(map(len, _USER))


_ENVELOPE: Final = msgspec.json.Decoder(MessagesEnvelope)
_TURNS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OUTPUT: Final = msgspec.json.Decoder(OutputKind)
_EMPTY: Final = frozenset({b"", b"null"})


def read_envelope(body: bytes) -> Envelope:
    """One light decode; nothing of the conversation is read.

    `max_tokens` is required by the vendor, who takes 0 to fill a cache without an answer.

    Raises:
        BadRequestError: not a JSON object; `model`, `messages`, `max_tokens` or `stream` is wrong.
    """
    light = decode_body(_ENVELOPE, body)
    if not light.model.strip():
        require_model(decode_fields(body))
    if not light.messages:
        require_array(decode_fields(body), "messages")
    if light.max_tokens < 0:
        raise BadRequestError("max_tokens", "Expected `int` >= 0")
    return Envelope(
        model=light.model,
        stream=bool(light.stream),
        body=body,
        delicate=_delicate(light),
        has_stop=is_filled_array(light.stop_sequences),
        max_tokens=light.max_tokens,
        structured=_is_structured(light),
    )


def read_count_envelope(body: bytes) -> Envelope:
    """The same for `count_tokens`, which has neither `max_tokens` nor streams.

    Raises:
        BadRequestError: not a JSON object; `model` or `messages` is wrong.
    """
    fields = decode_fields(body)
    model = require_model(fields)
    turns = decode_body(_TURNS, require_array(fields, "messages"), "messages")
    delicate = SAMPLING | THINKING | PREFILL
    if may_hold_thinking(turns):
        delicate |= PAST_THINKING
    return Envelope(model=model, stream=False, body=body, delicate=delicate)


def _is_structured(light: MessagesEnvelope) -> bool:
    """`output_format` is the older place. What cannot be read is the vendor's to answer."""
    if light.output_format is not ABSENT and bytes(light.output_format) not in _EMPTY:
        return True
    if light.output_config is ABSENT:
        return False
    try:
        output = _OUTPUT.decode(light.output_config)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return bytes(output.format) not in _EMPTY


def _delicate(light: MessagesEnvelope) -> int:
    """What some models reject. Whether the last turn is the assistant's is seen by its first bytes:
    one that begins otherwise than a user's mostly does may be, and is looked at when it matters.
    """
    turns = light.messages
    found = 0
    if bytes(memoryview(turns[-1])[:_USERS]).startswith(_USER):
        turns = turns[:-1]
    else:
        found = PREFILL
    if light.temperature is not ABSENT or light.top_p is not ABSENT or light.top_k is not ABSENT:
        found |= SAMPLING
    if light.thinking is not ABSENT or light.output_config is not ABSENT:
        found |= THINKING
    if may_hold_thinking(turns):
        found |= PAST_THINKING
    return found
