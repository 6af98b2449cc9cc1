"""What became of an attempt and of a request: the only thing that readers of the path read."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from understudy.core.conversation import Usage
from understudy.core.faults import Fault

__all__ = ["Attempt", "Record", "RequestOutcome", "Result"]


class Result(StrEnum):
    """How one attempt ended."""

    CONTENT = "content"
    FAULT = "fault"
    #: Given up by us for another target (a lost hedge, a deadline).
    ABANDONED = "abandoned"
    #: The caller left.
    CANCELLED = "cancelled"


class RequestOutcome(StrEnum):
    """How a whole request ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEFERRED = "deferred"
    CANCELLED = "cancelled"


class Attempt(msgspec.Struct, gc=False):
    """One attempt at one target. Times are milliseconds after `started_at` (RFC 3339, UTC)."""

    target: str
    account: str
    tier: str
    why: str
    started_at: float
    first_content_ms: float | None = None
    ended_ms: float | None = None
    result: Result | None = None
    fault: Fault | None = None
    from_char: int = 0
    usage: Usage | None = None
    #: Its first content came far later than its target's usually does.
    late: bool = False


class Record(msgspec.Struct, gc=False):
    """The journal of one request. Never a prompt, an answer or a key."""

    id: str
    feature: str
    tenant: str | None
    caller: str | None
    #: Unix seconds.
    started_at: float
    ended_at: float | None = None
    outcome: RequestOutcome | None = None
    attempts: list[Attempt] = []
