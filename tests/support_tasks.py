"""What goes on beside something else."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["meanwhile"]


@asynccontextmanager
async def meanwhile(*lives: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """These go on until it is left, whatever becomes of one of them."""
    tasks = [asyncio.create_task(life) for life in lives]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
