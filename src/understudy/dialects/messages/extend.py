"""The caller's own request with further turns: the ground on which another target goes on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.dialects.extend import add_turns
from understudy.dialects.fields import decode_fields, present
from understudy.dialects.messages.fit import within_limit
from understudy.dialects.messages.wire import ThinkingConfig

__all__ = ["extend"]

_THINKING = msgspec.json.Decoder(ThinkingConfig)


def extend(body: bytes, turns: Sequence[tuple[str, str]], max_tokens: int | None) -> bytes:
    """See `Dialect.extend`. A thinking budget that a lower limit leaves no room for gives way.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    fields = decode_fields(body)
    fields["messages"] = add_turns(fields["messages"], turns)
    if max_tokens is not None:
        fields["max_tokens"] = msgspec.Raw(b"%d" % max_tokens)
        _fit_thinking(fields, max_tokens)
    return msgspec.json.encode(fields)


def _fit_thinking(fields: dict[str, msgspec.Raw], max_tokens: int) -> None:
    raw = present(fields, "thinking")
    if raw is None:
        return
    try:
        thinking = _THINKING.decode(raw)
    except (msgspec.DecodeError, ValueError):
        return
    fitted = within_limit(thinking, max_tokens) if thinking.type == "enabled" else thinking
    if fitted is None:
        del fields["thinking"]
    elif fitted is not thinking:
        fields["thinking"] = msgspec.Raw(msgspec.json.encode(fitted))
