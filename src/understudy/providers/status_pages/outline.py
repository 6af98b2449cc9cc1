"""Says in what a feed differs from the outline that its reader was written against.

Pages change their engine, their keys and their words without telling anyone. A reader that meets
something new says `unknown` and goes on, and nobody would learn why; the outline tells what is new
or missing, for people. Keys that are new are no difference: engines add them all the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from understudy.providers.scrub import scrub

__all__ = ["TEXT", "Each", "Key", "Outline", "Table", "differences"]

#: More is not told: a page that has changed altogether says so with fewer.
MOST_DIFFERENCES = 20
_LONGEST_ECHO = 40


class Key(msgspec.Struct, frozen=True):
    """One key of a table. `needed`: it is always there. `null`: it may hold null."""

    outline: Outline
    needed: bool = True
    null: bool = False


class Table(msgspec.Struct, frozen=True):
    """An object, by the keys that are read."""

    keys: Mapping[str, Key]


class Each(msgspec.Struct, frozen=True):
    """A list of like things."""

    outline: Outline


#: A type, the words that a text may be, a list or a table.
Outline: TypeAlias = "type[str] | frozenset[str] | Each | Table"
TEXT = str


def differences(value: object, outline: Outline) -> tuple[str, ...]:
    """What is missing, of another type or a new word, each once, by its path; `()` is none."""
    return tuple(dict.fromkeys(_walk(value, outline, "")))[:MOST_DIFFERENCES]


def _walk(value: object, outline: Outline, at: str) -> Iterator[str]:
    place = at or "the page"
    if isinstance(outline, Table):
        if isinstance(value, dict):
            yield from _walk_keys(value, outline, at)
        else:
            yield f"{place}: {_kind(value)}, not an object"
    elif isinstance(outline, Each):
        if isinstance(value, list):
            for item in value:
                yield from _walk(item, outline.outline, f"{at}[]")
        else:
            yield f"{place}: {_kind(value)}, not a list"
    elif not isinstance(value, str):
        yield f"{place}: {_kind(value)}, not a text"
    elif isinstance(outline, frozenset) and value not in outline:
        yield f"{place}: the new word `{scrub(value)[:_LONGEST_ECHO]}`"


def _walk_keys(value: Mapping[str, object], table: Table, at: str) -> Iterator[str]:
    for name, key in table.keys.items():
        here = f"{at}.{name}" if at else name
        if name not in value:
            if key.needed:
                yield f"{here}: missing"
        elif not (key.null and value[name] is None):
            yield from _walk(value[name], key.outline, here)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
