"""Rate limits: what a vendor says is left of them, what a request needs of them, what we know."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Level", "Need", "Quota", "Unit"]


class Unit(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    #: Of prompt and answer together.
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


class Quota(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One limit as the headers of an answer tell it.

    `limit` is None where only the rest is told. `full_in`: seconds until all of it is there again,
    as told. `rounding`: `remaining` is told to the nearest multiple of it, 0 if exactly.
    """

    unit: Unit
    limit: float | None
    remaining: float
    full_in: float | None = None
    rounding: float = 0.0


class Need(msgspec.Struct, frozen=True, gc=False):
    """Tokens that a request needs, or that it has used.

    Needed: an estimate of the prompt, and the most that the answer may be. Used: what the vendor
    counts towards its limits (at Anthropic not what was read from its cache), as its usage tells.
    """

    input: float
    output: float


class Level(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One limit as it is thought to stand now.

    `age`: seconds since a vendor told of it; None for a limit that was learned from refusals.
    """

    unit: Unit
    limit: float
    left: float
    age: float | None
