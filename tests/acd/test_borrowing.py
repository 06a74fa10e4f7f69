"""Agents of other queues help while a rule holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import rules
from acd.estimate import Estimator
from acd.events import ItemRelaxed
from acd.turns import AT_ONCE

Stage = Callable[..., Any]
AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"queues": {"sales": 1}},
    "bob": {"queues": {"support": 1}, "skills": {"asia": 3}},
    "cy": {"queues": {"support": 1}},
    "dee": {"queues": {"other": 1}},
}
SUPPORT: dict[str, Any] = {"support": {"wrap_up_s": 0}, "other": {}}


def sales(when: str, **more: Any) -> dict[str, Any]:
    return {"sales": {"wrap_up_s": 0, "ring_s": 300, "borrow": {"when": when, "agents_of": ["support"], **more}}}


def counted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[Any]:
    """Of each call of a function of ours, its last argument."""
    calls, real = [], getattr(where, name)

    def count(*args: Any) -> Any:
        calls.append(args[-1])
        return real(*args)

    monkeypatch.setattr(where, name, count)
    return calls


def told(s: Any) -> list[str]:
    return [f"{e.item_id}: {e.why}" for e in s.said(ItemRelaxed)]


def test_while_many_wait(stage: Stage) -> None:
    s = stage(AGENTS, **sales("waiting >= 2"), **SUPPORT)
    s.ready("ann", "bob", "dee")
    for item in ("c1", "c2", "c3"):
        s.call(item)
    assert [s.offered_to(item) for item in ("c1", "c2", "c3")] == ["ann", None, "bob"]
    assert told(s) == ["c3: borrows agents of support: waiting >= 2"]
    s.ready("cy")
    assert s.offered_to("c2") is None  # it came before the rule held; that is looked at every second
    s.call("c4")
    assert s.offered_to("c4") == "cy"


def test_they_help_those_who_wait_first(stage: Stage) -> None:
    s = stage(AGENTS, **sales("longest >= 10"), **SUPPORT)
    s.ready("ann", "bob")
    for item in ("c1", "c2", "c3"):
        s.call(item)
    s.wait(9.5)
    assert s.offered_to("c2") is None
    s.wait(1)
    assert (s.offered_to("c2"), s.offered_to("c3")) == ("bob", None)
    s.ready("cy")
    assert s.offered_to("c3") == "cy"


def test_they_go_back(stage: Stage) -> None:
    s = stage(AGENTS, **sales("waiting >= 2"), **SUPPORT)
    s.ready("ann")
    for item in ("c1", "c2", "c3"):
        s.call(item)
    s.wait(1)
    s.engine.abandon("c2", s.now)
    s.wait(1)
    assert told(s)[-1] == "c3: agents are no longer borrowed"
    s.ready("bob")
    assert s.offered_to("c3") is None
    s.call("b1", "support")
    assert s.offered_to("b1") == "bob"


def test_only_those_who_can(stage: Stage) -> None:
    s = stage(AGENTS, **sales("waiting >= 1", needs="asia"), **SUPPORT)
    s.ready("cy")
    s.call("c1")
    assert s.offered_to("c1") is None
    s.ready("bob")
    assert s.offered_to("c1") == "bob"


def test_of_the_call(stage: Stage) -> None:
    s = stage(AGENTS, **sales("waited > 20 and free == 0"), **SUPPORT)
    s.call("c1")
    s.wait(15)
    s.call("c2")
    s.ready("bob", "cy")
    s.wait(6)
    assert (s.offered_to("c1"), s.offered_to("c2")) == ("bob", None)


def test_by_the_place_in_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the third on. The line is gone through once for all who wait, not once for each of them."""
    s = stage(AGENTS, **sales("position > 2"), **SUPPORT)
    s.ready("ann")
    s.call("c0")
    s.answer("c0")
    for number in range(1, 41):
        s.call(f"c{number}")
    assert [line.split(":")[0] for line in told(s)] == [f"c{number}" for number in range(3, 41)]
    s.engine.abandon("c2", s.now)
    lines = counted(monkeypatch, rules, "waiting")
    s.wait(1)
    assert told(s)[-1] == "c3: agents are no longer borrowed"
    assert len(lines) == 1
    s.ready("bob")
    assert s.offered_to("c4") == "bob" and s.offered_to("c5") is None
    s.engine.abandon("c1", s.now)
    s.wait(1)
    assert told(s)[-1] == "c5: agents are no longer borrowed"


def test_who_follows_one_who_was_taken_is_a_place_nearer(stage: Stage) -> None:
    s = stage(AGENTS, **sales("position < 2 and waited > 5"), **SUPPORT)
    s.ready("bob", "cy")
    for number in range(1, 5):
        s.call(f"c{number}")
    s.wait(6)
    assert [s.offered_to(f"c{number}") for number in range(1, 5)] == ["bob", "cy", None, None]
    assert [line.split(":")[0] for line in told(s)] == ["c1", "c2", "c3"]


def test_estimates_are_made_in_turns(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    s = stage(AGENTS, **sales("ewt > 100s and position < 100"), **SUPPORT)
    s.ready("ann")
    s.call("first")
    s.answer("first")
    s.wait(10)
    s.engine.complete("first", s.now)
    s.listen()
    for number in range(200):
        s.call(f"c{number}")
    s.answer("c0")
    s.wait(0.5)
    at_once = []
    while (due := s.engine.next_deadline()) is not None and due < s.now + 1:
        made = counted(monkeypatch, Estimator, "of_item")
        s.engine.tick(due)
        s.listen()
        monkeypatch.undo()
        at_once.append(len(made))
    assert sum(at_once) == 199 and max(at_once) <= AT_ONCE
    borrowing = [item.id for item in s.engine.floor.lines if item.borrowing]
    assert borrowing and all(s.engine.floor.estimates.of_item(s.engine.floor.items[item]) > 90 for item in borrowing)


def test_lenders_do_not_end_what_brought_them(stage: Stage) -> None:
    """`free` counts the queue's own."""
    s = stage(AGENTS, **sales("free == 0"), **SUPPORT)
    s.call("c1")
    s.ready("dee")
    for _ in range(5):
        s.wait(1)
    s.call("c2")
    s.wait(3)
    assert told(s) == ["c1: borrows agents of support: free == 0", "c2: borrows agents of support: free == 0"]


def test_own_agents_first(stage: Stage) -> None:
    s = stage({"ann": {"queues": {"sales": 4}}, "bob": {"queues": {"support": 1}}}, **sales("waiting >= 1"), **SUPPORT)
    s.ready("bob")
    s.wait(5)
    s.ready("ann")
    s.call("c1")
    assert s.offered_to("c1") == "ann"


def test_who_serves_the_other_queue_changes(stage: Stage) -> None:
    s = stage(AGENTS, **sales("waiting >= 1"), **SUPPORT)
    s.ready("dee")
    s.call("c1")
    s.engine.change_queues("dee", {"support": 1}, s.now)
    s.listen()
    assert s.offered_to("c1") == "dee"


def test_a_reload_ends_it(stage: Stage, make_site: Callable[..., Any]) -> None:
    s = stage(AGENTS, **sales("waiting >= 1"), **SUPPORT)
    s.call("c1")
    s.engine.reconfigure(make_site(AGENTS, {"sales": {}, **SUPPORT}), s.now)
    s.listen()
    s.ready("bob")
    assert s.offered_to("c1") is None
    s.wait(5)
    assert s.engine.next_deadline() is None
