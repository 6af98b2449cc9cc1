"""What a vendor's own list says of its models goes over the tables, and never stops anything."""

import json

import msgspec
import pytest
from anthropic.types import ModelInfo as OfficialModelInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.dialects.base import Traits
from understudy.providers.model_list import (
    ModelInfo,
    ModelPage,
    find_model,
    models_query,
    read_models,
    traits_from,
)
from understudy.providers.registry import MANNERS
from understudy.providers.traits import anthropic_traits


def yes(*, is_it: bool) -> dict[str, bool]:
    return {"supported": is_it}


def thinking(*, budget: bool, adaptive: bool, off: bool, supported: bool = True) -> dict:
    return {
        "supported": supported,
        "types": {
            "adaptive": yes(is_it=adaptive),
            "between_tools": yes(is_it=False),
            "disabled": yes(is_it=off),
            "enabled": yes(is_it=budget),
        },
    }


def model(name: str, context: int | None, output: int | None, thinks: dict) -> dict:
    """A model in the shape of `ModelInfo` of anthropic-sdk-python, all of its fields."""
    return {
        "id": name,
        "capabilities": {
            "batch": yes(is_it=True),
            "citations": yes(is_it=True),
            "code_execution": yes(is_it=True),
            "context_management": {
                "clear_thinking_20251015": yes(is_it=True),
                "clear_tool_uses_20250919": yes(is_it=True),
                "compact_20260112": None,
                "supported": True,
            },
            "effort": {
                "high": yes(is_it=True),
                "low": yes(is_it=True),
                "max": yes(is_it=True),
                "medium": yes(is_it=True),
                "supported": True,
                "xhigh": None,
            },
            "image_input": yes(is_it=True),
            "pdf_input": yes(is_it=True),
            "server_tools": {
                "code_execution": yes(is_it=True),
                "supported": True,
                "web_search": yes(is_it=True),
            },
            "structured_outputs": yes(is_it=True),
            "thinking": thinks,
        },
        "created_at": "2026-02-04T00:00:00Z",
        "deprecated_at": None,
        "display_name": "A model",
        "lifecycle": "active",
        "line": "opus",
        "max_input_tokens": context,
        "max_tokens": output,
        "retires_at": None,
        "type": "model",
    }


ALWAYS = thinking(budget=False, adaptive=True, off=False)
BOTH = thinking(budget=True, adaptive=True, off=True)
PAGE = {
    "data": [
        model("claude-opus-7", 2_000_000, 256_000, ALWAYS),
        model("claude-opus-4-6", 1_000_000, 128_000, BOTH),
        model(
            "claude-3-haiku-20240307",
            None,
            None,
            thinking(budget=False, adaptive=False, off=True, supported=False),
        ),
    ],
    "first_id": "claude-opus-7",
    "has_more": True,
    "last_id": "claude-3-haiku-20240307",
}


def read(**changes: object) -> ModelPage:
    return read_models(json.dumps(PAGE | changes).encode())


def one(**changes: object) -> ModelInfo:
    """What is read of one model, with some of its fields changed."""
    item = PAGE["data"][0] | changes
    return read(data=[item]).models["claude-opus-7"]


def test_a_page_of_anthropics_list():
    assert read().models == {
        "claude-opus-7": ModelInfo(
            id="claude-opus-7",
            context=2_000_000,
            max_output=256_000,
            thinking_budget=False,
            thinking_off=False,
            thinking_adaptive=True,
        ),
        "claude-opus-4-6": ModelInfo(
            id="claude-opus-4-6",
            context=1_000_000,
            max_output=128_000,
            thinking_budget=True,
            thinking_off=True,
            thinking_adaptive=True,
        ),
        "claude-3-haiku-20240307": ModelInfo(
            id="claude-3-haiku-20240307",
            thinking_budget=False,
            thinking_off=True,
            thinking_adaptive=False,
        ),
    }


def test_the_official_sdk_takes_the_shape_that_these_tests_use():
    for item in PAGE["data"]:
        info = OfficialModelInfo.model_validate(item)
        assert info.max_input_tokens == read().models[info.id].context


def test_what_the_list_says_goes_over_the_table():
    base = anthropic_traits("claude-opus-7")
    assert traits_from(read().models["claude-opus-7"], base) == msgspec.structs.replace(
        base, context=2_000_000, max_output=256_000
    )
    told = one(capabilities={"thinking": BOTH})
    traits = traits_from(told, base)
    assert (traits.thinking_budget, traits.thinking_off, traits.thinking_adaptive) == (True,) * 3


def test_what_the_list_does_not_say_is_the_tables():
    base = anthropic_traits("claude-3-haiku-20240307")
    traits = traits_from(read().models["claude-3-haiku-20240307"], base)
    assert (traits.context, traits.max_output) == (200_000, 4_096)
    assert (traits.sampling, traits.prefill, traits.stop) == (True, True, True)
    bare = ModelInfo(id="claude-3-haiku-20240307")
    assert traits_from(bare, base) == base


def test_a_model_that_does_not_think_takes_neither_budget_nor_adaptive():
    told = one(capabilities={"thinking": {"supported": False}})
    assert (told.thinking_budget, told.thinking_adaptive) == (False, False)
    assert told.thinking_off is None


