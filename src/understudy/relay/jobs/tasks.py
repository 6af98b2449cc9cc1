"""Ends what runs beside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

__all__ = ["wind_up"]


async def wind_up(tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
    """Wait until they have ended; those that have not after so many seconds are cancelled."""
    tasks = list(tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
