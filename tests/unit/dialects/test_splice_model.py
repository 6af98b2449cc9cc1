"""A spliced body is what a decoder and an encoder would have made of it, or it is left to them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.dialects.fields import splice_model

KEYS = st.sampled_from(["model", "a", 'x"model"', "mod\u00e9l"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("model"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(
    fields=st.dictionaries(st.text(max_size=6), VALUES, max_size=4),
    named=st.text(max_size=8),
    model=st.text(max_size=8),
    indent=st.none() | st.integers(0, 3),
    ascii_only=st.booleans(),
)
def test_only_the_model_changes_or_nothing_is_spliced(fields, named, model, indent, ascii_only):
    whole = {**fields, "model": named}
    body = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()

    spliced = splice_model(body, named, model)

    if spliced is not None:
        assert json.loads(spliced) == {**whole, "model": model}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"mod\\u0065l":"b","model":"a"}',
        b'{"model":"a","tools":[{"model":"x"}]}',
        b'{"x":"model","model":"a"}',
        b'{"model":"\\u0061"}',
        b'{"model":1}',
        b'{"messages":[]}',
    ],
)
def test_what_could_be_read_in_two_ways_is_not_spliced(body):
    assert splice_model(body, "a", "b") is None


@pytest.mark.parametrize("space", ["", " ", "\n\t"])
def test_the_common_case_is_spliced_and_keeps_every_other_byte(space):
    messages = r'"messages":[{"role":"user","content":"say \"model\""}]}'
    before = f'{{"model"{space}:{space}"chat",{messages}'
    after = f'{{"model"{space}:{space}"gpt\\"5",{messages}'

    assert splice_model(before.encode(), "chat", 'gpt"5') == after.encode()
