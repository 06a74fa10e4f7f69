"""What users of other systems complain of when it is about whom a call goes to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from acd.events import ItemConnected, ReservationEnded
from acd.reservation import Outcome

Stage = Callable[..., Any]
STRATEGIES = [
    "longest idle", "most skilled", "least occupied", "round robin", "fewest calls", "least talk time", "top down",
    "random", "weighted", "ring all", "ring progressively",
]  # fmt: skip


def test_asterisk_176_two_agents_never_answer_one_call(stage: Stage) -> None:
    """Both phones of `ring all` are answered in the same moment."""
    s = stage(sales={"strategy": "ring all"})
    s.ready("ann", "bob")
    s.call("c1")
    offers = list(s.engine.floor.reservations)
    assert [s.engine.answer(number, s.now) for number in offers] == [True, False]
    s.listen()
    assert len(s.said(ItemConnected)) == 1
    assert s.engine.floor.roster.agent("bob").state == "READY"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_freepbx_40_an_agent_is_not_rung_again_and_again(stage: Stage, strategy: str) -> None:
    s = stage(sales={"strategy": strategy, "ring_s": 10, "ring_another_s": 300})
    s.ready("ann")
    s.call("c1")
    s.wait(600)
    assert [e.outcome for e in s.said(ReservationEnded)] == ["no_answer"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_mikopbx_1043_a_phone_that_fails_is_left_alone_longer_and_longer(stage: Stage, strategy: str) -> None:
    s = stage(sales={"strategy": strategy, "ring_another_s": 300})
    s.ready("ann")
    s.call("c1")
    waits = []
    for _ in range(4):
        began = s.now
        s.fail("c1", Outcome.FAILED)
        while s.offered_to("c1") is None:
            s.wait(1)
        waits.append(round(s.now - began))
    assert waits == [5, 10, 20, 40]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_asterisk_108_one_order_over_all_queues_of_an_agent(stage: Stage, strategy: str) -> None:
    """The queue that was served last has no advantage, nor has the one that stands first."""
    s = stage({"ann": {}}, **{f"q{n}": {"strategy": strategy, "wrap_up_s": 0} for n in range(3)})
    for n in range(12):
        s.call(f"c{n}", f"q{n * 7 % 3}")
        s.wait(1)
    s.ready("ann")
    served = []
    for _ in range(12):
        (item,) = [item.id for item in s.engine.floor.items.values() if item.state == "RESERVED"]
        served.append(item)
        s.answer(item)
        s.engine.complete(item, s.now)
        s.listen()
    assert served == [f"c{n}" for n in range(12)]


def test_asterisk_202_a_change_of_priority_reorders(stage: Stage) -> None:
    s = stage(sales={"wrap_up_s": 0}, vip={"wrap_up_s": 0})
    for item, queue in (("c1", "sales"), ("c2", "vip"), ("c3", "vip")):
        s.call(item, queue)
    s.engine.set_queue_priority("vip", 10, s.now)
    s.engine.set_priority("c3", 20, s.now)
    s.listen()
    assert [item.id for item in s.engine.floor.lines] == ["c3", "c2", "c1"]


# --- what it costs ---------------------------------------------------------------------------------------------------


def functions_called(what: Callable[[], object]) -> int:
    """A measure of work that does not depend on the machine."""
    count = 0

    def called(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        what()
    finally:
        sys.setprofile(before)
    return count


def test_asterisk_1972_a_change_at_one_phone_costs_as_much_with_a_thousand_queues(stage: Stage) -> None:
    """There, each change of a device went over all members of all queues."""
    costs = []
    for queues in (10, 1000):
        s = stage(**{f"q{n}": {} for n in range(queues)})
        s.ready("ann", "bob", "cy")

        def lifts_and_puts_down(s: Any = s) -> None:
            s.engine.phone_calls("x-ann", 1, s.now)
            s.engine.phone_calls("x-ann", 0, s.now)
            s.engine.phone_registered("x-bob", False, s.now)
            s.engine.phone_registered("x-bob", True, s.now)

        lifts_and_puts_down()
        costs.append(functions_called(lifts_and_puts_down))
    assert costs[1] < 1.5 * costs[0]


def test_freeswitch_2458_nothing_is_polled(stage: Stage) -> None:
    """There, a query ten times a second looked for somebody to call. Here nothing is to be done before something
    happens: with agents who wait, and with callers for whom there is nobody."""
    s = stage()
    s.ready("ann")
    s.wait(3600)
    assert s.engine.next_deadline() is None
    s.engine.logout("ann", s.now)
    s.call("c1")
    s.wait(3600)
    assert s.engine.next_deadline() is None
