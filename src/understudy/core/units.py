"""Durations (`500ms`, `10s`, `5m`, `2h`) and sizes (`32MB`) as people write them.

Strict on purpose: a whole number and a unit, nothing between them. A bare `10` could mean seconds
or milliseconds, and a guess here becomes an outage later.
"""

from __future__ import annotations

import re

__all__ = [
    "DURATION_PATTERN",
    "format_duration",
    "parse_duration",
    "parse_size",
]

#: What `parse_duration` reads, as an (ECMA-262 and Python) regular expression.
DURATION_PATTERN = "^([0-9]{1,9})(ms|s|m|h)$"

_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}

_SIZE = re.compile(r"([0-9]{1,9})(B|[KMG]B|[KMG]iB)", re.ASCII)
# SI prefixes count in thousands, IEC 80000-13 prefixes in 1,024s.
_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}


def parse_duration(text: str) -> float:
    """Seconds in `500ms`, `10s`, `5m` or `2h`.

    Raises:
        ValueError: for anything else; its text says what is missing and never repeats the input.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        if text.isascii() and text.isdigit():
            raise ValueError("a number without a unit (ms, s, m or h)")
        raise ValueError("not a duration")
    return int(match[1]) * _MILLISECONDS[match[2]] / 1000


def format_duration(seconds: float) -> str:
    """A duration as `parse_duration` reads it, to the millisecond.

    Minutes from five on and hours from two on, because `90s` and `120s` sit better side by side
    than `90s` and `2m`.
    """
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    if milliseconds >= 2 * 3_600_000 and milliseconds % 3_600_000 == 0:
        return f"{milliseconds // 3_600_000}h"
    if milliseconds >= 5 * 60_000 and milliseconds % 60_000 == 0:
        return f"{milliseconds // 60_000}m"
    return f"{milliseconds // 1000}s"


def parse_size(text: str) -> int:
    """Bytes in `512B`, `64KB`, `32MB`, `1GB` (thousands) or `64KiB`, `32MiB`, `1GiB` (1,024s).

    Raises:
        ValueError: for anything else; its text says what is missing and never repeats the input.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        if text.isascii() and text.isdigit():
            raise ValueError("a number without a unit (B, KB, MB, GB, KiB, MiB or GiB)")
        raise ValueError("not a size")
    return int(match[1]) * _BYTES[match[2]]
