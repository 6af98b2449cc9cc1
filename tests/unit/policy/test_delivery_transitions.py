"""The table of transitions is what happens: no row too many, none missing."""

import copy

import pytest

from understudy.core.faults import Kind
from understudy.policy.delivery import TRANSITIONS, Happening, State
from unit.policy.policy_world import ENDED, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")

S, H = State, Happening


def choosing(*targets, **limits) -> Life:
    return Life(World(), targets or (PRIMARY, OTHER), **limits)


def attempting(*targets, **limits) -> Life:
    life = choosing(*targets, **limits)
    life.begin()
    return life


def waiting() -> Life:
    life = attempting(PRIMARY)
    life.fault(Kind.OUTAGE)
    return life


def committed() -> Life:
    life = attempting()
    life.content()
    return life


def _begin_too_late() -> Life:
    life = choosing(seconds=0.0)
    life.begin()
    return life


def _fault_and_nothing_left() -> Life:
    life = attempting(PRIMARY)
    life.fault(Kind.CONFIG)
    return life


def _rest_longer() -> Life:
    life = attempting(PRIMARY)
    life.fault(Kind.THROTTLED)
    life.due()
    return life


def _wait_in_vain() -> Life:
    life = waiting()
    life.world.break_down(PRIMARY)
    life.due()
    return life


def _heard_just_now() -> Life:
    life = committed()
    life.last_activity += 1.0
    life.due()
    return life


def _then(life: Life, happening: Happening) -> Life:
    EVENTS[happening](life)
    return life


EVENTS = {
    H.BEGUN: Life.begin,
    H.CONTENT: Life.content,
    H.WHOLE: Life.whole,
    H.FAULT: lambda life: life.fault(fault(Kind.OUTAGE)),
    H.DUE: Life.due,
    H.GONE: Life.gone,
}

#: Every row of the table, and a life whose last step it is.
ROWS = {
    (S.CHOOSING, H.BEGUN, S.ATTEMPTING): attempting,
    (S.CHOOSING, H.BEGUN, S.FAILED): _begin_too_late,
    (S.ATTEMPTING, H.CONTENT, S.COMMITTED): committed,
    (S.ATTEMPTING, H.WHOLE, S.SUCCEEDED): lambda: _then(attempting(), H.WHOLE),
    (S.ATTEMPTING, H.FAULT, S.ATTEMPTING): lambda: _then(attempting(), H.FAULT),
    (S.ATTEMPTING, H.FAULT, S.WAITING): waiting,
    (S.ATTEMPTING, H.FAULT, S.FAILED): _fault_and_nothing_left,
    (S.ATTEMPTING, H.DUE, S.ATTEMPTING): lambda: _then(attempting(), H.DUE),
    (S.ATTEMPTING, H.DUE, S.WAITING): lambda: _then(attempting(PRIMARY), H.DUE),
    (S.ATTEMPTING, H.DUE, S.FAILED): lambda: _then(attempting(attempts=1), H.DUE),
    (S.ATTEMPTING, H.GONE, S.CANCELLED): lambda: _then(attempting(), H.GONE),
    (S.WAITING, H.DUE, S.ATTEMPTING): lambda: _then(waiting(), H.DUE),
    (S.WAITING, H.DUE, S.WAITING): _rest_longer,
    (S.WAITING, H.DUE, S.FAILED): _wait_in_vain,
    (S.WAITING, H.GONE, S.CANCELLED): lambda: _then(waiting(), H.GONE),
    (S.COMMITTED, H.WHOLE, S.SUCCEEDED): lambda: _then(committed(), H.WHOLE),
    (S.COMMITTED, H.FAULT, S.FAILED): lambda: _then(committed(), H.FAULT),
    (S.COMMITTED, H.DUE, S.COMMITTED): _heard_just_now,
    (S.COMMITTED, H.DUE, S.FAILED): lambda: _then(committed(), H.DUE),
    (S.COMMITTED, H.GONE, S.CANCELLED): lambda: _then(committed(), H.GONE),
}

STATES = {
    S.CHOOSING: choosing,
    S.ATTEMPTING: attempting,
    S.WAITING: waiting,
    S.COMMITTED: committed,
    S.SUCCEEDED: ROWS[S.COMMITTED, H.WHOLE, S.SUCCEEDED],
    S.FAILED: ROWS[S.COMMITTED, H.FAULT, S.FAILED],
    S.CANCELLED: ROWS[S.COMMITTED, H.GONE, S.CANCELLED],
}

IMPOSSIBLE = [
    pytest.param(state, happening, id=f"{state}-{happening}")
    for state in State
    for happening in Happening
    if happening not in TRANSITIONS[state]
]


def test_every_row_of_the_table_has_a_life_that_takes_it():
    table = {
        (state, happening, after)
        for state, row in TRANSITIONS.items()
        for happening, afters in row.items()
        for after in afters
    }
    assert set(ROWS) == table


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
    before = copy.deepcopy((delivery.attempts, delivery.outcome, delivery.due))
    with pytest.raises(RuntimeError, match=rf"{happening} cannot happen .* {state}"):
        EVENTS[happening](life)
    assert (delivery.attempts, delivery.outcome, delivery.due) == before
    assert life.state is state
