"""What incident.io's own pages are drawn from: `/proxy/<host>`.

It is not documented, but it is complete: every component, and which of them are affected. What is
not affected is operational; so an entry of `affected_components` that does not say whom it means
leaves every other component unknown.
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

_AFFECTED = Each(Table({"component_id": Key(TEXT), "status": Key(frozenset(STATES))}))
OUTLINE = Table(
    {
        "summary": Key(
            Table(
                {
                    "name": Key(TEXT),
                    "components": Key(Each(Table({"id": Key(TEXT), "name": Key(TEXT)}))),
                    "affected_components": Key(_AFFECTED),
                    "ongoing_incidents": Key(
                        Each(
                            Table(
                                {
                                    "name": Key(TEXT),
                                    "status": Key(
                                        frozenset(
                                            {
                                                "investigating",
                                                "identified",
                                                "monitoring",
                                                "maintenance_in_progress",
                                            }
                                        )
                                    ),
                                    "published_at": Key(TEXT, needed=False),
                                    "affected_components": Key(
                                        Each(Table({"component_id": Key(TEXT)})), needed=False
                                    ),
                                }
                            )
                        )
                    ),
                }
            )
        )
    }
)


class _Named(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Affected(msgspec.Struct):
    component_id: str = ""
    status: str | None = None


class _Update(msgspec.Struct):
    published_at: Any = None


class _Incident(msgspec.Struct):
    name: str = ""
    status: str | None = None
    published_at: Any = None
    affected_components: list[_Affected] | None = None
    updates: list[_Update] | None = None


class _Summary(msgspec.Struct):
    components: list[_Named]
    affected_components: list[_Affected]
    name: str = ""
    ongoing_incidents: list[_Incident] | None = None


class _Feed(msgspec.Struct):
    summary: _Summary


_DECODER = msgspec.json.Decoder(_Feed)


def read(body: bytes, now_wall: float) -> Report:
    """What the feed says. `now_wall` (Unix seconds) decides nothing here.

    Raises:
        UnreadablePageError: it is no such feed.
    """
    summary = decode(body, _DECODER).summary
    components = _components(summary)
    if not components:
        overall = State.UNKNOWN
    else:
        overall = worst(component.state for component in components.values())
    incidents = summary.ongoing_incidents
    return Report(
        shape=Shape.NATIVE,
        page=summary.name,
        overall=overall,
        components=tuple(components.values()),
        incidents=None
        if incidents is None
        else tuple(_read_incident(one, components) for one in incidents),
        updated_at=None,
    )


def _components(summary: _Summary) -> dict[str, Component]:
    """Every component by its id; those without one, and unlisted ones that are affected, too."""
    said: dict[str, list[str]] = {}
    for one in summary.affected_components:
        said.setdefault(one.component_id, []).append(one.status or "")
    silence = State.UNKNOWN if "" in said else State.OPERATIONAL
    names = {one.id: one.name for one in summary.components}
    found: dict[str, Component] = {}
    for component_id in (*names, *said):
        words = said.get(component_id, [])
        if not component_id:
            state = State.UNKNOWN  # Nothing can be looked up of it.
        elif words:
            state = worst(map(state_of, words))
        else:
            state = silence
        found[component_id] = Component(
            id=component_id,
            name=names.get(component_id, ""),
            state=state,
            raw=", ".join(dict.fromkeys(words)),
        )
    return found


def _read_incident(incident: _Incident, components: dict[str, Component]) -> Incident:
    affected = incident.affected_components
    known = None
    if affected is not None:
        known = tuple(
            components.get(one.component_id)
            or Component(id=one.component_id, name="", state=State.UNKNOWN, raw="")
            for one in affected
        )
    times = [time_of(one.published_at) for one in incident.updates or ()]
    return Incident(
        name=incident.name,
        stage=stage_of(incident.status),
        impact=worst(component.state for component in known or ()),
        started_at=time_of(incident.published_at),
        updated_at=max((time for time in times if time is not None), default=None),
        affected=known,
    )
