"""Random histories, with checkpoints taken and the server killed anywhere: the floor that is made again is the same,
and goes on the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import initialize, rule

from acd.callbacks import LET_GO_S
from acd.checkpoint import keep, take_up
from acd.commands import CallLine, DropLine
from acd.engine import Engine
from acd.events import ItemAbandoned, ItemCompleted, ItemOverflowed
from acd.input_log import inputs_of, replay
from acd.model import ItemState
from tests.acd import test_properties
from tests.acd.conftest import T0, Scene

EXTENSIONS = st.sampled_from(["101", "102", "103", "999"])


class Killed(test_properties.Floor):
    """`text` and `entries` are what the database has."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.entries: list[bytes] = []
        self.checkpoint()

    def listen(self, entry: bytes | None) -> None:
        if entry is None:  # it cannot be replayed: what comes after builds on a new checkpoint
            self.text, self.entries = keep(self.engine.floor), []
        else:
            self.entries.append(entry)

    @rule()
    def checkpoint(self) -> None:
        self.text, self.entries = keep(self.engine.floor), []
        self.engine.log = self.listen

    @rule()
    def freeze_and_thaw(self) -> None:
        """In place of what the engine's own properties do: killed, and started again."""
        again = Engine.on(take_up(self.text))
        assert replay(again, [json.loads(entry) for entry in self.entries]) == len(self.entries)
        assert keep(again.floor) == keep(self.engine.floor)
        self.engine = again
        self.engine.log = self.listen

    @rule(
        data=st.data(), seconds=st.sampled_from([0.0, 30.0, -600.0]),
        legs=st.dictionaries(EXTENSIONS, st.integers(0, 2)), registered=st.sets(EXTENSIONS),
    )  # fmt: skip
    def the_next_server(
        self, data: st.DataObject, seconds: float, legs: dict[str, int], registered: set[str]
    ) -> None:
        """Some of the calls outlived the last one, whose clock may have been ahead."""
        calls = data.draw(st.sets(st.sampled_from(sorted(self.live)))) if self.live else set()
        self.freeze_and_thaw()
        self.now += seconds
        self.engine.restarted(sorted(calls), legs, sorted(registered), 60.0, self.now)
        self.take(one_input=False)
        floor = self.engine.floor
        assert {i.id for i in floor.items.values() if i.state is not ItemState.KEPT} <= calls
        assert {name for name, phone in floor.roster.phones.items() if phone.registered} == registered
        self.tick_all()

    def tick_all(self) -> None:
        self.engine.tick(self.now)  # what became due meanwhile
        self.take(one_input=False)

    @rule(queue=st.sampled_from(["asia", "nowhere"]), item=st.sampled_from(["c1", "c9"]))
    def refused(self, queue: str, item: str) -> None:
        """An input that cannot be is refused in the replay, too."""
        for what in (lambda: self.engine.enqueue(item, "nowhere", {}, self.now), lambda: self.engine.login("?", 0.0)):
            try:
                what()
            except Exception as error:
                assert type(error).__name__ in ("UnknownQueue", "UnknownAgent")


TestKilled = Killed.TestCase
TestKilled.settings = settings(max_examples=120, stateful_step_count=40)


def test_every_input_is_logged() -> None:
    assert {"enqueue", "abandon", "complete", "answer", "fail", "login", "tick", "phone_calls"} <= set(
        inputs_of(Engine)
    )
    assert not {"reconfigure", "take", "next_deadline", "holds"} & set(inputs_of(Engine))


# --- the next server -------------------------------------------------------------------------------------------------

DOWN_S = 40.0
KEEP_S = 300.0


@pytest.fixture
def next_server(stage: Any) -> Callable[..., Scene]:
    """The scene after a kill: `calls` outlived it."""

    def go_on(
        scene: Scene, *calls: str, legs: dict[str, int] | None = None, phones: tuple[str, ...] = (),
        lines: tuple[str, ...] = (),
    ) -> Scene:  # fmt: skip
        phones = phones or tuple(scene.engine.floor.roster.phones)
        scene.engine = Engine.on(take_up(keep(scene.engine.floor)))
        scene.now += DOWN_S
        scene.events.clear()
        scene.commands.clear()
        scene.engine.restarted(list(calls), legs or {}, list(phones), KEEP_S, scene.now, list(lines))
        scene.listen()
        return scene

    return go_on


