from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, text

from pbx.store.engine import create_engine, database_url
from pbx.store.errors import LaterTables
from pbx.store.journal import Journal
from pbx.store.migrate import upgrade
from pbx.store.tables import metadata


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return [*compare_metadata(context, metadata)]


async def test_from_empty_to_the_tables_and_again(target: Any) -> None:
    engine = create_engine(database_url(target.url))
    try:
        for _ in range(2):
            async with engine.connect() as connection:
                await connection.run_sync(upgrade)
                await connection.commit()
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
            assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "0011"
            assert (await connection.execute(text("SELECT * FROM projection"))).all() == [("cdr", 0, 1)]
    finally:
        await engine.dispose()


async def test_tables_of_a_later_version_are_left_alone(target: Any) -> None:
    journal = Journal(target.url, 10, Counter())
    await journal.open()
    await journal.close()
    engine = create_engine(database_url(target.url))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(LaterTables, match=r"a later version made these tables \(9999; this one knows 0011"):
            await journal.open()
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    finally:
        await engine.dispose()


async def test_a_start_killed_at_any_statement_is_begun_again(tmp_path: Path) -> None:
    """SQLite, where nothing but an explicit BEGIN keeps a version's statements together (PostgreSQL does it by itself):
    what others see after each statement is what a kill would leave there."""
    left: dict[str, None] = {}

    def look(*_: object) -> None:
        with closing(sqlite3.connect(tmp_path / "whole.db")) as other:
            left["\n".join(other.iterdump())] = None

    async def migrate(name: str, *, seen: bool = False) -> list[Any]:
        engine = create_engine(database_url(f"sqlite:///{tmp_path / name}"))
        try:
            async with engine.connect() as connection:
                if seen:
                    event.listen(connection.sync_connection, "after_cursor_execute", look)
                await connection.run_sync(upgrade)
                await connection.commit()
                return await connection.run_sync(_differences)
        finally:
            await engine.dispose()

    await migrate("whole.db", seen=True)
    assert len(left) > 10
    for number, script in enumerate(left):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as begun:
            begun.executescript(script)
        assert await migrate(f"{number}.db") == []
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as ended:
            assert ended.execute("SELECT * FROM projection").fetchall() == [("cdr", 0, 1)]
