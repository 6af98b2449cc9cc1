"""Shapes that hold others: a table with known keys, a table of names, a list.

A table's keys are the fields of an `Entry`: an annotation `Annotated[type, shape, summary]` says
what the code gets, what the file may hold, and what a reader of the schema is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from understudy.config.document import Branch, Broken, Listing, Node, Scalar
from understudy.config.faults import Path, Refused, Report, nearest
from understudy.config.shapes import Schema, Shape, describe

__all__ = [
    "Entry",
    "Field",
    "NameRule",
    "Named",
    "OneOrSeveral",
    "Record",
    "Reference",
    "Referring",
    "Several",
    "Shorthand",
]

T = TypeVar("T")
E = TypeVar("E", bound="Entry")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A table that was read. Its other fields are the table's keys."""

    #: Where it stands, for faults that show only later.
    at: Path = ()
    #: The keys that the file holds, as against defaults.
    given: frozenset[str] = frozenset()


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a table."""

    name: str
    shape: Shape[Any]
    summary: str
    required: bool
    default: Any


class Record(Shape[E]):
    """A table with known keys, and no others."""

    def __init__(self, entry: type[E]) -> None:
        self._entry = entry
        self.fields = {field.name: field for field in _fields(entry)}

    def read(self, node: Node, at: Path, report: Report) -> E:
        """The entry. A faulty key that has a default takes it, so that the rest is read as well."""
        entries = _branch(node, at, report, f"a table with {_some(self.fields)}").entries
        for key in entries:
            if key not in self.fields:
                self._report_unknown(key, at, report)
        values: dict[str, Any] = {}
        complete = True
        for name, field in self.fields.items():
            if name not in entries:
                if field.required:
                    complete = False
                    report.fault(at, f"has no `{name}`", f"add `{name}:` ({field.summary})")
                continue
            try:
                values[name] = field.shape.read(entries[name], (*at, name), report)
            except Refused:
                complete = complete and not field.required
        if not complete:
            raise Refused
        return self._entry(at=at, given=frozenset(entries), **values)

    def _report_unknown(self, key: str, at: Path, report: Report) -> None:
        meant = nearest(key, self.fields)
        remedy = f"did you mean `{meant}`?" if meant else f"known here: {', '.join(self.fields)}"
        report.fault((*at, key), "unknown key", remedy)

    def schema(self) -> Schema:
        """An object with these properties and no others."""
        properties: Schema = {}
        for field in self.fields.values():
            properties[field.name] = {**field.shape.schema(), "description": field.summary}
            if not field.required and field.default not in (None, (), {}):
                properties[field.name]["default"] = field.shape.spell(field.default)
        required = [field.name for field in self.fields.values() if field.required]
        described: Schema = {"type": "object", "properties": properties}
        if required:
            described["required"] = required
        return {**described, "additionalProperties": False}

    def spell(self, value: E) -> Schema:
        """The keys with their values; defaults included, keys that are left out are not."""
        found = [(field, getattr(value, field.name)) for field in self.fields.values()]
        return {field.name: field.shape.spell(held) for field, held in found if held is not None}


def _fields(entry: type[Entry]) -> list[Field]:
    found: list[Field] = []
    defaults = {field.name: field for field in msgspec.structs.fields(entry)}
    for name, hint in get_type_hints(entry, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        _, shape, summary = get_args(hint)
        known = defaults[name]
        if known.default_factory is not msgspec.NODEFAULT:
            default = known.default_factory()
        else:
            default = known.default
        required = default is msgspec.NODEFAULT
        found.append(
            Field(
                name=name,
                shape=shape,
                summary=summary,
                required=required,
                default=None if required else default,
            )
        )
    return found


class Shorthand(Shape[E]):
    """A table of which one key may stand alone, as a scalar."""

    def __init__(self, record: Record[E], entry: type[E], key: str) -> None:
        self._record, self._entry, self._key = record, entry, key

    def read(self, node: Node, at: Path, report: Report) -> E:
        """The entry, from either form."""
        if not isinstance(node, Scalar):
            return self._record.read(node, at, report)
        value = self._record.fields[self._key].shape.read(node, at, report)
        return self._entry(at=at, given=frozenset({self._key}), **{self._key: value})

    def schema(self) -> Schema:
        """Either form."""
        alone = self._record.fields[self._key].shape.schema()
        return {"anyOf": [alone, self._record.schema()]}


class NameRule(msgspec.Struct, frozen=True):
    """Which names may be chosen: as a pattern, and in words."""

    pattern: str
    words: str


class Named(Shape[dict[str, T | None]]):
    """A table whose keys are names that the file chooses. A faulty one stays in it as None, so that
    its name is known to those who refer to it.
    """

    def __init__(self, shape: Shape[T], wanted: str, rule: NameRule, *, empty: bool = True) -> None:
        self._shape, self._wanted, self._rule, self._empty = shape, wanted, rule, empty

    def read(self, node: Node, at: Path, report: Report) -> dict[str, T | None]:
        """The entries by name."""
        entries = _branch(node, at, report, f"a table of {self._wanted}").entries
        if not entries and not self._empty:
            raise report.refuse(at, "is empty", f"write at least one of {self._wanted}")
        found: dict[str, T | None] = {}
        for name, value in entries.items():
            here = (*at, name)
            if re.fullmatch(self._rule.pattern, name, re.ASCII) is None:
                report.fault(here, "can't be a name", f"use {self._rule.words}")
            try:
                found[name] = self._shape.read(value, here, report)
            except Refused:
                found[name] = None
        return found

    def schema(self) -> Schema:
        """An object whose keys match the pattern."""
        described: Schema = {
            "type": "object",
            "patternProperties": {f"^(?:{self._rule.pattern})$": self._shape.schema()},
            "additionalProperties": False,
        }
        return described if self._empty else {**described, "minProperties": 1}


class Several(Shape[tuple[T, ...]]):
    """A list. Faulty items are left out of it."""

    def __init__(self, shape: Shape[T], wanted: str, *, empty: bool = True) -> None:
        self._shape, self._wanted, self._empty = shape, wanted, empty

    def read(self, node: Node, at: Path, report: Report) -> tuple[T, ...]:
        """The items that can be used, in order."""
        if isinstance(node, Broken):
            raise Refused
        if not isinstance(node, Listing):
            raise report.refuse(at, f"is {describe(node)}", f"write a list of {self._wanted}")
        if not node.items and not self._empty:
            raise report.refuse(at, "is empty", f"write at least one of {self._wanted}")
        found: list[T] = []
        for place, item in enumerate(node.items):
            try:
                found.append(self._shape.read(item, (*at, place), report))
            except Refused:
                continue
        return tuple(found)

    def schema(self) -> Schema:
        """An array."""
        described: Schema = {"type": "array", "items": self._shape.schema()}
        return described if self._empty else {**described, "minItems": 1}

    def spell(self, value: tuple[T, ...]) -> list[Any]:
        """Each item, as it would be written."""
        return [self._shape.spell(item) for item in value]


class OneOrSeveral(Shape[tuple[T, ...]]):
    """A value, or a list of such values with one at least."""

    def __init__(self, shape: Shape[T], wanted: str) -> None:
        self._shape, self._several = shape, Several(shape, wanted, empty=False)

    def read(self, node: Node, at: Path, report: Report) -> tuple[T, ...]:
        """The values that can be used, in order."""
        if isinstance(node, Listing):
            return self._several.read(node, at, report)
        return (self._shape.read(node, at, report),)

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [self._shape.schema(), self._several.schema()]}


class Reference(msgspec.Struct, frozen=True):
    """A name that must be one of another table's, and where it stands."""

    at: Path
    name: str


class Referring(Shape[Reference]):
    """A name of something else in the file. Whether there is such a thing is for others to say."""

    def __init__(self, shape: Shape[str]) -> None:
        self._shape = shape

    def read(self, node: Node, at: Path, report: Report) -> Reference:
        """The name, with its place."""
        return Reference(at, self._shape.read(node, at, report))

    def schema(self) -> Schema:
        """As the name's own."""
        return self._shape.schema()


def _branch(node: Node, at: Path, report: Report, wanted: str) -> Branch:
    if isinstance(node, Branch):
        return node
    if isinstance(node, Broken):
        raise Refused
    raise report.refuse(at, f"is {describe(node)}", f"write {wanted}")


def _some(fields: Mapping[str, Field]) -> str:
    names = [name for name, field in fields.items() if field.required] or list(fields)
    return ", ".join(f"`{name}`" for name in names)
