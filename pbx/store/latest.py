"""Tables that say what is, a row for each key: `put` on the call path, a writer task off it.

    put(key, value): the newest of each key --every 0.25 s--> rows --> one transaction a batch

What a key has is asked for when its row is made, so a storm of changes costs one row for each key and batch, and while
the database is down nothing has to be kept but the keys and their newest values.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import structlog
from sqlalchemy import ColumnElement, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import create_engine, database_url, forget, shown, unreachable
from .errors import one_line

BATCH_ROWS: Final = 2_000
SLICE_ROWS: Final = 200  # made in one go (under 1 ms); then the loop serves calls
GATHER_S: Final = 0.25  # how long changes gather before they are written
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0

Key = tuple[str, ...]
V = TypeVar("V")
_log = structlog.get_logger("pbx.store")


class LatestWriter(Generic[V]):
    """Writes one table whose first columns are its primary key.

    `columns_of(key, value)` gives the others as they are to be now; None deletes the row. `name` begins the counters,
    `what` the lines of the log. The journal is opened before and closed after: it migrates and holds the lock on the
    database.
    """

    def __init__(
        self, url: str, table: Table, columns_of: Callable[[Key, V], Sequence[object] | None], counters: Counter[str],
        *, name: str, what: str,
    ) -> None:  # fmt: skip
        """Raises BadUrl."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        self._table = table
        self._columns_of = columns_of
        self._counters = counters
        self._name, self._what = name, what
        self._pending: dict[Key, V] = {}  # in order, the oldest change first
        self._armed = True  # a wake-up is due or the writer works; not before `open`
        self._outage = False
        self._closing = False
        self._wake = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._upsert, self._delete = self._statements()

    def _statements(self) -> tuple[str, str]:
        """Compiled once: with the driver's placeholders, their parameters are rows and keys as they are."""
        dialect, table = self._engine.dialect, self._table
        insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        upsert = insert(table)
        keys = list(table.primary_key)
        new = {column.name: upsert.excluded[column.name] for column in table.c if column not in keys}
        upsert = upsert.on_conflict_do_update(index_elements=keys, set_=new)
        gone = delete(table).where(*[column == bindparam(f"old_{column.name}") for column in keys])
        return str(upsert.compile(dialect=dialect)), str(gone.compile(dialect=dialect))

    @property
    def pending(self) -> int:
        """Rows not yet written."""
        return len(self._pending)

    @property
    def idle(self) -> bool:
        """Whether all is written, and nothing is at work."""
        return not self._pending and not self._armed

    def put(self, key: Key, value: V) -> None:
        """What a key has is another than before. Never blocks, never raises."""
        self._pending[key] = value
        if not self._armed:
            self._arm()

    def drop(self, key: Key) -> None:
        """A change that waits, if there is one, need not be written: there is no row, and shall be none."""
        self._pending.pop(key, None)

    def waiting(self, key: Key) -> V | None:
        """What of a key is not yet written."""
        return self._pending.get(key)

    async def open(self, *where: ColumnElement[bool]) -> list[tuple[Any, ...]]:
        """The rows that were kept, or those `where` is true of; starts the writer. Raises DatabaseUnreachable, one
        line."""
        try:
            connection = await self._connect()
            found = (await connection.execute(select(self._table).where(*where))).all()
            await connection.commit()
        except Exception as error:
            await self.close()
            raise unreachable(self._url, error) from error
        self._task = asyncio.create_task(self._run(), name=f"{self._name} writer")
        self._arm()
        return [tuple(row) for row in found]

    async def close(self, deadline_s: float = 5.0) -> None:
        """Writes what waits. What is unwritten at the deadline is counted; later changes are not written."""
        task, self._task = self._task, None
        self._closing = True
        self._wake.set()
        if task is not None:
            _, late = await asyncio.wait((task,), timeout=deadline_s)
            if late:
                task.cancel()
                await asyncio.wait((task,))
            if self._pending:
                self._counters[f"{self._name}_lost"] += len(self._pending)
                _log.error(f"{self._what} unwritten at the end", lost=len(self._pending), database=shown(self._url))
        self._armed = True
        await self._disconnect()
        await self._engine.dispose()

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_later(GATHER_S, self._wake.set)

    async def _run(self) -> None:
        delay_s = FIRST_RETRY_S
        while self._pending or not self._closing:
            if not self._closing:
                await self._wake.wait()
                self._wake.clear()
            for _ in range(-(-len(self._pending) // BATCH_ROWS)):  # not what comes meanwhile: it shall gather
                if await self._write_batch():
                    delay_s = FIRST_RETRY_S
                    continue
                await asyncio.sleep(FIRST_RETRY_S if self._closing else delay_s)
                delay_s = min(2 * delay_s, LAST_RETRY_S)
            self._armed = False
            if self._pending:
                self._arm()

    async def _write_batch(self) -> bool:
        """False when the database can't be written to: its keys wait as before, their rows to be made anew."""
        taken: dict[Key, V] = {}
        try:
            await self._write(*await self._take(taken))
        except Exception as error:  # any is an outage: nothing else may end the writer
            self._pending = taken | self._pending
            self._failed(error)
            return False
        except asyncio.CancelledError:
            self._pending = taken | self._pending
            raise
        if self._outage:
            self._outage = False
            _log.warning(f"{self._what} are written again", pending=self.pending)
        self._counters[f"{self._name}_batches"] += 1
        self._counters[f"{self._name}_written"] += len(taken)
        return True

    async def _take(self, taken: dict[Key, V]) -> tuple[list[tuple[object, ...]], list[Key]]:
        """The rows of a batch and the keys of those that are no more; what was waiting for them goes into `taken`."""
        rows: list[tuple[object, ...]] = []
        gone: list[Key] = []
        for number, key in enumerate(list(self._pending)[:BATCH_ROWS]):
            if number % SLICE_ROWS == SLICE_ROWS - 1:
                await asyncio.sleep(0)
            if key not in self._pending:  # dropped while the loop served calls
                continue
            value = taken[key] = self._pending.pop(key)
            columns = self._columns_of(key, value)
            if columns is None:
                gone.append(key)
            else:
                rows.append((*key, *columns))
        return rows, gone

    def _failed(self, error: Exception) -> None:
        self._counters[f"{self._name}_retries"] += 1
        if not self._outage:
            self._outage = True
            _log.error(f"{self._what} cannot be written", error=one_line(error), database=shown(self._url))

    async def _write(self, rows: list[tuple[object, ...]], gone: list[Key]) -> None:
        try:
            connection = self._connection or await self._connect()
            if rows:
                await connection.exec_driver_sql(self._upsert, rows)
            if gone:
                await connection.exec_driver_sql(self._delete, gone)
            await connection.commit()
        except BaseException:
            await self._disconnect()
            raise

    async def _connect(self) -> AsyncConnection:
        self._connection = await self._engine.connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        await forget(connection)
