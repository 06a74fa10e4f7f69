"""Complaints of other systems' users that concern callbacks (see acd/README.md, Callbacks)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd.events import ItemReserved

Stage = Callable[..., Any]  # conftest.stage
SALES = {"ring_s": 10, "wrap_up_s": 0, "callback": {}}


def test_freepbx_621_a_callback_does_not_jump_the_line(stage: Stage) -> None:
    """Who asks for a call has the age of his own call, and no more."""
    s = stage(sales=SALES)
    for name in ("c1", "c2", "c3"):
        s.call(name)
        s.wait(10)
    s.engine.ask_callback("cb", "sales", "+33612345601", {}, s.now, place_of="c2")
    s.engine.ask_callback("late", "sales", "+33612345602", {}, s.now)
    s.listen()
    s.call("c4")
    s.ready("ann")
    for item in ("c1", "cb-1", "c3", "late-1", "c4"):
        assert s.offered_to(item) == "ann"
        s.answer(item)
        if item.startswith("c") and "-" not in item:
            s.engine.complete(item, s.now)
        else:
            assert s.engine.customer_dialled(item, s.now) and s.engine.customer_reached(item, s.now)
            s.engine.complete(item, s.now)
        s.listen()


def test_twilio_callbacks_9_callbacks_do_not_starve_live_callers(stage: Stage) -> None:
    """A hundred who asked for a call hold as many agents as there are, one each, and none is called without one; a
    caller who came before them is served before them."""
    s = stage(sales={**SALES, "callback": {"order": "customer first"}})
    s.call("c1")
    for n in range(100):
        s.engine.ask_callback(f"cb{n}", "sales", f"+336123450{n:02}", {}, s.now)
    s.listen()
    s.ready("ann", "bob", "cy")
    assert [event.item_id for event in s.said(ItemReserved)] == ["c1", "cb0-1", "cb1-1"]
    dialled = [n for n in range(100) if s.engine.customer_dialled(f"cb{n}-1", s.now)]
    s.listen()
    assert dialled == [0, 1]
