"""The next server's clock is behind the last one's: lengths go on, what was appointed stays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from acd.audit import audit
from acd.checkpoint import INDICES, _names, _ours, keep, take_up
from acd.deadlines import Deadlines
from acd.engine import Engine
from acd.events import AgentInterval, CallsInterval, ItemAbandoned, ItemOverflowed
from acd.figures import Days, Series
from acd.set_back import set_back
from tests.acd.conftest import Scene
from tests.acd.floor_machine import FloorMachine, a_step

HOUR_S = 3600.0
QUEUE: dict[str, Any] = {"ring_s": 10, "wrap_up_s": 30, "max_wait_s": 60, "callback": {"retry_after_s": 120}}


def next_server(scene: Scene, *calls: str, by_s: float = HOUR_S) -> None:
    """It is there at once, and its clock is behind."""
    scene.engine = Engine.on(take_up(keep(scene.engine.floor)))
    scene.now -= by_s
    scene.events.clear()
    floor = scene.engine.floor
    scene.engine.restarted(list(calls), {}, list(floor.roster.phones), 300.0, scene.now)
    scene.listen()


def test_waits_and_wrap_ups_go_on(stage: Any) -> None:
    scene: Scene = stage({"ann": {}}, sales=QUEUE)
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.wait(5)
    scene.call("c2")
    next_server(scene, "c2")
    assert scene.state("ann")[0] == "WRAP_UP"
    assert scene.engine.floor.items["c2"].waited_s(scene.now) == 0
    scene.wait(24)
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.wait(1)
    assert scene.state("ann")[0] == "RESERVED"
    scene.wait(10)
    assert scene.state("ann") == ("NOT_READY", "no answer")
    scene.wait(25)
    (gone,) = scene.said(ItemOverflowed)
    assert isinstance(gone, ItemOverflowed)
    assert (gone.item_id, gone.waited_s, gone.at) == ("c2", 60, scene.now)


def test_order_stays(stage: Any) -> None:
    scene: Scene = stage({"ann": {}, "bob": {}}, sales={})
    for number in range(4):
        scene.call(f"c{number}")
        scene.wait(7)
    next_server(scene, "c0", "c1", "c2", "c3")
    scene.call("c4")
    assert [item.id for item in scene.engine.floor.lines] == ["c0", "c1", "c2", "c3", "c4"]
    scene.ready("bob", "ann")
    assert [scene.offered_to(call) for call in ("c0", "c1", "c2")] == ["bob", "ann", None]


def test_a_kept_place_ends_when_it_would_have(stage: Any) -> None:
    scene: Scene = stage({"ann": {}}, sales={"resume_s": 100})
    scene.engine.enqueue("c1", "sales", {}, scene.now, None, "+331")
    scene.wait(10)
    scene.engine.abandon("c1", scene.now)
    next_server(scene)
    scene.wait(99)
    assert not scene.said(ItemAbandoned)
    scene.wait(1)
    (gone,) = scene.said(ItemAbandoned)
    assert isinstance(gone, ItemAbandoned) and gone.waited_s == 10


def test_a_wished_time_stays_a_pause_goes_on(stage: Any) -> None:
    scene: Scene = stage({"ann": {}}, sales=QUEUE)
    wished = scene.now + 600
    scene.engine.ask_callback("callback-1", "sales", "+331", {}, due_at=wished, now=scene.now)
    scene.ready("ann")
    scene.engine.ask_callback("callback-2", "sales", "+332", {}, now=scene.now)
    scene.listen()
    scene.answer("callback-2-1")
    scene.engine.customer_missed("callback-2-1", "no_answer", scene.now)
    scene.listen()
    due = scene.engine.floor.callbacks["callback-2"].due_at
    next_server(scene)
    callbacks = scene.engine.floor.callbacks
    assert (callbacks["callback-1"].due_at, callbacks["callback-1"].expires_at - wished) == (wished, 86_400)
    assert callbacks["callback-2"].due_at == due - HOUR_S
    scene.wait(due - HOUR_S - scene.now)
    assert callbacks["callback-2"].item_id is not None
    scene.engine.logout("ann", scene.now)
    scene.wait(wished - scene.now - 1)
    assert callbacks["callback-1"].item_id is None
    scene.wait(1)
    assert callbacks["callback-1"].item_id is not None


def test_who_talked_last_is_remembered_for_as_long(stage: Any) -> None:
    scene: Scene = stage({"ann": {}, "bob": {}}, sales={"prefer": {"last_agent_days": 1}})
    scene.ready("ann", "bob")
    scene.engine.enqueue("c1", "sales", {}, scene.now, None, "+331")
    scene.listen()
    scene.answer("c1")
    talks, at = scene.engine.floor.talks, scene.now
    assert talks.last("+331", at) == "ann"
    next_server(scene)
    talks = scene.engine.floor.talks
    assert (talks.last("+331", scene.now), talks.last("+331", scene.now + 1)) == ("ann", None)


def test_estimates_are_made_on(stage: Any) -> None:
    """Rules that ask for them would else be asleep until the clock is where it was."""
    rule = {"when": "ewt > 20s and waited > 3s", "to": "extension 9"}
    scene: Scene = stage({"ann": {}}, sales={"wrap_up_s": 0, "leave": [rule]})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.wait(100)
    scene.engine.complete("c1", scene.now)
    scene.call("c2")
    scene.answer("c2")
    scene.call("c3")
    scene.wait(1)
    next_server(scene, "c2", "c3")
    scene.wait(3)
    (gone,) = scene.said(ItemOverflowed)
    assert isinstance(gone, ItemOverflowed) and gone.item_id == "c3"


# --- figures ---------------------------------------------------------------------------------------------------------


def test_times_of_agents_go_on_in_the_interval_at_work(stage: Any) -> None:
    scene: Scene = stage({"ann": {}}, sales=QUEUE)
    scene.ready("ann")
    at_work = scene.now // 900 * 900
    scene.wait(20)
    scene.engine.tick(scene.now)
    next_server(scene)
    scene.wait(40)
    (row,) = [one for one in scene.engine.floor.statistics.working(scene.now) if isinstance(one, AgentInterval)]
    assert (row.start, sum(row.figures)) == (at_work, 60_000)


def test_after_a_clock_that_was_wrong_for_long_figures_begin_anew(stage: Any) -> None:
    """Else nothing would slide, and nothing be written, until it is that late."""
    scene: Scene = stage({"ann": {}}, sales=QUEUE)
    scene.call("c1")
    scene.ready("ann")
    before = scene.now // 900 * 900
    next_server(scene, "c1", by_s=400 * 86_400.0)
    written = [one for one in scene.events if isinstance(one, CallsInterval) and one.kind == "queue"]
    assert [(one.start, one.figures[0]) for one in written] == [(before, 1)]
    scene.call("c2")
    scene.wait(900)
    while scene.engine.close_intervals(scene.now):
        pass
    scene.listen()
    starts = {one.start for one in scene.events if isinstance(one, CallsInterval)}
    assert starts == {before, before - 400 * 86_400}
    assert scene.engine.floor.statistics.queues["sales"]["call"].today(scene.now)[0] == 1


# --- whatever there is ------------------------------------------------------------------------------------------------

APPOINTED = {"age_from", "queued_at", "due_at", "expires_at"}


def times(value: Any, now: float, path: str, met: set[int]) -> Iterator[tuple[str, float]]:
    """Numbers that could be times, and where they are: of whatever a checkpoint keeps, but numbers of reservations and
    the slots of figures."""
    kind = type(value)
    if kind in (int, float):
        if abs(value - now) < 1e6 or abs(value - now * 1000) < 1e9:
            yield path, value
        return
    if isinstance(value, (Series, Days, *INDICES)) or (id(value) in met and not isinstance(value, str)):
        return
    met.add(id(value))
    if kind is Deadlines:
        yield from ((f"{path} {key}", at) for at, _, key in value.entries()[0])
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from times(one, now, f"{path}[{key!r}]", met)
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from times(one, now, f"{path}[{at}]", met)
    elif _ours(kind) and not isinstance(value, str) and kind.__module__.startswith("acd"):
        for name in set(_names(kind)) - {"number", "_next_reservation"}:
            yield from times(getattr(value, name), now, f"{path}.{name}", met)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_forgotten(seed: int) -> None:
    """Every time that is somewhere on a floor of a random history is moved, but those that were appointed."""
    rng, machine = random.Random(seed), FloorMachine()
    machine.begin()
    for _ in range(150):
        what, others = a_step(machine, rng)
        getattr(machine, what)(**others)
    floor, by_s = machine.engine.floor, 512.0
    waiting = [item.id for item in floor.lines]
    before = dict(times(floor, floor.now, "", set()))
    later = [one for one in floor.callbacks.values() if one.wished and one.due_at > floor.now]
    stay = {f".callbacks[{one.id!r}].{name}" for one in later for name in APPOINTED} | {".statistics.closed_to"}
    stay |= {path for path in before if any(path.endswith(f"{one.id!r})") for one in later)}
    set_back(floor, by_s)
    assert audit(floor) == []
    assert [item.id for item in floor.lines] == waiting
    after = dict(times(floor, floor.now, "", set()))
    assert len(before) > 20
    for path, value in before.items():
        moved = 0.0 if path in stay else by_s * 1000 if path.endswith("_ms") else by_s
        assert after[path] == pytest.approx(value - moved, abs=1e-3), path
