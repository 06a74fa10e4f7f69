"""Random histories of a small floor. After every input all of `audit` must hold, and the order must be right."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from acd.agent_state import State
from acd.audit import audit
from acd.checkpoint import keep, take_up
from acd.commands import CloseWork, OfferItem, OverflowItem, ShowWrapUp, WithdrawOffer
from acd.engine import Engine
from acd.errors import AgentCommandError
from acd.events import (
    AcdEvent,
    AgentStateChanged,
    ItemAbandoned,
    ItemCompleted,
    ItemConnected,
    ItemKept,
    ItemOverflowed,
    ItemQueued,
    ItemReserved,
    ItemResumed,
    ReservationEnded,
)
from acd.offering import wanted
from acd.reservation import Outcome
from config.schema import Site

AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"extension": "101", "skills": {"asia": 8}},
    "bob": {"extension": "102", "skills": {"asia": 3, "french": 5}},
    "cy": {"extension": "102", "skills": {"french": 9}},  # shares a phone with bob
    "dee": {"contact": "sip:dee@192.0.2.1", "skills": {"asia": 6, "french": 2}, "login": "always"},
}
QUEUES: dict[str, dict[str, Any]] = {
    "asia": {"needs": "asia >= 5", "value_weight": 0.1, "ring_s": 10, "wrap_up_s": 20, "max_wait_s": 60},
    "skill": {"needs": "skill(call.destination) >= 5", "priority": 30, "ring_s": 5, "wrap_up_s": 0},
    "all": {"ring_s": 5, "wrap_up_s": 5, "max_wait_s": 8, "overflow": "queue asia"},
    "bob": {"agents": ["bob", "ann"], "needs": "not asia >= 9", "ring_s": 15, "wrap_up_s": 3},
}
CHANGES: list[dict[str, dict[str, Any]]] = [
    {"agents": AGENTS, "queues": QUEUES},
    {"agents": {k: v for k, v in AGENTS.items() if k != "ann"}, "queues": QUEUES},
    {"agents": AGENTS, "queues": {"asia": {"needs": "asia", "max_wait_s": 30, "wrap_up_s": 0}, "all": QUEUES["all"]}},
    {"agents": {"dee": {"extension": "103", "skills": {"french": 8}}, "eve": {"contact": "sip:e@192.0.2.1",
                "skills": {"asia": 9}, "login": "always"}, **{k: AGENTS[k] for k in ("ann", "bob")}},
     "queues": {**QUEUES, "all": {"value_weight": 1}}},
]  # fmt: skip
NAMES = ["ann", "bob", "cy", "dee", "eve"]


class Floor(RuleBasedStateMachine):
    changes = CHANGES

    def site(self, number: int) -> Site:
        listen = {"sip": ["udp:127.0.0.1:5060"]}
        return Site.model_validate({"site": "t", "listen": listen, **self.changes[number % len(self.changes)]})

    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.engine = Engine(self.site(0), self.now)
        self.made = 0
        self.offers: dict[int, OfferItem] = {}
        self.working: dict[str, str] = {}  # agents shown a wrap-up -> item
        self.states: dict[str, str] = {}
        self.live: dict[str, str] = {}  # item -> what its events say of it
        self.asked: dict[str, dict[int, str]] = defaultdict(dict)  # item -> reservation -> agent
        self.take()

    def take(self, *, one_input: bool = True) -> None:
        """Follow the outputs: they alone must tell the whole story, in a possible order."""
        events, commands = self.engine.take()
        for event in events:
            self.follow(event)
            if one_input and isinstance(event, ItemReserved) and event.item_id in self.engine.floor.items:
                self.was_best(event)
        for command in commands:
            match command:
                case OfferItem():
                    assert command.reservation not in self.offers
                    assert command.agent not in {offer.agent for offer in self.offers.values()}
                    asked = command.item_id in {offer.item_id for offer in self.offers.values()}
                    assert not asked or "ring" in self.engine.floor.items[command.item_id].queue.strategy
                    self.offers[command.reservation] = command
                case WithdrawOffer():
                    assert self.offers.pop(command.reservation).agent == command.agent
                case OverflowItem():
                    assert command.item_id not in self.live
                case ShowWrapUp():
                    self.working[command.agent] = command.item_id
                case CloseWork():
                    assert self.working.pop(command.agent, command.item_id) == command.item_id
        assert set(self.offers) == set(self.engine.floor.reservations)
        assert self.live == {name: item.state.value for name, item in self.engine.floor.items.items()}
        for agent in self.engine.floor.roster.agents.values():
            assert self.states.get(agent.name, "LOGGED_OUT") == agent.state.value
            assert (agent.name in self.working) is (agent.state is State.WRAP_UP)

    def was_best(self, event: ItemReserved) -> None:
        """Nobody who still waits, and whom the agent fits, was before the one he got; of those that are paired at once
        each gets somebody before one whom all shall ring gets a second."""
        floor = self.engine.floor
        slot, item = floor.roster.agent(event.agent).slot, floor.items[event.item_id]
        before = [one for one in floor.lines if one.eligible >> slot & 1 and one.rank < item.rank]
        assert all(item.queue.together and one.reservations for one in before)

    def follow(self, event: AcdEvent) -> None:
        match event:
            case ItemQueued(item_id=item):
                assert item not in self.live
                self.live[item] = "QUEUED"
            case ItemReserved(item_id=item, reservation=number, agent=agent):
                assert self.live[item] in ("QUEUED", "RESERVED")  # several ring at once
                self.live[item] = "RESERVED"
                self.asked[item][number] = agent
            case ReservationEnded(item_id=item, reservation=number):
                del self.asked[item][number]
                assert self.live.get(item, "RESERVED") in ("RESERVED", "CONNECTED")  # a colleague was quicker
                if self.live.get(item) == "RESERVED" and not self.asked[item]:
                    self.live[item] = "QUEUED"
            case ItemConnected(item_id=item, agent=agent):
                assert self.live[item] == "RESERVED"
                self.live[item] = "CONNECTED"
                (answered,) = (number for number, asked in self.asked[item].items() if asked == agent)
                del self.asked[item][answered], self.offers[answered]
            case ItemCompleted(item_id=item):
                assert self.live.pop(item) == "CONNECTED"
            case ItemAbandoned(item_id=item) | ItemOverflowed(item_id=item):
                assert self.live.pop(item) in ("QUEUED", "RESERVED", "KEPT")
            case ItemKept(item_id=item):
                self.live[item] = "KEPT"
            case ItemResumed(item_id=item):
                assert self.live.pop(item) == "KEPT"
            case AgentStateChanged(agent=agent, state=state):
                self.states[agent] = state

    # --- inputs ---

    @rule(
        queue=st.sampled_from(sorted(QUEUES)), basket=st.integers(0, 500),
        destination=st.sampled_from(["asia", "french"]), earlier=st.none() | st.integers(0, 50),
    )  # fmt: skip
    def call(self, queue: str, basket: int, destination: str, earlier: int | None) -> None:
        into = self.engine.floor.queues.get(queue)
        if into is None or into.closed:
            return
        self.made += 1
        age_from = None if earlier is None else self.now - earlier
        self.engine.enqueue(f"c{self.made}", queue, {"basket": basket, "destination": destination}, self.now, age_from)
        self.take()

    @rule(data=st.data())
    def caller_hangs_up(self, data: st.DataObject) -> None:
        there = sorted(item for item, state in self.live.items() if state != "KEPT")
        if there:
            item = data.draw(st.sampled_from(there))
            if self.live[item] == "CONNECTED":
                self.engine.complete(item, self.now)
            else:
                self.engine.abandon(item, self.now)
            self.take()

    @rule(data=st.data())
    def sent_elsewhere(self, data: st.DataObject) -> None:
        waiting = sorted(item for item, state in self.live.items() if state != "CONNECTED")
        if waiting:
            self.engine.withdraw(data.draw(st.sampled_from(waiting)), "extension 9", self.now)
            self.take()

    @rule(data=st.data(), basket=st.integers(0, 500), destination=st.sampled_from(["asia", "french", "none"]))
    def more_is_known(self, data: st.DataObject, basket: int, destination: str) -> None:
        if self.live:
            item = data.draw(st.sampled_from(sorted(self.live)))
            self.engine.rescore(item, {"basket": basket, "destination": destination}, self.now)
            self.take()

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if self.offers:
            assert self.engine.answer(data.draw(st.sampled_from(sorted(self.offers))), self.now)
            self.take()

    @rule(data=st.data(), outcome=st.sampled_from(list(Outcome)))
    def fail(self, data: st.DataObject, outcome: Outcome) -> None:
        if self.offers:
            assert self.engine.fail(data.draw(st.sampled_from(sorted(self.offers))), outcome, self.now)
            self.take()

    @rule(number=st.integers(-5, 0))
    def late_answer(self, number: int) -> None:
        assert not self.engine.answer(number, self.now)
        assert not self.engine.fail(number, Outcome.REJECTED, self.now)

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(["login", "logout", "ready", "ready", "not_ready", "done"]))
    def command(self, name: str, what: str) -> None:
        if name not in self.engine.floor.roster.agents:
            return
        try:
            match what:
                case "login":
                    self.engine.login(name, self.now)
                case "logout":
                    self.engine.logout(name, self.now)
                case "ready":
                    self.engine.ready(name, self.now)
                case "not_ready":
                    self.engine.not_ready(name, "lunch", self.now)
                case "done":
                    self.engine.wrap_up_done(name, self.now)
        except AgentCommandError as error:
            assert error.state == self.states.get(name, "LOGGED_OUT")
        self.take()

    @rule(name=st.sampled_from(["ann", "bob", "cy"]))
    def come_to_work(self, name: str) -> None:
        agent = self.engine.floor.roster.agents.get(name)
        if agent is not None and agent.state is State.LOGGED_OUT:
            self.engine.phone_registered(agent.phone.name, True, self.now)
            self.engine.login(name, self.now)
            self.engine.ready(name, self.now)
            self.take()

    @rule(extension=st.sampled_from(["101", "102", "103", "999"]), registered=st.booleans())
    def phone_registered(self, extension: str, registered: bool) -> None:
        self.engine.phone_registered(extension, registered, self.now)
        self.take()

    @rule(extension=st.sampled_from(["101", "102", "103", "999"]), legs=st.integers(0, 2))
    def phone_calls(self, extension: str, legs: int) -> None:
        self.engine.phone_calls(extension, legs, self.now)
        self.take()

    @rule(seconds=st.sampled_from([0.5, 3.0, 12.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.engine.next_deadline()) is not None and due <= until:
            assert due >= self.now  # nothing overdue was left
            self.now = due
            self.engine.tick(due)
            self.take(one_input=False)  # several things may be due
            assert not audit(self.engine.floor)
        self.now = until

    @rule()
    def clock_steps_back(self) -> None:
        before = self.engine.floor.now
        self.engine.tick(self.now - 5000)
        assert self.engine.floor.now == before
        self.take()

    @rule(number=st.integers(0, len(CHANGES) - 1))
    def reload(self, number: int) -> None:
        places = [item.id for item in self.engine.floor.lines]
        self.engine.reconfigure(self.site(number), self.now)
        assert set(places) <= set(self.engine.floor.items)
        self.take()

    @rule()
    def freeze_and_thaw(self) -> None:
        self.engine = Engine.on(take_up(keep(self.engine.floor)))

    # --- what must hold ---

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "engine"):
            assert not audit(self.engine.floor)

    @invariant()
    def best_first(self) -> None:
        """Of two who wait, whoever has the better score is first, wherever the same agents fit both."""
        if not hasattr(self, "engine"):
            return
        waiting = list(self.engine.floor.lines)
        scores = [item.score + self.now - item.age_from for item in waiting]
        assert all(a >= b - 1e-9 for a, b in pairwise(scores))
        assert all(wanted(self.engine.floor, item) for item in waiting)


TestFloor = Floor.TestCase
TestFloor.settings = settings(max_examples=120, stateful_step_count=40)
