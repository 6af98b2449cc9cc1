"""Reasoning in the input so far: what of it the vendor does not take back.

A reasoning item is looked up by its id, or read from what is encrypted in it. One that the vendor
did not write, or never finished because its stream broke, it does not find, and refuses the request
("Item with id 'rs_…' not found", vercel/ai#7543); such items are left out always. One that another
organisation's account wrote cannot be told from a right one ("The encrypted content … could not be
verified", openai/codex#8128): a vendor that refuses it is asked again without any.

Where reasoning is left out, the ids of what the model said and called go too: by them the vendor
would ask for the reasoning that belongs to it ("Item 'fc_…' of type 'function_call' was provided
without its required 'reasoning' item", cline/cline#12242, laravel/ai#1052).
"""

from __future__ import annotations

from typing import Any

import msgspec

from understudy.dialects.fields import decode_fields
from understudy.dialects.responses.ids import FOREIGN_REASONING
from understudy.dialects.responses.shapes import ItemMark
from understudy.dialects.responses.wire import UNREADABLE

__all__ = ["ADAPTED", "REASONING", "drop_reasoning", "without_thinking"]

#: The name under which an adaptation of the history is noted.
ADAPTED = "thinking history"

#: The type of a reasoning item, and the name of a top-level field.
REASONING = b'"reasoning"'

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_MARK = msgspec.json.Decoder(ItemMark)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

_encode = msgspec.json.encode


def without_thinking(body: bytes) -> bytes:
    """See `Dialect.forget_thinking`.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    if REASONING not in body:
        return body
    fields = decode_fields(body)
    return _encode(fields) if drop_reasoning(fields, everything=True) else body


def drop_reasoning(fields: dict[str, msgspec.Raw], *, everything: bool) -> bool:
    """Take reasoning out of `input`: all of it, or what nobody finds; whether there was any."""
    items: list[msgspec.Raw] | None = _read(_ITEMS, fields.get("input"))
    if items is None:
        return False
    marks: list[ItemMark] = [_read(_MARK, item) or ItemMark() for item in items]
    kept = [
        (item, mark)
        for item, mark in zip(items, marks, strict=True)
        if mark.type != "reasoning" or not (everything or _is_lost(mark))
    ]
    if len(kept) == len(items) or not kept:
        return False
    left = [_without_id(item) if mark.is_models else item for item, mark in kept]
    fields["input"] = msgspec.Raw(_encode(left))
    return True


def _is_lost(mark: ItemMark) -> bool:
    """Reasoning that its vendor would not find."""
    return (mark.id or "").startswith(FOREIGN_REASONING) or mark.status == "incomplete"


def _without_id(item: msgspec.Raw) -> msgspec.Raw:
    fields: dict[str, msgspec.Raw] = _read(_OBJECT, item) or {}
    if fields.pop("id", None) is None:
        return item
    return msgspec.Raw(_encode(fields))


def _read(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw | None) -> Any:
    """What a decoder makes of it; None for what it cannot read, which is the vendor's to judge."""
    try:
        return None if raw is None else decoder.decode(raw)
    except UNREADABLE:
        return None
