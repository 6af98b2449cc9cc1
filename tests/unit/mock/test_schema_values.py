"""Values made for a JSON Schema satisfy it."""

import re

import pytest

from understudy.mock.schema_values import Words, value_for

REFERENCE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "required": ["root"],
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name", "next", "children"],
        }
    },
}
SCHEMAS = {
    "string": {"type": "string"},
    "lengths": {"type": "string", "minLength": 30, "maxLength": 32},
    "short": {"type": "string", "maxLength": 2},
    "email": {"type": "string", "format": "email", "pattern": ".+@.+"},
    "pattern": {"type": "string", "pattern": r"^[A-Z]{3}-\d{3}$"},
    "colour": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
    "enum": {"enum": ["low", "high"]},
    "const": {"const": {"fixed": [1, None]}},
    "integer": {"type": "integer", "minimum": 3, "maximum": 5},
    "exclusive": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25},
    "multiple": {"type": "integer", "minimum": 10, "multipleOf": 7},
    "most": {"type": "number", "maximum": -2},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "nullable": {"type": ["null", "integer"], "minimum": 1},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 5},
    "one": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
    "unique": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 5},
    "unique_enum": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}]},
    "any_of": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 9}]},
    "all_of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "untyped": {"properties": {"a": {"minimum": 2}}, "required": ["a", "free"]},
    "reference": REFERENCE,
}
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def problems(value, schema, root):
    """What of `schema` a value breaks: a validator of the keywords that stand in the table."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    found = [p for part in schema.get("allOf", ()) for p in problems(value, part, root)]
    options = schema.get("anyOf", ())
    if options and all(problems(value, option, root) for option in options):
        found.append("anyOf")
    if "enum" in schema and value not in schema["enum"]:
        found.append("enum")
    if "const" in schema and value != schema["const"]:
        found.append("const")
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(_is(value, kind) for kind in kinds):
        found.append(f"type {kinds}")
    return found + _by_type(value, schema, root)


def _by_type(value, schema, root):
    if isinstance(value, str):
        return _string(value, schema)
    if isinstance(value, dict):
        found = [f"{key} missing" for key in schema.get("required", ()) if key not in value]
        for key, inner in schema.get("properties", {}).items():
            found += problems(value[key], inner, root) if key in value else []
        return found
    if isinstance(value, list):
        return _array(value, schema, root)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return _number(value, schema) if is_number else []


def _is(value, kind):
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _string(value, schema):
    found = [] if re.search(schema.get("pattern", ""), value) else ["pattern"]
    fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1e9)
    return found + ([] if fits else ["length"])


def _number(value, schema):
    ok = schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ok &= (
        schema.get("exclusiveMinimum", value - 1)
        < value
        < schema.get("exclusiveMaximum", value + 1)
    )
    ok &= not value % schema.get("multipleOf", 1) or "multipleOf" not in schema
    return [] if ok else ["number"]


def _array(value, schema, root):
    fixed = schema.get("prefixItems", [])
    kinds = fixed + [schema.get("items", {})] * (len(value) - len(fixed))
    found = [p for v, kind in zip(value, kinds, strict=False) for p in problems(v, kind, root)]
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1e9):
        found.append("items")
    if schema.get("uniqueItems") and len(value) != len({repr(v) for v in value}):
        found.append("unique")
    return found


def words(prompt="Where is Paris on the map?", terms=("paris", "map")):
    return Words(prompt, terms)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_value_satisfies_its_schema(name):
    schema = SCHEMAS[name]
    assert problems(value_for(schema, words()), schema, schema) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_value_satisfies_its_schema_as_a_field_too(name):
    inner = SCHEMAS[name]
    schema = {"type": "object", "properties": {"a": inner}, "required": ["a"], **_defs(inner)}
    assert problems(value_for(schema, words()), schema, schema) == []


def _defs(schema):
    return {"$defs": schema["$defs"]} if "$defs" in schema else {}


def test_a_schema_that_refers_to_itself_comes_to_an_end():
    value = value_for(REFERENCE, words())
    depth = 0
    while value:
        value = value.get("root") or value.get("next")
        depth += 1
    assert 1 < depth < 12


def test_the_prompt_s_words_are_used():
    schema = {"properties": {"query": {"type": "string"}, "mood": {"enum": ["dull", "map"]}}}
    assert value_for(schema, words()) == {"query": "Where is Paris on the map?", "mood": "map"}


def test_a_pattern_that_no_sample_fits_and_one_that_is_none_give_a_string():
    for pattern in ("^q{17}z$", "(["):
        assert isinstance(value_for({"type": "string", "pattern": pattern}, words()), str)
