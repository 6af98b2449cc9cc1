"""Opens the store that a configuration names, with its tables as this program needs them."""

from __future__ import annotations

from typing import Final

from understudy.core.store_place import MemoryPlace, StorePlace
from understudy.ports import JobStore
from understudy.store.memory import MemoryStore

__all__ = ["open_store"]

#: Seconds that PostgreSQL may take for one answer.
_PATIENCE: Final = 5.0


async def open_store(place: StorePlace, *, patience: float = _PATIENCE) -> JobStore:
    """The store there, ready. The running loop is the one to use it on.

    An engine that gives no answer for `patience` seconds is given up, and a call after twice as
    many, with what it waited for others.

    Raises:
        StoreLockedError: another process has the SQLite file.
        StoreNewerError: a newer program has changed the schema.
        StoreError: it can't be reached or read.
    """
    if isinstance(place, MemoryPlace):
        return MemoryStore()
    # Only where it is used: SQL brings libraries of its own.
    from understudy.store.sql_opening import open_sql_store  # noqa: PLC0415

    return await open_sql_store(place, patience)
