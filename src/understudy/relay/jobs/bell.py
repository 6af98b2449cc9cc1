"""Rings when something has happened to a job in this process, for those who wait for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

__all__ = ["Bell", "Place", "rung"]

#: A job's tenant and id.
Place = tuple[str, str]


class Bell:
    """Who waits for which job."""

    def __init__(self) -> None:
        self._waiting: dict[Place, set[asyncio.Event]] = {}
        self.is_closed = False

    @contextlib.contextmanager
    def listen(self, place: Place) -> Iterator[asyncio.Event]:
        """An event that is set whenever the bell rings for this job. Listen first, look then, so
        that nothing is missed between the two.
        """
        event = asyncio.Event()
        if self.is_closed:
            event.set()
        self._waiting.setdefault(place, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._waiting[place]
            listeners.discard(event)
            if not listeners:
                del self._waiting[place]

    def ring(self, place: Place) -> None:
        """Something has happened to this job."""
        for event in self._waiting.get(place, ()):
            event.set()

    def close(self) -> None:
        """Nobody is to wait any longer."""
        self.is_closed = True
        for listeners in self._waiting.values():
            for event in listeners:
                event.set()


async def rung(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, `seconds` at most; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
