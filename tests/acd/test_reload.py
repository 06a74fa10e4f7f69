"""A changed site is a diff: states, places and counters stay. (Callers are followed in `test_desk`.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.commands import OfferItem, OverflowItem, WithdrawOffer
from acd.errors import QueueNeedsError
from config.schema import Site

Stage = Callable[..., Any]
MakeSite = Callable[..., Site]
PEOPLE: dict[str, dict[str, Any]] = {"ann": {}, "bob": {}, "cy": {}}


def reload(scene: Any, site: Site) -> list[Any]:
    scene.engine.reconfigure(site, scene.now)
    commands: list[Any] = scene.listen()
    return commands


def test_nothing_changed_nothing_happens(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={"ring_s": 10, "max_wait_s": 50})
    scene.ready("ann", "bob")
    scene.engine.not_ready("bob", "lunch", scene.now)
    for item in ("c1", "c2", "c3"):
        scene.call(item)
    before = len(scene.events)
    assert reload(scene, make_site(PEOPLE, {"sales": {"ring_s": 10, "max_wait_s": 50}})) == []
    assert len(scene.events) == before
    assert scene.state("bob") == ("NOT_READY", "lunch")
    assert [item.id for item in scene.engine.floor.lines] == ["c2", "c3"]
    assert scene.engine.floor.queues["sales"].offered == 3


def test_a_mistake_changes_nothing(stage: Stage, make_site: MakeSite) -> None:
    scene = stage()
    with pytest.raises(QueueNeedsError, match="queue new: needs: column 6: expected") as caught:
        reload(scene, make_site({"bob": {}}, {"sales": {}, "new": {"needs": "asia !"}}))
    assert caught.value.queue == "new" and caught.value.cause.column == 6
    assert set(scene.engine.floor.roster.agents) == set(PEOPLE)
    assert set(scene.engine.floor.queues) == {"sales"}


def test_new_skills_match_at_once(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={"needs": "asia"})
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.call("c2")
    commands = reload(scene, make_site({**PEOPLE, "bob": {"skills": {"asia": 1}}}, {"sales": {"needs": "asia"}}))
    assert [command.agent for command in commands] == ["bob"]
    assert scene.offered_to("c1") == "bob"
    commands = reload(scene, make_site(PEOPLE, {"sales": {}}))
    assert [(c.item_id, c.agent) for c in commands] == [("c2", "ann")]


def test_new_weights_reorder(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={})
    scene.call("c1", basket=5)
    scene.call("c2", basket=500)
    reload(scene, make_site(PEOPLE, {"sales": {"value_weight": 1}}))
    scene.ready("ann")
    assert scene.offered_to("c2") == "ann"


def test_new_limits(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={})
    scene.call("c1")
    scene.wait(10)
    scene.call("c2")
    reload(scene, make_site(PEOPLE, {"sales": {"max_wait_s": 5, "overflow": "extension 9"}}))
    assert [(scene.now, c.item_id) for c in scene.wait(0) if isinstance(c, OverflowItem)] == [(1010.0, "c1")]
    assert len(scene.wait(5)) == 1
    scene.call("c3")
    reload(scene, make_site(PEOPLE, {"sales": {}}))
    assert scene.wait(1000) == []


def test_removed_agents(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={"wrap_up_s": 9, "ring_s": 10})
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.call("c2")
    scene.answer("c1")
    commands = reload(scene, make_site({"cy": {}}, {"sales": {"wrap_up_s": 9, "ring_s": 10}}))
    assert commands == [WithdrawOffer("c2", "bob", 2, "withdrawn")]
    assert set(scene.engine.floor.roster.agents) == {"ann", "cy"}
    assert scene.state("ann")[0] == "BUSY"
    scene.ready("cy")
    assert scene.offered_to("c2") == "cy"
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.engine.ready("ann", scene.now)  # there is nothing to be ready for
    scene.listen()
    assert set(scene.engine.floor.roster.agents) == {"cy"}
    last = [event for event in scene.events if getattr(event, "agent", None) == "ann"][-1]
    assert (last.state, last.reason) == ("LOGGED_OUT", "removed")


def test_removed_and_back_within_one_call(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={"wrap_up_s": 0})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    reload(scene, make_site({"bob": {}}, {"sales": {"wrap_up_s": 0}}))
    reload(scene, make_site(PEOPLE, {"sales": {"wrap_up_s": 0}}))
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.state("ann") == ("READY", None)


def test_slots_are_used_again_without_confusion(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={"needs": "asia"})
    scene.call("c1")
    reload(scene, make_site({"dan": {}, "eve": {"skills": {"asia": 3}}}, {"sales": {"needs": "asia"}}))
    people = {"fay": {}, "eve": {"skills": {"asia": 3}}, "guy": {}, "hal": {}}
    reload(scene, make_site(people, {"sales": {"needs": "asia"}}))
    scene.ready("fay", "guy", "hal")
    assert scene.offered_to("c1") is None
    scene.ready("eve")
    assert scene.offered_to("c1") == "eve"
    assert len({agent.slot for agent in scene.engine.floor.roster.agents.values()}) == 4


def test_another_phone(stage: Stage, make_site: MakeSite) -> None:
    scene = stage()
    scene.ready("ann")
    reload(scene, make_site({**PEOPLE, "ann": {"extension": "7"}}, {"sales": {}}))
    assert scene.state("ann") == ("READY", "unregistered")
    scene.call("c1")
    scene.engine.phone_registered("7", True, scene.now)
    assert scene.listen() == [OfferItem("c1", "ann", "sales", 1, 20.0)]


def test_removed_queue_serves_who_is_in_it(stage: Stage, make_site: MakeSite) -> None:
    scene = stage(sales={}, old={"needs": "asia", "max_wait_s": 60, "overflow": "queue sales"})
    scene.call("c1", "old")
    reload(scene, make_site({**PEOPLE, "ann": {"skills": {"asia": 2}}}, {"sales": {}}))
    assert scene.engine.floor.queues["old"].closed
    scene.ready("ann")
    assert scene.offered_to("c1") == "ann"
    reload(scene, make_site(PEOPLE, {"sales": {}, "old": {}}))
    assert not scene.engine.floor.queues["old"].closed
    assert scene.engine.floor.queues["old"].offered == 1


def test_a_phone_on_which_two_talk_after_a_reload_is_free_when_both_are_done(stage: Stage, make_site: MakeSite) -> None:
    """The second to end was not on it any more, and a third could have been rung there."""
    queues = {"sales": {"wrap_up_s": 0}}
    scene = stage({"ann": {"extension": "1"}, "bob": {"extension": "2"}}, **queues)
    scene.ready("ann", "bob")
    for item in ("c1", "c2"):
        scene.call(item)
        scene.answer(item)
    scene.engine.reconfigure(make_site({"ann": {"extension": "1"}, "bob": {"extension": "1"}}, queues), scene.now)
    scene.listen()
    phone = scene.engine.floor.roster.phones["1"]
    for item in ("c1", "c2"):
        assert phone.held_by is not None
        scene.engine.complete(item, scene.now)
        scene.listen()
    assert phone.held_by is None


def test_a_phone_that_rings_is_not_rung_for_another_who_gets_it(stage: Stage, make_site: MakeSite) -> None:
    """Both were rung, and after the reload both on one phone."""
    scene = stage({"ann": {"extension": "1"}, "bob": {"extension": "2"}})
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.call("c2")
    site = make_site({"ann": {"extension": "1"}, "bob": {"extension": "1"}}, {"sales": {"ring_s": 10, "wrap_up_s": 30}})
    scene.engine.reconfigure(site, scene.now)
    assert [type(command) for command in scene.listen()] == [WithdrawOffer]
    assert scene.offered_to("c1") == "ann" and scene.offered_to("c2") is None
    assert scene.state("bob") == ("READY", None)
