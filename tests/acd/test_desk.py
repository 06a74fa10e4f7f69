"""The desk on scripted calls in virtual time: what callers, phones and screens are told, and the races between them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from acd import events
from acd.desk import AgentCommandError, UnknownAgent, outcome_of
from acd.reservation import Outcome
from config.schema import Site
from tests.acd.conftest import T1

Open = Callable[..., Any]  # conftest.floor: agents, then queues by name; returns a FakeFloor


# --- the straight line -----------------------------------------------------------------------------------------------


def test_a_call_from_arrival_to_the_end_of_wrap_up(floor: Open) -> None:
    f = floor()
    c1 = f.call("c1", basket=2300)
    f.clock.run(5)
    assert f.what() == ["c1 play music looped"]
    f.agents("ann")
    c1.phone_rings()
    c1.phone_answers()
    f.clock.run(60)
    c1.agent_hangs_up()
    assert f.what(1) == [
        "c1 offer ann sales",
        "c1 dial extension x-ann",
        "c1 bridge ann",
        "c1 connected ann",
        "c1 hang up agent hung up",
        "c1 wrap_up ann",
    ]
    assert c1.attempts[0].ring_s == 10 and c1.attempts[0].agent == "ann"
    f.clock.run(29.9)
    assert f.state("ann") == ("WRAP_UP", None)
    f.clock.run(0.2)
    assert f.what(7) == ["c1 ended ann"]
    assert f.state("ann") == ("READY", None)
    assert [type(e).__name__ for e in f.events] == [
        "ItemQueued", "ItemWaits", "AgentStateChanged", "AgentStateChanged", "ItemReserved", "AgentStateChanged",
        "ItemConnected", "AgentStateChanged", "ItemCompleted", "AgentStateChanged", "AgentStateChanged",
    ]  # fmt: skip
    assert f.clock.pending() == 0


def test_the_phone_rings_only_after_the_screen_has_the_call(floor: Open) -> None:
    f = floor()
    f.pops.slow = True
    f.agents("ann")
    f.call("c1")
    assert f.what() == ["c1 play music looped", "c1 offer ann sales"]
    f.pops.waiting.pop()()
    assert f.what(2) == ["c1 dial extension x-ann"]


def test_caller_hangs_up_while_talking(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    c1.phone_answers()
    f.clock.run(10)
    c1.caller_hangs_up()
    assert f.what(4) == ["c1 connected ann", "c1 wrap_up ann"]
    f.desk.wrap_up_done("ann")
    assert f.what(6) == ["c1 ended ann"]
    assert [e.talked_s for e in f.events if isinstance(e, events.ItemCompleted)] == [10]


def test_no_wrap_up_ends_at_once_and_the_next_is_offered(floor: Open) -> None:
    f = floor(sales={"wrap_up_s": 0})
    f.agents("ann")
    c1, _ = f.call("c1"), f.call("c2")
    c1.phone_answers()
    mark = len(f.diary)
    c1.agent_hangs_up()
    assert f.what(mark) == ["c1 hang up agent hung up", "c1 ended ann", "c2 offer ann sales", "c2 dial extension x-ann"]


# --- how callers are received ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "answered", "heard"),
    [
        ({"music": "m"}, False, ["c1 play m looped"]),
        ({"music": "m"}, True, ["c1 play m looped"]),
        ({}, False, ["c1 answer"]),
        ({}, True, ["c1 silence"]),
        ({"answer": "on agent", "music": "m"}, False, ["c1 ring"]),
        ({"answer": "on agent", "music": "m"}, True, ["c1 play m looped"]),
    ],
)
def test_how_callers_are_received(floor: Open, queue: dict[str, Any], answered: bool, heard: list[str]) -> None:
    f = floor(sales=queue)
    f.call("c1", answered=answered)
    assert f.what() == heard


def test_unknown_queue(floor: Open) -> None:
    f = floor()
    f.call("c1", "nowhere")
    assert f.what() == ["c1 refuse 480 no queue nowhere"]
    assert f.counters["queue_unknown"] == 1


def test_fixed_contact(floor: Open) -> None:
    f = floor({"ann": {"contact": "sip:a@192.0.2.1", "login": "always"}})
    f.call("c1")
    assert f.what(1) == ["c1 offer ann sales", "c1 dial sip:a@192.0.2.1"]


def test_nobody_on_the_site_fits(floor: Open) -> None:
    f = floor(sales={"needs": "asia"})
    f.call("c1")
    assert f.counters["queue_nobody_fits"] == 1


# --- not answered ----------------------------------------------------------------------------------------------------


def test_no_answer(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    c1 = f.call("c1")
    f.clock.run(10)
    assert f.what(3) == [
        "c1 drop no answer", "c1 retract ann no_answer", "c1 offer bob sales", "c1 dial extension x-bob",
    ]  # fmt: skip
    assert f.state("ann") == ("NOT_READY", "no answer")
    c1.phone_answers()
    assert f.what(7) == ["c1 bridge bob", "c1 connected bob"]
    assert f.pops.reservations == [int(T1 * 1000), int(T1 * 1000) + 1]


@pytest.mark.parametrize(
    ("status", "rang", "reason", "state"),
    [
        (486, True, "rejected", ("NOT_READY", "rejected")),
        (603, False, "rejected", ("NOT_READY", "rejected")),
        (486, False, "busy", ("NOT_READY", "busy")),
        (408, True, "no_answer", ("NOT_READY", "no answer")),
        (480, False, "unregistered", ("READY", "unregistered")),
        (404, False, "unregistered", ("READY", "unregistered")),
        (503, False, "unregistered", ("READY", "failed")),
    ],
)
def test_refusals(floor: Open, status: int, rang: bool, reason: str, state: tuple[str, str]) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    if rang:
        c1.phone_rings()
    c1.phone_refuses(status)
    assert f.what(3) == [f"c1 retract ann {reason}"]
    assert f.state("ann") == state
    f.clock.run(4)
    assert len(c1.attempts) == 1  # not rung in a tight loop


def test_outcomes() -> None:
    assert {outcome_of(status, rang=False) for status in range(300, 700)} == set(Outcome) - {
        Outcome.CALLER_HUNG_UP, Outcome.WITHDRAWN, Outcome.ANSWERED_ELSEWHERE,
    }  # fmt: skip


# --- races -----------------------------------------------------------------------------------------------------------


def test_caller_hangs_up_between_offer_and_ringing(floor: Open) -> None:
    f = floor()
    f.pops.slow = True
    f.agents("ann")
    c1 = f.call("c1")
    c1.caller_hangs_up()
    f.pops.waiting.pop()()
    assert f.what(1) == ["c1 offer ann sales", "c1 retract ann caller_hung_up"]
    assert f.state("ann") == ("READY", None)
    assert c1.attempts == []
    assert f.clock.pending() == 0


def test_caller_hangs_up_while_ringing(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    c1, _ = f.call("c1"), f.call("c2")
    mark = len(f.diary)
    c1.caller_hangs_up()
    assert f.what(mark) == ["c1 retract ann caller_hung_up", "c2 offer ann sales", "c2 dial extension x-ann"]


def test_caller_hangs_up_while_waiting(floor: Open) -> None:
    f = floor()
    f.call("c1").caller_hangs_up()
    f.agents("ann")
    assert f.what() == ["c1 play music looped"]
    assert [type(e) for e in f.events][2] is events.ItemAbandoned


def test_screen_is_slower_than_the_ring_time(floor: Open) -> None:
    f = floor()
    f.pops.slow = True
    f.agents("ann")
    c1 = f.call("c1")
    f.clock.run(10)
    f.desk.ready("ann")
    stale, fresh = f.pops.waiting
    stale()
    assert c1.attempts == []
    fresh()
    fresh()
    assert len(c1.attempts) == 1
    f.told()


def test_answer_in_the_same_turn_as_expiry_answer_first(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    f.clock.time += 10  # the timer has not been called yet
    c1.phone_answers()
    f.clock.run(0)
    assert f.what(3) == ["c1 bridge ann", "c1 connected ann"]


def test_answer_in_the_same_turn_as_expiry_expiry_first(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    c1 = f.call("c1")
    late = c1.attempts[0]
    f.clock.run(10)
    f.desk.on_answered(c1, late)  # a call that does not keep its word
    c1.phone_answers()
    assert f.what(7) == ["c1 bridge bob", "c1 connected bob"]
    assert f.counters["queue_late_answers"] == 1


def test_callbacks_of_an_attempt_that_is_no_more(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    c1 = f.call("c1")
    old = c1.attempts[0]
    f.clock.run(10)
    mark = len(f.diary)
    f.desk.on_ringing(c1, old)
    f.desk.on_failed(c1, old, 486, "")
    f.desk.on_ended(c1, old)
    f.desk.on_digit(c1, "1")
    f.desk.on_played(c1, 1)
    c1.caller_hangs_up()
    c1.caller_hangs_up()
    assert f.what(mark) == ["c1 retract bob caller_hung_up"]


def test_unregister_while_ringing(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    f.call("c1")
    f.desk.phone_registered("x-ann", False)
    assert f.what(3) == [
        "c1 drop unregistered", "c1 retract ann unregistered", "c1 offer bob sales", "c1 dial extension x-bob",
    ]  # fmt: skip
    assert f.state("ann") == ("READY", "unregistered")


def test_the_phone_is_lost_in_the_very_act_of_dialling(floor: Open) -> None:
    """Its TCP connection is cut off by what we send: unregistered before `dial` returns."""
    f = floor()
    f.agents("ann")
    f.pops.slow = True
    f.on_dial = lambda: f.desk.phone_registered("x-ann", False)
    call = f.call("c1")
    f.pops.waiting.pop()()
    assert [line for line in f.what() if "c1 d" in line] == ["c1 dial extension x-ann", "c1 drop withdrawn"]
    assert not call.attempts[0].live


@pytest.mark.parametrize("command", ["not ready", "logout"])
def test_agent_leaves_while_ringing(floor: Open, command: str) -> None:
    f = floor()
    f.agents("ann", "bob")
    c1 = f.call("c1")
    if command == "not ready":
        f.desk.not_ready("ann", "lunch")
    else:
        f.desk.logout("ann")
    assert f.what(3) == [
        "c1 drop withdrawn", "c1 retract ann withdrawn", "c1 offer bob sales", "c1 dial extension x-bob",
    ]  # fmt: skip
    c1.phone_answers()
    f.told()


@pytest.mark.parametrize("command", ["not ready", "logout"])
def test_agent_leaves_while_talking(floor: Open, command: str) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    c1.phone_answers()
    if command == "not ready":
        f.desk.not_ready("ann", "lunch")
    else:
        f.desk.logout("ann")
    assert f.state("ann")[0] == "BUSY"
    assert f.desk.agent("ann")["pending"] == ("NOT_READY" if command == "not ready" else "LOGGED_OUT")
    c1.agent_hangs_up()
    f.clock.run(30)
    assert f.state("ann") == (("NOT_READY", "lunch") if command == "not ready" else ("LOGGED_OUT", None))
    assert f.what()[-1] == "c1 ended ann"


def test_agent_logs_out_in_wrap_up(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    c1.phone_answers()
    c1.agent_hangs_up()
    f.desk.logout("ann")
    assert f.what()[-1] == "c1 ended ann"
    assert f.clock.pending() == 0


def test_leg_still_counted_after_the_call(floor: Open) -> None:
    """The switch reports the end of the leg after the end of the call: the next offer waits for it."""
    f = floor(sales={"wrap_up_s": 0})
    f.agents("ann")
    c1 = f.call("c1")
    c1.phone_answers()
    f.call("c2")
    mark = len(f.diary)
    c1.controller.on_ended(c1, c1.attempts[0])
    assert f.what(mark) == ["c1 hang up agent hung up", "c1 ended ann", "c2 offer ann sales", "c2 dial extension x-ann"]


# --- out of the queue ------------------------------------------------------------------------------------------------


def test_overflow_to_another_queue_keeps_the_age(floor: Open) -> None:
    f = floor(sales={"max_wait_s": 20, "overflow": "queue other"}, other={"music": "m"})
    f.call("c1")
    f.clock.run(10)
    f.call("c2", "other")
    f.clock.run(10)
    assert f.what()[-2:] == ["c1 route queue other", "c1 play m looped"]
    f.agents("ann", "bob")
    assert [line for line in f.what() if "offer" in line] == ["c1 offer ann other", "c2 offer bob other"]
    assert f.desk._ages == {}


def test_overflow_elsewhere_and_nowhere(floor: Open) -> None:
    f = floor(sales={"max_wait_s": 20, "overflow": "extension 9"}, other={"max_wait_s": 20})
    f.call("c1")
    f.call("c2", "other")
    f.clock.run(20)
    assert f.what(2) == ["c1 route extension 9", "c2 hang up waited too long in queue other"]
    assert f.clock.pending() == 0


@pytest.mark.parametrize("when", ["waiting", "offered", "ringing", "talking"])
def test_sent_to_another_queue(floor: Open, when: str) -> None:
    f = floor(sales={"wrap_up_s": 0}, other={})
    f.pops.slow = when == "offered"
    if when != "waiting":
        f.agents("ann")
    c1 = f.call("c1")
    if when == "talking":
        c1.phone_answers()
    f.desk.enter(c1, "other")
    f.told()
    queues = {q["name"]: q for q in f.desk.queues()}
    assert queues["sales"]["waiting"] == []
    assert queues["sales"]["overflowed"] == (0 if when == "talking" else 1)
    assert len(queues["other"]["waiting"]) == 1


def test_more_is_known_of_a_waiting_caller(floor: Open) -> None:
    f = floor(sales={"value_weight": 1})
    f.call("c1")
    c2 = f.call("c2")
    c2.attributes["basket"] = 900
    f.desk.attributes_changed(c2)
    f.agents("ann")
    assert "c2 offer ann sales" in f.what()
    c1 = f.calls["c1"]
    c1.caller_hangs_up()
    f.desk.attributes_changed(c1)  # too late, and harmless


# --- reload ----------------------------------------------------------------------------------------------------------


def test_reload_loses_nobody(floor: Open, make_site: Callable[..., Site]) -> None:
    """asterisk#1255, FS PR#39, qpanel#113."""
    f = floor({"ann": {}, "bob": {}, "cy": {}}, sales={"wrap_up_s": 5}, gone={})
    f.agents("ann", "bob")
    talking, ringing = f.call("c1"), f.call("c2", "gone")
    talking.phone_answers()
    f.call("c3", "gone")
    f.clock.run(7)
    f.desk.not_ready("ann", "lunch")
    f.desk.reconfigure(make_site({"bob": {}, "dan": {"contact": "sip:d@192.0.2.1", "login": "always"}}, {"sales": {}}))
    assert f.state("ann")[0] == "BUSY"
    assert f.what()[-2:] == ["c3 offer dan gone", "c3 dial sip:d@192.0.2.1"]
    ringing.phone_answers()
    f.call("c4", "gone")
    assert f.what()[-1] == "c4 refuse 480 no queue gone"
    assert [q["name"] for q in f.desk.queues()] == ["sales", "gone"]
    f.calls["c3"].caller_hangs_up()
    ringing.agent_hangs_up()
    assert [q["name"] for q in f.desk.queues()] == ["sales"]
    talking.agent_hangs_up()
    f.clock.run(100)
    assert {a["name"] for a in f.desk.agents()} == {"bob", "dan"}
    changes = [e for e in f.events if isinstance(e, events.AgentStateChanged)]
    assert ("ann", "LOGGED_OUT", "removed") in [(e.agent, e.state, e.reason) for e in changes]
    f.told()


