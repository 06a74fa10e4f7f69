"""Random histories of everything that may happen to callers who wait, around the desk: rules, keys, announcements,
whispers, kept places, supervisors. Screens and phones see possible stories only, and in the end nobody is left."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest

from acd.errors import ItemCommandError, UnknownItem
from config.schema import Destination
from tests.acd.conftest import FakeCall
from tests.acd.test_announcer import FakeVoice
from tests.acd.test_desk_properties import AGENTS, step

Open = Callable[..., Any]
QUEUES: dict[str, dict[str, Any]] = {
    "asia": {
        "needs": "asia >= 5", "relax": [{"after_s": 5, "needs": "asia"}], "ring_s": 3, "wrap_up_s": 4, "max_wait_s": 12,
        "overflow": "queue all", "music": "m", "resume_s": 8, "whisper": ["w"], "emergency": "queue all",
        "enter": [{"when": "waiting >= 4", "to": "extension 9"}], "keys": {"0": "extension 9", "1": "queue all"},
        "announce": {"position": True, "first_after_s": 1, "every_s": 3, "messages": ["a"], "messages_every_s": 2},
    },
    "all": {
        "ring_s": 4, "wrap_up_s": 0, "max_wait_s": 30, "answer": "on agent", "strategy": "ring all", "whisper": ["w"],
        "leave": [{"when": "waited > 9 and position > 2", "to": "queue asia"}, {"when": "agents < 1", "to": "hang up"}],
        "keys": {"2": "queue asia"},
    },
}  # fmt: skip


def treat(floor: Any, rng: random.Random, number: int) -> None:
    """What supervisors and callers do, and what is heard."""
    desk = floor.desk
    calls = list(floor.calls.values())
    call: Any = rng.choice(calls) if calls else None
    queue = rng.choice(list(QUEUES))
    match rng.randrange(14):
        case 0:
            made = floor.calls[f"k{number}"] = FakeCall(floor, f"k{number}", {})
            made.from_number, made.answered = rng.choice(["+331", "+332", ""]), rng.random() < 0.5
            desk.enter(cast(Any, made), queue)
        case 1 if call is not None:
            desk.on_digit(call, rng.choice("0123"))
        case 2 if call is not None:
            with suppress(UnknownItem, ItemCommandError):
                rng.choice([
                    partial(desk.move, to=Destination("queue", rng.choice(list(QUEUES)))), desk.withdraw,
                    partial(desk.set_priority, priority=rng.choice([None, 50.0])),
                ])(queue, call.id)  # fmt: skip
        case 3:
            desk.set_emergency(queue, rng.random() < 0.05)
        case 4 if call is not None and call.controller is not None:
            call.said()
        case 5 | 6 | 9 | 10 | 11 | 12 | 13:
            heard = [one for call in calls for one in call.attempts if one.live and one.heard is not None]
            if heard:
                then, heard[0].heard = heard[0].heard, None
                then()
        case 7:
            desk.set_queue_priority(queue, rng.choice([None, 20.0]))
        case 8:
            floor.clock.run(rng.choice([1.0, 2.0]))


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_things(floor: Open, seed: int) -> None:
    rng = random.Random(seed)
    f = floor(AGENTS, **QUEUES)
    voice = FakeVoice()
    f.desk.speaks(voice)
    f.agents("ann", "bob", "cy")
    read = 0
    for number in range(300):
        voice.slow = rng.random() < 0.5
        rng.choice([step, treat])(f, rng, number)
        if voice.waiting and rng.random() < 0.5:
            voice.waiting.pop(rng.randrange(len(voice.waiting)))()
        lines = f.told(read)
        read += len(lines)
        rung = [a.agent for call in f.calls.values() for a in call.attempts if a.live]
        assert len(rung) == len(set(rung)), "one agent has one call"
        assert max(f._legs.values(), default=0) <= 1
    for call in list(f.calls.values()):
        call.caller_hangs_up()
    f.clock.run(1000)
    f.told()
    assert len(f.desk._announcer) == 0
    assert f.clock.pending() == 0
    floor_ = f.desk._engine.floor
    assert not floor_.items and not floor_.reservations
    for queue in f.desk.queues():
        ended = queue["answered"] + queue["abandoned"] + queue["overflowed"] + queue["resumed"]
        assert queue["offered"] == ended
