"""A thread that speaks with PostgreSQL: LISTEN, NOTIFY, and an advisory lock for who leads.

It owns its one connection, for the reasons that `writers` gives, and asks the server something once
a second at least. A server that was stopped, or frozen, or is behind a network that swallows
packets is therefore missed within three seconds; from then on it is sought until it is there again.
The server in turn ends the session of a process from which nothing comes for some seconds (it is
frozen, or its machine has lost power), so that its lock is free.

Words are gathered, because NOTIFY takes a lock of the whole server at each commit
(https://www.postgresql.org/docs/current/sql-notify.html). They need not survive a crash, so that no
commit waits for the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

import psycopg
from psycopg import sql

from understudy.core.store_place import PostgresPlace
from understudy.store.postgres import BoundedConnection, parameters_of

__all__ = ["CHECK_SECONDS", "PATIENCE_SECONDS", "Speaker"]

#: Seconds that the server may take for one answer, and between two questions of whether it is
#: there: in their sum it is missed.
PATIENCE_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 1.0
#: Seconds without an answer after which the thread itself is taken to be stuck.
SURE_SECONDS: Final = PATIENCE_SECONDS + CHECK_SECONDS + 0.5
#: Seconds after which the server takes a process that says nothing for dead.
SILENCE_SECONDS: Final = 6
#: Seconds between two attempts to reach the server: at least, at most.
PAUSE_SECONDS: Final = (0.2, 0.8)
#: Seconds in which words are gathered, words said in one transaction, and words that wait.
GATHER_SECONDS: Final = 0.02
BATCH: Final = 100
WAITING: Final = 1_000

_SETTINGS: Final = {
    "synchronous_commit": "off",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    # From PostgreSQL 12 and 14 on.
    "tcp_user_timeout": f"{SILENCE_SECONDS}s",
    "idle_session_timeout": f"{SILENCE_SECONDS}s",
}
_SET: Final = (
    "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[])"
    " AS given(name, value) WHERE current_setting(name, true) IS NOT NULL"
)
_SAY: Final = "SELECT pg_notify(%s, word) FROM unnest(%s::text[]) AS word"


class Speaker:
    """Keeps a session with a PostgreSQL server, as long as there is one.

    Args:
        place: where it is.
        hear: is called on the thread with what was said, one's own words among it.
        changed: is called on the thread when `is_up` or `leads` has changed.
    """

    def __init__(
        self, place: PostgresPlace, hear: Callable[[list[str]], None], changed: Callable[[], None]
    ) -> None:
        self._place = place
        self._hear = hear
        self._changed = changed
        self._words: deque[str] = deque()
        self._willing = True
        self._stopped = False
        self._up = False
        self._leads = False
        self._heard_at = 0.0
        self._waker, self._alarm = socket.socketpair()
        for end in (self._waker, self._alarm):
            end.setblocking(False)
        # A daemon: one that is stuck in the kernel must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="bulletin", daemon=True)
        self._thread.start()

    # -- from any thread ----------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """The session stands, and the server has answered of late."""
        return self._up and monotonic() - self._heard_at < SURE_SECONDS

    @property
    def leads(self) -> bool:
        """The session holds the lock."""
        return self._leads and self.is_up

    def say(self, payload: str) -> None:
        """Say this to all who listen, soon or not at all."""
        if self._up and len(self._words) < WAITING:
            self._words.append(payload)
            self._wake()

    def stand(self, *, willing: bool) -> None:
        """Whether to hold the lock where it is free."""
        self._willing = willing
        self._wake()

    def stop(self) -> None:
        """Say what waits, and end."""
        self._stopped = True
        self._wake()

    def join(self) -> None:
        """Wait until it has ended, or is taken to be stuck."""
        self._thread.join(SURE_SECONDS)

    def _wake(self) -> None:
        # Full: it is awake. Closed: it has ended.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    # -- on the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopped:
            # No server, no such login, a standby, an answer that does not come: whatever it is, it
            # is tried again.
            with contextlib.suppress(psycopg.Error):
                self._meet()
            self._is_now(up=False, leads=False)
            self._words.clear()
            self._rest(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - jitter
        self._waker.close()
        self._alarm.close()

    def _meet(self) -> None:
        """Reach the server, and speak with it until one of both ends."""
        given = parameters_of(self._place, PATIENCE_SECONDS)
        # Of several servers a standby can't carry words.
        given["target_session_attrs"] = "read-write"
        connection = BoundedConnection.connect("", autocommit=True, **given)
        try:
            connection.patience = PATIENCE_SECONDS
            connection.execute(_SET, [list(_SETTINGS), list(_SETTINGS.values())])
            row = connection.execute("SELECT current_schema()").fetchone()
            schema = str(row[0]) if row is not None else ""
            self._converse(connection, f"understudy_{_digest('words', schema):016x}", schema)
        finally:
            connection.close()

    def _converse(self, connection: BoundedConnection, channel: str, schema: str) -> None:
        heard: list[str] = []
        connection.add_notify_handler(lambda word: heard.append(word.payload))
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        lock = _digest("lead", schema) - 2**63
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._alarm, select.POLLIN)
        checks_at = says_at = monotonic()
        while True:
            now = monotonic()
            if now >= checks_at or (self._leads and not self._willing):
                self._check(connection, lock)
                checks_at = now + CHECK_SECONDS
            if self._words and (now >= says_at or self._stopped):
                self._say(connection, channel)
                says_at = monotonic() + GATHER_SECONDS
            if heard:
                self._hear(heard.copy())
                heard.clear()
            if self._stopped and not self._words:
                return
            waits = min(checks_at, says_at) if self._words else checks_at
            for descriptor, _ in poll.poll(max(0.0, waits - monotonic()) * 1000.0):
                if descriptor == self._alarm.fileno():
                    self._forget_alarms()
                else:
                    _read(connection)

    def _check(self, connection: BoundedConnection, lock: int) -> None:
        """Is the server there, and who leads?"""
        leads = self._leads
        if leads and not self._willing:
            connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
            leads = False
        elif self._willing and not leads:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone()
            leads = row is not None and row[0] is True
        else:
            connection.execute("SELECT 1")
        self._heard_at = monotonic()
        self._is_now(up=True, leads=leads)

    def _say(self, connection: BoundedConnection, channel: str) -> None:
        """Say what waits, as much as goes into one transaction."""
        batch = [self._words.popleft() for _ in range(min(BATCH, len(self._words)))]
        connection.execute(_SAY, [channel, batch])
        self._heard_at = monotonic()

    def _is_now(self, *, up: bool, leads: bool) -> None:
        before = self._up, self._leads
        self._up, self._leads = up, leads
        if before != (up, leads):
            self._changed()

    def _rest(self, seconds: float) -> None:
        """Do nothing for so long, or until it is stopped."""
        poll = select.poll()
        poll.register(self._alarm, select.POLLIN)
        ends_at = monotonic() + seconds
        while not self._stopped and (left := ends_at - monotonic()) > 0.0:
            if poll.poll(left * 1000.0):
                self._forget_alarms()

    def _forget_alarms(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._alarm.recv(4096):
                pass


def _read(connection: BoundedConnection) -> None:
    """What has come goes to the connection's handler.

    Raises:
        psycopg.OperationalError: the server has ended the session.
    """
    pgconn = connection.pgconn
    pgconn.consume_input()
    while (word := pgconn.notifies()) is not None:
        if pgconn.notify_handler is not None:
            pgconn.notify_handler(word)


def _digest(what: str, schema: str) -> int:
    """64 bits that stand for something of one schema's."""
    told = f"understudy {what} of {schema}".encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")
