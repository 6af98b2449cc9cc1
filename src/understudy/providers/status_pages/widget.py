"""incident.io's Widget API: `/api/v1/summary` (https://docs.incident.io/status-pages/widget-api).

It tells only of what goes on now: components are known by the incidents and maintenances that
affect them, and the page's state is the worst of those. Where both lists are empty, all is well;
where one of them is missing, nothing is known.
"""

from __future__ import annotations

from typing import Any

import msgspec

from understudy.providers.status_pages.outline import TEXT, Each, Key, Table
from understudy.providers.status_pages.report import (
    Component,
    Incident,
    Report,
    Shape,
    State,
    worst,
)
from understudy.providers.status_pages.wire import STATES, decode, stage_of, state_of, time_of

__all__ = ["OUTLINE", "read"]

_EVENT = {
    "name": Key(TEXT),
    "last_update_at": Key(TEXT, needed=False, null=True),
    "affected_components": Key(
        Each(Table({"id": Key(TEXT), "name": Key(TEXT), "current_status": Key(frozenset(STATES))}))
    ),
}
OUTLINE = Table(
    {
        "page_title": Key(TEXT, needed=False),
        "ongoing_incidents": Key(
            Each(
                Table(
                    {
                        **_EVENT,
                        "status": Key(
                            frozenset({"investigating", "identified", "monitoring", "resolved"})
                        ),
                        "current_worst_impact": Key(frozenset(STATES)),
                    }
                )
            )
        ),
        "in_progress_maintenances": Key(
            Each(Table({**_EVENT, "status": Key(frozenset({"maintenance_in_progress"}))}))
        ),
    }
)


class _Component(msgspec.Struct):
    id: str = ""
    name: str = ""
    current_status: str | None = None


class _Event(msgspec.Struct):
    name: str = ""
    status: str | None = None
    current_worst_impact: str | None = None
    started_at: Any = None
    last_update_at: Any = None
    affected_components: list[_Component] | None = None


class _Summary(msgspec.Struct):
    ongoing_incidents: list[_Event]
    in_progress_maintenances: list[_Event]
    page_title: str = ""


_DECODER = msgspec.json.Decoder(_Summary)


def read(body: bytes, now_wall: float) -> Report:
    """What the API says. `now_wall` (Unix seconds) decides nothing here.

    Raises:
        UnreadablePageError: it is no such answer.
    """
    summary = decode(body, _DECODER)
    listed = [(one, state_of(one.current_worst_impact)) for one in summary.ongoing_incidents]
    listed += [(one, State.MAINTENANCE) for one in summary.in_progress_maintenances]
    events = [_read_event(one, impact) for one, impact in listed]
    return Report(
        shape=Shape.WIDGET,
        page=summary.page_title,
        # Of an incident that is over, too: what is said is said of now.
        overall=worst(event.impact for event in events) if events else State.OPERATIONAL,
        components=_components(events),
        incidents=tuple(
            event
            for event, (one, _) in zip(events, listed, strict=True)
            if one.status != "resolved"
        ),
        updated_at=None,
    )


def _components(events: list[Incident]) -> tuple[Component, ...]:
    """Whatever is affected, each as often as it is named; nameless where an event does not say."""
    found: list[Component] = []
    for event in events:
        if event.affected is None:
            found.append(Component(id="", name="", state=event.impact, raw=""))
        else:
            found += event.affected
    return tuple(found)


def _read_event(event: _Event, impact: State) -> Incident:
    affected = event.affected_components
    return Incident(
        name=event.name,
        stage=stage_of(event.status),
        impact=impact,
        started_at=time_of(event.started_at),
        updated_at=time_of(event.last_update_at),
        affected=None
        if affected is None
        else tuple(
            Component(
                id=one.id,
                name=one.name,
                state=state_of(one.current_status),
                raw=one.current_status or "",
            )
            for one in affected
        ),
    )
