"""What a value may look like: each shape reads a value, says what is wrong with one, and describes
itself as JSON Schema. One description, so that the loader and the published schema can't differ.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from understudy.config.document import Branch, Broken, Listing, Node, Scalar
from understudy.config.faults import Path, Refused, Report, nearest
from understudy.core.settings import Secret
from understudy.core.units import DURATION_PATTERN, format_duration, parse_duration

__all__ = [
    "FILLED",
    "Choice",
    "Duration",
    "Either",
    "Later",
    "ScalarShape",
    "Schema",
    "SecretText",
    "Shape",
    "Switch",
    "Text",
    "Whole",
    "Wrong",
    "describe",
    "one_of",
]

T = TypeVar("T")

Schema = dict[str, Any]

#: What stands for any scalar: a text with a variable to be filled in.
FILLED: Schema = {"type": "string", "pattern": r"\$\{"}
_LONGEST_ECHO = 60


class Shape(ABC, Generic[T]):
    """One kind of value."""

    @abstractmethod
    def read(self, node: Node, at: Path, report: Report) -> T:
        """The value.

        Raises:
            Refused: it is none of this shape; the report says why.
        """

    @abstractmethod
    def schema(self) -> Schema:
        """JSON Schema (draft 2020-12) of what `read` takes."""

    def spell(self, value: T) -> Any:
        """The value as JSON, as it would be written in a file."""
        return value


class Wrong(Exception):  # noqa: N818 - carried to the report, never to a user
    """A scalar is not of a shape; the text says what it is instead."""


def describe(node: Node) -> str:
    """What a value is, in a few words, without the value."""
    match node:
        case Branch():
            return "a table"
        case Listing():
            return "a list"
        case Scalar(_, "nothing"):
            return "nothing"
        case Scalar(_, kind):
            return f"a {kind}"
        case _:
            return "unreadable"


class ScalarShape(Shape[T]):
    """A shape whose values are written as one scalar."""

    #: What would be right: "write …".
    remedy: str

    @abstractmethod
    def parse(self, scalar: Scalar) -> T:
        """The value. Raises Wrong with what the scalar is instead."""

    def read(self, node: Node, at: Path, report: Report) -> T:
        """The value, of a scalar that is there."""
        if isinstance(node, Broken):
            raise Refused
        if not isinstance(node, Scalar):
            raise report.refuse(at, f"is {describe(node)}", self.remedy)
        if node.type == "nothing":
            raise report.refuse(at, "has no value", self.remedy)
        try:
            return self.parse(node)
        except Wrong as wrong:
            problem = str(wrong)
        raise report.refuse(at, f"{_source(node)}{problem}", self.remedy)


def _source(scalar: Scalar) -> str:
    """Names the variables to blame: the value itself may be a secret and is never shown."""
    return f"(from {', '.join(scalar.variables)}) " if scalar.variables else ""


def _echo(scalar: Scalar) -> str:
    if scalar.variables:
        return "the value"
    text = scalar.text
    shown = text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"
    return f"`{shown}`" if shown.isprintable() else repr(shown)


class Text(ScalarShape[str]):
    """A text that matches a pattern as a whole."""

    def __init__(self, remedy: str, pattern: str) -> None:
        self.remedy = remedy
        self._pattern = f"^(?:{pattern})$"
        self._compiled = re.compile(pattern, re.ASCII)

    def parse(self, scalar: Scalar) -> str:
        """The text itself."""
        if scalar.type != "text":
            raise Wrong(f'is a {scalar.type}, not a text (in quotes it is one: "{scalar.text}")')
        if self._compiled.fullmatch(scalar.text) is None:
            raise Wrong("is empty" if not scalar.text else f"can't be {_echo(scalar)}")
        return scalar.text

    def schema(self) -> Schema:
        """A text of the pattern, or one to be filled."""
        return {"anyOf": [{"type": "string", "pattern": self._pattern}, FILLED]}


_NEW_KEY = "`understudy keys new NAME`"


class SecretText(ScalarShape[Secret]):
    """A key: what an HTTP header may carry (RFC 9110 §5.5, without spaces), or empty."""

    remedy = 'write a key, best as "${NAME}"'

    def __init__(self, at_least: int = 0) -> None:
        self._at_least = at_least
        if at_least:
            self.remedy = f"write a key of {at_least} characters or more, or make one: {_NEW_KEY}"

    def parse(self, scalar: Scalar) -> Secret:
        """The key, hidden."""
        if scalar.type != "text":
            raise Wrong(f"is a {scalar.type}, not a text (put it in quotes)")
        if not all("!" <= character <= "~" for character in scalar.text):
            raise Wrong("holds a space or a character that no HTTP header carries")
        if len(scalar.text) < self._at_least:
            raise Wrong(f"has {len(scalar.text)} characters and could be guessed")
        return Secret(scalar.text)

    def schema(self) -> Schema:
        """A text; `writeOnly`, since nobody reads it back."""
        plain: Schema = {"type": "string", "pattern": f"^[!-~]{{{self._at_least},}}$"}
        return {"anyOf": [plain, FILLED], "writeOnly": True}


_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


class Switch(ScalarShape[bool]):
    """`true` or `false`, or another of YAML 1.1's spellings."""

    remedy = "write `true` or `false`"

    def parse(self, scalar: Scalar) -> bool:
        """The truth of it."""
        word = scalar.text.lower()
        if scalar.type != "boolean" and (not scalar.variables or word not in _TRUE | _FALSE):
            raise Wrong(f"is a {scalar.type}, neither true nor false")
        return word in _TRUE

    def schema(self) -> Schema:
        """A boolean, or a text to be filled."""
        return {"anyOf": [{"type": "boolean"}, FILLED]}


