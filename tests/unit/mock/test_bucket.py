"""A bucket gives what a minute allows, at any time, and no more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.mock.bucket import Bucket

STEPS = st.lists(st.tuples(st.floats(0.0, 40.0), st.floats(0.0, 30.0)), max_size=40)


@given(limit=st.floats(1.0, 1e6), steps=STEPS)
def test_it_never_gives_more_than_it_held_and_gained(limit, steps):
    bucket, now, given_out = Bucket(limit, 0.0), 0.0, 0.0
    for amount, passed in steps:
        now += passed
        asked = amount * limit / 20.0
        if bucket.wait(asked, now) == 0.0:
            bucket.take(asked, now)
            given_out += asked
        assert -1e-6 * limit - 1e-6 <= bucket.level(now) <= limit
    assert given_out <= limit * (1.0 + now / 60.0) * (1 + 1e-9) + 1e-5


@given(limit=st.floats(1.0, 1e6), taken=st.floats(0.0, 3.0), asked=st.floats(0.0, 1.0))
def test_after_the_wait_there_is_enough_and_not_before(limit, taken, asked):
    bucket = Bucket(limit, 0.0)
    bucket.take(taken * limit, 0.0)
    wait = bucket.wait(asked * limit, 0.0)
    assert bucket.wait(asked * limit, wait + 1e-5) == 0.0
    if wait > 0.01:
        assert bucket.wait(asked * limit, wait - 0.01) > 0.0
    assert bucket.level(bucket.full_in(0.0)) == pytest.approx(limit)


def test_what_is_more_than_a_minute_allows_never_fits():
    assert Bucket(10.0, 0.0).wait(10.5, 0.0) == math.inf


def test_taking_may_leave_a_debt_and_draining_leaves_none():
    bucket = Bucket(60.0, 0.0)
    bucket.take(100.0, 0.0)
    assert bucket.level(0.0) == -40.0
    bucket.drain(1.0, 0.0)
    assert bucket.level(0.0) == -40.0
    bucket.drain(1.0, 40.5)
    assert bucket.level(40.5) == 0.0


def test_a_clock_that_is_set_back_fills_and_empties_nothing():
    bucket = Bucket(60.0, 1000.0)
    bucket.take(30.0, 1000.0)
    assert bucket.level(900.0) == 30.0
