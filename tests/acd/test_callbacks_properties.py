"""Random histories with callbacks, of both orders, kept and taken up from a checkpoint in between: never are more
customers called than agents held, nobody overtakes, every callback ends, totals balance (`audit`)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from acd.audit import audit
from acd.callback_errors import CallbackError
from acd.callback_events import CallbackAsked, CallbackClosed
from acd.callbacks import CallbackState, state_of
from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.errors import AgentCommandError
from acd.events import ItemReserved
from acd.model import ItemState
from acd.reservation import Outcome
from config.schema import Site

BACK = {"ring_s": 6, "retries": 1, "retry_after_s": 20, "keep_s": 200, "most": 6}
QUEUES: dict[str, dict[str, Any]] = {
    "first": {"ring_s": 5, "wrap_up_s": 3, "value_weight": 0.1, "callback": BACK, "max_wait_s": 40},
    "all": {"ring_s": 5, "wrap_up_s": 0, "strategy": "ring all", "callback": {**BACK, "order": "customer first"}},
}
AGENTS = {name: {"extension": f"x-{name}"} for name in ("ann", "bob", "cy")}


def site(*queues: str) -> Site:
    return Site.model_validate(
        {"site": "t", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "agents": AGENTS,
         "queues": {name: QUEUES[name] for name in queues}}
    )  # fmt: skip


class History:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 1000.0
        self.engine = Engine(site(*QUEUES), self.now)
        self.asked: set[str] = set()
        self.closed: list[str] = []
        for name in AGENTS:
            self.engine.phone_registered(f"x-{name}", True, self.now)
        self.look()

    def look(self) -> None:
        floor = self.engine.floor
        for event in self.engine.take()[0]:
            if isinstance(event, CallbackAsked):
                self.asked.add(event.callback_id)
            elif isinstance(event, CallbackClosed):
                self.closed.append(event.callback_id)
            elif isinstance(event, ItemReserved) and event.item_id in floor.items:
                slot, item = floor.roster.agent(event.agent).slot, floor.items[event.item_id]
                before = [one for one in floor.lines if one.eligible >> slot & 1 and one.rank < item.rank]
                assert not [one.id for one in before if one.state is ItemState.QUEUED]
        assert audit(floor) == []
        assert sorted(self.closed) == sorted(set(self.closed)) and set(self.closed) <= self.asked
        assert set(floor.callbacks) == self.asked - set(self.closed)
        dialled = [one for one in floor.callbacks.values() if state_of(floor, one) is CallbackState.DIALLING]
        held = {one.item_id for one in floor.reservations.values()} | {
            item.id for item in floor.items.values() if item.agent is not None
        }
        assert {one.item_id for one in dialled} <= held

    def tick(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.engine.tick(self.now)
            self.look()
        self.now = until

    def step(self, number: int) -> None:
        rng, engine, floor = self.rng, self.engine, self.engine.floor
        items, held = sorted(floor.items), sorted(floor.reservations)
        item, queue = (rng.choice(items) if items else ""), rng.choice(list(QUEUES))
        callback = rng.choice(sorted(floor.callbacks)) if floor.callbacks else ""
        phone = f"+3361234560{rng.randrange(8)}"
        match rng.randrange(16):
            case 0 | 1 if queue in floor.queues and not floor.queues[queue].closed:
                caller = phone if rng.random() < 0.5 else ""
                engine.enqueue(f"c{number}", queue, {"basket": rng.randrange(300)}, self.now, caller=caller)
            case 2 | 3:
                due = None if rng.random() < 0.6 else self.now + rng.randrange(60)
                waits = [one for one in items if floor.items[one].state is ItemState.QUEUED]
                place = rng.choice(waits) if waits and rng.random() < 0.5 else None
                ours = place is not None and floor.items[place].callback is None
                name = floor.items[place].queue.name if place is not None and ours else queue
                try:
                    engine.ask_callback(f"cb{number}", name, phone, {}, self.now, "", due, place if ours else None)
                except CallbackError:
                    pass
                except Exception as error:
                    assert type(error).__name__ == "UnknownQueue"
            case 4 | 5 if held:
                engine.answer(rng.choice(held), self.now)
            case 6 if held:
                outcome = rng.choice([Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.FAILED])
                engine.fail(rng.choice(held), outcome, self.now)
            case 7 | 8:
                engine.customer_dialled(item, self.now)
            case 9:
                engine.customer_reached(item, self.now)
            case 10:
                rng.choice([lambda: engine.customer_missed(item, "busy", self.now),
                            lambda: engine.callback_let_go(item, self.now)])()  # fmt: skip
            case 11 if item:
                one = floor.items[item]
                there = one.callback is None or floor.callbacks[one.callback].reached
                if one.state is ItemState.CONNECTED:
                    engine.complete(item, self.now)
                elif there and one.state is not ItemState.KEPT:
                    engine.abandon(item, self.now)
            case 12:
                agent = rng.choice(sorted(AGENTS))
                try:
                    rng.choice([engine.login, *[engine.ready] * 4, engine.logout])(agent, self.now)
                except AgentCommandError:
                    pass
            case 13:
                try:
                    rng.choice([lambda: engine.cancel_callback(callback, self.now),
                                lambda: engine.reschedule_callback(callback, self.now + 30, self.now)])()  # fmt: skip
                except CallbackError:
                    pass
            case 14:
                rng.choice([
                    lambda: engine.callback_hours(queue, rng.random() < 0.7, self.now),
                    lambda: engine.reconfigure(site(*(QUEUES if rng.random() < 0.7 else ["all"])), self.now),
                    lambda: setattr(self, "engine", Engine.on(take_up(keep(floor)))),
                ])()  # fmt: skip
            case 15:
                self.tick(rng.choice([0.5, 3.0, 11.0, 30.0]))


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_things(seed: int) -> None:
    history = History(seed)
    for number in range(300):
        history.step(number)
        history.look()
    engine = history.engine
    for queue in list(engine.floor.queues):
        engine.callback_hours(queue, True, history.now)
    for agent in AGENTS:
        engine.logout(agent, history.now)
    for item in list(engine.floor.items.values()):
        if item.state is ItemState.DIALLING:
            engine.customer_missed(item.id, "busy", history.now)
        elif item.state is ItemState.CONNECTED:
            engine.complete(item.id, history.now)
        elif item.callback is not None and engine.floor.callbacks[item.callback].reached:
            engine.abandon(item.id, history.now)
    history.tick(1000)
    history.look()
    assert not history.engine.floor.callbacks and history.asked == set(history.closed)
