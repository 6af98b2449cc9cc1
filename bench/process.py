"""Starts servers on loopback, pinned, and sees to it that they end."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = [
    "GATEWAY_CORE",
    "LOAD_CORE",
    "RUN",
    "StartError",
    "Stub",
    "ends_on_signals",
    "free_ports",
    "fresh_run_folder",
    "more_files",
    "pinned",
    "running",
    "stub",
    "until_listening",
]

#: Generated configs, logs and databases; recreated by each run.
RUN = Path(__file__).parent / ".run"
#: The core of wrk and of the stub, and the core of the gateways.
LOAD_CORE, GATEWAY_CORE = "0", "1"


class StartError(Exception):
    """A server did not come up; the text says why."""


def pinned(command: list[str], core: str) -> list[str]:
    """The command on one core, ended by the kernel when this process dies."""
    guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    if (os.cpu_count() or 1) < 2:
        return [*guard, *command]
    return [*guard, "taskset", "-c", core, *command]


def fresh_run_folder() -> None:
    """Empties `RUN`."""
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir()


def more_files() -> None:
    """Lets this process, and those that it starts, open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_ports(count: int) -> list[int]:
    """So many ports of loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextmanager
def running(
    name: str, command: list[str], core: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a session of its own; its output goes to `RUN/<name>.log`."""
    with _log(name).open("wb") as log:
        process = subprocess.Popen(
            pinned(command, core),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=RUN,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def stub(name: str) -> Iterator["Stub"]:
    """A stub provider on the load core."""
    command = [sys.executable, str(Path(__file__).parent / "stub.py")]
    with running(name, command, LOAD_CORE) as process:
        _until(process, name, lambda: _log(name).read_text().endswith("\n"))
        yield Stub(int(_log(name).read_text()))


class Stub:
    """A running stub provider."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def mode(self, mode: str) -> None:
        """Makes it behave so from now on."""
        self._get(f"/stub/mode?set={mode}")

    def pace(self, milliseconds: int) -> None:
        """Time between the chunks of a stream from now on."""
        self._get(f"/stub/pace?ms={milliseconds}")

    def requests(self) -> int:
        """How many it has received since it began."""
        return int(json.loads(self._get("/stub/stats"))["requests"])

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return bytes(answer.read())


def until_listening(process: subprocess.Popen[bytes], name: str, port: int) -> None:
    """Waits until somebody accepts on the port.

    Raises:
        StartError: The process ended, or a minute and a half went by.
    """

    def accepts() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    _until(process, name, accepts)


def _until(process: subprocess.Popen[bytes], name: str, there: Callable[[], bool]) -> None:
    limit = time.monotonic() + 90
    while not there():
        if process.poll() is not None or time.monotonic() > limit:
            tail = _log(name).read_text(errors="replace")[-1500:]
            raise StartError(f"{name} did not come up; its log ends:\n{tail}")
        time.sleep(0.05)


def _log(name: str) -> Path:
    return RUN / f"{name}.log"


def ends_on_signals() -> None:
    """SIGINT, SIGTERM and SIGHUP unwind the stack, so that every server is ended."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
