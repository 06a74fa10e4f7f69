"""How long each will wait is worked out for a few at a time, whatever the number of queues that ask it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from acd import turns
from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.estimate import Estimator
from acd.model import WorkItem
from acd.rules import LOOK_S

Stage = Callable[..., Any]
QUEUES, EACH = 30, 20


class Watched:
    """A floor of many queues in each of which some wait, and all estimates made of them."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, rule: str = "ewt > 100h") -> None:
        goes = {"leave": [{"when": rule, "to": "extension 9"}]}
        queues = {f"q{n}": {"wrap_up_s": 0, **goes} for n in range(QUEUES)}
        self.scene = stage({"ann": {}}, **queues)
        self.made: list[str] = []
        s, made, real = self.scene, self.made, Estimator.of_item
        s.ready("ann")
        s.call("first", "q0")
        s.answer("first")
        s.wait(10)
        for number in range(QUEUES * EACH):
            s.call(f"c{number}", f"q{number % QUEUES}")

        def of_item(self: Estimator, item: WorkItem) -> float | None:
            made.append(item.id)
            return real(self, item)

        monkeypatch.setattr(Estimator, "of_item", of_item)

    def tick(self, now: float) -> list[str]:
        del self.made[:]
        self.scene.engine.tick(now)
        self.scene.listen()
        return list(self.made)

    def ticks(self, seconds: float) -> list[list[str]]:
        """Of each tick of so many seconds, whose wait was worked out."""
        s, found = self.scene, []
        until = s.now + seconds
        while (due := s.engine.next_deadline()) is not None and due <= until:
            s.now = due
            found.append(self.tick(due))
        s.now = until
        return found


def test_few_at_once_and_everybody_in_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    w = Watched(stage, monkeypatch)
    most = turns.estimates(w.scene.engine.floor)
    assert 1 <= most < EACH
    needed = QUEUES * -(-EACH // most) * turns.TURN_S
    of_ticks = w.ticks(LOOK_S + needed)
    assert max(map(len, of_ticks)) == most
    assert Counter(item for tick in of_ticks for item in tick) == {f"c{n}": 1 for n in range(QUEUES * EACH)}
    first = [tick[0] for tick in of_ticks if tick][:QUEUES]
    assert {int(item[1:]) % QUEUES for item in first} == set(range(QUEUES))  # one queue after the other
    again = w.ticks(LOOK_S + needed)
    assert len({item for tick in again for item in tick}) == QUEUES * EACH


def test_a_late_tick_does_not_make_up_for_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    w = Watched(stage, monkeypatch)
    most = turns.estimates(w.scene.engine.floor)
    w.ticks(LOOK_S)
    w.scene.now += 5.0
    assert len(w.tick(w.scene.now)) == most
    assert w.tick(w.scene.now) == []
    due = w.scene.engine.next_deadline()
    assert due == pytest.approx(w.scene.now + turns.TURN_S)
    assert len(w.tick(due)) == most


def test_fewer_where_they_cost_more(stage: Stage) -> None:
    one = stage(sales={})
    assert turns.estimates(one.engine.floor) == turns.AT_ONCE
    many = stage(**{f"q{n}": {} for n in range(1000)})
    assert turns.estimates(many.engine.floor) == 1


def test_the_floor_taken_up_goes_on_with_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    w = Watched(stage, monkeypatch)
    w.ticks(LOOK_S + 5 * turns.TURN_S)
    kept = keep(w.scene.engine.floor)
    now = w.scene.now
    on = w.ticks(1.0)
    w.scene.engine, w.scene.now = Engine.on(take_up(kept)), now
    assert w.ticks(1.0) == on


def test_rules_that_ask_no_more_for_it_look_at_all_at_once(
    stage: Stage, make_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload in the middle of a look."""
    w = Watched(stage, monkeypatch)
    w.ticks(LOOK_S)
    assert any(queue.unlooked for queue in w.scene.engine.floor.queues.values())
    goes = {"leave": [{"when": "waited > 1s", "to": "extension 9"}]}
    w.scene.engine.reconfigure(make_site({"ann": {}}, {f"q{n}": goes for n in range(QUEUES)}), w.scene.now)
    w.scene.listen()
    w.ticks(LOOK_S)
    floor = w.scene.engine.floor
    assert not len(floor.lines) and not any(queue.unlooked for queue in floor.queues.values())
