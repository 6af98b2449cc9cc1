"""Whether a JSON value is what a JSON Schema asks for, as far as that is certain and cheap.

This is no validator. A validator does what the schema says, and a schema comes from a caller: a
few hundred bytes of `$ref`s that branch make 2ⁿ steps of work, a `pattern` may never end, a remote
`$ref` sends requests. Here a budget of steps ends the work, nothing is fetched, no pattern is run,
and a keyword that is not known says nothing. So a value may pass that a validator turns down, never
the reverse: what is found broken is broken. The keywords are those that structured outputs promise
to keep (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas,
https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

__all__ = ["breaks"]

#: Steps of work, and levels, after which the rest is left unsaid.
STEPS: Final = 5000
LEVELS: Final = 64
#: Bytes of a schema at most.
SCHEMA_BYTES: Final = 32 * 1024

_Test = Callable[[Any], bool]
_TYPES: Final[Mapping[str, _Test]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
        "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
        "integer": lambda value: (
            (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, float) and value.is_integer())
        ),
    }
)
#: Keyword → what of a value it limits, and whether that is to be no smaller than the limit.
_LIMITS: Final[Mapping[str, tuple[type | tuple[type, ...], Callable[[Any], float], bool]]] = (
    MappingProxyType(
        {
            "minimum": ((int, float), float, True),
            "maximum": ((int, float), float, False),
            "minLength": (str, len, True),
            "maxLength": (str, len, False),
            "minItems": (list, len, True),
            "maxItems": (list, len, False),
        }
    )
)


class _TooMuchError(Exception):
    """The budget is used up."""


def breaks(schema: bytes, value: Any) -> bool | None:
    """Whether `value` (decoded JSON) breaks `schema`; None where that would take too long to say,
    or the schema is none.
    """
    if len(schema) > SCHEMA_BYTES:
        return None
    try:
        root = msgspec.json.decode(schema)
        return not _Check(root).holds(root, value, 0)
    except (msgspec.DecodeError, _TooMuchError, RecursionError):
        return None


class _Check:
    """One check of one value against one schema."""

    __slots__ = ("_left", "_root")

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = STEPS

    def holds(self, schema: Any, value: Any, level: int) -> bool:
        """Whether nothing in `schema` is broken by `value`."""
        self._left -= 1
        if self._left < 0 or level > LEVELS:
            raise _TooMuchError
        if not isinstance(schema, dict):
            return schema is not False
        return (
            self._is_of_type(schema, value)
            and self._is_within(schema, value)
            and self._combines(schema, value, level + 1)
            and self._object_holds(schema, value, level + 1)
            and self._array_holds(schema, value, level + 1)
        )

    def _is_of_type(self, schema: dict[str, Any], value: Any) -> bool:
        if value is None and schema.get("nullable") is True:  # OpenAPI 3.0's dialect.
            return True
        if "const" in schema and value != schema["const"]:
            return False
        options = schema.get("enum")
        if isinstance(options, list):
            self._left -= len(options) // 8
            if value not in options:
                return False
        kinds = schema.get("type")
        names = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(names, list) or not names:
            return True
        tests = [_TYPES.get(name) if isinstance(name, str) else None for name in names]
        return any(test is None or test(value) for test in tests)

    def _is_within(self, schema: dict[str, Any], value: Any) -> bool:
        if isinstance(value, bool):
            return True
        for keyword, (kind, measure, is_least) in _LIMITS.items():
            limit = schema.get(keyword)
            if isinstance(limit, (int, float)) and isinstance(value, kind):
                size = measure(value)
                if size < limit if is_least else size > limit:
                    return False
        return True

    def _combines(self, schema: dict[str, Any], value: Any, level: int) -> bool:
        pointer = schema.get("$ref")
        if isinstance(pointer, str) and not self.holds(self._at(pointer), value, level):
            return False
        every = schema.get("allOf")
        if isinstance(every, list) and not all(self.holds(one, value, level) for one in every):
            return False
        for keyword in ("anyOf", "oneOf"):  # That two fit is no harm here.
            some = schema.get(keyword)
            if isinstance(some, list) and not any(self.holds(one, value, level) for one in some):
                return False
        return True

    def _at(self, pointer: str) -> Any:
        """What a local reference points at (RFC 6901); anything, where it points elsewhere."""
        if not pointer.startswith("#"):
            return True
        node = self._root
        for step in pointer[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or name not in node:
                return True
            node = node[name]
        return node

    def _object_holds(self, schema: dict[str, Any], value: Any, level: int) -> bool:
        if not isinstance(value, dict):
            return True
        required = schema.get("required")
        if isinstance(required, list) and any(
            isinstance(name, str) and name not in value for name in required
        ):
            return False
        named = schema.get("properties")
        properties = named if isinstance(named, dict) else {}
        others = True if "patternProperties" in schema else schema.get("additionalProperties", True)
        return all(
            self.holds(properties.get(name, others), child, level) for name, child in value.items()
        )

    def _array_holds(self, schema: dict[str, Any], value: Any, level: int) -> bool:
        items = schema.get("items")
        if not isinstance(value, list) or items is None or "prefixItems" in schema:
            return True
        if isinstance(items, list):  # Places, in drafts before 2020-12.
            return all(
                self.holds(item, child, level) for item, child in zip(items, value, strict=False)
            )
        return all(self.holds(items, child, level) for child in value)
