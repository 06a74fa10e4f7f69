"""Sites with nothing but agents and queues; a stage for the engine; a floor of scripted calls around a desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import pytest

from acd.audit import audit
from acd.callbacks import customer_there
from acd.commands import Command, OfferItem
from acd.desk import Desk
from acd.engine import Engine
from acd.events import AcdEvent
from acd.reservation import Outcome
from config.schema import Destination, Site
from tests.virtual_clock import VirtualClock

T0 = 1_000.0
T1 = 1_700_046_000.0  # Wednesday, 15 November 2023, noon in Paris: no test gets to midnight
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
        """Who is asked; the first one if several are."""
        return next((held.agent for held in self.engine.floor.items[item].reservations.values()), None)

    def asked(self, item: str) -> list[str]:
        """All who are."""
        return [held.agent for held in self.engine.floor.items[item].reservations.values()]

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


# --- the desk's surroundings -----------------------------------------------------------------------------------------


def note(diary: list[tuple[str, ...]], who: str, *words: object) -> None:
    diary.append((who, *(str(word) for word in words)))


class FakeAttempt:
    def __init__(self, destination: Destination, agent: str | None, ring_s: float) -> None:
        self.destination = destination
        self.agent = agent
        self.ring_s = ring_s
        self.live = True
        self.answered = False
        self.note: Callable[..., None] = lambda *words: None
        self.heard: Callable[[], None] | None = None  # to be called when what it hears is over

    def play(self, prompts: Sequence[str], then: Callable[[], None]) -> bool:
        self.note("whisper", self.agent, *prompts)
        self.heard = then
        return "missing" not in prompts


class FakeCall:
    """Keeps a diary of what it was told to do, in the floor's common one."""

    def __init__(self, floor: FakeFloor, name: str, attributes: Mapping[str, str | int | float]) -> None:
        self.floor = floor
        self.lost = ""
        self.id = name
        self.attributes = dict(attributes)
        self.answered = False
        self.waited_s = 0.0
        self.menu_s = 0.0
        self.trunk: str | None = None
        self.from_number = ""
        self.to_number = ""
        self.destination = Destination("queue", "sales")
        self.on_over: Any = None
        self.controller: Any = None
        self.connected: FakeAttempt | None = None  # as the desk finds it in a call of the last server
        self.attempts: list[FakeAttempt] = []
        self.plays = 0

    def note(self, *words: object) -> None:
        note(self.floor.diary, self.id, *words)

    def ring(self) -> None:
        self.note("ring")

    def answer(self) -> None:
        self.answered = True
        self.note("answer")

    def play(self, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        self.answered = True
        said = ["[", *prompts[:once], "]"] if once else []
        self.note("play", *said, *prompts[once:], "looped" if loop else "once")
        self.plays += 1
        return self.plays

    def said(self) -> None:
        """What was to be heard once is over."""
        self.controller.on_played(self, self.plays)

    def silence(self) -> None:
        self.note("silence")

    def dial(self, destination: Destination, *, ring_s: float, agent: str | None = None) -> FakeAttempt:
        self.note("dial", destination)
        self.attempts.append(FakeAttempt(destination, agent, ring_s))
        self.attempts[-1].note = partial(note, self.floor.diary, self.id)
        self.floor.legs(destination, 1)
        self.floor.on_dial()
        return self.attempts[-1]

    def drop(self, attempt: FakeAttempt, cause: str = "", reason: str = "") -> None:
        if attempt.live:
            self.note("drop", cause, *([reason] if reason else []))
            self.over(attempt)

    def bridge(self, attempt: FakeAttempt) -> None:
        self.answered = True
        self.note("bridge", attempt.agent)

    def hang_up(self, cause: str) -> None:
        self.note("hang up", cause)
        self.close()

    def refuse(self, status: int, cause: str) -> None:
        self.note("refuse", status, cause)
        self.close()

    def route(self, destination: Destination) -> None:
        self.note("route", destination)
        if destination.kind == "queue":
            self.floor.desk.enter(cast(Any, self), destination.name)

    # --- what happens to it ---

    def over(self, attempt: FakeAttempt) -> None:
        attempt.live = False
        self.floor.legs(attempt.destination, -1)

    def close(self) -> None:
        for attempt in self.attempts:
            if attempt.live:
                self.over(attempt)
        self.floor.calls.pop(self.id, None)

    def phone_rings(self) -> None:
        self.controller.on_ringing(self, self.attempts[-1])

    def phone_answers(self, agent: str | None = None) -> None:
        self.controller.on_answered(self, self.rung(agent))

    def phone_refuses(self, status: int, agent: str | None = None) -> None:
        attempt = self.rung(agent)
        self.over(attempt)
        self.controller.on_failed(self, attempt, status, "refused")

    def agent_hangs_up(self, agent: str | None = None) -> None:
        attempt = self.rung(agent)
        self.over(attempt)
        self.controller.on_ended(self, attempt)

    def rung(self, agent: str | None) -> FakeAttempt:
        """The last attempt, or the last at this agent's."""
        return next(one for one in reversed(self.attempts) if agent in (None, one.agent))

    def caller_hangs_up(self) -> None:
        self.close()
        self.controller.on_caller_gone(self, "caller hung up")


class FakePops:
    """Screens that take an offer at once, or when told (`slow`)."""

    def __init__(self, diary: list[tuple[str, ...]]) -> None:
        self.diary = diary
        self.slow = False
        self.waiting: list[Callable[[], None]] = []
        self.reservations: list[int] = []

    def offer(self, call: FakeCall, agent: str, queue: str, reservation: int, then: Callable[[], None]) -> None:
        self.diary.append((call.id, "offer", agent, queue))
        self.reservations.append(reservation)
        if self.slow:
            self.waiting.append(then)
        else:
            then()

    def retract(self, call: FakeCall, agent: str, reason: str) -> None:
        self.diary.append((call.id, "retract", agent, reason))

    def connected(self, call: FakeCall, agent: str) -> None:
        self.diary.append((call.id, "connected", agent))

    def wrap_up(self, call: FakeCall, agent: str) -> None:
        self.diary.append((call.id, "wrap_up", agent))

    def ended(self, call: FakeCall, agent: str) -> None:
        self.diary.append((call.id, "ended", agent))


class FakeFloor:
    """Everything around the desk."""

    def __init__(self, site: Site) -> None:
        self.diary: list[tuple[str, ...]] = []
        self.clock = VirtualClock(T1)
        self.events: list[Any] = []
        self.pops = FakePops(self.diary)
        self.counters: Counter[str] = Counter()
        self.calls: dict[str, FakeCall] = {}
        self._legs: Counter[str] = Counter()
        self.on_dial: Callable[[], None] = lambda: None
        self.desk = Desk(site, self.clock, self.events.append, cast(Any, self.pops), self.counters)

    def legs(self, destination: Destination, change: int) -> None:
        if destination.kind == "extension":
            self._legs[destination.name] += change
            self.desk.phone_calls(destination.name, self._legs[destination.name])

    def agents(self, *names: str) -> None:
        for name in names:
            self.desk.phone_registered(f"x-{name}", True)
            self.desk.login(name)
            self.desk.ready(name)

    def call(
        self, name: str, queue: str = "sales", *, answered: bool = False, number: str = "", **attributes: Any
    ) -> FakeCall:
        call = self.calls[name] = FakeCall(self, name, attributes)
        call.answered, call.from_number = answered, number
        self.desk.enter(cast(Any, call), queue)
        return call

    def state(self, name: str) -> tuple[object, object]:
        agent = next(agent for agent in self.desk.agents() if agent["name"] == name)
        return agent["state"], agent["reason"]

    def told(self, since: int = 0) -> list[tuple[str, ...]]:
        """The diary; the desk's own records must agree with the engine's at any moment."""
        engine = self.desk._engine
        assert audit(engine.floor) == []
        items = [item for item in engine.floor.items.values() if item.state != "KEPT"]
        # a callback has a call while an agent is held for it, or when its customer is there
        waits = [item for item in items if item.state == "QUEUED" and not customer_there(engine.floor, item)]
        assert set(self.desk._calls) == {item.id for item in items if item not in waits}
        offers = {offer for entry in self.desk._calls.values() for offer in entry.offers}
        assert offers == set(engine.floor.reservations)
        assert set(self.desk._wrapping) == {a["name"] for a in self.desk.agents() if a["state"] == "WRAP_UP"}
        return self.diary[since:]

    def what(self, since: int = 0) -> list[str]:
        return [" ".join(line) for line in self.told(since)]


@pytest.fixture
def floor(make_site: MakeSite) -> Callable[..., FakeFloor]:
    def build(agents: dict[str, dict[str, Any]] | None = None, **queues: dict[str, Any]) -> FakeFloor:
        queues = queues or {"sales": {"music": "music", "ring_s": 10, "wrap_up_s": 30}}
        return FakeFloor(make_site(agents or {"ann": {}, "bob": {}}, queues))

    return build
