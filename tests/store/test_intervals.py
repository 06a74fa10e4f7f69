"""Intervals: journalled events become rows, one for each key, the columns those of the fold."""

from __future__ import annotations

from collections import Counter
from typing import Any

from acd import figures
from acd.events import AgentInterval, CallsInterval
from cti import ivr_statistics
from ivr.events import IvrInterval
from pbx.store.intervals import AgentRow, CallsRow, IvrRow, read, replace_intervals
from pbx.store.journal import Journal
from pbx.store.records import Records
from pbx.store.rows import JournalRow
from pbx.store.tables import AGENT_COLUMNS, CALLS_COLUMNS, IVR_COLUMNS

CALLS = list(range(len(CALLS_COLUMNS)))
AGENT = list(range(len(AGENT_COLUMNS)))


def test_columns_are_those_of_the_fold() -> None:
    assert CALLS_COLUMNS == figures.CALLS
    assert AGENT_COLUMNS == figures.AGENTS
    assert IVR_COLUMNS == ivr_statistics.COLUMNS


async def test_events_become_rows_and_the_last_of_a_key_counts(target: Any) -> None:
    journal = Journal(target.url, 1_000, Counter())
    await journal.open()
    journal.append(CallsInterval(1_900.0, "queue", "sales", "call", 900, [1] * len(CALLS)))
    journal.append(CallsInterval(1_901.0, "queue", "sales", "call", 900, CALLS, {"sold": 2, "lost": -1}))
    journal.append(CallsInterval(1_902.0, "queue", "asia", "call", 1_800, CALLS))
    journal.append(CallsInterval(1_902.0, "skill", "french", "call", 900, CALLS))
    journal.append(AgentInterval(1_903.0, "ann", 900, AGENT, {"lunch": 60_000, "\0": 1}, {"sold": 2}))
    journal.append(IvrInterval(1_904.0, "welcome", "where", 900, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]))
    await journal.flush()
    async with Records(target.url) as records:
        found = await records.calls_intervals("queue", 900, 1_800)
        assert found == [CallsRow(900, "queue", "sales", "call", {"sold": 2, "lost": -1}, (*CALLS,))]
        assert len(await records.calls_intervals("queue", 0, 5_000)) == 2
        assert len(await records.calls_intervals("queue", 0, 5_000, "asia")) == 1
        assert [row.name for row in await records.calls_intervals("skill", 0, 5_000)] == ["french"]
        rows = await records.agent_intervals(0, 5_000)
        assert rows == [AgentRow(900, "ann", {"lunch": 60_000, "\ufffd": 1}, {"sold": 2}, (*AGENT,))]
        assert await records.agent_intervals(0, 5_000, "bob") == []
        (ivr,) = await records.ivr_intervals(0, 5_000)
        assert ivr == IvrRow(900, "welcome", "where", (9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
        assert len(await records.ivr_intervals(0, 5_000, "welcome/where")) == 1
        assert await records.ivr_intervals(0, 5_000, "welcome/there") == []
        again = [row async for row in records.journal(("AgentInterval",))]
        assert [read(row) for row in again] == rows
        assert [row.kind async for row in records.journal(("CallsInterval",), 1_902)] == ["CallsInterval"] * 2
        assert [row async for row in records.journal(("CallsInterval",), 0, 5)] == []
    await journal.close()
    assert await replace_intervals(target.url, rows) == 1
    async with Records(target.url) as records:
        assert await records.calls_intervals("queue", 0, 5_000) == []
        assert await records.agent_intervals(0, 5_000) == rows
        assert await records.ivr_intervals(0, 5_000) == []


def test_columns_of_other_versions_and_nonsense() -> None:
    data: dict[str, Any] = {"kind": "queue", "name": "sales", "channel": "call", "start": 900}
    row = read(JournalRow(1, 1.0, "CallsInterval", None, data | {"figures": [7, 2**70]}))
    assert isinstance(row, CallsRow) and row.dispositions == {}
    assert row.figures == (7, 2**63 - 1, *[0] * (len(CALLS) - 2))
    longer = read(JournalRow(1, 1.0, "CallsInterval", None, data | {"figures": [1] * 99}))
    assert isinstance(longer, CallsRow) and len(longer.figures) == len(CALLS)
    bad_ones: list[dict[str, Any]] = [{"figures": ["x"]}, {"figures": None}, {"figures": [1], "dispositions": 7}]
    for bad in ({}, data, *(data | one for one in bad_ones)):
        assert read(JournalRow(1, 1.0, "CallsInterval", None, bad)) is None
    assert read(JournalRow(1, 1.0, "CallStarted", "c", {})) is None
