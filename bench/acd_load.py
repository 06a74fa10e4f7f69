"""A floor for the ACD's benchmark: agents with random skills, calls that need one to three of them.

It is the engine alone, in virtual time: each input is timed by itself. Everybody works; with every release comes an
arrival, so that the number of those who wait stays what it is to be. Calls need skills that some agent has, at a level
he has, so that nobody waits for ever; those few agents fit soon wait in lines of their own, which is the worst case.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from acd.agent_state import State
from acd.commands import OfferItem
from acd.engine import Engine
from acd.events import ItemConnected, ItemReserved
from acd.model import ItemState
from acd.reservation import Outcome
from config.schema import Site

SKILLS = 200
SKILLS_EACH = 5
ARRIVALS_PER_S = 200.0
T0 = 1.7e9
_COUNTS = (1, 1, 1, 1, 2, 2, 2, 3, 3, 0)  # skills that a call needs; 0: a queue whose needs are the same for all
_FIXED = 50  # queues of that kind
_ABANDON, _RESCORE, _NOT_ANSWERED = 0.05, 0.10, 0.03  # shares of the arrivals to which that happens

Attributes = dict[str, str | int | float]


def site_of(agents: int, rng: random.Random, more: Mapping[str, object] | None = None) -> Site:
    """So many agents, and queues whose calls say themselves what they need, one, two or three skills. `more`: what else
    each of these queues has."""
    names = [f"s{n}" for n in range(SKILLS)]
    people: dict[str, dict[str, Any]] = {
        f"agent{n}": {
            "extension": f"{n + 1_000_000}",
            "skills": {skill: rng.randint(1, 10) for skill in rng.sample(names, SKILLS_EACH)},
        }
        for n in range(agents)
    }
    one = "skill(call.skill{0}) >= call.level{0}"
    queues: dict[str, dict[str, object]] = {
        f"needs{count}": {"needs": " and ".join(one.format(n) for n in range(count)), "wrap_up_s": 0, "ring_s": 20,
                          "value_weight": 0.01, "max_wait_s": 3600}
        for count in (1, 2, 3)
    }  # fmt: skip
    for n in range(_FIXED):
        skills = people[f"agent{rng.randrange(agents)}"]["skills"]
        first, *others = rng.sample(sorted(skills), 3)
        queues[f"fixed{n}"] = {
            "needs": f"{first} >= {skills[first]} and ({others[0]} or {others[1]}) or {others[1]} >= 9", "wrap_up_s": 0,
            "priority": rng.choice((0, 0, 30)),
        }  # fmt: skip
    for queue in queues.values():
        queue.update(more or {})
    queues["all"] = {"wrap_up_s": 0}
    return Site.model_validate(
        {"site": "bench", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "agents": people, "queues": queues,
         "extensions": {}}
    )  # fmt: skip


class Times:
    """What one kind of input took: CPU of this thread, in ns; waiting for a core is not the engine's doing."""

    __slots__ = ("cpu",)

    def __init__(self) -> None:
        self.cpu = array("q")

    def at(self, share: float) -> float:
        """The quantile, in ms."""
        ordered = sorted(self.cpu)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0

    @property
    def total_s(self) -> float:
        return sum(self.cpu) / 1e9


