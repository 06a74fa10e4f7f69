"""Agents locked in a call that is not there any more are found and freed; whoever is well is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acd.audit import audit
from acd.engine import Engine
from acd.events import AgentRepaired
from acd.watchdog import GRACE_S
from tests.acd.conftest import Scene
from tests.acd.test_lines import Floor

Stage = Callable[..., Scene]


def told(scene: Scene) -> list[tuple[str, str, str]]:
    return [(e.agent, e.state, e.why) for e in scene.said(AgentRepaired) if isinstance(e, AgentRepaired)]


def busy(scene: Scene) -> Scene:
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    return scene


def test_a_call_that_ended_without_a_word(stage: Stage) -> None:
    scene = busy(stage())
    for _ in range(2):
        assert scene.engine.watch(["c1"], [], scene.now) == []
        scene.now += GRACE_S - 1
    assert scene.engine.watch(["c1"], [], scene.now) == ["c1"]
    scene.listen()
    assert told(scene) == [("ann", "BUSY", "its call is gone")]
    assert scene.state("ann")[0] == "WRAP_UP" and scene.engine.floor.items == {}


def test_what_mends_itself_in_time_is_left_alone(stage: Stage) -> None:
    scene = busy(stage())
    scene.engine.watch([], ["ann"], scene.now)
    scene.now += 5
    scene.engine.watch([], [], scene.now)
    scene.now += 6
    assert scene.engine.watch([], ["ann"], scene.now) == []
    assert scene.state("ann")[0] == "BUSY" and told(scene) == []


def test_a_leg_that_is_gone(stage: Stage) -> None:
    scene = busy(stage(sales={"wrap_up_s": 0}))
    scene.engine.watch([], ["ann"], scene.now)
    scene.now += GRACE_S
    assert scene.engine.watch([], ["ann"], scene.now) == ["c1"]
    scene.listen()
    assert told(scene) == [("ann", "BUSY", "his leg is gone")] and scene.state("ann") == ("READY", None)


def test_rung_for_a_call_that_is_gone(stage: Stage) -> None:
    scene = stage(sales={"ring_s": 60})
    scene.ready("ann")
    scene.call("c1")
    scene.engine.watch(["c1"], [], scene.now)
    scene.now += GRACE_S
    scene.engine.watch(["c1"], [], scene.now)
    scene.listen()
    assert told(scene) == [("ann", "RESERVED", "its call is gone")] and scene.state("ann") == ("READY", None)


@pytest.mark.parametrize("answered", [False, True])
def test_a_state_without_any_item(stage: Stage, answered: bool) -> None:
    """What only a mistake of the program could bring about."""
    scene = stage(sales={"ring_s": 60})
    scene.ready("ann")
    scene.call("c1")
    if answered:
        scene.answer("c1")
    item = scene.engine.floor.items.pop("c1")
    del item.queue.items["c1"]
    item.queue.offered = item.queue.connected = 0
    scene.engine.watch([], [], scene.now)
    scene.now += GRACE_S
    scene.engine.watch([], [], scene.now)
    scene.listen()
    assert told(scene)[0][2] == "nothing that he is at work on" and scene.state("ann") == ("READY", None)


def test_doubts_are_played_again(stage: Stage) -> None:
    scene = busy(stage())
    entries: list[bytes | None] = []
    scene.engine.log = entries.append
    scene.engine.watch(["c1"], [], scene.now)
    assert isinstance(scene.engine, Engine) and len(entries) == 1
    assert scene.engine.floor.doubts.since == {"ann": ("its call is gone", scene.now)}


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path)
    yield floor
    floor.pass_time(100)
    assert floor.leaks() == {}


def test_the_desk_sees_by_the_legs(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    for _ in range(4):
        floor.desk.watch()
        floor.pass_time(5)
    assert floor.state()[0] == "BUSY" and floor.counters["agents_repaired"] == 0, "all is well"
    call = next(call for call in floor.switch.calls() if call.id in floor.desk._calls)
    talks = floor.desk._calls[call.id].talks
    floor.desk._calls[call.id].talks = None  # as if its end had been lost on the way
    for _ in range(4):
        floor.desk.watch()
        floor.pass_time(5)
    assert talks is not None and floor.counters["agents_repaired"] == 1
    assert caller.ended and floor.state()[0] == "READY" and audit(floor.desk.engine.floor) == []
    floor.desk.logout("nina")
    floor.settle()
