"""Sites with nothing but agents and queues, and a stage for the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from acd.audit import audit
from acd.commands import Command, OfferItem
from acd.engine import Engine
from acd.events import AcdEvent
from acd.reservation import Outcome
from config.schema import Site

T0 = 1_000.0
SALES: dict[str, dict[str, Any]] = {"sales": {"ring_s": 10, "wrap_up_s": 30}}

MakeSite = Callable[[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]], Site]


@pytest.fixture(scope="session")
def make_site() -> MakeSite:
    """Agents and queues as in a site file. An agent without a phone has the extension `x-NAME`."""

    def make(agents: Mapping[str, Mapping[str, Any]], queues: Mapping[str, Mapping[str, Any]]) -> Site:
        phones = {
            name: agent if {"extension", "contact"} & agent.keys() else {"extension": f"x-{name}", **agent}
            for name, agent in agents.items()
        }
        return Site.model_validate(
            {"site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "agents": phones, "queues": dict(queues)}
        )

    return make


class Scene:
    """An engine and its audience."""

    def __init__(self, site: Site) -> None:
        self.now = T0
        self.engine = Engine(site, T0)
        self.events: list[AcdEvent] = []
        self.commands: list[Command] = []
        self.listen()
        self.events.clear()

    def listen(self) -> list[Command]:
        """What came of the last input."""
        events, commands = self.engine.take()
        self.events += events
        self.commands += commands
        assert audit(self.engine.floor) == []
        return commands

    def ready(self, *names: str) -> None:
        for name in names:
            phone = self.engine.floor.roster.agent(name).phone
            self.engine.phone_registered(phone.name, True, self.now)
            self.engine.login(name, self.now)
            self.engine.ready(name, self.now)
        self.listen()

    def call(self, item: str, queue: str = "sales", **attributes: Any) -> list[Command]:
        self.engine.enqueue(item, queue, attributes, self.now)
        return self.listen()

    def wait(self, seconds: float) -> list[Command]:
        until, done = self.now + seconds, len(self.commands)
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = due
            self.engine.tick(due)
            self.listen()
        self.now = until
        return self.commands[done:]

    def offer(self, item: str) -> OfferItem:
        """The live offer of an item."""
        live = self.engine.floor.reservations
        return next(c for c in reversed(self.commands)
                    if isinstance(c, OfferItem) and c.item_id == item and c.reservation in live)  # fmt: skip

    def offered_to(self, item: str) -> str | None:
        reservation = self.engine.floor.items[item].reservation
        return reservation.agent if reservation else None

    def answer(self, item: str) -> None:
        assert self.engine.answer(self.offer(item).reservation, self.now)
        self.listen()

    def fail(self, item: str, outcome: Outcome) -> list[Command]:
        assert self.engine.fail(self.offer(item).reservation, outcome, self.now)
        return self.listen()

    def state(self, name: str) -> tuple[str, str | None]:
        agent = self.engine.floor.roster.agent(name)
        return agent.state.value, agent.reason

    def said(self, kind: type) -> list[AcdEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def stage(make_site: MakeSite) -> Callable[..., Scene]:
    def build(agents: dict[str, dict[str, Any]] | None = None, **queues: dict[str, Any]) -> Scene:
        return Scene(make_site(agents or {"ann": {}, "bob": {}, "cy": {}}, queues or SALES))

    return build
