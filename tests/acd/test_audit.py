"""The audit sees what is wrong: each kind of damage is done by hand and must be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.agent_state import State
from acd.audit import audit
from acd.deadlines import Due
from acd.model import ItemState, Phone

Stage = Callable[..., Any]


def _swap_places(floor: Any) -> None:
    (line,) = floor.lines._lines.values()
    line._places.reverse()


DAMAGE: dict[str, Callable[[Any], None]] = {
    "line out of order": _swap_places,
    "item ring: QUEUED with 1 reservations": lambda f: setattr(f.items["ring"], "state", ItemState.QUEUED),
    "agent ann: READY with 1 reservations": lambda f: setattr(f.roster.agents["ann"], "state", State.READY),
    "agent bob: idle order is wrong": lambda f: setattr(f.roster.agents["bob"].phone, "legs", 1),
    "agent ann: phone not held": lambda f: setattr(f.roster.agents["ann"].phone, "held_by", None),
    "agent cy: retired but LOGGED_OUT": lambda f: setattr(f.roster.agents["cy"], "retired", True),
    "agent cy: LOGGED_OUT with item x": lambda f: setattr(f.roster.agents["cy"], "item_id", "x"),
    "agent cy: rests while LOGGED_OUT": lambda f: setattr(f.roster.agents["cy"], "resting", True),
    "phone 9: kept for nothing": lambda f: f.roster.phones.update({"9": Phone("9", False)}),
    "phone x-cy: held by cy who is not at work": lambda f: setattr(f.roster.agents["cy"].phone, "held_by", "cy"),
    "deadline of nothing: (<Due.ITEM: 2>, 'gone')": lambda f: f.deadlines.set((Due.ITEM, "gone"), 1.0),
    "deadline missing: (<Due.ITEM: 2>, 'wait')": lambda f: f.deadlines.forget((Due.ITEM, "wait")),
    "item wait: eligible agents out of date": lambda f: setattr(f.queues["asia"].steps[0], "fixed", 0b10),
    "queue asia: 9 offered do not balance": lambda f: setattr(f.queues["asia"], "offered", 9),
    "item wait: lost by its queue": lambda f: f.queues["asia"].items.pop("wait"),
    "somebody waits in line who is gone": lambda f: f.items.pop("wait"),
}


@pytest.mark.parametrize("finding", DAMAGE)
def test_finds(stage: Stage, finding: str) -> None:
    scene = stage(
        {"ann": {"skills": {"asia": 3}}, "bob": {}, "cy": {}},
        asia={"needs": "asia", "max_wait_s": 60},
        all={"max_wait_s": 60},
    )
    scene.ready("ann", "bob")
    for item in ("ring", "wait", "late"):
        scene.call(item, "asia")
    assert audit(scene.engine.floor) == []
    DAMAGE[finding](scene.engine.floor)
    assert finding in audit(scene.engine.floor)
