"""The journal against both databases: order, batches, outages, crashes, the end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from pbx.call.events import CallAnswered, CallAttributesSet, CallStarted
from pbx.store import journal as journal_module
from pbx.store.batch import Batch
from pbx.store.database import Database
from pbx.store.engine import create_engine, database_url
from pbx.store.errors import DatabaseInUse, DatabaseUnreachable, StoreError
from pbx.store.journal import Journal
from pbx.store.records import Records, rebuild_cdrs

Events = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
async def quick(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """Short waits; the log lines, for those who ask."""
    monkeypatch.setattr(journal_module, "GATHER_S", 0.005)
    monkeypatch.setattr(journal_module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(journal_module, "LAST_RETRY_S", 0.05)
    monkeypatch.setattr("pbx.store.engine.LOCKED_TIMEOUT_S", 0.02)
    with structlog.testing.capture_logs() as lines:
        yield lines


async def opened(url: str, bound: int = 10_000) -> Journal:
    journal = Journal(url, bound, Counter())
    await journal.open()
    return journal


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within 5 s")


async def table(url: str, columns: str, name: str) -> list[tuple[Any, ...]]:
    engine = create_engine(database_url(url))
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT {columns} FROM {name} ORDER BY seq"))
        found = [tuple(row) for row in rows]
    await engine.dispose()
    return found


async def test_all_is_kept_in_order_over_several_batches_and_lives(
    target: Any, call_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "BATCH_EVENTS", 50)
    monkeypatch.setattr(journal_module, "SLICE_EVENTS", 7)
    counters: Counter[str] = Counter()
    for life in range(2):
        journal = Journal(target.url, 10_000, counters)
        await journal.open()
        for number in range(30):
            for event in call_events(f"c{life}-{number}", 1000.0 + life * 100 + number):
                journal.append(event)
        assert journal.pending == 180
        await journal.flush()
        assert journal.pending == 0
        await journal.close()
    rows = await table(target.url, "seq, kind, call_id", "journal")
    kinds = ["CallStarted", "LegStarted", "CallAnswered", "CallConnected", "LegEnded", "CallEnded"]
    assert rows == [
        (seq, kinds[(seq - 1) % 6], f"c{(seq - 1) // 180}-{(seq - 1) % 180 // 6}") for seq in range(1, 361)
    ]
    assert await table(target.url, "seq, call_id, talked_s", "cdr") == [
        (seq, f"c{(seq - 1) // 180}-{(seq - 1) % 180 // 6}", 60.0) for seq in range(6, 361, 6)
    ]
    assert counters == {"journal_written": 360, "cdr_written": 60, "journal_batches": 8}


async def test_written_soon_without_being_asked(target: Any, call_events: Events) -> None:
    journal = await opened(target.url)
    for call_id in ("c1", "c2"):
        for event in call_events(call_id):
            journal.append(event)
        await until(lambda: not journal.pending)
    async with Records(target.url) as records:
        assert [record.call_id for record in await records.cdrs()] == ["c2", "c1"]
        assert len(await records.events("c1")) == 6
    await journal.close()


async def test_close_flushes_and_later_events_are_dropped(target: Any, call_events: Events, quick: list[Any]) -> None:
    counters: Counter[str] = Counter()
    journal = Journal(target.url, 10_000, counters)
    journal.append(CallAnswered(1.0, "before open"))
    await journal.open()
    for event in call_events("c1"):
        journal.append(event)
    await journal.close()
    journal.append(CallAnswered(2.0, "c1"))
    assert (counters["journal_written"], counters["journal_dropped"], journal.pending) == (7, 1, 0)
    assert quick == []


async def test_settle_waits_for_what_was_appended_but_not_for_a_database_that_is_away(
    target: Any, call_events: Events, quick: list[Any]
) -> None:
    journal = Journal(target.url, 10_000, Counter())
    await journal.open()
    journal.append(call_events("c1")[0])
    await journal.settle()
    assert journal.pending == 0
    await journal.close()
    journal._bound = 10
    journal.append(call_events("c2")[0])  # nobody writes any more
    await asyncio.wait_for(journal.settle(0.01), 30)
    assert journal.pending == 1


async def test_database_down_and_back(target: Any, call_events: Events, quick: list[Any]) -> None:
    """Calls go on; up to the bound nothing is lost, nothing twice; one line when it begins, one when it is over."""
    counters: Counter[str] = Counter()
    journal = Journal(target.url, 15, counters)
    await journal.open()
    for event in call_events("c1"):
        journal.append(event)
    await journal.flush()
    await target.go_down()
    for event in call_events("c2"):
        journal.append(event)
    await until(lambda: counters["journal_retries"] >= 3)
    for event in [*call_events("c3"), *call_events("c4")]:
        journal.append(event)
    assert (journal.pending, counters["journal_dropped"]) == (15, 3)
    await target.come_back()
    await journal.flush()
    for event in call_events("c5"):
        journal.append(event)
    await journal.close()
    rows = await table(target.url, "seq, call_id", "journal")
    expected = ["c1"] * 6 + ["c2"] * 6 + ["c3"] * 6 + ["c4"] * 3 + ["c5"] * 6
    assert rows == list(enumerate(expected, 1))
    assert [line["event"] for line in quick] == [
        "journal cannot be written",
        "journal buffer full, events are dropped",
        "journal is written again",
    ]
    assert (quick[-1]["dropped"], "\n" in quick[0]["error"]) == (3, False)
    async with Records(target.url) as records:  # c4 lost its end: closed at the next start
        assert {record.call_id for record in await records.cdrs()} == {"c1", "c2", "c3", "c5"}


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_an_error_around_the_commit_makes_no_doubles(
    target: Any, call_events: Events, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    real, failures = Database.write, [1]

    async def failing(self: Database, batch: Batch) -> None:
        if lost == "after":
            await real(self, batch)
        if failures and batch.rows:
            failures.pop()
            raise ConnectionResetError("gone")
        if lost == "before":
            await real(self, batch)

    journal = await opened(target.url)
    monkeypatch.setattr(Database, "write", failing)
    for event in call_events("c1"):
        journal.append(event)
    await journal.flush()
    journal.append(CallAnswered(5.0, "c1"))
    await journal.close()
    assert [row[0] for row in await table(target.url, "seq", "journal")] == [1, 2, 3, 4, 5, 6, 7]
    assert await table(target.url, "seq, call_id", "cdr") == [(6, "c1")]
    assert failures == []


async def test_close_gives_up_at_the_deadline_and_says_so(target: Any, call_events: Events, quick: list[Any]) -> None:
    counters: Counter[str] = Counter()
    journal = Journal(target.url, 100, counters)
    await journal.open()
    await target.go_down()
    for event in call_events("c1"):
        journal.append(event)
    async with asyncio.timeout(30):
        await journal.close(deadline_s=0.2)
    assert counters["journal_lost"] == 6
    assert quick[-1]["event"] == "journal closed with events unwritten"


async def test_an_event_that_cannot_be_written_down_harms_no_other(target: Any, quick: list[Any]) -> None:
    counters: Counter[str] = Counter()
    journal = Journal(target.url, 100, counters)
    await journal.open()
    bad: dict[Any, Any] = {("a", "b"): 1}
    good = CallAnswered(1.0, "c1"), CallAnswered(2.0, "c\0\udc80")
    for event in (good[0], CallAttributesSet(1.0, "c1", bad), "no event", good[1]):
        journal.append(event)
    await journal.close()
    assert await table(target.url, "seq, call_id", "journal") == [(1, "c1"), (2, "c\ufffd\ufffd")]
    assert (counters["journal_rejected"], len(quick)) == (2, 2)


CRASH = """
import asyncio, os, signal, sys
from collections import Counter
from pbx.call.events import CallAnswered, CallConnected, CallEnded, CallStarted
from pbx.store.journal import Journal

