"""Each strategy against the obvious: sort all candidates by what the strategy says. Few agents and many go different
ways in the program, and must choose the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd import columns, strategies
from acd.agent_set import set_of
from acd.agent_state import State
from acd.model import Agent, Phone, Queue, Step, WorkItem
from acd.requirement import parse
from acd.roster import Roster
from acd.skills import SkillIndex
from acd.strategies import choose, draw, key_of, most_skilled, occupancy, ranked, skill_sum

NOW = 5000.0
NEEDS = parse("asia >= 1 and (french or skill(call.destination) >= 1) and not trainee")
PHONE = Phone("x", True, True)

agents_of = st.builds(
    lambda number, skills, figures, idle, weight, place, level: Agent(
        f"a{number}", number, PHONE, "", skills, state=State.READY, idle_since=idle, weight=weight, place=place,
        calls=figures[0], talked_s=figures[1], worked_s=figures[2], on_duty_from=figures[3],
        queues={"q": level} if level else None,
    ),
    number=st.integers(0, 400),
    skills=st.dictionaries(st.sampled_from(["asia", "french", "china"]), st.integers(1, 10)),
    figures=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3).map(float), st.sampled_from([1.0, NOW])),
    idle=st.integers(0, 3).map(float),
    weight=st.integers(1, 9),
    place=st.integers(0, 10_000),
    level=st.sampled_from([0, 0, 0, 1, 2]),
)  # fmt: skip
floors = st.lists(agents_of, min_size=1, max_size=12, unique_by=(lambda agent: agent.slot, lambda agent: agent.place))


def roster_of(agents: list[Agent]) -> Roster:
    roster = Roster()
    roster._slots = [None] * 401
    for agent in agents:
        roster.agents[agent.name] = roster._slots[agent.slot] = agent
        roster.idle.add(agent.slot, agent.idle_since)
        roster.columns.note(agent)
        if agent.queues is not None:
            roster.serving.put(agent, "q")
    roster.skills = SkillIndex((agent.slot, agent.skills) for agent in agents)
    return roster


def obvious(queue: Queue, item: WorkItem, agents: list[Agent], everyone: Sequence[Agent]) -> Agent:
    level = min(agent.level_in("q") for agent in agents) if queue.levels else 0
    left = [agent for agent in agents if not level or agent.level_in("q") == level]
    listed = queue.listed or ()
    wanted = {"asia", "french", "trainee", str(item.attributes["destination"])}

    def place(agent: Agent) -> int:
        return listed.index(agent.name) if agent.name in listed else len(listed) + agent.place

    def key(agent: Agent) -> Any:
        match queue.strategy:
            case "most skilled":
                return -sum(level for skill, level in agent.skills.items() if skill in wanted)
            case "top down":
                return place(agent)
            case "round robin":
                last = next((one for one in everyone if one.name == queue.last), None)
                return (last is not None and place(agent) <= place(last), place(agent))
            case "fewest calls":
                return agent.calls
            case "least talk time":
                return agent.talked_s
            case "least occupied":
                return agent.worked_s / (NOW - agent.on_duty_from) if NOW > agent.on_duty_from else 0.0
            case "random":
                return draw(agent.name, item)
            case "weighted":
                return -math.log(draw(agent.name, item)) / agent.weight
            case _:
                return 0

    return min(left, key=lambda agent: (key(agent), agent.idle_since, agent.slot))


@pytest.mark.parametrize("few", [0, 40])
@pytest.mark.parametrize("strategy", [
    "longest idle", "most skilled", "least occupied", "round robin", "fewest calls", "least talk time", "top down",
    "random", "weighted", "ring progressively",
])  # fmt: skip
@settings(max_examples=150)
@given(agents=floors, listed=st.booleans(), destination=st.sampled_from(["", "china", "asia"]), data=st.data())
def test_as_the_obvious(
    strategy: Any, few: int, agents: list[Agent], listed: bool, destination: str, data: st.DataObject
) -> None:
    roster = roster_of(agents)
    queue = Queue("q", NEEDS, (Step(0, NEEDS),), strategy=strategy)
    names = data.draw(st.permutations([agent.name for agent in agents]))
    if listed:
        queue.listed = tuple(names[: 1 + len(names) // 2])
    everyone = set_of([agent.slot for agent in agents])
    queue.levels = roster.serving.levels("q", everyone)
    queue.order = {roster.agents[name].slot: place for place, name in enumerate(queue.listed or ())}
    queue.last = data.draw(st.sampled_from([None, "gone", *names]))
    item = WorkItem("c", data.draw(st.integers(1, 99)), queue, {"destination": destination}, 0.0, 0.0)
    item.tries = data.draw(st.integers(0, 3))
    before, strategies.FEW = strategies.FEW, few
    try:
        found, left = ranked(roster, item, everyone, NOW, data.draw(st.integers(1, 13))), list(agents)
        assert choose(roster, item, everyone, NOW) is found[0]
        for agent in found:
            assert agent is obvious(queue, item, left, agents)
            left.remove(agent)
    finally:
        strategies.FEW = before


@given(agents=floors, skills=st.sets(st.sampled_from(["asia", "french", "china", "none"])))
def test_most_skilled(agents: list[Agent], skills: set[str]) -> None:
    roster = roster_of(agents)
    best = max(skill_sum(agent, skills) for agent in agents)
    found = most_skilled(roster.skills, skills, set_of([agent.slot for agent in agents]))
    assert found == set_of([agent.slot for agent in agents if skill_sum(agent, skills) == best])


# --- shares ---------------------------------------------------------------------------------------------------------


def draws(strategy: Any, names: list[str], few: int, count: int = 4000) -> Counter[str]:
    agents = [Agent(name, slot, PHONE, "", {}, weight=slot + 1) for slot, name in enumerate(names)]
    roster = roster_of(agents)
    queue = Queue("q", None, (Step(0, None),), strategy=strategy)
    before, strategies.FEW = strategies.FEW, few
    try:
        chosen: Counter[str] = Counter()
        for number in range(1, count + 1):
            item = WorkItem("c", number, queue, {}, 0.0, 0.0)
            chosen[choose(roster, item, (1 << len(names)) - 1, NOW).name] += 1
    finally:
        strategies.FEW = before
    return chosen


@pytest.mark.parametrize("few", [0, 40])
@pytest.mark.parametrize("names", [["a1", "a2", "b"], ["agent-001", "agent-002", "agent-003", "agent-004", "x"]])
def test_random_is_fair(names: list[str], few: int) -> None:
    """Names that are alike, too: a linear hash would give `b` half of the calls."""
    chosen, share = draws("random", names, few), 4000 / len(names)
    assert all(abs(chosen[name] - share) < 5 * math.sqrt(share) for name in names)


@pytest.mark.parametrize("few", [0, 40])
def test_weighted_gives_shares(few: int) -> None:
    chosen = draws("weighted", ["ann", "bob", "cy", "dee"], few)
    for weight, name in enumerate(["ann", "bob", "cy", "dee"], 1):
        assert abs(chosen[name] - 400 * weight) < 5 * math.sqrt(400 * weight)


def test_another_try_is_another_draw() -> None:
    item = WorkItem("c", 1, Queue("q"), {}, 0.0, 0.0)
    found = set()
    for tries in range(10):
        item.tries = tries
        found.add(draw("ann", item))
    assert len(found) == 10


# --- what is counted ------------------------------------------------------------------------------------------------


def test_occupancy() -> None:
    agent = Agent("ann", 0, PHONE, "", {}, worked_s=30.0, on_duty_from=100.0)
    assert occupancy(agent, 160.0) == 0.5
    assert occupancy(agent, 100.0) == 0.0
    item = WorkItem("c", 1, Queue("q", strategy="least occupied"), {}, 0.0, 0.0)
    assert key_of(item, agent, 160.0) == 0.5


def test_work_is_counted_from_log_in(stage: Callable[..., Any]) -> None:
    s = stage({"ann": {}}, sales={"ring_s": 10, "wrap_up_s": 30})
    ann = s.engine.floor.roster.agent("ann")
    s.wait(50)
    s.ready("ann")
    assert (ann.on_duty_from, ann.worked_s) == (s.now, 0.0)
    s.call("c1")
    s.wait(4)
    s.answer("c1")
    s.wait(60)
    s.engine.complete("c1", s.now)
    s.wait(40)
    assert (ann.calls, ann.talked_s, ann.worked_s) == (1, 60.0, 94.0)
    assert occupancy(ann, s.now) == 94 / 104
    s.engine.not_ready("ann", "lunch", s.now)
    s.wait(1000)
    s.engine.ready("ann", s.now)
    assert occupancy(ann, s.now) == 94 / 104  # a break is no idleness
    s.engine.logout("ann", s.now)
    s.engine.login("ann", s.now)
    assert (ann.calls, ann.talked_s, ann.worked_s, ann.on_duty_from) == (0, 0.0, 0.0, s.now)


def test_columns_grow_and_are_made_again() -> None:
    held = columns.Columns()
    for slot in (5, 0, 900):
        held.note(Agent(f"a{slot}", slot, PHONE, "", {}, calls=slot))
    assert [held.calls[slot] for slot in (0, 5, 900)] == [0.0, 5.0, 900.0]
    assert held.names[900] == columns.name_number("a900")
