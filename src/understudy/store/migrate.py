"""Brings a store's tables to this program's schema, once, whoever starts first."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from understudy.ports import StoreNewerError
from understudy.store.faults import store_error
from understudy.store.schema import VERSION_TABLE

__all__ = ["is_migrated", "migrate"]

#: Of the lock that one of several processes migrates under; any number that is ours.
_LOCK: Final = int.from_bytes(b"understu", "big")


def migrate(engine: Engine) -> None:
    """Run what is missing, all of it or nothing.

    Raises:
        StoreNewerError: the store is at a revision that this program does not know.
        StoreError: the engine failed.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Until the end of the transaction; others wait, and then find nothing to do.
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            _upgrade(connection)
    except SQLAlchemyError as error:
        raise store_error(error) from None


def is_migrated(engine: Engine) -> bool:
    """Whether nothing is missing.

    Raises:
        StoreNewerError: the store is at a revision that this program does not know.
        StoreError: the engine failed.
    """
    try:
        with engine.connect() as connection:
            script, _ = _script(connection)
            return _standing(connection, script) == script.get_current_head()
    except SQLAlchemyError as error:
        raise store_error(error) from None


def _upgrade(connection: Connection) -> None:
    script, config = _script(connection)
    if _standing(connection, script) != script.get_current_head():
        command.upgrade(config, "head")


def _script(connection: Connection) -> tuple[ScriptDirectory, Config]:
    config = Config()
    # A % would begin an interpolation.
    folder = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.attributes["connection"] = connection
    return ScriptDirectory.from_config(config), config


def _standing(connection: Connection, script: ScriptDirectory) -> str | None:
    """The revision that the tables are at; None: there are none."""
    known = {revision.revision for revision in script.walk_revisions()}
    standing = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
    if standing is not None and standing not in known:
        raise StoreNewerError(
            f"the store's schema is at {standing}, this program's at "
            f"{script.get_current_head()}: a newer Understudy has been here"
        )
    return standing