def test_who_waited_waits_on_or_may_call_again(stage: Any, next_server: Any) -> None:
    scene: Scene = stage()
    for number in range(4):
        scene.engine.enqueue(f"c{number}", "sales", {}, scene.now, None, f"+33{number}")
        scene.wait(10)
    left_at = scene.engine.floor.now
    next_server(scene, "c1", "c3")
    floor = scene.engine.floor
    assert [(name, item.state.value) for name, item in floor.items.items()] == [
        ("c0", "KEPT"), ("c1", "QUEUED"), ("c2", "KEPT"), ("c3", "QUEUED"),
    ]  # fmt: skip
    assert floor.items["c0"].left_at == left_at
    assert [item.waited_s(scene.now) for item in floor.lines] == [30 + DOWN_S, 10 + DOWN_S]
    scene.engine.enqueue("c9", "sales", {}, scene.now, None, "+332")
    scene.listen()
    assert [item.id for item in floor.lines] == ["c1", "c9", "c3"]
    scene.wait(KEEP_S - 1)
    assert "c0" in floor.items
    scene.wait(1)
    assert "c0" not in floor.items
    assert floor.queues["sales"].abandoned == 1
    assert [event.waited_s for event in scene.events if isinstance(event, ItemAbandoned)] == [left_at - T0]


def test_who_does_not_say_his_number_has_abandoned(stage: Any, next_server: Any) -> None:
    scene: Scene = stage()
    scene.call("c1")
    next_server(scene)
    assert scene.engine.floor.queues["sales"].abandoned == 1 and not scene.engine.floor.items


def test_a_limit_that_passed_while_it_rang_holds_for_who_rings_no_more(stage: Any, next_server: Any) -> None:
    """Found by random histories: an offer that ended with its server left its caller without any limit."""
    scene: Scene = stage(sales={"max_wait_s": 20, "ring_s": 60})
    scene.ready("ann")
    scene.call("c1")
    scene.wait(25)
    next_server(scene, "c1", phones=("x-bob",))
    scene.wait(0)
    assert [event.reason for event in scene.events if isinstance(event, ItemOverflowed)] == ["max_wait"]


def test_offers_are_over_and_made_anew(stage: Any, next_server: Any) -> None:
    """The agent keeps his idle time; who was first in line is first."""
    scene: Scene = stage()
    scene.ready("ann")
    scene.wait(5)
    idle_since = scene.engine.floor.roster.agent("ann").idle_since
    scene.call("c1")
    scene.call("c2")
    number = scene.offer("c1").reservation
    next_server(scene, "c1", "c2")
    assert scene.offered_to("c1") == "ann" and scene.offered_to("c2") is None
    assert scene.offer("c1").reservation >= int(scene.now * 1000) > number
    assert scene.engine.floor.roster.agent("ann").idle_since == idle_since
    assert not scene.engine.answer(number, scene.now)


def test_talks_go_on_or_ended_with_the_server(stage: Any, next_server: Any) -> None:
    scene: Scene = stage()
    scene.ready("ann", "bob", "cy")
    for item in ("c1", "c2"):
        scene.call(item)
        scene.answer(item)
    scene.wait(10)
    scene.engine.not_ready("cy", "lunch", scene.now)
    died_at = scene.engine.floor.now
    next_server(scene, "c2", legs={"x-bob": 1})
    assert scene.state("bob") == ("BUSY", None)
    assert scene.state("cy") == ("NOT_READY", "lunch")
    # ann's wrap-up of 30 s began when the server died
    assert scene.state("ann") == ("WRAP_UP", None)
    assert [event.talked_s for event in scene.events if isinstance(event, ItemCompleted)] == [died_at - T0]
    scene.engine.tick(scene.now)
    assert scene.state("ann")[0] == "READY"
    scene.engine.complete("c2", scene.now)
    scene.listen()
    assert scene.state("bob")[0] == "WRAP_UP"


