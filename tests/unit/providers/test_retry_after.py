"""How long a provider asks to be left alone: every odd way to say so, and none that raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.providers.retry_after import (
    LONGEST,
    from_headers,
    from_value,
    until_date,
    until_next_month,
)
from unit.providers.provider_replies import NOW


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("36000", 36_000.0),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("1_000", None),
        ("٣", None),
        ("99999999999", LONGEST),
        ("9" * 400, None),
        ("Sun, 15 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 15 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 15 Nov 2026 11:59:00 GMT", 0.0),
        ("Sunday, 15-Nov-26 12:01:00 GMT", 60.0),
        ("Thu, 31 Dec 2099 00:00:00 GMT", LONGEST),
        ("Thu, 99 Foo 2026 99:99:99 GMT", None),
        ("Sun, 15 Nov 2026 12:00:30 +9999999999", None),
    ],
)
def test_a_retry_after_header(text, seconds):
    assert from_headers({"retry-after": text}, NOW) == seconds


def test_no_header_is_no_wait():
    assert from_headers({}, NOW) is None


def test_milliseconds_win_over_seconds():
    assert from_headers({"retry-after-ms": "250", "retry-after": "9"}, NOW) == 0.25


def test_garbled_milliseconds_leave_the_seconds():
    assert from_headers({"retry-after-ms": "x", "retry-after": "9"}, NOW) == 9.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (120, 120.0),
        (0.5, 0.5),
        ("34s", 34.0),
        ("34.5s", 34.5),
        ("12", 12.0),
        (10**400, LONGEST),
        (float("inf"), LONGEST),
        (float("nan"), None),
        (-3, None),
        (True, None),
        (None, None),
        ([], None),
        ("later", None),
    ],
)
def test_a_wait_in_a_body(value, seconds):
    assert from_value(value) == seconds


@given(st.text(max_size=80))
def test_no_header_raises(text):
    for seconds in (
        from_headers({"retry-after": text}, NOW),
        from_headers({"retry-after-ms": text}, NOW),
        from_value(text),
        until_date(f"regain access on {text}", NOW),
    ):
        assert seconds is None or 0.0 <= seconds <= LONGEST


@given(st.floats(min_value=0, max_value=4e9))
def test_the_next_month_is_always_ahead_and_within_reach(now):
    assert 0.0 < until_next_month(now) <= 31 * 86_400
