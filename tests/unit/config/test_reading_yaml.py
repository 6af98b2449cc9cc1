"""What of YAML is read, and that nothing in a file can do harm."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.config import ConfigError, load

FEATURES = "features: {a: {targets: [x/y]}}\n"
PROVIDERS = "providers: {x: {kind: openai-compatible, base_url: 'http://localhost:1'}}\n"


def the_fault(text, env=None):
    with pytest.raises(ConfigError) as caught:
        load(text, env or {})
    (fault,) = caught.value.faults
    return fault


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("", "the file is empty", None),
        ("# only a comment\n", "the file is empty", None),
        ("a: 1\n\tb: 2\n", "a tab; YAML is indented with spaces", 2),
        ("a: [1\nb: 2\n", "not readable as YAML", 2),
        ("a: ${NAME}: b\n", "not readable as YAML", 1),
        ("a: {b: ${NAME}}\n", "not readable as YAML", 1),
        ("a: *nowhere\n", "undefined alias", 1),
        ("a: 1\n---\nb: 2\n", "not readable as YAML", 2),
        ("a: b\nc: \x07\n", "not printable", 2),
        ("a: " + "[" * 2000, "nested too deep", 1),
        ("a: " + "{b: " * 2000, "nested too deep", 1),
        ("a: &a [*a]\n", "an alias that holds itself", 1),
        (bomb(), "too many values", 1),
        ("x" * 600_000, "too large", None),
    ],
)
def test_a_file_that_is_no_sensible_yaml_is_refused_with_its_line(text, problem, line):
    fault = the_fault(text)
    assert problem in fault.problem
    assert fault.line == line
    assert fault.remedy


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("providers: {}\n", "providers", "stands twice (first in line 1)"),
        ("tenants: {a: {}, a: {}}\n", "tenants.a", "stands twice (first in line 3)"),
        ("tenants: {a: &a {}, b: {<<: *a}}\n", "tenants.b", "a merge key"),
        ("tenants: !!python/object:os.system {}\n", "tenants", "a YAML tag"),
        ("tenants: {a: {substitutes: !custom 1}}\n", "tenants.a.substitutes", "a YAML tag"),
        ("tenants: {[a]: {}}\n", "tenants", "a key that is no text"),
        ("tenants: {{ range }}\n", "tenants", "a key that is no text"),
    ],
)
def test_what_yaml_has_and_a_configuration_has_not_is_refused(text, path, problem):
    fault = the_fault(PROVIDERS + FEATURES + text)
    assert fault.path == path
    assert problem in fault.problem
    assert fault.line == 3


def test_an_alias_repeats_a_value():
    text = PROVIDERS + "features: {a: {targets: &both [x/y, x/z]}, b: {targets: *both}}\n"
    features = load(text, {}).features
    assert features["a"].targets == features["b"].targets


def test_a_word_that_yaml_takes_for_false_keeps_its_spelling():
    load(PROVIDERS + "features: {a: {targets: [x/y], hedge: off, defer: no}}\n", {})


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert load("\ufeff" + PROVIDERS + FEATURES, {}).features


KEYS = """relay web store callers providers features tenants listen name key tenant kind base_url
accounts api_key targets use tier models deadline hedge"""
VALUES = """anthropic openai 10s off true 3 127.0.0.1:8080 openai/gpt a@b/c ${X} ${X:-} ${ $$"""
SIGNS = """: - { } [ ] , & * ! > ' " # ? % @ ` ~ | <<"""
SPACES = ("\n", "\n  ", "\n    ", "\n  - ", "\t", ": ", "x: &x", "*x", "\x00", "\u2028", "\ud800")
WORDS = st.sampled_from([*KEYS.split(), *VALUES.split(), *SIGNS.split(), *SPACES])
TREES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.dates(),
        WORDS,
        st.text(string.printable, max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
ENVIRONMENTS = st.dictionaries(st.just("X"), st.text(max_size=20))


def loads_or_is_refused(text: str, env: dict[str, str]) -> None:
    faults = ()
    try:
        load(text, env)
    except ConfigError as error:
        faults = error.faults
    for fault in faults:
        assert fault.problem
        assert fault.remedy
        assert str(fault).isprintable()


@settings(deadline=None)
@given(st.text(), ENVIRONMENTS)
def test_no_text_raises_anything_but_a_config_error(text, env):
    loads_or_is_refused(text, env)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=40).map("".join), ENVIRONMENTS)
def test_no_heap_of_yaml_signs_raises_anything_but_a_config_error(text, env):
    loads_or_is_refused(text, env)


@settings(deadline=None)
@given(TREES, ENVIRONMENTS)
def test_no_tree_raises_anything_but_a_config_error(tree, env):
    loads_or_is_refused(yaml.safe_dump(tree), env)
    loads_or_is_refused(
        yaml.safe_dump({"providers": {"x": tree}, "features": {"a": tree}, "callers": tree}), env
    )
