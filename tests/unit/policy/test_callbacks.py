"""When somebody is told again, and when no more: Standard Webhooks' schedule, for a day."""

import pytest

from understudy.policy.callbacks import DELAYS, JITTER, Again, Delivered, GivenUp, follows

MIDDLE = 0.5


def after(status, attempts=1, retry_after=None, chance=MIDDLE):
    return follows(status, attempts=attempts, retry_after=retry_after, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("attempts", [1, 7, 99])
def test_what_is_answered_well_is_delivered(status, attempts):
    assert after(status, attempts, retry_after=60.0) == Delivered()


@pytest.mark.parametrize("status", [None, 199, 300, 301, 307, 400, 401, 404, 410, 429, 500, 503])
def test_everything_else_is_a_failure_and_told_again(status):
    assert isinstance(after(status), Again)


def test_the_schedule_is_the_standards_and_ends_within_a_day():
    waits = []
    for attempts in range(1, 100):
        next_ = after(500, attempts)
        if isinstance(next_, GivenUp):
            break
        waits.append(next_.seconds)
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000]
    assert sum(waits) == 17 * 3600 + 35 * 60 + 5
    assert after(500, 99) == GivenUp()


@pytest.mark.parametrize("attempts", range(1, len(DELAYS) + 1))
def test_jitter_takes_some_and_adds_some(attempts):
    delay = DELAYS[attempts - 1]
    least, most = (after(500, attempts, chance=chance).seconds for chance in (0.0, 1.0))
    assert least == pytest.approx(delay * (1 - JITTER))
    assert most == pytest.approx(delay * (1 + JITTER))


def test_who_asks_for_longer_gets_it_and_who_asks_for_less_does_not():
    assert after(503, 1, retry_after=60.0).seconds == 60.0
    assert after(503, 3, retry_after=60.0).seconds == 1_800.0
    assert after(503, 1, retry_after=1e9).seconds == DELAYS[-1]


@pytest.mark.parametrize(("status", "rests"), [(429, True), (502, True), (503, True), (504, True)])
def test_who_is_short_is_told_nothing_else_for_a_while(status, rests):
    assert (after(status).rest > 0) is rests
    assert after(status, retry_after=120.0).rest == 120.0


@pytest.mark.parametrize("status", [None, 301, 404, 410, 500])
def test_other_failures_hold_up_nothing_else(status):
    assert after(status, retry_after=60.0).rest == 0.0


def test_gone_is_told_apart_and_loses_nothing_yet():
    assert after(410).is_gone
    assert not after(404).is_gone
    assert after(410).seconds == 5.0
