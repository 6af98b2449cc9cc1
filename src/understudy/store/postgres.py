"""PostgreSQL, through psycopg, with an end to every wait.

The server's own limits (`statement_timeout`, `lock_timeout`) hold as long as it runs. A server that
was stopped or a network that swallows packets keeps no limit, so each wait for the server is
bounded here as well, and a connection whose wait ran out is closed.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Engine, QueuePool, create_engine

from understudy.core.store_place import PostgresPlace

__all__ = ["BoundedConnection", "open_engine", "parameters_of"]

#: psycopg's own: how often a wait looks up.
_LOOK: Final = 0.1
#: For each host that is named, in whole seconds, 2 at least
#: (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT).
_CONNECT_SECONDS: Final = 3

_T = TypeVar("_T")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection of which no wait for the server takes longer than `patience` seconds."""

    patience: float = 5.0

    def wait(self, gen: PQGen[_T], interval: float = _LOOK, timeout: float | None = None) -> _T:
        """As psycopg's (`Connection.wait`), with an end.

        Raises:
            psycopg.OperationalError: no answer came in time; the connection is closed.
        """
        patience = self.patience if timeout is None else min(timeout, self.patience)
        try:
            return super().wait(_bounded(gen, patience), interval)
        except _NoAnswerError:
            # The protocol is in the midst of something, so nothing else can be said on it.
            self.pgconn.finish()
            raise


class _NoAnswerError(psycopg.OperationalError):
    """The server gave no answer in time."""


def _bounded(gen: PQGen[_T], patience: float) -> PQGen[_T]:
    """The same generator, which ends by an error after `patience` seconds."""
    deadline = monotonic() + patience
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and monotonic() >= deadline:
                raise _NoAnswerError("the server gave no answer in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        value: _T = end.value
        return value


def parameters_of(place: PostgresPlace, patience: float) -> dict[str, Any]:
    """What libpq and the server are told of a connection on which no answer takes longer than
    `patience` seconds (https://www.postgresql.org/docs/current/libpq-connect.html).
    """
    milliseconds = round(patience * 1000)
    parameters: dict[str, Any] = {
        "dbname": place.database,
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "password": place.password.reveal() if place.password else None,
        "application_name": "understudy",
        "connect_timeout": _CONNECT_SECONDS,
        "options": (
            f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds // 2}"
            # A process of ours that was frozen in a transaction does not keep others waiting.
            f" -c idle_in_transaction_session_timeout={milliseconds * 4}"
        ),
        **dict(place.options),
    }
    return {name: value for name, value in parameters.items() if value is not None}


def open_engine(place: PostgresPlace, *, connections: int, patience: float) -> Engine:
    """An engine with so many connections, made when they are needed and checked before each use."""
    given = parameters_of(place, patience)

    def connect() -> BoundedConnection:
        connection = BoundedConnection.connect("", **given)
        connection.patience = patience
        try:
            # A 202 promises that the job is on the disk, whatever the server's default is.
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=patience,
        pool_pre_ping=True,
        hide_parameters=True,
    )
