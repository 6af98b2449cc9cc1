"""The table of transitions is what happens: no row too many, none missing."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.core.faults import Kind
from understudy.policy.transitions import TRANSITIONS, Happening, State, diagram
from unit.policy.policy_world import ENDED, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")

S, H = State, Happening

PAGE = Path(__file__).parents[3] / "docs" / "delivery.md"


def choosing(*targets, **limits) -> Life:
    return Life(World(), targets or (PRIMARY, OTHER), **({"continues": True} | limits))


def attempting(*targets, **limits) -> Life:
    life = choosing(*targets, **limits)
    life.begin()
    return life


def waiting() -> Life:
    life = attempting(PRIMARY)
    life.fault(Kind.OUTAGE)
    return life


def committed(*targets, **limits) -> Life:
    life = attempting(*targets, **limits)
    life.stream()
    return life


def continuing(*targets, **limits) -> Life:
    life = committed(*targets, **limits)
    life.fault(Kind.OUTAGE)
    return life


def paused() -> Life:
    return continuing(PRIMARY)


def _resumed() -> Life:
    """The only target has been asked to go on with what it broke off."""
    return _then(paused(), H.DUE)


def _begin_too_late() -> Life:
    life = choosing(seconds=0.0)
    life.begin()
    return life


def _failing(life: Life, kind: Kind) -> Life:
    life.fault(kind)
    return life


def _resting_longer(life: Life) -> Life:
    life.fault(Kind.THROTTLED)
    life.due()
    return life


def _given_up_meanwhile(life: Life) -> Life:
    life.world.break_down(PRIMARY)
    life.due()
    return life


def _heard_just_now() -> Life:
    life = committed()
    life.world.pass_by(1.0)
    life.more()
    life.due()
    return life


def _begin_in_line() -> Life:
    life = choosing()
    life.world.fill(PRIMARY)
    life.world.fill(OTHER)
    life.begin()
    return life


def _then(life: Life, happening: Happening) -> Life:
    EVENTS[happening](life)
    return life


EVENTS: dict[Happening, Callable[[Life], object]] = {
    H.BEGUN: Life.begin,
    H.CONTENT: Life.content,
    H.SENT: Life.sent,
    H.WHOLE: Life.whole,
    H.FAULT: lambda life: life.fault(fault(Kind.OUTAGE)),
    H.DUE: Life.due,
    H.GONE: Life.gone,
}

#: Every row of the table, and a life whose last step it is.
ROWS: dict[tuple[State, Happening, State], Callable[[], Life]] = {
    (S.CHOOSING, H.BEGUN, S.ATTEMPTING): attempting,
    (S.CHOOSING, H.BEGUN, S.WAITING): _begin_in_line,
    (S.CHOOSING, H.BEGUN, S.FAILED): _begin_too_late,
    (S.ATTEMPTING, H.CONTENT, S.ATTEMPTING): lambda: _then(attempting(), H.CONTENT),
    (S.ATTEMPTING, H.SENT, S.COMMITTED): committed,
    (S.ATTEMPTING, H.WHOLE, S.SUCCEEDED): lambda: _then(attempting(), H.WHOLE),
    (S.ATTEMPTING, H.FAULT, S.ATTEMPTING): lambda: _then(attempting(), H.FAULT),
    (S.ATTEMPTING, H.FAULT, S.WAITING): waiting,
    (S.ATTEMPTING, H.FAULT, S.FAILED): lambda: _failing(attempting(PRIMARY), Kind.CONFIG),
    (S.ATTEMPTING, H.DUE, S.ATTEMPTING): lambda: _then(attempting(), H.DUE),
    (S.ATTEMPTING, H.DUE, S.WAITING): lambda: _then(attempting(PRIMARY), H.DUE),
    (S.ATTEMPTING, H.DUE, S.FAILED): lambda: _then(attempting(attempts=1), H.DUE),
    (S.ATTEMPTING, H.GONE, S.CANCELLED): lambda: _then(attempting(), H.GONE),
    (S.WAITING, H.DUE, S.ATTEMPTING): lambda: _then(waiting(), H.DUE),
    (S.WAITING, H.DUE, S.WAITING): lambda: _resting_longer(attempting(PRIMARY)),
    (S.WAITING, H.DUE, S.FAILED): lambda: _given_up_meanwhile(waiting()),
    (S.WAITING, H.GONE, S.CANCELLED): lambda: _then(waiting(), H.GONE),
    (S.COMMITTED, H.WHOLE, S.SUCCEEDED): lambda: _then(committed(), H.WHOLE),
    (S.COMMITTED, H.FAULT, S.CONTINUING): continuing,
    (S.COMMITTED, H.FAULT, S.PAUSED): paused,
    (S.COMMITTED, H.FAULT, S.FAILED): lambda: _failing(committed(), Kind.REFUSED),
    (S.COMMITTED, H.DUE, S.COMMITTED): _heard_just_now,
    (S.COMMITTED, H.DUE, S.CONTINUING): lambda: _then(committed(), H.DUE),
    (S.COMMITTED, H.DUE, S.PAUSED): lambda: _then(committed(PRIMARY), H.DUE),
    (S.COMMITTED, H.DUE, S.FAILED): lambda: _then(committed(continues=False), H.DUE),
    (S.COMMITTED, H.GONE, S.CANCELLED): lambda: _then(committed(), H.GONE),
    (S.CONTINUING, H.CONTENT, S.CONTINUING): lambda: _then(continuing(), H.CONTENT),
    (S.CONTINUING, H.SENT, S.COMMITTED): lambda: _then(_then(continuing(), H.CONTENT), H.SENT),
    (S.CONTINUING, H.WHOLE, S.SUCCEEDED): lambda: _then(continuing(), H.WHOLE),
    (S.CONTINUING, H.FAULT, S.CONTINUING): lambda: _failing(
        continuing(PRIMARY, OTHER, target("mistral@main/large")), Kind.CONFIG
    ),
    (S.CONTINUING, H.FAULT, S.PAUSED): lambda: _failing(_resumed(), Kind.OUTAGE),
    (S.CONTINUING, H.FAULT, S.FAILED): lambda: _failing(_resumed(), Kind.CONFIG),
    (S.CONTINUING, H.DUE, S.CONTINUING): lambda: _then(
        continuing(PRIMARY, OTHER, target("mistral@main/large")), H.DUE
    ),
    (S.CONTINUING, H.DUE, S.PAUSED): lambda: _then(continuing(), H.DUE),
    (S.CONTINUING, H.DUE, S.FAILED): lambda: _then(continuing(attempts=2), H.DUE),
    (S.CONTINUING, H.GONE, S.CANCELLED): lambda: _then(continuing(), H.GONE),
    (S.PAUSED, H.DUE, S.CONTINUING): _resumed,
    (S.PAUSED, H.DUE, S.PAUSED): lambda: _resting_longer(committed(PRIMARY)),
    (S.PAUSED, H.DUE, S.FAILED): lambda: _given_up_meanwhile(paused()),
    (S.PAUSED, H.GONE, S.CANCELLED): lambda: _then(paused(), H.GONE),
}

STATES: dict[State, Callable[[], Life]] = {
    S.CHOOSING: choosing,
    S.ATTEMPTING: attempting,
    S.WAITING: waiting,
    S.COMMITTED: committed,
    S.CONTINUING: continuing,
    S.PAUSED: paused,
    S.SUCCEEDED: ROWS[S.COMMITTED, H.WHOLE, S.SUCCEEDED],
    S.FAILED: ROWS[S.COMMITTED, H.FAULT, S.FAILED],
    S.CANCELLED: ROWS[S.COMMITTED, H.GONE, S.CANCELLED],
}

TABLE = {
    (state, happening, after)
    for state, row in TRANSITIONS.items()
    for happening, afters in row.items()
    for after in afters
}

IMPOSSIBLE = [
    pytest.param(state, happening, id=f"{state}-{happening}")
    for state in State
    for happening in Happening
    if happening not in TRANSITIONS[state]
]


def test_every_row_of_the_table_has_a_life_that_takes_it():
    assert set(ROWS) == TABLE


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_row_of_the_table_is_what_happens(row):
    assert ROWS[row]().transitions[-1] == row


def test_every_state_has_a_row_and_the_ends_have_no_way_out():
    assert set(TRANSITIONS) == set(State)
    assert {state for state, row in TRANSITIONS.items() if not row} == ENDED


@pytest.mark.parametrize(("state", "happening"), IMPOSSIBLE)
def test_what_cannot_happen_is_refused_and_changes_nothing(state, happening):
    life = STATES[state]()
    assert life.state is state
    delivery = life.delivery
    if not life.starts:
        life.starts.append(attempting().starts[0])
    before = copy.deepcopy((delivery.attempts, delivery.outcome, delivery.due))
    with pytest.raises(RuntimeError, match=rf"{happening} cannot happen .* {state}"):
        EVENTS[happening](life)
    assert (delivery.attempts, delivery.outcome, delivery.due) == before
    assert life.state is state


@pytest.mark.parametrize("state", [S.ATTEMPTING, S.COMMITTED, S.CONTINUING])
@pytest.mark.parametrize("happening", [H.CONTENT, H.WHOLE, H.FAULT])
def test_an_attempt_that_is_not_under_way_is_refused_and_changes_nothing(state, happening):
    life, stranger = STATES[state](), attempting().starts[0]
    before = copy.deepcopy((life.delivery.attempts, life.delivery.outcome, life.delivery.due))
    event = {
        H.CONTENT: life.content,
        H.WHOLE: life.whole,
        H.FAULT: lambda start: life.fault(Kind.OUTAGE, start),
    }[happening]
    with pytest.raises(RuntimeError):
        event(stranger)
    assert (life.delivery.attempts, life.delivery.outcome, life.delivery.due) == before
    assert life.state is state


# -- the drawing ------------------------------------------------------------------------------


def test_the_drawing_shows_every_way_and_no_other():
    drawn = set()
    for line in diagram().splitlines()[2:]:
        way, _, reasons = line.partition(": ")
        state, _, after = way.strip().partition(" --> ")
        if after != "[*]":
            drawn |= {(S(state), H(happening), S(after)) for happening in reasons.split(", ")}
    assert drawn == TABLE


def test_the_drawing_of_the_documentation_is_up_to_date():
    _, _, rest = PAGE.read_text().partition("<!-- diagram:begin -->")
    drawn, marker, _ = rest.partition("<!-- diagram:end -->")
    assert marker
    # `python -m understudy.policy.transitions` prints it.
    assert drawn.strip() == f"```mermaid\n{diagram()}\n```"