async def main():
    journal = Journal(sys.argv[1], 1000, Counter())
    await journal.open()
    for number in range(3):
        journal.append(CallStarted(100.0 + number, f"c{number}", "inbound", "a", "b", "t", "ivr welcome", "x"))
    journal.append(CallAnswered(103.0, "c1"))
    journal.append(CallConnected(104.0, "c1", 2, "alice"))
    journal.append(CallEnded(105.0, "c0", "caller hung up", 200, 1, 1, 0, 0.0))
    journal.append(CallAnswered(110.0, "c2"))
    await journal.flush()
    journal.append(CallEnded(120.0, "c1", "never written", 200, 1, 1, 0, 0.0))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_calls_that_died_with_the_server_are_closed_once(target: Any, pytestconfig: pytest.Config) -> None:
    crash = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CRASH, target.url], cwd=pytestconfig.rootpath, check=False
    )
    assert crash.returncode == -9
    for _ in range(2):
        await (await opened(target.url)).close()
    columns = "seq, call_id, ended_at, talked_s, agent, cause, status"
    expected = [
        (6, "c0", 105.0, 0.0, None, "caller hung up", 200),
        (8, "c1", 110.0, 6.0, "alice", "server stopped", 200),
        (9, "c2", 110.0, 0.0, None, "server stopped", 200),
    ]
    assert await table(target.url, columns, "cdr") == expected
    assert await rebuild_cdrs(target.url) == 3
    assert await table(target.url, columns, "cdr") == expected
    journal = await opened(target.url)
    journal.append(CallStarted(200.0, "c9", "inbound", "a", "b", None, "ivr welcome", "x"))
    await journal.close()
    assert await table(target.url, "seq, open_from", "projection") == [(10, 10)]


