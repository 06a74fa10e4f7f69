"""Statistics: each figure by an example, then random histories against a count by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acd import statistics as statistics_module
from acd import statistics_view
from acd.events import AgentInterval, CallsInterval
from acd.figures import AGENTS, CALLS, DAY_S, INTERVAL_S
from acd.reservation import Outcome
from tests.acd.conftest import T0, Scene

Stage = Callable[..., Scene]
SALES = {"ring_s": 10, "wrap_up_s": 30, "service_level": {"within_s": 20, "short_abandon_s": 5}}


def of_queue(scene: Scene, queue: str = "sales", channel: str = "call") -> dict[str, int]:
    """What is not zero, today."""
    row = scene.engine.floor.statistics.queues[queue][channel].today(scene.now)
    return {name: n for name, n in zip(CALLS, row, strict=True) if n}


def of_agent(scene: Scene, name: str) -> dict[str, int]:
    scene.engine.floor.statistics.at = scene.now
    row = scene.engine.floor.statistics._agent(name).series.today(scene.now)
    return {name: n for name, n in zip(AGENTS, row, strict=True) if n}


def talk(scene: Scene, item: str, seconds: float, queue: str = "sales") -> None:
    """The call is there, an agent too."""
    scene.answer(item)
    scene.wait(seconds)
    scene.engine.complete(item, scene.now)
    scene.listen()


def test_a_call_answered_in_time(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.wait(50)
    scene.call("c1")
    scene.wait(4)
    talk(scene, "c1", 60)
    scene.wait(30)
    assert of_queue(scene) == {
        "offered": 1, "answered": 1, "answered_in_time": 1, "completed": 1, "offers": 1, "waited_ms": 4_000,
        "longest_ms": 4_000, "talked_ms": 60_000, "wrap_up_ms": 30_000,
    }  # fmt: skip
    assert of_agent(scene, "ann") == {
        "offers": 1, "answered": 1, "completed": 1, "talked_ms": 60_000, "ready_ms": 50_000, "reserved_ms": 4_000,
        "busy_ms": 60_000, "wrap_up_ms": 30_000,
    }  # fmt: skip
    assert scene.engine.floor.statistics.service_level("sales", scene.now) == 1.0


def test_both_service_levels_and_the_abandon_rule(stage: Stage) -> None:
    """One in time, one too late, one hung up, one hung up before 5 s, one sent on, one who still waits too long."""
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.call("c1")
    talk(scene, "c1", 40)  # in time; then 30 s of notes
    scene.call("c2")
    scene.call("c3")
    scene.call("c4")
    scene.wait(4)
    scene.engine.abandon("c3", scene.now)  # short
    scene.wait(8)
    scene.engine.abandon("c4", scene.now)
    scene.wait(18)
    talk(scene, "c2", 10)  # after 30 s
    scene.call("c5")
    scene.engine.withdraw("c5", "extension 9", scene.now)
    scene.call("c6")
    scene.listen()
    statistics = scene.engine.floor.statistics
    assert statistics.service_level("sales", scene.now) == 1 / 4  # c1 of c1, c2, c4, c5
    assert statistics.abandoned("sales", scene.now) == 1 / 4  # c4 of these
    scene.wait(21)
    assert statistics.service_level("sales", scene.now) == 1 / 5  # c6 waits too long already
    figures = of_queue(scene)
    assert (figures["answered_in_time"], figures["answered"]) == (1, 2)
    assert (figures["abandoned"], figures["abandoned_short"], figures["overflowed"]) == (2, 1, 1)
    assert statistics.service_level("sales", scene.now + 3 * INTERVAL_S) == 0.0  # long after: c6 alone


def test_who_finds_the_queue_closed_asked_it_for_nothing(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.engine.enqueue("c1", "sales", {}, scene.now, is_open=False)
    scene.engine.set_emergency("sales", True, scene.now)
    scene.call("c2")
    assert of_queue(scene) == {"offered": 2, "turned_away": 2}
    assert scene.engine.floor.statistics.service_level("sales", scene.now) is None


def test_a_kept_place_waits_no_longer_and_counts_once(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES | {"resume_s": 60})
    scene.engine.enqueue("c1", "sales", {}, scene.now, caller="+33612345678")
    scene.wait(30)
    scene.engine.abandon("c1", scene.now)
    assert scene.engine.floor.statistics.service_level("sales", scene.now) is None  # neither lost nor waiting
    scene.wait(10)
    scene.engine.enqueue("c2", "sales", {}, scene.now, caller="+33612345678")
    scene.listen()
    assert of_queue(scene) == {"offered": 2, "resumed": 1}
    scene.wait(30)
    scene.engine.abandon("c2", scene.now)
    scene.wait(61)
    assert of_queue(scene) == {
        "offered": 2, "resumed": 1, "abandoned": 1, "abandon_waited_ms": 30_000, "longest_ms": 30_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "queue", "agent"),
    [
        (Outcome.NO_ANSWER, "missed", "no_answer"), (Outcome.REJECTED, "missed", "rejected"),
        (Outcome.BUSY, "missed", "busy"), (Outcome.UNREGISTERED, "unreachable", "unreachable"),
        (Outcome.FAILED, "unreachable", "unreachable"),
    ],
)  # fmt: skip
def test_offers_that_were_not_taken(stage: Stage, outcome: Outcome, queue: str, agent: str) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.call("c1")
    scene.fail("c1", outcome)
    assert of_queue(scene)[queue] == 1
    assert of_agent(scene, "ann")[agent] == 1


def test_a_quarter_that_is_over_is_at_work_until_it_was_told(stage: Stage) -> None:
    """Whoever asks in the moment between finds its calls nowhere else."""
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.call("c1")
    statistics = scene.engine.floor.statistics
    start = scene.now // 900 * 900

    def offers(now: float) -> set[tuple[str, float]]:
        return {(type(one).__name__, one.start) for one in statistics.working(now) if one.figures[0]}

    over = {("CallsInterval", start), ("AgentInterval", start)}
    assert offers(scene.now) == offers(start + 901) == over
    while statistics.close(start + 902):
        assert offers(start + 902) == over
    assert offers(start + 902) == over
    assert {(type(one).__name__, one.start) for one in statistics.take() if one.figures[0]} == over
    assert offers(start + 902) == set()


def test_offers_that_others_ended_are_not_missed(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.call("c1")
    scene.engine.abandon("c1", scene.now)
    scene.call("c2")
    scene.engine.withdraw("c2", None, scene.now)
    scene.listen()
    assert of_agent(scene, "ann") == {"offers": 2}
    assert not {"missed", "unreachable"} & of_queue(scene).keys()


def test_skills_count_the_calls_that_ask_for_them(stage: Stage) -> None:
    scene = stage(
        {"ann": {"skills": {"asia": 9, "french": 5}}},
        asia={"needs": "asia >= 5 and (french or english >= 7)", "wrap_up_s": 0},
        other={"needs": "french", "wrap_up_s": 0},
    )
    scene.ready("ann")
    scene.call("c1", "asia")
    talk(scene, "c1", 10)
    scene.call("c2", "other")
    talk(scene, "c2", 5)
    talked = {
        name: dict(zip(CALLS, by["call"].today(scene.now), strict=True))["talked_ms"]
        for name, by in scene.engine.floor.statistics.of("skill").items()
    }
    assert talked == {"asia": 10_000, "french": 15_000, "english": 10_000}


def test_calls_count_for_the_trunk_and_the_partner_that_brought_them(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    for number, (trunk, partner) in enumerate([("carrier", "blog"), ("carrier", None), ("branch", "blog")]):
        known = {name: value for name, value in (("trunk", trunk), ("partner", partner)) if value is not None}
        scene.call(f"c{number}", **known)
    talk(scene, "c0", 10)
    scene.engine.abandon("c1", scene.now)
    scene.listen()
    statistics = scene.engine.floor.statistics
    found = {
        (group, name): {column: n for column, n in zip(CALLS, by["call"].today(scene.now), strict=True) if n}
        for group in ("trunk", "partner")
        for name, by in statistics.of(group).items()
    }
    offered = {key: (row["offered"], row.get("answered", 0), row.get("abandoned", 0)) for key, row in found.items()}
    assert offered == {
        ("trunk", "carrier"): (2, 1, 1), ("trunk", "branch"): (1, 0, 0), ("partner", "blog"): (2, 1, 0),
    }  # fmt: skip
    assert found["partner", "blog"]["talked_ms"] == 10_000
    told = {(one.kind, one.name) for one in statistics.working(scene.now) if isinstance(one, CallsInterval)}
    assert {("trunk", "carrier"), ("trunk", "branch"), ("partner", "blog")} < told


def test_partners_without_number_are_counted_as_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names come from outside."""
    monkeypatch.setattr(statistics_module, "MOST_NAMES", 3)
    scene = stage({"ann": {}}, sales=SALES)
    for number in range(10):
        scene.call(f"c{number}", partner=f"p{number % 5}")
    offered = {
        name: by["call"].today(scene.now)[0] for name, by in scene.engine.floor.statistics.of("partner").items()
    }
    assert offered == {"p0": 2, "p1": 2, "p2": 2, "other": 4}


