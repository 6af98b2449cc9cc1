"""The caller's own request with further turns: the ground on which another target goes on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.dialects.extend import add_turns
from understudy.dialects.fields import decode_fields, present

__all__ = ["extend"]

_LIMITS = ("max_tokens", "max_completion_tokens")


def extend(body: bytes, turns: Sequence[tuple[str, str]], max_tokens: int | None) -> bytes:
    """See `Dialect.extend`. A limit takes the place of the caller's own, under its name; where the
    caller set none there is none to replace.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    fields = decode_fields(body)
    fields["messages"] = add_turns(fields["messages"], turns)
    if max_tokens is not None:
        for name in _LIMITS:
            if present(fields, name) is not None:
                fields[name] = msgspec.Raw(b"%d" % max_tokens)
    return msgspec.json.encode(fields)
