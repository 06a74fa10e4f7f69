"""Brings a database to this version's schema, from any earlier one; no command and no ini file needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event


def upgrade(connection: Connection) -> None:
    """Idempotent. Commits each migration by itself, so that a failure leaves a version, not a half of one."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
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
