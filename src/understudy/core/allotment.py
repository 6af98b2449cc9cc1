"""What callers and tenants may use: requests and tokens a minute, requests at once."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

__all__ = [
    "UNLIMITED",
    "Allotment",
    "Holder",
    "Limit",
    "Limited",
    "Shortage",
    "Taken",
    "caller_key",
    "is_caller",
    "tenant_key",
]

#: Longer names are kept as digests: callers may name tenants, in as many characters as they like.
_LONGEST = 64


class Limit(StrEnum):
    """What of an allotment is used up."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller, or one tenant, may use. None: as much as it likes."""

    #: A minute.
    requests: int | None = None
    #: Of prompts and answers together, a minute.
    tokens: int | None = None
    #: Requests under way at once.
    concurrency: int | None = None


UNLIMITED = Allotment()


class Holder(msgspec.Struct, frozen=True):
    """Whose an allotment is: `caller:NAME` or `tenant:NAME`."""

    key: str
    allotment: Allotment


class Shortage(msgspec.Struct, frozen=True):
    """Why a request is not let in: `most` is what the holder may use of `limit`, and `wait` the
    seconds until there is room. Nobody knows when a request under way ends: there it is a guess.
    """

    key: str
    limit: Limit
    most: int
    wait: float


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """A holder that was refused lately, and how it stands, for views. None: no such limit."""

    key: str
    #: What it was refused by, and how many seconds ago.
    limit: Limit
    ago: float
    requests_left: int | None
    tokens_left: int | None
    #: Of all processes, as far as is known.
    under_way: int


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """What one process tells the others of one holder.

    `requests` and `tokens` have been taken since it last told; tokens are below zero where more is
    given back. `running` are its requests under way. `requests_left` and `tokens_left` are what is
    left as far as it knows, None where that is not limited.
    """

    key: str
    requests: int
    tokens: int
    running: int
    requests_left: int | None
    tokens_left: int | None


def caller_key(name: str) -> str:
    """The key of a caller as a holder."""
    return f"caller:{name}"


def tenant_key(name: str) -> str:
    """The key of a tenant as a holder."""
    if len(name) <= _LONGEST:
        return f"tenant:{name}"
    return f"tenant:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def is_caller(key: str) -> bool:
    """Whether it is a caller's, and no tenant's."""
    return key.startswith("caller:")
