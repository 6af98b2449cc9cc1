"""The two stores with the processes over them: what is killed, and how it comes back."""

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from contract.postgres_cluster import postgres
from durability.kill_audit import open_postgres, open_sqlite
from durability.kill_process import PATIENCE, DiedError, Nursery, Process
from durability.kill_requests import config

__all__ = ["House", "PostgresHouse", "SqliteHouse", "stand_in"]

#: One start in so many is by an interpreter of its own instead of a fork.
FRESH = 50


@contextlib.contextmanager
def stand_in():
    """The URL of `understudy mock`, a process of its own."""
    command = [sys.executable, "-m", "understudy", "mock", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split(": ")[1].strip()
            assert process.stdout.readline() == "ready\n"
            yield url
        finally:
            process.kill()


class House:
    """Processes over one store.

    Args:
        folder: of its own.
        provider: where the stand-in is.
        chance: draws what is started afresh.
    """

    name = ""
    #: How many processes there are.
    size = 1
    #: How often each may be started until it serves.
    starts = 1

    def __init__(self, folder: Path, provider: str, chance: random.Random) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        #: Seconds of the last start.
        self.start_seconds = 1.0
        #: Starts that ended without anybody's doing.
        self.vain_starts = 0
        self._chance = chance
        self._nursery = Nursery()
        self._file = folder / "understudy.yaml"
        self._file.write_text(json.dumps(config(self.url, provider)), encoding="utf-8")

    @property
    def url(self) -> str:
        """Of the store."""
        raise NotImplementedError

    def look_inside(self) -> Any:
        """A connection of our own to the store."""
        raise NotImplementedError

    async def start(self, place: int) -> None:
        """Start the process of that place; it is not up yet."""
        log = self.folder / f"{place}.log"
        fresh = self._chance.randrange(FRESH) == 0
        process = await self._nursery.start(self._file, log, fresh=fresh)
        self.processes[place : place + 1] = [process]

    async def up(self, place: int) -> None:
        """Wait until the process of that place serves.

        Raises:
            DiedError: it ended by itself, more often than it may.
        """
        seconds = await self._ready(place)
        # Fresh interpreters take much longer, and say nothing of the next fork.
        self.start_seconds = min(0.7 * self.start_seconds + 0.3 * seconds, 3.0)

    async def _ready(self, place: int) -> float:
        for left in range(self.starts, 0, -1):
            try:
                return await self.processes[place].ready()
            except DiedError:
                if left == 1:
                    raise
                self.vain_starts += 1
                await self.start(place)
        raise AssertionError("there is always a last time")

    async def open(self) -> None:
        """Start all processes, and wait until they serve."""
        for place in range(self.size):
            await self.start(place)
            await self.up(place)

    async def end(self) -> None:
        """End all processes in order."""
        for process in self.processes:
            await process.signal(signal.SIGTERM)

    def close(self) -> None:
        """Let go of everything."""
        self._nursery.close()


class SqliteHouse(House):
    """One process over a file."""

    name = "SQLite"

    @property
    def url(self) -> str:
        """Of the file."""
        return f"sqlite:///{self.folder / 'jobs.db'}"

    def look_inside(self) -> Any:
        """Only while no process is there."""
        return open_sqlite(self.folder / "jobs.db")


class PostgresHouse(House):
    """Two processes over one database of a server of our own."""

    name = "PostgreSQL"
    size = 2
    # A server that recovers, or a machine that is starved, may not answer in time; whoever
    # supervises a process starts it again then.
    starts = 10

    def __init__(self, folder: Path, provider: str, chance: random.Random) -> None:
        self._stack = contextlib.ExitStack()
        self._cluster = self._stack.enter_context(postgres())
        self._url = self._cluster.database()
        super().__init__(folder, provider, chance)

    @property
    def url(self) -> str:
        """Of the database."""
        return self._url

    def look_inside(self) -> Any:
        """At any time that the server is up."""
        return open_postgres(self._url)

    async def kill_server(self) -> None:
        """SIGKILL to the server, every process of it; and start it again."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(self._cluster.kill)
            await asyncio.to_thread(self._cluster.start)

    def close(self) -> None:
        """The server too."""
        super().close()
        self._stack.close()