def test_pauses_by_reason_bounded(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    for i in range(40):
        scene.engine.not_ready("ann", f"reason {i}", scene.now)
        scene.wait(1)
    scene.engine.ready("ann", scene.now)
    scene.listen()
    reasons = scene.engine.floor.statistics.agents["ann"].reasons_today
    assert len(reasons) == 33 and reasons["reason 3"] == 1_000 and reasons["other"] == 8_000
    assert of_agent(scene, "ann")["not_ready_ms"] == 40_000


# --- dispositions ----------------------------------------------------------------------------------------------------

NOTED = SALES | {"dispositions": ["sold", "lost"]}


def noted(scene: Scene, by: str = "queue") -> dict[str, dict[str, int]]:
    return {row["name"]: row["dispositions"] for row in statistics_view.live(scene.engine.floor, by, scene.now)}


def test_a_changed_disposition_counts_once_also_from_talk_to_notes(stage: Stage) -> None:
    scene = stage({"ann": {"skills": {"asia": 5}}, "bob": {}}, sales=NOTED | {"needs": "asia"}, asia=NOTED)
    scene.ready("ann")
    assert noted(scene) == {"sales": {}, "asia": {}} and noted(scene, "agent") == {"ann": {}, "bob": {}}
    scene.call("c1", partner="shop")
    scene.answer("c1")
    scene.engine.note("ann", "lost", scene.now)
    assert noted(scene) == {"sales": {"lost": 1}, "asia": {}}, "while they talk"
    scene.wait(1_000)
    scene.engine.complete("c1", scene.now)
    scene.engine.note("ann", "sold", scene.now)
    scene.engine.note("ann", "sold", scene.now)
    scene.listen()
    assert noted(scene) == {"sales": {"sold": 1}, "asia": {}}
    assert noted(scene, "agent") == {"ann": {"sold": 1}, "bob": {}}
    assert noted(scene, "skill") == {"asia": {"sold": 1}} and noted(scene, "partner") == {"shop": {"sold": 1}}
    scene.wait(INTERVAL_S)
    scene.engine.close_intervals(scene.now)
    scene.listen()
    ended = [one for one in scene.said(CallsInterval) if isinstance(one, CallsInterval) and one.kind == "queue"]
    assert [one.dispositions for one in ended if one.dispositions] == [{"lost": 1}, {"lost": -1, "sold": 1}]
    assert sum(one.dispositions != {} for one in scene.said(AgentInterval) if isinstance(one, AgentInterval)) == 2


def test_who_gives_a_call_on_notes_it_for_the_queue_he_had_it_from(stage: Stage) -> None:
    scene = stage({"ann": {}, "bob": {}}, sales=NOTED, asia=NOTED)
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now, "transfer", "queue asia")
    scene.engine.enqueue("c1", "asia", {}, scene.now)
    scene.ready("bob")
    scene.listen()
    scene.answer("c1")
    scene.engine.note("ann", "lost", scene.now)
    scene.engine.note("bob", "sold", scene.now)
    assert noted(scene) == {"sales": {"lost": 1}, "asia": {"sold": 1}}
    assert noted(scene, "agent") == {"ann": {"lost": 1}, "bob": {"sold": 1}}


