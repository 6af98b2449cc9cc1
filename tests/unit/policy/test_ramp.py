"""Jobs come back to a target step by step: never more than it bears, or than others leave."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.quota import Level, Unit
from understudy.policy.ramp import (
    CAREFUL_SECONDS,
    DOUBLING_SECONDS,
    FORGET_SECONDS,
    HEADROOM_SHARE,
    LEAST_RATE,
    LESSON_SECONDS,
    UNKNOWN_BEARS,
    Ramp,
    is_low,
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
        [(None, UNKNOWN_BEARS / 10), (5.0, 0.5), (0.1, LEAST_RATE), (1e5, UNKNOWN_BEARS / 10)],
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

    def test_a_target_that_serves_little_is_asked_for_little(self):
        ramp = Ramp()
        ramp.served(1.5, 0.25)
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        assert ramp.rate == pytest.approx(0.15)


class TestGrowth:
    def test_it_doubles_in_half_a_minute_of_going_well(self):
        ramp = Ramp()
        drain(ramp, DOUBLING_SECONDS)
        grown = ramp.rate
        drain(ramp, DOUBLING_SECONDS, start=DOUBLING_SECONDS)
        assert ramp.rate / grown == pytest.approx(2.0, rel=0.05)

    def test_it_is_careful_beyond_what_the_target_is_known_to_bear(self):
        ramp = Ramp()
        ramp.served(20.0, 1.0)
        known = DOUBLING_SECONDS * math.log2(10.0)
        drain(ramp, known + 5.0)
        assert ramp.rate == pytest.approx(20.0, rel=0.05)
        before = ramp.rate
        drain(ramp, CAREFUL_SECONDS, start=known + 5.0)
        assert ramp.rate / before == pytest.approx(2.0, rel=0.05)

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

    def test_makes_it_careful_near_the_rate_that_was_too_much(self):
        ramp = Ramp()
        ramp.served(1_000.0, 1.0)
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        ramp.rate = 80.0
        ramp.pushed_back(1.0)
        assert ramp.doubling(63.0) == DOUBLING_SECONDS
        assert ramp.doubling(65.0) == CAREFUL_SECONDS


class TestALimitThatNobodyTells:
    def grown(self):
        """A ramp that has been refused at 30 a second, of which 10 are known to be allowed."""
        ramp = Ramp()
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        ramp.rate = 30.0
        ramp.pushed_back(1.0, 10.0)
        return ramp

    def test_is_what_it_has_let_through(self):
        ramp = self.grown()
        begun = drain(ramp, 600.0, start=1.0, others=2.0)
        assert begun == pytest.approx(600.0 * HEADROOM_SHARE * (10.0 - 2.0), rel=0.02)

    def test_is_tried_again_after_a_quarter_of_an_hour_and_carefully(self):
        ramp = self.grown()
        drain(ramp, LESSON_SECONDS, start=1.0, others=2.0)
        assert ramp.most(2.0, None, LESSON_SECONDS) == 4.0
        before = ramp.rate
        drain(ramp, CAREFUL_SECONDS, start=1.0 + LESSON_SECONDS, others=2.0)
        assert before < ramp.rate <= 2.05 * before

    def test_is_believed_for_longer_each_time_that_it_proves_true(self):
        ramp = self.grown()
        ramp.pushed_back(1_000.0, 10.0)
        assert ramp.most(0.0, None, 1_000.0 + 1.9 * LESSON_SECONDS) == 5.0

    def test_is_less_where_it_was_too_much_all_the_same(self):
        ramp = self.grown()
        ramp.pushed_back(100.0, 10.0)
        assert ramp.most(0.0, None, 101.0) == pytest.approx(0.8 * 5.0)

    def test_is_more_where_more_is_let_through(self):
        ramp = self.grown()
        ramp.lets_through(16.0)
        assert ramp.most(0.0, None, 2.0) == 8.0

    def test_that_little_speaks_for_is_soon_tried_again(self):
        ramp = Ramp()
        ramp.allowed(PLENTY, 0.0, None, 0.0)
        ramp.pushed_back(1.0, 0.01, thin=True)
        assert ramp.most(0.0, None, 2.0) == LEAST_RATE
        assert ramp.most(0.0, None, LESSON_SECONDS / 4) == math.inf

    def test_is_not_forgotten_by_an_outage(self):
        ramp = self.grown()
        ramp.restart()
        assert ramp.most(0.0, None, 10.0) == 5.0


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

    def test_each_of_several_processes_has_its_part(self):
        ramp = Ramp()
        ramp.processes = 4
        assert ramp.first(400.0) == pytest.approx(UNKNOWN_BEARS / 4 / 10)
        assert ramp.most(0.5, 4.0, 0.0) == HEADROOM_SHARE * 0.5

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
        ([(Unit.INPUT_TOKENS, 60_000.0)], 2.5),
        ([(Unit.OUTPUT_TOKENS, 60_000.0)], 10.0),
        ([(Unit.REQUESTS, 600.0), (Unit.TOKENS, 30_000.0)], 1.0),
    ],
)
def test_the_tightest_limit_counts(levels, rate):
    told = [Level(unit=unit, limit=limit, left=0.0, age=1.0) for unit, limit in levels]
    assert told_rate(told, prompt=400.0, answer=100.0) == rate


@pytest.mark.parametrize(
    ("left", "low"), [(120.0, False), (60.0, False), (59.0, True), (0.0, True)]
)
def test_half_of_a_limit_stays_for_people_who_come_all_at_once(left, low):
    other = Level(unit=Unit.TOKENS, limit=1e6, left=1e6, age=1.0)
    assert is_low([other, Level(unit=Unit.REQUESTS, limit=120.0, left=left, age=1.0)]) is low


def test_what_asked_nothing_of_the_target_leaves_its_room_to_another():
    ramp = Ramp()
    assert ramp.allowed(5, 0.0, 10.0, 0.0) == 1
    ramp.took(1, 0.0)
    assert ramp.allowed(5, 0.0, 10.0, 0.0) == 0
    ramp.spared()
    assert ramp.allowed(5, 0.0, 10.0, 0.0) == 1
