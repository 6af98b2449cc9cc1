"""Where jobs are kept: SQLite for one process, PostgreSQL for many, memory to try things out."""

from understudy.core.store_place import StorePlace, parse_store_url
from understudy.store.opening import open_store

__all__ = ["StorePlace", "open_store", "parse_store_url"]
