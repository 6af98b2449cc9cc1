"""Bulletins of either kind, for the contract: who joins, what they hear, and nobody to carry it."""

import asyncio
import contextlib

from understudy.core.store_place import parse_store_url
from understudy.store.bulletin import PostgresBulletin
from understudy.store.memory_bulletin import Hub

#: How long anything may take before a test gives up on it, in seconds. Never what is asserted.
PATIENCE = 30.0


class Member:
    """A bulletin, and what it has heard."""

    def __init__(self, bulletin):
        self.bulletin = bulletin
        self.name = bulletin.name
        self.heard = []
        #: Times that it went down, however short.
        self.downs = 0
        self._something = asyncio.Event()
        bulletin.listen(self._hear, self._changed)

    def _changed(self):
        self.downs += not self.bulletin.is_up
        self._something.set()

    def _hear(self, sender, topic, body):
        self.heard.append((sender, topic, body))
        self._something.set()

    def tell(self, topic, body):
        self.bulletin.tell(topic, body)

    async def until(self, condition):
        """Wait until it is so; it is looked at whenever something has happened here."""
        async with asyncio.timeout(PATIENCE):
            while not condition(self):
                self._something.clear()
                await self._something.wait()

    async def hears(self, *words):
        """Wait until it has heard these, told by (member, topic, body)."""
        wanted = [(sender.name, topic, body) for sender, topic, body in words]
        await self.until(lambda me: all(word in me.heard for word in wanted))


class MemoryHub:
    """Members in memory."""

    def __init__(self):
        self._hub = Hub()
        self.members = []

    async def join(self, *, waits=True):
        self.members.append(Member(self._hub.join()))
        return self.members[-1]

    @contextlib.asynccontextmanager
    async def cut(self):
        """Nobody reaches anybody."""
        self._hub.cut()
        yield
        self._hub.mend()


class PostgresHub:
    """Members in a database; `way`: how it is cut off."""

    def __init__(self, cluster, way):
        self._cluster = cluster
        self._way = way
        self.url = cluster.database()
        self.members = []

    async def join(self, *, waits=True):
        member = Member(PostgresBulletin(parse_store_url(self.url)))
        self.members.append(member)
        if waits:
            await member.until(lambda me: me.bulletin.is_up)
        return member

    def cut(self):
        return self._cluster.away_from_loop(self._way)
