"""Values that satisfy a JSON Schema: for structured output and for the arguments of tools.

Covers what the vendors accept in strict mode (JSON Schema 2020-12: types, enum, const, anyOf,
oneOf, allOf, $ref to $defs, formats, bounds) and simple patterns. A `pattern` that no sample
matches gives a sample as it is: this is a stand-in, not a solver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from understudy.mock.cursor import kind_of

__all__ = ["Words", "value_for"]

#: Nothing nests deeper than this unless it is required.
_DEPTH = 6

_FORMATS = {
    "date-time": "2026-11-23T09:30:00Z",
    "date": "2026-11-23",
    "time": "09:30:00Z",
    "duration": "PT30M",
    "email": "sam@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/notes/7",
    "url": "https://example.com/notes/7",
    "uuid": "3f0a8a52-6f2d-4a0e-9a36-0d6f1c1c2b7e",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
}
_PATTERN_SAMPLES = (
    "a", "abc", "Abc", "ABC", "AB", "A1", "A-1", "ABC-123", "abc_123", "abc-def", "0", "7", "12",
    "123", "1234", "12345", "1.5", "1.2.3", "v1.2.3", "#a1b2c3", "a1b2c3d4", "+14155550123",
    "12:30", "en", "en-US", "EUR", "x@example.com", *_FORMATS.values(),
)  # fmt: skip
_QUERIES = frozenset({"q", "query", "question", "search", "text", "prompt", "input", "content"})


class Words:
    """Words of the prompt that strings are made of."""

    __slots__ = ("_next", "prompt", "terms")

    def __init__(self, prompt: str, terms: Sequence[str]) -> None:
        self.prompt = " ".join(prompt.split())[:200] or "note"
        self.terms = tuple(terms) or ("note",)
        self._next = 0

    def term(self) -> str:
        """The next term, round and round."""
        self._next += 1
        return self.terms[(self._next - 1) % len(self.terms)]


def value_for(schema: dict[str, object], words: Words) -> object:
    """A value that satisfies `schema`, made of the prompt's words where it can be."""
    return _Maker(schema, words).make(schema, "", 0)


class _Maker:
    """Carries the root, for references."""

    def __init__(self, root: dict[str, object], words: Words) -> None:
        self._root = root
        self._words = words

    def make(self, schema: object, name: str, depth: int) -> object:
        if not isinstance(schema, dict):
            return self._words.term()
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._chosen(choices)
        for keyword in ("anyOf", "oneOf"):
            options = schema.get(keyword)
            if isinstance(options, list) and options:
                return self.make(self._preferred(options, depth), name, depth)
        return self._typed(schema, name, depth)

    def _typed(self, schema: dict[str, object], name: str, depth: int) -> object:
        makers: dict[str, Callable[[], object]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "integer": lambda: int(_number(schema, whole=True)),
            "number": lambda: _number(schema, whole=False),
            "boolean": lambda: True,
            "null": lambda: None,
        }
        return makers.get(_type_of(schema), lambda: self._string(schema, name))()

    def _resolved(self, schema: dict[str, object]) -> dict[str, object]:
        for _ in range(_DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                break
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._target(reference), **rest}
        parts = schema.get("allOf")
        return _merged(schema, [self._resolved(p) for p in _dicts(parts)]) if parts else schema

    def _target(self, reference: str) -> dict[str, object]:
        found: object = self._root
        for step in reference.lstrip("#/").split("/"):
            if not step:
                continue
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def _chosen(self, choices: list[object]) -> object:
        prompt = self._words.prompt.lower()
        for choice in choices:
            if isinstance(choice, str) and choice and choice.lower() in prompt:
                return choice
        return choices[0]

    def _preferred(self, options: list[object], depth: int) -> object:
        shown = [o for o in _dicts(options) if self._resolved(o).get("type") != "null"]
        if depth >= _DEPTH or not shown:
            return next((o for o in _dicts(options) if o not in shown), options[0])
        return shown[0]

    def _object(self, schema: dict[str, object], depth: int) -> dict[str, object]:
        properties = schema.get("properties")
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        made: dict[str, object] = {}
        for key, inner in (properties if isinstance(properties, dict) else {}).items():
            if depth < _DEPTH or key in needed:
                made[key] = self.make(inner, key, depth + 1)
        for key in needed:
            if isinstance(key, str) and key not in made:
                made[key] = self._words.term()
        return made

    def _array(self, schema: dict[str, object], name: str, depth: int) -> list[object]:
        least, most = _bound(schema, "minItems", 0), _bound(schema, "maxItems", 1_000)
        size = min(max(least, 0 if depth >= _DEPTH else 3), most)
        fixed = schema.get("prefixItems")
        kinds = list(fixed) if isinstance(fixed, list) else []
        inner = schema.get("items", {"type": "string"})
        kinds += [inner] * (size - len(kinds)) if inner is not False else []
        made: list[object] = []
        for kind in kinds:
            item = self.make(kind, name.removesuffix("s"), depth + 1)
            if schema.get("uniqueItems") and item in made:
                item = _another(item, made, kind)
            if item not in made or not schema.get("uniqueItems"):
                made.append(item)
        return made

    def _string(self, schema: dict[str, object], name: str) -> str:
        form, pattern = schema.get("format"), schema.get("pattern")
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form]
        text = self._words.prompt if name.lower() in _QUERIES else self._words.term()
        if isinstance(pattern, str):
            text = _matching(pattern, text)
        least, most = _bound(schema, "minLength", 0), _bound(schema, "maxLength", 10_000)
        while len(text) < least:
            text = f"{text} {self._words.term()}" if text else self._words.term()
        return text[: max(most, least)].rstrip() if most < len(text) else text


