"""Incidents are named for what they are, a minute after the first call that they hit.

The goals of docs/attribution.md, on fewer worlds than its table.
"""

from collections import Counter
from functools import cache

import pytest

from simulation.sim_incident_scripts import HARDER, INCIDENTS, WELL
from simulation.sim_incidents import JUDGED, RIGHT, WRONG, judge, meets, tally
from understudy.policy.attribute import CauseKind

#: At each of two levels of noise.
SEEDS = 25


@cache
def counted(name):
    return tally(name, SEEDS, (JUDGED,))[JUDGED]


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_named_within_a_minute(name):
    counts = counted(name)
    # Fifty worlds are too few to hold one row to a twentieth: that is for all of them together.
    assert counts["right"] >= 0.9 * counts.total(), counts
    assert counts["wrong"] <= 2 * WRONG * counts.total(), counts


def test_of_all_incidents_nineteen_in_twenty_are_named_and_one_in_a_hundred_is_named_wrong():
    counts = sum((counted(name) for name in INCIDENTS), Counter())
    assert len(INCIDENTS) >= 15
    assert counts["right"] >= RIGHT * counts.total(), counts
    assert counts["wrong"] <= WRONG * counts.total(), counts


def test_while_nothing_is_wrong_nothing_is_named():
    for counts in tally(WELL, SEEDS, (JUDGED, 300.0)).values():
        assert meets(counts), counts


@pytest.mark.parametrize("name", HARDER)
def test_what_is_hard_to_tell_is_rather_unknown_than_wrong(name):
    counts = tally(name, SEEDS // 2, (JUDGED,))[JUDGED]
    assert counts["wrong"] <= 0.1 * counts.total(), counts
    assert counts["right"] >= 0.5 * counts.total(), counts


def test_a_cause_is_named_with_what_speaks_for_it_in_numbers():
    cause = judge("one model down", 1, 0.01, (JUDGED,))[JUDGED].causes[0]
    assert cause.kind is CauseKind.MODEL_DOWN
    assert f"calls to {cause.node} in the last" in cause.evidence_for[0]
    assert any("other models" in line and "work" in line for line in cause.evidence_for)


def test_the_same_seed_is_the_same_world():
    first, second = (judge("provider down", 3, 0.03) for _ in range(2))
    assert {look: told.causes for look, told in first.items()} == {
        look: told.causes for look, told in second.items()
    }
