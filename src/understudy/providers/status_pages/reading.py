"""Reads a status page, whichever engine made it, and says in what it has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from understudy.providers.status_pages import compatible, google, native, statuspage, widget
from understudy.providers.status_pages.outline import Outline, differences
from understudy.providers.status_pages.report import Report, Shape, UnreadablePageError
from understudy.providers.status_pages.wire import decode

__all__ = ["drift", "read_page"]

_READERS: Mapping[Shape, Callable[[bytes, float], Report]] = MappingProxyType(
    {
        Shape.STATUSPAGE: statuspage.read,
        Shape.COMPATIBLE: compatible.read,
        Shape.NATIVE: native.read,
        Shape.WIDGET: widget.read,
        Shape.GOOGLE: google.read,
    }
)
_OUTLINES: Mapping[Shape, Outline] = MappingProxyType(
    {
        Shape.STATUSPAGE: statuspage.OUTLINE,
        Shape.COMPATIBLE: compatible.OUTLINE,
        Shape.NATIVE: native.OUTLINE,
        Shape.WIDGET: widget.OUTLINE,
        Shape.GOOGLE: google.OUTLINE,
    }
)
_ANYTHING = msgspec.json.Decoder()


def read_page(shape: Shape | None, body: bytes, now_wall: float) -> Report:
    """What a page says at `now_wall` (Unix seconds). `shape` None: told by its keys.

    Raises:
        UnreadablePageError: it is no page of that shape, or of none that is known.
    """
    if shape is None:
        shape = _guess(decode(body, _ANYTHING))
        if shape is None:
            raise UnreadablePageError("is JSON, but no status page of a known engine")
    return _READERS[shape](body, now_wall)


def drift(body: bytes, shape: Shape | None = None) -> tuple[str, ...]:
    """In what a page differs from what its reader was written for: `()` is in nothing.

    A key that is missing, a value of another type, a new word where words are few; each once, with
    its path, twenty at most. A page with differences may still be readable.
    """
    try:
        value = decode(body, _ANYTHING)
    except UnreadablePageError as error:
        return (f"the page: {error.reason}",)
    if shape is None:
        shape = _guess(value)
    if shape is None:
        return ("the page: JSON, but of no known engine",)
    return differences(value, _OUTLINES[shape])


def _guess(value: object) -> Shape | None:
    if isinstance(value, list):
        return Shape.GOOGLE
    if not isinstance(value, dict):
        return None
    if "page" in value:
        page = value["page"]
        made_by_incident_io = isinstance(page, dict) and compatible.is_ulid(page.get("id"))
        return Shape.COMPATIBLE if made_by_incident_io else Shape.STATUSPAGE
    if "summary" in value:
        return Shape.NATIVE
    if "ongoing_incidents" in value or "in_progress_maintenances" in value:
        return Shape.WIDGET
    return None
