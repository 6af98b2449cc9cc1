"""Thinking in the turns so far: a conversation with a seam in it goes on at every vendor."""

from __future__ import annotations

import json

import pytest

from understudy.dialects.base import PAST_THINKING, Traits
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from unit.dialects.messages.messages_samples import body_of

ASK = {"role": "user", "content": "hello"}
AGAIN = {"role": "user", "content": "and now?"}
TEXT = {"type": "text", "text": "Hi."}
CALL = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
#: A thought that its stream never finished, as clients keep it.
UNSIGNED = [
    {"type": "thinking", "thinking": "hm", "signature": ""},
    {"type": "thinking", "thinking": "hm"},
    {"signature": None, "thinking": "hm", "type": "thinking"},
    {"type": "redacted_thinking", "data": ""},
]
BUDGET = {"type": "enabled", "budget_tokens": 2000}
TRAITS = [None, Traits(), Traits(thinking_adaptive=True, prefill=False)]


def said(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def readdressed(messages, traits=None, **fields):
    body = body_of(messages, **{"max_tokens": 9000, **fields})
    again, names = MESSAGES.readdress(MESSAGES.read_envelope(body), "y", traits)
    return json.loads(again), names


def forgotten(messages, **fields):
    return json.loads(MESSAGES.forget_thinking(body_of(messages, max_tokens=9000, **fields)))


@pytest.mark.parametrize("traits", TRAITS)
@pytest.mark.parametrize("unsigned", UNSIGNED)
def test_a_thought_without_a_signature_is_left_out_whoever_is_asked(traits, unsigned):
    body, names = readdressed([ASK, said(SIGNED, unsigned, TEXT), AGAIN], traits)
    assert body["messages"] == [ASK, said(SIGNED, TEXT), AGAIN]
    assert names == ["thinking history"]


def test_a_turn_that_held_nothing_else_goes_with_it():
    body, names = readdressed([ASK, said(UNSIGNED[0]), AGAIN])
    assert body["messages"] == [ASK, AGAIN]
    assert names == ["thinking history"]


@pytest.mark.parametrize("traits", TRAITS)
def test_signed_and_sealed_thoughts_pass_byte_for_byte(traits):
    body = body_of([ASK, said(SIGNED, SEALED, TEXT), AGAIN])
    again, names = MESSAGES.readdress(MESSAGES.read_envelope(body), "y", traits)
    assert again == body.replace(b'"claude-sonnet-4-5"', b'"y"')
    assert names == []


def test_only_what_must_go_changes():
    body = (
        b'{"model":"x","max_tokens":5,"novelty":[1.50],"messages":[{"role":"user","content":"h"},'
        b'{"content":[{"type":"thinking","thinking":"hm"},{"type":"text" , "text":"\\u00e9"}],'
        b'"novelty":2e0,"role":"assistant"},{"role":"user","content":"h"}]}'
    )
    again, _ = MESSAGES.readdress(MESSAGES.read_envelope(body), "x", None)
    assert again == body.replace(b'{"type":"thinking","thinking":"hm"},', b"")


@pytest.mark.parametrize(
    "odd",
    [
        {"role": "assistant", "content": [{"type": "thinking", "signature": 5}]},
        {"role": "assistant", "content": {"type": "thinking"}},
        {"role": "user", "content": [UNSIGNED[1]]},
        {"role": "assistant", "content": 'of "thinking"'},
    ],
)
def test_what_is_no_thought_of_the_assistants_is_left_to_the_vendor(odd):
    body, names = readdressed([ASK, odd, AGAIN])
    assert body["messages"] == [ASK, odd, AGAIN]
    assert names == []


def test_counting_leaves_the_same_out():
    body = json.dumps({"model": "x", "messages": [ASK, said(UNSIGNED[0], TEXT), AGAIN]}).encode()
    again, names = COUNT_TOKENS.readdress(COUNT_TOKENS.read_envelope(body), "y", None)
    assert json.loads(again)["messages"] == [ASK, said(TEXT), AGAIN]
    assert names == ["thinking history"]


@pytest.mark.parametrize(
    ("messages", "may"),
    [
        ([ASK], False),
        ([ASK, said(TEXT), AGAIN], False),
        ([ASK, {"role": "assistant", "content": 'I was "thinking"'}, AGAIN], False),
        ([{"role": "user", "content": '"thinking"' * 900}, said(TEXT), AGAIN], False),
        ([ASK, said(SIGNED), AGAIN], True),
        ([ASK, said({"type": "text", "text": "x" * 9000}, SEALED), AGAIN], True),
        ([ASK, said(SIGNED)], True),
        ([ASK, {"content": [UNSIGNED[1]], "role": "assistant"}, AGAIN], True),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_envelope_says_whether_there_may_be_thinking(messages, may, separators):
    body = json.dumps(
        {"model": "x", "max_tokens": 9, "messages": messages, "thinking": BUDGET},
        separators=separators,
    ).encode()
    for dialect in (MESSAGES, COUNT_TOKENS):
        assert bool(dialect.read_envelope(body).delicate & PAST_THINKING) is may


class TestToolsWithoutThoughts:
    """With a budget the vendor wants a thought before the calls of the last turn."""

    @pytest.mark.parametrize("traits", [None, Traits()])
    @pytest.mark.parametrize("blocks", [[CALL], [TEXT, CALL], [UNSIGNED[0], CALL]])
    def test_thinking_is_switched_off(self, traits, blocks):
        body, names = readdressed([ASK, said(*blocks), RESULT], traits, thinking=BUDGET)
        assert "thinking" not in body
        assert body["messages"][1]["content"][-1] == CALL
        assert names[-1] == "thinking"

    @pytest.mark.parametrize(
        ("messages", "thinking"),
        [
            ([ASK, said(SIGNED, CALL), RESULT], BUDGET),
            ([ASK, said(SEALED, CALL), RESULT], BUDGET),
            ([ASK, said(CALL), RESULT, said(TEXT), AGAIN], BUDGET),
            ([ASK, said(CALL), RESULT], {"type": "adaptive"}),
            ([ASK, said(TEXT), AGAIN], BUDGET),
        ],
    )
    def test_thinking_stays_where_it_may(self, messages, thinking):
        body, names = readdressed(messages, thinking=thinking)
        assert body["thinking"] == thinking
        assert body["messages"] == messages
        assert names == []

    def test_a_model_that_thinks_adaptively_wants_no_thought_there(self):
        new = Traits(thinking_budget=False, thinking_adaptive=True)
        body, _ = readdressed([ASK, said(CALL), RESULT], new, thinking=BUDGET)
        assert body["thinking"] == {"type": "adaptive"}

    @pytest.mark.parametrize(
        ("management", "left"),
        [
            ({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, None),
            (
                {
                    "edits": [
                        {"type": "clear_thinking_20251015"},
                        {"type": "clear_tool_uses_20250919"},
                    ]
                },
                {"edits": [{"type": "clear_tool_uses_20250919"}]},
            ),
            ({"edits": 3}, {"edits": 3}),
        ],
    )
    def test_edits_of_thoughts_go_with_the_thinking(self, management, left):
        body, _ = readdressed(
            [ASK, said(CALL), RESULT], thinking=BUDGET, context_management=management
        )
        assert body.get("context_management") == left
        no_thought = Traits(thinking_budget=False)
        body, _ = readdressed([ASK], no_thought, thinking=BUDGET, context_management=management)
        assert body.get("context_management") == left


def test_a_prefill_gives_way_to_thinking():
    prefill = {"role": "assistant", "content": "Once"}
    body, names = readdressed([ASK, prefill], Traits(), thinking=BUDGET)
    assert body["messages"][:2] == [ASK, prefill]
    assert body["messages"][2]["role"] == "user"
    assert names == ["prefill"]


class TestForgetting:
    """A vendor that refuses somebody else's signature is asked again without any thought."""

    def test_all_thinking_goes_and_nothing_else(self):
        messages = [ASK, said(SIGNED, TEXT, CALL), RESULT, said(SEALED, SIGNED), AGAIN]
        body = forgotten(messages, novelty=[1])
        assert body["messages"] == [ASK, said(TEXT, CALL), RESULT, AGAIN]
        assert body["novelty"] == [1]

    def test_thinking_goes_on_where_it_may(self):
        body = forgotten([ASK, said(SIGNED, TEXT), AGAIN], thinking=BUDGET)
        assert body["thinking"] == BUDGET

    def test_thinking_is_switched_off_between_a_call_and_its_result(self):
        management = {"edits": [{"type": "clear_thinking_20251015"}]}
        body = forgotten(
            [ASK, said(SIGNED, CALL), RESULT], thinking=BUDGET, context_management=management
        )
        assert body["messages"] == [ASK, said(CALL), RESULT]
        assert body.keys().isdisjoint({"thinking", "context_management"})

    @pytest.mark.parametrize(
        "messages",
        [[ASK], [ASK, said(TEXT), AGAIN], [ASK, said(CALL), RESULT], [3], [said(SIGNED)]],
    )
    def test_a_body_without_any_is_the_very_same(self, messages):
        body = body_of(messages, thinking=BUDGET)
        assert MESSAGES.forget_thinking(body) is body
