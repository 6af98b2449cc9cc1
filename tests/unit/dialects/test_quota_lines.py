"""What callers are told of their limits reads as what the vendors tell of theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.quota import Quota, Unit
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from understudy.dialects.quotas import anthropic_lines, openai_lines
from understudy.dialects.responses import RESPONSES
from understudy.providers.quotas import anthropic_quotas, openai_quotas

#: 2026-03-02T12:00:00Z
NOON = 1_772_452_800.0
REQUESTS = Quota(unit=Unit.REQUESTS, limit=600.0, remaining=599.0, full_in=0.1)
TOKENS = Quota(unit=Unit.TOKENS, limit=90_000.0, remaining=1_234.9, full_in=59.2)


def headers(lines):
    assert not lines or lines.endswith("\r\n")
    return dict(line.split(": ", 1) for line in lines.split("\r\n") if line)


def test_anthropics_headers():
    assert headers(anthropic_lines([REQUESTS, TOKENS], NOON)) == {
        "anthropic-ratelimit-requests-limit": "600",
        "anthropic-ratelimit-requests-remaining": "599",
        "anthropic-ratelimit-requests-reset": "2026-03-02T12:00:01Z",
        "anthropic-ratelimit-tokens-limit": "90000",
        "anthropic-ratelimit-tokens-remaining": "1234",
        "anthropic-ratelimit-tokens-reset": "2026-03-02T12:01:00Z",
    }


def test_openais_headers():
    assert headers(openai_lines([REQUESTS, TOKENS], NOON)) == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "90000",
        "x-ratelimit-remaining-tokens": "1234",
        "x-ratelimit-reset-tokens": "59.2s",
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0ms"),
        (0.0121, "13ms"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (360.0, "6m0s"),
        (90.25, "1m30.25s"),
        (3_600.0, "1h0m0s"),
    ],
)
def test_durations_are_as_go_writes_them(seconds, told):
    quota = Quota(unit=Unit.REQUESTS, limit=1.0, remaining=0.0, full_in=seconds)
    assert headers(openai_lines([quota], NOON))["x-ratelimit-reset-requests"] == told


@given(
    limit=st.integers(1, 999_999_999),
    share=st.floats(0.0, 1.0),
    full_in=st.floats(0.0, 59.0),
    unit=st.sampled_from([Unit.REQUESTS, Unit.TOKENS]),
)
@pytest.mark.parametrize(
    ("tell", "read", "within"),
    [(anthropic_lines, anthropic_quotas, 1.0), (openai_lines, openai_quotas, 0.002)],
)
def test_what_is_told_is_read_back_by_who_reads_the_vendors(
    tell, read, within, limit, share, full_in, unit
):
    quota = Quota(unit=unit, limit=limit, remaining=int(limit * share), full_in=full_in)
    (seen,) = read(headers(tell([quota], NOON)), NOON)
    assert (seen.unit, seen.limit, seen.remaining) == (unit, limit, quota.remaining)
    # Unix seconds as a float are exact to a quarter of a microsecond.
    assert full_in - 1e-6 <= seen.full_in <= full_in + within + 1e-6


def test_each_dialect_tells_as_its_vendor_does():
    tells = {d.name: d.quota_lines for d in (MESSAGES, COUNT_TOKENS, CHAT_COMPLETIONS, RESPONSES)}
    assert tells == {
        "messages": anthropic_lines,
        "count_tokens": anthropic_lines,
        "chat_completions": openai_lines,
        "responses": openai_lines,
    }


def test_who_has_no_limits_is_told_nothing():
    assert anthropic_lines([], NOON) == openai_lines([], NOON) == ""
