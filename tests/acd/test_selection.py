"""Longest idle first against the obvious; scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.model import Queue, WorkItem
from acd.selection import IdleOrder, base_score


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5)), max_size=60),
    st.lists(st.integers(0, (1 << 12) - 1), min_size=1, max_size=5),
)
def test_as_the_obvious(history: list[tuple[int, int]], sets: list[int]) -> None:
    order = IdleOrder()
    idle: dict[int, float] = {}
    for slot, since in history:
        if slot in idle:
            order.remove(slot)
            del idle[slot]
        else:
            order.add(slot, since)
            idle[slot] = since
        for eligible in sets:
            fits = [slot for slot in idle if eligible >> slot & 1]
            assert order.longest(eligible) == min(fits, key=lambda slot: (idle[slot], slot), default=None)
            assert order.count(eligible) == len(fits)
        assert len(order) == len(idle) and all(slot in order for slot in idle)


def test_few_among_many() -> None:
    order = IdleOrder()
    for slot in range(500):
        order.add(slot, 1000.0 - slot)
    assert order.longest(1 << 3 | 1 << 490) == 490
    assert order.longest((1 << 500) - 1) == 499
    assert order.longest(1 << 600) is None
    assert order.longest(sum(1 << slot for slot in range(100, 400))) == 399  # many, and none of the longest idle
    assert order.longest((1 << 50) - 1) == 49  # sets that end before the last slot
    with pytest.raises(KeyError):
        order.remove(600)


@pytest.mark.parametrize(
    ("basket", "score"),
    [(2300, 240.0), (2300.0, 240.0), ("2300", 240.0), (None, 10.0), ("lots", 10.0), (math.inf, 10.0), (math.nan, 10.0)],
)
def test_base_score(basket: str | float | None, score: float) -> None:
    queue = Queue("q", priority=10, value_weight=0.1)
    assert base_score(item(queue, {} if basket is None else {"basket": basket})) == score


def test_base_score_without_weight() -> None:
    assert base_score(item(Queue("q", priority=10), {"basket": 1e6})) == 10


def test_base_score_with_a_priority_of_its_own() -> None:
    queue = Queue("q", priority=10, priority_set=20, value_weight=2)
    waiting = item(queue, {"basket": 3})
    assert base_score(waiting) == 26
    waiting.priority_set = -5.0
    assert base_score(waiting) == 1
    queue.priority_set = waiting.priority_set = None
    assert base_score(waiting) == 16


def item(queue: Queue, attributes: dict[str, str | int | float]) -> WorkItem:
    return WorkItem("c1", 1, queue, attributes, 0.0, 0.0)
