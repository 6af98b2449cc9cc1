"""What answers tell of our rate limits: both vendors' shapes, every odd one, none raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.quota import Quota, Unit
from understudy.providers.quotas import anthropic_quotas, openai_quotas
from understudy.providers.registry import MANNERS

#: 2026-11-15T12:00:00Z.
NOW = 1_794_744_000.0

#: As https://platform.claude.com/docs/en/api/rate-limits describes them.
ANTHROPIC = {
    "request-id": "req_1",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-15T12:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "400000",
    "anthropic-ratelimit-input-tokens-remaining": "398000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-15T12:00:00.5Z",
    "anthropic-ratelimit-output-tokens-limit": "80000",
    "anthropic-ratelimit-output-tokens-remaining": "0",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-15T13:01:00+01:00",
    "anthropic-ratelimit-tokens-limit": "480000",
    "anthropic-ratelimit-tokens-remaining": "478000",
    "anthropic-ratelimit-tokens-reset": "2026-11-15T12:00:00Z",
}
#: As https://platform.openai.com/docs/guides/rate-limits has them.
OPENAI = {
    "x-request-id": "req_2",
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}


def requests(remaining: str, limit: str | None = "100", reset: str | None = None):
    """What OpenAI's reader makes of one limit."""
    headers = {"x-ratelimit-remaining-requests": remaining}
    if limit is not None:
        headers["x-ratelimit-limit-requests"] = limit
    if reset is not None:
        headers["x-ratelimit-reset-requests"] = reset
    return openai_quotas(headers, NOW)


def test_anthropic_tells_of_four_limits():
    assert anthropic_quotas(ANTHROPIC, NOW) == (
        Quota(unit=Unit.REQUESTS, limit=4000.0, remaining=3999.0, full_in=1.0),
        Quota(unit=Unit.INPUT_TOKENS, limit=4e5, remaining=398_000.0, full_in=0.5, rounding=1000.0),
        Quota(unit=Unit.OUTPUT_TOKENS, limit=8e4, remaining=0.0, full_in=60.0, rounding=1000.0),
        Quota(unit=Unit.TOKENS, limit=4.8e5, remaining=478_000.0, full_in=0.0, rounding=1000.0),
    )


def test_openai_tells_of_two_limits():
    assert openai_quotas(OPENAI, NOW) == (
        Quota(unit=Unit.REQUESTS, limit=60.0, remaining=59.0, full_in=1.0),
        Quota(unit=Unit.TOKENS, limit=150_000.0, remaining=149_984.0, full_in=360.0),
    )


@pytest.mark.parametrize(
    ("kind", "headers", "units"),
    [
        ("anthropic", ANTHROPIC, 4),
        ("openai", OPENAI, 2),
        ("openai-compatible", OPENAI, 2),
        ("anthropic", OPENAI, 0),
        ("openai", ANTHROPIC, 0),
        ("openai-compatible", {"content-type": "application/json"}, 0),
    ],
)
def test_each_kind_reads_its_own(kind, headers, units):
    assert len(MANNERS[kind].read_quotas(headers, NOW)) == units


def test_only_openai_reserves_what_an_answer_may_be():
    reserves = {kind: manners.reserves_output for kind, manners in MANNERS.items()}
    assert reserves == {"anthropic": False, "openai": True, "openai-compatible": True}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("1h0m0s", 3600.0),
        ("1d2h", 93_600.0),
        ("250µs", 0.00025),
        ("999ns", 9.99e-7),
        ("0", 0.0),
        ("60", 60.0),
        ("7.5", 7.5),
        (" 3s ", 3.0),
        ("1794744030", 30.0),
        ("1794744030500", 30.5),
        ("1794743000", 0.0),
        ("2026-11-15T12:00:09Z", 9.0),
        ("2026-11-15T12:00:09", 9.0),
        ("2020-01-01T00:00:00Z", 0.0),
        ("9999d", 32 * 86_400.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("s", None),
        ("1..5s", None),
        ("1s 2s", None),
        ("1s, 1s", None),
        ("m5s", None),
        ("nan", None),
        ("9" * 100, None),
        ("0001-01-01T00:00:00+23:59", 0.0),
    ],
)
def test_a_reset_in_any_shape(reset, seconds):
    (quota,) = requests("5", reset=reset)
    assert quota.full_in == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@pytest.mark.parametrize(
    ("remaining", "limit", "expected"),
    [
        ("5", "100", (5.0, 100.0)),
        (" 5 ", "100.0", (5.0, 100.0)),
        ("0", "100", (0.0, 100.0)),
        ("5", None, (5.0, None)),
        ("120", "100", (100.0, 100.0)),
        # Azure, where it does not know.
        ("-1", "-1", None),
        ("0", "-1", None),
        ("0", "0", None),
        ("-1", None, None),
        ("5", "many", None),
        ("5", "", None),
        ("", "100", None),
        ("5, 5", "100", None),
        ("1_000", "100", None),
        ("1e3", "100", None),
        ("inf", "100", None),
        ("nan", "nan", None),
        ("٣", "100", None),
        ("9" * 20, "9" * 20, None),
        ("9" * 400, "100", None),
    ],
)
def test_what_is_no_number_is_left_out(remaining, limit, expected):
    quotas = requests(remaining, limit)
    assert [(quota.remaining, quota.limit) for quota in quotas] == ([expected] if expected else [])


def test_one_strange_limit_does_not_hide_the_others():
    headers = {**ANTHROPIC, "anthropic-ratelimit-input-tokens-remaining": "plenty"}
    units = [quota.unit for quota in anthropic_quotas(headers, NOW)]
    assert units == [Unit.REQUESTS, Unit.OUTPUT_TOKENS, Unit.TOKENS]


def test_a_workspace_may_tell_of_tokens_alone():
    headers = {name: text for name, text in ANTHROPIC.items() if "requests" not in name}
    assert len(anthropic_quotas(headers, NOW)) == 3


def test_a_skewed_clock_makes_no_minute_longer():
    (told, *_) = anthropic_quotas(ANTHROPIC, NOW - 3600.0)
    assert told.full_in == 60.0
    (told, *_) = anthropic_quotas(ANTHROPIC, NOW + 3600.0)
    assert told.full_in == 0.0


@given(
    st.sampled_from([(ANTHROPIC, anthropic_quotas), (OPENAI, openai_quotas)]).flatmap(
        lambda pair: st.tuples(
            st.just(pair[1]),
            st.dictionaries(
                st.sampled_from(sorted(pair[0])),
                st.one_of(
                    st.text(max_size=80),
                    st.from_regex(r"[-0-9.smhdµnTZ:+ ]{0,40}", fullmatch=True),
                ),
            ),
        )
    ),
    st.floats(0.0, 4e9),
)
def test_nothing_raises_and_nothing_impossible_is_told(read, now):
    reader, headers = read
    for quota in reader(headers, now):
        assert 0.0 <= quota.remaining < 1e15
        assert quota.limit is None or quota.remaining <= quota.limit
        assert quota.full_in is None or 0.0 <= quota.full_in <= 32 * 86_400.0
