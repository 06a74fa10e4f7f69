"""Brings a database to this version's schema, from any earlier one; no command and no ini file needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event

from .errors import LaterTables


def upgrade(connection: Connection) -> None:
    """Idempotent. Commits each migration by itself, so that a failure leaves a version, not a half of one. Raises
    LaterTables."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    made, known = MigrationContext.configure(connection).get_current_revision(), ScriptDirectory.from_config(config)
    if made is not None and made not in {one.revision for one in known.walk_revisions()}:
        raise LaterTables(
            f"a later version made these tables ({made}; this one knows {known.get_current_head()} at most): "
            "start that one, or go back to a backup"
        )
    connection.rollback()  # what was asked is a transaction of its own
    if connection.dialect.name != "sqlite":
        command.upgrade(config, "head")
        return
    event.listen(connection, "begin", _begin)
    command.upgrade(config, "head")
    event.remove(connection, "begin", _begin)


def _begin(connection: Connection) -> None:
    """Python's SQLite driver begins a transaction before INSERT and UPDATE only, and lets each CREATE and ALTER commit
    itself."""
    connection.exec_driver_sql("BEGIN")
