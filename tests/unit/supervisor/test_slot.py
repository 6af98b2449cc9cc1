"""A place for a worker: who serves, and when the next one starts."""

import pytest

from understudy.supervisor.slot import (
    PAUSE_MOST,
    START_SECONDS,
    STEADY_SECONDS,
    Fall,
    Slot,
    pause_after,
)


class Worker:
    """Only somebody."""

    def __init__(self, number=0):
        self.number = number
        self.kill_at = float("inf")


def started(now=0.0):
    """A slot with a worker that serves since then."""
    slot = Slot(0, Worker)
    slot.begin(now)
    slot.take_over(now)
    return slot


def test_a_worker_comes_before_it_serves():
    slot = Slot(3, Worker)
    assert slot.is_empty
    slot.begin(10.0)
    assert (slot.serving, slot.is_empty, slot.is_settled) == (None, False, False)
    worker = slot.coming
    assert worker.number == 3
    assert worker.kill_at == 10.0 + START_SECONDS
    assert slot.take_over(11.0) is None
    assert (slot.serving, slot.is_settled, worker.kill_at) == (worker, True, float("inf"))
    assert list(slot) == [worker]


def test_its_successor_takes_over_and_then_it_leaves():
    slot = started()
    old = slot.serving
    slot.begin(100.0)
    new = slot.coming
    assert slot.serving is old
    assert slot.take_over(101.0) is old
    assert (slot.serving, slot.leaving, slot.is_settled) == (new, [old], False)
    assert slot.ended(old, 105.0) is Fall.LEFT
    assert (list(slot), slot.falls) == ([new], 0)


def test_a_successor_that_never_serves_changes_nothing():
    slot = started()
    old = slot.serving
    slot.begin(100.0)
    assert slot.ended(slot.coming, 101.0) is Fall.KEPT
    assert (slot.serving, slot.falls) == (old, 0)


def test_who_is_still_leaving_is_not_forgotten_when_its_successor_falls():
    slot = started()
    old = slot.serving
    slot.begin(100.0)
    slot.take_over(101.0)
    assert slot.ended(slot.serving, 102.0) is Fall.FELL
    slot.begin(102.0)
    slot.take_over(103.0)
    assert old in list(slot)
    assert slot.ended(old, 110.0) is Fall.LEFT
    assert slot.is_settled


def test_the_first_fall_costs_no_time():
    slot = started()
    assert slot.ended(slot.serving, 1.0) is Fall.FELL
    assert slot.is_empty
    assert slot.due == 1.0


def test_each_further_one_in_a_row_takes_longer_up_to_a_bound():
    slot = started()
    slot.ended(slot.serving, 1.0)
    pauses = []
    now = 1.0
    for _ in range(9):
        slot.begin(now)
        assert slot.ended(slot.coming, now) is Fall.FAILED
        pauses.append(slot.due - now)
        now = slot.due
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, PAUSE_MOST, PAUSE_MOST, PAUSE_MOST, PAUSE_MOST]


def test_who_has_served_for_a_while_has_not_fallen_in_a_row():
    slot = started()
    slot.ended(slot.serving, 1.0)
    slot.begin(1.0)
    slot.ended(slot.coming, 2.0)
    slot.begin(3.0)
    slot.take_over(4.0)
    assert slot.ended(slot.serving, 4.0 + STEADY_SECONDS) is Fall.FELL
    assert (slot.falls, slot.due) == (1, 4.0 + STEADY_SECONDS)


@pytest.mark.parametrize(("falls", "pause"), [(0, 0.0), (1, 0.0), (2, 1.0), (500, PAUSE_MOST)])
def test_pauses(falls, pause):
    assert pause_after(falls) == pause
