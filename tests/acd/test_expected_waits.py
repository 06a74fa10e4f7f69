"""Expected waits of many queues: a few at a time, none older than it may be, and nothing once nobody looks."""

from __future__ import annotations

from typing import Any

import pytest

from acd.desk import expected_waits
from acd.desk.expected_waits import KEEP_S, LOOKED_S, TURN_S
from acd.estimate import Estimator
from tests.acd.conftest import FakeFloor

QUEUES = 20
TWO_AT_ONCE = 4  # by two agents


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues whose wait was worked out."""
    found: list[str] = []

    def wait_s(self: Estimator, queue: str, position: int, now: float) -> float:
        found.append(queue)
        return now

    monkeypatch.setattr(Estimator, "wait_s", wait_s)
    return found


def many(floor: Any) -> FakeFloor:
    found: FakeFloor = floor(None, **{f"q{number:02}": {} for number in range(QUEUES)})
    return found


def shown(f: FakeFloor) -> list[Any]:
    return [row["expected_wait_s"] for row in f.desk.wall_board()]


def test_of_a_few_queues_all_are_of_now(floor: Any, asked: list[str]) -> None:
    f = many(floor)
    for _ in range(3):
        assert shown(f) == [f.clock.now()] * QUEUES
        f.clock.run(0.5)
    assert len(asked) == 3 * QUEUES


def test_of_many_a_few_at_a_time(floor: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected_waits, "AT_ONCE", TWO_AT_ONCE)
    f = many(floor)
    begun = f.clock.now()
    assert shown(f) == [begun] * 2 + [None] * (QUEUES - 2)
    f.clock.run(TURN_S * QUEUES / 2)
    assert sorted(asked) == sorted(f.desk.engine.floor.queues)
    for _ in range(40):
        f.clock.run(0.7)
        before = len(asked)
        figures = shown(f)
        rows: list[Any] = list(f.desk.statistics("queue"))
        assert [row["now"]["expected_wait_s"] for row in rows] == figures
        assert len(asked) == before, "one look cost more than it may"
        assert min(figures) >= f.clock.now() - KEEP_S - TURN_S * (QUEUES / 2 + 2)
    assert len(asked) <= QUEUES * (28 / KEEP_S + 2)


def test_when_nobody_looks_nothing_is_done(floor: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected_waits, "AT_ONCE", TWO_AT_ONCE)
    f = many(floor)
    shown(f)
    f.clock.run(LOOKED_S + 1)
    done = len(asked)
    f.clock.run(600)
    assert len(asked) == done
    assert shown(f) == [f.clock.now()] * 2 + [None] * (QUEUES - 2)
