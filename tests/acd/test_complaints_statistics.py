"""Complaints about the statistics of other systems (requirements, section 4), each as a scenario here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from acd.errors import AcdError
from acd.events import ItemCompleted
from acd.figures import AGENTS, CALLS
from acd.statistics_view import live
from tests.acd.conftest import FakeFloor, Scene


def of_queue(floor: Any, queue: str, now: float) -> dict[str, int]:
    return dict(zip(CALLS, floor.statistics.queues[queue]["call"].today(now), strict=True))


def of_agent(floor: Any, agent: str, now: float) -> dict[str, int]:
    floor.statistics.working(now)
    return dict(zip(AGENTS, floor.statistics.agents[agent].series.today(now), strict=True))


def test_asterisk_1736_a_completed_call_counts_once(stage: Callable[..., Scene]) -> None:
    """There, with agents in 2,000 queues, each queue's look at the same end of a call counted it again."""
    scene = stage({"ann": {}}, **{f"q{i}": {"wrap_up_s": 5} for i in range(40)})
    scene.ready("ann")
    for i in range(40):
        scene.call(f"c{i}", f"q{i}")
        scene.answer(f"c{i}")
        scene.wait(10)
        scene.engine.complete(f"c{i}", scene.now)
        with pytest.raises((AcdError, KeyError)):
            scene.engine.complete(f"c{i}", scene.now)
        scene.wait(5)
    floor = scene.engine.floor
    assert of_agent(floor, "ann", scene.now)["completed"] == of_agent(floor, "ann", scene.now)["answered"] == 40
    assert {of_queue(floor, f"q{i}", scene.now)["completed"] for i in range(40)} == {1}


def test_asterisk_1006_wrap_up_is_whole_whichever_queue_calls_next(stage: Callable[..., Scene]) -> None:
    """There, an agent of six queues was rung before his wrap-up was over."""
    scene = stage({"ann": {}}, **{f"q{i}": {"wrap_up_s": 30} for i in range(6)})
    scene.ready("ann")
    scene.call("first", "q0")
    scene.answer("first")
    scene.wait(60)
    scene.engine.complete("first", scene.now)
    for i in range(1, 6):
        scene.call(f"c{i}", f"q{i}")
    scene.wait(29.9)
    assert not any(scene.offered_to(f"c{i}") for i in range(1, 6))
    scene.wait(0.2)
    assert scene.offered_to("c1") == "ann"
    assert of_queue(scene.engine.floor, "q0", scene.now)["wrap_up_ms"] == 30_000


def test_asterisk_607_759_attended_transfer_into_a_queue(floor: Callable[..., FakeFloor]) -> None:
    """There, both agents lost their wrap-up and the transfer was not written down. Ann (queue1, 10 s of notes) consults
    queue2 (50 s), where bob answers, and gives her caller to him."""
    site = floor(
        {"ann": {"skills": {"one": 1}}, "bob": {"skills": {"two": 1}}},
        queue1={"needs": "one", "wrap_up_s": 10}, queue2={"needs": "two", "wrap_up_s": 50},
    )  # fmt: skip
    site.agents("ann", "bob")
    caller = site.call("caller", "queue1")
    caller.phone_answers()
    site.clock.run(30)
    consultation = site.call("consultation", "queue2")
    consultation.phone_answers()
    site.clock.run(20)
    caller.over(caller.attempts[-1])  # ann is out; her caller goes on in the consultation
    site.desk.on_taken(cast(Any, caller), "queue queue2")
    assert (site.state("ann")[0], site.state("bob")[0]) == ("WRAP_UP", "BUSY")
    site.clock.run(10)
    assert (site.state("ann")[0], site.state("bob")[0]) == ("READY", "BUSY")
    site.clock.run(600)
    consultation.agent_hangs_up()
    site.clock.run(49)
    assert site.state("bob")[0] == "WRAP_UP"
    site.clock.run(1)
    assert site.state("bob")[0] == "READY"
    ends = [event for event in site.events if isinstance(event, ItemCompleted)]
    assert [(end.agent, end.by, end.to) for end in ends] == [
        ("ann", "transfer", "queue queue2"), ("bob", "agent", None),
    ]  # fmt: skip
    figures, now = site.desk._engine.floor, site.clock.now()
    assert of_queue(figures, "queue1", now)["transferred"] == 1
    assert of_queue(figures, "queue1", now)["wrap_up_ms"] == 10_000
    assert of_queue(figures, "queue2", now)["offered"] == of_queue(figures, "queue2", now)["answered"] == 1
    assert of_queue(figures, "queue2", now)["wrap_up_ms"] == 50_000


