from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from pbx.store.engine import create_engine, database_url
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
