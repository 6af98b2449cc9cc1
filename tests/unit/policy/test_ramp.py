"""Jobs come back to a target step by step: never more than it bears, or than others leave."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.quota import Level, Unit
from understudy.policy.ramp import (
    DOUBLING_SECONDS,
    FORGET_SECONDS,
    HEADROOM_SHARE,
    LEAST_RATE,
    UNKNOWN_BEARS,
    Ramp,
    at_once,
    told_rate,
)

PLENTY = 100_000


def drain(ramp, seconds, *, start=0.0, others=0.0, told=None, well=True, wanted=PLENTY, step=0.25):
    """How many jobs begin within a time in which more wait than may go."""
    begun = 0
    for look in range(int(seconds / step)):
        now = start + look * step
        count = ramp.allowed(wanted, others, told, now)
        ramp.took(count, now)
        begun += count
        if well and count:
            ramp.went_well()
    return begun


class TestStart:
    def test_the_first_job_of_a_quiet_product_goes_at_once(self):
        assert Ramp().allowed(1, 0.0, None, 100.0) == 1

    @pytest.mark.parametrize(
        ("told", "rate"),
        [(None, UNKNOWN_BEARS / 10), (10.0, 1.0), (1.0, LEAST_RATE), (1e5, UNKNOWN_BEARS / 10)],
    )
    def test_it_starts_at_a_tenth_of_what_the_target_bears(self, told, rate):
        ramp = Ramp()
        ramp.allowed(PLENTY, 0.0, told, 0.0)
        assert ramp.rate == rate

    def test_what_the_target_served_in_its_busiest_minute_is_what_it_bears(self):
        ramp = Ramp()
        ramp.served(80.0, 0.25)
        ramp.served(3.0, 60.0)
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        assert ramp.rate == pytest.approx(8.0, rel=0.02)

    def test_a_peak_fades(self):
        ramp = Ramp()
        ramp.served(800.0, 0.25)
        ramp.served(0.0, 4 * 3600.0)
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        assert ramp.rate == pytest.approx(5.0)


class TestGrowth:
    def test_it_doubles_in_half_a_minute_of_going_well(self):
        ramp = Ramp()
        drain(ramp, DOUBLING_SECONDS)
        grown = ramp.rate
        drain(ramp, DOUBLING_SECONDS, start=DOUBLING_SECONDS)
        assert ramp.rate / grown == pytest.approx(2.0, rel=0.05)

    def test_it_does_not_grow_while_nothing_succeeds(self):
        ramp = Ramp()
        drain(ramp, 300.0, well=False)
        assert ramp.rate == UNKNOWN_BEARS / 10

    def test_it_does_not_grow_while_it_lets_everybody_go(self):
        ramp = Ramp()
        for second in range(300):
            ramp.took(ramp.allowed(1, 0.0, None, float(second)), float(second))
            ramp.went_well()
        assert ramp.rate == UNKNOWN_BEARS / 10

    def test_a_failure_stops_the_growth_until_the_next_success(self):
        ramp = Ramp()
        drain(ramp, 60.0)
        ramp.went_wrong()
        before = ramp.rate
        drain(ramp, 30.0, start=60.0, well=False)
        assert ramp.rate == before
        drain(ramp, 30.0, start=90.0)
        assert ramp.rate > 1.8 * before

    def test_a_pause_does_not_make_a_burst(self):
        ramp = Ramp()
        drain(ramp, 60.0)
        rate = ramp.rate
        assert ramp.allowed(PLENTY, 0.0, None, 300.0) <= rate + 1


class TestShortage:
    def test_halves_it_once_a_second_at_most(self):
        ramp = Ramp()
        drain(ramp, 120.0)
        before = ramp.rate
        for _ in range(10):
            ramp.pushed_back(120.0)
        assert ramp.rate == before / 2
        ramp.pushed_back(121.5)
        assert ramp.rate == before / 4

    def test_stops_what_was_saved_up(self):
        ramp = Ramp()
        ramp.allowed(0, 0.0, 100.0, 0.0)
        ramp.pushed_back(1.0)
        assert ramp.allowed(PLENTY, 0.0, 100.0, 1.0) == 0

    def test_never_ends_it(self):
        ramp = Ramp()
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        for second in range(100):
            ramp.pushed_back(2.0 * second)
        assert ramp.rate == LEAST_RATE


class TestBeginningAgain:
    def test_after_an_outage(self):
        ramp = Ramp()
        drain(ramp, 300.0)
        ramp.restart()
        ramp.allowed(PLENTY, 0.0, None, 301.0)
        assert ramp.rate == UNKNOWN_BEARS / 10

    def test_after_ten_minutes_without_jobs(self):
        ramp = Ramp()
        drain(ramp, 300.0)
        ramp.allowed(PLENTY, 0.0, None, 301.0 + FORGET_SECONDS)
        assert ramp.rate == UNKNOWN_BEARS / 10


class TestHeadroom:
    def test_at_most_half_of_what_others_leave(self):
        ramp = Ramp()
        drain(ramp, 600.0, others=6.0, told=10.0)
        begun = drain(ramp, 100.0, start=600.0, others=6.0, told=10.0)
        assert begun == pytest.approx(100.0 * HEADROOM_SHARE * 4.0, rel=0.05)

    def test_nothing_where_others_take_it_all(self):
        assert drain(Ramp(), 60.0, others=12.0, told=10.0) <= 1

    @given(others=st.floats(0.0, 200.0), told=st.floats(0.1, 100.0), seconds=st.integers(1, 300))
    def test_whatever_happens(self, others, told, seconds):
        begun = drain(Ramp(), seconds, others=others, told=told)
        assert begun <= HEADROOM_SHARE * max(told - others, 0.0) * (seconds + 1.0) + 1.0

    @given(
        wanted=st.integers(0, 50),
        moments=st.lists(st.floats(0.0, 100.0), max_size=50),
        others=st.floats(0.0, 20.0),
    )
    def test_never_more_than_are_wanted(self, wanted, moments, others):
        ramp = Ramp()
        for now in sorted(moments):
            count = ramp.allowed(wanted, others, 10.0, now)
            assert 0 <= count <= wanted
            ramp.took(count, now)


@pytest.mark.parametrize(
    ("levels", "rate"),
    [
        ([], None),
        ([(Unit.REQUESTS, 120.0)], 2.0),
        ([(Unit.INPUT_TOKENS, 60_000.0)], 2.0),
        ([(Unit.REQUESTS, 600.0), (Unit.TOKENS, 30_000.0)], 1.0),
    ],
)
def test_the_tightest_limit_counts(levels, rate):
    told = [Level(unit=unit, limit=limit, left=0.0, age=1.0) for unit, limit in levels]
    assert told_rate(told, tokens=500.0) == rate


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
    ],
)
def test_half_and_one_more_of_what_others_leave_run_at_once(limit, in_flight, jobs, more):
    assert at_once(limit, in_flight, jobs) == more