class Whole(ScalarShape[int]):
    """A whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self.remedy = f"write a whole number from {least} to {most}"

    def parse(self, scalar: Scalar) -> int:
        """The number."""
        if scalar.type != "number" and not scalar.variables:
            raise Wrong(f"is a {scalar.type}")
        if re.fullmatch(r"[0-9]{1,9}", scalar.text, re.ASCII) is None:
            raise Wrong(f"can't be {_echo(scalar)}")
        number = int(scalar.text)
        if not self._least <= number <= self._most:
            raise Wrong(f"can't be {_echo(scalar)}")
        return number

    def schema(self) -> Schema:
        """An integer within the bounds, or a text to be filled."""
        number = {"type": "integer", "minimum": self._least, "maximum": self._most}
        return {"anyOf": [number, FILLED]}


class Choice(ScalarShape[str]):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.remedy = f"write {one_of(words)}"

    def parse(self, scalar: Scalar) -> str:
        """The word."""
        if scalar.text in self.words:
            return scalar.text
        meant = None if scalar.variables else nearest(scalar.text, self.words)
        hint = f" (nearest: {meant})" if meant else ""
        raise Wrong(f"can't be {_echo(scalar)}{hint}")

    def schema(self) -> Schema:
        """The words, or a text to be filled."""
        return {"anyOf": [{"enum": list(self.words)}, FILLED]}


class Duration(ScalarShape[float]):
    """Seconds, written with a unit."""

    remedy = "write a duration such as `500ms`, `10s`, `5m` or `2h`"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero
        if not zero:
            self.remedy += ", longer than zero"

    def parse(self, scalar: Scalar) -> float:
        """The seconds."""
        try:
            seconds = parse_duration(scalar.text)
        except ValueError as error:
            raise Wrong(f"is {error}") from None
        if not seconds and not self._zero:
            raise Wrong("is zero")
        return seconds

    def schema(self) -> Schema:
        """A text of the pattern, or one to be filled."""
        pattern = DURATION_PATTERN if self._zero else f"(?=.*[1-9]){DURATION_PATTERN}"
        return {"anyOf": [{"type": "string", "pattern": pattern}, FILLED]}

    def spell(self, value: float) -> str:
        """As `30s`."""
        return format_duration(value)


_DIGITS = frozenset("0123456789")


class Either(ScalarShape[str | float]):
    """A word, or a duration as seconds."""

    def __init__(self, words: Choice, duration: Duration) -> None:
        self._words, self._duration = words, duration
        self.remedy = f"{words.remedy}, or a duration such as `500ms` or `10s`"

    def parse(self, scalar: Scalar) -> str | float:
        """The word or the seconds. What begins with a digit was meant as a duration."""
        if scalar.text[:1] in _DIGITS:
            return self._duration.parse(scalar)
        return self._words.parse(scalar)

    def schema(self) -> Schema:
        """Either one."""
        return {"anyOf": [self._words.schema(), self._duration.schema()]}

    def spell(self, value: str | float) -> str:
        """The word, or as `30s`."""
        return value if isinstance(value, str) else self._duration.spell(value)


class Later(ScalarShape[T]):
    """A key that is agreed upon while only some of its values, or none, do anything yet.

    Every other value is refused by name: a key that is read and ignored would promise what nobody
    keeps. A value must be of the right shape all the same.
    """

    def __init__(self, shape: ScalarShape[T], *works: T, remedy: str) -> None:
        self._shape = shape
        self.works = works
        self.remedy = remedy

    def parse(self, scalar: Scalar) -> T:
        """The value, if it does anything."""
        value = self._shape.parse(scalar)
        if value in self.works:
            return value
        shown = f"{_echo(scalar)} is" if self.works else "is"
        raise Wrong(f"{shown} not supported yet")

    def schema(self) -> Schema:
        """Only what works, so that an editor refuses what the loader refuses."""
        if not self.works:
            return {"not": {}, "$comment": "not supported yet"}
        works = [self.spell(value) for value in self.works]
        return {"anyOf": [{"enum": works}, FILLED], "$comment": "other values: not supported yet"}

    def spell(self, value: T) -> Any:
        """As the shape does."""
        return self._shape.spell(value)


def one_of(words: Sequence[str]) -> str:
    """Words as a choice in prose."""
    if len(words) == 1:
        return f"`{words[0]}`"
    return f"one of {', '.join(words)}"
