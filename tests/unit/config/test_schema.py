"""The published schema says what the loader does, and the docs say what both do."""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from understudy.config import json_schema, load
from understudy.config.grammar import ROOT
from understudy.core.units import parse_duration

REPO = pathlib.Path(__file__).parents[3]
EXAMPLES = sorted((REPO / "examples").glob("*.yaml"))
DOCS = (REPO / "docs/configuration.md").read_text()
LATER = "not supported yet"


def holds(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is valid: the keywords that our schema uses, and no others."""
    unknown = schema.keys() - CHECKS.keys() - {"$schema", "title", *ANNOTATIONS}
    assert not unknown, f"keywords that this test can't check: {unknown}"
    return all(
        check(schema[keyword], value, schema)
        for keyword, check in CHECKS.items()
        if keyword in schema
    )


ANNOTATIONS = {"description", "default", "writeOnly", "format", "$comment"}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
CHECKS: dict[str, Any] = {
    "type": lambda want, value, _: (
        isinstance(value, TYPES[want]) and not (want == "integer" and isinstance(value, bool))
    ),
    "enum": lambda want, value, _: value in want,
    "not": lambda want, value, _: not holds(want, value),
    "anyOf": lambda want, value, _: any(holds(one, value) for one in want),
    "pattern": lambda want, value, _: re.search(want, value) is not None,
    "minimum": lambda want, value, _: value >= want,
    "maximum": lambda want, value, _: value <= want,
    "minItems": lambda want, value, _: len(value) >= want,
    "minProperties": lambda want, value, _: len(value) >= want,
    "required": lambda want, value, _: set(want) <= set(value),
    "items": lambda want, value, _: all(holds(want, one) for one in value),
    "properties": lambda want, value, _: all(
        holds(want[key], one) for key, one in value.items() if key in want
    ),
    "patternProperties": lambda want, value, _: all(
        holds(schema, one)
        for pattern, schema in want.items()
        for key, one in value.items()
        if re.search(pattern, key)
    ),
    "additionalProperties": lambda want, value, schema: (
        want is False
        and all(
            key in schema.get("properties", {})
            or any(re.search(pattern, key) for pattern in schema.get("patternProperties", {}))
            for key in value
        )
    ),
}


def keys(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a file may hold, as `features.*.targets[].use`, with its schema."""
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, inner
        yield from keys(inner, here)
    for inner in schema.get("patternProperties", {}).values():
        yield from keys(inner, f"{path}.*")
    if "items" in schema:
        yield from keys(schema["items"], f"{path}[]")
    for inner in schema.get("anyOf", []):
        yield from keys(inner, path)


KEYS = dict(keys(json_schema()))
LEAVES = {path: schema for path, schema in KEYS.items() if not list(keys(schema))}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_the_published_schema_is_current():
    published = json.loads((REPO / "docs/understudy.schema.json").read_text())
    assert published == json_schema(), "write it anew: understudy check --schema"


def test_no_object_takes_a_key_that_it_does_not_name():
    found = list(objects(json_schema()))
    assert len(found) > 8
    assert all(one["additionalProperties"] is False for one in found)


def test_every_key_of_the_agreed_file_is_known_and_described():
    agreed = """relay.listen web.listen web.console_key web.console_key_digest store
    callers[].name callers[].key callers[].key_digest callers[].tenant
    callers[].limits.requests_per_minute callers[].limits.tokens_per_minute
    callers[].limits.concurrency providers.*.kind
    providers.*.base_url providers.*.accounts.*.api_key providers.*.dialect
    providers.*.status_page providers.*.probes providers.*.domain features.*.title
    features.*.models features.*.targets[].use features.*.targets[].tier features.*.deadline
    features.*.first_token features.*.idle features.*.attempts features.*.continue_streams
    features.*.hedge features.*.hold features.*.defer features.*.webhook features.*.priority
    jobs.kept jobs.encryption_key jobs.earlier_keys jobs.webhooks.*.url jobs.webhooks.*.secret
    tenants.*.providers
    tenants.*.substitutes tenants.*.limits.requests_per_minute
    tenants.*.limits.tokens_per_minute tenants.*.limits.concurrency"""
    assert set(LEAVES) == set(agreed.split())
    assert all(schema["description"] for schema in KEYS.values())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path):
    # `off` is a text in YAML 1.2, by which editors read, and a boolean in PyYAML's 1.1.
    text = path.read_text().replace("hedge: off", "hedge: 'off'")
    assert holds(json_schema(), yaml.safe_load(text))


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"store": "redis://db"},
        {"store": "sqlite://x.db"},
        {"relay": {"listen": "8080"}},
        {"features": {}},
        {"features": {"a": {"targets": []}}},
        {"features": {"a": {"targets": ["x"]}}},
        {"features": {"a": {"targets": ["x/y"], "deadline": "0s"}}},
        {"features": {"a": {"targets": ["x/y"], "deadline": 10}}},
        {"features": {"a": {"targets": ["x/y"], "attempts": 11}}},
        {"features": {"a": {"targets": ["x/y"], "hedge": "often"}}},
        {"features": {"a": {"targets": ["x/y"], "hedge": "0s"}}},
        {"features": {"a": {"targets": ["x/y"], "first_token": "off"}}},
        {"features": {"a": {"targets": ["x/y"], "continue_streams": "maybe"}}},
        {"features": {"a": {"targets": ["x/y"], "defer": "maybe"}}},
        {"features": {"A b": {"targets": ["x/y"]}}},
        {"providers": {"x": {"kind": "gemini"}}},
        {"providers": {"x": {"kind": "openai", "domain": "gcp"}}},
        {"providers": {"x": {"kind": "openai", "dialect": "completions"}}},
        {"providers": {"x": {"kind": "openai", "status_page": "http://status.example.com"}}},
        {"providers": {"x": {"kind": "openai", "base_url": "http://example.com"}}},
        {"callers": [{"name": "a", "key": "short"}]},
        {"web": {"console_key": "short"}},
        {"web": {"console_key_digest": "abc"}},
    ],
    ids=str,
)
def test_what_the_loader_refuses_by_shape_the_schema_refuses(change):
    good = {
        "providers": {"x": {"kind": "openai", "accounts": {"main": {"api_key": "k"}}}},
        "features": {"a": {"targets": ["x/y"]}},
    }
    assert holds(json_schema(), good)
    assert load(yaml.safe_dump(good), {})
    assert not holds(json_schema(), {**good, **change})


