"""What is made of checkpoints and inputs, whole or damaged."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import create_async_engine

from acd.checkpoint import keep
from acd.desk import Desk
from acd.engine import Engine
from config.schema import Site
from pbx.recovery import Recovery, rebuild
from pbx.store.floor import KeptCheckpoint, KeptInputs
from pbx.store.journal import Journal
from pbx.store.tables import floor_checkpoints, floor_inputs
from tests.virtual_clock import VirtualClock

T0 = 1_700_000_000.0
SITE = Site.model_validate({
    "site": "t", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "queues": {"sales": {"wrap_up_s": 5}},
    "agents": {"ann": {"contact": "sip:ann@192.0.2.1"}, "bob": {"contact": "sip:bob@192.0.2.1"}},
})  # fmt: skip


class Kept:
    """An engine at work: a checkpoint, rows of inputs, a checkpoint, rows of inputs."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.engine = Engine(SITE, T0)
        self.engine.log = lambda entry: self.entries.append(entry or b"")
        self.checkpoints: list[KeptCheckpoint] = []
        self.rows: list[KeptInputs] = []
        self.number = 7
        self.checkpoint()
        self.engine.login("ann", T0 + 1)
        self.row()
        self.engine.not_ready("ann", "lunch", T0 + 2)
        self.engine.enqueue("c1", "sales", {"x": 1}, T0 + 3)
        self.row()
        self.checkpoint()
        self.engine.enqueue("c2", "sales", {}, T0 + 4)
        self.row()
        self.engine.login("bob", T0 + 5)
        self.engine.ready("bob", T0 + 6)
        self.row()
        self.engine.take()

    def checkpoint(self) -> None:
        self.engine.take()
        text = keep(self.engine.floor).decode()
        self.checkpoints.insert(0, KeptCheckpoint(self.number, self.engine.floor.now, text))

    def row(self) -> None:
        entries, self.entries[:] = list(self.entries), []
        self.rows.append(KeptInputs(self.number, len(entries), "[" + b",".join(entries).decode() + "]"))
        self.number += len(entries)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_the_newest_checkpoint_and_what_came_after_it(kept: Kept) -> None:
    found = rebuild(kept.checkpoints, kept.rows)
    assert found.floor is not None and not found.problems
    assert found.inputs == 3
    assert keep(found.floor) == keep(kept.engine.floor)


def test_nothing_was_kept() -> None:
    assert rebuild([], []) == (None, 0, ())


def test_from_the_older_checkpoint_the_same_is_made(kept: Kept) -> None:
    newest = kept.checkpoints[0]
    kept.checkpoints[0] = newest._replace(text=newest.text[:1000])
    found = rebuild(kept.checkpoints, kept.rows)
    assert found.floor is not None and found.inputs == 6
    assert keep(found.floor) == keep(kept.engine.floor)
    assert len(found.problems) == 1 and found.problems[0].startswith("checkpoint 10: ")


def test_no_checkpoint_can_be_read(kept: Kept) -> None:
    checkpoints = [one._replace(text=one.text.replace('"form":1', '"form":99')) for one in kept.checkpoints]
    found = rebuild(checkpoints, kept.rows)
    assert found == (None, 0, ("checkpoint 10: form 99, not 1", "checkpoint 7: form 99, not 1"))


def test_a_gap_ends_the_replay(kept: Kept) -> None:
    del kept.rows[2]
    found = rebuild(kept.checkpoints, kept.rows)
    assert found.floor is not None and found.inputs == 0
    assert found.problems == ("inputs 10 to 10 are missing",)
    assert list(found.floor.items) == ["c1"]


@pytest.mark.parametrize("data", ["", "[", "{}", "[1,2]", '[["enqueue"]', "\ud800"])
def test_a_row_that_cannot_be_read_ends_the_replay(kept: Kept, data: str) -> None:
    kept.rows[2] = kept.rows[2]._replace(data=data)
    found = rebuild(kept.checkpoints, kept.rows)
    assert found.floor is not None and found.inputs == 0
    assert len(found.problems) == 1 and found.problems[0].startswith("inputs from 10 on: ")


@pytest.mark.parametrize(
    "entry", [["explode", []], ["ready", ["bob"]], ["ready", [3, 4, 5, 6, 7, 8]], "x", ["login", [[], 1.0]]]
)
def test_an_input_that_cannot_be_played_is_left_out_whole(kept: Kept, entry: Any) -> None:
    row = kept.rows[3]
    kept.rows[3] = row._replace(data=json.dumps([json.loads(row.data)[0], entry]))
    found = rebuild(kept.checkpoints, kept.rows)
    assert found.floor is not None and found.inputs == 2
    assert len(found.problems) == 1 and found.problems[0].startswith("input 12 (")
    assert found.floor.roster.agent("bob").state == "NOT_READY"
    assert found.floor.now == T0 + 5


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_start_tells_it_in_one_line(kept: Kept, damaged: bool, tmp_path: Path) -> None:
    url, counters = f"sqlite:///{tmp_path}/records.db", Counter[str]()
    journal = Journal(url, 100, counters)
    await journal.open()
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/records.db")
    async with engine.begin() as connection:
        checkpoints = [{"number": one.number, "at": one.at, "kept": one.text} for one in kept.checkpoints]
        await connection.execute(insert(floor_checkpoints), checkpoints)
        await connection.execute(insert(floor_inputs), [one._asdict() for one in kept.rows[: 3 if damaged else 4]])
        if damaged:
            await connection.execute(delete(floor_inputs).where(floor_inputs.c.first == 10))
            await connection.execute(insert(floor_inputs), [kept.rows[3]._asdict()])
    await engine.dispose()
    desk = Desk(SITE, VirtualClock(T0 + 60), lambda event: None, cast(Any, None), counters, waits=True)
    recovery = Recovery(url, 100, desk, cast(Any, None), counters)
    with structlog.testing.capture_logs() as lines:
        await recovery.open()
    desk.open(SITE)
    await recovery.store.close()
    await journal.close()
    (line,) = lines
    if damaged:
        assert line["log_level"] == "error" and line["why"] == "inputs 10 to 10 are missing"
        assert counters["floor_recovery_problems"] == 1
    else:
        assert (line["log_level"], line["calls"], line["agents"], line["inputs"]) == ("info", 2, 2, 3)
    assert counters["floor_checkpoints_written"] >= 1
    assert [agent["reason"] for agent in desk.agents() if agent["name"] == "ann"] == ["lunch"]
