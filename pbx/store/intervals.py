"""Figures of queues, agents and flows by quarter of an hour: a projection of the journal's interval events.

The events come from folds (`acd.statistics`, `cti.ivr_statistics`) which this package may not import: their columns are
named here, and a test holds the names together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

from sqlalchemy import Dialect, Table, delete, insert, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import check_exists, create_engine, database_url, unreachable
from .rows import JournalRow, clean
from .tables import AGENT_COLUMNS, CALLS_COLUMNS, IVR_COLUMNS, agent_intervals, calls_intervals, ivr_intervals

CALLS_INTERVAL: Final = "CallsInterval"
AGENT_INTERVAL: Final = "AgentInterval"
IVR_INTERVAL: Final = "IvrInterval"
KINDS: Final = frozenset({CALLS_INTERVAL, AGENT_INTERVAL, IVR_INTERVAL})
_LARGEST: Final = 2**63 - 1


class CallsRow(NamedTuple):
    """A queue's, or a skill's, quarter of an hour."""

    start: int  # seconds since 1970 (UTC), a multiple of 900
    kind: str  # queue, skill
    name: str
    channel: str
    dispositions: dict[str, int]  # how often each was noted
    figures: tuple[int, ...]  # `CALLS_COLUMNS`

    @property
    def parameters(self) -> tuple[object, ...]:
        return *self[:4], json.dumps(self.dispositions), *self.figures


class AgentRow(NamedTuple):
    """An agent's."""

    start: int
    agent: str
    not_ready: dict[str, int]  # ms by reason
    dispositions: dict[str, int]
    figures: tuple[int, ...]  # `AGENT_COLUMNS`

    @property
    def parameters(self) -> tuple[object, ...]:
        return self.start, self.agent, json.dumps(self.not_ready), json.dumps(self.dispositions), *self.figures


class IvrRow(NamedTuple):
    """A state's."""

    start: int
    flow: str
    state: str
    figures: tuple[int, ...]  # `IVR_COLUMNS`

    @property
    def parameters(self) -> tuple[object, ...]:
        return *self[:3], *self.figures


Interval = CallsRow | AgentRow | IvrRow
TABLES: Final[dict[type[Interval], Table]] = {
    CallsRow: calls_intervals, AgentRow: agent_intervals, IvrRow: ivr_intervals,
}  # fmt: skip


def read(row: JournalRow) -> Interval | None:
    """None: it is no interval, or one that makes no sense."""
    data = row.data
    try:
        if row.kind == CALLS_INTERVAL:
            kind, name, channel = (clean(str(data[key])) for key in ("kind", "name", "channel"))
            noted, figures = _named(data.get("dispositions", {})), _figures(data["figures"], CALLS_COLUMNS)
            return CallsRow(int(data["start"]), kind, name, channel, noted, figures)
        if row.kind == AGENT_INTERVAL:
            noted, figures = _named(data.get("dispositions", {})), _figures(data["figures"], AGENT_COLUMNS)
            return AgentRow(int(data["start"]), clean(str(data["agent"])), _named(data["not_ready_ms"]), noted, figures)
        if row.kind == IVR_INTERVAL:
            flow, state = (clean(str(data[key])) for key in ("flow", "state"))
            return IvrRow(int(data["start"]), flow, state, _figures(data["figures"], IVR_COLUMNS))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        pass
    return None


def _named(counts: dict[str, Any]) -> dict[str, int]:
    return {clean(str(name)): int(n) for name, n in counts.items()}


def _figures(values: Sequence[Any], columns: Sequence[str]) -> tuple[int, ...]:
    """One for each column: an event of an earlier version has fewer, of a later one more."""
    numbers = chain(map(int, values), repeat(0))
    return tuple(max(-_LARGEST, min(_LARGEST, next(numbers))) for _ in columns)


def put_sql(table: Table, dialect: Dialect) -> str:
    """An insertion, with the driver's placeholders, that takes the place of the row of the same key."""
    make = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return str(statement.on_conflict_do_update(index_elements=keys, set_=others).compile(dialect=dialect))


async def replace_intervals(url: str, rows: Collection[Interval]) -> int:
    """All rows anew, in one transaction; how many."""
    target = database_url(url)
    engine = create_engine(target)
    try:
        check_exists(target)
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                names = ", ".join(table.name for table in TABLES.values())
                await connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
            for kind, table in TABLES.items():
                await _replace(connection, table, [row.parameters for row in rows if type(row) is kind])
            return len(rows)
    except Exception as error:
        raise unreachable(target, error) from error
    finally:
        await engine.dispose()


async def _replace(connection: AsyncConnection, table: Table, rows: list[tuple[object, ...]]) -> None:
    await connection.execute(delete(table))
    if rows:
        await connection.exec_driver_sql(str(insert(table).compile(dialect=connection.dialect)), rows)
