"""What is said of rate limits, in no vendor's words: what is left, what a request takes, what it
lacked.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Allowance", "Level", "Shortage", "Unit", "Weight"]


class Unit(StrEnum):
    """What is counted. OpenAI counts tokens of both kinds together, Anthropic each by itself."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


class Level(msgspec.Struct, frozen=True):
    """A limit a minute, what is left of it, and in how many seconds all of it is there again."""

    limit: float
    left: float
    full_in: float


class Allowance(msgspec.Struct, frozen=True):
    """What a key is told, at `now` (Unix seconds)."""

    now: float
    requests: Level
    tokens: Level
    input_tokens: Level
    output_tokens: Level


class Weight(msgspec.Struct, frozen=True):
    """So much of a unit must be there for a request; `is_taken`: and is used up by it at once."""

    unit: Unit
    amount: float
    is_taken: bool = True


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request is over a limit. `wait`: seconds until it would not be, infinity for never."""

    unit: Unit
    limit: float
    used: float
    asked: float
    wait: float
