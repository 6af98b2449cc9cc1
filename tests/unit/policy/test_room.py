"""How many may run at once where jobs are among them."""

import math

import pytest

from understudy.policy.ramp import CAREFUL_SECONDS, LESSON_SECONDS, SAME_SECONDS
from understudy.policy.room import Room, at_once


def test_there_is_no_limit_before_there_is_a_sign_of_one():
    assert Room().limit(0.0) == math.inf


class TestCrowded:
    def test_what_runs_while_people_wait_is_too_much(self):
        room = Room()
        room.crowded(30)
        assert room.limit(0.0) == pytest.approx(0.85 * 30)

    def test_what_was_begun_before_does_not_raise_the_limit(self):
        room = Room()
        room.crowded(30)
        room.crowded(40)
        assert room.limit(0.0) == pytest.approx(0.85 * 0.85 * 30)

    def test_more_is_tried_as_long_as_more_is_wanted(self):
        room = Room()
        room.crowded(10)
        for look in range(int(CAREFUL_SECONDS * 4) + 1):
            room.was_short(look / 4)
        assert room.limit(CAREFUL_SECONDS) == pytest.approx(2 * 8.5)

    def test_time_in_which_nothing_more_is_wanted_does_not_count(self):
        room = Room()
        room.crowded(10)
        room.was_short(0.0)
        room.was_short(1000.0)
        assert room.limit(1000.0) == 8.5

    def test_in_the_end_there_is_no_limit_again(self):
        room = Room()
        room.crowded(10)
        for look in range(4 * 3600):
            room.was_short(look / 4)
        assert room.limit(3600.0) == math.inf


class TestRefused:
    def test_as_many_are_not_tried_again_for_a_quarter_of_an_hour(self):
        room = Room()
        room.refused(12, 0.0)
        assert room.limit(LESSON_SECONDS - 1.0) == 12.0
        assert room.limit(LESSON_SECONDS) == math.inf

    def test_and_for_twice_as_long_where_it_proves_true(self):
        room = Room()
        room.refused(12, 0.0)
        room.refused(12, LESSON_SECONDS + 60.0)
        assert room.limit(2.9 * LESSON_SECONDS) == 12.0

    def test_what_was_under_way_is_refused_for_the_same_reason(self):
        room = Room()
        for number in range(5):
            room.refused(12 - number, number / 10)
        assert room.limit(1.0) == 12.0
        assert room.limit(LESSON_SECONDS) == math.inf

    def test_what_runs_without_being_refused_is_borne(self):
        room = Room()
        room.refused(3, 0.0)
        room.bears(8, SAME_SECONDS / 2)
        assert room.limit(20.0) == 3.0
        room.bears(8, 2 * SAME_SECONDS)
        assert room.limit(20.0) == 8.0

    def test_is_forgotten_after_an_outage(self):
        room = Room()
        room.refused(3, 0.0)
        room.crowded(2)
        room.forget()
        assert room.limit(1.0) == math.inf


@pytest.mark.parametrize(
    ("limit", "in_flight", "jobs", "more"),
    [
        (math.inf, 1000, 10, math.inf),
        (20.0, 0, 0, 11.0),
        (20.0, 10, 0, 6.0),
        (20.0, 15, 5, 1.0),
        (20.0, 16, 6, 0.0),
        (20.0, 20, 0, 0.0),
        (4.0, 2, 2, 1.0),
        (1.0, 0, 0, 1.0),
        (1.0, 1, 1, 0.0),
        # Jobs that were claimed for it, and are delivered elsewhere.
        (10.0, 2, 5, 1.0),
    ],
)
def test_half_and_one_more_of_what_others_leave_run_at_once(limit, in_flight, jobs, more):
    assert at_once(limit, in_flight, jobs) == more
