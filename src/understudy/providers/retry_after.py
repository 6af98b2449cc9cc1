"""How long a provider asks to be left alone, read from whatever it says. Nothing here raises.

Sources: RFC 9110 §10.2.3 (`Retry-After`: seconds or an HTTP date), OpenAI's and Anthropic's SDKs
(`retry-after-ms`), Cloudflare's JSON error pages (`retry_after` in the body), Google's `RetryInfo`
(`retryDelay: "34s"`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST", "from_headers", "from_value", "until_date", "until_next_month"]

#: Nobody is left alone for longer than this: a month's spending limit ends within it.
LONGEST = 32 * 86_400.0

_NUMBER = re.compile(r"\d{1,20}(\.\d{0,20})?", re.ASCII)
_SECONDS = re.compile(r"(\d{1,20}(?:\.\d{0,20})?)s?", re.ASCII)
_DATE = re.compile(
    r"(?:regain access|resets?|available again) on (\d{4})-(\d{2})-(\d{2})"
    r"(?: at (\d{2}):(\d{2}))?",
    re.ASCII | re.IGNORECASE,
)


def from_headers(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now` (Unix) by `retry-after-ms` or `retry-after`; names in lower case.

    A date that has passed gives 0. Garbage and negative values give None, more than `LONGEST`
    gives `LONGEST`.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return _clamp(float(milliseconds) / 1000.0)
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return _clamp(float(text))
    if not text or len(text) > 64:
        return None
    try:
        when = parsedate_to_datetime(text)
        return _clamp((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def from_value(value: object) -> float | None:
    """Seconds by a field of a body: a number, or text such as `34` or `34s`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # Not-a-number compares false with everything, and so falls out here.
        return _clamp(min(value, LONGEST)) if value >= 0 else None
    if isinstance(value, str):
        found = _SECONDS.fullmatch(value.strip())
        return _clamp(float(found.group(1))) if found else None
    return None


def until_date(message: str, now: float) -> float | None:
    """Seconds until the date in a message (`… regain access on 2026-12-01 at 00:00 UTC`)."""
    found = _DATE.search(message)
    if found is None:
        return None
    year, month, day, hour, minute = (int(part or 0) for part in found.groups())
    try:
        return _clamp(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def until_next_month(now: float) -> float:
    """Seconds until 00:00 UTC on the first of the next month, when monthly limits start anew."""
    today = datetime.fromtimestamp(now, UTC)
    first = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return _clamp(first.timestamp() - now)


def _clamp(seconds: float) -> float:
    return min(max(float(seconds), 0.0), LONGEST)
