"""Random histories of calls, phones, screens and agents around the desk. Whatever the order in which things happen:
screens and phones see possible stories only, and in the end nobody is left anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from acd.errors import AgentCommandError

Open = Callable[..., Any]
AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"skills": {"asia": 6}},
    "bob": {"skills": {"asia": 2}},
    "cy": {"extension": "x-bob", "skills": {"asia": 9}},
    "dee": {"contact": "sip:dee@192.0.2.1", "login": "always"},
}
QUEUES: dict[str, dict[str, Any]] = {
    "asia": {"needs": "asia >= 5", "ring_s": 3, "wrap_up_s": 4, "max_wait_s": 12, "overflow": "queue all"},
    "all": {"ring_s": 4, "wrap_up_s": 0, "max_wait_s": 30, "answer": "on agent"},
}
SCREEN = {
    ("", "offer"): "offered", ("offered", "retract"): "", ("offered", "connected"): "talks",
    ("talks", "wrap_up"): "wrap_up", ("talks", "ended"): "", ("wrap_up", "ended"): "",
}  # fmt: skip


class Watch:
    """Reads the diary as the outside world would."""

    def __init__(self, floor: Any) -> None:
        self.floor = floor
        self.read = 0
        self.screens: dict[str, tuple[str, str]] = {}  # agent -> call, state of the pop

    def look(self) -> None:
        lines = self.floor.told(self.read)
        self.read += len(lines)
        for call, what, *words in lines:
            if what in ("offer", "retract", "connected", "wrap_up", "ended"):
                shown, state = self.screens.get(words[0], ("", ""))
                assert shown in ("", call)
                after = SCREEN[state, what]
                self.screens[words[0]] = (call, after) if after else ("", "")
            elif what == "dial":
                assert [name for name, (shown, state) in self.screens.items() if shown == call and state == "offered"]
        for call in self.floor.calls.values():
            live = [attempt for attempt in call.attempts if attempt.live]
            assert len(live) <= 1
        for name in ("ann", "bob", "cy", "dee"):
            live = [a for call in self.floor.calls.values() for a in call.attempts if a.live and a.agent == name]
            assert len(live) <= 1
        assert max(self.floor._legs.values(), default=0) <= 1  # also where two agents share a phone
        assert self.floor.clock.pending() <= 1


def step(floor: Any, rng: random.Random, number: int) -> None:
    calls = list(floor.calls.values())
    busy = [call for call in calls if call.attempts and call.attempts[-1].live]
    call: Any = rng.choice(busy if busy and rng.random() < 0.7 else calls) if calls else None
    attempt = call.attempts[-1] if call is not None and call.attempts else None
    agent = rng.choice(list(AGENTS))
    match rng.randrange(14):
        case 0 | 1 | 2:
            queue, answered = rng.choice(list(QUEUES)), rng.random() < 0.3
            floor.call(f"c{number}", queue, answered=answered, basket=rng.randrange(99))
        case 3 | 4 if attempt is not None and attempt.live and not attempt.answered:
            attempt.answered = True
            call.phone_answers()
        case 5 if attempt is not None and attempt.live and not attempt.answered:
            if rng.random() < 0.5:
                call.phone_rings()
            call.phone_refuses(rng.choice([408, 480, 486, 503, 603]))
        case 6 if attempt is not None and attempt.live and attempt.answered:
            call.agent_hangs_up()
        case 7 if call is not None and rng.random() < 0.5:
            call.caller_hangs_up()
        case 8:
            floor.desk.phone_registered(rng.choice(["x-ann", "x-bob"]), rng.random() < 0.7)
        case 9 | 10:
            desk = floor.desk
            leave = partial(desk.not_ready, reason="lunch")
            with suppress(AgentCommandError):
                rng.choice([desk.login, *[desk.ready] * 4, desk.logout, desk.wrap_up_done, leave])(agent)
        case 11 if floor.pops.waiting:
            floor.pops.waiting.pop(rng.randrange(len(floor.pops.waiting)))()
        case 12:
            floor.pops.slow = rng.random() < 0.5
        case 13:
            floor.clock.run(rng.choice([0.0, 1.0, 3.0, 7.0]))


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_things(floor: Open, seed: int) -> None:
    rng = random.Random(seed)
    f = floor(AGENTS, **QUEUES)
    f.agents("ann", "bob", "cy")
    watch = Watch(f)
    for number in range(250):
        step(f, rng, number)
        watch.look()
    for call in list(f.calls.values()):
        call.caller_hangs_up()
    watch.look()
    f.clock.run(1000)
    watch.look()
    assert set(watch.screens.values()) <= {("", "")}
    assert f.clock.pending() == 0
    for queue in f.desk.queues():
        assert queue["offered"] == queue["answered"] + queue["abandoned"] + queue["overflowed"]
    for then in f.pops.waiting:  # screens that wake up late
        then()
    watch.look()
