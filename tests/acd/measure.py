"""What the ACD costs per queue call, in virtual time: `python tests/acd/measure.py [AGENTS] [CALLS_PER_S] [SECONDS]`.

A call is everything from `Desk.enter` to the end of its work: offer, screen, ringing, answer, talk, hang-up. Calls,
screens and the journal are empty shells, so the figure is engine and desk alone. Ten skills; every agent has three of
them; one caller in two needs one.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[2]))

from acd.desk import Desk
from config.schema import Site

SKILLS = [f"s{n}" for n in range(10)]


class Timer:
    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., None], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., None] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None


class Clock:
    def __init__(self) -> None:
        self.time = 1.7e9
        self.heap: list[tuple[float, int, Timer]] = []
        self.number = itertools.count()

    def now(self) -> float:
        return self.time

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> Timer:
        timer = Timer(callback, args)
        heapq.heappush(self.heap, (self.time + delay_s, next(self.number), timer))
        return timer


class Shell:
    """A call that does as it is told; its phones answer after a second, its callers talk for `talk_s`."""

    answered = True

    def __init__(self, world: World, name: str, attributes: dict[str, str | int | float]) -> None:
        self.world = world
        self.id = name
        self.attributes = attributes
        self.controller: Any = None

    def _nothing(self, *args: object, **kwargs: object) -> int:
        return 0

    answer = ring = silence = play = bridge = hang_up = refuse = route = drop = _nothing

    def dial(self, *args: object, **kwargs: object) -> object:
        attempt = object()
        self.world.clock.after(0.1, self.world.answered, self, attempt)
        return attempt


class Pops:
    def offer(self, call: object, agent: str, queue: str, reservation: int, then: Callable[[], None]) -> None:
        then()

    def _nothing(self, *args: object) -> None: ...

    retract = connected = wrap_up = ended = _nothing


class World:
    def __init__(self, site: Site, calls_per_s: int, talk_s: float) -> None:
        self.clock = Clock()
        self.talk_s = talk_s
        self.rng = random.Random(1)
        self.events = 0
        self.spent = 0.0
        self.slowest: list[float] = []
        self.desk = Desk(site, self.clock, self._emit, cast(Any, Pops()), Counter())
        self.calls_per_s = calls_per_s
        self.arrived = 0

    def _emit(self, event: object) -> None:
        self.events += 1

    def answered(self, call: Shell, attempt: object) -> None:
        self.timed(call.controller.on_answered, call, attempt)
        self.clock.after(self.talk_s, self.over, call, attempt)

    def over(self, call: Shell, attempt: object) -> None:
        self.timed(call.controller.on_ended, call, attempt)

    def arrive(self) -> None:
        self.arrived += 1
        basket, skill = self.rng.randrange(3000), self.rng.choice(SKILLS)
        call = Shell(self, f"call-{self.arrived}", {"basket": basket, "skill": skill})
        self.timed(self.desk.enter, call, self.rng.choice(("any", "skilled")))
        self.clock.after(self.rng.expovariate(self.calls_per_s), self.arrive)

    def timed(self, what: Callable[..., None], *args: object) -> None:
        start = time.process_time_ns()
        what(*args)
        took = (time.process_time_ns() - start) / 1000
        self.spent += took
        self.slowest.append(took)

    def run(self, seconds: float) -> None:
        until = self.clock.time + seconds
        self.arrive()
        heap = self.clock.heap
        while heap and heap[0][0] <= until:
            self.clock.time, _, timer = heapq.heappop(heap)
            if timer.callback is not None:
                timer.callback(*timer.args)


def main(agents: int, calls_per_s: int, seconds: float) -> None:
    rng = random.Random(2)
    site = Site.model_validate({
        "site": "measure",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "agents": {
            f"agent{n}": {"contact": f"sip:agent{n}@192.0.2.1", "login": "always",
                          "skills": {skill: rng.randint(1, 10) for skill in rng.sample(SKILLS, 3)}}
            for n in range(agents)
        },
        "queues": {
            "any": {"wrap_up_s": 0, "max_wait_s": 60, "music": "music"},
            "skilled": {"wrap_up_s": 0, "value_weight": 0.01, "needs": "skill(call.skill) >= 4 and not call.blocked"},
        },
    })  # fmt: skip
    gc.disable()
    for load in (0.5, 0.9, 1.1):
        world = World(site, calls_per_s, agents * load / calls_per_s - 0.1)
        world.run(seconds)
        took = sorted(world.slowest)
        waiting = len(world.desk._engine.floor.lines)
        print(  # noqa: T201
            f"{agents} agents, {calls_per_s} calls/s, load {load:.0%}: {world.spent / world.arrived:.1f} us/call, "
            f"{world.events / world.arrived:.1f} events/call, decisions p50 {took[len(took) // 2]:.1f} us, "
            f"p99 {took[int(len(took) * 0.99)]:.1f} us; {waiting} waiting at the end"
        )


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    main(int(given.get(0, 200)), int(given.get(1, 600)), float(given.get(2, 20)))
