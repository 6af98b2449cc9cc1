"""A bulletin in memory: several processes' worth of one event loop. For tests and simulations."""

from __future__ import annotations

import asyncio
from typing import Final

from understudy.ports import Changed, Hear, check_word

__all__ = ["Hub", "MemoryBulletin"]

#: Seconds that a word takes.
DELAY_SECONDS: Final = 0.005


class Hub:
    """What its bulletins have in common; it can be cut off from some or all of them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._members: list[MemoryBulletin] = []
        self._joined = 0

    def join(self) -> MemoryBulletin:
        """One more process."""
        self._joined += 1
        member = MemoryBulletin(self, f"process-{self._joined}")
        self._members.append(member)
        self.changed()
        return member

    def cut(self, *members: MemoryBulletin) -> None:
        """Nothing reaches these any more, or anybody if none are named."""
        self._reach(members, reached=False)

    def mend(self, *members: MemoryBulletin) -> None:
        """The same ones are reached again."""
        self._reach(members, reached=True)

    def _reach(self, members: tuple[MemoryBulletin, ...], *, reached: bool) -> None:
        for member in members or self._members:
            member.is_up = reached
        self.changed()

    def leave(self, member: MemoryBulletin) -> None:
        """It has ended."""
        self._members.remove(member)
        self.changed()

    def carry(self, sender: MemoryBulletin, topic: str, body: bytes) -> None:
        """A word goes to all others."""
        for member in self._members:
            if member is not sender:
                self._loop.call_later(DELAY_SECONDS, member.take, sender.name, topic, body)

    def changed(self) -> None:
        """Whoever has been there longest leads, of those who may and are reached."""
        able = [member for member in self._members if member.is_up and member.is_willing]
        # Who leads goes on doing so.
        leader = next((member for member in able if member.leads), able[0] if able else None)
        for member in self._members:
            member.leads = member is leader
            member.tell_change()


class MemoryBulletin:
    """A `Bulletin` of one process."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.name = name
        self.is_up = True
        self.leads = False
        self.is_willing = True
        self._hub = hub
        self._hear: Hear | None = None
        self._changed: Changed | None = None
        self._told = (False, False)

    def stand(self, *, willing: bool) -> None:
        """As the port says."""
        self.is_willing = willing
        self._hub.changed()

    def tell(self, topic: str, body: bytes) -> None:
        """As the port says."""
        check_word(topic, body)
        if self.is_up:
            self._hub.carry(self, topic, body)

    def listen(self, hear: Hear, changed: Changed) -> None:
        """As the port says."""
        self._hear, self._changed = hear, changed

    def take(self, sender: str, topic: str, body: bytes) -> None:
        """A word has come."""
        if self.is_up and self._hear is not None:
            self._hear(sender, topic, body)

    def tell_change(self) -> None:
        """Say so if something has changed."""
        now = self.is_up, self.leads
        if now != self._told and self._changed is not None:
            self._told = now
            asyncio.get_running_loop().call_soon(self._changed)

    async def close(self) -> None:
        """As the port says."""
        self._hub.leave(self)
        self._hear = self._changed = None
        self.is_up = self.leads = False
