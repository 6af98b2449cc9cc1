"""The same request with further turns at its end, and perhaps another limit of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.dialects.fields import decode_body, decode_fields, present
from understudy.dialects.responses.output import Json
from understudy.dialects.responses.render import MIN_OUTPUT
from understudy.dialects.responses.render_items import said_item

__all__ = ["extend"]

_INPUT = msgspec.json.Decoder(str | list[msgspec.Raw])


def extend(body: bytes, turns: Sequence[tuple[str, str]], max_tokens: int | None) -> bytes:
    """`body` with `turns` of (role, text) after its input; all else stays as it came.

    Args:
        body: A caller's request.
        turns: Roles are user and assistant.
        max_tokens: Takes the place of the caller's own limit; where the caller set none, or this
            is None, all stays as it is. It is never below what the API takes, so an answer may
            run a few tokens over what was left.

    Raises:
        BadRequestError: the body is no request.
    """
    came = decode_fields(body)
    fields: dict[str, object] = {**came}
    raw = present(came, "input")
    given = [] if raw is None else decode_body(_INPUT, raw, "input")
    items: list[msgspec.Raw | Json] = []
    if isinstance(given, str):
        items.append(said_item("user", given))
    else:
        items += given
    items += [said_item(role, text) for role, text in turns]
    fields["input"] = items
    if max_tokens is not None and present(came, "max_output_tokens") is not None:
        fields["max_output_tokens"] = max(max_tokens, MIN_OUTPUT)
    return msgspec.json.encode(fields)
