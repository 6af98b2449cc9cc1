"""Where jobs and pulls are kept: SQLite for one process, PostgreSQL for many, memory for trials."""

from understudy.core.store_place import StorePlace, parse_store_url
from understudy.store.opening import open_bulletin, open_store

__all__ = ["StorePlace", "open_bulletin", "open_store", "parse_store_url"]
