"""The rows of recordings: written behind the call path, read for the API, the converter and the retention job."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select

from config.numbers import normalise

from .engine import check_exists, create_engine, database_url, unreachable
from .latest import LatestWriter
from .tables import cdr, recordings

MOST: Final = 1000  # rows of one answer
_SURE_DIGITS: Final = 7  # at the end of a number, the same in all ways to write it


class RecordingRow(NamedTuple):
    """One recording; the columns of `tables.recordings`, in order."""

    id: str
    call_id: str
    linked_call_id: str | None  # of the call that its parties came from or went to by a transfer
    queue: str | None
    agent: str | None
    started_at: float  # seconds since 1970 (UTC)
    ended_at: float | None  # None: it runs, or the server died meanwhile
    duration_s: float
    file: str  # below the site's folder
    format: str  # wav, opus: what the file is, or is to become while its name ends otherwise
    encrypted: int
    masked: str  # JSON: [[from, to] ...] in seconds
    size_bytes: int
    why: str | None
    legal_hold: int = 0
    deleted_at: float | None = None

    @property
    def unfinished(self) -> bool:
        """Its file is not yet what it is to become."""
        return self.deleted_at is None and (self.ended_at is None or f".{self.format}" not in self.file)


_UNFINISHED: Final[ColumnElement[bool]] = and_(
    recordings.c.deleted_at.is_(None),
    or_(
        recordings.c.ended_at.is_(None),
        and_(recordings.c.format == "opus", recordings.c.file.like("%.wav%")),
    ),
)


class RecordingStore:
    """The journal is opened before and closed after: it migrates and holds the lock on the database."""

    def __init__(self, url: str, counters: Counter[str] | None = None) -> None:
        """Raises BadUrl. Without `open` it only reads."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        self._writer: LatestWriter[RecordingRow] = LatestWriter(
            url, recordings, lambda _, row: row[1:], counters or Counter(), name="recording_rows",
            what="recordings' rows",
        )  # fmt: skip

    async def open(self) -> list[RecordingRow]:
        """Those that the last server left unfinished; starts the writer. Raises DatabaseUnreachable, one line."""
        return [RecordingRow(*row) for row in await self._writer.open(_UNFINISHED)]

    async def close(self) -> None:
        await self._writer.close()
        await self._engine.dispose()

    def save(self, row: RecordingRow) -> None:
        """Never blocks, never raises."""
        self._writer.put((row.id,), row)

    async def get(self, recording_id: str) -> RecordingRow | None:
        """Raises DatabaseUnreachable, as those below."""
        waiting = self._writer.waiting((recording_id,))
        if waiting is not None:
            return waiting
        rows = await self._read(select(recordings).where(recordings.c.id == recording_id))
        return rows[0] if rows else None

    async def find(
        self, limit: int = 100, *, call_id: str | None = None, queue: str | None = None, agent: str | None = None,
        before: float | None = None,
    ) -> list[RecordingRow]:  # fmt: skip
        """The last ones, latest first; those that were deleted too."""
        query = select(recordings).order_by(recordings.c.started_at.desc(), recordings.c.id.desc())
        for column, value in (
            (recordings.c.call_id, call_id), (recordings.c.queue, queue), (recordings.c.agent, agent)
        ):  # fmt: skip
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(recordings.c.started_at < before)
        return [self._writer.waiting((row.id,)) or row for row in await self._read(query.limit(min(limit, MOST)))]

    async def expired(self, before: float, queue_before: dict[str, float]) -> list[RecordingRow]:
        """Up to MOST that are to be deleted: they began before their queue's time, or, of other queues and none,
        before `before`."""
        c = recordings.c
        others = and_(c.started_at < before, or_(c.queue.is_(None), c.queue.not_in(list(queue_before))))
        own = [and_(c.queue == queue, c.started_at < at) for queue, at in queue_before.items()]
        query = select(recordings).where(
            c.deleted_at.is_(None), c.legal_hold == 0, c.ended_at.is_not(None), or_(others, *own)
        )  # fmt: skip
        rows = await self._read(query.order_by(c.started_at).limit(MOST))
        return [row for row in rows if self._writer.waiting((row.id,)) is None]

    async def of_person(self, number: str, country: str) -> list[RecordingRow]:
        """All that are not deleted of calls from or to a number, or of calls that these became by a transfer. However
        the number was written: it is compared as E.164."""
        wanted = normalise(number, country)
        digits = wanted[-_SURE_DIGITS:] if wanted.startswith("+") else wanted
        c, tail = recordings.c, f"%{digits}"
        of_call = or_(cdr.c.call_id == c.call_id, cdr.c.call_id == c.linked_call_id)
        query = select(recordings, cdr.c.from_number, cdr.c.to_number).join(cdr, of_call).where(
            c.deleted_at.is_(None), or_(cdr.c.from_number.like(tail), cdr.c.to_number.like(tail))
        )  # fmt: skip
        found = [
            RecordingRow(*row[:-2])
            for row in await self._rows(query.order_by(c.started_at))
            if wanted in (normalise(row[-2], country), normalise(row[-1], country))
        ]
        return [self._writer.waiting((row.id,)) or row for row in dict.fromkeys(found)]

    async def _read(self, query: Select[Any]) -> list[RecordingRow]:
        return [RecordingRow(*row) for row in await self._rows(query)]

    async def _rows(self, query: Select[Any]) -> list[Any]:
        try:
            check_exists(self._url)
            async with self._engine.connect() as connection:
                return [*await connection.execute(query)]
        except Exception as error:
            raise unreachable(self._url, error) from error
