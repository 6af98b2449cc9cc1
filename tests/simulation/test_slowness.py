"""A provider that answers, only far later than usual: others are preferred to it, nobody is kept
from it, and it has its traffic back when it is as quick as before.
"""

import pytest

from simulation.sim_crowds import Crowd, Traffic, play
from simulation.sim_script import Provider
from understudy.mock import Pace

#: When "one" becomes slow, when it is quick again, and until when requests come. Seconds.
SLOW, QUICK, OVER = 120.0, 300.0, 700.0
USUAL = Pace(tokens_per_second=200.0, first_token=0.8, tokens_per_event=20)
LATE = Pace(tokens_per_second=200.0, first_token=5.0, tokens_per_event=20)
CHAT = {"deadline": "60s", "first_token": "20s"}


def provider(name, kind, model):
    return Provider(name=name, kind=kind, model=model, pace=USUAL)


ONE = provider("one", "anthropic", "claude-haiku-4-5")
TWO = provider("two", "openai", "gpt-4.1")


def shown(*providers, probes=True):
    pace = {SLOW: LATE, QUICK: USUAL}
    return play(
        Crowd(
            seed=8,
            providers=providers,
            features={"chat": CHAT},
            traffic=(Traffic(caller="people", feature="chat", rate=0.5, end=OVER),),
            events=tuple(
                (at, "one", lambda board, now=now: board.put_pace(now)) for at, now in pace.items()
            ),
            probes=probes,
        )
    )


@pytest.fixture(scope="module", params=[True, False], ids=["probes", "no-probes"])
def slow(request):
    return shown(ONE, TWO, probes=request.param)


def callers(shown, name, start, end):
    """Attempts of callers' requests: probes ask for a word, these for an answer."""
    return [a for a in shown.answered(name, start, end) if a.body_size > 1_000]


def test_others_are_preferred_within_half_a_minute(slow):
    assert callers(slow, "two", 0.0, SLOW) == []
    # But for the share of slow start, when it is tried whether it is as it used to be.
    late = len(callers(slow, "one", SLOW + 30.0, QUICK))
    assert late <= 0.1 * (late + len(callers(slow, "two", SLOW + 30.0, QUICK)))


def test_nobody_is_refused(slow):
    assert all(seen.answer.is_success for seen in slow.of("people"))


def test_it_has_its_traffic_back(slow):
    last = OVER - 90.0
    assert len(callers(slow, "one", last, OVER)) >= 0.8 * len(slow.of("people", last, OVER))


def test_with_nobody_else_it_serves_all_as_before():
    alone = shown(ONE)
    people = alone.of("people")
    assert all(seen.answer.is_success for seen in people)
    assert max(seen.head_at - seen.sent_at for seen in people) <= LATE.first_token + 0.5