def _type_of(schema: dict[str, object]) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((kind for kind in named if kind != "null"), "null")
    if isinstance(named, str):
        return named
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _dicts(values: object) -> list[dict[str, object]]:
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


def _merged(schema: dict[str, object], parts: list[dict[str, object]]) -> dict[str, object]:
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in parts:
        for key, value in part.items():
            held = merged.get(key)
            if isinstance(held, dict) and isinstance(value, dict):
                merged[key] = {**held, **value}
            elif isinstance(held, list) and isinstance(value, list) and key == "required":
                merged[key] = [*held, *(v for v in value if v not in held)]
            else:
                merged.setdefault(key, value)
    return merged


def _bound(schema: dict[str, object], key: str, default: int) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) else default


def _number(schema: dict[str, object], *, whole: bool) -> float:
    def at(key: str) -> float | None:
        value = schema.get(key)
        return value if isinstance(value, int | float) and kind_of(value) != "boolean" else None

    step = at("multipleOf") or (1 if whole else 0)
    low, high = at("minimum"), at("maximum")
    above, below = at("exclusiveMinimum"), at("exclusiveMaximum")
    tick = step or 0.5
    if above is not None:
        low = max(low, above + tick) if low is not None else above + tick
    if below is not None:
        high = min(high, below - tick) if high is not None else below - tick
    if above is not None and below is not None and not step and low is not None:
        low = (above + below) / 2
        high = low
    value = low if low is not None else min(7 if whole else 7.5, high if high is not None else 9)
    if step:
        value = -(-value // step) * step
        value = value - step if high is not None and value > high else value
    return value


def _another(item: object, taken: list[object], kind: object) -> object:
    choices = kind.get("enum") if isinstance(kind, dict) else None
    if isinstance(choices, list):
        return next((choice for choice in choices if choice not in taken), item)
    if isinstance(item, bool) and item in taken:
        return not item
    for number in range(2, len(taken) + 3):
        other: object = item
        if isinstance(item, str):
            other = f"{item} {number}"
        elif isinstance(item, int | float):
            other = item + number - 1
        if other not in taken:
            return other
    return item


def _matching(pattern: str, text: str) -> str:
    try:
        wanted = re.compile(pattern)
    except re.error:
        return text
    return next((s for s in (text, *_PATTERN_SAMPLES) if wanted.search(s)), text)
