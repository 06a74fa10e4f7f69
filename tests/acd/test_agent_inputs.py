"""Commands of agents and their supervisors: reasons, RONA policies, seats, queues joined and left, levels changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import view
from acd.errors import (
    AgentCommandError,
    BadLevel,
    PhoneTaken,
    UnknownDisposition,
    UnknownQueue,
    UnknownReason,
    UnknownSkill,
)
from acd.events import AgentCommanded, AgentQueuesChanged, AgentSeated, AgentSkillsChanged
from acd.reservation import Outcome
from config.agents import Acd
from tests.acd.conftest import MakeSite, Scene

Stage = Callable[..., Scene]
TWO: dict[str, Any] = {"sales": {}, "asia": {}}


def ruled(make_site: MakeSite, agents: dict[str, Any] | None = None, **acd: Any) -> Scene:
    site = make_site(agents or {"ann": {}, "bob": {}}, {"sales": {"ring_s": 10, "wrap_up_s": 30}})
    return Scene(site.model_copy(update={"acd": Acd.model_validate(acd)}))


# --- reasons, supervisors ---


def test_only_the_sites_reasons(make_site: MakeSite) -> None:
    scene = ruled(make_site, not_ready_reasons=["lunch", "training"])
    scene.ready("ann")
    for wrong in ("sleep", "", " Lunch"):
        with pytest.raises(UnknownReason, match="expected one of: lunch, training"):
            scene.engine.not_ready("ann", wrong, scene.now)
    scene.engine.not_ready("ann", " lunch ", scene.now)
    scene.listen()
    assert scene.state("ann") == ("NOT_READY", "lunch")


def test_what_a_supervisor_does_is_told(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.engine.not_ready("ann", "meeting", scene.now, by="boss")
    scene.engine.ready("ann", scene.now, by="boss")
    scene.engine.logout("ann", scene.now, by="boss")
    scene.listen()
    assert [(e.command, e.by) for e in scene.said(AgentCommanded) if isinstance(e, AgentCommanded)] == [
        ("not_ready", "boss"), ("ready", "boss"), ("logout", "boss"),
    ]  # fmt: skip
    with pytest.raises(AgentCommandError):
        scene.engine.ready("ann", scene.now, by="boss")
    scene.listen()
    assert len(scene.said(AgentCommanded)) == 3, "what is refused was not done"


def test_whatever_a_supervisor_does_is_told_with_his_name(stage: Stage) -> None:
    scene = stage(sales={"dispositions": ["sold"], "wrap_up_s": 30})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.engine.note("ann", "sold", scene.now, by="boss")
    scene.engine.extend_wrap_up("ann", 20.0, scene.now, by="boss")
    scene.engine.leave_queue("ann", "sales", scene.now, by="boss")
    scene.engine.join_queue("ann", "sales", scene.now, by="boss")
    with pytest.raises(UnknownDisposition):
        scene.engine.note("ann", "gone", scene.now, by="boss")
    scene.listen()
    commands = ["note", "extend_wrap_up", "leave_queue", "join_queue"]
    assert scene.said(AgentCommanded) == [AgentCommanded(scene.now, "ann", one, "boss") for one in commands]
    assert [one.by for one in scene.said(AgentQueuesChanged) if isinstance(one, AgentQueuesChanged)] == ["boss"] * 2
    scene.engine.note("ann", "sold", scene.now)
    scene.listen()
    assert len(scene.said(AgentCommanded)) == 4, "himself"


# --- offers that were not taken ---


@pytest.mark.parametrize("outcome", ["no_answer", "rejected", "busy", "unregistered", "failed"])
@pytest.mark.parametrize("policy", ["not ready", "rest"])
def test_each_outcome_has_its_own_policy(make_site: MakeSite, outcome: str, policy: str) -> None:
    scene = ruled(make_site, not_answered={outcome: policy, "rest_s": 8, "rest_at_most_s": 20})
    scene.ready("ann")
    scene.call("c1")
    scene.fail("c1", Outcome(outcome))
    reason = outcome.replace("_", " ")
    if policy == "not ready":
        assert scene.state("ann") == ("NOT_READY", reason)
        return
    for rest in (8, 16, 20, 20):  # the same agent is not rung again and again
        assert scene.state("ann") == ("READY", reason)
        scene.wait(rest - 0.1)
        assert scene.offered_to("c1") is None
        scene.wait(0.2)
        assert scene.offered_to("c1") == "ann"
        scene.fail("c1", Outcome(outcome))


def test_a_phone_that_registers_anew_ends_no_rest_after_no_answer(make_site: MakeSite) -> None:
    scene = ruled(make_site, not_answered={"no_answer": "rest"})
    scene.ready("ann")
    scene.call("c1")
    scene.fail("c1", Outcome.NO_ANSWER)
    scene.engine.phone_registered("x-ann", True, scene.now)
    scene.listen()
    assert (scene.state("ann"), scene.offered_to("c1")) == (("READY", "no answer"), None)
    scene.engine.ready("ann", scene.now)  # he says that he is there
    scene.listen()
    assert scene.offered_to("c1") == "ann"


@pytest.mark.parametrize(("policy", "state"), [("not ready", "NOT_READY"), ("rest", "READY")])
def test_a_phone_that_unregisters_while_it_rings(make_site: MakeSite, policy: str, state: str) -> None:
    scene = ruled(make_site, not_answered={"unregistered": policy})
    scene.ready("ann")
    scene.call("c1")
    scene.engine.phone_registered("x-ann", False, scene.now)
    scene.listen()
    assert scene.state("ann") == (state, "unregistered")
    scene.engine.phone_registered("x-ann", True, scene.now)
    scene.listen()
    assert scene.offered_to("c1") == ("ann" if policy == "rest" else None)


# --- seats ---


def free_seats(make_site: MakeSite) -> Scene:
    agents = {"ann": {"code": "1"}, "bob": {"code": "2"}, "cy": {"extension": "103", "code": "3"}}
    sites = {name: {"extension": None, **agent} for name, agent in agents.items()}
    return Scene(make_site(sites, {"sales": {"ring_s": 10, "wrap_up_s": 0}}))


def seen(scene: Scene, name: str) -> dict[str, object]:
    return next(agent for agent in view.agents(scene.engine.floor) if agent["name"] == name)


def test_an_agent_without_a_phone_can_log_in_but_gets_nothing(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    scene.engine.login("ann", scene.now)
    scene.engine.ready("ann", scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") is None
    found = seen(scene, "ann")
    assert (found["phone"], found["available"], found["reason"]) == (None, False, "no phone")


def test_the_phone_of_an_agent_is_where_he_logged_in(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    scene.engine.phone_registered("201", True, scene.now)
    scene.engine.login("ann", scene.now, phone="201")
    scene.engine.ready("ann", scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") == "ann" and seen(scene, "ann")["phone"] == "201"
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.engine.logout("ann", scene.now)
    scene.listen()
    assert seen(scene, "ann")["phone"] is None
    assert [(e.agent, e.phone) for e in scene.said(AgentSeated) if isinstance(e, AgentSeated)] == [
        ("ann", "201"), ("ann", None),
    ]  # fmt: skip
    scene.call("c2")
    assert scene.offered_to("c2") is None


def test_who_has_a_phone_is_at_another_until_he_logs_out(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    for extension in ("103", "201"):
        scene.engine.phone_registered(extension, True, scene.now)
    scene.engine.login("cy", scene.now, phone="201")
    scene.engine.ready("cy", scene.now)
    scene.engine.phone_registered("103", False, scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") == "cy"
    scene.engine.abandon("c1", scene.now)
    scene.engine.logout("cy", scene.now)
    assert seen(scene, "cy")["phone"] == "103"
    scene.engine.login("cy", scene.now, phone="103")  # his own is no other seat
    scene.listen()
    assert scene.engine.floor.roster.agent("cy").seat is None


def test_one_agent_at_a_phone(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    scene.engine.login("ann", scene.now, phone="201")
    with pytest.raises(PhoneTaken, match="ann is logged in at 201"):
        scene.engine.login("bob", scene.now, phone="201")
    assert scene.state("bob")[0] == "LOGGED_OUT"
    scene.engine.logout("ann", scene.now)
    scene.engine.login("bob", scene.now, phone="201")
    scene.listen()


def test_nobody_changes_his_seat_while_he_is_rung(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    scene.engine.phone_registered("201", True, scene.now)
    scene.engine.login("ann", scene.now, phone="201")
    scene.engine.ready("ann", scene.now)
    scene.call("c1")
    with pytest.raises(AgentCommandError, match="login at 202 makes no sense while ann is RESERVED"):
        scene.engine.login("ann", scene.now, phone="202")
    scene.engine.login("ann", scene.now, phone="201")
    assert scene.listen() == [] or scene.offered_to("c1") == "ann"


def test_a_reload_leaves_agents_at_their_seats(make_site: MakeSite) -> None:
    scene = free_seats(make_site)
    scene.engine.phone_registered("201", True, scene.now)
    scene.engine.login("ann", scene.now, phone="201")
    scene.engine.ready("ann", scene.now)
    again = {"ann": {"code": "1", "extension": None}, "bob": {"code": "2", "extension": None}}
    scene.engine.reconfigure(make_site(again, {"sales": {}}), scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") == "ann"


# --- queues ---


def test_an_agent_logs_in_for_some_queues(stage: Stage) -> None:
    scene = stage({"ann": {}}, **TWO)
    scene.engine.phone_registered("x-ann", True, scene.now)
    with pytest.raises(UnknownQueue):
        scene.engine.login("ann", scene.now, queues=["asia", "nowhere"])
    assert scene.state("ann")[0] == "LOGGED_OUT"
    scene.engine.login("ann", scene.now, queues=["asia"])
    scene.engine.ready("ann", scene.now)
    scene.call("c1", "sales")
    assert scene.offered_to("c1") is None
    scene.call("c2", "asia")
    assert scene.offered_to("c2") == "ann"
    floor = scene.engine.floor
    found = view.serves(floor, floor.roster.agent("ann"))
    assert [(queue["name"], queue["joined"]) for queue in found] == [("sales", False), ("asia", True)]


def test_who_joins_gets_who_waits_there(stage: Stage) -> None:
    scene = stage({"ann": {}}, **TWO)
    scene.ready("ann")
    scene.engine.leave_queue("ann", "sales", scene.now)
    scene.call("c1", "sales")
    assert scene.offered_to("c1") is None
    scene.engine.join_queue("ann", "sales", scene.now)
    scene.listen()
    assert scene.offered_to("c1") == "ann"
    scene.engine.leave_queue("ann", "sales", scene.now)  # what rings goes on ringing
    scene.listen()
    assert scene.offered_to("c1") == "ann"
    assert len(scene.said(AgentQueuesChanged)) == 3


def test_a_new_login_is_for_all_queues(stage: Stage) -> None:
    scene = stage({"ann": {}}, **TWO)
    scene.ready("ann")
    scene.engine.leave_queue("ann", "sales", scene.now)
    scene.engine.logout("ann", scene.now)
    scene.ready("ann")
    scene.call("c1", "sales")
    assert scene.offered_to("c1") == "ann"


def test_own_queues_of_the_site_file(stage: Stage) -> None:
    scene = stage({"ann": {"queues": {"asia": 1}}, "bob": {"queues": {"sales": 2}}}, **TWO)
    scene.ready("ann", "bob")
    scene.call("c1", "sales")
    scene.call("c2", "asia")
    assert (scene.offered_to("c1"), scene.offered_to("c2")) == ("bob", "ann")


def test_a_reload_keeps_what_was_left(stage: Stage, make_site: MakeSite) -> None:
    scene = stage({"ann": {}}, **TWO)
    scene.ready("ann")
    scene.engine.leave_queue("ann", "sales", scene.now)
    scene.engine.reconfigure(make_site({"ann": {}}, TWO), scene.now)
    scene.call("c1", "sales")
    assert scene.offered_to("c1") is None


# --- levels ---


SKILLED: dict[str, Any] = {"asia": {"needs": "asia >= 5"}, "any": {}}


def test_a_skill_changed_live_is_obeyed_at_once_and_survives_a_reload(stage: Stage, make_site: MakeSite) -> None:
    agents = {"ann": {"skills": {"asia": 3}}, "bob": {"skills": {"golf": 1}}}
    scene = stage(agents, **SKILLED)
    scene.ready("ann")
    scene.call("c1", "asia")
    assert scene.offered_to("c1") is None
    scene.engine.change_skills("ann", {"asia": 7, "golf": 2}, scene.now, by="boss")
    scene.listen()
    assert scene.offered_to("c1") == "ann"
    scene.engine.abandon("c1", scene.now)
    scene.engine.reconfigure(make_site({"ann": {"skills": {"asia": 4}}}, SKILLED), scene.now)
    assert seen(scene, "ann")["skills"] == {"asia": 7, "golf": 2}
    scene.engine.change_skills("ann", {"asia": None}, scene.now, by="boss")
    scene.listen()
    assert seen(scene, "ann")["skills"] == {"asia": 4, "golf": 2}
    scene.call("c2", "asia")
    assert scene.offered_to("c2") is None
    told = scene.said(AgentSkillsChanged)
    assert [(e.skills, e.by) for e in told if isinstance(e, AgentSkillsChanged)] == [
        ({"asia": 7, "golf": 2}, "boss"), ({"asia": 4, "golf": 2}, "boss"),
    ]  # fmt: skip


def test_a_skill_taken_away(stage: Stage) -> None:
    scene = stage({"ann": {"skills": {"asia": 9}}}, **SKILLED)
    scene.ready("ann")
    scene.engine.change_skills("ann", {"asia": 0}, scene.now)
    scene.call("c1", "asia")
    assert scene.offered_to("c1") is None and seen(scene, "ann")["skills"] == {}


def test_queues_changed_by_a_supervisor_survive_a_reload(stage: Stage, make_site: MakeSite) -> None:
    scene = stage({"ann": {"queues": {"asia": 1}}}, **TWO)
    scene.ready("ann")
    scene.call("c1", "sales")
    scene.engine.change_queues("ann", {"sales": 3, "asia": 0}, scene.now, by="boss")
    scene.listen()
    assert scene.offered_to("c1") == "ann"
    scene.engine.abandon("c1", scene.now)
    scene.engine.reconfigure(make_site({"ann": {"queues": {"asia": 1}}}, TWO), scene.now)
    scene.call("c2", "asia")
    assert scene.offered_to("c2") is None
    scene.engine.change_queues("ann", {"sales": None, "asia": None}, scene.now, by="boss")
    scene.listen()
    assert scene.offered_to("c2") == "ann"
    scene.engine.change_queues("ann", {"sales": 11 - 1}, scene.now)
    assert scene.engine.floor.roster.agent("ann").level_in("sales") == 10


@pytest.mark.parametrize("level", [-1, 11, True, "5"])
def test_levels_are_numbers_from_0_to_10(stage: Stage, level: Any) -> None:
    scene = stage({"ann": {}}, **TWO)
    for change in (scene.engine.change_skills, scene.engine.change_queues):
        with pytest.raises(BadLevel, match="expected 0 to 10"):
            change("ann", {"sales": level}, scene.now)
    with pytest.raises(UnknownQueue):
        scene.engine.change_queues("ann", {"nowhere": 5}, scene.now)
    assert scene.listen() == []


def test_a_skill_that_nobody_knows_is_no_skill(stage: Stage, make_site: MakeSite) -> None:
    queues = {"asia": {"needs": "asia >= 5", "relax": [{"after_s": 60, "needs": "french >= 2"}]}}
    scene = stage({"ann": {"skills": {"golf": 3}}, "bob": {}}, **queues)
    for skill in ("asia", "french", "golf"):
        scene.engine.change_skills("bob", {skill: 6}, scene.now)
    scene.listen()
    with pytest.raises(UnknownSkill, match="no skill 'golff', did you mean golf") as refused:
        scene.engine.change_skills("bob", {"asia": 1, "golff": 5}, scene.now)
    assert refused.value.skill == "golff"
    assert scene.listen() == []
    assert seen(scene, "bob")["skills"] == {"asia": 6, "french": 6, "golf": 6}, "all or nothing"
    scene.engine.change_skills("ann", {"golf": 0}, scene.now)
    scene.engine.reconfigure(make_site({"ann": {"skills": {"golf": 3}}, "bob": {}}, queues), scene.now)
    scene.engine.change_skills("ann", {"golf": 5}, scene.now)  # it is the site file that knows skills
    scene.engine.reconfigure(make_site({"ann": {}, "bob": {}}, {"sales": {}}), scene.now)
    scene.engine.change_skills("bob", {"asia": None, "nonsense": None}, scene.now)  # what was said may be taken back
    assert seen(scene, "bob")["skills"] == {"french": 6, "golf": 6}


def test_queues_that_an_agents_skills_do_not_do_for_are_marked(stage: Stage) -> None:
    relax = [{"after_s": 9, "needs": "asia >= 2"}]
    queues = {
        "asia": {"needs": "asia >= 5"}, "any": {}, "later": {"needs": "asia >= 5", "relax": relax},
        "said": {"needs": "skill(call.language) >= 3"},
    }  # fmt: skip
    scene = stage({"ann": {"skills": {"asia": 3}}}, **queues)
    able = {one["name"]: one["able"] for one in view.agent(scene.engine.floor, "ann")["queues"]}  # type: ignore[attr-defined]
    assert able == {"asia": False, "any": True, "later": True, "said": True}
    scene.engine.leave_queue("ann", "later", scene.now)
    scene.engine.change_skills("ann", {"asia": 5}, scene.now)
    assert all(one["able"] for one in view.agent(scene.engine.floor, "ann")["queues"])  # type: ignore[attr-defined]
