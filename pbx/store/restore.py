"""Call records from the journal: at the start of the server, and all of them anew."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog
from sqlalchemy import delete, insert, text

from .batch import Batch, Batcher, replay
from .cdr import CdrFold
from .database import Database, note_sql, read_page
from .engine import check_exists, create_engine, database_url, unreachable
from .tables import cdr

SERVER_STOPPED: Final = "server stopped"

_log = structlog.get_logger("pbx.store")


async def restore(database: Database, standing: Collection[str] = ()) -> Batcher:
    """Catches up with the journal, then ends the calls that died with the last server: all but `standing` ones.

    Returns a batcher that continues where the journal ends, with no other call open.
    """
    stands = await database.position()
    fold, after = CdrFold(), stands.open_from - 1
    while page := await database.page(after):
        after = page[-1].seq
        missing, notes = replay(fold, page, stands.projected)
        if missing or notes:
            await database.write(Batch(after, fold.open_from(after), [], missing, notes))
    batcher = Batcher(stands.seq, fold)
    died = [call_id for call_id in fold.open if call_id not in standing]
    if died:
        _log.warning("calls ended with the last server", calls=len(died), database=database.name)
        await database.write(batcher.close_open_calls(died, stands.at, SERVER_STOPPED))
    return batcher


async def rebuild_cdrs(url: str) -> int:
    """Makes all call records anew, in one transaction; how many. Safe beside a running server, whose events wait."""
    target = database_url(url)
    engine = create_engine(target)
    fold, after, count = CdrFold(), 0, 0
    try:
        check_exists(target)
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("LOCK TABLE cdr IN SHARE ROW EXCLUSIVE MODE"))
            await connection.execute(delete(cdr))  # in SQLite the first write is the lock
            while page := await read_page(connection, after):
                after = page[-1].seq
                records, notes = replay(fold, page, 0)
                if records:
                    await connection.execute(insert(cdr), [record._asdict() for record in records])
                    count += len(records)
                if notes:
                    await connection.exec_driver_sql(note_sql(connection.dialect), notes)
    except Exception as error:
        raise unreachable(target, error) from error
    finally:
        await engine.dispose()
    return count
