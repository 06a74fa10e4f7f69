"""Pairs made together against trying everything: the right items are served, and the levels in sum are the best."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.agent_set import set_of
from acd.agent_state import State
from acd.assignment import GATHER_S, KEY, LATER, pair
from acd.events import ItemReserved
from acd.model import Agent, Phone, Queue, Step, WorkItem
from acd.requirement import parse
from acd.roster import Roster
from acd.skills import SkillIndex
from acd.strategies import later, skill_sum

Stage = Callable[..., Any]
SKILLS = ["asia", "french"]
QUEUES = [Queue(name, parse(name), (Step(0, parse(name)),), together=True) for name in SKILLS]


def roster_of(skills: list[dict[str, int]]) -> Roster:
    roster = Roster()
    for slot, levels in enumerate(skills):
        agent = Agent(f"a{slot}", slot, Phone(f"x{slot}", True), "", levels, state=State.READY)
        roster.agents[agent.name] = agent
        roster._slots.append(agent)
        roster.update(agent)
    roster.skills = SkillIndex((slot, levels) for slot, levels in enumerate(skills))
    return roster


def obvious(items: list[WorkItem], roster: Roster) -> tuple[list[int], float]:
    """The items served (the first counts more than all after it), and the least cost of serving these."""
    agents = list(roster.agents.values())
    holes: list[Agent | None] = [*agents, *[None] * len(items)]
    best: tuple[list[bool], float] = ([], 0.0)
    for chosen in set(permutations(holes, len(items))):
        pairs = [(item, agent) for item, agent in zip(items, chosen, strict=True) if agent is not None]
        if all(item.eligible >> agent.slot & 1 for item, agent in pairs):
            served = [agent is not None for agent in chosen]
            cost = sum(cost_of(item, agent) for item, agent in pairs)
            if served > best[0] or (served == best[0] and cost < best[1]):
                best = (served, cost)
    return [item.number for item, there in zip(items, best[0], strict=False) if there], best[1]


def cost_of(item: WorkItem, agent: Agent) -> float:
    return LATER * later(item.queue, agent) - skill_sum(agent, item.queue.needs.skills if item.queue.needs else ())


@settings(max_examples=120)
@given(
    skills=st.lists(st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 10)), max_size=4),
    calls=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 15)), max_size=4),
    second=st.integers(0, 15),
)
def test_as_trying_everything(skills: list[dict[str, int]], calls: list[tuple[int, int]], second: int) -> None:
    roster = roster_of(skills)
    for queue in QUEUES:
        queue.members = 15
        queue.levels = (~second & 15, second) if second not in (0, 15) else ()
    items = [
        WorkItem(f"c{number}", number, QUEUES[queue], {}, 0.0, float(number), eligible=eligible)
        for number, (queue, eligible) in enumerate(calls)
    ]
    pairs = pair(iter(items), roster)
    assert len({agent.slot for _, agent in pairs}) == len(pairs) == len({item.number for item, _ in pairs})
    assert all(item.eligible >> agent.slot & 1 for item, agent in pairs)
    served, cost = obvious(items, roster)
    assert sorted(item.number for item, _ in pairs) == served
    assert sum(cost_of(item, agent) for item, agent in pairs) == pytest.approx(cost)


def test_many(stage: Stage) -> None:
    """More than are paired in one go."""
    agents: dict[str, dict[str, Any]] = {
        f"a{n}": {"contact": f"sip:a{n}@192.0.2.1", "skills": {"asia": n % 10 + 1}} for n in range(250)
    }
    s = stage(agents, sales={"needs": "asia", "assign": "together"})
    for n in range(230):
        s.engine.enqueue(f"c{n}", "sales", {}, s.now)
    s.listen()
    for name in agents:
        s.engine.login(name, s.now)
        s.engine.ready(name, s.now)
    s.listen()
    assert not s.said(ItemReserved)
    s.wait(GATHER_S)
    asked = [event.agent for event in s.said(ItemReserved)]
    assert len(set(asked)) == 230
    assert sum(agents[name]["skills"]["asia"] == 1 for name in asked) == 5  # 20 of the 25 weakest are left over


# --- when -----------------------------------------------------------------------------------------------------------

TWO = {"ann": {"skills": {"asia": 9, "french": 8}}, "bob": {"skills": {"asia": 8, "french": 1}}}
GROUP = {
    "asia": {"needs": "asia", "assign": "together"}, "french": {"needs": "french", "assign": "together"}, "other": {},
}  # fmt: skip


def asked(s: Any) -> dict[str, str]:
    return {item: s.offered_to(item) for item in s.engine.floor.items}


def test_phones_that_register_after_an_outage(stage: Stage) -> None:
    """One by one, ann would get the first call; together, she gets the one that nobody else is good at."""
    s = stage(TWO, **GROUP)
    s.ready("ann", "bob")
    for name in TWO:
        s.engine.phone_registered(f"x-{name}", False, s.now)
    s.call("c1", "asia")
    s.wait(1)
    s.call("c2", "french")
    for name in TWO:
        s.engine.phone_registered(f"x-{name}", True, s.now)
        s.listen()
    assert asked(s) == {"c1": None, "c2": None}
    s.wait(GATHER_S)
    assert asked(s) == {"c1": "bob", "c2": "ann"}
    assert "paired at once" in s.said(ItemReserved)[-1].why


def test_one_who_waits_alone_is_served_at_once(stage: Stage) -> None:
    s = stage(TWO, **GROUP)
    s.call("c1", "asia")
    s.ready("ann")
    assert asked(s) == {"c1": "ann"}


def test_the_order_of_the_line_is_kept(stage: Stage) -> None:
    s = stage(TWO, **GROUP)
    for number, queue in enumerate(["asia", "asia", "other", "french"]):
        s.call(f"c{number}", queue)
        s.wait(1)
    s.ready("ann", "bob")
    s.wait(GATHER_S)
    assert [item for item, agent in asked(s).items() if agent] == ["c0", "c1"]


def test_who_does_not_take_part_is_served_meanwhile(stage: Stage) -> None:
    s = stage({**TWO, "cy": {}}, **GROUP)
    s.call("c1", "asia")
    s.call("c2", "asia")
    s.ready("ann", "cy")
    s.call("c3", "other")
    assert asked(s) == {"c1": None, "c2": None, "c3": "cy"}


def test_who_is_held_back_may_leave(stage: Stage) -> None:
    s = stage(TWO, **GROUP)
    s.call("c1", "asia")
    s.call("c2", "asia")
    s.ready("ann", "bob")
    s.engine.not_ready("ann", "lunch", s.now)
    s.listen()
    s.wait(GATHER_S)
    assert asked(s) == {"c1": "bob", "c2": None}
    assert KEY not in s.engine.floor.deadlines and not s.engine.floor.gathered


def test_a_reload_pairs_together(stage: Stage, make_site: Callable[..., Any]) -> None:
    s = stage(TWO, asia={"needs": "asia >= 10"}, french={"needs": "french >= 10"})
    s.ready("ann", "bob")
    s.call("c1", "asia")
    s.call("c2", "french")
    s.engine.reconfigure(make_site(TWO, GROUP), s.now)
    s.listen()
    assert asked(s) == {"c1": "bob", "c2": "ann"}


def test_set_of_nothing() -> None:
    assert pair([], roster_of([{}])) == [] and set_of([]) == 0


@pytest.mark.parametrize("assign", ["together", "at once"])
def test_scipy_is_there_before_the_first_call_needs_it(assign: str) -> None:
    """And is not for a site that has no use for it."""
    program = f"""
import sys
from acd.engine import Engine
from config.schema import Site
site = {{"site": "x", "listen": {{"sip": ["udp:127.0.0.1:5060"]}}, "queues": {{"q": {{"assign": "{assign}"}}}}}}
Engine(Site.model_validate(site), 0.0)
print("scipy.optimize" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(assign == "together")
