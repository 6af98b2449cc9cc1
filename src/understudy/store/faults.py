"""Drivers' exceptions become the store's.

A driver's words may hold what was to be written (PostgreSQL's details quote rows, SQLAlchemy's
texts parameters), so only codes and the names of errors are passed on; but for a connection that
could not be made, on which nothing was said yet.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from understudy.ports import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
    StoreUnreachableError,
)

__all__ = ["is_lasting", "may_heal", "store_error"]

#: SQLSTATE classes and codes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_BY_SQLSTATE: Final[dict[str, type[StoreError]]] = {
    "08": StoreUnreachableError,  # connection exceptions
    "25006": StoreUnreachableError,  # read-only: a standby, or a primary that is none any more
    "28": StoreRefusedError,  # the login is refused
    "3D000": StoreRefusedError,  # there is no such database
    "40": StoreBusyError,  # deadlock, serialization
    "42": StoreDamagedError,  # a table or column is not as we left it; or no right to it
    "53100": StoreFullError,  # disk full
    "53": StoreUnreachableError,  # too many connections, out of memory
    "55P03": StoreBusyError,  # lock_timeout
    "57014": StoreUnreachableError,  # statement_timeout: as good as no answer
    "57": StoreUnreachableError,  # shutting down, starting up
    "58": StoreDamagedError,  # an I/O error of the server's
    "XX": StoreDamagedError,  # data or index corrupted
}

#: Primary result codes (https://www.sqlite.org/rescode.html).
_BY_SQLITE_CODE: Final[dict[int, type[StoreError]]] = {
    sqlite3.SQLITE_PERM: StoreUnreachableError,
    sqlite3.SQLITE_BUSY: StoreBusyError,
    sqlite3.SQLITE_LOCKED: StoreBusyError,
    sqlite3.SQLITE_NOMEM: StoreUnreachableError,
    sqlite3.SQLITE_READONLY: StoreUnreachableError,
    sqlite3.SQLITE_INTERRUPT: StoreBusyError,
    sqlite3.SQLITE_IOERR: StoreUnreachableError,
    sqlite3.SQLITE_CORRUPT: StoreDamagedError,
    sqlite3.SQLITE_FULL: StoreFullError,
    sqlite3.SQLITE_CANTOPEN: StoreUnreachableError,
    sqlite3.SQLITE_NOTADB: StoreDamagedError,
}

#: Of a connection that was not made libpq gives no SQLSTATE, only words. The server's are in the
#: language that it is set to; where that is not English, we wait for what will not come.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied for database",
    "does not exist",  # a role, a database, a certificate's file
    "not currently accepting connections",
    "does not support SSL",
    "certificate verify failed",
    "server certificate for",  # … does not match host name
)
#: What psycopg writes before them.
_NOT_CONNECTED: Final = "connection failed: "

_WORDS: Final[dict[type[StoreError], str]] = {
    StoreUnreachableError: "the store can't be reached",
    StoreRefusedError: "the store turns us away",
    StoreBusyError: "the store is busy",
    StoreFullError: "the store has no room left",
    StoreDamagedError: "the store is damaged or no store of Understudy's",
    StoreError: "the store failed",
}


def store_error(error: SQLAlchemyError) -> StoreError:
    """What a failed statement, transaction or connection means for those who asked."""
    if isinstance(error, PoolTimeoutError):
        return StoreBusyError(_WORDS[StoreBusyError])
    if not isinstance(error, DBAPIError) or error.orig is None:
        return StoreError(f"{_WORDS[StoreError]}: {type(error).__name__}")
    origin = error.orig
    words = str(origin)
    if words.startswith(_NOT_CONNECTED):
        return _no_connection(words.removeprefix(_NOT_CONNECTED))
    kind, code = _kind(origin)
    if kind is None:
        kind = StoreUnreachableError if error.connection_invalidated else StoreError
    name = type(origin).__name__ if code is None else f"{type(origin).__name__} ({code})"
    return kind(f"{_WORDS[kind]}: {name}")


def _no_connection(words: str) -> StoreError:
    """What the words of libpq say of why there is none."""
    refused = any(sign in words for sign in _REFUSALS)
    kind = StoreRefusedError if refused else StoreUnreachableError
    return kind(f"{_WORDS[kind]}: {words.partition(chr(10))[0]}")


def may_heal(error: StoreError) -> bool:
    """Whether it may pass without anybody's doing anything about this program's settings."""
    return isinstance(error, StoreUnreachableError | StoreBusyError) and not isinstance(
        error, StoreRefusedError
    )


def is_lasting(error: StoreError) -> bool:
    """Whether trying the same once more in a smaller transaction is of no use."""
    return isinstance(error, StoreUnreachableError | StoreFullError | StoreDamagedError)


def _kind(origin: BaseException) -> tuple[type[StoreError] | None, str | None]:
    if isinstance(origin, sqlite3.Error):
        # Of a misuse that the module itself finds there is no code.
        code = getattr(origin, "sqlite_errorcode", None)
        if code is None:
            return None, None
        return _BY_SQLITE_CODE.get(code & 0xFF), str(origin.sqlite_errorname)
    state = getattr(origin, "sqlstate", None)
    if state is None:
        # psycopg's own: no connection could be made, or it broke.
        lost = type(origin).__name__ in {"OperationalError", "ConnectionTimeout"}
        return (StoreUnreachableError if lost else None), None
    exact = _BY_SQLSTATE.get(state)
    return (exact or _BY_SQLSTATE.get(state[:2])), state