class Load:
    """The engine, and all who call and answer."""

    def __init__(self, agents: int, waiting: int, seed: int = 1, more: Mapping[str, object] | None = None) -> None:
        self.rng = random.Random(seed)
        self.waiting = waiting
        self.now = T0
        self.site = site_of(agents, self.rng, more)
        self.engine = Engine(self.site, T0)
        self.times: dict[str, Times] = {}
        self.decided = Times()  # the inputs by which somebody could get a call, whatever they are called
        self.names = list(self.site.agents)
        self.phones = {name: str(agent.extension) for name, agent in self.site.agents.items()}
        self.talking: list[str] = []  # items
        self.agent_of: dict[str, str] = {}
        self.arrived = 0
        self.connected = 0
        self._made: list[str] = []  # items that may still wait

    # --- inputs ---

    def timed(self, what: str, method: Callable[..., object], *args: object, decides: bool = False) -> None:
        start = time.thread_time_ns()
        method(*args)
        took = time.thread_time_ns() - start
        times = self.times.get(what)
        if times is None:
            times = self.times[what] = Times()
        times.cpu.append(took)
        if decides:
            self.decided.cpu.append(took)
        self._follow()

    def _follow(self) -> None:
        """Phones that ring are answered; some are not."""
        events, commands = self.engine.take()
        for event in events:
            if isinstance(event, ItemConnected):
                self.talking.append(event.item_id)
                self.agent_of[event.item_id] = event.agent
                self.connected += 1
        for command in commands:
            if isinstance(command, OfferItem):
                phone = self.phones[command.agent]
                self.timed("phone_calls", self.engine.phone_calls, phone, 1, self.now)
                if self.rng.random() < _NOT_ANSWERED:
                    self.timed("phone_calls", self.engine.phone_calls, phone, 0, self.now)
                    held = command.reservation
                    self.timed("fail", self.engine.fail, held, Outcome.REJECTED, self.now, decides=True)
                    self.timed("ready", self.engine.ready, command.agent, self.now, decides=True)
                else:
                    self.timed("answer", self.engine.answer, command.reservation, self.now)

    def arrive(self) -> None:
        self.timed("enqueue", self.engine.enqueue, *self._next_call(), decides=True)
        if self.rng.random() < _ABANDON and (some := self._one_waiting()):
            self.timed("abandon", self.engine.abandon, some, self.now)
        if self.rng.random() < _RESCORE and (some := self._one_waiting()):
            known = dict(self.engine.floor.items[some].attributes)
            known["basket"] = self.rng.randrange(3000)
            self.timed("rescore", self.engine.rescore, some, known, self.now, decides=True)

    def release(self) -> None:
        """Some agent's call ends."""
        at = self.rng.randrange(len(self.talking))
        self.talking[at], self.talking[-1] = self.talking[-1], self.talking[at]
        item = self.talking.pop()
        agent = self.agent_of.pop(item)
        self.timed("phone_calls", self.engine.phone_calls, self.phones[agent], 0, self.now)
        self.timed("complete", self.engine.complete, item, self.now, decides=True)

    def _next_call(self) -> tuple[str, str, Attributes, float]:
        """The arguments of `enqueue`."""
        self.arrived += 1
        item = f"call-{self.arrived}"
        self._made.append(item)
        return item, *self._wish(), self.now

    def _wish(self) -> tuple[str, Attributes]:
        rng = self.rng
        count = rng.choice(_COUNTS)
        if not count:
            return f"fixed{rng.randrange(_FIXED)}", {"basket": rng.randrange(3000)}
        skills = self.site.agents[rng.choice(self.names)].skills
        known: Attributes = {"basket": rng.randrange(3000), "language": "de", "customer": rng.randrange(100_000)}
        for n, skill in enumerate(rng.sample(list(skills), count)):
            known[f"skill{n}"] = skill
            known[f"level{n}"] = rng.randint(1, skills[skill])
        return f"needs{count}", known

    def _one_waiting(self) -> str | None:
        for _ in range(20):
            if not self._made:
                return None
            at = self.rng.randrange(len(self._made))
            item = self.engine.floor.items.get(self._made[at])
            if item is not None and item.state is ItemState.QUEUED:
                return item.id
            self._made[at] = self._made[-1]
            self._made.pop()
        return None

    # --- scenes ---

    def fill(self) -> None:
        """Everybody talks, and so many wait."""
        engine = self.engine
        for n in range(len(self.names)):
            engine.enqueue(f"first-{n}", "all", {}, self.now)
        for name in self.names:
            engine.phone_registered(self.phones[name], True, self.now)
            engine.login(name, self.now)
            engine.ready(name, self.now)
        for event in engine.take()[0]:
            if isinstance(event, ItemReserved):
                engine.answer(event.reservation, self.now)
                engine.phone_calls(self.phones[event.agent], 1, self.now)
        self._follow()
        while len(engine.floor.lines) < self.waiting:
            self.now += 0.001
            self.arrive()
        self.forget_times()

    def run(self, releases: int) -> Iterator[int]:
        """So many calls end, and as many come as keep the number of those who wait."""
        floor = self.engine.floor
        for done in range(releases):
            self.now += 1 / ARRIVALS_PER_S
            self.release()
            while len(floor.lines) < self.waiting:
                self.arrive()
            if (due := self.engine.next_deadline()) is not None and due <= self.now:
                self.timed("tick", self.engine.tick, self.now, decides=True)
            yield done

    def change_states(self, rounds: int) -> Iterator[int]:
        """Agents press buttons, phones come, go and make calls of their own; whoever talks ends the call first."""
        floor, engine = self.engine.floor, self.engine
        for done in range(rounds):
            self.now += 0.0002
            agent = floor.roster.agents[self.rng.choice(self.names)]
            name, phone, item = agent.name, agent.phone.name, agent.item_id
            self.timed("not_ready", engine.not_ready, name, "lunch", self.now)
            if item is not None and agent.state is State.BUSY:
                self.talking.remove(item)
                del self.agent_of[item]
                self.timed("phone_calls", engine.phone_calls, phone, 0, self.now)
                self.timed("complete", engine.complete, item, self.now, decides=True)
            self.timed("logout", engine.logout, name, self.now)
            self.timed("unregistered", engine.phone_registered, phone, False, self.now)
            self.timed("login", engine.login, name, self.now)
            self.timed("registered", engine.phone_registered, phone, True, self.now)
            self.timed("ready", engine.ready, name, self.now, decides=True)
            if floor.roster.available(agent):
                self.timed("phone_calls", engine.phone_calls, phone, 1, self.now)
                self.timed("phone_calls", engine.phone_calls, phone, 0, self.now, decides=True)
            while len(floor.lines) < self.waiting:
                engine.enqueue(*self._next_call())
                self._follow()
            yield done

    def forget_times(self) -> None:
        self.times, self.decided = {}, Times()
