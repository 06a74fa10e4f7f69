"""After a chat or a mail: the time for notes, dispositions, whose capacity it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import view
from acd.audit import audit
from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.errors import (
    AcdError,
    AgentCommandError,
    DispositionNeeded,
    ItemCommandError,
    UnknownDisposition,
    UnknownItem,
    WrapUpTooLong,
)
from acd.events import ItemCompleted, WorkNoted, WrapUpEnded, WrapUpExtended
from acd.statistics_view import live
from tests.acd.conftest import T0, MakeSite
from tests.acd.test_written import BOTH, Work, work

__all__ = ["work"]

Stage = Callable[..., Work]
SALES: dict[str, Any] = {"wrap_up_s": 30, "ring_s": 10, "dispositions": ["sold", "no sale"]}
NEEDED = SALES | {"disposition_needed": True}


def answered(scene: Work, *chats: str) -> Work:
    scene.ready("ann")
    for chat in chats:
        scene.chat(chat)
        scene.take(chat)
    return scene


def over(scene: Work, item: str = "a") -> Work:
    scene.engine.complete(item, scene.now)
    scene.listen()
    return scene


def has(scene: Work) -> dict[str, str]:
    """What ann has, and where it is."""
    floor = scene.engine.floor
    return {item: floor.written.items[item].state.value for item in floor.roster.agent("ann").work}


def ended(scene: Work) -> list[tuple[str, float]]:
    return [(event.item_id, event.wrapped_s) for event in scene.said(WrapUpEnded) if isinstance(event, WrapUpEnded)]


def test_the_queues_time_for_notes_keeps_the_agents_capacity(work: Stage) -> None:
    scene = over(answered(work(sales=SALES), "a", "b"))
    scene.chat("c")
    assert has(scene) == {"a": "WRAP_UP", "b": "CONNECTED"} and scene.with_("c") is None
    assert scene.state("ann")[0] == "READY", "it is no matter of the phone"
    scene.wait(29.9)
    assert scene.with_("c") is None
    scene.wait(0.2)
    assert has(scene) == {"b": "CONNECTED", "c": "RESERVED"} and ended(scene) == [("a", 30.0)]


def test_what_may_interrupt_a_chat_may_interrupt_its_notes_and_nothing_else(work: Stage) -> None:
    scene = over(answered(work(acd={"interrupts": {"call": []}}, sales=SALES), "a"))
    scene.call("c1")
    assert scene.offered_to("c1") is None
    scene.wait(30)
    assert scene.offered_to("c1") == "ann"


def test_an_agents_own_time_and_none(work: Stage) -> None:
    own = over(answered(work({"ann": BOTH | {"wrap_up_s": 5}}, sales=SALES), "a"))
    own.wait(5.1)
    assert has(own) == {} and ended(own) == [("a", 5.0)]
    none = over(answered(work({"ann": BOTH | {"wrap_up_s": 0}}, sales=SALES), "a"))
    assert has(none) == {} and ended(none) == []
    assert [event.wraps_up for event in none.said(ItemCompleted) if isinstance(event, ItemCompleted)] == [False]


def test_it_ends_when_the_agent_says_so_and_others_go_on(work: Stage) -> None:
    scene = over(over(answered(work(sales=SALES), "a", "b")), "b")
    scene.wait(10)
    scene.engine.wrap_up_done("ann", scene.now, item="b")
    scene.listen()
    assert has(scene) == {"a": "WRAP_UP"} and ended(scene) == [("b", 10.0)]
    with pytest.raises(UnknownItem):
        scene.engine.wrap_up_done("ann", scene.now, item="b")


def test_a_disposition_before_and_in_the_wrap_up(work: Stage) -> None:
    scene = answered(work(sales=SALES), "a")
    scene.engine.note("ann", "sold", scene.now, item="a")
    over(scene)
    scene.engine.note("ann", "no sale", scene.now, item="a")
    scene.listen()
    assert has(scene) == {"a": "WRAP_UP"}, "there is time for more"
    noted = [event for event in scene.said(WorkNoted) if isinstance(event, WorkNoted)]
    assert [(event.item_id, event.disposition, event.before) for event in noted] == [
        ("a", "sold", None), ("a", "no sale", "sold"),
    ]  # fmt: skip
    (row,) = (row for row in live(scene.engine.floor, "queue", scene.now) if row["channel"] == "chat")
    assert row["dispositions"] == {"no sale": 1}


def test_one_that_is_needed_is_waited_for(work: Stage) -> None:
    scene = over(answered(work(sales=NEEDED | {"wrap_up_s": 0}), "a"))
    scene.wait(500)
    assert has(scene) == {"a": "WRAP_UP"}
    with pytest.raises(DispositionNeeded):
        scene.engine.wrap_up_done("ann", scene.now, item="a")
    with pytest.raises(DispositionNeeded):
        scene.engine.logout("ann", scene.now)
    scene.engine.not_ready("ann", "lunch", scene.now)
    scene.engine.note("ann", "sold", scene.now, item="a")
    scene.listen()
    assert has(scene) == {} and ended(scene) == [("a", 500.0)]


def test_a_supervisor_ends_it_without(work: Stage) -> None:
    scene = over(answered(work(sales=NEEDED), "a"))
    scene.engine.wrap_up_done("ann", scene.now, by="boss", item="a")
    assert has(scene) == {}


def test_more_time_up_to_the_most(work: Stage) -> None:
    scene = over(answered(work(acd={"wrap_up_at_most_s": 100}, sales=SALES), "a"))
    scene.engine.extend_wrap_up("ann", 50, scene.now, item="a")
    scene.listen()
    (event,) = scene.said(WrapUpExtended)
    assert isinstance(event, WrapUpExtended) and event.until == scene.now + 80
    scene.wait(60)
    scene.engine.extend_wrap_up("ann", 50, scene.now, item="a")
    with pytest.raises(WrapUpTooLong):
        scene.engine.extend_wrap_up("ann", 1, scene.now, item="a")
    scene.wait(40)
    assert ended(scene) == [("a", 100.0)]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (lambda engine: engine.wrap_up_done("ann", T0, item="a"), ItemCommandError),
        (lambda engine: engine.extend_wrap_up("ann", 5, T0, item="a"), ItemCommandError),
        (lambda engine: engine.note("ann", "what", T0, item="a"), UnknownDisposition),
        (lambda engine: engine.note("bob", "sold", T0, item="a"), UnknownItem),
        (lambda engine: engine.note("ann", "sold", T0, item="r"), UnknownItem),
        (lambda engine: engine.note("ann", "sold", T0), AgentCommandError),
        (lambda engine: engine.wrap_up_done("ann", T0), AgentCommandError),
        (lambda engine: engine.enqueue_work("a", "sales", "chat", {}, T0), AcdError),
    ],
)
def test_what_makes_no_sense_while_it_lasts(
    work: Stage, command: Callable[[Engine], None], error: type[AcdError]
) -> None:
    scene = answered(work({"ann": BOTH, "bob": BOTH}, sales=SALES), "a")
    scene.chat("r")  # offered, and not answered
    before = keep(scene.engine.floor)
    with pytest.raises(error):
        command(scene.engine)
    assert keep(scene.engine.floor) == before


def test_a_call_and_chats_have_notes_of_their_own(work: Stage) -> None:
    scene = over(answered(work(sales=SALES), "a"))
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.engine.note("ann", "sold", scene.now, item="a")
    scene.engine.note("ann", "no sale", scene.now, item="c1")
    scene.listen()
    found: dict[str, Any] = view.agent(scene.engine.floor, "ann")
    of_call, (of_chat,) = found["wrap_up"], found["work_notes"]
    assert (of_call["call_id"], of_call["disposition"]) == ("c1", "no sale")
    assert (of_chat["call_id"], of_chat["channel"], of_chat["disposition"]) == ("a", "chat", "sold")
    assert of_chat["until"] == of_chat["began"] + 30
    rows = {row["channel"]: row["dispositions"] for row in live(scene.engine.floor, "queue", scene.now)}
    assert rows == {"call": {"no sale": 1}, "chat": {"sold": 1}}
    scene.wait(31)
    assert scene.state("ann")[0] == "READY" and has(scene) == {}


def test_log_out_ends_it_and_nobody_who_is_gone_has_notes(work: Stage) -> None:
    scene = over(answered(work(sales=SALES), "a", "b"))
    scene.wait(5)
    scene.engine.logout("ann", scene.now)
    scene.listen()
    assert has(scene) == {"b": "CONNECTED"} and ended(scene) == [("a", 5.0)]
    over(scene, "b")
    assert has(scene) == {} and ended(scene) == [("a", 5.0)]


def test_who_is_removed_from_the_site_is_gone_with_his_notes(work: Stage, make_site: MakeSite) -> None:
    scene = over(answered(work({"ann": BOTH, "bob": BOTH}, sales=SALES), "a"))
    scene.engine.reconfigure(make_site({"bob": BOTH}, {"sales": SALES}), scene.now)
    scene.listen()
    assert "ann" not in scene.engine.floor.roster.agents


def test_the_same_chat_comes_again(work: Stage) -> None:
    scene = over(answered(work(sales=SALES), "a"))
    scene.wait(3)
    scene.chat("a")
    assert ended(scene) == [("a", 3.0)] and has(scene) == {"a": "RESERVED"}


def test_what_is_noted_down_neither_waits_nor_is_sent_on(work: Stage, make_site: MakeSite) -> None:
    limited = SALES | {"max_wait_s": 5}
    scene = over(answered(work(sales=limited), "a"))
    with pytest.raises(AcdError):
        scene.engine.abandon("a", scene.now)
    with pytest.raises(AcdError):
        scene.engine.withdraw("a", None, scene.now)
    scene.engine.reconfigure(make_site({"ann": BOTH}, {"sales": limited}), scene.now)
    scene.wait(29)
    assert has(scene) == {"a": "WRAP_UP"}


def test_the_time_is_in_the_queues_figures_and_outlives_the_server(work: Stage) -> None:
    scene = over(answered(work(sales=SALES), "a"))
    scene.wait(10)
    again = Engine.on(take_up(keep(scene.engine.floor)))
    again.tick(scene.now + 25)
    (row,) = (row for row in live(again.floor, "queue", scene.now + 25) if row["channel"] == "chat")
    assert row["hour"]["wrap_up_s"] == 35.0 and row["hour"]["completed"] == 1
    assert audit(again.floor) == []
