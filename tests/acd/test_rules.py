"""Who may wait, and how long: hours, the emergency switch, `enter` and `leave`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.commands import OfferItem, OverflowItem
from acd.deadlines import Due
from acd.errors import AcdError, UnknownQueue
from acd.events import ItemOverflowed, ItemReserved, ReservationEnded
from acd.rules import LOOK_S, Facts, position
from acd.turns import AT_ONCE, TURN_S
from config.schema import Destination

Open = Callable[..., Any]
ELSEWHERE = Destination("extension", "9")


def reasons(scene: Any) -> list[tuple[str, str, str | None]]:
    return [(e.item_id, e.reason, e.to) for e in scene.said(ItemOverflowed)]


# --- facts -----------------------------------------------------------------------------------------------------------


def test_facts(stage: Open) -> None:
    s = stage({"ann": {"skills": {"x": 5}}, "bob": {"skills": {"x": 5}}, "cy": {}}, sales={"needs": "x"})
    s.ready("ann", "bob", "cy")
    s.call("c1")
    s.answer("c1")
    s.wait(5)
    s.call("c2")
    s.engine.not_ready("bob", "lunch", s.now)
    s.listen()
    s.wait(5)
    s.call("c3")
    s.wait(5)
    s.engine.tick(s.now)
    queue = s.engine.floor.queues["sales"]
    facts = Facts(s.engine.floor, queue)
    assert [facts.get(fact) for fact in ("agents", "on_duty", "free", "waiting", "waiting_per_agent", "longest")] == [
        2, 1, 0, 2, 2, 10,
    ]  # fmt: skip
    assert [facts.get(fact) for fact in ("waited", "position", "ewt")] == [None] * 3
    of_call = Facts(s.engine.floor, queue, s.engine.floor.items["c3"])
    assert [of_call.get(fact) for fact in ("waited", "position")] == [5, 2]


def test_nobody_on_duty_and_nobody_waiting(stage: Open) -> None:
    s = stage()
    facts = Facts(s.engine.floor, s.engine.floor.queues["sales"])
    assert [facts.get(fact) for fact in ("agents", "waiting_per_agent", "longest")] == [0, 0, 0]
    s.call("c1")
    assert Facts(s.engine.floor, s.engine.floor.queues["sales"]).get("waiting_per_agent") == float("inf")


def test_agents_are_those_who_could_take_the_call(stage: Open) -> None:
    """What is asked for depends on the call: a destination nobody knows has no agents."""
    s = stage({"ann": {"skills": {"asia": 5}}}, sales={"needs": "skill(call.land)", "enter": [
        {"when": "agents == 0", "to": "extension 9"},
    ]})  # fmt: skip
    s.ready("ann")
    s.call("c1", land="europe")
    s.call("c2", land="asia")
    assert reasons(s) == [("c1", "rule: agents == 0", "extension 9")]
    assert s.offered_to("c2") == "ann"


# --- enter -----------------------------------------------------------------------------------------------------------


def test_who_comes_is_sent_on_by_the_first_rule_that_holds(stage: Open) -> None:
    s = stage(sales={"enter": [
        {"when": "waiting >= 2", "to": "extension 9"}, {"when": "waiting >= 1 and on_duty == 0", "to": "queue other"},
    ]}, other={})  # fmt: skip
    assert s.call("c1") == []
    assert s.call("c2") == [OverflowItem("c2", "sales", Destination("queue", "other"), s.now, "rule: waiting >= 1 and "
                                         "on_duty == 0")]  # fmt: skip
    s.ready("ann")
    s.engine.not_ready("ann", "", s.now)  # c1 goes back to its place
    s.listen()
    s.engine.enqueue("c3", "other", {}, s.now)
    s.listen()
    s.engine.ready("ann", s.now)
    s.listen()
    s.call("c4")
    s.call("c5")
    assert s.call("c6") == [OverflowItem("c6", "sales", ELSEWHERE, s.now, "rule: waiting >= 2")]
    queue = s.engine.floor.queues["sales"]
    assert (queue.offered, queue.overflowed) == (5, 2)


def test_who_has_waited_elsewhere_is_asked_for_all_of_it(stage: Open) -> None:
    s = stage(sales={"enter": [{"when": "waited > 3m", "to": "extension 9"}]})
    s.engine.enqueue("c1", "sales", {}, s.now, s.now - 181)
    s.engine.enqueue("c2", "sales", {}, s.now, s.now - 180)
    s.listen()
    assert [item for item, _, _ in reasons(s)] == ["c1"]


def test_the_place_one_would_have(stage: Open) -> None:
    s = stage(sales={"value_weight": 1, "enter": [{"when": "position > 2", "to": "extension 9"}]})
    s.call("c1")
    s.call("c2")
    s.call("rich", basket=500)
    s.call("poor")
    assert [item for item, _, _ in reasons(s)] == ["poor"]
    assert position(s.engine.floor.items["rich"]) == 1


def test_a_fact_that_nobody_knows_makes_no_rule_true(stage: Open) -> None:
    s = stage(sales={"enter": [{"when": "service_level < 100 %", "to": "extension 9"}]})
    s.call("c1")
    assert reasons(s) == []


# --- hours, emergency ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("closed", "to"), [({"closed": "extension 9"}, ELSEWHERE), ({}, None)])
def test_closed(stage: Open, closed: dict[str, str], to: Destination | None) -> None:
    s = stage(sales={"hours": "office", "enter": [{"when": "waiting == 0", "to": "extension 1"}], **closed})
    s.ready("ann")
    s.engine.enqueue("c1", "sales", {}, s.now, is_open=False)
    assert s.listen() == [OverflowItem("c1", "sales", to, s.now, "closed")]


def test_who_waits_when_it_closes_goes_on_waiting(stage: Open) -> None:
    s = stage(sales={"closed": "extension 9"})
    s.call("c1")
    s.engine.enqueue("c2", "sales", {}, s.now, is_open=False)
    s.listen()
    s.ready("ann")
    assert s.offered_to("c1") == "ann"


def test_emergency_empties_the_queue_and_keeps_it_empty(stage: Open) -> None:
    s = stage(sales={"emergency": "extension 9"}, other={})
    s.ready("ann", "bob")
    s.call("talks")
    s.answer("talks")
    s.call("rings")
    s.call("waits")
    s.engine.set_emergency("sales", True, s.now)
    commands = s.listen()
    assert {c.item_id for c in commands if isinstance(c, OverflowItem)} == {"waits", "rings"}
    assert not [c for c in commands if isinstance(c, OfferItem)], "an agent who is free again gets nobody who is to go"
    assert s.state("bob") == ("READY", None) and s.state("ann")[0] == "BUSY"
    assert s.call("late") == [OverflowItem("late", "sales", ELSEWHERE, s.now, "emergency")]
    s.call("c5", "other")
    assert s.offered_to("c5") == "bob"
    s.engine.set_emergency("sales", False, s.now)
    s.call("c6")
    assert [reason for _, reason, _ in reasons(s)] == ["emergency"] * 3
    with pytest.raises(UnknownQueue):
        s.engine.set_emergency("nowhere", True, s.now)


def test_the_emergency_switch_survives_a_reload(stage: Open, make_site: Callable[..., Any]) -> None:
    s = stage(sales={"emergency": "extension 9"})
    s.engine.set_emergency("sales", True, s.now)
    s.engine.reconfigure(make_site({"ann": {}}, {"sales": {"emergency": "extension 8"}}), s.now)
    s.listen()
    s.call("c1")
    assert reasons(s) == [("c1", "emergency", "extension 8")]


# --- leave -----------------------------------------------------------------------------------------------------------


def test_who_waits_too_long_by_a_rule_leaves_within_a_second(stage: Open) -> None:
    s = stage(sales={"leave": [{"when": "waited > 30", "to": "extension 9"}]})
    s.call("c1")
    s.wait(10)
    s.call("c2")
    s.wait(20)
    assert reasons(s) == []
    s.wait(1)
    assert reasons(s) == [("c1", "rule: waited > 30 s", "extension 9")]
    s.wait(10)
    assert [item for item, _, _ in reasons(s)] == ["c1", "c2"]
    s.wait(2)
    assert s.engine.next_deadline() is None


def test_of_too_many_the_last_one_leaves(stage: Open) -> None:
    s = stage(sales={"leave": [{"when": "waiting > 2", "to": "extension 9"}]})
    for n in range(5):
        s.call(f"c{n}")
    s.wait(1)
    assert [item for item, _, _ in reasons(s)] == ["c4", "c3", "c2"]


def test_a_long_line_is_asked_for_its_waits_in_pieces(stage: Open) -> None:
    """From its end; whoever leaves meanwhile by himself is not missed, and who comes is looked at the next time."""
    s = stage({"ann": {}}, sales={"leave": [{"when": "ewt > 150s", "to": "extension 9"}], "wrap_up_s": 0})
    s.ready("ann")
    s.call("first")
    s.answer("first")
    s.wait(10)
    s.engine.complete("first", s.now)
    s.listen()
    for number in range(350):
        s.call(f"c{number}")
    s.answer("c0")
    s.engine.tick(s.now + LOOK_S)
    s.listen()
    gone = [item for item, *_ in reasons(s)]
    assert gone == [f"c{number}" for number in range(349, 349 - AT_ONCE, -1)]
    assert s.engine.next_deadline() == pytest.approx(s.now + LOOK_S + TURN_S)
    s.engine.abandon("c200", s.now + LOOK_S)
    s.engine.set_priority("c190", 500.0, s.now + LOOK_S)
    s.wait(2 * LOOK_S + 1)
    left = [item.id for item in s.engine.floor.lines]
    assert left[0] == "c190" and left[1:] == [f"c{number}" for number in range(1, len(left))]
    assert 10 < len(left) < 20
    assert not s.engine.floor.queues["sales"].unlooked
    s.call("late")
    s.wait(2 * LOOK_S)
    assert reasons(s)[-1][0] == "late"


def test_all_leave_when_the_last_agent_does(stage: Open) -> None:
    s = stage(sales={"leave": [{"when": "agents == 0", "to": "extension 9"}]}, other={})
    s.ready("ann")
    s.call("c0", "other")
    s.call("c1")
    s.call("c2")
    s.wait(3)
    assert reasons(s) == []
    s.engine.logout("ann", s.now)
    s.listen()
    s.wait(1)
    assert sorted(item for item, _, _ in reasons(s)) == ["c1", "c2"]
    assert s.engine.floor.queues["sales"].overflowed == 2


def test_a_ringing_phone_is_not_interrupted_by_a_rule(stage: Open) -> None:
    s = stage(sales={"ring_s": 10, "leave": [{"when": "waited > 3", "to": "extension 9"}]})
    s.ready("ann")
    s.call("c1")
    s.wait(9)
    assert reasons(s) == []
    s.wait(2)
    assert reasons(s) == [("c1", "rule: waited > 3 s", "extension 9")]


def test_rules_that_come_with_a_reload_hold_for_who_waits(stage: Open, make_site: Callable[..., Any]) -> None:
    s = stage()
    s.call("c1")
    site = make_site({"ann": {}}, {"sales": {"leave": [{"when": "waiting > 0", "to": "extension 9"}]}})
    s.engine.reconfigure(site, s.now)
    s.listen()
    s.wait(1)
    assert [item for item, _, _ in reasons(s)] == ["c1"]


def test_a_removed_queue_leaves_no_deadline_behind(stage: Open, make_site: Callable[..., Any]) -> None:
    s = stage(sales={"leave": [{"when": "waited > 99", "to": "extension 9"}]})
    s.call("c1")
    s.engine.reconfigure(make_site({"ann": {}}, {"other": {}}), s.now)
    s.engine.abandon("c1", s.now)
    s.listen()
    assert (Due.QUEUE, "sales") not in s.engine.floor.deadlines
    assert s.wait(5) == []


# --- taken out by somebody -------------------------------------------------------------------------------------------


def test_withdrawn_while_it_rings(stage: Open) -> None:
    s = stage()
    s.ready("ann")
    s.call("c1")
    s.engine.withdraw("c1", "extension 0", s.now, "key 0")
    s.listen()
    assert reasons(s) == [("c1", "key 0", "extension 0")]
    assert [e.outcome for e in s.said(ReservationEnded)] == ["withdrawn"]
    assert s.state("ann") == ("READY", None)


def test_who_talks_is_not_withdrawn(stage: Open) -> None:
    s = stage()
    s.ready("ann")
    s.call("c1")
    s.answer("c1")
    with pytest.raises(AcdError):
        s.engine.withdraw("c1", None, s.now)


# --- told before the two are joined -----------------------------------------------------------------------------------


def test_an_agent_who_is_told_something_has_his_time_for_it(stage: Open) -> None:
    s = stage(sales={"ring_s": 10})
    s.ready("ann")
    s.call("c1")
    s.wait(9)
    assert s.engine.picked_up(s.offer("c1").reservation, 30, s.now)
    s.wait(29)
    assert s.state("ann")[0] == "RESERVED"
    s.answer("c1")
    assert s.state("ann")[0] == "BUSY"
    assert not s.engine.picked_up(1, 30, s.now)


def test_an_agent_who_is_never_joined_does_not_hold_the_caller(stage: Open) -> None:
    s = stage(sales={"ring_s": 10})
    s.ready("ann", "bob")
    s.call("c1")
    s.engine.picked_up(s.offer("c1").reservation, 30, s.now)
    s.wait(30)
    assert s.offered_to("c1") == "bob"
    assert [e.agent for e in s.said(ItemReserved)] == ["ann", "bob"]
