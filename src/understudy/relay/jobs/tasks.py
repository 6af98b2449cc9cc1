"""What goes on beside requests: its edge, where nobody waits for an error, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING

from understudy.ports import StoreError

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["ends_well", "wind_up"]


async def ends_well(jobs: Jobs, work: Awaitable[None], doing: str) -> bool:
    """Let `work` go on to its end; whether it went well. Else it has been told: a failure of the
    store as such, anything else as a fault of our own in `doing` this.
    """
    try:
        await work
    except StoreError as error:
        jobs.upkeep.complain(error)
    except Exception as error:  # noqa: BLE001 - a task's edge
        jobs.relay.log.own_fault("", doing, error)
    else:
        return True
    return False


async def wind_up(tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
    """Wait until they have ended; those that have not after so many seconds are cancelled."""
    tasks = list(tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