def test_reload_takes_a_ringing_agent_away(floor: Open, make_site: Callable[..., Site]) -> None:
    f = floor()
    f.agents("ann", "bob")
    f.call("c1")
    f.desk.reconfigure(make_site({"bob": {}}, {"sales": {}}))
    assert f.what(3) == [
        "c1 drop withdrawn", "c1 retract ann withdrawn", "c1 offer bob sales", "c1 dial extension x-bob",
    ]  # fmt: skip


# --- commands, views, leftovers --------------------------------------------------------------------------------------


def test_commands_of_agents(floor: Open) -> None:
    f = floor()
    with pytest.raises(UnknownAgent):
        f.desk.login("zoe")
    with pytest.raises(AgentCommandError) as caught:
        f.desk.ready("ann")
    assert caught.value.state == "LOGGED_OUT"


def test_views(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    f.call("c1", basket=5)
    f.clock.run(3)
    f.call("c2")
    f.clock.run(4)
    queue = f.desk.queues()[0]
    assert queue["name"] == "sales" and queue["longest_wait_s"] == 7.0
    assert queue["waiting"] == [
        {"call_id": "c1", "channel": "call", "waited_s": 7.0, "score": 7.0, "state": "RESERVED", "agent": "ann",
         "attributes": {"basket": 5}},
        {"call_id": "c2", "channel": "call", "waited_s": 4.0, "score": 4.0, "state": "QUEUED", "agent": None,
         "attributes": {}},
    ]  # fmt: skip
    assert queue["agents"] == {
        "logged_out": 1, "not_ready": 0, "ready": 0, "reserved": 1, "busy": 0, "wrap_up": 0, "available": 0,
    }  # fmt: skip
    ann, bob = f.desk.agents()
    assert (ann["state"], ann["call_id"], ann["since"], ann["registered"]) == ("RESERVED", "c1", T1, True)
    assert (bob["state"], bob["display_name"], bob["available"]) == ("LOGGED_OUT", "bob", False)
    f.calls["c1"].phone_answers()
    f.calls["c1"].caller_hangs_up()
    f.clock.run(30)
    f.calls["c2"].caller_hangs_up()
    f.desk.phone_calls("x-ann", 1)
    assert f.state("ann") == ("READY", "on another call")


def test_one_timer_and_nothing_left_behind(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    f.clock.run(0)
    gc.collect()
    gc.disable()
    try:
        for n in range(200):
            call = f.call(f"c{n}")
            assert f.clock.pending() <= 1
            if n % 3:
                call.phone_answers()
                call.agent_hangs_up()
                f.clock.run(31)
            else:
                call.caller_hangs_up()
        f.diary.clear()
        f.events.clear()
        del call
        f.desk._pops = None
        assert gc.collect() == 0
    finally:
        gc.enable()
    f.clock.run(100)
    assert f.clock.pending() == 0
    engine = f.desk._engine.floor
    assert not (engine.items or engine.reservations or len(engine.deadlines) or len(engine.lines))
