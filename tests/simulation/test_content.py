"""A model that writes badly under a success, in the whole relay and in virtual time: is it passed
over, does somebody hear of it, and does its traffic come back?
"""

import pytest

from simulation.sim_script import Client, Feature, Provider, Request, Script, Spell
from simulation.sim_world import run
from understudy.mock import FaultRule, Pace

#: When "one" begins to write badly and is well again, and when the last request comes. Seconds.
ILL, WELL, LAST = 150.0, 270.0, 700.0
EVERY = 2.0


def _story(rule, flavour="text", stream=True):
    kinds = (("one", "anthropic", "claude-haiku-4-5"), ("two", "openai", "gpt-4.1"))
    providers = tuple(
        Provider(
            name=name,
            kind=kind,
            model=model,
            pace=Pace(tokens_per_second=2000.0, first_token=0.1, tokens_per_event=50),
            spells=(Spell(rule=rule, start=ILL, end=WELL),) if name == "one" and rule else (),
        )
        for name, kind, model in kinds
    )
    requests = tuple(
        Request(case=turn, dialect="messages", stream=stream, flavour=flavour, wait=EVERY)
        for turn in range(int(LAST / EVERY))
    )
    clients = (Client(name="ann", at=0.0, requests=requests),)
    script = Script(seed=7, providers=providers, clients=clients, feature=Feature(), probes=True)
    return run(script, look_for_garbage=False)


@pytest.fixture(
    scope="module",
    params=[
        (FaultRule(fault="garbled"), "text", True),
        (FaultRule(fault="repetition"), "text", False),
        (FaultRule(fault="prose_for_json"), "json", False),
        (FaultRule(fault="refusal"), "text", True),
    ],
    ids=lambda case: case[0].fault,
)
def story(request):
    return _story(*request.param)


def _asked(story, name, start, end):
    """How often a provider was asked by callers."""
    return sum(
        served.provider == name and served.case is not None and start <= served.at < end
        for served in story.served
    )


def _said(story, event):
    return [line for line in story.log if line["event"] == event]


def test_its_calls_go_elsewhere_but_for_a_trial_now_and_then(story):
    assert _asked(story, "two", 0.0, ILL) == 0
    late = (WELL - 60.0, WELL)
    assert 1 <= _asked(story, "one", *late) <= 8
    assert _asked(story, "two", *late) >= 20


def test_somebody_hears_of_it_once(story):
    doubts = [line for line in _said(story, "quality_doubted") if line["model"].startswith("one/")]
    assert doubts
    assert len({line["sign"] for line in doubts}) == len(doubts)


def test_it_is_never_given_up_for_that(story):
    assert all(seen.answer.is_success for seen in story.seen)


def test_its_calls_come_back(story):
    assert _said(story, "quality_recovered")
    assert _asked(story, "two", LAST - 100.0, LAST) == 0
    assert _asked(story, "one", LAST - 100.0, LAST) > 30


@pytest.mark.parametrize("flavour", ["text", "tool"])
def test_no_sound_answer_is_taken_for_bad(flavour):
    story = _story(None, flavour)
    assert not _said(story, "quality_doubted")
    assert _asked(story, "two", 0.0, LAST) == 0
