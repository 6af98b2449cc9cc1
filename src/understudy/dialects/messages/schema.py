"""JSON Schemas as a Messages API takes them."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["is_closed", "with_type"]

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_closed(schema: msgspec.Raw | None) -> bool:
    """Whether structured output takes it: every object must set `additionalProperties: false`.

    Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema
    limitations". Keywords beyond that differ between models and are left to the API's judgement.
    """
    if schema is None:
        return False
    try:
        decoded = msgspec.json.decode(schema)
        return isinstance(decoded, dict) and _is_closed(decoded)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


def with_type(schema: msgspec.Raw) -> msgspec.Raw:
    """A tool's schema with `type: object`: the API requires what OpenAI's callers may leave out."""
    try:
        fields = _OBJECT.decode(schema)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return schema
    if "type" in fields:
        return schema
    return msgspec.Raw(msgspec.json.encode({"type": "object", **fields}))


def _is_closed(node: Any) -> bool:
    if isinstance(node, list):
        return all(_is_closed(item) for item in node)
    if not isinstance(node, dict):
        return True
    if (node.get("type") == "object" or "properties" in node) and node.get(
        "additionalProperties"
    ) is not False:
        return False
    return all(_is_closed(child) for name, child in node.items() if name not in _VALUES)


#: Keywords that hold values, not schemas.
_VALUES = frozenset({"const", "default", "enum", "examples"})
