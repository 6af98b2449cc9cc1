"""What answers' headers say of our rate limits. Nothing here raises: what is strange is left out.

- Anthropic (https://platform.claude.com/docs/en/api/rate-limits, "Response headers"): limits by the
  minute that refill continuously; tokens left to the nearest thousand; resets as RFC 3339 times, at
  which a limit is whole again. `tokens` is whichever limit of tokens is the tightest, a workspace's
  perhaps.
- OpenAI (https://platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"): requests
  and tokens; resets as durations (`1s`, `6m0s`, `12ms`). Compatible servers that tell anything tell
  the same; some give plain seconds, or a Unix time. Groq's requests are those of a day
  (https://console.groq.com/docs/rate-limits). Azure tells -1 or 0 where it does not know
  (https://learn.microsoft.com/en-us/answers/questions/5625878/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from understudy.core.quota import Quota, Unit

__all__ = ["anthropic_quotas", "openai_quotas"]

#: Anthropic's buckets are whole within a minute: a time beyond that is another clock's.
_WINDOW = 60.0
#: Tokens are told to the nearest thousand.
_ROUNDING = 1000.0
#: Larger numbers limit nothing.
_MOST = 1e15
#: No limit takes longer than a month to refill.
_LONGEST = 32 * 86_400.0
#: A plain number above is a Unix time, in seconds or in milliseconds.
_UNIX = 1e9
_UNIX_MILLISECONDS = 1e12

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
}
# As Go's time.Duration writes itself, and days.
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{0,12})?(?:[nuµm]?s|[mhd]))+", re.ASCII)
_PART = re.compile(r"([\d.]+)([a-zµ]+)", re.ASCII)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?", re.ASCII)

#: Unit; the names of what is left, the limit and the reset; what the rest is rounded to.
_Row = tuple[Unit, str, str, str, float]


def _anthropic_row(unit: Unit, name: str, rounding: float) -> _Row:
    prefix = f"anthropic-ratelimit-{name}"
    return unit, f"{prefix}-remaining", f"{prefix}-limit", f"{prefix}-reset", rounding


def _openai_row(unit: Unit, name: str) -> _Row:
    return (
        unit,
        f"x-ratelimit-remaining-{name}",
        f"x-ratelimit-limit-{name}",
        f"x-ratelimit-reset-{name}",
        0.0,
    )


_ANTHROPIC = (
    _anthropic_row(Unit.REQUESTS, "requests", 0.0),
    _anthropic_row(Unit.INPUT_TOKENS, "input-tokens", _ROUNDING),
    _anthropic_row(Unit.OUTPUT_TOKENS, "output-tokens", _ROUNDING),
    _anthropic_row(Unit.TOKENS, "tokens", _ROUNDING),
)
_OPENAI = (_openai_row(Unit.REQUESTS, "requests"), _openai_row(Unit.TOKENS, "tokens"))


def anthropic_quotas(headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
    """What Anthropic tells. Header names in lower case; `now`: Unix seconds."""
    if (
        "anthropic-ratelimit-requests-remaining" not in headers
        and "anthropic-ratelimit-tokens-remaining" not in headers
    ):
        return ()
    return _read(_ANTHROPIC, headers, now, _WINDOW)


def openai_quotas(headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
    """What OpenAI, or a server like it, tells. Header names in lower case; `now`: Unix seconds."""
    if (
        "x-ratelimit-remaining-requests" not in headers
        and "x-ratelimit-remaining-tokens" not in headers
    ):
        return ()
    return _read(_OPENAI, headers, now, _LONGEST)


def _read(
    rows: tuple[_Row, ...], headers: Mapping[str, str], now: float, longest: float
) -> tuple[Quota, ...]:
    quotas: list[Quota] = []
    for unit, remaining_name, limit_name, reset_name, rounding in rows:
        remaining = _number(headers.get(remaining_name))
        if remaining is None:
            continue
        told = headers.get(limit_name)
        limit = _number(told)
        if told is not None and not limit:
            # -1, 0 or no number: whoever wrote it does not know.
            continue
        reset = _seconds(headers.get(reset_name), now)
        quotas.append(
            Quota(
                unit=unit,
                limit=limit,
                remaining=remaining if limit is None else min(remaining, limit),
                full_in=None if reset is None else min(max(reset, 0.0), longest),
                rounding=rounding,
            )
        )
    return tuple(quotas)


def _number(text: str | None) -> float | None:
    """A number of requests or tokens; None for anything else."""
    if text is None:
        return None
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if number < _MOST else None


def _seconds(text: str | None, now: float) -> float | None:
    """Seconds until a reset: a number, a Unix time, a duration or an RFC 3339 time."""
    text = text.strip() if text else ""
    if len(text) > 64:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _UNIX:
            return number
        return (number / 1e3 if number >= _UNIX_MILLISECONDS else number) - now
    if _DURATION.fullmatch(text):
        return sum(float(part[1]) * _SECONDS[part[2]] for part in _PART.finditer(text))
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
