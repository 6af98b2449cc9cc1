"""A bucket lets through a minute's worth at once, and a minute's worth a minute: never more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.policy.bucket import WINDOW_SECONDS, Bucket

LIMITS = st.integers(1, 100_000)
#: (seconds until the next one asks, what it asks for)
ASKED = st.lists(st.tuples(st.floats(0.0, 90.0), st.integers(1, 5_000)), max_size=60)


@given(limit=LIMITS, asked=ASKED)
def test_no_stretch_of_time_sees_more_than_its_own_worth_and_one_burst(limit, asked):
    bucket, now, let_in = Bucket(limit, limit, 0.0), 0.0, []
    for pause, amount in asked:
        now += pause
        if bucket.wait(amount, now) == 0.0:
            bucket.take(min(amount, limit), now)
            let_in.append((now, min(amount, limit)))
    for start, (began, _) in enumerate(let_in):
        total = 0.0
        for at, amount in let_in[start:]:
            total += amount
            allowed = limit + (at - began) * limit / WINDOW_SECONDS
            assert total <= allowed * (1 + 1e-9) + 1e-6


@given(limit=LIMITS, amount=st.integers(1, 200_000), passed=st.floats(0.0, 200.0))
def test_who_waits_as_long_as_told_is_let_in(limit, amount, passed):
    bucket = Bucket(limit, limit, 0.0)
    bucket.take(limit * 1.5, 0.0)
    wait = bucket.wait(amount, passed)
    if wait > 0.01:
        assert bucket.wait(amount, passed + wait * 0.9) > 0.0
    assert bucket.wait(amount, passed + wait) == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(-50, 50)), max_size=40))
def test_a_clock_that_jumps_fills_no_bucket_beyond_its_limit(moves):
    bucket = Bucket(100.0, 100.0, 0.0)
    for now, amount in moves:
        before = bucket.level
        bucket.take(amount, now)
        assert bucket.level <= 100.0
        if amount >= 0 and now <= bucket.at:
            assert bucket.level <= max(before, 100.0 - amount)


def test_a_clock_that_goes_back_refills_nothing_twice():
    bucket = Bucket(60.0, 0.0, 100.0)
    assert bucket.left(110.0) == pytest.approx(10.0)
    assert bucket.left(50.0) == pytest.approx(10.0)
    assert bucket.left(110.0) == pytest.approx(10.0)
    assert bucket.left(111.0) == pytest.approx(11.0)


def test_what_needs_more_than_all_of_it_waits_until_it_is_full():
    bucket = Bucket(60.0, 30.0, 0.0)
    assert bucket.wait(1_000.0, 0.0) == pytest.approx(30.0)
    assert bucket.full_in(0.0) == pytest.approx(30.0)
    assert bucket.wait(1_000.0, 30.0) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("level", "limit", "left"),
    [
        (50.0, 200.0, 150.0),  # 50 of 100 are used; of 200, 150 are left
        (0.0, 200.0, 100.0),
        (50.0, 60.0, 10.0),
        (50.0, 40.0, 0.0),  # all of it is used, and nobody owes for a rule that is new
        (-30.0, 40.0, -30.0),  # what is owed is owed
        (-30.0, 1_000.0, 870.0),
    ],
)
def test_another_limit_keeps_what_is_used(level, limit, left):
    bucket = Bucket(100.0, level, 0.0)
    bucket.change(limit, 0.0)
    assert bucket.left(0.0) == pytest.approx(left)
    assert bucket.left(60.0) == pytest.approx(min(left + limit, limit))


@pytest.mark.parametrize("level", [100.0, 40.0, 0.0, -20.0])
def test_the_shares_of_a_limit_come_to_what_was_left_of_it(level):
    shares = [Bucket(100.0, level, 0.0) for _ in range(4)]
    for share in shares:
        share.resize(25.0, 0.0)
    assert sum(share.left(0.0) for share in shares) == pytest.approx(level)
    assert sum(share.left(60.0) for share in shares) == pytest.approx(min(level + 100.0, 100.0))


def test_a_larger_share_has_to_refill():
    bucket = Bucket(25.0, 25.0, 0.0)
    bucket.resize(100.0, 0.0)
    assert bucket.left(0.0) == pytest.approx(25.0)
    assert bucket.left(60.0) == pytest.approx(100.0)
