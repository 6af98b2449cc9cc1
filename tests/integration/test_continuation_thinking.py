"""Answers of models that think aloud, broken off: in a thought, or in the text after it.

A broken thought is closed, for nobody can take it up; whoever comes next thinks anew. The history
that results holds a thought without its vendor's signature, and works at every vendor.
"""

import json

import pytest

from support_lab import PROMPT, claude, compatible, gpt

SONNET, REASONER, QWQ = "claude-sonnet-4-5", "gpt-5.2", "qwq-32b"
#: The fields that ask for thoughts aloud.
ALOUD = {
    "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "chat_completions": {"reasoning_effort": "medium"},
    "responses": {"reasoning": {"effort": "medium", "summary": "auto"}},
}
#: Who is to take the history of it.
VENDORS = {"claude": claude, "gpt": gpt, "compatible": compatible}
vendors = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)


def thinker(dialect, *faults):
    """A model that thinks aloud in an answer to this dialect."""
    if dialect == "messages":
        return claude(*faults, model=SONNET)
    if dialect == "responses":
        return gpt(*faults, model=REASONER)
    return compatible(*faults, model=QWQ)


def other(dialect):
    """Another vendor."""
    return gpt() if dialect == "messages" else claude()


def cut(where, tokens):
    return {"fault": "close", "where": where, "n": tokens}


def ask(scene, dialect, prompt=PROMPT, **more):
    return scene.ask(dialect, prompt, stream=True, limit=4000, **ALOUD[dialect], **more)


def events_of(told):
    lines = told.raw.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def blocks_of(told):
    """The content of a stream in messages, as a caller keeps it."""
    blocks = []
    for event in events_of(told):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            kind = event["delta"].pop("type").removesuffix("_delta")
            for name, value in event["delta"].items():
                blocks[-1][name] = blocks[-1].get(name, "") + value
            assert kind in {"thinking", "signature", "text"}
    return blocks


def history_of(told):
    """The answer as the turns of the next request."""
    if told.dialect == "messages":
        return [{"role": "assistant", "content": blocks_of(told)}]
    if told.dialect == "responses":
        return events_of(told)[-1]["response"]["output"]
    return [{"role": "assistant", "content": told.answer.text}]


dialects = pytest.mark.parametrize("dialect", ALOUD)


@dialects
@pytest.mark.parametrize("same", [True, False], ids=["same-vendor", "other-vendor"])
class TestBroken:
    def test_in_a_thought(self, lab, dialect, same):
        second = thinker(dialect) if same else other(dialect)
        scene = lab.serve(thinker(dialect, cut("mid_thinking", 8)), second)
        told = ask(scene, dialect)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.answer.thinking
        assert told.places == [0, 1]
        assert [attempt["from_char"] for attempt in told.attempts] == [0, 0]

    def test_in_the_text_after_it(self, lab, dialect, same):
        second = thinker(dialect) if same else other(dialect)
        scene = lab.serve(thinker(dialect, cut("mid_text", 40)), second)
        told = ask(scene, dialect)
        alone = ask(lab.serve(thinker(dialect)), dialect)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        # The second one's thoughts are about going on, and nobody's business.
        assert told.answer.thinking == alone.answer.thinking

    @vendors
    def test_the_history_of_it_works_at_every_vendor(self, lab, dialect, same, vendor):
        second = thinker(dialect) if same else other(dialect)
        scene = lab.serve(thinker(dialect, cut("mid_thinking", 8)), second)
        told = ask(scene, dialect)
        turns = [{"role": "user", "content": PROMPT}, *history_of(told)]
        turns.append({"role": "user", "content": "And why at night?"})
        again = lab.serve(vendor()).ask(dialect, turns, stream=True, limit=4000)
        assert again.is_whole()
        assert again.results == ["content"]
        assert again.answer.text


class TestBlocks:
    """What stands in the caller's answer, in messages."""

    def test_a_broken_thought_is_closed_without_a_signature(self, lab):
        scene = lab.serve(thinker("messages", cut("mid_thinking", 8)), thinker("messages"))
        blocks = blocks_of(ask(scene, "messages"))
        assert [block["type"] for block in blocks] == ["thinking", "thinking", "text"]
        broken, whole, _ = blocks
        assert whole["thinking"].startswith(broken["thinking"])
        assert broken["thinking"] != whole["thinking"]
        assert (bool(broken["signature"]), bool(whole["signature"])) == (False, True)

    def test_a_whole_thought_keeps_its_signature(self, lab):
        scene = lab.serve(thinker("messages", cut("mid_text", 40)), gpt())
        blocks = blocks_of(ask(scene, "messages"))
        assert [block["type"] for block in blocks] == ["thinking", "text"]
        assert blocks[0]["signature"]

    def test_thinking_goes_on_in_a_conversation_with_tools(self, lab):
        scene = lab.serve(thinker("messages", cut("mid_thinking", 8)), thinker("messages"))
        told = ask(scene, "messages")
        turns = [{"role": "user", "content": PROMPT}, *history_of(told)]
        turns.append({"role": "user", "content": "And why at night?"})
        again = ask(lab.serve(thinker("messages")), "messages", turns)
        assert again.is_whole()
        assert again.answer.thinking
