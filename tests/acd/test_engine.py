"""Scenes of a floor, in virtual time: who is offered what, when, and what becomes of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.commands import CloseWork, OfferItem, OverflowItem, ShowWrapUp, WithdrawOffer
from acd.errors import AcdError, UnknownAgent, UnknownQueue
from acd.events import AgentStateChanged, ItemAbandoned, ItemCompleted, ItemConnected, ItemOverflowed, ItemReserved
from acd.reservation import Outcome
from config.schema import Destination

T0 = 1_000.0
Stage = Callable[..., Any]  # conftest.stage: agents, then queues by name; returns a Scene


# --- the straight line -----------------------------------------------------------------------------------------------


def test_a_call_from_arrival_to_the_next(stage: Stage) -> None:
    scene = stage()
    assert scene.call("c1") == []  # nobody is there
    scene.wait(5)
    scene.ready("ann")
    assert scene.commands == [OfferItem("c1", "ann", "sales", 1, 10.0)]
    scene.wait(3)
    scene.answer("c1")
    scene.wait(60)
    scene.engine.complete("c1", scene.now)
    assert scene.listen() == [ShowWrapUp("ann", "c1")]
    assert scene.state("ann") == ("WRAP_UP", None)
    assert scene.wait(30) == [CloseWork("ann", "c1")]
    why = "best score, 5.0, that fits the agent"
    assert scene.said(ItemReserved)[0] == ItemReserved(
        T0 + 5, "c1", "sales", "ann", 1, 5.0, why,
        ("longest idle", None, 0, 3, 1, 0, (("ann", None, 0.0),), "",
         {"logged_out": 2}, (("bob", "LOGGED_OUT"), ("cy", "LOGGED_OUT")), None),
    )  # fmt: skip
    assert scene.said(ItemConnected) == [ItemConnected(T0 + 8, "c1", "sales", "ann", 8.0)]
    assert scene.said(ItemCompleted) == [ItemCompleted(T0 + 68, "c1", "sales", "ann", 60.0)]
    assert scene.said(AgentStateChanged)[2:] == [
        AgentStateChanged(T0 + 5, "ann", "RESERVED", None, "c1"),
        AgentStateChanged(T0 + 8, "ann", "BUSY", None, "c1"),
        AgentStateChanged(T0 + 68, "ann", "WRAP_UP", None, "c1"),
        AgentStateChanged(T0 + 98, "ann", "READY", None, None),
    ]


def test_no_wrap_up(stage: Stage) -> None:
    scene = stage(sales={"wrap_up_s": 0})
    scene.ready("ann")
    scene.call("c1")
    scene.call("c2")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    assert scene.listen() == [CloseWork("ann", "c1"), OfferItem("c2", "ann", "sales", 2, 20.0)]


# --- whom ------------------------------------------------------------------------------------------------------------


def test_longest_idle_first(stage: Stage) -> None:
    scene = stage(sales={"wrap_up_s": 0})
    for name in ("cy", "ann", "bob"):
        scene.ready(name)
        scene.wait(1)
    for item in ("c1", "c2", "c3"):
        scene.call(item)
    assert [scene.offered_to(item) for item in ("c1", "c2", "c3")] == ["cy", "ann", "bob"]
    for item in ("c2", "c1", "c3"):
        scene.answer(item)
        scene.wait(1)
        scene.engine.complete(item, scene.now)
        scene.listen()
    for item in ("c4", "c5", "c6"):
        scene.call(item)
    assert [scene.offered_to(item) for item in ("c4", "c5", "c6")] == ["ann", "cy", "bob"]


def test_only_who_fits(stage: Stage) -> None:
    agents = {"ann": {"skills": {"asia": 4}}, "bob": {"skills": {"asia": 5}}}
    value = {"needs": "skill(call.destination) >= 5 and call.basket > 9"}
    scene = stage(agents, sales={"needs": "asia >= 5"}, value=value)
    scene.ready("ann", "bob")
    scene.call("c1")
    assert scene.offered_to("c1") == "bob"
    scene.call("c2", "value", destination="asia", basket=10)
    assert scene.offered_to("c2") is None
    scene.fail("c1", Outcome.WITHDRAWN)  # back to its place, and to him again
    assert scene.offered_to("c1") == "bob"
    scene.engine.abandon("c1", scene.now)
    scene.listen()
    assert scene.offered_to("c2") == "bob"


def test_listed_agents_only(stage: Stage) -> None:
    scene = stage(sales={"agents": ["bob"]})
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.call("c2")
    assert (scene.offered_to("c1"), scene.offered_to("c2")) == ("bob", None)


# --- in which order --------------------------------------------------------------------------------------------------


def test_unfair_across_queues(stage: Stage) -> None:
    """asterisk#108: one ordering over all the queues an agent serves."""
    scene = stage(a={"wrap_up_s": 0}, b={"wrap_up_s": 0}, urgent={"wrap_up_s": 0, "priority": 25})
    for item, queue in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("u1", "urgent"), ("b2", "b")):
        scene.call(item, queue)
        scene.wait(10)
    scene.ready("ann")
    served = []
    while scene.engine.floor.items:
        item = scene.commands[-1].item_id
        served.append(item)
        scene.answer(item)
        scene.engine.complete(item, scene.now)
        scene.listen()
    assert served == ["a1", "u1", "b1", "a2", "b2"]  # u1 came at 30 s, with 25 s of priority


