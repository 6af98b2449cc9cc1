"""What a person is told of when a job will be done."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.policy.estimate import (
    OUTAGE_LEAST,
    OUTAGE_MOST,
    drained_in,
    jobs_before,
    serves_in,
)
from understudy.policy.ramp import Ramp


class TestLine:
    def test_a_flood_of_another_tenant_counts_for_as_many_as_get_a_turn_before(self):
        assert jobs_before(0, [10_000], 0) == 1
        assert jobs_before(3, [10_000, 2], 0) == 3 + 4 + 2

    def test_all_of_a_higher_priority_go_first(self):
        assert jobs_before(0, [], 7) == 7


class TestOutage:
    def test_lasts_as_long_again_as_it_has_lasted(self):
        assert serves_in(2.0, 600.0) == 600.0

    def test_lasts_until_it_is_tried_again_at_least(self):
        assert serves_in(300.0, 20.0) == 300.0

    @pytest.mark.parametrize(("failing_for", "told"), [(0.1, OUTAGE_LEAST), (1e6, OUTAGE_MOST)])
    def test_is_guessed_within_bounds(self, failing_for, told):
        assert serves_in(0.0, failing_for) == told

    def test_of_what_has_never_worked_nothing_is_said(self):
        assert serves_in(10.0, None) is None


class TestDrain:
    def test_nobody_before_means_at_once(self):
        assert drained_in(0, 2.0) == 0.0

    def test_a_rate_that_others_hold_down_stays(self):
        assert drained_in(10, 5.0, most=2.0) == 5.0
        assert drained_in(10, 5.0, most=0.0) == math.inf

    @pytest.mark.parametrize("before", [1, 60, 500, 5000])
    def test_is_what_a_ramp_takes(self, before):
        ramp, begun, now = Ramp(), 0, 0.0
        while begun < before:
            count = ramp.allowed(before, 0.0, None, now)
            ramp.took(count, now)
            ramp.went_well()
            begun += count
            now += 0.25
        told = drained_in(before, ramp.first(None), careful_from=ramp.careful_from)
        assert told == pytest.approx(now, rel=0.15, abs=2.0)

    @given(
        before=st.integers(0, 10**6),
        rate=st.floats(0.1, 100.0),
        careful_from=st.floats(0.1, 1000.0),
        most=st.floats(0.1, 1000.0),
    )
    def test_a_longer_line_never_takes_less(self, before, rate, careful_from, most):
        told = {"careful_from": careful_from, "most": most}
        shorter, longer = (drained_in(n, rate, **told) for n in (before, before + 1))
        assert before / max(most, rate) - 1e-6 <= shorter <= longer