async def test_a_projection_that_lags_catches_up(target: Any, call_events: Events) -> None:
    journal = await opened(target.url)
    for number in range(5):
        for event in call_events(f"c{number}"):
            journal.append(event)
    await journal.flush()
    whole = await table(target.url, "*", "cdr")
    await journal.close()
    engine = create_engine(database_url(target.url))
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM cdr WHERE seq > 12"))
        await connection.execute(text("UPDATE projection SET seq = 12, open_from = 13"))
    await engine.dispose()
    await (await opened(target.url)).close()
    assert (len(whole), await table(target.url, "*", "cdr")) == (5, whole)


async def test_rebuild_beside_a_running_server(target: Any, call_events: Events) -> None:
    journal = await opened(target.url)
    events = call_events("c1")
    for event in [*call_events("c0"), *events[:4]]:
        journal.append(event)
    await journal.flush()
    assert await rebuild_cdrs(target.url) == 1
    for event in events[4:]:
        journal.append(event)
    await journal.close()
    before = await table(target.url, "*", "cdr")
    assert await rebuild_cdrs(target.url) == 2
    assert await table(target.url, "*", "cdr") == before


async def test_a_second_server_is_refused(target: Any) -> None:
    journal = await opened(target.url)
    with pytest.raises(DatabaseInUse, match="another server writes here"):
        await opened(target.url)
    await journal.close()
    await (await opened(target.url)).close()


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/at/all/x.db", "postgresql://u:geheim@127.0.0.1:1/plateau", "sqlite:///{tmp}/text.db"],
)
async def test_open_says_in_one_line_what_is_wrong(url: str, tmp_path: Any) -> None:
    (tmp_path / "text.db").write_text("this is no database\n" * 100)
    with pytest.raises(StoreError) as caught:
        await opened(url.format(tmp=tmp_path))
    assert isinstance(caught.value, DatabaseUnreachable)
    assert str(caught.value).startswith("records: ")
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


async def test_nothing_is_left_for_the_garbage_collector(target: Any, call_events: Events) -> None:
    """The server runs with the collector off."""
    journal = await opened(target.url)
    for event in call_events("c0"):
        journal.append(event)
    await journal.flush()
    gc.collect()
    gc.disable()
    try:
        for number in range(1, 6):
            for event in call_events(f"c{number}"):
                journal.append(event)
            await journal.flush()
        assert gc.collect() == 0
    finally:
        gc.enable()
    await journal.close()
