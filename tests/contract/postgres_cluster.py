"""A PostgreSQL of our own: in a folder of its own, on a port of its own, and ready to be abused."""

import asyncio
import contextlib
import itertools
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

MISSING = (
    "these tests start a PostgreSQL of their own, and found no initdb in PATH or in "
    "/usr/lib/postgresql/*/bin; on Debian: apt-get install postgresql"
)

#: It flushes, as it would in earnest.
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = on
"""


class Cluster:
    """A PostgreSQL of our own in a folder of its own, flushing as it would in earnest."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = _binaries()
        self.user = _server_user()
        self.port = _free_port()
        if self.user is not None:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        arguments = ("-U", "understudy", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._as_server("initdb", "-D", self._data, *arguments)
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(port=self.port))
        self.numbers = itertools.count()

    def start(self):
        self._as_server("pg_ctl", "-D", self._data, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode="fast"):
        self._as_server("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    @contextlib.contextmanager
    def frozen(self):
        """Every process of it stopped by SIGSTOP: sockets stay open, and nothing answers."""
        # The first process first, so that no new ones come while the others are stopped.
        _signal([self.main_pid], signal.SIGSTOP)
        pids = self._pids()
        try:
            _signal(pids, signal.SIGSTOP)
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    @contextlib.contextmanager
    def stopped(self):
        """It has ended, and nothing listens at its port."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def away(self, way):
        """It can't be had. `way`: stopped, or frozen."""
        return {"stopped": self.stopped, "frozen": self.frozen}[way]()

    @contextlib.asynccontextmanager
    async def away_from_loop(self, way):
        """The same, and the loop goes on while it stops and starts."""
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, self.away(way))
            try:
                yield
            finally:
                await asyncio.to_thread(stack.close)

    def database(self):
        """The URL of a new, empty database."""
        name = f"store_{next(self.numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://understudy@127.0.0.1:{self.port}/{name}"

    def connect(self, database="postgres"):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="understudy", dbname=database, autocommit=True
        )

    @property
    def _data(self):
        return str(self.folder / "data")

    @property
    def _pid_file(self) -> Path:
        return self.folder / "data" / "postmaster.pid"

    @property
    def main_pid(self):
        """The server's first process."""
        return int(self._pid_file.read_text().split()[0])

    @property
    def is_there(self) -> bool:
        """It was started, and has been neither stopped nor killed since."""
        return self._pid_file.exists()

    def kill(self):
        """SIGKILL to the first process; the others find out and end, which is waited for."""
        with contextlib.ExitStack() as stack:
            handles = []
            for pid in self._pids():
                with contextlib.suppress(ProcessLookupError):
                    handles.append(os.pidfd_open(pid))
                    stack.callback(os.close, handles[-1])
            os.kill(self.main_pid, signal.SIGKILL)
            for handle in handles:
                select.select([handle], [], [])
        # Until its parent has asked for it, a dead process looks alive to the next start.
        self._pid_file.unlink()

    def _pids(self):
        main = self.main_pid
        children = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == main:
                    children.append(int(stat.parent.name))
        return [main, *children]

    def _as_server(self, program, *arguments):
        rights = {}
        if self.user is not None:
            # PostgreSQL refuses to run as root.
            rights = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [self.bin / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            check=False,
            **rights,
        )
        if done.returncode:
            log = self.folder / "log"
            words = done.stdout or (log.read_bytes() if log.exists() else b"")
            pytest.fail(f"{program} failed: {words.decode(errors='replace')}", pytrace=False)


@contextlib.contextmanager
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL that runs, of which nothing is left in the end."""
    # Not below pytest's folders: only their user may enter them, and the server's is another one.
    with tempfile.TemporaryDirectory(prefix="understudy-pg-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            yield cluster
        finally:
            if cluster.is_there:
                cluster.stop("immediate")


def _signal(pids, number):
    for pid in pids:
        # Sessions end by themselves.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _binaries():
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    programs = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.fail(MISSING, pytrace=False)
    return max(programs, key=lambda program: int(program.parents[1].name)).parent


def _server_user():
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.fail("PostgreSQL does not run as root, and there is no other user", pytrace=False)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
