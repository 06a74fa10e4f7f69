"""What events say of decisions, and what it is in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from acd.decision import Decision, Fitting
from acd.events import ItemReserved, ItemWaits
from acd.explain import Moment, at_present, explain, seconds, story
from acd.reservation import Outcome
from pbx.store.rows import JournalRow, RowMaker, encode
from tests.acd.conftest import T0, Scene

Stage = Callable[..., Scene]
AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"skills": {"asia": 8}}, "bob": {"skills": {"asia": 6}}, "cy": {"skills": {"asia": 5}},
    "dee": {"skills": {"asia": 2}}, "eve": {},
}  # fmt: skip
SALES: dict[str, Any] = {"needs": "asia >= 5", "ring_s": 10, "wrap_up_s": 30}


def decision(scene: Scene, item: str) -> Decision:
    found = [one for one in scene.events if isinstance(one, ItemReserved) and one.item_id == item]
    return Decision(*found[-1].decision)  # type: ignore[arg-type]


def fittings(scene: Scene, item: str) -> list[Fitting]:
    found = [one for one in scene.events if isinstance(one, ItemWaits) and one.item_id == item]
    return [Fitting(*one.fitting) for one in found]  # type: ignore[arg-type]


def told(scene: Scene, item: str) -> list[Moment]:
    """As from the journal: through rows and JSON."""
    maker, rows = RowMaker(), []
    for number, event in enumerate(scene.events, 1):
        row = maker.read(number, event)
        if row.call_id == item:
            rows.append(JournalRow(*row[:4], json.loads(encode(row.data))))
    return explain(item, rows).moments


def texts(moments: list[Moment]) -> list[str]:
    return [moment.text for moment in moments]


def test_chosen_from_those_who_are_free(stage: Stage) -> None:
    scene = stage(AGENTS, sales={**SALES, "strategy": "most skilled"})
    scene.ready("cy", "bob")
    scene.wait(30)
    scene.ready("ann", "dee")
    scene.call("c1")
    assert decision(scene, "c1") == Decision(
        "most skilled", "asia >= 5", 0, 3, 3, 3, (("ann", 8.0, 0.0), ("bob", 6.0, 30.0), ("cy", 5.0, 30.0)), "",
        {"unfit": 2}, (("dee", "UNFIT asia 2 < 5"), ("eve", "UNFIT asia 0 < 5")),
    )  # fmt: skip
    (queued, offered) = told(scene, "c1")
    assert queued.text == "came to queue sales"
    assert offered.text == "offered to ann after 0 s"
    assert offered.details == (
        "needed: asia >= 5", "3 agents fit, 3 logged in", "3 free, chosen by strategy most skilled",
        "ann: levels 8 in sum, idle for 0 s", "bob: levels 6 in sum, idle for 30 s",
        "cy: levels 5 in sum, idle for 30 s", "excluded: 2 without what it needs",
        "dee: does not fit: asia 2 < 5", "eve: does not fit: asia 0 < 5",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("longest idle", "idle for 0 s"), ("fewest calls", "0 calls since log-in, idle for 0 s"),
        ("least talk time", "talked for 0 s since log-in, idle for 0 s"),
        ("top down", "place 1 in the list, idle for 0 s"),
        ("least occupied", "at work for 0 % of the time, idle for 0 s"), ("random", "drawn 0."),
    ],
)  # fmt: skip
def test_each_strategy_has_its_number(stage: Stage, strategy: str, says: str) -> None:
    scene = stage({"ann": {}, "bob": {}}, sales={"strategy": strategy})
    scene.ready("ann", "bob")
    scene.call("c1")
    (line,) = [line for line in told(scene, "c1")[1].details if line.startswith("ann: ")]
    assert line.startswith(f"ann: {says}")


@pytest.mark.parametrize("strategy", ["longest idle", "fewest calls", "least occupied", "random", "round robin"])
@pytest.mark.parametrize("many", [12, 60])
def test_the_others_shown_are_the_runners_up(stage: Stage, strategy: str, many: int) -> None:
    """Not those who come first in the site file: who would be asked next, if the chosen one were not there."""
    agents: dict[str, dict[str, Any]] = {f"a{number}": {} for number in range(many)}
    scene = stage(agents, sales={"strategy": strategy, "wrap_up_s": 0})
    for name in reversed(agents):
        scene.ready(name)
        scene.wait(1)
    for number in range(4):  # some have had calls
        scene.call(f"c{number}")
        scene.answer(f"c{number}")
    for number in range(4):
        scene.engine.complete(f"c{number}", scene.now)
        scene.wait(1)
    scene.call("c")
    shown = [name for name, *_ in decision(scene, "c").shown]
    asked = [scene.offered_to("c")]
    for _ in range(4):  # each of them refuses; a draw is another for another try
        if strategy == "random":
            break
        scene.fail("c", Outcome.REJECTED)
        asked.append(scene.offered_to("c"))
    assert shown[: len(asked)] == asked
    if strategy == "random":
        keys = [key or 0.0 for _, key, _ in decision(scene, "c").shown]
        assert keys == sorted(keys)


def test_no_more_names_than_the_site_wants(stage: Stage, make_site: Any) -> None:
    agents: dict[str, dict[str, Any]] = {f"a{number}": {} for number in range(9)}
    scene = stage(agents, sales={})
    scene.ready(*agents)
    scene.call("c1")
    assert len(decision(scene, "c1").shown) == 5
    assert told(scene, "c1")[-1].details[-1] == "and 4 more"
    site = make_site(agents, {"sales": {}})
    site = site.model_copy(update={"acd": site.acd.model_copy(update={"explain_candidates": 0})})
    scene.engine.reconfigure(site, scene.now)
    scene.call("c2")
    assert decision(scene, "c2").shown == ()


def test_why_nobody_takes_it(stage: Stage) -> None:
    """One talks, one is not ready, one is logged out; then whoever comes free takes it."""
    scene = stage(AGENTS, sales=SALES)
    scene.ready("ann", "bob", "eve")
    scene.engine.not_ready("bob", "lunch", scene.now)
    scene.call("c1")
    scene.answer("c1")
    scene.call("c2")
    assert fittings(scene, "c2") == [
        Fitting(
            "asia >= 5", 0, 3, 2, 1, 0,
            (("ann", "BUSY"), ("bob", "NOT_READY lunch"), ("eve", "UNFIT asia 0 < 5"), ("cy", "LOGGED_OUT"),
             ("dee", "UNFIT asia 2 < 5")),
            {"at_work": 1, "not_ready": 1, "logged_out": 1, "unfit": 2},
        )
    ]  # fmt: skip
    scene.wait(70)
    scene.engine.ready("bob", scene.now)
    scene.listen()
    _, waits, offered = told(scene, "c2")
    busy = "1 logged out, 1 not ready, 1 at work or without a free phone"
    assert waits.text == f"nobody is free: 3 agents could take it, {busy}"
    assert waits.details == (
        "it needs asia >= 5", "excluded: 1 at work, 1 not ready, 1 logged out, 2 without what it needs", "ann: talks",
        "bob: not ready (lunch)", "eve: does not fit: asia 0 < 5", "cy: logged out", "dee: does not fit: asia 2 < 5",
    )  # fmt: skip
    assert offered.text == "offered to bob after 1 min 10 s"
    assert offered.details[2].startswith("the agent came free: best score")


def test_nobody_logged_in_nobody_at_all(stage: Stage) -> None:
    scene = stage(AGENTS, sales=SALES, far={"needs": "africa"})
    scene.call("c1")
    scene.call("c2", "far")
    assert told(scene, "c1")[-1].text == "3 agents could take it, nobody of them is logged in"
    assert told(scene, "c1")[-1].details[2:5] == ("ann: logged out", "bob: logged out", "cy: logged out")
    nobody = told(scene, "c2")[-1]
    assert nobody.text == "nobody in the site can take it"
    assert nobody.details[:2] == ("it needs africa", "excluded: 5 without what it needs")
    assert nobody.details[2] == "ann: does not fit: africa 0 < 1"


def named(scene: Scene, item: str) -> dict[str, str]:
    return dict(decision(scene, item).named)


def test_who_was_excluded_and_why(stage: Stage) -> None:
    """Although somebody is free: who lacks what, who is at lunch, at work, rung, without a phone, in another queue."""
    agents: dict[str, dict[str, Any]] = {
        "ann": {"skills": {"asia": 9}}, "bob": {"skills": {"asia": 3}}, "cy": {"skills": {"asia": 8}},
        "dee": {"skills": {"asia": 7}}, "eve": {"skills": {"asia": 7}, "queues": {"other": 1}},
        "fay": {"skills": {"asia": 7}}, "gus": {"skills": {"asia": 7}},
    }  # fmt: skip
    scene = stage(agents, sales={"needs": "asia >= 5"}, other={})
    scene.engine.floor.acd = scene.engine.floor.acd.model_copy(update={"explain_candidates": 10})
    scene.ready("dee")
    scene.call("c0")
    scene.answer("c0")
    scene.ready("gus")
    scene.call("c1")
    scene.ready("ann", "bob", "cy", "eve", "fay")
    scene.engine.not_ready("cy", "lunch", scene.now)
    scene.engine.phone_calls("x-fay", 1, scene.now)
    scene.call("c2")
    assert decision(scene, "c2").excluded == {
        "ringing": 1, "at_work": 1, "not_free": 1, "not_ready": 1, "unfit": 1, "elsewhere": 1
    }  # fmt: skip
    assert named(scene, "c2") == {
        "cy": "NOT_READY lunch", "dee": "BUSY", "fay": "READY on another call", "gus": "RESERVED",
        "bob": "UNFIT asia 3 < 5", "eve": "ELSEWHERE",
    }  # fmt: skip
    assert told(scene, "c2")[-1].details[2:] == (
        "the only one free",
        "excluded: 1 rung, 1 at work, 1 without a free phone, 1 not ready, 1 without what it needs, 1 of other queues",
        "cy: not ready (lunch)", "dee: talks", "fay: ready (on another call)", "gus: rung for another call",
        "bob: does not fit: asia 3 < 5", "eve: serves other queues",
    )  # fmt: skip


def test_who_was_excluded_by_level_by_preference_and_by_channel(stage: Stage) -> None:
    agents: dict[str, dict[str, Any]] = {
        "ann": {"queues": {"sales": 2}}, "bob": {}, "cy": {"channels": {"chat": 2}},
    }  # fmt: skip
    scene = stage(agents, sales={"prefer": {"attribute": "wanted", "wait_s": 20}})
    scene.ready("ann", "bob")
    scene.call("c1")
    assert decision(scene, "c1").excluded == {"later_level": 1, "no_channel": 1}
    assert named(scene, "c1") == {"ann": "LATER_LEVEL 2", "cy": "NO_CHANNEL call"}
    assert told(scene, "c1")[-1].details[-2:] == (
        "ann: free, but asked later: level 2", "cy: is for other channels, not call"
    )  # fmt: skip
    scene.call("c2", wanted="bob")
    (waits,) = fittings(scene, "c2")
    assert waits.excluded == {"ringing": 1, "no_channel": 1, "not_preferred": 1}
    assert waits.named == (("bob", "RESERVED"), ("ann", "NOT_PREFERRED"), ("cy", "NO_CHANNEL call"))


def test_of_many_those_who_do_not_fit_are_only_counted(stage: Stage) -> None:
    scene = stage({"ann": {"skills": {"asia": 9}}, **{f"b{number}": {} for number in range(300)}}, sales=SALES, far={
        "needs": "africa"
    })  # fmt: skip
    scene.ready("ann")
    scene.call("c1")
    assert (decision(scene, "c1").excluded, named(scene, "c1")) == ({"unfit": 300}, {})
    scene.call("c2", "far")  # nobody fits: a few say what is missing
    assert told(scene, "c2")[-1].details[-1] == "and 296 more" and len(fittings(scene, "c2")[0].named) == 5
    scene.engine.floor.acd = scene.engine.floor.acd.model_copy(update={"explain_candidates": 0})
    scene.call("c3", "far")
    assert fittings(scene, "c3")[0].named == ()


def test_what_the_call_names_is_in_the_reason_cut_if_it_is_long(stage: Stage) -> None:
    scene = stage({"ann": {"skills": {"asia": 9}}}, sales={"needs": "asia >= 5 and skill(call.lang) >= 3"})
    scene.call("c1", lang="urdu")
    scene.call("c2", lang="x" * 500)
    assert fittings(scene, "c1")[0].named == (("ann", "UNFIT urdu 0 < 3"),)
    assert len(fittings(scene, "c2")[0].named[0][1]) == 80


def test_ring_all_says_it_once(stage: Stage) -> None:
    scene = stage(AGENTS, sales={**SALES, "strategy": "ring all"})
    scene.ready("ann", "bob", "cy")
    scene.call("c1")
    first, *others = [Decision(*one.decision) for one in scene.said(ItemReserved)]  # type: ignore
    assert first.excluded == {"unfit": 2} and len(others) == 2
    assert all(other.excluded is None and other.named == () for other in others)


def test_whom_an_agent_who_came_free_would_have_taken_otherwise(stage: Stage) -> None:
    scene = stage(AGENTS, sales={**SALES, "wrap_up_s": 0}, gold={"priority": 10, "wrap_up_s": 0})
    scene.call("c1")
    scene.wait(5)
    scene.call("c2", "gold")
    scene.ready("ann")
    assert decision(scene, "c2").rival == ("c1", "sales", 5.0)
    assert "next would have been c1 of queue sales: score 5.0" in told(scene, "c2")[-1].details
    scene.ready("bob")
    assert decision(scene, "c1").rival is None


def test_a_supervisor_hangs_it_up(stage: Stage) -> None:
    scene = stage(AGENTS, sales=SALES)
    scene.call("c1")
    scene.engine.withdraw("c1", None, scene.now)
    scene.listen()
    left = told(scene, "c1")[-1]
    assert left.text.endswith("and was hung up") and left.details == ("a supervisor withdrew it",)


def test_steps_offers_and_the_end(stage: Stage) -> None:
    relax = [{"after_s": 20, "needs": "asia >= 2"}]
    scene = stage(AGENTS, sales={**SALES, "relax": relax, "max_wait_s": 60, "overflow": "queue all"}, all={})
    scene.ready("ann", "dee")
    scene.call("c0")
    scene.answer("c0")
    scene.call("c1")
    scene.wait(20)
    scene.fail("c1", Outcome.REJECTED)
    scene.wait(40)
    moments = told(scene, "c1")
    assert texts(moments) == [
        "came to queue sales",
        "nobody is free: 3 agents could take it, 2 logged out, 1 at work or without a free phone",
        "step 1: it needs asia >= 2 from now on, after 20 s",
        "offered to dee after 20 s",
        "dee rejected it",
        "nobody is free: 4 agents could take it, 2 logged out, 1 not ready, 1 at work or without a free phone",
        "left queue sales after 1 min to queue all",
    ]
    assert moments[3].details[0] == "needed: asia >= 2, at step 1"
    assert moments[-1].details == ("it had waited for as long as the queue allows",)


def test_what_a_live_item_is_at(stage: Stage) -> None:
    scene = stage(AGENTS, sales={**SALES, "resume_s": 60})
    scene.ready("ann")
    for number in range(3):
        scene.engine.enqueue(f"c{number}", "sales", {}, scene.now, None, f"+33{number}")
        scene.listen()
    floor = scene.engine.floor

    def now(item: str) -> Moment:
        found = at_present(floor, item, scene.now)
        assert found is not None and found.kind == "now"
        return found

    assert now("c0").text == "now: the phone of ann rings"
    scene.answer("c0")
    scene.wait(5)
    assert now("c0").text == "now: talks with ann for 5 s"
    assert now("c2").text.startswith("now: nobody is free: 3 agents could take it")
    assert now("c2").details[0] == "place 2 in queue sales, for 5 s"
    scene.engine.abandon("c1", scene.now)
    scene.listen()
    scene.wait(7)
    assert now("c1").text == "now: the caller is gone for 7 s, the place is kept"
    assert at_present(floor, "c9", scene.now) is None


def test_what_a_live_callback_is_at(stage: Stage) -> None:
    scene = stage(AGENTS, sales={**SALES, "callback": {"keep_s": 600}})
    engine, now = scene.engine, scene.now

    def at(callback: str = "callback-1") -> tuple[str, tuple[str, ...]]:
        found = at_present(engine.floor, callback, scene.now)
        assert found is not None and found.kind == "now"
        return found.text, found.details

    engine.ask_callback("callback-1", "sales", "+331", {}, due_at=now + 300, now=now)
    scene.wait(60)
    assert at() == ("now: to be called in 4 min", ("attempts: 0, given up in 14 min",))
    engine.callback_hours("sales", False, scene.now)
    scene.wait(300)
    assert at()[0] == "now: to be called when the hours of callbacks begin"
    engine.set_emergency("sales", True, scene.now)
    scene.listen()
    assert at()[0] == "now: to be called when the emergency is over"
    engine.set_emergency("sales", False, scene.now)
    engine.callback_hours("sales", True, scene.now)
    scene.listen()
    assert at()[1][0] == "place 1 in queue sales, for 1 min" and at() == at("callback-1-1")
    scene.ready("ann")
    assert at()[0] == "now: the phone of ann rings"
    engine.cancel_callback("callback-1", scene.now)
    scene.listen()
    assert at_present(engine.floor, "callback-1", scene.now) is None


def test_words_for_all_the_rest() -> None:
    """Of other packages and other versions: nothing is missed, nothing breaks."""
    rows = [
        JournalRow(1, T0, "CallStarted", "c1", {"from_number": "", "to_number": "3000"}),
        JournalRow(2, T0, "LegStarted", "c1", {}),
        JournalRow(3, T0, "ItemQueued", "c1", {"queue": "sales", "score": 12.5, "attributes": {"vip": 1, "x": ""}}),
        JournalRow(4, T0, "ItemWaits", "c1", {"queue": "sales", "fitting": [1, 2]}),
        JournalRow(5, T0 + 1, "ItemReserved", "c1", {"agent": "ann", "waited_s": 1.0, "why": "longest idle of 2"}),
        JournalRow(5, T0 + 1, "ItemReserved", "c1", {
            "agent": "bob", "waited_s": 1.0, "why": "longest idle of 2",  # as the first versions wrote it
            "decision": ["longest idle", "asia >= 5", 0, 9, 6, 2, [["bob", None, 84.0], ["cy", None, 12.5]], ""],
        }),
        JournalRow(5, T0 + 1, "ItemWaits", "c1", {
            "queue": "sales", "fitting": ["asia >= 5", 0, 4, 3, 2, 0, [["bob", "BUSY"]]],
        }),
        JournalRow(6, T0 + 2, "ItemKept", "c1", {"waited_s": 2.0, "until": T0 + 62}),
        JournalRow(7, T0 + 3, "ItemResumed", "c1", {"by": "c2"}),
        JournalRow(8, T0 + 4, "PriorityChanged", "c1", {"priority": None}),
        JournalRow(9, T0 + 5, "CallRevived", "c1", {}),
        JournalRow(10, T0 + 6, "CallTransferred", "c1", {"by": "103", "kind": "blind", "to": "queue asia"}),
        JournalRow(11, T0 + 7, "ItemPrefers", "c1", {"agent": "ann", "until": T0 + 37}),
        JournalRow(12, T0 + 8, "CallEnded", "c1", {"cause": "caller hung up"}),
    ]
    found = explain("c1", rows)
    assert texts(found.moments) == [
        "the call came: no number to 3000", "came to queue sales", "nobody takes it now", "offered to ann after 1 s",
        "offered to bob after 1 s",
        "nobody is free: 4 agents could take it, 1 logged out, 1 not ready, 2 at work or without a free phone",
        "the caller is gone after 2 s; the place is kept", "the caller is back, and has the place again: call c2",
        "a supervisor changed its priority: its queue's again", "the server was started again; the call goes on",
        "103 transferred it (blind) to queue asia", "it waits for ann, up to 30 s", "the call ended: caller hung up",
    ]  # fmt: skip
    assert found.moments[1].details == ("known of it: vip 1", "score 12.5 before age")
    assert found.view()["moments"][-1]["after_s"] == 8.0 and found.outcome == "the call ended: caller hung up"
    assert explain("c1", [rows[0], rows[-1]]).moments == []
    assert explain("c1", []).view() == {"call_id": "c1", "outcome": "", "moments": []}


async def test_a_callback_with_its_attempts(stage: Stage) -> None:
    """Of the callback all of it; of one attempt, what became of the callback besides."""
    scene = stage({"ann": {}}, sales={"callback": {"retries": 1, "retry_after_s": 300}, "wrap_up_s": 0})
    scene.call("c1")
    scene.engine.ask_callback("callback-1", "sales", "+33612345678", {}, scene.now, place_of="c1")
    scene.ready("ann")
    scene.answer("callback-1-1")
    assert scene.engine.customer_dialled("callback-1-1", scene.now)
    scene.engine.customer_missed("callback-1-1", "busy", scene.now)
    scene.listen()
    scene.wait(300)
    scene.answer("callback-1-2")
    assert scene.engine.customer_dialled("callback-1-2", scene.now)
    assert scene.engine.customer_reached("callback-1-2", scene.now)
    scene.engine.complete("callback-1-2", scene.now)
    scene.listen()
    maker = RowMaker()
    rows = [maker.read(number, event) for number, event in enumerate(scene.events, 1)]

    async def events(call_id: str) -> list[JournalRow]:
        return [row for row in rows if row.call_id == call_id]

    whole = explain("callback-1", await story(events, "callback-1")).moments
    assert whole[0].text == "a callback to +33612345678 was asked for in queue sales"
    assert whole[0].details == ("to be called in its turn", "it has the place of call c1")
    said = texts(whole)
    for text in ("ann answered; the customer is called next", "the customer's phone is called, attempt 1",
                 "the customer was not reached: busy", "this attempt is over; callback-1 has its place",
                 "the customer's phone is called, attempt 2", "the customer answered"):  # fmt: skip
        assert text in said
    assert next(one for one in whole if one.kind == "missed").details == ("next attempt in 5 min",)
    closed = next(one for one in whole if one.kind == "closed")
    assert closed.text == "the callback is over: done" and closed.details == ("attempts: 2",)
    second = texts(explain("callback-1-2", await story(events, "callback-1-2")).moments)
    assert second[0] == said[0] and closed.text in second and "the customer's phone is called, attempt 1" not in second
    given_up = explain("c1", await story(events, "c1")).moments[-1]
    assert given_up.text == "left queue sales after 0 s to callback-1"
    assert given_up.details == ("the caller wants to be called, and keeps the place",)


@pytest.mark.parametrize(
    ("value", "says"),
    [(0, "0 s"), (0.25, "0.2 s"), (9.99, "10 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"),
     (3600, "1 h"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_seconds(value: float, says: str) -> None:
    assert seconds(value) == says
