"""What the relay must know of a request before it chooses a target."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import BadRequestError
from understudy.dialects.base import EFFORT, PAST_THINKING, SAMPLING, Envelope
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    is_filled_array,
    require_model,
)
from understudy.dialects.responses.history import REASONING
from understudy.dialects.responses.shapes import ABSENT, ResponsesEnvelope

__all__ = ["ENCRYPTED_REASONING", "read_envelope", "refuse_background"]

#: The entry of `include` that only models with reasoning take.
ENCRYPTED_REASONING: Final = b'"reasoning.encrypted_content"'

_ENVELOPE: Final = msgspec.json.Decoder(ResponsesEnvelope)
_NULL: Final = b"null"
#: How an input mostly begins: a string, a list of items.
_INPUTS = (b'"', b"[{")


def read_envelope(body: bytes) -> Envelope:
    """One light decode; nothing of the input is read.

    There are no stop sequences in this dialect. `input` may be left out where the vendor keeps
    the conversation or the prompt.

    Raises:
        BadRequestError: no JSON object; `model`, `input`, `stream`, `text.format` or the limit is
            wrong; `background` is true.
    """
    light = decode_body(_ENVELOPE, body)
    if not light.model.strip():
        require_model(decode_fields(body))
    refuse_background(light.background)
    _require_input(light)
    form = light.text.format if light.text else None
    return Envelope(
        model=light.model,
        stream=bool(light.stream),
        body=body,
        delicate=_delicate(light, body),
        max_tokens=light.max_output_tokens,
        structured=form is not None and form.type in {"json_object", "json_schema"},
    )


def refuse_background(background: bool | None) -> None:
    """A background response would have to be fetched later from the one who made it.

    Raises:
        BadRequestError: it is asked for.
    """
    if background:
        raise BadRequestError("background", "background responses are not supported here")


def _require_input(light: ResponsesEnvelope) -> None:
    head = bytes(memoryview(light.input)[:5])
    if head.startswith(_INPUTS) or is_filled_array(light.input):
        return
    is_list = head.startswith(b"[")
    if head not in {b"", _NULL} and not is_list:
        raise BadRequestError("input", "Expected `str | array`")
    if not (
        _given(light.previous_response_id) or _given(light.conversation) or _given(light.prompt)
    ):
        missing = "Expected at least one item" if is_list else "Field required"
        raise BadRequestError("input", missing)


def _given(raw: msgspec.Raw) -> bool:
    return raw is not ABSENT and bytes(memoryview(raw)[:4]) != _NULL


def _delicate(light: ResponsesEnvelope, body: bytes) -> int:
    """What some models reject (see `readdress`).

    Whether reasoning stands in the input is seen by the type's name alone: a body that has the
    word elsewhere may have it, and is looked at when it matters.
    """
    found = 0
    if light.temperature is not ABSENT or light.top_p is not ABSENT:
        found = SAMPLING
    asks = light.reasoning is not ABSENT
    if asks or (light.include is not ABSENT and ENCRYPTED_REASONING in bytes(light.include)):
        found |= EFFORT
    if body.count(REASONING) > asks:
        found |= PAST_THINKING
    return found
