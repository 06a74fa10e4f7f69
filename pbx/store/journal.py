"""The journal as the server holds it: `append` on the call path, a writer task off it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final

import structlog

from .batch import Batch, Batcher
from .database import Database
from .errors import one_line
from .restore import restore

BATCH_EVENTS: Final = 2_000
SLICE_EVENTS: Final = 100  # encoded in one go (under 1 ms); then the loop serves calls
GATHER_S: Final = 0.25  # how long events gather before they are written
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0

_log = structlog.get_logger("pbx.store")


class Journal:
    """Events in, without ever waiting; rows and call records in the database a quarter of a second later.

    An event must not change once it was appended. One thread: the event loop's.
    """

    def __init__(self, url: str, buffer_events: int, counters: Counter[str]) -> None:
        """Raises BadUrl. `buffer_events` bounds what waits for the database, the batch at work included."""
        self._database = Database(url)
        self._buffer: deque[object] = deque()
        self._bound = buffer_events
        self._counters = counters
        self._in_flight = 0  # events of the batch at work
        self._done = 0  # events written or given up, ever
        self._armed = True  # a wake-up is due or the writer works; not before `open`
        self._outage = False
        self._dropped = 0  # in this outage
        self._closing = False
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Events not yet in the database."""
        return len(self._buffer) + self._in_flight

    @property
    def down(self) -> bool:
        """Whether the database can't be written to now."""
        return self._outage

    def append(self, event: object) -> None:
        """Any frozen dataclass with `at`. Never blocks, never raises; dropped and counted when the buffer is full."""
        if len(self._buffer) + self._in_flight >= self._bound:
            self._drop()
            return
        self._buffer.append(event)
        if not self._armed:
            self._arm()

    async def open(self, standing: Callable[[], Awaitable[Collection[str]]] | None = None) -> None:
        """Migrates, ends the calls that died with the last server, starts the writer. `standing` says, once the tables
        are there, which calls outlived it. Raises StoreError, one line."""
        await self._database.open()
        try:
            batcher = await restore(self._database, () if standing is None else await standing())
        except Exception as error:
            await self._database.close()
            raise self._database.unreachable(error) from error
        self._task = asyncio.create_task(self._run(batcher), name="journal writer")
        self._arm()

    async def flush(self) -> None:
        """Returns when all that was appended before is in the database (never, while it is down)."""
        target = self._done + self.pending
        self._wake.set()
        while self._done < target:
            await self._progress.wait()

    async def settle(self, within_s: float = 2.0) -> None:
        """`flush`, but for no longer than this, and not while the database is down."""
        if not self.down:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.flush(), within_s)

    async def close(self, deadline_s: float = 10.0) -> None:
        """Writes all that waits; what is unwritten at the deadline is counted and logged. Later events are dropped.

        A database that does not answer at all costs 2 s more.
        """
        task, self._task = self._task, None
        self._bound, self._closing = 0, True
        self._wake.set()
        if task is not None:
            _, late = await asyncio.wait((task,), timeout=deadline_s)
            if late:
                task.cancel()
                await asyncio.wait((task,))
                await self._database.drop()  # an orderly close would wait for a database that does not answer
        if lost := self.pending:
            self._counters["journal_lost"] += lost
            _log.error("journal closed with events unwritten", lost=lost, database=self._database.name)
        await self._database.close()

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_later(GATHER_S, self._wake.set)

    def _drop(self) -> None:
        self._counters["journal_dropped"] += 1
        self._dropped += 1
        if self._dropped == 1 and not self._closing:
            _log.error("journal buffer full, events are dropped", pending=self.pending, database=self._database.name)

    async def _run(self, batcher: Batcher) -> None:
        while self._buffer or not self._closing:
            if not self._closing:
                await self._wake.wait()
            self._wake.clear()
            due = len(self._buffer)  # not what comes meanwhile: it shall gather into a batch of its own
            while due > 0:
                batch = await self._next_batch(batcher, min(due, BATCH_EVENTS))
                due -= self._in_flight
                await self._write(batch)
                self._done += self._in_flight
                self._in_flight = 0
                self._progress.set()
                self._progress.clear()
            self._armed = False
            if self._buffer:
                self._arm()

    async def _next_batch(self, batcher: Batcher, events: int) -> Batch:
        batch = batcher.begin()
        while self._in_flight < events:
            if self._in_flight:
                await asyncio.sleep(0)
            for _ in range(min(SLICE_EVENTS, events - self._in_flight)):
                event = self._buffer.popleft()
                self._in_flight += 1
                try:
                    batcher.add(batch, event)
                except Exception as error:
                    self._reject(event, error)
        batcher.finish(batch)
        return batch

    def _reject(self, event: object, error: Exception) -> None:
        self._counters["journal_rejected"] += 1
        _log.error("event cannot be journalled", kind=type(event).__name__, error=one_line(error))

    async def _write(self, batch: Batch) -> None:
        """Until it is written: an error of any kind is an outage, because nothing else may end the writer."""
        delay_s = FIRST_RETRY_S
        while True:
            try:
                if not await self._written_before(batch):
                    await self._database.write(batch)
                break
            except Exception as error:
                await self._database.drop()
                self._counters["journal_retries"] += 1
                if not self._outage:
                    self._outage = True
                    _log.error("journal cannot be written", error=one_line(error), database=self._database.name)
            await self._pause(delay_s)
            delay_s = min(2 * delay_s, LAST_RETRY_S)
        self._counters["journal_batches"] += 1
        self._counters["journal_written"] += len(batch.rows)
        self._counters["cdr_written"] += len(batch.cdrs)
        if self._outage or self._dropped:
            _log.warning("journal is written again", dropped=self._dropped, pending=self.pending - self._in_flight)
            self._outage, self._dropped = False, 0

    async def _written_before(self, batch: Batch) -> bool:
        """After a lost connection: was it lost before or after the commit?"""
        if self._database.connected:
            return False
        await self._database.reconnect()
        return await self._database.written(batch)

    async def _pause(self, delay_s: float) -> None:
        if self._closing:
            await asyncio.sleep(FIRST_RETRY_S)
            return
        self._wake.clear()
        handle = asyncio.get_running_loop().call_later(delay_s, self._wake.set)
        await self._wake.wait()  # `close` and `flush` wake it earlier
        handle.cancel()
