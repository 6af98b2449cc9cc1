"""Opens what a configuration names: its store, and the way to those who share it."""

from __future__ import annotations

from typing import Final

from understudy.core.store_place import MemoryPlace, PostgresPlace, StorePlace
from understudy.ports import Bulletin, Store
from understudy.store.memory import MemoryStore

__all__ = ["open_bulletin", "open_store"]

#: Seconds that PostgreSQL may take for one answer.
_PATIENCE: Final = 5.0


async def open_store(
    place: StorePlace, *, patience: float = _PATIENCE, early: bool = False
) -> Store:
    """The store there, ready. The running loop is the one to use it on.

    An engine that gives no answer for `patience` seconds is given up, and a call after twice as
    many, with what it waited for others. `early`: a server that is away is no error, only each call
    until it is there; what it will not be there by itself for is one.

    Raises:
        StoreLockedError: another process has the SQLite file.
        StoreNewerError: a newer program has changed the schema.
        StoreError: it can't be reached or read.
    """
    if isinstance(place, MemoryPlace):
        return MemoryStore()
    # Only where it is used: SQL brings libraries of its own.
    from understudy.store.sql_opening import open_sql_store  # noqa: PLC0415

    return await open_sql_store(place, patience, early=early)


def open_bulletin(place: StorePlace) -> Bulletin | None:
    """What carries words between the processes that share a place; None: one alone can use it.

    It begins at once, and need not be reached to begin with. The running loop hears it.
    """
    if not isinstance(place, PostgresPlace):
        return None
    from understudy.store.bulletin import PostgresBulletin  # noqa: PLC0415 - as above

    return PostgresBulletin(place)
