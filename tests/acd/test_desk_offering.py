"""Several phones ring for one call: what screens and phones are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import events
from pbx.call.reason import ELSEWHERE

Open = Callable[..., Any]
ALL: dict[str, Any] = {"strategy": "ring all", "ring_s": 20, "wrap_up_s": 0, "music": "m"}


def test_ring_all(floor: Open) -> None:
    f = floor(sales=ALL)
    f.agents("ann", "bob")
    c1 = f.call("c1")
    assert f.what(1) == [
        "c1 offer ann sales", "c1 dial extension x-ann", "c1 offer bob sales", "c1 dial extension x-bob",
    ]  # fmt: skip
    c1.phone_answers("ann")
    assert f.what(5) == [
        "c1 bridge ann", "c1 connected ann", f"c1 drop answered elsewhere {ELSEWHERE}",
        "c1 retract bob answered_elsewhere",
    ]  # fmt: skip
    assert (f.state("ann"), f.state("bob")) == (("BUSY", None), ("READY", None))
    c1.agent_hangs_up("ann")
    assert f.what(9) == ["c1 hang up agent hung up", "c1 ended ann"]


def test_both_answer(floor: Open) -> None:
    """bob's 200 and our CANCEL cross."""
    f = floor(sales=ALL)
    f.agents("ann", "bob")
    c1 = f.call("c1")
    bob = c1.rung("bob")
    c1.phone_answers("ann")
    c1.controller.on_answered(c1, bob)
    assert f.counters["queue_late_answers"] == 1
    assert [e.agent for e in f.events if isinstance(e, events.ItemConnected)] == ["ann"]
    c1.controller.on_ended(c1, bob)  # nor does his end end anything
    c1.controller.on_failed(c1, bob, 487, "cancelled")
    assert f.state("ann") == ("BUSY", None)


def test_answered_before_the_other_screen_has_it(floor: Open) -> None:
    f = floor(sales=ALL)
    f.pops.slow = True
    f.agents("ann", "bob")
    c1 = f.call("c1")
    of_ann, of_bob = f.pops.waiting
    of_ann()
    c1.phone_answers("ann")
    of_bob()
    assert f.what(3)[1:] == ["c1 bridge ann", "c1 connected ann", "c1 retract bob answered_elsewhere"]


def test_one_refuses(floor: Open) -> None:
    f = floor(sales=ALL)
    f.agents("ann", "bob")
    c1 = f.call("c1")
    c1.phone_refuses(603, "ann")
    assert f.what(5) == ["c1 retract ann rejected"]
    assert f.state("ann") == ("NOT_READY", "rejected")
    c1.phone_answers("bob")
    assert f.what(6) == ["c1 bridge bob", "c1 connected bob"]


def test_caller_hangs_up(floor: Open) -> None:
    f = floor(sales=ALL)
    f.agents("ann", "bob")
    f.call("c1").caller_hangs_up()
    assert sorted(f.what(5)) == ["c1 retract ann caller_hung_up", "c1 retract bob caller_hung_up"]
    assert {f.state(name)[0] for name in ("ann", "bob")} == {"READY"}
    assert f.clock.pending() == 0


def test_another_every_few_seconds(floor: Open) -> None:
    f = floor(sales={**ALL, "strategy": "ring progressively", "ring_another_s": 4})
    f.agents("ann", "bob")
    c1 = f.call("c1")
    assert f.what(1) == ["c1 offer ann sales", "c1 dial extension x-ann"]
    f.clock.run(4)
    assert f.what(3) == ["c1 offer bob sales", "c1 dial extension x-bob"]
    f.clock.run(16)
    assert f.what(5) == ["c1 drop no answer", "c1 retract ann no_answer"]
    c1.phone_answers("bob")
    assert f.what(7) == ["c1 bridge bob", "c1 connected bob"]


@pytest.mark.parametrize("strategy", ["ring all", "ring progressively"])
def test_an_agent_leaves_while_all_ring(floor: Open, strategy: str) -> None:
    f = floor(sales={**ALL, "strategy": strategy, "ring_another_s": 1})
    f.agents("ann", "bob")
    c1 = f.call("c1")
    f.clock.run(1.5)
    f.desk.not_ready("bob", "lunch")
    assert f.what(5) == ["c1 drop withdrawn", "c1 retract bob withdrawn"]
    c1.phone_answers("ann")
    assert f.what(7) == ["c1 bridge ann", "c1 connected ann"]


def test_a_customer_is_known_by_his_number(floor: Open) -> None:
    """The agent who talked with it last."""
    f = floor(sales={"wrap_up_s": 0, "music": "m", "prefer": {"last_agent_days": 1}})
    f.agents("bob")
    c1 = f.call("c1", number="+33180000001")
    c1.phone_answers()
    c1.agent_hangs_up()
    f.desk.not_ready("bob", "lunch")
    f.desk.ready("bob")
    f.agents("ann")
    f.clock.run(5)
    f.desk.not_ready("bob", "lunch")
    mark = len(f.diary)
    f.call("c2", number="+33180000001")
    assert f.what(mark) == ["c2 play m looped"]
    f.desk.ready("bob")
    assert f.what(mark + 1)[0] == "c2 offer bob sales"
