"""Where many kinds of calls wait, a few agents stand for all who fit: exactly so if there are few, nearly if many."""

from __future__ import annotations

import pytest

from acd import estimate
from acd.model import ItemState
from bench.acd_load import Load


@pytest.fixture(scope="module")
def load() -> Load:
    load = Load(1500, 300)
    load.fill()
    for _ in load.run(600):
        pass
    return load


def test_as_if_every_line_was_looked_at(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    floor = load.engine.floor
    waiting = [item for item in floor.items.values() if item.state is ItemState.QUEUED]
    assert len(floor.lines.lines()) > 2 * estimate._FEW_LINES
    quick = [floor.estimates.of_item(item) for item in waiting]
    monkeypatch.setattr(estimate, "_FEW_LINES", 10**6)
    exact = [floor.estimates.of_item(item) for item in waiting]
    few = [(item.eligible & floor.roster.at_work).bit_count() <= estimate._ASKED for item in waiting]
    assert 50 < sum(few) < len(few) - 10
    assert all(a == pytest.approx(b) for a, b, all_asked in zip(quick, exact, few, strict=True) if all_asked)
    off = sorted(abs(a - b) / b for a, b, asked in zip(quick, exact, few, strict=True) if a and b and not asked)
    assert off[len(off) // 2] < 0.2 and off[-1] < 1


def test_some_of_a_set() -> None:
    assert estimate._some(0b1011, 8) == [0, 1, 3]
    many = sum(1 << slot for slot in range(100, 5000, 7))
    some = estimate._some(many, 8)
    assert 4 <= len(some) <= 8 and all(many >> slot & 1 for slot in some)
    assert estimate._some(many << 100_000, 8) and estimate._some(1 << 9, 1) == [9]
