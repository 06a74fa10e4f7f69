"""Supervisors change who is first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.errors import AcdError, UnknownItem, UnknownQueue
from acd.events import PriorityChanged

Stage = Callable[..., Any]


def line(s: Any) -> list[str]:
    return [item.id for item in s.engine.floor.lines]


def three(stage: Stage) -> Any:
    s = stage(sales={"wrap_up_s": 0}, support={"priority": 5})
    for item, queue in (("c1", "sales"), ("c2", "sales"), ("c3", "support")):
        s.call(item, queue)
        s.wait(1)
    return s


def test_one_call(stage: Stage) -> None:
    s = three(stage)
    assert line(s) == ["c3", "c1", "c2"]
    s.engine.set_priority("c2", 60, s.now)
    s.listen()
    assert line(s) == ["c2", "c3", "c1"]
    s.ready("ann")
    assert s.offered_to("c2") == "ann"
    assert s.said(PriorityChanged) == [PriorityChanged(s.now, "sales", "c2", 60)]


def test_its_queues_again(stage: Stage) -> None:
    s = three(stage)
    s.engine.set_priority("c2", 60, s.now)
    s.engine.set_priority("c2", None, s.now)
    s.listen()
    assert line(s) == ["c3", "c1", "c2"]


def test_a_queue(stage: Stage) -> None:
    s = three(stage)
    s.engine.set_queue_priority("sales", 100, s.now)
    s.listen()
    assert line(s) == ["c1", "c2", "c3"]
    s.call("c4", "sales")  # and who comes later
    assert line(s) == ["c1", "c2", "c4", "c3"]
    s.engine.set_queue_priority("sales", None, s.now)
    s.listen()
    assert line(s) == ["c3", "c1", "c2", "c4"]
    assert [e.item_id for e in s.said(PriorityChanged)] == [None, None]


def test_a_reload_does_not_take_it_back(stage: Stage, make_site: Callable[..., Any]) -> None:
    s = three(stage)
    s.engine.set_queue_priority("sales", 100, s.now)
    s.engine.set_priority("c2", 200, s.now)
    agents: dict[str, Any] = {name: {} for name in ("ann", "bob", "cy")}
    s.engine.reconfigure(make_site(agents, {"sales": {"priority": 1}, "support": {"priority": 9}}), s.now)
    s.listen()
    assert line(s) == ["c2", "c1", "c3"]
    s.engine.set_queue_priority("sales", None, s.now)
    s.engine.set_priority("c2", None, s.now)
    s.listen()
    assert line(s) == ["c3", "c1", "c2"]


def test_while_it_rings(stage: Stage) -> None:
    """It has its new place when nobody answers."""
    s = three(stage)
    s.ready("ann")
    assert s.offered_to("c3") == "ann"
    s.engine.set_priority("c3", -100, s.now)
    s.listen()
    s.wait(20)
    assert line(s) == ["c1", "c2", "c3"]


def test_errors(stage: Stage) -> None:
    s = three(stage)
    with pytest.raises(UnknownItem) as unknown:
        s.engine.set_priority("nobody", 1, s.now)
    assert unknown.value.item == "nobody"
    with pytest.raises(UnknownQueue):
        s.engine.set_queue_priority("nobody", 1, s.now)
    s.ready("ann")
    s.answer("c3")
    with pytest.raises(AcdError, match="c3 is CONNECTED"):
        s.engine.set_priority("c3", 1, s.now)
    assert s.said(PriorityChanged) == []
