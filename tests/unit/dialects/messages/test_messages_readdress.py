"""The caller's own body for another model: nothing changes but what must."""

from __future__ import annotations

import json

import pytest

from understudy.dialects.base import Traits
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from unit.dialects.messages.messages_samples import body_of

OLD = Traits(max_output=64_000)
MIDDLE = Traits(thinking_adaptive=True, prefill=False)
NEW = Traits(sampling=False, thinking_budget=False, thinking_adaptive=True, prefill=False)
NO_THOUGHT = Traits(thinking_budget=False)
ALWAYS = Traits(thinking_off=False, thinking_adaptive=True, thinking_budget=False)
HELLO = {"role": "user", "content": "hello"}


def readdressed(traits, messages=None, **fields):
    envelope = MESSAGES.read_envelope(body_of(messages, **fields))
    body, names = MESSAGES.readdress(envelope, "claude-y", traits)
    return json.loads(body), names


def test_without_traits_only_the_model_changes():
    body = (
        b'{"novelty":{"a" : [1.50, "\\u00e9"]},"model":"x","max_tokens":5,"temperature":2e0,'
        b'"messages":[{"role":"assistant","content":"x "}],"thinking":{"type":"?"}}'
    )
    envelope = MESSAGES.read_envelope(body)
    again, names = MESSAGES.readdress(envelope, "claude-y", None)
    assert again == body.replace(b'"model":"x"', b'"model":"claude-y"')
    assert names == []
    assert envelope.body == body


def test_a_body_that_the_model_takes_stays_byte_for_byte():
    body = (
        b'{"model":"x","max_tokens":5,"temperature":0.50,"top_k":3,'
        b'"thinking":{"type":"disabled"},"messages":[{"role":"user","content":[ ]}]}'
    )
    again, names = MESSAGES.readdress(MESSAGES.read_envelope(body), "y", OLD)
    assert again == body.replace(b'"model":"x"', b'"model":"y"')
    assert names == []


@pytest.mark.parametrize(
    ("traits", "fields", "left", "names"),
    [
        (
            NEW,
            {"temperature": 0.5, "top_p": 0.9, "top_k": 3},
            {},
            ["temperature", "top_p", "top_k"],
        ),
        (OLD, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ["top_p"]),
        (
            NEW,
            {"thinking": {"type": "enabled", "budget_tokens": 50, "display": "omitted"}},
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            ["thinking"],
        ),
        (NO_THOUGHT, {"thinking": {"type": "enabled", "budget_tokens": 50}}, {}, ["thinking"]),
        (NO_THOUGHT, {"thinking": {"type": "adaptive"}}, {}, ["thinking"]),
        (ALWAYS, {"thinking": {"type": "disabled"}}, {}, ["thinking"]),
        (
            OLD,
            {"max_tokens": 100_000, "thinking": {"type": "enabled", "budget_tokens": 70_000}},
            {"max_tokens": 64_000, "thinking": {"type": "enabled", "budget_tokens": 32_000}},
            ["max_tokens", "thinking"],
        ),
        (
            NEW,
            {
                "thinking": {"type": "enabled", "budget_tokens": 50},
                "tool_choice": {"type": "any"},
            },
            {"tool_choice": {"type": "any"}},
            ["thinking"],
        ),
        (
            OLD,
            {"output_config": {"effort": "low"}},
            {},
            ["output_config.effort"],
        ),
        (
            OLD,
            {"output_config": {"effort": "low", "format": {"type": "json_schema"}}},
            {"output_config": {"format": {"type": "json_schema"}}},
            ["output_config.effort"],
        ),
        (NEW, {"output_config": {"effort": "low"}}, {"output_config": {"effort": "low"}}, []),
    ],
)
def test_what_the_model_rejects_is_adapted_by_name(traits, fields, left, names):
    body, noted = readdressed(traits, **fields)
    touched = {"max_tokens": 100} | left
    assert {name: body[name] for name in body if name not in {"model", "messages"}} == touched
    assert noted == names


@pytest.mark.parametrize(
    "content",
    [
        "The answer is (",
        [
            {"type": "thinking", "thinking": "x", "signature": "s"},
            {"type": "text", "text": "is ("},
        ],
    ],
)
@pytest.mark.parametrize(("traits", "adapted"), [(OLD, False), (MIDDLE, True), (NEW, True)])
def test_a_prefill_becomes_a_turn_of_the_user_where_it_is_rejected(traits, adapted, content):
    prefill = {"role": "assistant", "content": content}
    body, names = readdressed(traits, [HELLO, prefill])
    assert body["messages"][:2] == [HELLO, prefill]
    assert names == (["prefill"] if adapted else [])
    assert len(body["messages"]) == 2 + adapted
    if adapted:
        assert body["messages"][2]["role"] == "user"
        assert 'is ("' in body["messages"][2]["content"]


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": "hot"},
        {"thinking": 3},
        {"thinking": {"type": "between_tools", "novelty": 1}},
        {"output_config": []},
        {"tool_choice": "any"},
        {"temperature": None},
        {"messages": [3]},
        {"messages": [HELLO, {"role": "assistant", "content": 3}]},
    ],
)
def test_what_cannot_be_read_is_left_to_the_vendor(fields):
    body, names = readdressed(NEW, **fields)
    assert names == []
    assert {name: body[name] for name in fields} == fields


def test_counting_is_readdressed_by_the_same_rules():
    envelope = COUNT_TOKENS.read_envelope(
        json.dumps(
            {
                "model": "x",
                "messages": [HELLO],
                "thinking": {"type": "enabled", "budget_tokens": 5},
            }
        ).encode()
    )
    body, names = COUNT_TOKENS.readdress(envelope, "y", NEW)
    assert json.loads(body) == {
        "model": "y",
        "messages": [HELLO],
        "thinking": {"type": "adaptive"},
    }
    assert names == ["thinking"]
