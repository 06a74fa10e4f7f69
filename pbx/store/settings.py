"""What users set for their phones, kept: `save` on the call path, a writer task off it.

Only the last value of each setting waits, so the buffer is no larger than the site's phones have settings.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import structlog
from sqlalchemy import and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from .engine import create_engine, database_url, shown, unreachable
from .errors import one_line
from .tables import phone_settings

RETRY_S: Final = 1.0
_log = structlog.get_logger("pbx.store")

Key = tuple[str, str]  # extension, setting


class SettingStore:
    """The journal is opened before and closed after: it migrates and holds the lock on the database."""

    def __init__(self, url: str, counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._url = database_url(url)
        self._engine = create_engine(self._url)
        self._counters = counters
        self._pending: dict[Key, str | None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        upsert = insert(phone_settings)
        self._upsert = upsert.on_conflict_do_update(
            index_elements=["extension", "setting"], set_={"value": upsert.excluded.value}
        )

    @property
    def pending(self) -> int:
        """Settings not yet written."""
        return len(self._pending)

    def save(self, extension: str, setting: str, value: str | None) -> None:
        """None: forget it. Never blocks, never raises."""
        self._pending.pop((extension, setting), None)
        self._pending[extension, setting] = value
        self._wake.set()

    async def open(self) -> list[tuple[str, str, str]]:
        """(extension, setting, value) of all; starts the writer. Raises DatabaseUnreachable, one line."""
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(select(phone_settings))).all()
        except Exception as error:
            await self._engine.dispose()
            raise unreachable(self._url, error) from error
        self._task = asyncio.create_task(self._run(), name="settings writer")
        return [(extension, setting, value) for extension, setting, value in rows]

    async def close(self, deadline_s: float = 5.0) -> None:
        """Writes what waits; what is unwritten at the deadline is counted and logged."""
        task, self._task = self._task, None
        self._closing = True
        self._wake.set()
        if task is not None:
            _, late = await asyncio.wait((task,), timeout=deadline_s)
            if late:
                task.cancel()
                await asyncio.wait((task,))
        if self._pending:
            self._counters["settings_lost"] += len(self._pending)
            _log.error("settings unwritten at the end", lost=len(self._pending), database=shown(self._url))
        await self._engine.dispose()

    async def _run(self) -> None:
        down = False
        while self._pending or not self._closing:
            if not self._pending:
                await self._wake.wait()
            self._wake.clear()
            written = dict(self._pending)
            try:
                await self._write(written)
            except Exception as error:  # any is an outage: nothing else may end the writer
                self._counters["settings_retries"] += 1
                if not down:
                    down = True
                    _log.error("settings cannot be written", error=one_line(error), database=shown(self._url))
                await asyncio.sleep(RETRY_S)
                continue
            down = False
            for key, value in written.items():
                if key in self._pending and self._pending[key] == value:  # else it was set again meanwhile
                    del self._pending[key]

    async def _write(self, rows: Mapping[Key, str | None]) -> None:
        if not rows:
            return
        table = phone_settings.c
        async with self._engine.begin() as connection:
            for (extension, setting), value in rows.items():
                if value is None:
                    this = and_(table.extension == extension, table.setting == setting)
                    await connection.execute(delete(phone_settings).where(this))
                else:
                    row = {"extension": extension, "setting": setting, "value": value}
                    await connection.execute(self._upsert, row)
