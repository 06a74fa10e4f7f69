"""Complaints about how callers of other systems are treated, each as a scene that must go well here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd import events
from acd.checkpoint import keep, take_up
from acd.engine import Engine
from tests.acd.test_announcer import FakeVoice

Open = Callable[..., Any]


def test_asterisk_202_a_changed_priority_orders_the_queue_anew(floor: Open) -> None:
    f = floor(sales={})
    f.call("c1")
    f.call("c2")
    f.desk.set_priority("sales", "c2", 500)
    f.agents("ann")
    assert "c2 offer ann sales" in f.what()


def test_siphon_ai_459_whoever_leaves_a_queue_has_left_it_for_a_reason(floor: Open) -> None:
    """No silent drops: each way out is an event that says why, and the caller is sent on or hung up with a cause."""
    enter, leave = {"when": "waiting >= 3", "to": "queue other"}, {"when": "waited > 9", "to": "extension 9"}
    f = floor(
        sales={"enter": [enter], "leave": [leave], "keys": {"0": "queue other"}},
        other={"max_wait_s": 5, "music": "m"},
    )  # fmt: skip
    calls = [f.call(f"c{n}") for n in range(4)]
    f.desk.on_digit(calls[0], "0")
    f.desk.withdraw("sales", "c1")
    f.clock.run(30)
    assert sorted((e.item_id, e.reason) for e in f.events if isinstance(e, events.ItemOverflowed)) == [
        ("c0", "key 0"), ("c0", "max_wait"), ("c1", "withdrawn"), ("c2", "rule: waited > 9 s"), ("c3", "max_wait"),
        ("c3", "rule: waiting >= 3"),
    ]  # fmt: skip
    ends = [line for line in f.what() if "hang up" in line or "route extension" in line]
    assert sorted(line.split()[0] for line in ends) == ["c0", "c1", "c2", "c3"]


def test_asterisk_1255_emergency_switch_and_kept_places_outlive_reload_and_crash(
    stage: Open, make_site: Callable[..., Any]
) -> None:
    s = stage(sales={"resume_s": 60, "emergency": "extension 9"}, other={})
    s.engine.enqueue("c1", "sales", {}, s.now, caller="+331")
    s.engine.enqueue("c2", "other", {}, s.now, caller="+332")
    s.engine.abandon("c1", s.now)
    s.engine.set_emergency("other", True, s.now)
    s.listen()
    agents: dict[str, dict[str, Any]] = {"ann": {}, "bob": {}, "cy": {}}
    site = make_site(agents, {"sales": {"resume_s": 60}, "other": {"emergency": "extension 8"}})
    engine = Engine.on(take_up(keep(s.engine.floor)))
    engine.reconfigure(site, s.now)
    engine.enqueue("c3", "sales", {}, s.now + 5, caller="+331")
    engine.enqueue("c4", "other", {}, s.now + 5, caller="+334")
    told, _ = engine.take()
    assert [(e.item_id, e.by) for e in told if isinstance(e, events.ItemResumed)] == [("c1", "c3")]
    assert [(e.item_id, e.reason, e.to) for e in told if isinstance(e, events.ItemOverflowed)] == [
        ("c4", "emergency", "extension 8"),
    ]  # fmt: skip


def test_a_wait_that_became_shorter_is_never_said_to_have_grown(floor: Open) -> None:
    """EWT wrong: what is told is what is known now, and nothing is told where nothing is known."""
    f = floor(sales={"music": "m", "announce": {"wait": True, "first_after_s": 1, "every_s": 2}})
    f.desk.speaks(FakeVoice())
    f.call("c1")
    f.clock.run(60)
    assert [line for line in f.what() if "[" in line] == []


def test_yaai_147_180_83_finesse_12_a_pop_is_in_time_and_where_the_call_is(floor: Open) -> None:
    """There, it came late, at the wrong agent, and never closed. Here it comes before the phone rings, goes with a
    reason when somebody else is asked, comes once, and ends with the notes."""
    f = floor({"ann": {}, "bob": {}}, sales={"ring_s": 10, "wrap_up_s": 30, "strategy": "top down"})
    f.agents("ann", "bob")
    call = f.call("c1")
    f.clock.run(11)  # ann does not answer
    call.phone_answers()
    call.agent_hangs_up()
    f.clock.run(60)
    of_screens = ("offer", "retract", "dial", "connected", "wrap_up", "ended")
    told = [line for line in f.what() if line.split()[1] in of_screens]
    assert told == [
        "c1 offer ann sales", "c1 dial extension x-ann", "c1 retract ann no_answer",
        "c1 offer bob sales", "c1 dial extension x-bob", "c1 connected bob", "c1 wrap_up bob", "c1 ended bob",
    ]  # fmt: skip