def test_a_list_from_before_a_thinking_type_was_told_leaves_it_open():
    types = {"enabled": yes(is_it=True), "adaptive": yes(is_it=False)}
    told = one(capabilities={"thinking": {"supported": True, "types": types}})
    assert (told.thinking_budget, told.thinking_adaptive) == (True, False)
    assert told.thinking_off is None


@pytest.mark.parametrize("count", [0, -1, True, "200000", 2e5, None, [], {}])
def test_what_is_no_number_of_tokens_is_no_limit(count):
    told = one(max_input_tokens=count, max_tokens=count)
    assert (told.context, told.max_output) == (None, None)


@pytest.mark.parametrize(
    "capabilities",
    [
        None,
        [],
        "all",
        {},
        {"thinking": None},
        {"thinking": {"types": []}},
        {"thinking": {"types": {"enabled": True, "disabled": {}, "adaptive": {"supported": 1}}}},
        {"thinking": {"supported": "no"}},
    ],
    ids=str,
)
def test_capabilities_of_another_shape_say_nothing(capabilities):
    told = one(capabilities=capabilities)
    assert (told.thinking_budget, told.thinking_off, told.thinking_adaptive) == (None,) * 3
    assert told.context == 2_000_000, "what can be read is"


def test_one_odd_model_does_not_spoil_the_others():
    odd = [7, None, {}, {"id": 7}, {"id": None}, "claude"]
    assert list(read(data=[*odd, *PAGE["data"]]).models) == list(read().models)


def test_openais_list_names_models_and_says_nothing_of_them():
    body = {"object": "list", "data": [{"id": "gpt-5.2", "object": "model", "created": 1}]}
    page = read_models(json.dumps(body).encode())
    assert page.models == {"gpt-5.2": ModelInfo(id="gpt-5.2")}
    assert page.after is None


class TestPages:
    """A list may come in several."""

    @pytest.mark.parametrize(
        ("changes", "after"),
        [
            ({}, "claude-3-haiku-20240307"),
            ({"has_more": False}, None),
            ({"has_more": None}, None),
            ({"has_more": "yes"}, None),
            ({"last_id": None}, None),
            ({"last_id": ""}, None),
            ({"last_id": 7}, None),
        ],
        ids=str,
    )
    def test_the_next_begins_after_the_last_of_this_one(self, changes, after):
        assert read(**changes).after == after

    def test_a_page_is_asked_for_as_large_as_there_is(self):
        assert models_query() == "limit=1000"
        assert models_query("claude-opus-7") == "limit=1000&after_id=claude-opus-7"

    def test_a_cursor_can_add_nothing_to_the_query(self):
        assert (
            models_query("a&limit=1 /é\r\n")
            == "limit=1000&after_id=a%26limit%3D1%20%2F%C3%A9%0D%0A"
        )


class TestAliases:
    """A configuration may name a model without its date."""

    MODELS = read_models(
        json.dumps(
            {
                "data": [
                    {"id": "claude-haiku-4-5-20251001", "max_tokens": 1},
                    {"id": "claude-haiku-4-5-20260301", "max_tokens": 2},
                    {"id": "claude-haiku-4-20250101", "max_tokens": 3},
                    {"id": "claude-3-7-sonnet-20250219", "max_tokens": 4},
                    {"id": "claude-opus-7", "max_tokens": 5},
                ]
            }
        ).encode()
    ).models

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("claude-haiku-4-5-20251001", 1),
            ("claude-haiku-4-5", 2),
            ("claude-haiku-4", 3),
            ("claude-3-7-sonnet-latest", 4),
            ("claude-3-7-sonnet", 4),
            ("claude-opus-7", 5),
        ],
    )
    def test_it_is_the_newest_of_its_name(self, name, found):
        assert find_model(self.MODELS, name).max_output == found

    @pytest.mark.parametrize("name", ["claude", "claude-haiku", "claude-opus-7-1", "", "gpt-5"])
    def test_another_name_is_not_known(self, name):
        assert find_model(self.MODELS, name) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"data": {}}',
        b'{"data": null, "has_more": true, "last_id": "x"}',
        b"<html>",
        b'{"data": [{"id": "a',
        b'{"data": [{"id": "\xff"}]}',
        b"[" * 200_000,
        b'{"data":' * 50_000,
        b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
    ],
    ids=range(12),
)
def test_a_body_that_is_no_list_says_nothing(body):
    assert read_models(body) == ModelPage(models={}, after=None)


def test_a_body_without_end_is_not_read():
    long = json.dumps(PAGE | {"padding": "x" * (8 << 20)}).encode()
    assert read_models(long) == ModelPage(models={}, after=None)


NAMES = st.sampled_from(
    ["data", "id", "capabilities", "thinking", "types", "enabled", "supported", "max_tokens", "x"]
)
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.binary(max_size=100) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_nothing_that_a_vendor_sends_raises(body):
    for info in read_models(body).models.values():
        assert isinstance(traits_from(info, Traits()), Traits)


@settings(deadline=None)
@given(TREES)
def test_no_model_of_any_shape_raises(tree):
    page = read(data=[{"id": "m", "capabilities": tree, "max_tokens": tree}])
    assert isinstance(traits_from(page.models["m"], Traits()), Traits)


def test_only_the_vendor_that_tells_is_read():
    assert MANNERS["anthropic"].read_models is read_models
    assert MANNERS["openai"].read_models is None
    assert MANNERS["openai-compatible"].read_models is None
