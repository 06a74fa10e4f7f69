"""Several phones ring for one call: who is rung when, and that never two have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.events import ItemConnected, ItemOverflowed, ReservationEnded
from acd.offering import MOST_PHONES
from acd.reservation import Outcome

Stage = Callable[..., Any]
ALL: dict[str, Any] = {"strategy": "ring all", "ring_s": 20, "wrap_up_s": 0}
MORE: dict[str, Any] = {"strategy": "ring progressively", "ring_another_s": 5, "ring_s": 20, "wrap_up_s": 0}


def reservation(s: Any, item: str, agent: str) -> int:
    held: dict[int, Any] = s.engine.floor.items[item].reservations
    return next(number for number, one in held.items() if one.agent == agent)


def test_ring_all(stage: Stage) -> None:
    s = stage(sales=ALL)
    s.ready("ann", "bob")
    s.call("c1")
    assert s.asked("c1") == ["ann", "bob"]
    s.ready("cy")  # who comes later is rung, too
    assert s.asked("c1") == ["ann", "bob", "cy"]
    s.wait(3)
    s.call("c2")
    assert s.asked("c2") == []
    assert s.engine.answer(reservation(s, "c1", "bob"), s.now)
    s.listen()
    assert s.state("bob")[0] == "BUSY" and s.asked("c1") == []
    assert s.asked("c2") == ["ann", "cy"]  # free again at once, and still idle for as long
    ended = [(e.agent, e.outcome) for e in s.said(ReservationEnded)]
    assert ended == [("ann", "answered_elsewhere"), ("cy", "answered_elsewhere")]


def test_two_who_answer_at_once(stage: Stage) -> None:
    s = stage(sales=ALL)
    s.ready("ann", "bob")
    s.call("c1")
    first, second = reservation(s, "c1", "ann"), reservation(s, "c1", "bob")
    assert s.engine.answer(second, s.now)
    assert not s.engine.answer(first, s.now)
    s.listen()
    assert [e.agent for e in s.said(ItemConnected)] == ["bob"]
    assert s.state("ann") == ("READY", None)


def test_one_refuses_the_others_ring_on(stage: Stage) -> None:
    s = stage(sales=ALL)
    s.ready("ann", "bob")
    s.call("c1")
    s.engine.fail(reservation(s, "c1", "ann"), Outcome.REJECTED, s.now)
    s.listen()
    assert s.asked("c1") == ["bob"] and s.state("ann") == ("NOT_READY", "rejected")
    s.engine.ready("ann", s.now)
    s.listen()
    assert s.asked("c1") == ["bob", "ann"]


def test_a_better_call_first(stage: Stage) -> None:
    """Who becomes free does not join a call that rings elsewhere while an older one waits."""
    s = stage({"ann": {"skills": {"asia": 1}}, "bob": {}}, sales=ALL, asia={"needs": "asia"})
    s.ready("bob")
    s.call("c1", "asia")
    s.wait(5)
    s.call("c2")
    s.ready("ann")
    assert s.asked("c1") == ["ann"] and s.asked("c2") == ["bob"]


def test_ring_progressively(stage: Stage) -> None:
    s = stage({"ann": {}, "bob": {}, "cy": {}, "dee": {}}, sales=MORE)
    s.ready("ann", "bob", "cy")
    s.call("c1")
    assert s.asked("c1") == ["ann"]
    s.wait(5)
    assert s.asked("c1") == ["ann", "bob"]
    s.ready("dee")  # it is not time yet
    assert s.asked("c1") == ["ann", "bob"]
    s.wait(10)
    assert s.asked("c1") == ["ann", "bob", "cy", "dee"]
    s.wait(5)  # ann has not answered
    assert s.asked("c1") == ["bob", "cy", "dee"] and s.state("ann") == ("NOT_READY", "no answer")
    s.engine.ready("ann", s.now)  # and is next, as there is nobody else
    s.listen()
    assert s.asked("c1") == ["bob", "cy", "dee", "ann"]


def test_progressively_another_at_once_if_the_only_one_refuses(stage: Stage) -> None:
    s = stage(sales=MORE)
    s.ready("ann", "bob")
    s.call("c1")
    s.fail("c1", Outcome.BUSY)
    assert s.asked("c1") == ["bob"]
    s.wait(4.9)
    s.ready("cy")
    assert s.asked("c1") == ["bob"]
    s.wait(0.2)
    assert s.asked("c1") == ["bob", "cy"]


@pytest.mark.parametrize("settings", [ALL, MORE])
def test_caller_hangs_up(stage: Stage, settings: dict[str, Any]) -> None:
    s = stage(sales=settings)
    s.ready("ann", "bob")
    s.call("c1")
    s.wait(6)
    s.engine.abandon("c1", s.now)
    s.listen()
    assert {s.state(name) for name in ("ann", "bob")} == {("READY", None)}
    assert len(s.engine.floor.lines) == 0 and s.engine.next_deadline() is None


def test_too_long_a_wait_lets_those_ring_who_ring(stage: Stage) -> None:
    s = stage(sales={**ALL, "max_wait_s": 10, "ring_s": 15})
    s.ready("ann")
    s.call("c1")
    s.wait(12)
    s.ready("bob")
    assert s.asked("c1") == ["ann"]  # nobody else is asked any more
    s.wait(3)
    assert [e.item_id for e in s.said(ItemOverflowed)] == ["c1"]


def test_whoever_takes_it_up_ends_the_others(stage: Stage) -> None:
    """An agent is told of the call before he hears the caller: nobody joins meanwhile, and if he hangs up it rings
    on."""
    s = stage(sales=ALL)
    s.ready("ann", "bob")
    s.call("c1")
    number = reservation(s, "c1", "ann")
    assert s.engine.picked_up(number, 5, s.now)
    s.listen()
    assert s.asked("c1") == ["ann"]
    s.ready("cy")
    assert s.asked("c1") == ["ann"]
    s.fail("c1", Outcome.REJECTED)
    assert s.asked("c1") == ["bob", "cy"]


def test_no_more_than_so_many(stage: Stage) -> None:
    agents = {f"a{n}": {"contact": f"sip:a{n}@192.0.2.1", "login": "always"} for n in range(MOST_PHONES + 3)}
    s = stage(agents, sales=ALL)
    s.call("c1")
    assert len(s.asked("c1")) == MOST_PHONES
    s.fail("c1", Outcome.REJECTED)
    assert len(s.asked("c1")) == MOST_PHONES


def test_agents_who_share_a_phone(stage: Stage) -> None:
    s = stage({"ann": {"extension": "1"}, "bob": {"extension": "1"}, "cy": {"extension": "2"}}, sales=ALL)
    s.ready("ann", "bob", "cy")
    s.call("c1")
    assert s.asked("c1") == ["ann", "cy"]
