"""Random histories with callbacks, of both orders, kept and taken up from a checkpoint in between: never are more
customers called than agents held, nobody overtakes, every callback ends, totals balance (`audit`)."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from acd.audit import audit
from acd.callback_errors import CallbackError
from acd.callback_events import CallbackAsked, CallbackClosed
from acd.callbacks import CallbackState, customer_there, state_of
from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.errors import AgentCommandError, UnknownQueue
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

    def look(self, *, one_input: bool = True) -> None:
        """`one_input`: else several things were due at once, and who comes second may be in line before who is gone."""
        floor = self.engine.floor
        for event in self.engine.take()[0]:
            if isinstance(event, CallbackAsked):
                self.asked.add(event.callback_id)
            elif isinstance(event, CallbackClosed):
                self.closed.append(event.callback_id)
            elif one_input and isinstance(event, ItemReserved) and event.item_id in floor.items:
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
            self.look(one_input=False)
        self.now = until

    def step(self, number: int) -> None:
        rng, floor = self.rng, self.engine.floor
        tried = sorted(item.id for item in floor.items.values() if item.state is not ItemState.QUEUED)
        item = rng.choice(tried if tried and rng.random() < 0.9 else sorted(floor.items) or [""])
        rng.choice([self.asks, self.agents, self.agents, self.calls, self.calls, self.calls, self.others])(number, item)

    def asks(self, number: int, item: str) -> None:
        """Callers come, or ask to be called, some of them out of the queue."""
        rng, engine, floor = self.rng, self.engine, self.engine.floor
        queue, phone = rng.choice(list(QUEUES)), f"+3361234560{rng.randrange(8)}"
        if rng.random() < 0.3 and queue in floor.queues and not floor.queues[queue].closed:
            caller = phone if rng.random() < 0.3 else ""
            engine.enqueue(f"c{number}", queue, {"basket": rng.randrange(300)}, self.now, caller=caller)
            return
        due = None if rng.random() < 0.7 else self.now + rng.randrange(60)
        waits = [one for one in floor.items.values() if one.state is ItemState.QUEUED and one.callback is None]
        place = rng.choice(waits) if waits and rng.random() < 0.5 else None
        with suppress(CallbackError, UnknownQueue):
            into = queue if place is None else place.queue.name
            engine.ask_callback(
                f"cb{number}", into, phone, {}, self.now, "", due, None if place is None else place.id
            )

    def agents(self, number: int, item: str) -> None:
        rng, engine, held = self.rng, self.engine, sorted(self.engine.floor.reservations)
        what = rng.randrange(5)
        if what < 2 and held:
            engine.answer(rng.choice(held), self.now)
        elif what == 2 and held and rng.random() < 0.3:
            engine.fail(rng.choice(held), rng.choice([Outcome.NO_ANSWER, Outcome.FAILED]), self.now)
        elif what == 3:
            name = rng.choice(sorted(AGENTS))
            with suppress(AgentCommandError):
                engine.login(name, self.now)
                engine.ready(name, self.now)
        elif rng.random() < 0.15:
            engine.logout(rng.choice(sorted(AGENTS)), self.now)

    def calls(self, number: int, item: str) -> None:
        """What becomes of calls."""
        rng, engine, one = self.rng, self.engine, self.engine.floor.items.get(item)
        match rng.randrange(8):
            case 0 | 1:
                engine.customer_dialled(item, self.now)
            case 2 | 3:
                engine.customer_reached(item, self.now)
            case 4 if rng.random() < 0.4:
                engine.customer_missed(item, "busy", self.now)
            case 5 if rng.random() < 0.2:
                engine.callback_let_go(item, self.now)
            case 6 if one is not None and one.state is ItemState.CONNECTED:
                engine.complete(item, self.now)
            case 7 if one is not None and one.state in (ItemState.QUEUED, ItemState.RESERVED) and rng.random() < 0.3:
                if customer_there(engine.floor, one):
                    engine.abandon(item, self.now)

    def others(self, number: int, item: str) -> None:
        rng, engine, floor = self.rng, self.engine, self.engine.floor
        callback, queue = rng.choice(sorted(floor.callbacks) or [""]), rng.choice(list(QUEUES))
        match rng.randrange(8):
            case 0 if rng.random() < 0.3:
                with suppress(CallbackError):
                    engine.cancel_callback(callback, self.now)
            case 1:
                with suppress(CallbackError):
                    engine.reschedule_callback(callback, self.now + 30, self.now)
            case 2:
                engine.callback_hours(queue, rng.random() < 0.8, self.now)
            case 3:
                engine.reconfigure(site(*(QUEUES if rng.random() < 0.8 else ["all"])), self.now)
            case 4:
                self.engine = Engine.on(take_up(keep(floor)))
            case _:
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
