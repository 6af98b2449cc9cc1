"""What a status page says, in one vocabulary for every engine.

A page is a witness, not the truth: it is written by people, late, and by whoever has reason to
write little. So a report keeps what was said apart from what was not said, and each state beside
the page's own word for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

__all__ = ["Component", "Incident", "Report", "Shape", "State", "UnreadablePageError", "worst"]


class Shape(StrEnum):
    """The engines whose feeds can be read."""

    #: Atlassian Statuspage, `/api/v2/summary.json`.
    STATUSPAGE = "statuspage"
    #: incident.io's feed in the shape of Statuspage's, `/api/v2/summary.json`.
    COMPATIBLE = "compatible"
    #: What incident.io's pages are drawn from, `/proxy/<host>`.
    NATIVE = "native"
    #: incident.io's Widget API, `/api/v1/summary`.
    WIDGET = "widget"
    #: Google Cloud's `/incidents.json`.
    GOOGLE = "google"


class State(StrEnum):
    """How something is, by a page's word.

    `UNKNOWN` is a state of its own, neither well nor broken: whatever a page does not say, or says
    in a word that is new to us.
    """

    OPERATIONAL = "operational"
    MAINTENANCE = "maintenance"
    DEGRADED = "degraded"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    UNKNOWN = "unknown"


#: The worst first. That one thing is broken stands, whatever cannot be said of another; that all
#: is well does not.
_BY_WEIGHT = (
    State.MAJOR_OUTAGE,
    State.PARTIAL_OUTAGE,
    State.DEGRADED,
    State.UNKNOWN,
    State.MAINTENANCE,
    State.OPERATIONAL,
)


def worst(states: Iterable[State]) -> State:
    """The state of a whole whose parts are in `states`; unknown if there are none."""
    found = set(states)
    return next((state for state in _BY_WEIGHT if state in found), State.UNKNOWN)


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what a page reports on. `id` and `name` are empty where the page gives none.

    `raw` is the page's own word for the state, empty where it says none.
    """

    id: str
    name: str
    state: State
    raw: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An open incident, or a maintenance in progress. Times in Unix seconds."""

    name: str
    #: `investigating`, `identified`, `monitoring`, `maintenance`, or `unknown`.
    stage: str
    impact: State
    started_at: float | None
    updated_at: float | None
    #: The components that it names; None where the page does not say.
    affected: tuple[Component, ...] | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading of a page says."""

    shape: Shape
    page: str
    #: Of everything on the page. Where the engine states none, the worst that it lists.
    overall: State
    components: tuple[Component, ...]
    #: None where the page does not say whether there are any: that is not "none".
    incidents: tuple[Incident, ...] | None
    #: Unix seconds, by the page's own clock. When it was last *changed*, on some engines: a calm
    #: page may give a date of two months ago, so it is no measure of how fresh a reading is.
    updated_at: float | None


class UnreadablePageError(Exception):
    """A body is no status page of a known shape. `reason` says why, and quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
