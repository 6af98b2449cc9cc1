"""Whether people wait longer because of jobs: seen soon, and not where chance plays."""

import random

import pytest

from understudy.policy.queueing import KNOWN, Queueing


def known(usual=0.5, *, differ=0.0, count=200, seed=1):
    """One that knows what is usual."""
    chance = random.Random(seed)
    queueing = Queueing()
    for second in range(count):
        queueing.came(usual * (1.0 + differ * chance.uniform(-1.0, 1.0)), float(second), 0)
    return queueing


def felt_after(queueing, seconds, *, start=1_000.0, most=100):
    """How many answers of so many seconds it takes to see."""
    for count in range(1, most + 1):
        queueing.came(seconds, start + count, 5)
        if queueing.is_felt:
            return count
    return None


@pytest.mark.parametrize(("times", "answers"), [(3.0, 4), (1.2, 4), (1.1, 8), (1.04, None)])
def test_it_is_seen_the_sooner_the_longer_people_wait(times, answers):
    assert felt_after(known(), 0.5 * times) == answers


def test_one_slow_answer_is_none():
    queueing = known()
    queueing.came(60.0, 1_000.0, 5)
    assert not queueing.is_felt


def test_where_answers_differ_anyway_more_is_allowed():
    assert felt_after(known(differ=0.5), 0.5 * 1.2) is None
    assert felt_after(known(differ=0.5), 0.5 * 2.0) <= 6


def test_chance_is_not_taken_for_it():
    alarms, chance = 0, random.Random(7)
    queueing = known(differ=0.8, count=1_000, seed=3)
    for second in range(5_000):
        seconds = 0.5 * (1.0 + 0.8 * chance.uniform(-1.0, 1.0))
        queueing.came(seconds, 2_000.0 + second, 5)
        if queueing.is_felt:
            alarms += 1
            queueing.answered(2_000.0 + second)
    assert alarms <= 5


def test_what_began_before_something_was_done_does_not_count():
    queueing = known()
    assert felt_after(queueing, 2.0)
    queueing.answered(2_000.0)
    for _ in range(20):
        queueing.came(2.0, 2_001.0, 5)
    assert not queueing.is_felt
    assert felt_after(queueing, 2.0, start=2_010.0)


def test_a_target_that_has_become_slower_for_all_is_learned_while_jobs_stand_back():
    queueing = known()
    for second in range(300):
        queueing.came(1.0, 1_000.0 + second, 1)
    assert felt_after(queueing, 1.0, start=2_000.0) is None


def test_nothing_is_felt_before_anything_is_known():
    assert felt_after(Queueing(), 9.0, most=KNOWN) is None
