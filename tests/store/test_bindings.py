"""Contacts in both databases: what is written, how often, outages, crashes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from pbx.store import latest
from pbx.store.bindings import BindingStore, Record
from pbx.store.engine import create_engine, database_url
from pbx.store.errors import StoreError
from pbx.store.journal import Journal


@pytest.fixture(autouse=True)
async def quick(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """Short waits; the log lines, for those who ask."""
    monkeypatch.setattr(latest, "GATHER_S", 0.005)
    monkeypatch.setattr(latest, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(latest, "LAST_RETRY_S", 0.05)
    monkeypatch.setattr("pbx.store.engine.LOCKED_TIMEOUT_S", 0.02)
    with structlog.testing.capture_logs() as lines:
        yield lines


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within 5 s")


class Life:
    """A server's life: the location as a dictionary, the journal that migrates, the store."""

    def __init__(self, url: str) -> None:
        self.now: dict[str, list[Record]] = {}
        self.counters: Counter[str] = Counter()
        self.journal = Journal(url, 100, Counter())
        self.store = BindingStore(url, lambda aor: self.now.get(aor, []), self.counters)
        self.found: dict[str, list[Record]] = {}

    async def __aenter__(self) -> Life:
        await self.journal.open()
        self.found = dict(await self.store.open())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()
        await self.journal.close(deadline_s=0.2)

    def set(self, aor: str, *contacts: str, expires_at: float = 100.0) -> None:
        self.now[aor] = [{"contact": one, "expires_at": expires_at} for one in contacts]
        self.store.changed(aor)

    async def written(self) -> None:
        await until(lambda: self.store.idle)


async def test_what_is_registered_is_found_again(target: Any) -> None:
    async with Life(target.url) as life:
        assert life.found == {}
        life.set("101", "sip:a@h", "sip:\udcff\0@h")
        life.set("102", "sip:b@h")
        await life.written()
        life.set("102")
        life.set("103", "sip:c@h")  # `close` writes it
    async with Life(target.url) as life:
        assert sorted(life.found) == ["101", "103"]
        assert [one["contact"] for one in life.found["101"]] == ["sip:a@h", "sip:\udcff\0@h"]


async def test_a_storm_of_refreshes_writes_each_aor_once_a_batch(target: Any) -> None:
    async with Life(target.url) as life:
        for second in range(50):
            for number in range(20):
                life.set(f"1{number:02}", "sip:a@h", expires_at=second)
        await life.written()
        assert life.counters == {"bindings_written": 20, "bindings_batches": 1}
    async with Life(target.url) as life:
        assert {one["expires_at"] for records in life.found.values() for one in records} == {49}
    engine = create_engine(database_url(target.url))
    async with engine.connect() as connection:
        assert set((await connection.execute(text("SELECT expires_at FROM bindings"))).scalars()) == {49.0}
    await engine.dispose()


async def test_many_go_in_several_batches(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "BATCH_ROWS", 30)
    async with Life(target.url) as life:
        for number in range(100):
            life.set(f"{number}", *(["sip:a@h"] if number % 3 else []))
        await life.written()
        assert life.counters["bindings_batches"] == 4
    async with Life(target.url) as life:
        assert len(life.found) == 66


async def test_database_down_and_back(target: Any, quick: list[Any]) -> None:
    """The newest state is written once it is back; one line when it begins, one when it is over."""
    async with Life(target.url) as life:
        life.set("101", "sip:a@h")
        await life.written()
        await target.go_down()
        life.set("101", "sip:b@h")
        life.set("102", "sip:b@h")
        await until(lambda: life.counters["bindings_retries"] >= 2)
        life.set("101", "sip:c@h")
        life.set("102")
        assert life.store.pending
        await target.come_back()
        await life.written()
    said = [line["event"] for line in quick if "contacts" in line["event"]]
    assert said == ["contacts cannot be written", "contacts are written again"]
    async with Life(target.url) as life:
        assert {aor: [one["contact"] for one in records] for aor, records in life.found.items()} == {"101": ["sip:c@h"]}


async def test_close_gives_up_at_the_deadline_and_says_so(target: Any, quick: list[Any]) -> None:
    life = Life(target.url)
    async with life:
        await target.go_down()
        life.set("101", "sip:a@h")
        async with asyncio.timeout(30):
            await life.store.close(deadline_s=0.2)
        assert life.counters["bindings_lost"] == 1
        assert quick[-1]["event"] == "contacts unwritten at the end"
        life.set("102", "sip:a@h")  # harmless


async def test_a_row_that_cannot_be_read_harms_no_other(target: Any) -> None:
    async with Life(target.url) as life:
        life.set("101", "sip:a@h")
    engine = create_engine(database_url(target.url))
    async with engine.begin() as connection:
        for aor, data in (("102", "{"), ("103", "7"), ("104", '["x"]'), ("105", "[" * 100_000)):
            values = {"aor": aor, "data": data}
            await connection.execute(text("INSERT INTO bindings VALUES (:aor, 0, :data)"), values)
    await engine.dispose()
    async with Life(target.url) as life:
        kept = {aor: len(records) for aor, records in life.found.items()}
        assert kept == {"101": 1, "102": 0, "103": 0, "104": 0, "105": 0}
        assert life.counters["bindings_unreadable"] == 3


async def test_a_database_that_is_not_there_is_said_in_one_line() -> None:
    store = BindingStore("postgresql://nobody@127.0.0.1:1/none", lambda aor: [], Counter())
    with pytest.raises(StoreError) as caught:
        await store.open()
    assert str(caught.value).startswith("records: postgresql://nobody@127.0.0.1:1/none: ")
    assert "\n" not in str(caught.value)


CRASH = """
import asyncio, os, signal, sys
from collections import Counter
from pbx.store.bindings import BindingStore
from pbx.store.journal import Journal

async def main():
    await Journal(sys.argv[1], 1000, Counter()).open()
    store = BindingStore(sys.argv[1], lambda aor: [{"contact": "sip:a@h", "expires_at": 1.0}], Counter())
    await store.open()
    store.changed("101")
    while not store.idle:
        await asyncio.sleep(0.01)
    store.changed("102")
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_written_survives_a_kill(target: Any, pytestconfig: pytest.Config) -> None:
    crash = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CRASH, target.url], cwd=pytestconfig.rootpath, check=False
    )
    assert crash.returncode == -9
    async with Life(target.url) as life:
        assert list(life.found) == ["101"]
