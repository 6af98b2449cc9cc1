"""A mistake of ours takes one request down, as a 503, and nothing else."""

import contextlib

import msgspec
import pytest

from simulation.sim_invariants import breaches
from simulation.sim_script import Client, Provider, Request, Script
from simulation.sim_world import run
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.mock import Pace


@contextlib.contextmanager
def broken(dialect, name, function):
    """Let one function of a dialect fail."""
    whole = getattr(dialect, name)
    msgspec.structs.force_setattr(dialect, name, function)
    try:
        yield
    finally:
        msgspec.structs.force_setattr(dialect, name, whole)


def _script(*, stream):
    requests = tuple(Request(case=n, dialect="messages", stream=stream) for n in (1, 2))
    return Script(
        seed=1,
        providers=(
            Provider(name="one", kind="openai", model="gpt-4.1", pace=Pace(), dialect="chat"),
            Provider(name="two", kind="openai", model="gpt-4.1", pace=Pace(), dialect="chat"),
        ),
        clients=(Client(name="ann", requests=requests),),
    )


def _fails(*_, **__):
    raise KeyError("a mistake of ours")


class Stumbling:
    """A parser that fails at its first bytes."""

    feed = finish = staticmethod(_fails)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("dialect", "name", "function"),
    [
        (MESSAGES, "parse_request", _fails),
        (CHAT_COMPLETIONS, "render_request", _fails),
        (CHAT_COMPLETIONS, "parse_answer", _fails),
        (CHAT_COMPLETIONS, "stream_parser", lambda *_: Stumbling()),
    ],
    ids=["reading the request", "writing the request", "reading the answer", "reading the stream"],
)
def test_a_mistake_of_ours_is_a_503_that_says_so(dialect, name, function, stream):
    with broken(dialect, name, function):
        story = run(_script(stream=stream))
    if name in {"parse_answer", "stream_parser"} and stream != (name == "stream_parser"):
        assert not story.errors
        return
    assert story.stuck is None
    for seen in story.seen:
        assert seen.status == 503
        assert seen.answer.error["understudy"]["code"]
    assert all("a mistake of ours" in error for error in story.errors)
    assert "own_fault" in {line["event"] for line in story.log}
    # Nothing else is broken by it.
    assert {told.partition(":")[0] for told in breaches(story)} == {"I21"}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_mistake_in_judging_an_answer_costs_nobody_the_answer(monkeypatch, stream):
    monkeypatch.setattr("understudy.relay.samples.read", _fails)
    story = run(_script(stream=stream))
    assert all(seen.answer.is_success for seen in story.seen)
    assert story.errors
    assert all("judging the answer" in error for error in story.errors)
    assert {record.outcome for record in story.records} == {"succeeded"}


def test_the_next_request_is_served_as_if_nothing_had_been():
    calls = []

    def once(body):
        calls.append(body)
        if len(calls) == 1:
            raise KeyError("a mistake of ours")
        return parse(body)

    parse = MESSAGES.parse_request
    with broken(MESSAGES, "parse_request", once):
        story = run(_script(stream=True))
    assert [seen.answer.is_success for seen in story.seen][-1]
