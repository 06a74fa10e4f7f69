"""Rows of recordings in both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pbx.store import latest
from pbx.store.journal import Journal
from pbx.store.recordings import RecordingRow, RecordingStore

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
