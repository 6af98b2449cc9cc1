"""What the engines' feeds have in common: JSON, words for states, times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import msgspec

from understudy.providers.status_pages.report import State, UnreadablePageError

__all__ = ["IMPACTS", "STAGES", "STATES", "decode", "impact_of", "stage_of", "state_of", "time_of"]

T = TypeVar("T")

#: Words for a component's state: Statuspage's (https://metastatuspage.com/api) and incident.io's,
#: whose worst is `full_outage` (https://docs.incident.io/api-reference/status-page-incidents-v2).
STATES: Mapping[str, State] = MappingProxyType(
    {
        "operational": State.OPERATIONAL,
        "degraded_performance": State.DEGRADED,
        "partial_outage": State.PARTIAL_OUTAGE,
        "major_outage": State.MAJOR_OUTAGE,
        "full_outage": State.MAJOR_OUTAGE,
        "under_maintenance": State.MAINTENANCE,
    }
)
#: Words for a whole page's state and for an incident's impact.
IMPACTS: Mapping[str, State] = MappingProxyType(
    {
        "none": State.OPERATIONAL,
        "minor": State.DEGRADED,
        "major": State.PARTIAL_OUTAGE,
        "critical": State.MAJOR_OUTAGE,
        "maintenance": State.MAINTENANCE,
    }
)
#: Words for how far an incident has come, without those by which it is over or not begun.
STAGES: Mapping[str, str] = MappingProxyType(
    {
        "investigating": "investigating",
        "identified": "identified",
        "monitoring": "monitoring",
        "in_progress": "maintenance",
        "verifying": "maintenance",
        "maintenance_in_progress": "maintenance",
    }
)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as the decoder's type.

    Raises:
        UnreadablePageError: it is not.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # Its text names types and keys of ours, and holds nothing of the body.
        raise UnreadablePageError(f"is not of its shape: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        start = body[:256].lstrip()
        if not start:
            reason = "is empty"
        elif start.startswith(b"<"):
            reason = "is HTML or XML, not JSON"
        else:
            reason = "is not JSON"
        raise UnreadablePageError(reason) from None


def state_of(raw: str | None) -> State:
    """A component's state; unknown for a word that is missing or new."""
    return STATES.get(raw or "", State.UNKNOWN)


def impact_of(raw: str | None) -> State:
    """A page's or an incident's state; unknown for a word that is missing or new."""
    return IMPACTS.get(raw or "", State.UNKNOWN)


def stage_of(raw: str | None) -> str:
    """How far an incident has come; `unknown` for a word that is missing or new."""
    return STAGES.get(raw or "", "unknown")


def time_of(value: object) -> float | None:
    """Unix seconds of an ISO 8601 text with an offset; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None
