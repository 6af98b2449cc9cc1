"""How Anthropic limits, and what it says of it: https://platform.claude.com/docs/en/api/rate-limits.

What is read from a cache is free, and output counts as it is produced, whatever `max_tokens` is.
"""

from __future__ import annotations

import datetime as dt
import math

from understudy.mock.allowance import Allowance, Shortage, Unit, Weight
from understudy.mock.ask import Ask
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.reply import Headers

__all__ = ["headers", "over", "weigh"]

_UNITS = {
    Unit.REQUESTS: "requests",
    Unit.INPUT_TOKENS: "input tokens",
    Unit.OUTPUT_TOKENS: "output tokens",
}


def weigh(ask: Ask, *, cache_hit: bool) -> tuple[Weight, ...]:
    """What a request needs: of the output, that there is any."""
    read = ask.cached_tokens if cache_hit else 0
    return (
        Weight(Unit.REQUESTS, 1),
        Weight(Unit.INPUT_TOKENS, ask.input_tokens - read),
        Weight(Unit.OUTPUT_TOKENS, 1, is_taken=False),
    )


def headers(allowance: Allowance) -> Headers:
    """Four limits with what is left (of tokens to the nearest thousand) and when it is whole."""
    requests, read, written = allowance.requests, allowance.input_tokens, allowance.output_tokens
    now, full_in = allowance.now, requests.full_in
    at = both_at = read_at = written_at = _instant(now + full_in)
    if not full_in == read.full_in == written.full_in:
        read_at, written_at = _instant(now + read.full_in), _instant(now + written.full_in)
        both_at = max(read_at, written_at)
    both = int(read.limit + written.limit)
    most_read, most_written = int(read.limit), int(written.limit)
    return (
        ("anthropic-ratelimit-requests-limit", str(int(requests.limit))),
        ("anthropic-ratelimit-requests-remaining", str(int(requests.left))),
        ("anthropic-ratelimit-requests-reset", at),
        ("anthropic-ratelimit-tokens-limit", str(both)),
        ("anthropic-ratelimit-tokens-remaining", _rounded(read.left + written.left, both)),
        ("anthropic-ratelimit-tokens-reset", both_at),
        ("anthropic-ratelimit-input-tokens-limit", str(most_read)),
        ("anthropic-ratelimit-input-tokens-remaining", _rounded(read.left, most_read)),
        ("anthropic-ratelimit-input-tokens-reset", read_at),
        ("anthropic-ratelimit-output-tokens-limit", str(most_written)),
        ("anthropic-ratelimit-output-tokens-remaining", _rounded(written.left, most_written)),
        ("anthropic-ratelimit-output-tokens-reset", written_at),
    )


def over(shortage: Shortage, model: str) -> RefusedError:
    """A request over a limit."""
    spec = ErrorSpec(
        status=429,
        type="rate_limit_error",
        message=(
            f"This request would exceed your organization's rate limit of {shortage.limit:,.0f} "
            f"{_UNITS[shortage.unit]} per minute (model: {model}). For details, refer to: "
            "https://docs.claude.com/en/api/rate-limits. You can see the response headers for "
            "current usage. Please reduce the prompt length or the maximum tokens requested, or "
            "try again later."
        ),
    )
    if math.isinf(shortage.wait):
        return RefusedError(spec)
    return RefusedError(spec, (("retry-after", f"{math.ceil(shortage.wait)}"),))


def _rounded(left: float, limit: int) -> str:
    return str(min((int(left) + 500) // 1000 * 1000, limit))


def _instant(seconds: float) -> str:
    return dt.datetime.fromtimestamp(math.ceil(seconds), dt.UTC).isoformat()[:19] + "Z"
