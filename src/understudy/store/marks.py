"""Operators' words, one row a node: the latest stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from understudy.ports import Mark
from understudy.store.schema import pulls

__all__ = ["keep_marks", "list_marks"]

_LIST: Final = select(pulls).order_by(pulls.c.node)


def _upsert(insert: Any) -> Any:
    """Replaces what is earlier. `ON CONFLICT` is each engine's own in SQLAlchemy."""
    given = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[pulls.c.node],
        set_={"at": given.at, "by": given.by, "reason": given.reason},
        where=given.at > pulls.c.at,
    )


_KEEP: Final = {
    "sqlite": _upsert(sqlite.insert(pulls)),
    "postgresql": _upsert(postgresql.insert(pulls)),
}


def list_marks(connection: Connection) -> list[Mark]:
    """Every word that is kept."""
    rows = connection.execute(_LIST).mappings()
    return [Mark(**{field: row[field] for field in Mark.__struct_fields__}) for row in rows]


def keep_marks(connection: Connection, marks: Sequence[Mark]) -> None:
    """Keep what is later than what is kept, in order of node: see `writers` on locks."""
    if marks:
        rows = [asdict(mark) for mark in sorted(marks, key=lambda mark: (mark.node, mark.at))]
        connection.execute(_KEEP[connection.dialect.name], rows)
