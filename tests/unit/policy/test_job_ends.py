"""What a job ends by, and what it only waits for."""

import pytest

from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.job_ends import (
    MOST_ATTEMPTS,
    VAIN_SECONDS_MAX,
    WAIT_SECONDS_MAX,
    Back,
    End,
    barred,
    follows,
    orphaned,
)
from understudy.policy.verdict import (
    broken_off,
    cannot_serve,
    crowded_out,
    give_back,
    out_of_time,
)


def fault(kind, status=None):
    return Fault(kind=kind, scope=Scope.MODEL, status=status)


def after(verdict, *, attempts=1, claims=1, others_served=False, chance=1.0):
    return follows(
        verdict, attempts=attempts, claims=claims, others_served=others_served, chance=chance
    )


OUTAGE = cannot_serve([fault(Kind.OUTAGE)], 4.0)
LATE = out_of_time([fault(Kind.SLOW)])


def test_an_answer_ends_it():
    assert after(None) == End(succeeded=True)


@pytest.mark.parametrize(
    "verdict",
    [
        give_back(fault(Kind.CALLER, 400)),
        give_back(fault(Kind.REFUSED, 400)),
        give_back(fault(Kind.ADAPTABLE, 413)),
    ],
    ids=str,
)
def test_its_own_fault_ends_it_at_once(verdict):
    assert after(verdict) == End(succeeded=False)


@pytest.mark.parametrize(
    "verdict",
    [
        OUTAGE,
        cannot_serve([fault(Kind.ACCOUNT, 401)], 0.0),
        cannot_serve([fault(Kind.THROTTLED, 429)], 30.0),
        crowded_out(10.0),
        LATE,
        broken_off(fault(Kind.TRUNCATED)),
    ],
    ids=lambda verdict: verdict.code,
)
def test_an_outage_costs_it_nothing_however_long_it_lasts(verdict):
    next_ = after(verdict, attempts=MOST_ATTEMPTS, claims=10_000)
    assert next_ == Back(WAIT_SECONDS_MAX, counted=False)


@pytest.mark.parametrize(
    ("verdict", "others_served"),
    [
        (LATE, True),
        (broken_off(None), True),
        (cannot_serve([fault(Kind.INTERNAL)], 0.0), False),
    ],
)
def test_what_looks_like_an_outage_to_it_alone_is_tried_a_few_times(verdict, others_served):
    again = after(verdict, others_served=others_served, attempts=MOST_ATTEMPTS - 1, claims=50)
    assert again == Back(VAIN_SECONDS_MAX, counted=True)
    last = after(verdict, others_served=others_served, attempts=MOST_ATTEMPTS)
    assert last == End(succeeded=False)


def test_a_target_that_served_others_and_not_this_one_is_no_reason_to_give_it_up():
    assert after(OUTAGE, others_served=True, attempts=99) == Back(2.0, counted=False)


def test_waits_grow_and_are_spread_over_all_of_their_time():
    waits = [after(OUTAGE, claims=claims).seconds for claims in (1, 2, 3, 4, 5, 6, 2000)]
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert after(OUTAGE, claims=6, chance=0.0).seconds == 0.0
    assert after(OUTAGE, claims=6, chance=0.5).seconds == 30.0


def test_what_can_not_be_opened_waits_ever_longer_and_is_no_attempt():
    waits = [barred(claims=claims, chance=1.0).seconds for claims in (1, 2, 3, 6, 7, 2000)]
    assert waits == [15.0, 30.0, 60.0, 480.0, 600.0, 600.0]
    assert barred(claims=7, chance=0.0) == Back(300.0, counted=False)


def test_after_one_death_it_is_begun_again_at_once():
    assert orphaned(1) == 0.0


def test_processes_that_die_every_few_seconds_do_not_use_its_attempts_up():
    rests = [orphaned(attempts) for attempts in range(1, MOST_ATTEMPTS + 1)]
    assert rests == sorted(rests)
    assert sum(rests[:-1]) >= 20 * 60.0
    assert orphaned(10_000) == 600.0
