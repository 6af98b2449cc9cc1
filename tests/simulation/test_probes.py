"""A provider falls ill and recovers, in virtual time: who finds out, and at whose cost?"""

import pytest

from simulation.sim_script import Client, Feature, Provider, Request, Script, Spell
from simulation.sim_world import run
from understudy.mock import FaultRule, Pace

#: When "one" falls ill and is well again, and when the last request comes. Seconds.
ILL, WELL, LAST = 20.0, 140.0, 620.0
EVERY = 2.0


def _story(rule):
    kinds = (("one", "anthropic", "claude-haiku-4-5"), ("two", "openai", "gpt-4.1"))
    providers = tuple(
        Provider(
            name=name,
            kind=kind,
            model=model,
            pace=Pace(tokens_per_second=200.0, first_token=0.3, tokens_per_event=20),
            spells=(Spell(rule=rule, start=ILL, end=WELL),) if name == "one" else (),
        )
        for name, kind, model in kinds
    )
    requests = tuple(
        Request(case=turn, dialect="messages", stream=True, wait=EVERY)
        for turn in range(int(LAST / EVERY))
    )
    clients = (Client(name="ann", at=0.0, requests=requests),)
    feature = Feature(deadline=20.0, first_token=2.0, idle=2.0)
    script = Script(seed=7, providers=providers, clients=clients, feature=feature, probes=True)
    return run(script, look_for_garbage=False)


@pytest.fixture(
    scope="module",
    params=[FaultRule(fault="overloaded"), FaultRule(fault="hang", where="before_headers")],
    ids=lambda rule: rule.fault,
)
def story(request):
    return _story(request.param)


def _tries(story, *, by_callers, start=0.0, end=LAST * 2):
    """When "one" was asked."""
    return [
        served.at
        for served in story.served
        if served.provider == "one"
        and (served.case is not None) is by_callers
        and start <= served.at < end
    ]


def test_no_caller_notices(story):
    assert len(story.seen) == len(story.records) == int(LAST / EVERY)
    assert all(seen.answer.is_success for seen in story.seen)


def test_few_callers_are_the_samples(story):
    assert 1 <= len(_tries(story, by_callers=True, start=ILL, end=WELL)) <= 3


def test_probes_at_the_sick_target_are_few(story):
    # Two to be sure of it, one beside it at most, and one for each rest: 15, 30, 60 s.
    assert 2 <= len(_tries(story, by_callers=False, start=ILL, end=WELL)) <= 8


def test_after_healing_the_traffic_comes_back_within_two_rests_and_step_by_step(story):
    back = min(_tries(story, by_callers=True, start=WELL))
    assert back - WELL <= 2 * 1.2 * 60.0
    first = _tries(story, by_callers=True, start=back, end=back + 40.0)
    assert len(first) <= 0.6 * 40.0 / EVERY
    full = _tries(story, by_callers=True, start=back + 130.0, end=back + 200.0)
    assert len(full) >= 0.95 * 70.0 / (EVERY + 3.0)


def test_probes_stand_in_no_journal_of_callers_requests(story):
    assert {record.feature for record in story.records} == {"f"}
