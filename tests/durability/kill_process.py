"""Processes of the product that can be started, watched and killed without waiting for anything."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["DiedError", "Nursery", "Process"]

HERE = Path(__file__).parent
#: Seconds that anything may take before a run is given up: a starved machine is no fault.
PATIENCE = 180.0


class DiedError(Exception):
    """The process ended, and nobody had killed it."""


class Process:
    """One `understudy serve`, from its first instruction on."""

    def __init__(
        self,
        pid: int,
        out: asyncio.StreamReader,
        log: Path,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.pid = pid
        self._child = child
        self.url: str | None = None
        self.log = log
        self.began = time.monotonic()
        self._out = out
        self._ended = asyncio.get_running_loop().create_future()
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.set_result(None)
            return
        asyncio.get_running_loop().add_reader(self._pidfd, self._has_ended)

    def _has_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._child is not None:
            self._child.wait()
        self._ended.set_result(None)

    @property
    def is_alive(self) -> bool:
        """It has not been seen to end."""
        return not self._ended.done()

    async def ready(self) -> float:
        """Wait until it serves; the seconds that it took.

        Raises:
            DiedError: it ended before.
        """
        async with asyncio.timeout(PATIENCE):
            url = None
            while line := (await self._out.readline()).decode().rstrip():
                if line.startswith("relay: "):
                    url = line.removeprefix("relay: ")
                if line == "ready":
                    self.url = url
                    return time.monotonic() - self.began
        raise DiedError(self.words())

    async def signal(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal, and wait until it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        async with asyncio.timeout(PATIENCE):
            await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await asyncio.shield(self._ended)
        self.url = None

    def words(self) -> str:
        """The end of what it wrote to its log."""
        return self.log.read_text(errors="replace")[-2000:]


class Nursery:
    """Starts processes by forking one that has imported everything."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen([sys.executable, HERE / "nursery.py"], stdin=theirs)
        self._socket = ours
        self._turn = asyncio.Lock()

    async def start(self, config: Path, log: Path, *, fresh: bool = False) -> Process:
        """`understudy serve -c CONFIG`. `fresh`: by an interpreter of its own."""
        reading, writing = os.pipe()
        command = ["serve", "-c", str(config), "--grace", "5s"]
        child = None
        try:
            with log.open("ab") as err:
                if fresh:
                    child = _interpreter(command, writing, err.fileno())
                    pid = child.pid
                else:
                    pid = await self._fork(command, [writing, err.fileno()])
        finally:
            os.close(writing)
        out = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(out), os.fdopen(reading, "rb")
        )
        return Process(pid, out, log, child)

    async def _fork(self, command: list[str], descriptors: list[int]) -> int:
        async with self._turn:
            socket.send_fds(self._socket, [json.dumps(command).encode()], descriptors)
            told = await asyncio.to_thread(self._socket.recv, 4)
            return int.from_bytes(told, "big")

    def close(self) -> None:
        """End it, and all that it has started."""
        self._socket.close()
        self._server.wait(PATIENCE)


def _interpreter(command: list[str], out: int, err: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "understudy", *command],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
    )
