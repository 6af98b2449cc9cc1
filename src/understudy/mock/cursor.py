"""A place in a request's JSON that can be read with the vendor's own complaints.

Both vendors name the faulty field in their own way (`messages.0.content`, `messages[0].content`)
and say what is wrong in their own words; a `Style` holds both, a `Cursor` walks with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import msgspec

from understudy.mock.errors import ErrorSpec, RefusedError

__all__ = ["Cursor", "Style", "kind_of"]


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's way of naming and blaming."""

    #: (path, key) → the path of the field within it.
    join: Callable[[str, str | int], str]
    #: (path) → the complaint that it is required.
    missing: Callable[[str], ErrorSpec]
    #: (path, what was expected, what is there) → the complaint.
    wrong: Callable[[str, str, object], ErrorSpec]
    #: (path, message) → any other complaint about a field.
    invalid: Callable[[str, str], ErrorSpec]


def kind_of(value: object) -> str:
    """JSON's word for the type of a value."""
    kinds: dict[type, str] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
    }
    return kinds.get(type(value), "null")


class Cursor:
    """A value, where it stands, and how to complain about it."""

    __slots__ = ("path", "style", "value")

    def __init__(self, value: object, style: Style, path: str = "") -> None:
        self.value = value
        self.style = style
        self.path = path

    @property
    def described(self) -> str:
        """The type of the value, with its article."""
        kind = kind_of(self.value)
        return f"an {kind}" if kind[0] in "aio" else f"a {kind}"

    def refusal(self, message: str) -> RefusedError:
        """A complaint about this field, to be raised."""
        return RefusedError(self.style.invalid(self.path, message))

    def _wrong(self, expected: str) -> NoReturn:
        raise RefusedError(self.style.wrong(self.path, expected, self.value))

    def at(self, key: str) -> Cursor | None:
        """The field `key`, or None where it is absent or null."""
        value = self.fields().get(key)
        return None if value is None else Cursor(value, self.style, self.style.join(self.path, key))

    def need(self, key: str) -> Cursor:
        """The field `key`, which is required."""
        found = self.at(key)
        if found is None:
            raise RefusedError(self.style.missing(self.style.join(self.path, key)))
        return found

    def fields(self) -> dict[str, object]:
        """An object."""
        return self.value if isinstance(self.value, dict) else self._wrong("object")

    def items(self) -> list[Cursor]:
        """The items of an array."""
        if not isinstance(self.value, list):
            self._wrong("array")
        return list(self._items(self.value))

    def _items(self, values: Sequence[object]) -> Iterator[Cursor]:
        for index, value in enumerate(values):
            yield Cursor(value, self.style, self.style.join(self.path, index))

    def text(self) -> str:
        """A string."""
        return self.value if isinstance(self.value, str) else self._wrong("string")

    def integer(self) -> int:
        """An integer."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self._wrong("integer")
        return self.value

    def number(self) -> float:
        """A number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self._wrong("number")
        return self.value

    def boolean(self) -> bool:
        """A boolean."""
        return self.value if isinstance(self.value, bool) else self._wrong("boolean")
