"""How OpenAI limits, and what it says of it.

https://developers.openai.com/api/docs/guides/rate-limits: what may be produced is counted before
it is, and what is refused counts as a request. The wordings are those in users' reports.
"""

from __future__ import annotations

import math

from understudy.mock.allowance import Allowance, Shortage, Unit, Weight
from understudy.mock.ask import Ask
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.reply import Headers

__all__ = ["headers", "over", "weigh"]

_UNITS = {Unit.REQUESTS: "requests per min (RPM)", Unit.TOKENS: "tokens per min (TPM)"}
_MORE = "Visit https://platform.openai.com/account/rate-limits to learn more."


def weigh(ask: Ask, *, cache_hit: bool) -> tuple[Weight, ...]:
    """What a request takes: of tokens its prompt, cached or not, and the most that it may get."""
    reserved = (ask.max_tokens or 0) * ask.choices
    return (Weight(Unit.REQUESTS, 1), Weight(Unit.TOKENS, ask.input_tokens + reserved))


def headers(allowance: Allowance) -> Headers:
    """Two limits with what is left and how long until it is whole."""
    requests, tokens = allowance.requests, allowance.tokens
    requests_reset = tokens_reset = _duration(requests.full_in)
    if tokens.full_in != requests.full_in:
        tokens_reset = _duration(tokens.full_in)
    return (
        ("x-ratelimit-limit-requests", str(int(requests.limit))),
        ("x-ratelimit-limit-tokens", str(int(tokens.limit))),
        ("x-ratelimit-remaining-requests", str(int(requests.left))),
        ("x-ratelimit-remaining-tokens", str(int(tokens.left))),
        ("x-ratelimit-reset-requests", requests_reset),
        ("x-ratelimit-reset-tokens", tokens_reset),
    )


def over(shortage: Shortage, model: str) -> RefusedError:
    """A request over a limit."""
    where = f"for {model} in organization understudy-mock on {_UNITS[shortage.unit]}"
    limit, asked = f"Limit {shortage.limit:.0f}", f"Requested {shortage.asked:.0f}"
    if math.isinf(shortage.wait):
        told = (
            f"Request too large {where}: {limit}, {asked}. The input or output tokens must be "
            f"reduced in order to run successfully. {_MORE}"
        )
        return RefusedError(_spec(shortage, told))
    told = (
        f"Rate limit reached {where}: {limit}, Used {shortage.used:.0f}, {asked}. "
        f"Please try again in {_duration(shortage.wait)}. {_MORE}"
    )
    waits = (
        ("retry-after", f"{math.ceil(shortage.wait)}"),
        ("retry-after-ms", f"{math.ceil(shortage.wait * 1000)}"),
    )
    return RefusedError(_spec(shortage, told), waits)


def _spec(shortage: Shortage, message: str) -> ErrorSpec:
    kind = shortage.unit.value
    return ErrorSpec(status=429, type=kind, code="rate_limit_exceeded", message=message)


def _duration(seconds: float) -> str:
    """As Go writes one: `12ms`, `1.5s`, `6m0s`."""
    thousandths = math.ceil(seconds * 1000.0 - 1e-3)
    if thousandths < 1_000:
        return f"{thousandths}ms"
    if thousandths < 60_000:
        return f"{thousandths / 1000.0:g}s"
    return f"{thousandths // 60_000}m{thousandths % 60_000 / 1000.0:g}s"
