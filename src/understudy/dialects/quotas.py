"""What callers are told of their limits, in the headers that each vendor's clients know.

The same that `understudy.providers.quotas` reads; the sources are named there. Anthropic tells
when a limit will be whole again, as an RFC 3339 time; OpenAI in how long, as Go writes durations.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from types import MappingProxyType
from typing import Final

from understudy.core.quota import Quota, Unit

__all__ = ["anthropic_lines", "openai_lines"]

#: Their words for a unit.
_ANTHROPIC: Final = MappingProxyType(
    {unit: f"anthropic-ratelimit-{unit.value.replace('_', '-')}" for unit in Unit}
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC; without saying so it is quicker
_OPENAI: Final = MappingProxyType({unit: unit.value for unit in Unit})


def anthropic_lines(quotas: Iterable[Quota], now: float) -> str:
    """Header lines. `now`: Unix seconds."""
    lines = ""
    for quota in quotas:
        name = _ANTHROPIC[quota.unit]
        whole_at = _EPOCH + timedelta(0, ceil(now + (quota.full_in or 0.0)))
        lines += (
            f"{name}-limit: {int(quota.limit or 0.0)}\r\n"
            f"{name}-remaining: {int(quota.remaining)}\r\n"
            f"{name}-reset: {whole_at.isoformat()}Z\r\n"
        )
    return lines


def openai_lines(quotas: Iterable[Quota], now: float) -> str:
    """Header lines. `now` is not needed: times are told from the answer on."""
    lines = ""
    for quota in quotas:
        name = _OPENAI[quota.unit]
        lines += (
            f"x-ratelimit-limit-{name}: {int(quota.limit or 0.0)}\r\n"
            f"x-ratelimit-remaining-{name}: {int(quota.remaining)}\r\n"
            f"x-ratelimit-reset-{name}: {_duration(quota.full_in or 0.0)}\r\n"
        )
    return lines


def _duration(seconds: float) -> str:
    """As Go's `time.Duration` writes one: `12ms`, `1.5s`, `6m0s`, `1h0m0s`."""
    thousandths = ceil(seconds * 1000.0)
    if thousandths < 1_000:
        return f"{thousandths}ms"
    minutes, rest = divmod(thousandths, 60_000)
    if not minutes:
        return f"{rest / 1000.0:g}s"
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}h' if hours else ''}{minutes}m{rest / 1000.0:g}s"