def test_big_baskets_first(stage: Stage) -> None:
    scene = stage(sales={"value_weight": 0.1})
    scene.call("small", basket=100)
    scene.wait(20)
    scene.call("big", basket="2300")
    scene.call("none")
    scene.call("odd", basket="lots")
    scene.ready("ann", "bob", "cy")
    assert [scene.offered_to(item) for item in ("big", "small", "none", "odd")] == ["ann", "bob", "cy", None]


def test_priority_change_does_not_reorder(stage: Stage) -> None:
    """asterisk#202: the order is worked out anew when something is learnt of the caller."""
    scene = stage(sales={"value_weight": 1, "needs": "not call.vip or vip"})
    scene.call("first")
    scene.call("second")
    scene.engine.rescore("second", {"basket": 500}, scene.now)
    scene.listen()
    scene.ready("ann")
    assert scene.offered_to("second") == "ann"
    scene.engine.rescore("first", {"vip": 1}, scene.now)  # and nobody is a vip agent
    scene.listen()
    scene.ready("bob")
    assert scene.offered_to("first") is None
    scene.engine.rescore("first", {}, scene.now)
    scene.listen()
    assert scene.offered_to("first") == "bob"
    scene.engine.rescore("gone", {}, scene.now)


def test_clock_steps_backwards(stage: Stage) -> None:
    scene = stage()
    scene.call("c1")
    scene.now -= 500
    scene.call("c2")
    scene.ready("ann")
    assert scene.offered_to("c1") == "ann"


# --- not answered ----------------------------------------------------------------------------------------------------


def test_agent_rung_again_and_again(stage: Stage) -> None:
    """FreePBX#40, mikopbx#1043: who does not answer is not ready, and the caller keeps the place."""
    scene = stage()
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.wait(1)
    scene.call("c2")
    scene.call("c3")
    commands = scene.wait(9)
    assert commands[0] == WithdrawOffer("c1", "ann", 1, "no_answer")
    assert scene.state("ann") == ("NOT_READY", "no answer")
    assert scene.offered_to("c1") is None  # bob still rings for c2
    scene.fail("c2", Outcome.REJECTED)
    assert scene.state("bob") == ("NOT_READY", "rejected")
    scene.ready("ann")
    assert scene.offered_to("c1") == "ann"  # before c2 and c3, who came later
    assert scene.wait(9.9) == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.NO_ANSWER, ("NOT_READY", "no answer")),
        (Outcome.REJECTED, ("NOT_READY", "rejected")),
        (Outcome.BUSY, ("NOT_READY", "busy")),
        (Outcome.UNREGISTERED, ("READY", "unregistered")),
        (Outcome.FAILED, ("READY", "failed")),
        (Outcome.WITHDRAWN, ("RESERVED", None)),  # ready, and the only one there: offered again
    ],
)
def test_what_it_means_to_the_agent(stage: Stage, outcome: Outcome, state: tuple[str, str | None]) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    commands = scene.fail("c1", outcome)
    assert commands[0] == WithdrawOffer("c1", "ann", 1, outcome.value)
    assert scene.state("ann") == state


