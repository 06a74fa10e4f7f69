from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acd.events import ItemConnected, ItemQueued, WorkNoted
from pbx.store.errors import DatabaseUnreachable
from pbx.store.journal import Journal
from pbx.store.records import Records, rebuild_cdrs
from pbx.store.standing_calls import StandingCallStore


@pytest.fixture
async def filled(target: Any, call_events: Callable[..., list[Any]]) -> str:
    journal = Journal(target.url, 1000, Counter())
    await journal.open()
    for number in range(4):
        at = 1000.0 + 100 * number
        first, *rest = call_events(f"c{number}", at)
        agent = "alice" if number % 2 else "bob"
        item = f"c{number}"
        queued = (ItemQueued(at, item, "asia", {}, 1.0), ItemConnected(at + 5, item, "asia", agent, 5.0))
        for event in (first, *(queued if number else ()), *rest):
            journal.append(event)
    await journal.close()
    return str(target.url)


async def test_call_records_latest_first_and_by_what_is_asked(filled: str) -> None:
    async with Records(filled) as records:
        asked: list[tuple[dict[str, Any], list[int]]] = [
            ({}, [3, 2, 1, 0]),
            ({"limit": 2}, [3, 2]),
            ({"since": 1100.0}, [3, 2, 1]),
            ({"before": 1200.0}, [1, 0]),
            ({"queue": "asia"}, [3, 2, 1]),
            ({"agent": "alice", "limit": 1}, [3]),
            ({"call_id": "c2"}, [2]),
            ({"call_id": "nobody"}, []),
        ]
        for how, expected in asked:
            assert [record.call_id for record in await records.cdrs(**how)] == [f"c{n}" for n in expected]
        record = (await records.cdrs(1))[0]
        assert (record.from_number, record.agent, record.waited_s, record.packets_lost) == ("101", "alice", 5.0, 7)


async def test_dispositions_that_come_after_the_call_are_in_its_record_also_after_a_rebuild(filled: str) -> None:
    for number, word in ((1, "lost"), (1, "sold"), (2, "lost")):
        journal = Journal(filled, 100, Counter())
        await journal.open()
        journal.append(WorkNoted(2_000.0, f"c{number}", "asia", "alice", word))
        await journal.close()
    for again in (False, True):
        if again:
            assert await rebuild_cdrs(filled) == 4
        async with Records(filled) as records:
            assert [record.disposition for record in await records.cdrs()] == [None, "lost", "sold", None]


async def test_events_of_a_call_in_order(filled: str) -> None:
    async with Records(filled) as records:
        events = await records.events("c1")
        assert [event.kind for event in events][:3] == ["CallStarted", "ItemQueued", "ItemConnected"]
        assert (events[1].at, events[1].data["queue"]) == (1100.0, "asia")
        assert await records.events("nobody") == []


async def test_what_happened_since_a_time_is_found_also_when_the_clock_was_set_back(target: Any) -> None:
    async def found(since: float) -> list[float]:
        return [row.at async for row in records.journal(("ItemQueued",), since)]

    times = [1_000.0 * n + (-500.0 if n % 7 == 0 else 0.0) for n in range(1, 40)]
    async with Records(target.url) as records:
        journal = Journal(target.url, 1000, Counter())
        await journal.open()
        assert await records.last_at() == 0.0 and await found(5.0) == []
        for number, at in enumerate(times):
            journal.append(ItemQueued(at, f"c{number}", "asia", {}, 1.0))
        await journal.close()
        assert await records.last_at() == times[-1]
        for since in (0.0, 1.0, 1_000.0, 6_400.0, 6_600.0, 20_999.0, 21_000.0, 39_000.0, 39_001.0):
            assert await found(since) == [at for at in times if at >= since], since


async def test_of_calls_that_are_live_all_is_found_before_what_happened_since(target: Any) -> None:
    journal, standing = Journal(target.url, 1000, Counter()), StandingCallStore(target.url, lambda _: {}, Counter())
    await journal.open()
    await standing.open()
    standing.changed("stands")
    for at, call in ((0.0, "over"), (10.0, "stands"), (20.0, "goes on"), (5_000.0, "goes on"), (5_001.0, "new")):
        journal.append(ItemQueued(at, call, "asia", {}, 1.0))
        journal.append(WorkNoted(at, call, "asia", "marie", "sold"))
    await standing.close()
    await journal.close()
    async with Records(target.url) as records:
        found = [(row.at, row.call_id) async for row in records.journal_of_live(("ItemQueued",), 5_000.0)]
    assert found == [(10.0, "stands"), (20.0, "goes on"), (5_000.0, "goes on"), (5_001.0, "new")]


async def test_no_database_is_one_clear_line(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path}/missing.db"
    empty = tmp_path / "empty.db"
    empty.touch()
    for url, says in (
        (missing, "no such file"),
        (f"sqlite:///{empty}", "no records in it"),
        ("postgresql://u:geheim@127.0.0.1:1/x", "Connect call failed"),
    ):
        async with Records(url) as records:
            with pytest.raises(DatabaseUnreachable, match=says) as caught:
                await records.cdrs()
        assert "\n" not in str(caught.value)
        assert "geheim" not in str(caught.value)
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(DatabaseUnreachable, match="no such file"):
        await rebuild_cdrs(missing)
    assert not (tmp_path / "missing.db").exists()


async def test_a_database_without_our_tables(target: Any) -> None:
    if target.url.startswith("sqlite"):
        await target.go_down()  # makes the file
        await target.come_back()
    async with Records(target.url) as records:
        with pytest.raises(DatabaseUnreachable, match="no records in it"):
            await records.events("c1")


async def test_reading_does_not_disturb_the_writer(filled: str) -> None:
    journal = Journal(filled, 100, Counter())
    await journal.open()
    async with Records(filled) as records:
        assert len(await records.cdrs()) == 4
    await journal.close()
