"""Crowds at sick targets: what is asked on top stays within its budget, and open targets rest."""

import pytest

from simulation.sim_budgets import beside
from simulation.sim_invariants import breaches
from simulation.sim_requests import DIALECTS
from simulation.sim_script import Client, Feature, Provider, Request, Script, Spell
from simulation.sim_tale import tale
from simulation.sim_world import NAMES, run
from understudy.mock import CATALOGUE, FaultRule, Pace

EACH = 20


def _script(seed, rules, count, **more):
    kinds = (("anthropic", "claude-haiku-4-5"), ("openai", "gpt-4.1"))
    providers = tuple(
        Provider(
            name=name,
            kind=kind,
            model=model,
            pace=Pace(tokens_per_second=200.0, first_token=0.3, tokens_per_event=20),
            spells=tuple(Spell(rule=rule) for rule in rules),
        )
        for name, (kind, model) in list(zip(("one", "two"), kinds, strict=True))[:count]
    )
    clients = tuple(
        Client(
            name=name,
            at=0.3 * place,
            requests=tuple(
                Request(
                    case=place * EACH + turn,
                    dialect=DIALECTS[(place + turn) % len(DIALECTS)],
                    stream=turn % 3 != 0,
                    wait=0.5 + 0.2 * (turn % 4),
                )
                for turn in range(EACH)
            ),
        )
        for place, name in enumerate(NAMES[:6])
    )
    feature = Feature(deadline=20.0, first_token=2.0, idle=2.0, **more)
    return Script(seed=seed, providers=providers, clients=clients, feature=feature)


@pytest.mark.parametrize("count", [1, 2], ids=["alone", "both"])
@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(fault="overloaded"),
        FaultRule(fault="overloaded", share=0.4),
        FaultRule(fault="reset", where="before_headers", share=0.5),
        FaultRule(fault="hang", where="before_headers", share=0.3),
        FaultRule(fault="rate_limited", share=0.6),
        FaultRule(fault="empty_answer", share=0.5),
        FaultRule(fault="key_revoked", share=0.1),
        FaultRule(fault="cut_after", n=20, share=0.5),
    ],
    ids=lambda rule: f"{rule.fault}-{rule.share or 1}",
)
def test_a_crowd_at_sick_targets_is_held_back(rule, count):
    entry = CATALOGUE[rule.fault]
    assert not entry.harmless
    story = run(_script(1, [rule], count), look_for_garbage=False)
    wrong = breaches(story)
    assert not wrong, tale(story, wrong)
    assert len(story.records) == EACH * 6


def test_a_target_that_is_down_costs_little_more_than_its_trials():
    story = run(_script(2, [FaultRule(fault="overloaded", key="one-main")], 2))
    minutes = story.timeline[-1][0] / 60.0
    asked = sum(served.provider == "one" for served in story.served)
    assert asked <= 12 + 6 * minutes
    assert all(seen.answer.is_success for seen in story.seen)


def test_second_attempts_beside_slow_ones_are_few_and_worth_it():
    late = FaultRule(fault="first_token_late", seconds=1.8, share=0.3)
    story = run(_script(3, [late], 2, hedge=0.5), look_for_garbage=False)
    wrong = breaches(story)
    assert not wrong, tale(story, wrong)
    assert 0 < len(beside(story)) <= 0.05 * len(story.records)
    assert all(seen.answer.is_success for seen in story.seen)
