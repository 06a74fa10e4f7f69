"""Statistics made again from the journal: the same fold as live, fed with events that are read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any, Final

from acd.events import AcdEvent, AgentInterval, CallsInterval
from acd.figures import Days
from acd.statistics import COUNTED, Statistics
from pbx.store.intervals import AgentRow, CallsRow, replace_intervals
from pbx.store.records import Records
from pbx.store.rows import JournalRow

KINDS: Final = tuple(sorted(kind.__name__ for kind in COUNTED))
_FIELDS: Final = {kind.__name__: (kind, frozenset(field.name for field in fields(kind))) for kind in COUNTED}


def event_of(row: JournalRow) -> AcdEvent | None:
    """The event that a row was made of, by whatever version; None: not one that statistics count."""
    found = _FIELDS.get(row.kind)
    if found is None:
        return None
    kind, names = found
    of_call = "call_id" if "call_id" in names else "item_id"
    values: dict[str, Any] = {name: value for name, value in row.data.items() if name in names}
    if "skills" in values:
        values["skills"] = tuple(values["skills"])
    if of_call in names:
        values[of_call] = row.call_id
    try:
        event: AcdEvent = kind(at=row.at, **values)
    except TypeError:  # a field without a default was not there yet
        return None
    return event


async def fold(rows: AsyncIterator[JournalRow]) -> tuple[list[CallsRow], list[AgentRow]]:
    """All intervals, those at work at the end included."""
    statistics, ended = Statistics(Days("UTC")), list[CallsInterval | AgentInterval]()
    async for row in rows:
        if (event := event_of(row)) is not None:
            statistics.add(event)
            ended += statistics.take()
    while statistics.close(statistics.at):
        pass
    ended += statistics.take()
    ended += statistics.working(statistics.at)
    calls = [
        CallsRow(one.start, one.kind, one.name, one.channel, one.dispositions, tuple(one.figures))
        for one in ended if isinstance(one, CallsInterval)
    ]  # fmt: skip
    agents = [
        AgentRow(one.start, one.agent, one.not_ready_ms, one.dispositions, tuple(one.figures))
        for one in ended if isinstance(one, AgentInterval)
    ]  # fmt: skip
    return calls, agents


async def rebuild(url: str) -> int:
    """All intervals of a database anew; how many rows. Raises StoreError."""
    async with Records(url) as records:
        calls, agents = await fold(records.journal(KINDS))
    return await replace_intervals(url, calls, agents)
