"""Requests leave nothing that only the garbage collector could free. They once did, in a cycle of
their own, and the collector's rounds were a seventh of the data path's time.
"""

import pytest

from simulation.sim_invariants import PER_CONNECTION
from simulation.sim_requests import DIALECTS
from simulation.sim_script import Client, Feature, Leave, Provider, Request, Script, Spell
from simulation.sim_world import run
from understudy.mock import FaultRule, Pace

REQUESTS = 1_000


def _script(*faults):
    spells = tuple(Spell(rule=FaultRule(fault=name, share=0.3)) for name in faults)
    pace = Pace(tokens_per_event=40)
    requests = [
        Request(
            case=case,
            dialect=DIALECTS[case % len(DIALECTS)],
            stream=case % 3 != 0,
            flavour="tool" if case % 5 == 0 else "text",
            leave=Leave(after=0.0012) if case % 7 == 0 else None,
        )
        for case in range(REQUESTS)
    ]
    return Script(
        seed=1,
        providers=(
            Provider(
                name="one", kind="anthropic", model="claude-haiku-4-5", pace=pace, spells=spells
            ),
            Provider(name="two", kind="openai", model="gpt-4.1", pace=pace),
        ),
        clients=(
            Client(name="ann", requests=tuple(requests[: REQUESTS // 2])),
            Client(name="bob", requests=tuple(requests[REQUESTS // 2 :])),
        ),
        feature=Feature(first_token=2.0, idle=2.0),
    )


@pytest.mark.parametrize(
    "faults",
    [(), ("reset", "overloaded", "hang"), ("malformed_event", "empty_answer", "html_200")],
    ids=["well", "broken", "strange"],
)
def test_a_thousand_requests_leave_nothing_to_collect(faults):
    story = run(_script(*faults))
    assert story.stuck is None
    assert len(story.records) > 0.9 * REQUESTS
    assert set(story.garbage) <= PER_CONNECTION
