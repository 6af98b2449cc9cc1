"""Every fault of the catalogue, at each of its places, for every kind of caller."""

import pytest

from simulation.sim_invariants import NOT_YET
from simulation.sim_matrix import sample, verdict
from simulation.sim_tale import tale
from understudy.mock import CATALOGUE


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in NOT_YET])
def test_with_one_target_well_nobody_notices_and_with_none_nobody_is_deceived(name):
    broken, told = [], ""
    for case in sample(CATALOGUE[name]):
        story, wrong = verdict(case)
        if wrong:
            broken.append(f"{case}: {wrong[0]}")
            told = told or tale(story, wrong)
    assert not broken, "\n" + "\n".join([*broken, "", told])
