"""Where the jobs are kept, as the configuration says it.

`memory`, `sqlite:///beside.db` (relative), `sqlite:////var/lib/understudy.db` (absolute) or
`postgresql://user:password@host:port/database?sslmode=verify-full`, as libpq takes it
(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from understudy.core.secret import Secret

__all__ = [
    "MemoryPlace",
    "PostgresPlace",
    "SqlitePlace",
    "StorePlace",
    "StoreUrlError",
    "parse_store_url",
]

_SHAPES: Final = "memory, sqlite:///understudy.db or postgresql://user:password@host/database"
#: What may follow the `?`: where the server's socket is, and how its certificate is checked.
_OPTIONS: Final = frozenset({"host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"})


class StoreUrlError(ValueError):
    """A text names no store that can be opened. The error's own text never repeats it."""


class MemoryPlace(msgspec.Struct, frozen=True):
    """Nowhere: gone with the process."""

    def __str__(self) -> str:
        return "memory"


class SqlitePlace(msgspec.Struct, frozen=True):
    """A file."""

    path: str

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


class PostgresPlace(msgspec.Struct, frozen=True):
    """A database of a PostgreSQL server. `host` and `port` may list several, with commas."""

    database: str
    host: str | None
    port: str | None
    user: str | None
    password: Secret | None
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        where = self.host or "localhost"
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{where}{port}/{self.database}"


StorePlace = MemoryPlace | SqlitePlace | PostgresPlace


def parse_store_url(url: str) -> StorePlace:
    """What a configuration's `store:` names.

    Raises:
        StoreUrlError: it names none of ours. Its text says what would be right and repeats nothing
            of the URL but the names of options, for it may hold a password.
    """
    if url == "memory":
        return MemoryPlace()
    scheme, separator, _ = url.partition("://")
    if scheme == "sqlite" and separator:
        return _sqlite(url)
    if scheme in {"postgresql", "postgres"} and separator:
        return _postgres(url)
    raise StoreUrlError(f"not a store; what would be right: {_SHAPES}")


def _sqlite(url: str) -> SqlitePlace:
    path = url.removeprefix("sqlite://")
    if not path.startswith("/"):
        raise StoreUrlError("sqlite:// takes three slashes and a path, four for an absolute one")
    path = unquote(path[1:])
    if not path.strip("/") or path.endswith("/") or "\0" in path or path == ":memory:":
        raise StoreUrlError("sqlite:/// takes a file's path; for none, write: memory")
    return SqlitePlace(path)


def _postgres(url: str) -> PostgresPlace:
    try:
        parts = urlsplit(url)
        # Strict: an unencoded & or = in a value is an error, not another option.
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise StoreUrlError(f"not a URL that can be read; what would be right: {_SHAPES}") from None
    login, at, server = parts.netloc.rpartition("@")
    if "@" in login or parts.fragment:
        # What follows an unencoded @ or # of a password would be taken for a host, and shown.
        raise StoreUrlError("@, #, / and ? in a user or password are written %40, %23, %2F and %3F")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database or "@" in database:
        raise StoreUrlError(f"no database is named; what would be right: {_SHAPES}")
    options = dict(pairs)
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown or len(options) < len(pairs):
        raise StoreUrlError(f"after the ? may stand, once each: {', '.join(sorted(_OPTIONS))}")
    user, _, password = login.partition(":")
    host, port = _hosts(server)
    return PostgresPlace(
        database=database,
        host=options.pop("host", None) or host,
        port=port,
        user=unquote(user) if at and user else None,
        password=Secret(unquote(password)) if password else None,
        options=tuple(sorted(options.items())),
    )


def _hosts(server: str) -> tuple[str | None, str | None]:
    """`a:1,b:2` as libpq wants it: `a,b` and `1,2`."""
    hosts: list[str] = []
    ports: list[str] = []
    for one in server.split(","):
        bracketed = one.startswith("[")
        host, _, port = one[1:].partition("]") if bracketed else (one, "", "")
        if bracketed:
            port = port.removeprefix(":")
        else:
            host, _, port = one.partition(":")
        if port and not (port.isascii() and port.isdigit()):
            raise StoreUrlError("the port is not a number; : in a password is written %3A")
        hosts.append(unquote(host))
        ports.append(port)
    has_port = any(ports)
    return ",".join(hosts) or None, ",".join(ports) if has_port else None
