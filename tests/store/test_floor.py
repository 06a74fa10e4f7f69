"""The ACD's checkpoints and inputs in both databases: rows, pruning, outages, what a killed server leaves."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from time import sleep
from typing import Any

import pytest

from pbx.store import floor
from pbx.store.aside import AsideError
from pbx.store.errors import DatabaseUnreachable
from pbx.store.floor import EVERY_INPUTS, ROW_INPUTS, FloorStore, KeptInputs
from pbx.store.journal import Journal


class Life:
    """A server's life with a database: `state` is all inputs so far, as a checkpoint says them."""

    def __init__(self, url: str, bound: int) -> None:
        self.counters: Counter[str] = Counter()
        self.journal = Journal(url, 100, self.counters)
        self.store = FloorStore(url, self.snapshot, self.counters, buffer_inputs=bound)
        self.state: list[int] = []
        self.broken = False

    def snapshot(self) -> tuple[float, bytes]:
        if self.broken:
            raise TypeError("a field of an odd kind")
        return float(len(self.state)), json.dumps(self.state[-3:]).encode()

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.store.append(json.dumps(["n", [number]]).encode())
            self.state.append(number)

    async def settled(self) -> None:
        for _ in range(400):
            if not self.store.pending and not self.store._due and not self.store._armed:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it is never written")

    async def end(self) -> None:
        await self.store.close()
        await self.journal.close()

    async def kill(self) -> None:
        """No last checkpoint."""
        assert self.store._task is not None
        self.store._task.cancel()
        await asyncio.wait((self.store._task,))
        self.store._buffer.clear()
        self.store._task, self.store._unwritten = None, 0
        await self.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "GATHER_S", 0.01)
    monkeypatch.setattr(floor, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(floor, "LAST_RETRY_S", 0.05)
    monkeypatch.setattr("pbx.store.engine.LOCKED_TIMEOUT_S", 0.02)


@pytest.fixture
async def live(target: Any) -> AsyncIterator[Callable[..., Any]]:
    lives: list[Life] = []

    async def begin(bound: int = 1000) -> tuple[Life, list[Any], list[KeptInputs]]:
        life = Life(target.url, bound)
        lives.append(life)
        await life.journal.open()
        left = await life.store.read()
        life.store.start()
        return life, *left

    yield begin
    await target.come_back()
    for life in lives:
        await life.end()


async def test_a_quarter_of_a_second_is_a_row(live: Any) -> None:
    life, *left = await live()
    assert left == [[], []]
    await life.settled()
    life.put(1, 2, 3)
    await life.settled()
    life.put(4)
    await life.settled()
    await life.kill()
    life, checkpoints, rows = await live()
    assert [json.loads(one.text) for one in checkpoints] == [[]]
    assert [(row.inputs, json.loads(row.data)) for row in rows] == [
        (3, [["n", [1]], ["n", [2]], ["n", [3]]]), (1, [["n", [4]]]),
    ]  # fmt: skip
    assert rows[0].first == checkpoints[0].number
    assert rows[1].first == rows[0].first + 3
    assert life.store._first > rows[1].first + 1


async def test_an_orderly_end_leaves_a_checkpoint_of_it(live: Any) -> None:
    life, *_ = await live()
    life.put(1)
    await life.settled()
    life.put(2, 3)
    await life.end()
    _, checkpoints, rows = await live()
    assert json.loads(checkpoints[0].text) == [1, 2, 3]
    assert checkpoints[0].number == rows[-1].first + rows[-1].inputs
    assert checkpoints[0].at == 3.0


async def test_checkpoints_come_by_number_of_inputs_and_the_old_goes(live: Any) -> None:
    life, *_ = await live(100_000)
    for turn in range(4):
        life.put(*range(turn * EVERY_INPUTS, (turn + 1) * EVERY_INPUTS))
        await life.settled()
    assert life.counters["floor_checkpoints_written"] == 4
    assert life.counters["floor_inputs_written"] == 4 * EVERY_INPUTS
    await life.kill()
    _, checkpoints, rows = await live()
    assert [one.at for one in checkpoints] == [4.0 * EVERY_INPUTS, 3.0 * EVERY_INPUTS]
    assert {row.first for row in rows} == {checkpoints[1].number}
    assert all(row.inputs <= ROW_INPUTS for row in rows)


async def test_after_what_no_input_tells_a_checkpoint_follows(live: Any) -> None:
    """A reload: rows from before it do not lead up to what is after it."""
    life, *_ = await live()
    life.put(1)
    await life.settled()
    life.put(2)
    life.store.append(None)
    life.put(3)
    await life.settled()
    life.put(4)
    await life.settled()
    await life.kill()
    _, checkpoints, rows = await live()
    assert json.loads(checkpoints[0].text) == [1, 2, 3]
    before = [row for row in rows if row.first < checkpoints[0].number]
    assert before[-1].first + before[-1].inputs < checkpoints[0].number
    assert [json.loads(row.data) for row in rows if row.first >= checkpoints[0].number] == [[["n", [4]]]]


async def test_inputs_wait_for_a_database_that_is_away(live: Any, target: Any) -> None:
    life, *_ = await live()
    await life.settled()
    await target.go_down()
    life.put(1, 2)
    for _ in range(300):
        if life.counters["floor_retries"]:
            break
        await asyncio.sleep(0.01)
    life.put(3)
    assert life.store.pending == 3
    await target.come_back()
    await life.settled()
    await life.kill()
    _, _, rows = await live()
    assert [number for row in rows for _, (number,) in json.loads(row.data)] == [1, 2, 3]
    assert [later.first - row.first - row.inputs for row, later in pairwise(rows)] in ([], [0])


async def test_when_too_many_wait_a_checkpoint_takes_their_place(live: Any, target: Any) -> None:
    life, *_ = await live(10)
    await life.settled()
    await target.go_down()
    life.put(*range(25))
    assert life.counters["floor_inputs_dropped"] == 10
    assert len(life.store._buffer) == 0
    await target.come_back()
    await life.settled()
    life.put(99)
    await life.settled()
    await life.kill()
    _, checkpoints, rows = await live()
    assert json.loads(checkpoints[0].text) == [22, 23, 24]
    assert [json.loads(row.data) for row in rows if row.first >= checkpoints[0].number] == [[["n", [99]]]]


async def test_a_checkpoint_that_failed_is_made_anew(live: Any, target: Any) -> None:
    life, *_ = await live()
    await life.settled()
    await target.go_down()
    life.put(1)
    life.store.append(None)
    for _ in range(300):
        if life.counters["floor_retries"]:
            break
        await asyncio.sleep(0.01)
    life.put(2, 3)
    await target.come_back()
    await life.settled()
    life.put(4)
    await life.settled()
    await life.kill()
    _, checkpoints, rows = await live()
    assert json.loads(checkpoints[0].text) == [1, 2, 3]
    assert [json.loads(row.data) for row in rows if row.first >= checkpoints[0].number] == [[["n", [4]]]]


async def test_a_fault_in_the_checkpoint_ends_nothing(live: Any) -> None:
    life, *_ = await live()
    await life.settled()
    life.broken = True
    life.store.append(None)
    life.put(1)
    await life.settled()
    assert life.counters["floor_checkpoints_failed"] == 1
    life.broken = False
    life.put(2)
    await life.end()
    _, checkpoints, _ = await live()
    assert json.loads(checkpoints[0].text) == [1, 2]


async def test_what_takes_long_is_made_aside(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what was when it began: the inputs that came meanwhile follow it."""
    monkeypatch.setattr(floor, "PAUSE_S", 0.0)
    life, *_ = await live()
    await life.settled()
    made_here = life.counters["floor_checkpoint_microseconds"]
    snapshot: Callable[[], tuple[float, bytes]] = life.snapshot

    def slow() -> tuple[float, bytes]:
        sleep(0.1)
        return snapshot()

    monkeypatch.setattr(life.store, "_snapshot", slow)
    life.put(1, 2)
    life.store.append(None)
    while life.store._gap:  # noqa: ASYNC110, until it is under way
        await asyncio.sleep(0.002)
    life.put(3)
    await life.settled()
    assert life.counters["floor_checkpoint_microseconds"] == made_here
    await life.kill()
    _, checkpoints, rows = await live()
    assert json.loads(checkpoints[0].text) == [1, 2]
    assert [json.loads(row.data) for row in rows if row.first >= checkpoints[0].number] == [[["n", [3]]]]


async def test_what_cannot_be_made_aside_is_made_here(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "PAUSE_S", 0.0)
    life, *_ = await live()
    await life.settled()

    async def no_memory(make: Any) -> bytes:
        raise AsideError("Cannot allocate memory")

    monkeypatch.setattr(floor, "aside", no_memory)
    life.put(1)
    life.store.append(None)
    life.put(2)
    await life.settled()
    assert life.counters["floor_checkpoints_failed"] == 1
    await life.kill()
    _, checkpoints, _ = await live()
    assert json.loads(checkpoints[0].text) == [1, 2]


async def test_what_is_unwritten_at_the_end_is_counted(live: Any, target: Any) -> None:
    life, *_ = await live()
    await life.settled()
    await target.go_down()
    life.put(1, 2)
    await life.store.close(0.3)
    assert life.counters["floor_inputs_lost"] == 2


async def test_no_database(tmp_path: Any) -> None:
    store = FloorStore(f"sqlite:///{tmp_path}/no/where.db", lambda: (0.0, b""), Counter(), buffer_inputs=10)
    with pytest.raises(DatabaseUnreachable):
        await store.read()
