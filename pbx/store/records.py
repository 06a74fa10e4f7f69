"""What others read: call records and the events of a call. Works beside a running server and without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from math import inf
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Select, event, func, select, union

from .cdr import CdrRow
from .database import PAGE_ROWS
from .engine import check_exists, create_engine, database_url, unreachable
from .intervals import AgentRow, CallsRow, IvrRow
from .restore import rebuild_cdrs
from .rows import JournalRow
from .tables import agent_intervals, calls_intervals, cdr, ivr_intervals, journal, standing_calls

__all__ = ["CdrRow", "JournalRow", "Records", "rebuild_cdrs"]

CLOCK_SET_BACK_S: Final = 600.0  # rows may be out of the order of time by so much


class Records:
    """Read only. Every method raises DatabaseUnreachable, one line, when there is nothing to read from."""

    def __init__(self, url: str) -> None:
        """Raises BadUrl; connects only when asked something."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _read_only)

    async def __aenter__(self) -> Records:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._engine.dispose()

    async def cdrs(
        self,
        limit: int = 20,
        *,
        since: float | None = None,
        before: float | None = None,
        queue: str | None = None,
        agent: str | None = None,
        call_id: str | None = None,
    ) -> list[CdrRow]:
        """The last calls that are over, latest start first; `since` <= start < `before`, seconds since 1970."""
        query = select(cdr).order_by(cdr.c.started_at.desc(), cdr.c.seq.desc()).limit(limit)
        if since is not None:
            query = query.where(cdr.c.started_at >= since)
        if before is not None:
            query = query.where(cdr.c.started_at < before)
        for column, value in ((cdr.c.queue, queue), (cdr.c.agent, agent), (cdr.c.call_id, call_id)):
            if value is not None:
                query = query.where(column == value)
        return [CdrRow(*row) for row in await self._read(query)]

    async def events(self, call_id: str) -> list[JournalRow]:
        """All that happened to a call, in order."""
        rows = await self._read(select(journal).where(journal.c.call_id == call_id).order_by(journal.c.seq))
        return [JournalRow(seq, at, kind, id_, json.loads(data)) for seq, at, kind, id_, data in rows]

    async def calls_intervals(
        self, kind: str, since: float, before: float, name: str | None = None
    ) -> list[CallsRow]:
        """Quarters of an hour of queues or skills (`kind`) that began in that time, in order of time, then of name."""
        table = calls_intervals
        query = select(table).where(table.c.kind == kind, table.c.start >= since, table.c.start < before)
        if name is not None:
            query = query.where(table.c.name == name)
        query = query.order_by(table.c.start, table.c.name, table.c.channel)
        rows = await self._read(query)
        return [CallsRow(row[0], row[1], row[2], row[3], json.loads(row[4]), tuple(row[5:])) for row in rows]

    async def agent_intervals(self, since: float, before: float, name: str | None = None) -> list[AgentRow]:
        """Likewise of agents."""
        table = agent_intervals
        query = select(table).where(table.c.start >= since, table.c.start < before)
        if name is not None:
            query = query.where(table.c.agent == name)
        rows = await self._read(query.order_by(table.c.start, table.c.agent))
        return [AgentRow(row[0], row[1], json.loads(row[2]), json.loads(row[3]), tuple(row[4:])) for row in rows]

    async def ivr_intervals(self, since: float, before: float, name: str | None = None) -> list[IvrRow]:
        """Likewise of states of flows; `name` is FLOW/STATE."""
        table = ivr_intervals
        query = select(table).where(table.c.start >= since, table.c.start < before)
        if name is not None:
            query = query.where(table.c.flow + "/" + table.c.state == name)
        rows = await self._read(query.order_by(table.c.start, table.c.flow, table.c.state))
        return [IvrRow(row[0], row[1], row[2], tuple(row[3:])) for row in rows]

    async def journal(
        self, kinds: Collection[str], since: float = 0.0, before: float = inf
    ) -> AsyncIterator[JournalRow]:
        """Rows of these kinds and of that time, in order."""
        after = await self._row_before(since - CLOCK_SET_BACK_S) if since else 0
        query = select(journal).where(journal.c.kind.in_(kinds), journal.c.at >= since)
        if before < inf:
            query = query.where(journal.c.at < before)
        async for row in self._pages(query, after):
            yield row

    async def _pages(self, query: Select[Any], after: int) -> AsyncIterator[JournalRow]:
        while rows := await self._read(query.where(journal.c.seq > after).order_by(journal.c.seq).limit(PAGE_ROWS)):
            for seq, at, kind, id_, data in rows:
                yield JournalRow(seq, at, kind, id_, json.loads(data))
            after = rows[-1][0]

    async def journal_of_live(self, kinds: Collection[str], since: float) -> AsyncIterator[JournalRow]:
        """Rows of these kinds from `since` on, or from somewhat earlier. Before them, however old, those of the calls
        that have any then, or stand: where these calls were."""
        after = await self._row_before(since - CLOCK_SET_BACK_S)
        of_kind = journal.c.kind.in_(kinds)
        live = union(
            select(journal.c.call_id).where(journal.c.seq > after, of_kind), select(standing_calls.c.call_id)
        )
        before = select(journal).where(journal.c.call_id.in_(live), of_kind, journal.c.seq <= after)
        async for row in self._pages(before, 0):
            yield row
        async for row in self._pages(select(journal).where(of_kind), after):
            yield row

    async def last_at(self) -> float:
        """When the last event of the journal was; 0.0 if there is none."""
        rows = await self._read(select(journal.c.at).order_by(journal.c.seq.desc()).limit(1))
        return float(rows[0][0]) if rows else 0.0

    async def _row_before(self, at: float) -> int:
        """A number before which nothing is of that time: the journal has no index by time, but is in its order."""
        low = 0
        high = (await self._read(select(func.coalesce(func.max(journal.c.seq), 0))))[0][0]
        upwards = select(journal.c.at).order_by(journal.c.seq).limit(1)
        while low < high:
            middle = (low + high + 1) // 2
            if (await self._read(upwards.where(journal.c.seq >= middle)))[0][0] >= at:
                high = middle - 1
            else:
                low = middle
        return low

    async def between(self, since: float, before: float, kinds: Sequence[str]) -> list[JournalRow]:
        """What happened of these kinds, in order; `since` <= at < `before`, seconds since 1970."""
        when = (journal.c.at >= since, journal.c.at < before, journal.c.kind.in_(kinds))
        rows = await self._read(select(journal).where(*when).order_by(journal.c.seq))
        return [JournalRow(seq, at, kind, id_, json.loads(data)) for seq, at, kind, id_, data in rows]

    async def _read(self, query: Select[Any]) -> list[Any]:
        try:
            check_exists(self._url)
            async with self._engine.connect() as connection:
                return list(await connection.execute(query))
        except Exception as error:
            raise unreachable(self._url, error) from error


def _read_only(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()
