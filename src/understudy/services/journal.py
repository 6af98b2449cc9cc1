"""What happened to each recent request, and why: kept in memory, never a prompt, answer or key."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import islice

from understudy.core.faults import Fault, Kind
from understudy.core.outcomes import Attempt, Record

__all__ = ["KEPT", "Journal", "fault_view", "milliseconds", "moment", "record_view"]

#: Requests remembered (about 1 KB each).
KEPT = 10_000

#: A provider's words about the request itself may quote it, so these kinds are journalled without
#: them, and in these words of ours.
_IN_THEIR_PLACE = {
    Kind.CALLER: "the provider rejected the request as invalid",
    Kind.ADAPTABLE: "the request does not fit this target",
    Kind.REFUSED: "the provider declined the request",
    Kind.DEGRADED: "the answer failed its checks",
    Kind.INTERNAL: "a fault of Understudy's own",
}


class Journal:
    """A ring of records by request id."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._records: dict[str, Record] = {}
        # A plain dict finds its first key slowly once many before it are gone.
        self._order: deque[Record] = deque()

    def open(self, record: Record) -> None:
        """A request begins. Its record is changed in place until it ends."""
        self._records[record.id] = record
        self._order.append(record)
        if len(self._order) > self._kept:
            del self._records[self._order.popleft().id]

    def find(self, request_id: str) -> Record | None:
        """The record of a request, if it is remembered."""
        return self._records.get(request_id)

    def recent(self, count: int) -> list[Record]:
        """The last requests, newest first."""
        return list(islice(reversed(self._order), count))


def record_view(record: Record) -> dict[str, object]:
    """The record as `GET /v1/requests/{id}` shows it."""
    return {
        "id": record.id,
        "feature": record.feature,
        "tenant": record.tenant,
        "caller": record.caller,
        "started_at": moment(record.started_at),
        "ended_at": moment(record.ended_at),
        "outcome": record.outcome,
        "attempts": [_attempt_view(attempt) for attempt in record.attempts],
    }


def milliseconds(value: float | None) -> float | None:
    """Milliseconds as people read them: to the microsecond."""
    return None if value is None else round(value, 3)


def fault_view(fault: Fault | None) -> dict[str, object] | None:
    """A fault as the journal shows it."""
    if fault is None:
        return None
    return {
        "kind": fault.kind,
        "scope": fault.scope,
        "status": fault.status,
        "code": fault.code,
        "message": _IN_THEIR_PLACE.get(fault.kind, fault.message),
        "retry_after": fault.retry_after,
    }


def _attempt_view(attempt: Attempt) -> dict[str, object]:
    return {
        "target": attempt.target,
        "account": attempt.account,
        "tier": attempt.tier,
        "why": attempt.why,
        "started_at": moment(attempt.started_at),
        "first_content_ms": milliseconds(attempt.first_content_ms),
        "ended_ms": milliseconds(attempt.ended_ms),
        "result": attempt.result,
        "fault": fault_view(attempt.fault),
        "from_char": attempt.from_char,
    }


def moment(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 writes them, in UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
