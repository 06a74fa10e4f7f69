"""What a queue needs grows less: by time, or at once when nobody who is logged in could ever take the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.errors import QueueNeedsError
from acd.events import ItemRelaxed

Stage = Callable[..., Any]
AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"skills": {"asia": 9}}, "bob": {"skills": {"asia": 5}}, "cy": {"skills": {"asia": 1}},
}  # fmt: skip
ASIA: dict[str, Any] = {
    "needs": "asia >= 8", "ring_s": 10, "wrap_up_s": 0,
    "relax": [{"after_s": 40, "needs": "asia"}, {"after_s": 20, "needs": "asia >= 4"}],  # the file's order is no matter
}  # fmt: skip


def steps(s: Any) -> list[tuple[str, int, str, str]]:
    return [(e.item_id, e.step, e.needs, e.why) for e in s.said(ItemRelaxed)]


def test_step_by_step(stage: Stage) -> None:
    s = stage(AGENTS, asia=ASIA)
    s.ready("ann", "bob", "cy")
    for item in ("c1", "c2", "c3"):
        s.call(item, "asia")
    assert [s.offered_to(item) for item in ("c1", "c2", "c3")] == ["ann", None, None]
    s.answer("c1")
    s.wait(20)
    assert [s.offered_to(item) for item in ("c2", "c3")] == ["bob", None]
    s.answer("c2")
    s.wait(20)
    assert s.offered_to("c3") == "cy"
    assert steps(s) == [
        ("c2", 1, "asia >= 4", "after 20 s"),
        ("c3", 1, "asia >= 4", "after 20 s"),
        ("c3", 2, "asia >= 1", "after 40 s"),
    ]


def test_at_once_if_nobody_logged_in_can(stage: Stage) -> None:
    s = stage(AGENTS, asia=ASIA)
    s.ready("cy")
    s.call("c1", "asia")
    assert s.offered_to("c1") == "cy"
    why = "nobody logged in fits"
    assert steps(s) == [("c1", 1, "asia >= 4", why), ("c1", 2, "asia >= 1", why)]


def test_a_break_is_no_reason(stage: Stage) -> None:
    s = stage(AGENTS, asia=ASIA)
    s.ready("ann", "cy")
    s.engine.not_ready("ann", "lunch", s.now)
    s.call("c1", "asia")
    assert s.offered_to("c1") is None and steps(s) == []


def test_at_once_when_the_last_who_can_logs_out(stage: Stage) -> None:
    s = stage(AGENTS, asia=ASIA)
    s.ready("ann", "bob")
    for item in ("c1", "c2"):
        s.call(item, "asia")
    s.engine.logout("ann", s.now)  # while his phone rings
    s.listen()
    assert (s.offered_to("c1"), s.offered_to("c2")) == ("bob", None)
    assert [step[:2] for step in steps(s)] == [("c1", 1), ("c2", 1)]


def test_no_step_back(stage: Stage) -> None:
    """Who logs in does not take a chance away that the caller had."""
    s = stage(AGENTS, asia=ASIA)
    s.call("c1", "asia")
    assert s.engine.floor.items["c1"].step == 2  # nobody at all is logged in
    s.ready("ann")
    s.answer("c1")
    s.call("c2", "asia")
    assert s.engine.floor.items["c2"].step == 0


def test_overflow_ends_it(stage: Stage) -> None:
    s = stage(AGENTS, asia={**ASIA, "max_wait_s": 25})
    s.ready("ann")
    s.call("c1", "asia")
    s.answer("c1")
    s.call("c2", "asia")
    s.wait(30)
    assert "c2" not in s.engine.floor.items
    s.wait(60)
    assert [step[:2] for step in steps(s)] == [("c2", 1)]


def test_reload_takes_steps_away(stage: Stage, make_site: Callable[..., Any]) -> None:
    s = stage(AGENTS, asia=ASIA)
    s.ready("ann", "bob")
    s.call("c1", "asia")
    s.answer("c1")
    s.call("c2", "asia")
    s.call("c3", "asia")
    s.wait(20)
    assert s.offered_to("c2") == "bob"
    s.engine.reconfigure(make_site(AGENTS, {"asia": {"needs": "asia >= 8"}}), s.now)
    s.listen()
    assert s.engine.floor.items["c3"].step == 0
    s.engine.reconfigure(make_site(AGENTS, {"asia": ASIA}), s.now)
    s.listen()
    assert s.engine.floor.items["c3"].step == 1  # it has waited for 20 s


def test_unreadable(stage: Stage) -> None:
    with pytest.raises(QueueNeedsError):
        stage(AGENTS, asia={"relax": [{"after_s": 1, "needs": "asia >="}]})
