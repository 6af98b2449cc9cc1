"""Reads, beside the path, what providers say of their models: a better source than any table.

Nothing waits for it. Until a list has been read, and where none can be, the tables by generation
(`understudy.providers.traits`) hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from understudy.core.faults import Fault
from understudy.providers.model_list import ModelInfo, models_query
from understudy.relay.fetch import fetch
from understudy.relay.runtime import Destination, Runtime
from understudy.relay.upstream import Pool

__all__ = ["keep_read"]

#: Seconds between two readings, and until the next after one that failed.
EVERY_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
#: Seconds for one page, its largest size, and how many there may be.
PAGE_SECONDS = 20.0
PAGE_BYTES = 8 * 1024 * 1024
PAGES = 10


async def keep_read(runtime: Callable[[], Runtime], pool: Pool) -> None:
    """Read every list now and then, for good; `runtime` gives the settings in force."""
    while True:
        results = [
            await _read(destination, pool)
            for destination in tuple(runtime().destinations.values())
            if destination.manners.read_models is not None
        ]
        await asyncio.sleep(EVERY_SECONDS if all(results) else AGAIN_SECONDS)


async def _read(destination: Destination, pool: Pool) -> bool:
    """Whether the list could be read; if so, the destination knows it."""
    read_models = destination.manners.read_models
    found: dict[str, ModelInfo] = {}
    after: str | None = None
    for _ in range(PAGES):
        body = await _get(destination, models_query(after), pool)
        if body is None or read_models is None:
            return False
        page = read_models(body)
        found.update(page.models)
        after = page.after
        if after is None:
            break
    destination.learn(found)
    return True


async def _get(destination: Destination, query: str, pool: Pool) -> bytes | None:
    request = destination.reading("models", query)
    got = await fetch(pool, destination.origin, request, seconds=PAGE_SECONDS, largest=PAGE_BYTES)
    if isinstance(got, Fault) or got.status != 200:
        return None
    coding = got.headers.get("content-encoding", "identity")
    return got.body if coding.lower() == "identity" else None