@pytest.mark.parametrize(
    "keys",
    [
        {"first_token": "auto"},
        {"first_token": "2s"},
        {"hedge": "auto"},
        {"hedge": "off"},
        {"hedge": "500ms"},
        {"hedge": "${WHEN}"},
        {"continue_streams": False},
    ],
    ids=str,
)
def test_what_the_loader_takes_the_schema_takes(keys):
    text = {
        "providers": {"x": {"kind": "openai", "accounts": {"main": {"api_key": "k"}}}},
        "features": {"a": {"targets": ["x/y"], **keys}},
    }
    assert holds(json_schema(), text)
    assert load(yaml.safe_dump(text), {"WHEN": "2s"})


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading of the docs: first cell's code → the other cells."""
    section = re.split(r"^## ", DOCS, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            found[cells[0].strip("` ")] = cells[1:]
    return found


def test_the_docs_name_every_key_and_no_other():
    assert set(rows("Keys")) == set(LEAVES)


@pytest.mark.parametrize("path", [path for path, schema in LEAVES.items() if "default" in schema])
def test_the_docs_give_the_default_that_holds(path):
    told = rows("Keys")[path][0].strip("`")
    default = LEAVES[path]["default"]
    if isinstance(default, str) and re.fullmatch(r"\d+(ms|s|m|h)", default):
        assert parse_duration(told) == parse_duration(default)
    else:
        assert yaml.load(told, yaml.BaseLoader) == (
            str(default).lower() if isinstance(default, bool) else str(default)
        )


def test_the_docs_list_by_name_what_is_not_supported_yet():
    later = {path for path, schema in KEYS.items() if LATER in schema.get("$comment", "")}
    assert set(rows("Not supported yet")) == later


def test_a_default_of_the_schema_is_what_the_loader_takes():
    assert ROOT.fields["store"].shape.spell(ROOT.fields["store"].default) == "memory"
    text = "providers: {x: {kind: openai-compatible, base_url: 'http://[::1]'}}\n"
    bare = load(text + "features: {f: {targets: [x/y]}}", {})
    given = ", ".join(
        f"{path.rpartition('.')[2]}: {json.dumps(schema['default'])}"
        for path, schema in LEAVES.items()
        if path.startswith("features.") and "default" in schema
    )
    assert load(f"{text}features: {{f: {{targets: [x/y], {given}}}}}", {}) == bare
