"""Random histories of a floor that uses all there is to choose agents by: what `test_properties` asks holds there,
too."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import invariant, rule

from acd.model import ItemState
from acd.offering import MOST_PHONES
from tests.acd import test_properties, test_recovery
from tests.acd.test_properties import NAMES

AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"extension": "101", "skills": {"asia": 8}, "queues": {"asia": 1, "skill": 2, "all": 3, "bob": 1}},
    "bob": {"extension": "102", "skills": {"asia": 3, "french": 5}, "weight": 3},
    "cy": {"extension": "102", "skills": {"french": 9}},  # shares a phone with bob
    "dee": {"contact": "sip:dee@192.0.2.1", "skills": {"asia": 6, "french": 2}, "login": "always"},
    "eve": {"contact": "sip:eve@192.0.2.1", "skills": {"asia": 1}, "login": "always", "queues": {"all": 2, "bob": 4}},
}
QUEUES: dict[str, dict[str, Any]] = {
    "asia": {
        "needs": "asia >= 7", "value_weight": 0.1, "ring_s": 10, "wrap_up_s": 20, "max_wait_s": 60,
        "strategy": "ring progressively", "ring_another_s": 3,
        "relax": [{"after_s": 5, "needs": "asia >= 5"}, {"after_s": 15, "needs": "asia"}],
    },
    "skill": {
        "needs": "skill(call.destination) >= 5", "priority": 30, "ring_s": 5, "wrap_up_s": 0, "assign": "together",
        "strategy": "most skilled", "borrow": {"when": "waiting >= 2", "agents_of": ["bob"], "needs": "asia"},
    },
    "all": {
        "ring_s": 5, "wrap_up_s": 5, "max_wait_s": 8, "overflow": "queue asia", "strategy": "ring all",
        "prefer": {"wait_s": 4, "last_agent_days": 1},
    },
    "bob": {
        "agents": ["bob", "ann", "eve"], "needs": "asia >= 3", "ring_s": 15, "wrap_up_s": 3, "strategy": "round robin",
        "relax": [{"after_s": 10, "needs": "not asia >= 9"}], "prefer": {"attribute": "destination", "wait_s": 20},
        "borrow": {"when": "longest > 5 or waited > 9", "agents_of": ["asia", "skill"]},
    },
}  # fmt: skip
OTHERS = {
    "asia": {"needs": "asia", "max_wait_s": 30, "wrap_up_s": 0, "strategy": "weighted", "assign": "together"},
    "skill": {"strategy": "least occupied", "borrow": {"when": "free == 0", "agents_of": ["all"]}},
    "all": {**QUEUES["all"], "strategy": "random", "assign": "together"},
    "bob": {"strategy": "ring all", "needs": "asia >= 9", "relax": [{"after_s": 2, "needs": "not asia >= 9"}]},
}
CHANGES: list[dict[str, dict[str, Any]]] = [
    {"agents": AGENTS, "queues": QUEUES},
    {"agents": {k: v for k, v in AGENTS.items() if k != "dee"}, "queues": QUEUES},
    {"agents": dict(reversed(AGENTS.items())), "queues": OTHERS},
    {"agents": AGENTS, "queues": {"asia": OTHERS["asia"], "all": {**QUEUES["all"], "strategy": "fewest calls"}}},
]


class Routing(test_properties.Floor):
    changes = CHANGES

    @rule(
        queue=st.sampled_from(sorted(QUEUES)), destination=st.sampled_from(["asia", "bob", "eve", "nobody"]),
        caller=st.sampled_from(["", "+1", "+2"]), preferred=st.none() | st.sampled_from(NAMES),
    )  # fmt: skip
    def call_of_somebody(self, queue: str, destination: str, caller: str, preferred: str | None) -> None:
        into = self.engine.floor.queues.get(queue)
        if into is None or into.closed:
            return
        self.made += 1
        attributes = {"destination": destination, **({} if preferred is None else {"preferred_agent": preferred})}
        self.engine.enqueue(f"c{self.made}", queue, attributes, self.now, None, caller)
        self.take()

    @rule(data=st.data(), priority=st.none() | st.integers(-100, 100))
    def supervisor_moves_one(self, data: st.DataObject, priority: int | None) -> None:
        waiting = sorted(item for item, state in self.live.items() if state in ("QUEUED", "RESERVED"))
        if waiting:
            self.engine.set_priority(data.draw(st.sampled_from(waiting)), priority, self.now)
            self.take()

    @rule(queue=st.sampled_from(sorted(QUEUES)), priority=st.none() | st.integers(-100, 100))
    def supervisor_moves_all(self, queue: str, priority: int | None) -> None:
        if queue in self.engine.floor.queues:
            self.engine.set_queue_priority(queue, priority, self.now)
            self.take()

    @rule(name=st.sampled_from(NAMES), level=st.none() | st.integers(0, 3), queue=st.sampled_from(sorted(QUEUES)))
    def level_changes(self, name: str, level: int | None, queue: str) -> None:
        floor = self.engine.floor
        if name in floor.roster.agents and queue in floor.queues and not floor.queues[queue].closed:
            self.engine.change_queues(name, {queue: level}, self.now)
            self.take()

    @rule(name=st.sampled_from(NAMES), level=st.none() | st.integers(0, 10), skill=st.sampled_from(["asia", "french"]))
    def skill_changes(self, name: str, level: int | None, skill: str) -> None:
        if name in self.engine.floor.roster.agents:
            self.engine.change_skills(name, {skill: level}, self.now)
            self.take()

    @rule(data=st.data())
    def told_before_he_talks(self, data: st.DataObject) -> None:
        if self.offers:
            number = data.draw(st.sampled_from(sorted(self.offers)))
            item = self.offers[number].item_id
            assert self.engine.picked_up(number, 5, self.now)
            self.take()
            assert [offer.item_id for offer in self.offers.values()].count(item) == 1

    @invariant()
    def not_too_many_ring(self) -> None:
        if hasattr(self, "engine"):
            for item in self.engine.floor.items.values():
                assert len(item.reservations) <= MOST_PHONES

    @invariant()
    def levels_in_order(self) -> None:
        """Nobody of a later level is asked while one of an earlier is free (but where all are rung)."""
        if not hasattr(self, "engine"):
            return
        floor = self.engine.floor
        for item in floor.items.values():
            if item.state is ItemState.QUEUED:
                assert not floor.candidates(item)


TestRouting = Routing.TestCase
TestRouting.settings = settings(max_examples=50, stateful_step_count=40)


def test_of_a_pair_each_gets_one_before_the_first_gets_a_second() -> None:
    """All shall ring for the first caller, and two are free when the other becomes one to be paired, too."""
    story = Routing()
    story.begin()
    story.come_to_work(name="ann")
    story.call(queue="bob", destination="asia", basket=0, earlier=1)
    story.call(queue="asia", destination="asia", basket=0, earlier=None)
    story.reload(number=2)
    assert {offer.agent: offer.item_id for offer in story.offers.values()} == {"ann": "c1", "eve": "c1", "dee": "c2"}


class RoutingKilled(test_recovery.Killed, Routing):
    """And the floor that is made again from a checkpoint and the inputs since is the same."""


TestRoutingKilled = RoutingKilled.TestCase
TestRoutingKilled.settings = settings(max_examples=15, stateful_step_count=30)