def test_freepbx_124_talk_after_a_transfer_is_not_the_agents(floor: Callable[..., FakeFloor]) -> None:
    """There, the agent had all the time that the parties talked on."""
    site = floor({"ann": {}, "bob": {}}, sales={"wrap_up_s": 0})
    site.agents("ann")
    call = site.call("c1")
    call.phone_answers()
    site.clock.run(90)
    call.over(call.attempts[-1])
    site.desk.on_taken(cast(Any, call), "extension x-bob")
    site.clock.run(1_200)
    call.close()
    figures, now = site.desk._engine.floor, site.clock.now()
    ann = of_agent(figures, "ann", now)
    assert (ann["talked_ms"], ann["busy_ms"], ann["transferred"]) == (90_000, 90_000, 1)
    assert of_agent(figures, "bob", now)["received"] == 1
    assert of_queue(figures, "sales", now)["talked_ms"] == 90_000


@pytest.mark.parametrize(("who", "by"), [("agent", "agent"), ("caller", "caller")])
def test_who_hung_up_is_told(floor: Callable[..., FakeFloor], who: str, by: str) -> None:
    site = floor({"ann": {}}, sales={"wrap_up_s": 0})
    site.agents("ann")
    call = site.call("c1")
    call.phone_answers()
    call.agent_hangs_up() if who == "agent" else call.caller_hangs_up()
    assert [event.by for event in site.events if isinstance(event, ItemCompleted)] == [by]


def test_freeswitch_pr_39_qpanel_113_figures_are_there_after_a_reload(
    floor: Callable[..., FakeFloor], make_site: Any
) -> None:
    """There, a reload set them to zero."""
    site = floor({"ann": {}}, sales={"wrap_up_s": 0})
    site.agents("ann")
    call = site.call("c1")
    call.phone_answers()
    call.agent_hangs_up()
    before = live(site.desk._engine.floor, "queue", site.clock.now())
    site.desk.reconfigure(make_site({"ann": {}, "cy": {}}, {"sales": {"wrap_up_s": 0}, "asia": {}}))
    after = live(site.desk._engine.floor, "queue", site.clock.now())
    today = [row["today"]["completed"] for rows in (before, after) for row in rows if row["name"] == "sales"]
    assert today == [1, 1]


# --- channels --------------------------------------------------------------------------------------------------------


def test_chats_have_figures_of_their_own_and_leave_the_phones_alone(stage: Callable[..., Scene]) -> None:
    scene = stage({"ann": {"channels": {"call": 1, "chat": 2}}}, sales={"wrap_up_s": 0, "ring_s": 60})
    engine = scene.engine
    scene.ready("ann")
    scene.call("call")
    scene.answer("call")
    scene.wait(60)
    engine.complete("call", scene.now)
    engine.enqueue_work("chat", "sales", "chat", {}, scene.now)
    engine.enqueue_work("lost", "sales", "chat", {}, scene.now)
    scene.wait(6)
    reservation = next(r.number for r in engine.floor.written.reservations.values() if r.item_id == "chat")
    engine.answer(reservation, scene.now)
    engine.abandon("lost", scene.now)
    scene.call("again")
    scene.answer("again")
    scene.wait(60)
    engine.complete("chat", scene.now)
    engine.complete("again", scene.now)
    scene.listen()
    channels = engine.floor.statistics.queues["sales"]
    found = {channel: dict(zip(CALLS, series.today(scene.now), strict=True)) for channel, series in channels.items()}
    assert (found["chat"]["offered"], found["chat"]["answered"], found["chat"]["abandoned"]) == (2, 1, 1)
    assert found["chat"]["talked_ms"] == 60_000 and found["call"]["talked_ms"] == 120_000
    ann = of_agent(engine.floor, "ann", scene.now)
    assert (ann["offers"], ann["answered"], ann["completed"], ann["talked_ms"]) == (2, 2, 2, 120_000)
    measured = engine.floor.measured
    assert measured.written == set() and measured.work == {}
    assert measured.queues["sales"].work_per_call_s == pytest.approx(60) and measured.queues["sales"].serving == 0
