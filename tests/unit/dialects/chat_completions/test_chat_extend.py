"""The caller's own request again: with further turns at its end, or without past reasoning."""

from __future__ import annotations

import json

import pytest

from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from unit.dialects.chat_completions.chat_samples import body_of, user

BODY = (
    b'{"novelty":{"a" : [1.50, "\\u00e9"]},"model":"x","max_tokens":500,"temperature":2e0,'
    b'"messages":[{"content" : [ {"type":"text","text":"hi"} ],"role":"user"}],"stream":true}'
)
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def assistant(content, **fields):
    return {"role": "assistant", "content": content, **fields}


def extended(messages, turns, limit=None, **fields):
    return json.loads(CHAT_COMPLETIONS.extend(body_of(*messages, **fields), turns, limit))


class TestExtending:
    def test_turns_are_added_and_every_other_byte_of_meaning_stays(self):
        turns = [("assistant", "Once"), ("user", 'Go "on"')]
        again = CHAT_COMPLETIONS.extend(BODY, turns, None)
        added = b',{"role":"assistant","content":"Once"},{"role":"user","content":"Go \\"on\\""}]'
        assert again == BODY.replace(b'"role":"user"}]', b'"role":"user"}' + added)

    @pytest.mark.parametrize(
        ("limits", "left"),
        [
            ({"max_tokens": 500}, {"max_tokens": 7}),
            ({"max_completion_tokens": 500}, {"max_completion_tokens": 7}),
            (
                {"max_completion_tokens": 500, "max_tokens": None},
                {"max_completion_tokens": 7, "max_tokens": None},
            ),
            (
                {"max_tokens": 400, "max_completion_tokens": 500},
                {"max_tokens": 7, "max_completion_tokens": 7},
            ),
            ({}, {}),
        ],
    )
    def test_a_limit_takes_the_place_of_the_callers(self, limits, left):
        body = extended([user()], [], 7, **limits)
        assert {name: body[name] for name in body if name.startswith("max_")} == left
        body = extended([user()], [], None, **limits)
        assert {name: body[name] for name in body if name.startswith("max_")} == limits

    @pytest.mark.parametrize(
        ("prefill", "merged"),
        [
            (assistant("Once"), assistant("Once upon")),
            (assistant("Once", prefix=True), assistant("Once upon", prefix=True)),
            (assistant("Once", tool_calls=None), assistant("Once upon", tool_calls=None)),
            (
                assistant([{"type": "text", "text": "Once"}]),
                assistant([{"type": "text", "text": "Once upon"}]),
            ),
        ],
    )
    def test_a_prefill_and_what_followed_it_are_one_turn(self, prefill, merged):
        body = extended([user(), prefill], [("assistant", " upon"), ("user", "Go on.")])
        assert body["messages"] == [user(), merged, user("Go on.")]

    @pytest.mark.parametrize(
        "last",
        [
            user(),
            assistant("x", tool_calls=[CALL]),
            assistant(None),
            {"role": "assistant", "refusal": "no"},
            assistant([{"type": "refusal", "refusal": "no"}]),
            3,
        ],
    )
    def test_what_is_no_prefill_stays_as_it_came(self, last):
        body = extended([user(), last], [("assistant", "x")])
        assert body["messages"] == [user(), last, assistant("x")]


class TestForgetting:
    """Some servers refuse reasoning that others handed out: they are asked again without."""

    @pytest.mark.parametrize(
        "reasoning",
        [
            {"reasoning_content": "hm"},
            {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text"}]},
            {"reasoning_content": None},
        ],
    )
    def test_all_reasoning_goes_and_nothing_else(self, reasoning):
        messages = [
            user(reasoning="the user's own"),
            assistant("Hi.", **reasoning),
            assistant(None, tool_calls=[CALL], **reasoning),
            {"role": "assistant", **reasoning},
            user(),
        ]
        body = body_of(*messages, reasoning_effort="low", reasoning={"x": 1})
        again = json.loads(CHAT_COMPLETIONS.forget_thinking(body))
        assert again["messages"] == [
            messages[0],
            assistant("Hi."),
            assistant(None, tool_calls=[CALL]),
            user(),
        ]
        assert (again["reasoning_effort"], again["reasoning"]) == ("low", {"x": 1})

    @pytest.mark.parametrize(
        "body",
        [
            body_of(user(), reasoning_effort="low"),
            body_of(user(reasoning="x"), assistant("y")),
            body_of(3),
            b'{"messages":{"reasoning":1}}',
        ],
    )
    def test_a_body_without_any_is_the_very_same(self, body):
        assert CHAT_COMPLETIONS.forget_thinking(body) is body