def test_unreachable_phone_rests_ever_longer(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    pauses = []
    for _ in range(6):
        failed_at = scene.now
        scene.fail("c1", Outcome.FAILED)
        while scene.offered_to("c1") is None:
            scene.wait(1)
        pauses.append(scene.now - failed_at)
    assert pauses == [5, 10, 20, 40, 60, 60]
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.wait(30)
    scene.call("c2")
    scene.fail("c2", Outcome.FAILED)
    assert scene.wait(5) != []  # an answer began the count anew


@pytest.mark.parametrize("what", ["ready", "register", "not ready"])
def test_a_rest_ends_early(stage: Stage, what: str) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.fail("c1", Outcome.UNREGISTERED)
    if what == "register":
        scene.engine.phone_registered("x-ann", True, scene.now)
    if what == "not ready":
        scene.engine.not_ready("ann", "lunch", scene.now)
        scene.listen()
    if what != "register":
        scene.engine.ready("ann", scene.now)
    scene.listen()
    assert scene.offered_to("c1") == "ann"


def test_all_fail_once_then_all_rest(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann", "bob", "cy")
    scene.call("c1")
    tried = []
    while (agent := scene.offered_to("c1")) is not None:
        tried.append(agent)
        scene.fail("c1", Outcome.FAILED)
    assert tried == ["ann", "bob", "cy"]


def test_two_agents_answer_one_call(stage: Stage) -> None:
    """asterisk#176: a late answer finds its reservation gone."""
    scene = stage()
    scene.ready("ann", "bob")
    scene.call("c1")
    late = scene.offer("c1").reservation
    scene.wait(10)
    assert scene.offered_to("c1") == "bob"
    assert not scene.engine.answer(late, scene.now)
    assert not scene.engine.fail(late, Outcome.REJECTED, scene.now)
    assert not scene.engine.holds(late)
    scene.answer("c1")


def test_answer_on_the_stroke_of_expiry_counts(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.now += 10.5  # the timer is late, the answer was first
    scene.answer("c1")
    assert scene.wait(100) == []


# --- leaving ---------------------------------------------------------------------------------------------------------


def test_abandon_while_waiting_and_while_ringing(stage: Stage) -> None:
    scene = stage()
    scene.call("c1")
    scene.wait(4)
    scene.engine.abandon("c1", scene.now)
    scene.ready("ann")
    scene.wait(5)
    scene.call("c2")
    scene.call("c3")
    scene.wait(2)
    scene.engine.abandon("c2", scene.now)
    commands = scene.listen()
    assert commands == [WithdrawOffer("c2", "ann", 1, "caller_hung_up"), OfferItem("c3", "ann", "sales", 2, 10.0)]
    assert scene.said(ItemAbandoned) == [
        ItemAbandoned(T0 + 4, "c1", "sales", 4.0, short=True),
        ItemAbandoned(T0 + 11, "c2", "sales", 2.0, short=True),
    ]


def test_caller_who_hangs_up_does_not_cost_the_agent_the_turn(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.wait(1)
    scene.ready("bob")
    scene.call("c1")
    scene.wait(1)
    scene.engine.abandon("c1", scene.now)
    scene.listen()
    scene.call("c2")
    assert scene.offered_to("c2") == "ann"


def test_overflow(stage: Stage) -> None:
    scene = stage(sales={"max_wait_s": 20, "overflow": "queue other"}, other={"max_wait_s": 30})
    scene.call("c1")
    assert scene.wait(20) == [OverflowItem("c1", "sales", Destination("queue", "other"), T0, "max_wait")]
    scene.engine.enqueue("c1", "other", {}, scene.now, age_from=T0)
    scene.listen()
    scene.call("c2", "other")
    assert [item.id for item in scene.engine.floor.lines] == ["c1", "c2"]
    assert scene.wait(30) == [
        OverflowItem("c1", "other", None, T0, "max_wait"), OverflowItem("c2", "other", None, T0 + 20, "max_wait"),
    ]  # fmt: skip
    assert scene.said(ItemOverflowed) == [
        ItemOverflowed(T0 + 20, "c1", "sales", 20.0, "queue other", "max_wait"),
        ItemOverflowed(T0 + 50, "c1", "other", 30.0, None, "max_wait"),
        ItemOverflowed(T0 + 50, "c2", "other", 30.0, None, "max_wait"),
    ]


def test_overflow_does_not_silence_a_ringing_phone(stage: Stage) -> None:
    scene = stage(sales={"max_wait_s": 20, "ring_s": 10})
    scene.ready("ann", "bob")
    scene.engine.not_ready("ann", "lunch", scene.now)
    scene.engine.not_ready("bob", "lunch", scene.now)
    scene.call("c1")
    scene.wait(15)
    scene.ready("ann")
    assert scene.wait(5) == []
    scene.ready("bob")
    commands = scene.wait(5)  # ann does not answer, and bob is not tried: too long
    assert commands == [WithdrawOffer("c1", "ann", 1, "no_answer"), OverflowItem("c1", "sales", None, T0, "max_wait")]
    scene.call("c2")
    scene.answer("c2")
    assert scene.wait(100) == []  # no limit while they talk


def test_withdraw(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.engine.withdraw("c1", "extension 9", scene.now)
    assert scene.listen() == [WithdrawOffer("c1", "ann", 1, "withdrawn")]
    assert scene.said(ItemOverflowed) == [ItemOverflowed(T0, "c1", "sales", 0.0, "extension 9", "withdrawn")]
    assert scene.state("ann") == ("READY", None)


def test_wrong_inputs(stage: Stage) -> None:
    scene = stage()
    scene.call("c1")
    with pytest.raises(UnknownQueue):
        scene.call("c2", "nowhere")
    with pytest.raises(AcdError, match="already in queue sales"):
        scene.call("c1")
    with pytest.raises(AcdError, match="not connected"):
        scene.engine.complete("c1", scene.now)
    with pytest.raises(UnknownAgent):
        scene.engine.login("zoe", scene.now)
