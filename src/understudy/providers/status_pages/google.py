"""Google Cloud's `incidents.json` (https://status.cloud.google.com/incidents.schema.json).

A list of incidents of the whole platform, past ones first of all, and no states of products: a
product is in the state that the latest update of an open incident gives it, and well otherwise. An
incident is open until it has an `end`. The latest update's word counts, not `status_impact`, which
is the worst there was: on an incident that is over, or whose `end` is missing by mistake, the word
is AVAILABLE.

The list is never empty, since it holds the past: one that is empty says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from understudy.providers.status_pages.outline import TEXT, Each, Key, Table
from understudy.providers.status_pages.report import (
    Component,
    Incident,
    Report,
    Shape,
    State,
    UnreadablePageError,
    worst,
)
from understudy.providers.status_pages.wire import decode, time_of

__all__ = ["OUTLINE", "read"]

_STATES: Mapping[str, State] = MappingProxyType(
    {
        "AVAILABLE": State.OPERATIONAL,
        "SERVICE_INFORMATION": State.DEGRADED,
        "SERVICE_DISRUPTION": State.PARTIAL_OUTAGE,
        "SERVICE_OUTAGE": State.MAJOR_OUTAGE,
    }
)

OUTLINE = Each(
    Table(
        {
            "id": Key(TEXT),
            "begin": Key(TEXT),
            "end": Key(TEXT, needed=False, null=True),
            "modified": Key(TEXT),
            "external_desc": Key(TEXT),
            "affected_products": Key(Each(Table({"id": Key(TEXT), "title": Key(TEXT)}))),
            "most_recent_update": Key(Table({"status": Key(frozenset(_STATES))})),
        }
    )
)


class _Product(msgspec.Struct):
    id: str = ""
    title: str = ""
    current_title: str = ""


class _Update(msgspec.Struct):
    status: str | None = None


class _Incident(msgspec.Struct):
    id: str
    external_desc: str = ""
    begin: Any = None
    end: str | None = None
    modified: Any = None
    affected_products: list[_Product] | None = None
    most_recent_update: _Update | None = None


_DECODER = msgspec.json.Decoder(list[_Incident])


def read(body: bytes, now_wall: float) -> Report:
    """What the list says at `now_wall` (Unix seconds): an `end` in the future is not reached.

    Raises:
        UnreadablePageError: it is no such list, or empty, or holds an `end` that is no time.
    """
    listed = decode(body, _DECODER)
    if not listed:
        raise UnreadablePageError("lists no incident, not even past ones")
    incidents = [_read_incident(one) for one in listed if not _is_over(one, now_wall)]
    changes = [time_of(one.modified) for one in listed]
    return Report(
        shape=Shape.GOOGLE,
        page="Google Cloud",
        overall=worst(one.impact for one in incidents) if incidents else State.OPERATIONAL,
        components=_components(incidents),
        incidents=tuple(incidents),
        updated_at=max((time for time in changes if time is not None), default=None),
    )


def _is_over(incident: _Incident, now_wall: float) -> bool:
    if not incident.end:
        return False
    end = time_of(incident.end)
    if end is None:
        raise UnreadablePageError("holds an incident whose `end` is no time")
    return end <= now_wall


def _components(incidents: list[Incident]) -> tuple[Component, ...]:
    """Affected products, each once; nameless where an incident does not say which."""
    found: dict[tuple[str, str], list[Component]] = {}
    for incident in incidents:
        nobody = Component(id="", name="", state=incident.impact, raw="")
        for product in incident.affected or (nobody,):
            found.setdefault((product.id, product.name), []).append(product)
    return tuple(
        Component(
            id=product_id,
            name=name,
            state=worst(product.state for product in same),
            raw=", ".join(dict.fromkeys(product.raw for product in same)),
        )
        for (product_id, name), same in found.items()
    )


def _read_incident(incident: _Incident) -> Incident:
    update = incident.most_recent_update
    raw = (update.status if update else None) or ""
    state = _STATES.get(raw, State.UNKNOWN)
    products = incident.affected_products
    return Incident(
        name=incident.external_desc,
        stage="monitoring" if state is State.OPERATIONAL else "unknown",
        impact=state,
        started_at=time_of(incident.begin),
        updated_at=time_of(incident.modified),
        affected=None
        if products is None
        else tuple(
            Component(id=one.id, name=one.current_title or one.title, state=state, raw=raw)
            for one in products
        ),
    )
