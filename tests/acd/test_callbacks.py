"""Callbacks in the engine: places kept, agents held before customers are called, times, retries, ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import callback_events as told
from acd import events
from acd.callback_errors import (
    CallbacksFull,
    CallbackStateError,
    DuplicateCallback,
    NoCallbacks,
    UnknownCallback,
)
from acd.callbacks import ALLOWED, CallbackState, Ended, as_markdown, state_of
from acd.errors import AcdError, UnknownQueue
from acd.reservation import Outcome
from config.schema import Site

Stage = Callable[..., Any]  # conftest.stage: agents, then queues by name; returns a Scene
ANNA = "+33612345601"
BERT = "+33612345602"


def sales(**rules: Any) -> dict[str, Any]:
    return {"ring_s": 10, "wrap_up_s": 30, "callback": {"ring_s": 25, "retry_after_s": 600, "retries": 1, **rules}}


def ask(scene: Any, name: str, number: str = ANNA, queue: str = "sales", **more: Any) -> None:
    scene.engine.ask_callback(name, queue, number, more.pop("attributes", {}), scene.now, **more)
    scene.listen()


def state(scene: Any, name: str) -> str | None:
    """None: it is over."""
    floor = scene.engine.floor
    return state_of(floor, floor.callbacks[name]).value if name in floor.callbacks else None


def ended(scene: Any) -> list[str]:
    return [event.outcome for event in scene.said(told.CallbackClosed)]


def dial(scene: Any, item: str) -> bool:
    done = scene.engine.customer_dialled(item, scene.now)
    scene.listen()
    return bool(done)


def reach(scene: Any, item: str) -> bool:
    done = scene.engine.customer_reached(item, scene.now)
    scene.listen()
    return bool(done)


def miss(scene: Any, item: str, outcome: str = "no_answer") -> None:
    scene.engine.customer_missed(item, outcome, scene.now)
    scene.listen()


# --- the straight lines ----------------------------------------------------------------------------------------------


def test_agent_first(stage: Stage) -> None:
    s = stage(sales=sales())
    s.call("c1")
    s.wait(40)
    ask(s, "cb", place_of="c1", called="+33180000001")
    assert state(s, "cb") == "QUEUED" and "c1" not in s.engine.floor.items
    assert s.said(events.ItemWaits)[-1].item_id == "cb-1"  # an explanation says why nobody takes it
    s.wait(20)
    s.ready("ann")
    assert s.offered_to("cb-1") == "ann" and state(s, "cb") == "RESERVED"
    s.answer("cb-1")
    assert state(s, "cb") == "DIALLING" and s.state("ann") == ("BUSY", None)
    assert dial(s, "cb-1")
    s.wait(12)
    assert reach(s, "cb-1") and state(s, "cb") == "CONNECTED"
    (connected,) = s.said(events.ItemConnected)
    assert connected.channel == "callback" and connected.waited_s == 72  # since he came, not since he asked
    assert s.engine.waited_s("cb-1") == 72
    s.engine.complete("cb-1", s.now)
    s.listen()
    assert s.state("ann") == ("WRAP_UP", None) and ended(s) == ["done"]
    queue = s.engine.floor.queues["sales"]
    assert (queue.offered, queue.overflowed, queue.connected) == (2, 1, 1)
    assert [(event.to, event.reason) for event in s.said(events.ItemOverflowed)] == [("cb", "callback")]


def test_customer_first(stage: Stage) -> None:
    s = stage(sales=sales(order="customer first"))
    ask(s, "cb")
    s.ready("ann")
    assert dial(s, "cb-1") and state(s, "cb") == "DIALLING"
    assert s.state("ann") == ("RESERVED", None)
    s.wait(24)  # longer than an agent's phone rings
    assert reach(s, "cb-1") and state(s, "cb") == "REACHED"
    s.wait(9)
    s.answer("cb-1")
    assert state(s, "cb") == "CONNECTED"
    assert [event.attempt for event in s.said(told.CallbackDialled)] == [1]


def test_the_place_is_exactly_that_of_the_call(stage: Stage) -> None:
    s = stage(sales=sales())
    s.call("c1")
    s.call("c2")  # at the same moment
    s.wait(5)
    s.call("c3")
    ask(s, "cb", place_of="c2")
    assert [item.id for item in s.engine.floor.lines] == ["c1", "cb-1", "c3"]


def test_who_asks_while_an_agent_is_rung_for_him_is_called_by_that_agent(stage: Stage) -> None:
    s = stage(sales=sales())
    s.ready("ann")
    s.call("c1")
    s.call("c2")
    ask(s, "cb", place_of="c1")
    assert s.offered_to("cb-1") == "ann"  # and not c2: nobody overtakes


# --- never more customers than agents, never before others ------------------------------------------------------------


def test_no_customer_is_called_without_an_agent(stage: Stage) -> None:
    s = stage(sales=sales(order="customer first"))
    ask(s, "cb")
    assert not dial(s, "cb-1")
    s.ready("ann")
    ask(s, "cb2", BERT)
    assert dial(s, "cb-1") and not dial(s, "cb2-1")
    assert not dial(s, "cb-1")  # once


def test_callbacks_and_calls_are_served_by_age(stage: Stage) -> None:
    s = stage(sales=sales())
    s.call("c1")
    s.wait(10)
    ask(s, "cb")
    s.wait(10)
    s.call("c2")
    s.ready("ann", "bob", "cy")
    got = [event.item_id for event in s.said(events.ItemReserved)]
    assert got == ["c1", "cb-1", "c2"]


def test_a_wished_time_is_no_place_at_the_head_of_the_line(stage: Stage) -> None:
    s = stage(sales=sales())
    ask(s, "cb", due_at=s.now + 3600)
    assert state(s, "cb") == "SCHEDULED" and len(s.engine.floor.lines) == 0
    s.wait(3500)
    s.call("c1")
    s.wait(100)
    assert [item.id for item in s.engine.floor.lines] == ["c1", "cb-1"]
    s.wait(10)
    s.call("c2")
    assert [item.id for item in s.engine.floor.lines] == ["c1", "cb-1", "c2"]


def test_who_was_not_reached_keeps_his_age(stage: Stage) -> None:
    s = stage(sales=sales())
    ask(s, "cb")
    s.ready("ann")
    s.answer("cb-1")
    dial(s, "cb-1")
    miss(s, "cb-1", "busy")
    assert state(s, "cb") == "SCHEDULED" and s.state("ann") == ("READY", None)
    s.engine.not_ready("ann", "lunch", s.now)
    s.call("c1")
    s.wait(600)
    assert [item.id for item in s.engine.floor.lines] == ["cb-2", "c1"]
    (missed,) = s.said(told.CallbackMissed)
    assert (missed.outcome, missed.next_at) == ("busy", 1600.0)


def test_max_wait_is_for_callers_on_the_line(stage: Stage) -> None:
    s = stage(sales={**sales(), "max_wait_s": 60, "overflow": "hang up"})
    ask(s, "cb")
    s.wait(1000)
    assert state(s, "cb") == "QUEUED"
    s.ready("ann")
    s.fail("cb-1", Outcome.REJECTED)
    assert state(s, "cb") == "QUEUED"


# --- not reached -----------------------------------------------------------------------------------------------------


def test_retries_come_to_an_end(stage: Stage) -> None:
    s = stage(sales=sales(retries=2))
    s.ready("ann")
    ask(s, "cb")
    for item in ("cb-1", "cb-2", "cb-3"):
        s.answer(item)
        assert dial(s, item)
        miss(s, item)
        s.wait(600)
    assert ended(s) == ["not_reached"] and s.engine.floor.deadlines.next() is None
    assert [event.reason for event in s.said(events.ItemOverflowed)] == ["callback not reached"]
    assert s.state("ann") == ("READY", None)


def test_a_retry_after_the_last_day_is_none(stage: Stage) -> None:
    s = stage(sales=sales(keep_s=300))
    s.ready("ann")
    ask(s, "cb")
    s.answer("cb-1")
    dial(s, "cb-1")
    miss(s, "cb-1")
    assert ended(s) == ["expired"]


def test_given_up_after_keep_s(stage: Stage) -> None:
    s = stage(sales=sales(keep_s=300))
    ask(s, "cb")
    s.wait(300)
    assert ended(s) == ["expired"] and len(s.engine.floor.lines) == 0


def test_its_time_ends_while_an_agent_is_rung(stage: Stage) -> None:
    s = stage(sales=sales(keep_s=300))
    ask(s, "cb")
    s.wait(295)
    s.ready("ann")
    s.wait(6)
    assert state(s, "cb") == "RESERVED"
    s.fail("cb-1", Outcome.NO_ANSWER)
    assert ended(s) == ["expired"]


def test_its_time_ends_while_the_customer_is_called(stage: Stage) -> None:
    s = stage(sales=sales(keep_s=300))
    ask(s, "cb")
    s.wait(299)
    s.ready("ann")
    s.answer("cb-1")
    dial(s, "cb-1")
    s.wait(5)
    assert reach(s, "cb-1")


# --- races -----------------------------------------------------------------------------------------------------------


def test_the_agent_logs_out_while_the_customers_phone_rings(stage: Stage) -> None:
    """Another agent is held in his place; if there is none, the customer must not answer to nobody."""
    s = stage(sales=sales(order="customer first"))
    s.ready("ann", "bob")
    ask(s, "cb")
    assert s.offered_to("cb-1") == "ann" and dial(s, "cb-1")
    s.wait(20)
    s.engine.logout("ann", s.now)
    s.listen()
    assert s.offered_to("cb-1") == "bob" and state(s, "cb") == "DIALLING"
    s.wait(4)  # of the 25 s
    assert s.offered_to("cb-1") == "bob"
    s.engine.logout("bob", s.now)
    s.listen()
    assert state(s, "cb") == "QUEUED" and s.engine.floor.callbacks["cb"].item_id == "cb-2"


def test_the_agent_logs_out_after_the_customer_answered(stage: Stage) -> None:
    s = stage(sales=sales(order="customer first"))
    s.ready("ann")
    ask(s, "cb")
    dial(s, "cb-1")
    reach(s, "cb-1")
    s.engine.logout("ann", s.now)
    s.listen()
    assert state(s, "cb") == "REACHED" and s.offered_to("cb-1") is None
    s.wait(9)
    s.ready("bob")
    s.answer("cb-1")
    assert state(s, "cb") == "CONNECTED"


def test_the_customer_hangs_up_before_the_agent_answers(stage: Stage) -> None:
    s = stage(sales=sales(order="customer first"))
    s.ready("ann")
    ask(s, "cb")
    dial(s, "cb-1")
    reach(s, "cb-1")
    s.engine.abandon("cb-1", s.now)
    s.listen()
    assert ended(s) == ["left"] and s.state("ann") == ("READY", None)


def test_the_agent_hangs_up_and_the_customer_answers(stage: Stage) -> None:
    s = stage(sales=sales())
    s.ready("ann")
    ask(s, "cb")
    s.answer("cb-1")
    dial(s, "cb-1")
    miss(s, "cb-1", "agent_hung_up")
    assert not reach(s, "cb-1") and state(s, "cb") == "SCHEDULED"
    assert s.state("ann") == ("READY", None)


def test_agents_who_come_and_go_do_not_let_his_phone_ring_for_ever(stage: Stage) -> None:
    s = stage(sales=sales(order="customer first", retries=1))
    ask(s, "cb")
    for _ in range(2):
        s.ready("ann")
        assert dial(s, s.engine.floor.callbacks["cb"].item_id)
        s.engine.logout("ann", s.now)
        s.listen()
    assert ended(s) == ["not_reached"]


def test_he_calls_in_again(stage: Stage) -> None:
    s = stage(sales=sales())
    s.call("c1")
    s.wait(50)
    s.call("c2")
    ask(s, "cb", place_of="c1")
    s.wait(50)
    s.engine.enqueue("c3", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert [item.id for item in s.engine.floor.lines] == ["c3", "c2"] and ended(s) == ["called_in"]
    assert [event.by for event in s.said(events.ItemResumed)] == ["c3"]


@pytest.mark.parametrize("answered", [False, True])
def test_he_calls_in_while_an_agent_has_his_callback(stage: Stage, answered: bool) -> None:
    """He is given to the agent who was to call him."""
    s = stage(sales=sales())
    s.ready("ann")
    ask(s, "cb")
    s.call("c1")
    if answered:
        s.answer("cb-1")
        dial(s, "cb-1")
    s.engine.enqueue("c3", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert s.offered_to("c3") == "ann" and ended(s) == ["called_in"]


def test_he_calls_in_before_the_time_that_he_chose(stage: Stage) -> None:
    s = stage(sales=sales())
    ask(s, "cb", due_at=s.now + 3600)
    s.engine.enqueue("c1", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert state(s, "cb") == "SCHEDULED"


def test_he_calls_in_between_two_attempts(stage: Stage) -> None:
    s = stage(sales=sales())
    s.ready("ann")
    ask(s, "cb")
    s.answer("cb-1")
    dial(s, "cb-1")
    miss(s, "cb-1")
    s.engine.enqueue("c1", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert s.offered_to("c1") == "ann" and ended(s) == ["called_in"]


def test_he_calls_in_while_he_talks_with_us(stage: Stage) -> None:
    s = stage(sales=sales())
    s.ready("ann")
    ask(s, "cb")
    s.answer("cb-1")
    dial(s, "cb-1")
    reach(s, "cb-1")
    s.engine.enqueue("c1", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert state(s, "cb") == "CONNECTED" and s.engine.floor.items["c1"].rank == s.now


def test_he_calls_in_while_the_queue_is_in_emergency(stage: Stage) -> None:
    s = stage(sales={**sales(), "emergency": "hang up"})
    ask(s, "cb")
    s.engine.set_emergency("sales", True, s.now)
    s.listen()
    assert state(s, "cb") == "SCHEDULED"  # and he is not called
    s.ready("ann")
    s.engine.set_emergency("sales", False, s.now)
    s.listen()
    assert "cb-1" not in s.engine.floor.items and s.offered_to("cb-2") == "ann"
    s.engine.set_emergency("sales", True, s.now)
    s.engine.enqueue("c1", "sales", {}, s.now, caller=ANNA)
    s.listen()
    assert "c1" not in s.engine.floor.items and s.state("ann") == ("READY", None)


def test_his_agent_is_removed_from_the_site_in_an_emergency(
    stage: Stage, make_site: Callable[..., Site]
) -> None:  # fmt: skip
    """Found by random histories: the callback that the agent was rung for went back into line, though nobody may be
    called."""
    queue = {**sales(), "emergency": "hang up"}
    s = stage(agents={"ann": {}, "bob": {}}, sales=queue)
    s.ready("ann")
    ask(s, "cb")
    assert s.offered_to("cb-1") == "ann"
    s.engine.set_emergency("sales", True, s.now)
    s.listen()
    assert s.offered_to("cb-1") == "ann"  # who is being called goes on
    s.engine.reconfigure(make_site({"bob": {}}, {"sales": queue}), s.now)
    s.listen()
    assert state(s, "cb") == "SCHEDULED" and "cb-1" not in s.engine.floor.items


# --- the site --------------------------------------------------------------------------------------------------------


def test_a_reload_removes_the_queue(stage: Stage, make_site: Callable[..., Site]) -> None:
    """Who was promised a call gets it; nobody new is promised one."""
    s = stage(sales=sales(through="carrier"))
    ask(s, "cb", due_at=s.now + 100)
    ask(s, "cb2", BERT)
    s.engine.reconfigure(make_site({"ann": {}}, {"other": {}}), s.now)
    s.listen()
    with pytest.raises(UnknownQueue):
        ask(s, "cb3", "+33612345603")
    assert s.engine.floor.queues["sales"].callback_rules.through == "carrier"
    s.wait(100)
    s.ready("ann")
    s.answer("cb2-1")
    s.engine.callback_let_go("cb2-1", s.now)
    s.engine.cancel_callback("cb2", s.now)
    s.listen()
    assert s.offered_to("cb-1") == "ann"
    s.engine.cancel_callback("cb", s.now)
    s.listen()
    assert set(s.engine.floor.queues) == {"other"}
    s.engine.reconfigure(make_site({"ann": {}}, {"other": {}}), s.now)


def test_the_site_offers_none_any_more(stage: Stage, make_site: Callable[..., Site]) -> None:
    s = stage(sales=sales(retry_after_s=77))
    ask(s, "cb")
    s.engine.reconfigure(make_site({"ann": {}}, {"sales": {}}), s.now)
    with pytest.raises(NoCallbacks):
        ask(s, "cb2", BERT)
    s.ready("ann")
    s.answer("cb-1")
    dial(s, "cb-1")
    miss(s, "cb-1")
    assert s.engine.floor.callbacks["cb"].due_at == s.now + 77


def test_hours(stage: Stage) -> None:
    s = stage(sales=sales())
    ask(s, "cb")
    s.wait(10)
    ask(s, "cb2", BERT)
    s.engine.callback_hours("sales", False, s.now)
    s.listen()
    assert state(s, "cb") == "SCHEDULED"
    s.ready("ann")
    s.wait(3600)
    assert s.state("ann") == ("READY", None)
    s.engine.callback_hours("sales", True, s.now)
    s.listen()
    assert s.offered_to("cb-2") == "ann" and state(s, "cb2") == "QUEUED"  # the older one first
    s.engine.callback_hours("sales", False, s.now)
    s.fail("cb-2", Outcome.REJECTED)
    assert state(s, "cb") == "SCHEDULED"


def test_more_is_known_of_him_while_he_waits(stage: Stage) -> None:
    s = stage(sales={**sales(), "value_weight": 1})
    ask(s, "cb", attributes={"basket": 10})
    s.engine.callback_known("cb", {"basket": 500}, s.now)
    s.engine.callback_known("gone", {}, s.now)
    s.listen()
    assert s.engine.floor.items["cb-1"].score == 500


# --- refused ---------------------------------------------------------------------------------------------------------


def test_what_is_refused(stage: Stage) -> None:
    s = stage(sales=sales(most=2), other={})
    ask(s, "cb")
    with pytest.raises(DuplicateCallback) as duplicate:
        ask(s, "cb2")
    assert duplicate.value.state == "QUEUED"
    with pytest.raises(AcdError):
        ask(s, "cb", BERT)
    with pytest.raises(NoCallbacks):
        ask(s, "cb2", queue="other")
    with pytest.raises(UnknownQueue):
        ask(s, "cb2", queue="nowhere")
    s.ready("ann")
    s.call("c1")
    s.fail("cb-1", Outcome.WITHDRAWN)
    s.engine.ready("ann", s.now)
    s.listen()
    ask(s, "cb3", BERT)
    with pytest.raises(CallbacksFull):
        ask(s, "cb4", "+33612345603")
    with pytest.raises(UnknownCallback):
        s.engine.cancel_callback("nothing", s.now)


def test_only_a_call_that_waits_has_a_place_to_give(stage: Stage) -> None:
    s = stage(sales=sales(), other=sales())
    s.call("c1", "other")
    s.ready("ann")
    s.answer("c1")
    s.call("c2", "other")
    for call in ("c1", "c2", "c9"):
        with pytest.raises(AcdError):
            ask(s, "cb", place_of=call)
    assert not s.engine.floor.callbacks


def bring_to(scene: Any, wanted: CallbackState) -> None:
    """A callback `cb` in that state."""
    due_at = scene.now + 100 if wanted is CallbackState.SCHEDULED else None
    ask(scene, "cb", due_at=due_at)
    if wanted in (CallbackState.SCHEDULED, CallbackState.QUEUED):
        return
    scene.ready("ann")
    if wanted is not CallbackState.RESERVED:
        dial(scene, "cb-1")
    if wanted in (CallbackState.REACHED, CallbackState.CONNECTED):
        reach(scene, "cb-1")
    if wanted is CallbackState.CONNECTED:
        scene.answer("cb-1")


@pytest.mark.parametrize("what", sorted(ALLOWED))
@pytest.mark.parametrize("wanted", list(CallbackState))
def test_every_command_in_every_state(stage: Stage, what: str, wanted: CallbackState) -> None:
    s = stage(sales=sales())
    bring_to(s, wanted)
    assert state(s, "cb") == wanted

    def command() -> None:
        if what == "cancel":
            s.engine.cancel_callback("cb", s.now)
        else:
            s.engine.reschedule_callback("cb", s.now + 50, s.now)

    if wanted not in ALLOWED[what]:
        with pytest.raises(CallbackStateError) as refused:
            command()
        assert refused.value.state == wanted
    else:
        command()
        s.listen()
        if what == "cancel":
            assert ended(s) == [Ended.CANCELLED] and s.engine.floor.deadlines.next() is None
        else:
            s.wait(50)
            assert state(s, "cb") == "QUEUED" and s.engine.floor.callbacks["cb"].age_from == s.now
    assert s.state("ann")[0] in ("LOGGED_OUT", "READY", "RESERVED", "BUSY")


def test_rescheduled_to_now(stage: Stage) -> None:
    s = stage(sales=sales())
    ask(s, "cb", due_at=s.now + 3600)
    s.ready("ann")
    s.engine.reschedule_callback("cb", 0, s.now)
    s.listen()
    assert s.offered_to("cb-1") == "ann"


def test_words_about_nothing_change_nothing(stage: Stage) -> None:
    """What comes late, of a call that is over."""
    s = stage(sales=sales())
    s.ready("ann")
    s.call("c1")
    s.answer("c1")
    for item in ("c1", "gone"):
        assert not dial(s, item) and not reach(s, item)
        miss(s, item)
        s.engine.callback_let_go(item, s.now)
    s.engine.callback_hours("nowhere", True, s.now)
    assert s.state("ann") == ("BUSY", None)


def test_the_table_of_the_readme_is_that_of_the_code() -> None:
    from pathlib import Path

    readme = (Path(__file__).parents[2] / "acd" / "README.md").read_text("utf-8")
    assert as_markdown() in readme
