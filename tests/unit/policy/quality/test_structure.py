"""What breaks a JSON Schema for certain, within a budget."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.policy.quality.structure import breaks

_PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "of": {"$ref": "#/$defs/person"}},
    "required": ["name"],
    "additionalProperties": False,
}


def broken(schema, value):
    return breaks(json.dumps(schema).encode(), value)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object"}, {}, []),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "integer"}, 2.0, 2.5),
        ({"type": "integer"}, 2, True),
        ({"type": "number"}, 2.5, "2"),
        ({"type": "boolean"}, False, 0),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"const": {"a": 1}}, {"a": 1}, {"a": 2}),
        ({"required": ["a"]}, {"a": None}, {"b": 1}),
        ({"properties": {"a": {"type": "string"}}}, {"a": "x", "b": 1}, {"a": 1}),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
        ({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 1}),
        ({"items": {"type": "string"}}, ["a"], ["a", 1]),
        ({"items": [{"type": "string"}, {"type": "null"}]}, ["a", None, 1], ["a", 1]),
        ({"minItems": 1, "maxItems": 2}, [1], []),
        ({"minimum": 1, "maximum": 3}, 3, 4),
        ({"minLength": 1, "maxLength": 2}, "ab", "abc"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "a", 1),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "ab", "a"),
        ({"type": "string", "nullable": True}, None, 1),
        ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "null"}}}, None, 1),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_what_structured_output_promises_is_held_to(schema, good, bad):
    assert broken(schema, good) is False
    assert broken(schema, bad) is True


def test_a_schema_that_speaks_of_itself_is_followed():
    schema = {"$defs": {"person": _PERSON}, "$ref": "#/$defs/person"}
    assert broken(schema, {"name": "a", "of": {"name": "b", "of": {"name": "c"}}}) is False
    assert broken(schema, {"name": "a", "of": {"name": "b", "of": {}}}) is True


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a+$"},
        {"not": {}},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/nowhere"},
        {"type": "tuple"},
        {"type": 7, "enum": 3, "required": "a", "items": 5, "properties": [], "anyOf": {}},
        {"patternProperties": {"^a": {}}, "additionalProperties": False},
    ],
    ids=lambda schema: next(iter(schema)),
)
def test_what_is_not_known_says_nothing(schema):
    assert broken(schema, {"a": "b"}) is False


def _branching(levels):
    """2ⁿ steps of work."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": twice, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        _branching(40),
        {"enum": list(range(5000)), "items": {"$ref": "#"}},
    ],
    ids=["itself", "itself twice", "branching", "long lists"],
)
def test_no_callers_schema_keeps_it_busy(schema):
    assert broken(schema, [[]] * 50) in {None, True}


def test_a_value_that_is_too_deep_or_a_schema_that_is_too_large_is_not_judged():
    deep = None
    for _ in range(500):
        deep = [deep]
    assert broken({"items": {"$ref": "#"}}, deep) is None
    assert breaks(b" " * 40_000 + b"{}", {}) is None
    assert breaks(b"no json", {}) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
_NAMES = (
    "type, enum, const, required, properties, additionalProperties, items, $ref, anyOf, allOf, "
    "oneOf, minimum, maxLength, minItems, nullable, prefixItems"
)
_KEYWORDS = st.sampled_from(_NAMES.split(", "))


@given(st.dictionaries(_KEYWORDS, _JSON, max_size=5), _JSON)
def test_any_schema_gets_an_answer(schema, value):
    assert broken(schema, value) in {True, False, None}
