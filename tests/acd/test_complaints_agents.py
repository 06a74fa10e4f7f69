"""Complaints of users of other systems about agents (requirements section 4): what happens here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd import view
from acd.events import ItemReserved
from acd.reservation import Outcome
from tests.acd.conftest import MakeSite, Scene

Stage = Callable[..., Scene]


def rung(scene: Scene) -> int:
    return len(scene.said(ItemReserved))


def test_freepbx_40_an_agent_who_does_not_answer_is_not_rung_again_and_again(stage: Stage) -> None:
    scene = stage({"ann": {}})
    scene.ready("ann")
    scene.call("c1")
    scene.wait(600)
    assert rung(scene) == 1 and scene.state("ann") == ("NOT_READY", "no answer")


def test_mikopbx_1043_a_phone_that_cannot_be_reached_is_left_alone_for_longer_and_longer(stage: Stage) -> None:
    scene = stage({"ann": {}})
    scene.ready("ann")
    scene.call("c1")
    for _ in range(600):
        if scene.offered_to("c1"):
            scene.fail("c1", Outcome.FAILED)
        scene.wait(1)
    assert rung(scene) <= 14  # after 5, 10, 20, 40 s, then once a minute


def test_fusionpbx_2831_an_unregistered_phone_is_not_available(stage: Stage) -> None:
    scene = stage({"ann": {}})
    scene.ready("ann")
    scene.engine.phone_registered("x-ann", False, scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") is None
    assert next(view.agents(scene.engine.floor))["reason"] == "unregistered"


def test_asterisk_1006_wrap_up_is_kept_whichever_queue_the_next_call_is_in(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales={"wrap_up_s": 30}, other={"wrap_up_s": 0})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.call("c2", "other")
    scene.wait(29)
    assert scene.offered_to("c2") is None
    scene.wait(2)
    assert scene.offered_to("c2") == "ann"


def test_asterisk_1255_a_reload_logs_nobody_out_and_resets_nothing(stage: Stage, make_site: MakeSite) -> None:
    agents: dict[str, Any] = {"ann": {}, "bob": {}, "cy": {}}
    queues: dict[str, Any] = {"sales": {"wrap_up_s": 30, "dispositions": ["sold"]}, "asia": {"needs": "asia"}}
    scene = stage(agents, **queues)
    scene.ready("ann", "bob", "cy")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.note("ann", "sold", scene.now)
    scene.engine.complete("c1", scene.now)
    scene.engine.not_ready("bob", "lunch", scene.now)
    scene.engine.leave_queue("cy", "sales", scene.now)
    scene.engine.change_skills("cy", {"asia": 9}, scene.now, "boss")
    before = [{**one, "since": None} for one in view.agents(scene.engine.floor)]
    scene.engine.reconfigure(make_site(agents, queues), scene.now)
    scene.listen()
    assert [{**one, "since": None} for one in view.agents(scene.engine.floor)] == before
    assert scene.state("ann")[0] == "WRAP_UP" and scene.state("bob") == ("NOT_READY", "lunch")
    scene.call("c2", "asia")
    assert scene.offered_to("c2") == "cy"


def test_freeswitch_2540_1973_2529_an_agent_locked_in_a_call_that_is_gone_is_freed(stage: Stage) -> None:
    scene = stage({"ann": {}})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    for _ in range(12):
        scene.engine.watch(["c1"], [], scene.now)
        scene.wait(1)
    scene.listen()
    assert scene.state("ann")[0] == "WRAP_UP"


def test_opensips_2530_no_offer_lasts_for_ever(stage: Stage) -> None:
    scene = stage({"ann": {}}, sales={"ring_s": 15})
    scene.ready("ann")
    scene.call("c1")
    scene.wait(16)
    assert scene.offered_to("c1") is None and scene.state("ann")[0] == "NOT_READY"
