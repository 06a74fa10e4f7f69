"""Statistics made again from the journal: the same folds as live, fed with events that are read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any, Final

from acd.events import AgentInterval, CallsInterval
from acd.figures import DAY_S, HOUR_S, INTERVAL_S, Days
from acd.statistics import COUNTED, Statistics
from cti.ivr_statistics import IvrStatistics, Node
from ivr.events import IvrInterval
from pbx.call.events import CallEnded
from pbx.store.intervals import AgentRow, CallsRow, Interval, IvrRow, replace_intervals
from pbx.store.records import Records
from pbx.store.rows import JournalRow

IVR_KINDS: Final = tuple(sorted(kind.__name__ for kind in IvrStatistics.FOLLOWS))
KINDS: Final = (*sorted(kind.__name__ for kind in COUNTED), *IVR_KINDS)
_FIELDS: Final = {
    kind.__name__: (kind, frozenset(field.name for field in fields(kind)))
    for kind in (*COUNTED, *IvrStatistics.FOLLOWS)
}  # fmt: skip

_OF_THE_DEAD: Final = {"status": 0, "packets_received": 0, "packets_sent": 0, "packets_lost": 0, "jitter_ms": 0.0}
"""What the journal does not know of a call that died with the server, when it writes its `CallEnded`."""

CLOSING_S: Final = 60.0  # after its end a quarter of an hour is written; not later, whatever the number of states


def event_of(row: JournalRow) -> Any:
    """The event that a row was made of, by whatever version; None: not one that statistics count."""
    found = _FIELDS.get(row.kind)
    if found is None:
        return None
    kind, names = found
    of_call = "call_id" if "call_id" in names else "item_id"
    values: dict[str, Any] = dict(_OF_THE_DEAD) if kind is CallEnded else {}
    values |= {name: value for name, value in row.data.items() if name in names}
    if "skills" in values:
        values["skills"] = tuple(values["skills"])
    if of_call in names:
        values[of_call] = row.call_id
    try:
        return kind(at=row.at, **values)
    except TypeError:  # a field without a default was not there yet
        return None


async def fold(rows: AsyncIterator[JournalRow]) -> list[Interval]:
    """All intervals, those at work at the end included."""
    statistics, ivr, last = Statistics(Days("UTC")), IvrStatistics(), 0.0
    ended = list[CallsInterval | AgentInterval | IvrInterval]()
    async for row in rows:
        if (event := event_of(row)) is None:
            continue
        last = max(last, row.at)
        if isinstance(event, ivr.FOLLOWS):
            ivr.event(event)
            ended += ivr.close(last)
        else:
            if event.at < statistics.at:  # the next server's clock was behind
                statistics.set_back(statistics.at - event.at)
            statistics.add(event)
            ended += statistics.take()
    while statistics.close(statistics.at):
        pass
    ended += statistics.take()
    ended += statistics.working(statistics.at)
    while more := ivr.close(last + INTERVAL_S):
        ended += more
    return list(map(_row, ended))


def _row(one: CallsInterval | AgentInterval | IvrInterval) -> Interval:
    figures = tuple(one.figures)
    if isinstance(one, CallsInterval):
        return CallsRow(one.start, one.kind, one.name, one.channel, one.dispositions, figures)
    if isinstance(one, AgentInterval):
        return AgentRow(one.start, one.agent, one.not_ready_ms, one.dispositions, figures)
    return IvrRow(one.start, one.flow, one.state, figures)


async def rebuild(url: str) -> int:
    """All intervals of a database anew; how many rows. Raises StoreError."""
    async with Records(url) as records:
        rows = await fold(records.journal(KINDS))
    return await replace_intervals(url, rows)


async def restore(statistics: IvrStatistics, records: Records) -> None:
    """Figures of flows as the last server had them: quarters of an hour that were written, and the journal since, which
    is in order: what came before its last row is there. Where the calls of that time were, and those that go on, is in
    their own rows, however long they have been there. Raises DatabaseUnreachable."""
    begin = (await records.last_at() - CLOSING_S) // INTERVAL_S * INTERVAL_S
    rows = await records.ivr_intervals(begin - DAY_S - HOUR_S, begin)
    statistics.load(((row.start, Node(row.flow, row.state), row.figures) for row in rows), begin)
    earlier = IvrStatistics()  # counts what those rows say already; where callers were then is to be known
    earlier.visits = statistics.visits
    async for row in records.journal_of_live(IVR_KINDS, begin):
        if (event := event_of(row)) is not None:
            (earlier if row.at < begin else statistics).event(event)
