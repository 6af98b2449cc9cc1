"""incident.io's feed in the shape of Statuspage's: `/api/v2/summary.json`, ids that are ULIDs.

Less is in it than in Statuspage's own. There are no maintenances; `incidents` is left out when
there are none; an incident names no components and has no `started_at`. And the list of components
is cut off: of status.openai.com's, which has more, it has shown 25, not always the same ones. So
what is not listed may be broken all the same; see `understudy.providers.status_pages.verdict`.
"""

from __future__ import annotations

import re

from understudy.providers.status_pages.outline import TEXT, Each, Key, Table
from understudy.providers.status_pages.report import Report, Shape
from understudy.providers.status_pages.statuspage import read_summary
from understudy.providers.status_pages.wire import IMPACTS, STATES

__all__ = ["OUTLINE", "is_ulid", "read"]

# https://github.com/ulid/spec: Crockford's base 32.
_ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)

OUTLINE = Table(
    {
        "page": Key(Table({"id": Key(TEXT), "name": Key(TEXT), "updated_at": Key(TEXT)})),
        "status": Key(Table({"indicator": Key(frozenset(IMPACTS))})),
        "components": Key(
            Each(Table({"id": Key(TEXT), "name": Key(TEXT), "status": Key(frozenset(STATES))}))
        ),
        "incidents": Key(
            Each(
                Table(
                    {
                        "name": Key(TEXT),
                        "status": Key(
                            frozenset({"investigating", "identified", "monitoring", "resolved"})
                        ),
                        "impact": Key(frozenset(IMPACTS)),
                        "updated_at": Key(TEXT),
                    }
                )
            ),
            needed=False,
        ),
    }
)


def is_ulid(text: object) -> bool:
    """Whether `text` is an id such as incident.io's."""
    return isinstance(text, str) and _ULID.fullmatch(text) is not None


def read(body: bytes, now_wall: float) -> Report:
    """What a summary says. `now_wall` (Unix seconds) decides nothing here.

    Raises:
        UnreadablePageError: it is no summary.
    """
    return read_summary(body, Shape.COMPATIBLE)