def test_phones_are_as_they_are_now(stage: Any, next_server: Any) -> None:
    """Not registered any more; on a call of his own; registered since."""
    scene: Scene = stage()
    scene.ready("ann", "bob", "cy")
    scene.engine.phone_registered("x-cy", False, scene.now)
    scene.engine.phone_calls("x-ann", 2, scene.now)
    next_server(scene, phones=("x-bob", "x-cy", "999"), legs={"x-bob": 1, "998": 1})
    roster = scene.engine.floor.roster
    assert {name: roster.hindrance(agent) for name, agent in roster.agents.items()} == {
        "ann": "unregistered", "bob": "on another call", "cy": None,
    }  # fmt: skip
    scene.call("c1")
    assert scene.offered_to("c1") == "cy"


def test_callbacks_stay(stage: Any, next_server: Any) -> None:
    scene: Scene = stage(sales={"callback": {}})
    scene.engine.ask_callback("callback-1", "sales", "+33612345601", {}, scene.now)
    scene.engine.ask_callback("callback-2", "sales", "+33612345602", {}, scene.now, due_at=scene.now + 9000)
    next_server(scene)
    assert [item.id for item in scene.engine.floor.lines] == ["callback-1-1"]
    assert list(scene.engine.floor.callbacks) == ["callback-1", "callback-2"]


@pytest.mark.parametrize("order", ["offered", "taken", "dialled", "reached"])
def test_a_callback_whose_call_was_under_way_has_another(stage: Any, next_server: Any, order: str) -> None:
    """Its call did not outlive the server; ids of calls are used once."""
    scene: Scene = stage(sales={"callback": {}})
    scene.engine.ask_callback("cb", "sales", "+33612345601", {}, scene.now)
    scene.ready("ann")
    if order == "taken":
        scene.answer("cb-1")
    if order != "offered":
        scene.engine.customer_dialled("cb-1", scene.now)
    if order == "reached":
        scene.engine.customer_reached("cb-1", scene.now)
    scene.listen()
    next_server(scene)
    callback = scene.engine.floor.callbacks["cb"]
    if order in ("taken", "dialled"):  # his phone rang: nobody is called twice at once
        assert callback.item_id is None and callback.due_at == scene.now + LET_GO_S
        scene.engine.tick(scene.now + LET_GO_S)
    assert callback.item_id == "cb-2" and callback.age_from == scene.engine.floor.items["cb-2"].age_from
    assert callback.dialled_until is None and not callback.reached


def test_a_customer_who_is_being_called_is_not_left_without_an_agent(stage: Any, next_server: Any) -> None:
    """His call outlived the server; the offer for which he is called did not, and nobody else is there."""
    scene: Scene = stage(sales={"callback": {"order": "customer first"}})
    scene.engine.ask_callback("cb", "sales", "+33612345601", {}, scene.now)
    scene.ready("ann")
    scene.engine.customer_dialled("cb-1", scene.now)
    scene.listen()
    next_server(scene, "cb-1", phones=("999",))
    callback = scene.engine.floor.callbacks["cb"]
    assert callback.item_id == "cb-2" and callback.dialled_until is None
    assert scene.engine.floor.items["cb-2"].state is ItemState.QUEUED


@pytest.mark.parametrize("stands", [True, False])
def test_lines_of_nailed_up_agents(stage: Any, next_server: Any, stands: bool) -> None:
    """Whose line stands is available by it; whose does not is called again if he is ready."""
    scene: Scene = stage(sales={})
    for name in ("ann", "bob"):
        agent = scene.engine.floor.roster.agents[name]
        agent.nailed_up = True
        scene.engine.login(name, scene.now)
        scene.engine.line_up(name, scene.now)
    scene.engine.ready("ann", scene.now)
    scene.listen()
    next_server(scene, lines=("ann", "bob") if stands else ())
    called = [one.agent for one in scene.commands if isinstance(one, CallLine)]
    assert called == ([] if stands else ["ann"])
    assert [scene.engine.floor.roster.agents[name].line for name in ("ann", "bob")] == [stands, stands]


def test_the_line_of_who_has_logged_out_is_hung_up(stage: Any, next_server: Any) -> None:
    scene: Scene = stage(sales={})
    next_server(scene, lines=("ann",))
    assert DropLine("ann") in scene.commands and not scene.engine.floor.roster.agents["ann"].line
