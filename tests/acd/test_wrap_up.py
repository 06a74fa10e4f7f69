"""After the call: the time for notes, dispositions, extensions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acd.errors import AgentCommandError, DispositionNeeded, UnknownDisposition, WrapUpTooLong
from acd.events import WorkNoted, WrapUpExtended
from tests.acd.conftest import T0, Scene

Stage = Callable[..., Scene]
SOLD = {"sales": {"wrap_up_s": 30, "dispositions": ["sold", "no sale"]}}
NEEDED = {"sales": {"wrap_up_s": 30, "dispositions": ["sold", "no sale"], "disposition_needed": True}}


def talked(scene: Scene, item: str = "c1") -> Scene:
    scene.ready("ann")
    scene.call(item)
    scene.answer(item)
    return scene


def over(scene: Scene, item: str = "c1") -> Scene:
    scene.engine.complete(item, scene.now)
    scene.listen()
    return scene


def noted(scene: Scene) -> list[str]:
    return [event.disposition for event in scene.said(WorkNoted) if isinstance(event, WorkNoted)]


def test_an_agents_own_time_stands_over_the_queues(stage: Stage) -> None:
    scene = over(talked(stage({"ann": {"wrap_up_s": 5}}, **SOLD)))
    scene.wait(4.9)
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.wait(0.2)
    assert scene.state("ann")[0] == "READY"


def test_an_agent_without_wrap_up_goes_on_at_once(stage: Stage) -> None:
    assert over(talked(stage({"ann": {"wrap_up_s": 0}}, **SOLD))).state("ann")[0] == "READY"


def test_a_disposition_given_early_is_kept_and_changed_while_it_lasts(stage: Stage) -> None:
    scene = talked(stage(**SOLD))
    scene.engine.note("ann", "sold", scene.now)
    over(scene)
    scene.engine.note("ann", "sold", scene.now)  # the same again is nothing new
    scene.engine.note("ann", "no sale", scene.now)
    scene.listen()
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.engine.wrap_up_done("ann", scene.now)
    scene.listen()
    assert noted(scene) == ["sold", "no sale"]
    assert scene.state("ann")[0] == "READY"
    with pytest.raises(AgentCommandError, match="a disposition makes no sense while ann is READY"):
        scene.engine.note("ann", "sold", scene.now)


def test_a_disposition_comes_with_the_end(stage: Stage) -> None:
    scene = over(talked(stage(**NEEDED)))
    scene.engine.wrap_up_done("ann", scene.now, "sold")
    scene.listen()
    assert (noted(scene), scene.state("ann")[0]) == (["sold"], "READY")


def test_only_words_of_the_list_are_dispositions(stage: Stage) -> None:
    scene = over(talked(stage(**NEEDED)))
    with pytest.raises(UnknownDisposition, match="no disposition 'maybe', expected one of: sold, no sale"):
        scene.engine.wrap_up_done("ann", scene.now, "maybe")
    scene.listen()
    assert (noted(scene), scene.state("ann")[0]) == ([], "WRAP_UP")


def test_a_queue_without_a_list_has_none(stage: Stage) -> None:
    scene = talked(stage())
    with pytest.raises(UnknownDisposition, match="queue sales has none"):
        scene.engine.note("ann", "sold", scene.now)


@pytest.mark.parametrize("command", ["ready", "logout", "wrap_up_done", "not_ready"])
def test_a_needed_disposition_keeps_the_agent(stage: Stage, command: str) -> None:
    scene = over(talked(stage(**NEEDED)))
    more = ["lunch"] if command == "not_ready" else []
    with pytest.raises(DispositionNeeded) as refused:
        getattr(scene.engine, command)("ann", *more, scene.now)
    assert refused.value.allowed == ("sold", "no sale")
    scene.wait(10_000)  # its time is up, and still
    assert scene.state("ann")[0] == "WRAP_UP"
    getattr(scene.engine, command)("ann", *more, scene.now, by="boss")  # a supervisor may
    scene.listen()
    assert scene.state("ann")[0] != "WRAP_UP"


def test_a_needed_disposition_given_late_ends_it(stage: Stage) -> None:
    scene = over(talked(stage(**NEEDED)))
    scene.wait(31)
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.engine.note("ann", "no sale", scene.now)
    scene.listen()
    assert scene.state("ann")[0] == "READY"


def test_a_needed_disposition_makes_a_wrap_up_where_there_is_none(stage: Stage) -> None:
    queue = {"sales": NEEDED["sales"] | {"wrap_up_s": 0}}
    scene = over(talked(stage(**queue)))
    assert scene.state("ann")[0] == "WRAP_UP"
    early = talked(stage(**queue))
    early.engine.note("ann", "sold", early.now)
    assert over(early).state("ann")[0] == "READY"


def test_wrap_up_is_extended_up_to_the_sites_limit(stage: Stage) -> None:
    scene = over(talked(stage(**SOLD)))
    scene.engine.extend_wrap_up("ann", 60, scene.now)
    scene.listen()
    assert [event.until for event in scene.said(WrapUpExtended) if isinstance(event, WrapUpExtended)] == [T0 + 90]
    scene.wait(89)
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.engine.extend_wrap_up("ann", 100_000, scene.now)
    with pytest.raises(WrapUpTooLong, match="may last 600 s at most"):
        scene.engine.extend_wrap_up("ann", 1, scene.now)
    scene.wait(510)
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.wait(2)
    assert scene.state("ann")[0] == "READY"


def test_only_a_wrap_up_is_extended(stage: Stage) -> None:
    with pytest.raises(AgentCommandError, match="while ann is BUSY"):
        talked(scene := stage(**SOLD)).engine.extend_wrap_up("ann", 60, scene.now)
