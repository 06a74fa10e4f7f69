"""Rows of recordings in both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert

from pbx.store import latest
from pbx.store.engine import create_engine, database_url
from pbx.store.journal import Journal
from pbx.store.recordings import RecordingRow, RecordingStore
from pbx.store.tables import cdr

ONE = RecordingRow(
    "c1.1", "c1", None, "asia", "ann", 1000.0, 1010.5, 10.5, "2026-01-01/c1.wav", "wav", 0, "[[1.0,2.5]]",
    5_000_000_000, "stopped",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "GATHER_S", 0.005)


@pytest.fixture
async def url(target: Any) -> AsyncIterator[str]:
    """A database with the schema."""
    journal = Journal(target.url, 100, Counter())
    await journal.open()
    yield target.url
    await journal.close()


async def reopened(url: str, *rows: RecordingRow) -> tuple[RecordingStore, list[RecordingRow]]:
    store = RecordingStore(url, Counter())
    await store.open()
    for row in rows:
        store.save(row)
    await store.close()
    store = RecordingStore(url, Counter())
    return store, await store.open()


async def test_a_row_comes_back_as_it_was(url: str) -> None:
    store, unfinished = await reopened(url, ONE)
    assert unfinished == []
    assert await store.get("c1.1") == ONE and await store.get("c2.1") is None
    store.save(ONE._replace(legal_hold=1))
    found = await store.get("c1.1")
    assert found is not None and found.legal_hold  # though it is not yet written
    await store.close()


async def test_what_a_dead_server_left(url: str) -> None:
    running = ONE._replace(id="c2.1", ended_at=None)
    unconverted = ONE._replace(id="c3.1", format="opus", file="x.wav.aes")
    converted = ONE._replace(id="c4.1", format="opus", file="x.opus")
    deleted = running._replace(id="c5.1", deleted_at=5.0)
    store, unfinished = await reopened(url, ONE, running, unconverted, converted, deleted)
    assert sorted(row.id for row in unfinished) == ["c2.1", "c3.1"]
    assert all(row.unfinished for row in unfinished)
    assert not any(row.unfinished for row in (ONE, converted, deleted))
    await store.close()


async def test_finding(url: str) -> None:
    later = ONE._replace(id="c2.1", call_id="c2", started_at=2000.0, agent="ben")
    store, _ = await reopened(url, ONE, later)
    assert [row.id for row in await store.find()] == ["c2.1", "c1.1"]
    assert [row.id for row in await store.find(1)] == ["c2.1"]
    assert [row.id for row in await store.find(call_id="c1")] == ["c1.1"]
    assert [row.id for row in await store.find(agent="ben", queue="asia")] == ["c2.1"]
    assert [row.id for row in await store.find(before=2000.0)] == ["c1.1"]
    await store.close()


async def test_what_is_too_old(url: str) -> None:
    rows = [
        ONE, ONE._replace(id="hold", legal_hold=1), ONE._replace(id="running", ended_at=None),
        ONE._replace(id="deleted", deleted_at=1.0), ONE._replace(id="none", queue=None),
        ONE._replace(id="europe", queue="europe"), ONE._replace(id="young", queue=None, started_at=5000.0),
    ]  # fmt: skip
    store, _ = await reopened(url, *rows)
    assert sorted(row.id for row in await store.expired(2000.0, {})) == ["c1.1", "europe", "none"]
    assert sorted(row.id for row in await store.expired(2000.0, {"asia": 500.0})) == ["europe", "none"]
    assert sorted(row.id for row in await store.expired(0.0, {"asia": 2000.0})) == ["c1.1"]
    await store.close()


async def test_all_of_a_person_however_the_number_was_written(url: str, target: Any) -> None:
    rows = [
        ONE, ONE._replace(id="c2.1", call_id="c2"), ONE._replace(id="c3.1", call_id="c3"),
        ONE._replace(id="c4.1", call_id="c4", deleted_at=5.0),
        ONE._replace(id="c5.1", call_id="c5", linked_call_id="c2"),
        ONE._replace(id="c6.1", call_id="c6"),
    ]  # fmt: skip
    store, _ = await reopened(url, *rows)
    ends = {
        "c1": ("+33612345678", "101"), "c2": ("101", "0612345678"), "c3": ("+33712345678", "101"),
        "c4": ("+33612345678", "101"), "c5": ("101", "102"), "c6": ("+49612345678", "101"),
    }  # fmt: skip
    engine = create_engine(database_url(target.url))
    async with engine.begin() as connection:
        for seq, (call_id, (caller, callee)) in enumerate(ends.items(), 1):
            counts = ("waited_s", "talked_s", "packets_received", "packets_sent", "packets_lost", "jitter_ms")
            zeros = dict.fromkeys(counts, 0)
            record = zeros | dict.fromkeys(("seq", "started_at", "ended_at"), seq) | {
                "call_id": call_id, "direction": "inbound", "from_number": caller, "to_number": callee,
                "destination": "x", "cause": "x", "status": 200,
            }  # fmt: skip
            await connection.execute(insert(cdr).values(record))
    await engine.dispose()
    assert [row.id for row in await store.of_person("0033 6 12 34 56 78", "FR")] == ["c1.1", "c2.1", "c5.1"]
    assert [row.id for row in await store.of_person("102", "FR")] == ["c5.1"]
    assert await store.of_person("02", "FR") == [] and await store.of_person("%", "FR") == []
    await store.close()
