"""A backlog is drained after an outage: nobody is lost, starved, knocked over or kept waiting.

Small worlds; `make drain` does the same with 10,000 jobs, and for real.
"""

import msgspec
import pytest

from drain.drain_worlds import worlds
from simulation.sim_drain import drain
from simulation.sim_drain_measures import fairness, lost, people_wait, rates, refusals, unserved

SMALL = {
    name: msgspec.structs.replace(world, ill=70.0, well=190.0)
    for name, world in worlds(jobs=300, scale=0.1, people=0.7).items()
}
#: The outage's end is not seen at once.
SETTLED = 60.0


@pytest.fixture(scope="module", params=["limit hidden", "small, grows, slower when full"])
def drained(request):
    return drain(SMALL[request.param])


def test_nobody_is_lost_and_nobody_has_two_results(drained):
    assert len(drained.jobs) == 300
    assert lost(drained) == 0


def test_what_was_accepted_is_asked_for_once(drained):
    asked = [attempt for attempt in drained.ours if attempt.status == 200]
    assert len(asked) == len(drained.jobs)


def test_no_tenant_is_behind_by_more_than_two_jobs(drained):
    fair = fairness(drained)
    assert fair.claims >= 60
    assert fair.behind_in_all <= 2.0


def test_the_provider_is_asked_for_no_more_than_the_ramp_says(drained):
    assert rates(drained).worst <= 1.0


def test_nothing_is_refused_but_what_teaches_a_limit(drained):
    assert refusals(drained).after == 0


def test_people_do_not_notice(drained):
    control = msgspec.structs.replace(
        drained.world, backlog=False, control_seconds=drained.over - drained.well
    )
    span = drained.well + SETTLED, drained.over
    assert people_wait(drained, *span) <= 1.2 * people_wait(drain(control), *span)
    assert unserved(drained, *span) == 0
