"""Where jobs are kept: SQLite for one process, PostgreSQL for many, memory to try things out."""

from understudy.store.opening import open_store
from understudy.store.url import StorePlace, parse_store_url

__all__ = ["StorePlace", "open_store", "parse_store_url"]
