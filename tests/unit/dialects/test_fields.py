"""Reading a caller's body: every fault names its field in the caller's own terms."""

from __future__ import annotations

import msgspec
import pytest

from understudy.core.conversation import BadRequestError, InexpressibleError
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    is_filled_array,
    optional_bool,
    present,
    readdress_model,
    require_array,
    require_model,
)


class Leaf(msgspec.Struct, tag="leaf", tag_field="type", forbid_unknown_fields=True):
    size: int


class Tree(msgspec.Struct):
    leaves: list[Leaf]


TREE = msgspec.json.Decoder(Tree)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b'{"a":1} x',
        b'{"a":01}',
        b'{"\xff":1}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=lambda body: body[:12],
)
def test_a_body_that_is_no_object_is_the_callers_fault(body):
    with pytest.raises(BadRequestError) as raised:
        decode_fields(body)
    assert raised.value.field is None
    assert raised.value.message


def test_fields_keep_their_order_and_their_bytes():
    fields = decode_fields(b'{"b": [1,  2], "model": "x", "a": {"z" : 1e2}}')
    assert list(fields) == ["b", "model", "a"]
    assert bytes(fields["b"]) == b"[1,  2]"
    assert bytes(fields["a"]) == b'{"z" : 1e2}'


@pytest.mark.parametrize(
    ("body", "at", "field"),
    [
        (b'{"leaves":[{"type":"leaf","size":"1"}]}', "", "leaves[0].size"),
        (b'{"leaves":[{"type":"leaf"}]}', "", "leaves[0].size"),
        (b'{"leaves":{}}', "", "leaves"),
        (b"{}", "", "leaves"),
        (b"[]", "trees[3]", "trees[3]"),
        (b'{"leaves":[null]}', "trees[3]", "trees[3].leaves[0]"),
        (b"{}", "trees[3]", "trees[3].leaves"),
    ],
)
def test_a_wrong_type_names_its_path(body, at, field):
    with pytest.raises(BadRequestError) as raised:
        decode_body(TREE, body, at)
    assert raised.value.field == field
    assert "$" not in raised.value.message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"leaves":[{"type":"branch","size":1}]}', "leaves[0]"),
        (b'{"leaves":[{"type":"leaf","size":1,"colour":2}]}', "leaves[0].colour"),
    ],
)
def test_what_no_other_dialect_knows_is_inexpressible_by_its_path(body, field):
    with pytest.raises(InexpressibleError) as raised:
        decode_body(TREE, body)
    assert raised.value.field == field
    assert field in raised.value.message


@pytest.mark.parametrize("value", [b"1", b'""', b'"  "', b"null", b"[]"])
def test_model_is_a_name(value):
    with pytest.raises(BadRequestError, match="model"):
        require_model(decode_fields(b'{"model":' + value + b"}"))


def test_model_is_required():
    with pytest.raises(BadRequestError, match="model: Field required"):
        require_model({})


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"{}", False), (b'{"s":null}', False), (b'{"s":false}', False), (b'{"s":true}', True)],
)
def test_a_boolean_may_be_absent_or_null(body, value):
    assert optional_bool(decode_fields(body), "s") is value


@pytest.mark.parametrize("value", [b"1", b'"true"', b"{}"])
def test_a_boolean_is_nothing_else(value):
    with pytest.raises(BadRequestError, match="stream"):
        optional_bool(decode_fields(b'{"stream":' + value + b"}"), "stream")


@pytest.mark.parametrize("body", [b"{}", b'{"m":[]}', b'{"m":[ \n ]}', b'{"m":{}}', b'{"m":null}'])
def test_an_array_that_must_hold_something(body):
    with pytest.raises(BadRequestError) as raised:
        require_array(decode_fields(body), "m")
    assert raised.value.field == "m"


def test_arrays_are_told_filled_from_empty():
    fields = decode_fields(b'{"a":[ 1],"b":[  ],"c":"[1]","d":[[]]}')
    assert [is_filled_array(fields.get(name)) for name in "abcde"] == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_null_is_absent():
    fields = decode_fields(b'{"a":null,"b":"null","c":0}')
    assert present(fields, "a") is None
    assert present(fields, "b") is not None
    assert present(fields, "c") is not None
    assert present(fields, "d") is None


def test_readdressing_changes_the_model_in_its_place():
    fields = decode_fields(b'{"a": 1, "model": "x", "b": "\\u00e9"}')
    encoded = msgspec.json.encode(readdress_model(fields, 'y"z'))
    assert encoded == b'{"a":1,"model":"y\\"z","b":"\\u00e9"}'
    assert bytes(fields["model"]) == b'"x"'
