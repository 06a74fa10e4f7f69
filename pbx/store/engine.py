"""From the URL of the site file to an asynchronous engine: driver, pragmas, timeouts."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from threading import Thread
from typing import Any, Final

import aiosqlite
from sqlalchemy import URL, NullPool, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from .errors import BadUrl, DatabaseUnreachable, one_line

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

CONNECT_TIMEOUT_S: Final = 5.0
COMMAND_TIMEOUT_S: Final = 30.0
LOCKED_TIMEOUT_S: Final = 1.0  # how long SQLite waits for another writer before it says "locked"

# A server whose machine vanished lets go of the writer's lock within 25 s instead of two hours.
_POSTGRES_SETTINGS: Final = {
    "application_name": "plateau",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def database_url(text: str) -> URL:
    """The URL with our driver in it. Raises BadUrl."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadUrl("records: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE") from None
    name = url.get_backend_name()
    if url.drivername not in (name, DRIVERS.get(name)) or name not in DRIVERS:
        raise BadUrl(f"records: expected sqlite:///FILE or postgresql://... (found {url.drivername}://)")
    if name == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadUrl("records: expected a file, as sqlite:///plateau.db")
    return url.set(drivername=DRIVERS[name])


def shown(url: URL) -> str:
    """The URL as the admin wrote it, the password hidden."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def unreachable(url: URL, error: BaseException) -> DatabaseUnreachable:
    """One line: which database, and what its driver says."""
    says = one_line(error)
    if "no such table" in says or re.search(r"relation .* does not exist", says):
        says = "no records in it (did the server run here?)"
    return DatabaseUnreachable(f"records: {shown(url)}: {says}")


def check_exists(url: URL) -> None:
    """For readers: SQLite would make an empty file where there is none. Raises FileNotFoundError."""
    if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
        raise FileNotFoundError("no such file (did the server run here?)")


class _SqliteEngine(AsyncEngine):
    """Waits, when disposed of, for the threads of its connections: one that could not be opened or was given up says so
    to the event loop a moment later, and if that has ended by then there is a traceback on the terminal."""

    def __init__(self, url: URL) -> None:
        how = {"timeout": LOCKED_TIMEOUT_S, "async_creator_fn": self._open}
        super().__init__(create_async_engine(url, poolclass=NullPool, connect_args=how).sync_engine)
        event.listen(self.sync_engine, "connect", _sqlite_pragmas)
        self._threads: list[Thread] = []

    async def dispose(self, close: bool = True) -> None:
        await super().dispose(close)
        for thread in self._alive():  # none waits longer than that for another writer
            await asyncio.to_thread(thread.join, 2 * LOCKED_TIMEOUT_S)

    def _open(self, *path: Any, **how: Any) -> aiosqlite.Connection:
        connection = aiosqlite.connect(*path, **how)
        connection._thread.daemon = True
        self._threads = [*self._alive(), connection._thread]
        return connection

    def _alive(self) -> list[Thread]:
        return [thread for thread in self._threads if thread.is_alive()]


def create_engine(url: URL) -> AsyncEngine:
    """Without a pool: the writer keeps its one connection, readers are few and short."""
    if url.get_backend_name() == "sqlite":
        return _SqliteEngine(url)
    how = {"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S, "server_settings": _POSTGRES_SETTINGS}
    return create_async_engine(url, poolclass=NullPool, connect_args=how)


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    # WAL: readers never wait for the writer; 16 MB of it, because moving pages into the file costs.
    # NORMAL: a power cut may lose the last batches, never corrupt the file.
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=4000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def forget(connection: AsyncConnection | None) -> None:
    """A connection after an error; whatever it had not committed is gone."""
    if connection is not None:
        with suppress(Exception):
            await connection.invalidate()
        with suppress(Exception):
            await connection.close()
