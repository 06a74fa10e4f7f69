"""The ACD kept: checkpoints of its whole state and its inputs since. `append` on the call path, a writer task off it.

    append(input) --every 0.25 s--> one row of inputs         one transaction
    every so many inputs, at once after a reload, at close: --> a checkpoint; what is older than the one before it goes

A checkpoint says all that the inputs before it did. So when more inputs wait for a database that is away than may, they
are thrown away and a checkpoint takes their place once it is back: there is no gap, unless the server is killed before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .aside import aside
from .engine import create_engine, database_url, forget, shown, unreachable
from .errors import one_line
from .tables import floor_checkpoints, floor_inputs

GATHER_S: Final = 0.25  # how long inputs gather before they are written
ROW_INPUTS: Final = 5_000  # at most in one row
PAUSE_S: Final = 0.005  # that the loop may stand still for a checkpoint
EVERY_INPUTS: Final = 5_000  # a checkpoint after so many, or later if it is large:
BYTES_AN_INPUT: Final = 50  # of a checkpoint; reading one back then costs about what replaying the inputs does
KEPT_CHECKPOINTS: Final = 2  # the older one for the case that the newest cannot be read
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0

_log = structlog.get_logger("pbx.store")


class KeptCheckpoint(NamedTuple):
    number: int  # inputs before it
    at: float
    text: str


class KeptInputs(NamedTuple):
    first: int  # number of the first
    inputs: int
    data: str  # a JSON array


class FloorStore:
    """`snapshot` gives time and text of a checkpoint of the state as it is. One thread: the event loop's. The journal
    is opened before and closed after: it migrates and holds the lock on the database."""

    def __init__(
        self, url: str, snapshot: Callable[[], tuple[float, bytes]], counters: Counter[str], *, buffer_inputs: int
    ) -> None:
        """Raises BadUrl."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        self._snapshot = snapshot
        self._counters = counters
        self._bound = buffer_inputs
        self._first = 0  # number of the first input in the buffer
        self._buffer: list[bytes] = []
        self._unwritten = 0  # inputs that the database does not know of
        self._since = 0  # inputs since the newest checkpoint
        self._every = EVERY_INPUTS
        self._takes_s = 0.0  # a checkpoint, when the last one was made here
        self._due = False  # a checkpoint is wanted
        self._gap = False  # a row can't go on where the last one ended: no input is gathered until a checkpoint is made
        self._armed = True  # a wake-up is due or the writer works; not before `start`
        self._outage = False
        self._closing = False
        self._wake = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None
        dialect = self._engine.dialect
        insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        self._statements = []
        for table in (floor_inputs, floor_checkpoints):  # a row whose commit went unanswered is written again
            upsert = insert(table)
            keys = list(table.primary_key)
            new = {column.name: upsert.excluded[column.name] for column in table.c if column not in keys}
            upsert = upsert.on_conflict_do_update(index_elements=keys, set_=new)
            self._statements.append(str(upsert.compile(dialect=dialect)))

    @property
    def pending(self) -> int:
        """Inputs not yet written."""
        return self._unwritten

    def append(self, entry: bytes | None) -> None:
        """An input; None: something that only a checkpoint can tell. Never blocks, never raises."""
        self._unwritten += 1
        self._since += 1
        if entry is None:
            self._due = self._gap = True
        elif not self._gap:  # else the checkpoint that is to be made says it, too
            self._buffer.append(entry)
            if len(self._buffer) >= self._bound:
                self._overflow()
        if not self._armed:
            self._arm()

    async def read(self) -> tuple[list[KeptCheckpoint], list[KeptInputs]]:
        """What the last server left: checkpoints, the newest first, and inputs in order. Raises DatabaseUnreachable."""
        try:
            connection = self._connection or await self._connect()
            found = await connection.execute(select(floor_checkpoints).order_by(floor_checkpoints.c.number.desc()))
            checkpoints = [KeptCheckpoint(*row) for row in found]
            rows = await connection.execute(select(floor_inputs).order_by(floor_inputs.c.first))
            inputs = [KeptInputs(*row) for row in rows]
            await connection.commit()
        except Exception as error:
            await self.close()
            raise unreachable(self._url, error) from error
        last = [0, *(one.number for one in checkpoints[:1]), *(row.first + row.inputs for row in inputs[-1:])]
        self._first = max(last) + 1  # nothing of the last server leads up to what this one keeps
        return checkpoints, inputs

    def start(self) -> None:
        """Inputs are written from now on, after a checkpoint of what is now."""
        self._due = True
        self._task = asyncio.create_task(self._run(), name="floor writer")
        self._arm()

    async def close(self, deadline_s: float = 5.0) -> None:
        """Writes what waits, and a checkpoint. What is unwritten at the deadline is counted."""
        task, self._task = self._task, None
        self._due |= self._since > 0
        self._closing = True
        self._wake.set()
        if task is not None:
            _, late = await asyncio.wait((task,), timeout=deadline_s)
            if late:
                task.cancel()
                await asyncio.wait((task,))
            if self._unwritten:
                self._counters["floor_inputs_lost"] += self._unwritten
                _log.error("inputs of the queues unwritten at the end", lost=self._unwritten, database=shown(self._url))
        self._armed = True
        await self._disconnect()
        await self._engine.dispose()

    def _overflow(self) -> None:
        """Too many wait: a checkpoint will say what they did."""
        self._counters["floor_inputs_dropped"] += len(self._buffer)
        _log.error("too many inputs of the queues wait for the database: a checkpoint takes their place",
                   dropped=len(self._buffer), database=shown(self._url))  # fmt: skip
        self._forget_waiting()
        self._due = True

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_later(GATHER_S, self._wake.set)

    async def _run(self) -> None:
        delay_s = FIRST_RETRY_S
        while self._buffer or self._due or not self._closing:
            if not self._closing:
                await self._wake.wait()
                self._wake.clear()
            if await self._write():
                delay_s = FIRST_RETRY_S
            else:
                await asyncio.sleep(FIRST_RETRY_S if self._closing else delay_s)
                delay_s = min(2 * delay_s, LAST_RETRY_S)
            self._armed = False
            if self._buffer or self._due:
                self._arm()

    async def _write(self) -> bool:
        """False when the database can't be written to: what waited waits, or a checkpoint will take its place."""
        first, taken, unwritten = self._first, self._buffer, self._unwritten
        self._first, self._buffer = first + len(taken), []
        wanted = self._due or self._since >= self._every
        checkpoint = await self._checkpoint() if wanted else None
        try:
            await self._store(self._rows(first, taken), checkpoint)
        except Exception as error:
            await self._disconnect()
            if checkpoint is not None:  # a new one, as all is then, says all that this one did
                self._forget_waiting()
                self._due = True
            else:
                self._first, self._buffer = first, taken + self._buffer
                if len(self._buffer) >= self._bound:
                    self._overflow()
            self._failed(error)
            return False
        self._unwritten -= unwritten
        if self._outage:
            self._outage = False
            _log.warning("queues and agents are kept again", pending=self.pending)
        self._counters["floor_inputs_written"] += len(taken)
        self._counters["floor_checkpoints_written"] += checkpoint is not None
        return True

    async def _checkpoint(self) -> KeptCheckpoint | None:
        """Of this moment, though inputs may come while it is made. One that takes long is made by a copy of the
        process: the loop would stand still."""
        gap, self._gap, self._due, self._since = self._gap, False, False, 0
        if gap:
            self._first += 1  # no row before this number leads up to it
        number, started, elsewhere = self._first, perf_counter(), self._takes_s > PAUSE_S and not self._closing
        try:
            line = await aside(self._line) if elsewhere else self._line()
        except Exception as error:  # a fault in the program, no memory for a copy: it shall not end the writer
            self._counters["floor_checkpoints_failed"] += 1
            _log.error("no checkpoint of the queues could be made", error=one_line(error))
            self._due, self._takes_s = elsewhere, 0.0  # the next one is made here
            if gap:
                self._forget_waiting()
            return None
        if not elsewhere:
            self._takes_s = perf_counter() - started
            self._counters["floor_checkpoint_microseconds"] += int(self._takes_s * 1e6)
        at, _, text = line.partition(b"\n")
        self._every = max(EVERY_INPUTS, len(text) // BYTES_AN_INPUT)
        return KeptCheckpoint(number, float(at), text.decode())

    def _forget_waiting(self) -> None:
        """No input that waits leads up to anything: a checkpoint is to say all of them."""
        self._first += len(self._buffer)
        self._buffer.clear()
        self._gap = True

    def _line(self) -> bytes:
        at, text = self._snapshot()
        return b"%r\n%b" % (at, text)

    @staticmethod
    def _rows(first: int, entries: Sequence[bytes]) -> list[tuple[int, int, str]]:
        return [
            (first + at, len(some), "[" + b",".join(some).decode() + "]")
            for at in range(0, len(entries), ROW_INPUTS)
            for some in (entries[at : at + ROW_INPUTS],)
        ]

    async def _store(self, rows: list[tuple[int, int, str]], checkpoint: KeptCheckpoint | None) -> None:
        connection = self._connection or await self._connect()
        inputs, checkpoints = self._statements
        if rows:
            await connection.exec_driver_sql(inputs, rows)
        if checkpoint is not None:
            await connection.exec_driver_sql(checkpoints, [tuple(checkpoint)])
            oldest = (
                select(floor_checkpoints.c.number).order_by(floor_checkpoints.c.number.desc()).limit(KEPT_CHECKPOINTS)
            ).subquery()
            keep_from = select(func.min(oldest.c.number)).scalar_subquery()
            await connection.execute(delete(floor_checkpoints).where(floor_checkpoints.c.number < keep_from))
            await connection.execute(delete(floor_inputs).where(floor_inputs.c.first < keep_from))
        await connection.commit()

    def _failed(self, error: BaseException) -> None:
        self._counters["floor_retries"] += 1
        if not self._outage:
            self._outage = True
            _log.error("queues and agents cannot be kept", error=one_line(error), database=shown(self._url))

    async def _connect(self) -> AsyncConnection:
        self._connection = await self._engine.connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        await forget(connection)
