"""Phones' settings in both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from pbx.store import latest
from pbx.store.errors import StoreError
from pbx.store.journal import Journal
from pbx.store.settings import SettingStore


@pytest.fixture(autouse=True)
async def quick(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    monkeypatch.setattr(latest, "GATHER_S", 0.005)
    monkeypatch.setattr(latest, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("pbx.store.engine.LOCKED_TIMEOUT_S", 0.02)
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def url(target: Any) -> AsyncIterator[str]:
    """A database with the schema."""
    journal = Journal(target.url, 100, Counter())
    await journal.open()
    yield target.url
    await journal.close()


async def test_kept_changed_and_forgotten(url: str) -> None:
    store = SettingStore(url, Counter())
    assert await store.open() == []
    store.save("101", "dnd", "on")
    store.save("101", "forward-busy", "102")
    store.save("102", "dnd", "on")
    store.save("101", "forward-busy", "103")
    await store.close()
    store = SettingStore(url, Counter())
    assert sorted(await store.open()) == [("101", "dnd", "on"), ("101", "forward-busy", "103"), ("102", "dnd", "on")]
    store.save("101", "dnd", None)
    store.save("102", "dnd", "off")
    await store.close()
    assert store.pending == 0
    store = SettingStore(url, Counter())
    assert sorted(await store.open()) == [("101", "forward-busy", "103"), ("102", "dnd", "off")]
    await store.close()


async def test_an_outage_loses_nothing(url: str, target: Any, quick: list[Any]) -> None:
    counters: Counter[str] = Counter()
    store = SettingStore(url, counters)
    await store.open()
    await target.go_down()
    store.save("101", "dnd", "on")
    async with asyncio.timeout(30):
        while not counters["settings_retries"]:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    await target.come_back()
    await store.close()
    assert store.pending == 0 and len([line for line in quick if line["log_level"] == "error"]) == 1


async def test_no_database() -> None:
    store = SettingStore("postgresql://nobody:secret@127.0.0.1:1/none", Counter())
    with pytest.raises(StoreError):
        await store.open()
