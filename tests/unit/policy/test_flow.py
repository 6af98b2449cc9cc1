"""How fast a count grows, and what that shows of a limit which nobody tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.policy.flow import KEPT_SECONDS, Flow


def flowing(rate, seconds, *, flow=None, start=0.0, count=0):
    """A flow of so many a second for so long, looked at four times a second."""
    flow = flow or Flow()
    for look in range(int(seconds * 4) + 1):
        flow.note(count + int(rate * look / 4), start + look / 4)
    return flow


class TestRate:
    def test_is_that_of_late(self):
        flow = flowing(2.0, 100.0)
        flowing(10.0, 30.0, flow=flow, start=100.0, count=200)
        assert flow.rate(10.0) == pytest.approx(10.0, rel=0.1)
        assert flow.rate(60.0) == pytest.approx((30 * 10 + 30 * 2) / 60, rel=0.1)

    def test_of_little_time_is_no_rush(self):
        flow = Flow()
        assert flow.rate(10.0) == 0.0
        flow.note(0, 0.0)
        flow.note(5, 0.01)
        assert flow.rate(10.0) == 1.0

    def test_forgets_what_is_long_ago(self):
        assert flowing(1.0, 3 * KEPT_SECONDS).seconds <= KEPT_SECONDS


class _Bucket:
    """A limit by the minute that refills all the time, full at first."""

    def __init__(self, limit):
        self.limit, self.level, self.at = limit, limit, 0.0

    def admits(self, now):
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / 60.0)
        self.at = now
        if self.level < 1.0:
            return False
        self.level -= 1.0
        return True


@given(
    limit=st.floats(6.0, 6_000.0),
    asked=st.lists(st.tuples(st.floats(0.1, 60.0), st.integers(0, 500)), min_size=1, max_size=60),
)
def test_what_is_shown_of_a_limit_is_never_more_than_it_allows(limit, asked):
    bucket, flow, now, begun = _Bucket(limit), Flow(), 0.0, 0
    flow.note(0, 0.0)
    for seconds, count in asked:
        now += seconds
        begun += sum(bucket.admits(now) for _ in range(count))
        flow.note(begun, now)
        assert flow.sustained() <= limit / 60.0 * 1.001


def test_and_it_is_nearly_that_when_all_of_it_is_used():
    bucket, flow, begun = _Bucket(600.0), Flow(), 0
    for second in range(300):
        begun += sum(bucket.admits(float(second)) for _ in range(20))
        flow.note(begun, float(second))
    assert flow.sustained() >= 0.95 * 600.0 / 60.0
