"""The contacts of phones and trunks, kept so that a restart forgets none: `changed` on the registrar's path, a writer
task off it.

    Location.on_write -> changed(aor): a set of AORs --every 0.25 s--> their contacts by then -> one transaction

What is written is what an AOR has at that time, so a storm of refreshes costs one row for each AOR and batch, and
nothing has to be kept while the database is down but the names. The set is no larger than the site has logins.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import create_engine, database_url, shown, unreachable
from .errors import one_line
from .tables import bindings

BATCH_AORS: Final = 2_000
SLICE_AORS: Final = 50  # encoded in one go (under 1 ms); then the loop serves calls
GATHER_S: Final = 0.25  # how long changes gather before they are written
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0

Record = dict[str, Any]
"""One contact, as JSON holds it; `expires_at` is among its keys."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
_log = structlog.get_logger("pbx.store")


class BindingStore:
    """`contacts_of(aor)` gives what an AOR has now; nothing means that it is not registered.

    The journal is opened before and closed after: it migrates and holds the lock on the database.
    """

    def __init__(self, url: str, contacts_of: Callable[[str], list[Record]], counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        self._contacts_of = contacts_of
        self._counters = counters
        self._changed: dict[str, None] = {}  # in order, the oldest change first
        self._armed = True  # a wake-up is due or the writer works; not before `open`
        self._outage = False
        self._closing = False
        self._wake = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None
        dialect = self._engine.dialect
        insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        upsert = insert(bindings)
        new = {name: upsert.excluded[name] for name in ("expires_at", "contacts")}
        # Compiled once: with the driver's placeholders, its parameters are the rows as they are.
        self._upsert = str(upsert.on_conflict_do_update(index_elements=["aor"], set_=new).compile(dialect=dialect))

    @property
    def pending(self) -> int:
        """AORs whose contacts are not yet written."""
        return len(self._changed)

    def changed(self, aor: str) -> None:
        """The contacts of an AOR are others than before. Never blocks, never raises."""
        self._changed[aor] = None
        if not self._armed:
            self._arm()

    async def open(self) -> list[tuple[str, list[Record]]]:
        """What was kept, a list for each AOR; starts the writer. Raises DatabaseUnreachable, one line."""
        try:
            connection = await self._connect()
            found = (await connection.execute(select(bindings.c.aor, bindings.c.contacts))).all()
            await connection.commit()
        except Exception as error:
            await self.close()
            raise unreachable(self._url, error) from error
        self._task = asyncio.create_task(self._run(), name="bindings writer")
        self._arm()
        return [(aor, self._decode(aor, text)) for aor, text in found]

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
            if self._changed:
                self._counters["bindings_lost"] += len(self._changed)
                _log.error("contacts unwritten at the end", lost=len(self._changed), database=shown(self._url))
        self._armed = True
        await self._disconnect()
        await self._engine.dispose()

    def _decode(self, aor: str, text: str) -> list[Record]:
        try:
            records = json.loads(text)
            return [record for record in records if isinstance(record, dict)]
        except (ValueError, TypeError, RecursionError) as error:
            self._counters["bindings_unreadable"] += 1
            _log.error("contacts cannot be read", aor=aor, error=one_line(error))
            return []

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_later(GATHER_S, self._wake.set)

    async def _run(self) -> None:
        delay_s = FIRST_RETRY_S
        while self._changed or not self._closing:
            if not self._closing:
                await self._wake.wait()
                self._wake.clear()
            for _ in range(-(-len(self._changed) // BATCH_AORS)):  # not what comes meanwhile: it shall gather
                if await self._write_batch():
                    delay_s = FIRST_RETRY_S
                    continue
                await asyncio.sleep(FIRST_RETRY_S if self._closing else delay_s)
                delay_s = min(2 * delay_s, LAST_RETRY_S)
            self._armed = False
            if self._changed:
                self._arm()

    async def _write_batch(self) -> bool:
        """False when the database can't be written to: its AORs are changed as before, to be read anew."""
        aors = list(self._changed)[:BATCH_AORS]
        rows: list[tuple[str, float, str]] = []
        gone: list[str] = []
        for number, aor in enumerate(aors):
            if number % SLICE_AORS == SLICE_AORS - 1:
                await asyncio.sleep(0)
            del self._changed[aor]
            if records := self._contacts_of(aor):
                rows.append((aor, max([record["expires_at"] for record in records]), _encode(records)))
            else:
                gone.append(aor)
        try:
            await self._write(rows, gone)
        except Exception as error:  # any is an outage: nothing else may end the writer
            self._failed(aors, error)
            return False
        except asyncio.CancelledError:
            self._changed |= dict.fromkeys(aors)
            raise
        if self._outage:
            self._outage = False
            _log.warning("contacts are written again", pending=self.pending)
        self._counters["bindings_batches"] += 1
        self._counters["bindings_written"] += len(aors)
        return True

    def _failed(self, aors: list[str], error: Exception) -> None:
        self._changed = dict.fromkeys(aors) | self._changed
        self._counters["bindings_retries"] += 1
        if not self._outage:
            self._outage = True
            _log.error("contacts cannot be written", error=one_line(error), database=shown(self._url))

    async def _write(self, rows: list[tuple[str, float, str]], gone: list[str]) -> None:
        try:
            connection = self._connection or await self._connect()
            if rows:
                await connection.exec_driver_sql(self._upsert, rows)
            if gone:
                await connection.execute(delete(bindings).where(bindings.c.aor.in_(gone)))
            await connection.commit()
        except BaseException:
            await self._disconnect()
            raise

    async def _connect(self) -> AsyncConnection:
        self._connection = await self._engine.connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                await connection.invalidate()
            with suppress(Exception):
                await connection.close()
