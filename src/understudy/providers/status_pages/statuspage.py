"""Atlassian Statuspage v2: `/api/v2/summary.json` (https://metastatuspage.com/api).

status.claude.com is such a page. A component's own status is what counts for it: an incident is
often linked to every component of a page, whichever of them it broke.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from understudy.providers.status_pages.outline import TEXT, Each, Key, Table
from understudy.providers.status_pages.report import Component, Incident, Report, Shape
from understudy.providers.status_pages.wire import (
    IMPACTS,
    STATES,
    decode,
    impact_of,
    stage_of,
    state_of,
    time_of,
)

__all__ = ["OUTLINE", "read", "read_summary"]

#: Stages of what is over, or has not begun.
_CLOSED = frozenset({"resolved", "postmortem", "scheduled", "completed"})
_UNDER_WAY = frozenset({"in_progress", "verifying"})

_COMPONENTS = Each(
    Table({"id": Key(TEXT), "name": Key(TEXT), "status": Key(frozenset(STATES) - {"full_outage"})})
)
_INCIDENT = {
    "name": Key(TEXT),
    "impact": Key(frozenset(IMPACTS)),
    "started_at": Key(TEXT, needed=False, null=True),
    "created_at": Key(TEXT),
    "updated_at": Key(TEXT, null=True),
    "components": Key(_COMPONENTS),
}
OUTLINE = Table(
    {
        "page": Key(Table({"id": Key(TEXT), "name": Key(TEXT), "updated_at": Key(TEXT)})),
        "status": Key(Table({"indicator": Key(frozenset(IMPACTS))})),
        "components": Key(_COMPONENTS),
        "incidents": Key(
            Each(
                Table(
                    {
                        **_INCIDENT,
                        "status": Key(
                            frozenset(
                                {
                                    "investigating",
                                    "identified",
                                    "monitoring",
                                    "resolved",
                                    "postmortem",
                                }
                            )
                        ),
                    }
                )
            )
        ),
        "scheduled_maintenances": Key(
            Each(
                Table(
                    {
                        **_INCIDENT,
                        "status": Key(
                            frozenset({"scheduled", "in_progress", "verifying", "completed"})
                        ),
                    }
                )
            )
        ),
    }
)


class _Page(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    name: str = ""
    updated_at: Any = None


class _Status(msgspec.Struct):
    indicator: str | None = None


class _Component(msgspec.Struct):
    id: str = ""
    name: str = ""
    status: str | None = None


class _Incident(msgspec.Struct):
    name: str = ""
    status: str | None = None
    impact: str | None = None
    created_at: Any = None
    started_at: Any = None
    updated_at: Any = None
    components: list[_Component] | None = None


class _Summary(msgspec.Struct):
    page: _Page
    components: list[_Component]
    status: _Status | None = None
    incidents: list[_Incident] | None = None
    scheduled_maintenances: list[_Incident] | None = None


_DECODER = msgspec.json.Decoder(_Summary)


def read(body: bytes, now_wall: float) -> Report:
    """What a summary says. `now_wall` (Unix seconds) decides nothing here.

    Raises:
        UnreadablePageError: it is no summary.
    """
    return read_summary(body, Shape.STATUSPAGE)


def read_summary(body: bytes, shape: Shape) -> Report:
    """What a summary says, Statuspage's own or one in its shape.

    Raises:
        UnreadablePageError: it is no summary.
    """
    summary = decode(body, _DECODER)
    incidents = summary.incidents
    under_way = [
        _read_incident(one)
        for one in summary.scheduled_maintenances or ()
        if one.status in _UNDER_WAY
    ]
    if incidents is not None:
        under_way += [_read_incident(one) for one in incidents if one.status not in _CLOSED]
    return Report(
        shape=shape,
        page=summary.page.name,
        overall=impact_of(summary.status.indicator if summary.status else None),
        components=tuple(map(_read_component, summary.components)),
        incidents=tuple(under_way) if under_way or incidents is not None else None,
        updated_at=time_of(summary.page.updated_at),
    )


def _read_component(component: _Component) -> Component:
    return Component(
        id=component.id,
        name=component.name,
        state=state_of(component.status),
        raw=component.status or "",
    )


def _read_incident(incident: _Incident) -> Incident:
    affected = incident.components
    return Incident(
        name=incident.name,
        stage=stage_of(incident.status),
        impact=impact_of(incident.impact),
        started_at=time_of(incident.started_at) or time_of(incident.created_at),
        updated_at=time_of(incident.updated_at),
        affected=None if affected is None else tuple(map(_read_component, affected)),
    )
