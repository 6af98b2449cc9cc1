"""Further turns at the end of the caller's own request: nothing else changes."""

from __future__ import annotations

import json

import pytest

from understudy.dialects.messages import MESSAGES

USER = {"role": "user", "content": "hello"}
BODY = (
    b'{"novelty":{"a" : [1.50, "\\u00e9"]},"model":"x","max_tokens":500,"temperature":2e0,'
    b'"messages":[{"content" : [ {"type":"text","text":"hi"} ],"role":"user"}],"stream":true}'
)


def extended(messages, turns, limit=None, **fields):
    body = json.dumps({"model": "x", "max_tokens": 5000, "messages": messages, **fields}).encode()
    return json.loads(MESSAGES.extend(body, turns, limit))


def test_turns_are_added_and_every_other_byte_of_meaning_stays():
    again = MESSAGES.extend(BODY, [("assistant", "Once"), ("user", 'Go "on"')], None)
    added = b',{"role":"assistant","content":"Once"},{"role":"user","content":"Go \\"on\\""}]'
    assert again == BODY.replace(b'"role":"user"}]', b'"role":"user"}' + added)


def test_a_limit_takes_the_place_of_the_callers():
    assert MESSAGES.extend(BODY, [], 7) == BODY.replace(b"500", b"7")


@pytest.mark.parametrize(
    ("prefill", "merged"),
    [
        ("Once upon", "Once upon a time"),
        (
            [{"type": "text", "text": "Once upon"}],
            [{"type": "text", "text": "Once upon a time"}],
        ),
        (
            [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"cache_control": {"type": "ephemeral"}, "type": "text", "text": "Once upon"},
            ],
            [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {
                    "cache_control": {"type": "ephemeral"},
                    "type": "text",
                    "text": "Once upon a time",
                },
            ],
        ),
    ],
)
@pytest.mark.parametrize("after", [[], [("user", "Go on.")]])
def test_a_prefill_and_what_followed_it_are_one_turn(prefill, merged, after):
    last = {"role": "assistant", "content": prefill}
    body = extended([USER, last], [("assistant", " a time"), *after])
    assert body["messages"][:2] == [USER, {"role": "assistant", "content": merged}]
    assert len(body["messages"]) == 2 + len(after)


@pytest.mark.parametrize(
    "last",
    [
        USER,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}],
        },
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": 3},
        {"role": "assistant", "content": [{"type": "text"}]},
        3,
    ],
)
def test_what_is_no_prefill_stays_as_it_came(last):
    body = extended([USER, last], [("assistant", "x")])
    assert body["messages"] == [USER, last, {"role": "assistant", "content": "x"}]


def test_a_prefill_stays_as_it_is_where_the_user_speaks_next():
    prefill = {"role": "assistant", "content": "Once"}
    body = extended([USER, prefill], [("user", "Go on.")])
    assert body["messages"] == [USER, prefill, {"role": "user", "content": "Go on."}]


@pytest.mark.parametrize(
    ("thinking", "limit", "left"),
    [
        (
            {"type": "enabled", "budget_tokens": 2000},
            3000,
            {"type": "enabled", "budget_tokens": 2000},
        ),
        (
            {"type": "enabled", "budget_tokens": 4000},
            3000,
            {"type": "enabled", "budget_tokens": 1500},
        ),
        ({"type": "enabled", "budget_tokens": 4000}, 1000, None),
        (
            {"type": "enabled", "budget_tokens": 9000},
            None,
            {"type": "enabled", "budget_tokens": 9000},
        ),
        ({"type": "adaptive"}, 10, {"type": "adaptive"}),
        ({"type": "of tomorrow", "x": 1}, 10, {"type": "of tomorrow", "x": 1}),
    ],
)
def test_a_budget_of_thoughts_stays_below_the_limit(thinking, limit, left):
    body = extended([USER], [("assistant", "x")], limit, thinking=thinking)
    assert body.get("thinking") == left
