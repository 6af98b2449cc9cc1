"""The peers' circuit breakers do what their documentation says of their defaults."""

import pytest

from detection.peers import Envoy, Hystrix, Resilience4j
from detection.watched import Change


def tell(detector, calls):
    """Calls as (time, good), each as short as can be; those that are not admitted are left out."""
    for at, good in calls:
        if detector.admits(at):
            detector.began(at, is_probe=False)
            detector.ended(at, at, good=good)
    return detector.changes


def bad(*times):
    return [(at, False) for at in times]


def good(*times):
    return [(at, True) for at in times]


def test_envoy_ejects_at_five_errors_in_a_row():
    assert tell(Envoy(), [*bad(1, 2, 3, 4), *good(5), *bad(6, 7, 8, 9)]) == []
    assert tell(Envoy(), bad(1, 2, 3, 4, 5)) == [Change(5, True)]


def test_envoy_returns_a_host_at_the_first_sweep_after_its_time():
    assert tell(Envoy(), [*bad(1, 2, 3, 4, 5), *good(39, 41)]) == [
        Change(5, True),
        Change(40, False),
    ]


@pytest.mark.parametrize(("ejections", "seconds"), [(2, 60), (3, 90), (10, 300), (12, 300)])
def test_envoy_ejects_for_longer_each_time_up_to_five_minutes(ejections, seconds):
    envoy, at = Envoy(), 5.0
    for _ in range(ejections):
        tell(envoy, bad(*[at] * 5))
        while envoy.is_open:
            at += 1.0
            envoy.admits(at)
    opened, closed = envoy.changes[-2:]
    assert closed.at - opened.at == pytest.approx(seconds, abs=10.0)


def test_envoy_forgets_an_ejection_with_each_sweep():
    envoy = Envoy()
    tell(envoy, bad(*[5.0] * 5))
    changes = tell(envoy, [*good(41.0), *bad(*[1000.0] * 5), *good(1031.0)])
    assert [change.at for change in changes] == [5.0, 40.0, 1000.0, 1030.0]


def test_resilience4j_says_nothing_before_its_hundredth_call():
    assert tell(Resilience4j(), bad(*range(99))) == []
    assert tell(Resilience4j(), bad(*range(100))) == [Change(99, True)]


def test_resilience4j_opens_at_half_of_the_last_hundred():
    half = [(at, at % 2 == 0) for at in range(100)]
    assert tell(Resilience4j(), half) == [Change(99, True)]
    less = [(at, at % 2 == 0 or at < 2) for at in range(100)]
    assert tell(Resilience4j(), less) == []


def test_resilience4j_lets_ten_calls_decide_after_a_minute():
    down = bad(*range(100))
    assert tell(Resilience4j(), [*down, *good(*[158.9] * 10)]) == [Change(99, True)]
    trials = [*bad(*[160.0] * 4), *good(*[160.0] * 6)]
    assert tell(Resilience4j(), [*down, *trials]) == [Change(99, True), Change(160.0, False)]
    detector = Resilience4j()
    tell(detector, [*down, *bad(*[160.0] * 5), *good(*[160.0] * 5), *good(*[219.0] * 10)])
    assert detector.is_open


def test_hystrix_opens_at_twenty_calls_within_ten_seconds_half_of_them_bad():
    half = [(at * 0.5, at % 2 == 0) for at in range(20)]
    assert tell(Hystrix(), half) == [Change(9.5, True)]
    assert tell(Hystrix(), bad(*range(0, 200, 1))) == []


def test_hystrix_tries_one_call_after_five_seconds():
    down = bad(*[at * 0.5 for at in range(20)])
    assert tell(Hystrix(), [*down, *good(14.5)]) == [Change(9.5, True)]
    assert tell(Hystrix(), [*down, *good(14.6)]) == [Change(9.5, True), Change(14.6, False)]
    assert tell(Hystrix(), [*down, *bad(14.6), *good(19.0)]) == [Change(9.5, True)]
