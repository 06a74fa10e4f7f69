"""One agent is waited for: whom the call names, or who talked with the number last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import preference
from acd.events import ItemPrefers, ItemRelaxed
from acd.preference import DAY_S, Talks
from acd.reservation import Outcome

Stage = Callable[..., Any]
WAIT: dict[str, Any] = {"prefer": {"wait_s": 30, "last_agent_days": 7}, "ring_s": 10, "wrap_up_s": 0}


def why(s: Any) -> list[str]:
    return [e.why for e in s.said(ItemRelaxed)]


def caller(s: Any, item: str, number: str, queue: str = "sales", **attributes: Any) -> None:
    s.engine.enqueue(item, queue, attributes, s.now, None, number)
    s.listen()


def test_whom_the_call_names(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("ann", "bob")
    s.call("c1", preferred_agent="bob")
    assert s.offered_to("c1") == "bob"
    s.call("c2", preferred_agent="bob")  # he is on the phone: she waits, though ann is free
    assert s.offered_to("c2") is None
    assert [(e.item_id, e.agent, e.until) for e in s.said(ItemPrefers)] == [
        ("c1", "bob", s.now + 30), ("c2", "bob", s.now + 30),
    ]  # fmt: skip
    s.answer("c1")
    s.wait(10)
    s.engine.complete("c1", s.now)
    s.listen()
    assert s.offered_to("c2") == "bob"


def test_not_for_ever(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("ann", "bob")
    s.engine.not_ready("bob", "lunch", s.now)
    s.call("c1", preferred_agent="bob")
    s.wait(29)
    assert s.offered_to("c1") is None
    s.wait(1)
    assert s.offered_to("c1") == "ann" and why(s) == ["no longer for bob alone: waited for long enough"]


def test_not_if_he_is_logged_out(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("ann")
    s.call("c1", preferred_agent="bob")
    assert s.offered_to("c1") == "ann" and not s.said(ItemPrefers)


def test_he_logs_out(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("ann", "bob")
    s.engine.not_ready("bob", "lunch", s.now)
    s.call("c1", preferred_agent="bob")
    s.engine.logout("bob", s.now)
    s.listen()
    assert s.offered_to("c1") == "ann" and why(s) == ["no longer for bob alone: logged out"]


def test_he_logs_out_and_his_phone_rings_for_a_colleague(stage: Stage) -> None:
    """Found by random histories: the colleague got who came later, for his phone was free before the line was."""
    both = {"cy": {"extension": "102"}, "bob": {"extension": "102"}}
    s = stage(agents=both, sales=WAIT, other={"agents": ["cy"]})
    s.ready("cy", "bob")
    s.call("c0", "other")
    s.call("c1", preferred_agent="cy")
    s.call("c2")
    assert s.offered_to("c0") == "cy" and s.offered_to("c1") is s.offered_to("c2") is None
    s.engine.logout("cy", s.now)
    s.listen()
    assert s.offered_to("c1") == "bob" and s.offered_to("c2") is None


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.FAILED])
def test_he_is_asked_once(stage: Stage, outcome: Outcome) -> None:
    s = stage(sales=WAIT)
    s.ready("ann", "bob")
    s.call("c1", preferred_agent="bob")
    s.fail("c1", outcome)
    assert s.offered_to("c1") == "ann" and why(s) == ["no longer for bob alone: did not take it"]
    s.engine.rescore("c1", {"preferred_agent": "bob", "basket": 5}, s.now)
    s.listen()
    assert s.engine.floor.items["c1"].preferred is None


@pytest.mark.parametrize("name", ["nobody", "", "cy"])
def test_who_does_not_serve_the_queue(stage: Stage, name: str) -> None:
    s = stage({"ann": {}, "bob": {}, "cy": {"queues": {"other": 1}}}, sales=WAIT, other={})
    s.ready("cy")
    s.ready("ann")
    s.call("c1", preferred_agent=name)
    assert s.offered_to("c1") == "ann"


def test_who_is_named_need_not_fulfil_what_others_must(stage: Stage) -> None:
    s = stage({"ann": {"skills": {"asia": 9}}, "bob": {}}, sales={**WAIT, "needs": "asia"})
    s.ready("ann", "bob")
    s.call("c1", preferred_agent="bob")
    assert s.offered_to("c1") == "bob"


def test_it_is_known_later(stage: Stage) -> None:
    """The web session is matched while the caller waits."""
    s = stage(sales={**WAIT, "prefer": {"attribute": "account_manager", "wait_s": 30}})
    s.ready("bob")
    s.engine.not_ready("bob", "lunch", s.now)
    s.call("c1")
    s.wait(10)
    s.engine.rescore("c1", {"account_manager": "bob"}, s.now)
    s.listen()
    s.ready("ann")
    assert s.offered_to("c1") is None
    s.wait(20)
    assert s.offered_to("c1") == "ann"


def test_the_order_of_the_line_holds_for_him(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("ann", "bob")
    s.engine.not_ready("bob", "lunch", s.now)
    s.call("c0")
    s.answer("c0")
    s.call("c1")  # older, for anybody
    s.wait(1)
    s.call("c2", preferred_agent="bob")
    s.engine.ready("bob", s.now)
    s.listen()
    assert (s.offered_to("c1"), s.offered_to("c2")) == ("bob", None)


# --- the last one ---------------------------------------------------------------------------------------------------


def talk(s: Any, item: str, number: str) -> None:
    caller(s, item, number)
    s.answer(item)
    s.engine.complete(item, s.now)
    s.listen()


def test_who_talked_with_the_number_last(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("bob")
    talk(s, "c1", "+331")
    s.wait(5)
    s.ready("ann")
    caller(s, "c2", "+332")
    assert s.offered_to("c2") == "bob"  # idle for longer
    caller(s, "c3", "+331")
    assert s.offered_to("c3") is None and s.said(ItemPrefers)[-1].agent == "bob"


def test_that_is_too_long_ago(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("bob")
    talk(s, "c1", "+331")
    s.engine.not_ready("bob", "lunch", s.now)
    s.ready("ann")
    s.wait(7 * DAY_S + 1)
    caller(s, "c2", "+331")
    assert s.offered_to("c2") == "ann"


def test_the_last_one_must_be_able_to(stage: Stage) -> None:
    s = stage({"ann": {"skills": {"asia": 9}}, "bob": {}}, sales=WAIT, asia={**WAIT, "needs": "asia"})
    s.ready("bob")
    talk(s, "c1", "+331")
    s.ready("ann")
    caller(s, "c2", "+331", "asia")
    assert s.offered_to("c2") == "ann"


def test_whom_the_call_names_comes_first(stage: Stage) -> None:
    s = stage(sales=WAIT)
    s.ready("bob")
    talk(s, "c1", "+331")
    s.ready("ann")
    caller(s, "c2", "+331", preferred_agent="ann")
    assert s.offered_to("c2") == "ann"


def test_nothing_is_remembered_for_nobody(stage: Stage) -> None:
    s = stage()
    s.ready("bob")
    talk(s, "c1", "+331")
    assert len(s.engine.floor.talks) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preference, "MOST_NUMBERS", 3)
    talks = Talks()
    talks.keep_s = 100.0
    for at, number in enumerate("abcad"):
        talks.remember(number, f"agent-{number}", float(at))
    assert (len(talks), talks.last("b", 0.0), talks.last("a", 0.0)) == (3, None, "agent-a")
    assert talks.forgotten == 1
    talks.remember("e", "ann", 103.5)
    assert len(talks) == 2 and talks.last("d", 0.0) == "agent-d"  # older than 100 s: gone, and not counted
    assert talks.last("d", 50.0) is None
    assert talks.forgotten == 1
    talks.remember("", "ann", 104.0)
    assert len(talks) == 2
