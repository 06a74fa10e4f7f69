"""The writer's one connection: the lock, a batch in one transaction, the journal read back in order."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from typing import Final, NamedTuple

from sqlalchemy import Dialect, bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .batch import Batch
from .cdr import KINDS
from .engine import create_engine, database_url, forget, shown, unreachable
from .errors import DatabaseInUse, DatabaseUnreachable, StoreError
from .intervals import TABLES, put_sql
from .migrate import upgrade
from .rows import JournalRow
from .tables import cdr, journal, projection

PAGE_ROWS: Final = 5_000
_ADVISORY_LOCK: Final = 0x506C6174  # "Plat"


class Position(NamedTuple):
    """Where the journal and the projection of call records stand."""

    seq: int  # the journal's last number, 0 when empty
    at: float  # of its last event, 0.0 when empty
    projected: int  # the call records are made up to here
    open_from: int  # calls open then began here or later


class Database:
    """Raises StoreError from `open`; later errors are the driver's own, and `drop` makes it fit for `reconnect`."""

    def __init__(self, url: str) -> None:
        self._url = database_url(url)
        self._engine: AsyncEngine = create_engine(self._url)
        self._connection: AsyncConnection | None = None
        self._lock_file: int | None = None
        dialect = self._engine.dialect
        # Compiled once: with the driver's placeholders, its parameters are the rows as they are.
        self._insert_journal = str(insert(journal).compile(dialect=dialect))
        self._insert_cdr = str(insert(cdr).compile(dialect=dialect))
        self._note_cdr = note_sql(dialect)
        self._put_intervals = {kind: put_sql(table, dialect) for kind, table in TABLES.items()}

    @property
    def name(self) -> str:
        return shown(self._url)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def unreachable(self, error: BaseException) -> DatabaseUnreachable:
        return unreachable(self._url, error)

    async def open(self) -> None:
        """Connects, takes the lock, migrates. Raises DatabaseInUse, DatabaseUnreachable."""
        try:
            self._lock_sqlite_file()
            connection = await self.reconnect()
            await connection.run_sync(upgrade)
            await connection.commit()
        except StoreError:
            await self.close()
            raise
        except Exception as error:
            await self.close()
            raise self.unreachable(error) from error

    async def reconnect(self) -> AsyncConnection:
        connection = await self._engine.connect()
        self._connection = connection
        if self._engine.dialect.name == "postgresql":
            # A session's lock: it goes with the connection, so a reconnect takes it again.
            held = await connection.scalar(text(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})"))
            await connection.commit()
            if not held:
                await self.drop()
                raise DatabaseInUse(f"records: {self.name}: another server writes here")
        return connection

    async def position(self) -> Position:
        connection = self._live()
        newest = select(journal.c.seq, journal.c.at).order_by(journal.c.seq.desc()).limit(1)
        last = (await connection.execute(newest)).first()
        mark = (
            await connection.execute(
                select(projection.c.seq, projection.c.open_from).where(projection.c.name == "cdr")
            )
        ).one()
        await connection.commit()
        seq, at = last if last is not None else (0, 0.0)
        return Position(seq, at, *mark)

    async def page(self, after: int) -> list[JournalRow]:
        """The next rows of the journal that matter to call records."""
        rows = await read_page(self._live(), after)
        await self._live().commit()
        return rows

    async def written(self, batch: Batch) -> bool:
        """Whether a batch whose commit went unanswered is in the database."""
        connection = self._live()
        seq = await connection.scalar(select(func.coalesce(func.max(projection.c.seq), 0)))
        await connection.commit()
        return seq is not None and seq >= batch.seq

    async def write(self, batch: Batch) -> None:
        """All of the batch or nothing."""
        connection = self._live()
        if batch.rows:
            await connection.exec_driver_sql(self._insert_journal, batch.rows)
        if batch.cdrs:
            await connection.exec_driver_sql(self._insert_cdr, batch.cdrs)
        if batch.notes:
            await connection.exec_driver_sql(self._note_cdr, batch.notes)
        for kind, put in self._put_intervals.items():
            if rows := [row.parameters for row in batch.intervals if type(row) is kind]:
                await connection.exec_driver_sql(put, rows)
        await connection.execute(
            update(projection).where(projection.c.name == "cdr").values(seq=batch.seq, open_from=batch.open_from)
        )
        await connection.commit()

    async def drop(self) -> None:
        """Forget the connection after an error; whatever it had not committed is gone."""
        connection, self._connection = self._connection, None
        await forget(connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError, OSError):
                await connection.close()
        await self._engine.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _live(self) -> AsyncConnection:
        if self._connection is None:
            raise DatabaseUnreachable(f"records: {self.name}: not connected")
        return self._connection

    def _lock_sqlite_file(self) -> None:
        if self._engine.dialect.name != "sqlite":
            return
        self._lock_file = os.open(f"{self._url.database}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(f"records: {self.name}: another server writes here") from None


def note_sql(dialect: Dialect) -> str:
    """A call's disposition into its record, of rows as `Note`."""
    which = (cdr.c.call_id == bindparam("noted_call"), cdr.c.seq < bindparam("noted_at"))
    return str(update(cdr).where(*which).values(disposition=bindparam("noted")).compile(dialect=dialect))


async def read_page(connection: AsyncConnection, after: int) -> list[JournalRow]:
    """Up to `PAGE_ROWS` rows after number `after`, only of the kinds that a call record is made of."""
    found = await connection.execute(
        select(journal)
        .where(journal.c.seq > after, journal.c.kind.in_(KINDS))
        .order_by(journal.c.seq)
        .limit(PAGE_ROWS)
    )
    return [JournalRow(seq, at, kind, call_id, json.loads(data)) for seq, at, kind, call_id, data in found]