# --- transfers -------------------------------------------------------------------------------------------------------


def test_a_transferred_call_ends_for_its_agent_and_counts_for_who_has_it_then(stage: Stage) -> None:
    scene = stage({"ann": {}, "bob": {}}, sales=SALES, asia=SALES)
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.wait(50)
    scene.engine.complete("c1", scene.now, "transfer", "queue asia")
    scene.call("c1", "asia")
    scene.wait(30)
    talk(scene, "c1", 3_600)
    assert of_queue(scene) | {"wrap_up_ms": 0} == {
        "offered": 1, "answered": 1, "answered_in_time": 1, "completed": 1, "offers": 1, "transferred": 1,
        "talked_ms": 50_000, "wrap_up_ms": 0,
    }  # fmt: skip
    assert of_queue(scene, "asia")["talked_ms"] == 3_600_000
    assert of_agent(scene, "ann")["transferred"] == 1
    scene.ready("bob")
    scene.wait(31)
    scene.call("c2")
    scene.answer("c2")
    scene.engine.complete("c2", scene.now, "transfer", "extension x-ann")
    scene.listen()
    assert of_agent(scene, "ann")["received"] == 1


# --- intervals -------------------------------------------------------------------------------------------------------


def test_intervals_are_told_when_they_are_over(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.now = T0 - T0 % INTERVAL_S + INTERVAL_S - 30
    scene.call("c1")
    scene.answer("c1")
    scene.wait(120)  # over the boundary
    scene.engine.complete("c1", scene.now)
    scene.listen()
    start = int(scene.now // INTERVAL_S - 1) * INTERVAL_S
    calls = [event for event in scene.events if isinstance(event, CallsInterval)]
    agents = [event for event in scene.events if isinstance(event, AgentInterval)]
    assert [(event.name, event.start) for event in calls] == [("sales", start)]
    assert dict(zip(CALLS, calls[0].figures, strict=True))["answered"] == 1
    assert dict(zip(CALLS, calls[0].figures, strict=True))["completed"] == 0
    busy = [dict(zip(AGENTS, event.figures, strict=True))["busy_ms"] for event in agents if event.start == start]
    assert busy == [30_000]


def test_intervals_are_closed_in_pieces_while_nothing_happens(stage: Stage) -> None:
    scene = stage({f"a{i}": {} for i in range(50)}, sales=SALES)
    scene.ready(*(f"a{i}" for i in range(50)))
    statistics = scene.engine.floor.statistics
    now = T0 - T0 % INTERVAL_S + INTERVAL_S + 1
    assert statistics.close(now, at_most=20)
    assert len(statistics.take()) == 20
    assert statistics.close(now, at_most=20)
    assert not statistics.close(now, at_most=20)
    ended = statistics.take()
    assert len(ended) == 30 and all(isinstance(event, AgentInterval) for event in ended)
    assert not statistics.close(now + 5) and statistics.take() == []
    assert statistics.close(now + INTERVAL_S, at_most=20)


def test_who_is_gone_for_a_day_is_forgotten(stage: Stage) -> None:
    scene = stage({"ann": {}, "bob": {}}, sales=SALES)
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.engine.abandon("c1", scene.now)
    scene.engine.logout("ann", scene.now)
    scene.now += 2 * DAY_S
    scene.engine.close_intervals(scene.now)
    scene.listen()
    statistics = scene.engine.floor.statistics
    assert set(statistics.agents) == {"bob"} and statistics.queues == {}
    scene.engine.close_intervals(scene.now + INTERVAL_S)
    assert set(statistics.agents) == {"bob"}


def test_a_state_that_nobody_watched_is_not_counted(stage: Stage) -> None:
    """The server was away for a month: no month of work, and no month of rows."""
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    scene.engine.not_ready("ann", "lunch", T0 + 30 * DAY_S)
    scene.listen()
    ended = [event for event in scene.events if isinstance(event, AgentInterval)]
    assert len(ended) <= DAY_S // INTERVAL_S + 1
    assert sum(dict(zip(AGENTS, event.figures, strict=True))["ready_ms"] for event in ended) <= DAY_S * 1000


def test_nothing_piles_up(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales=SALES)
    scene.ready("ann")
    statistics = scene.engine.floor.statistics
    for i in range(300):
        scene.call(f"c{i}")
        if i % 3:
            scene.answer(f"c{i}")
            scene.wait(400)
            scene.engine.complete(f"c{i}", scene.now)
        else:
            scene.engine.abandon(f"c{i}", scene.now)
        scene.wait(60)
    assert statistics.items == {} and statistics.waiting == {} and statistics.closed == []
    assert len(statistics.queues["sales"]["call"].slices) <= 60
    assert len(statistics.agents["ann"].series.slices) <= 4
    assert scene.engine.floor.measured.work == {}
