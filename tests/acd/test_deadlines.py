"""Deadlines against the obvious implementation, and that forgotten ones take no room."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from acd.deadlines import Deadlines, Due, Key

keys = st.tuples(st.sampled_from(list(Due)), st.integers(0, 5))
steps = st.one_of(
    st.tuples(st.just("set"), keys, st.integers(0, 30)),
    st.tuples(st.just("forget"), keys, st.just(0)),
    st.tuples(st.just("pass"), st.just((Due.ITEM, 0)), st.integers(0, 10)),
)


@settings(max_examples=200)
@given(st.lists(steps, max_size=60), st.booleans())
def test_as_the_obvious(history: list[tuple[str, Key, int]], moving: bool) -> None:
    deadlines = Deadlines()
    if moving:  # some are in the old heap, and stay there for a while
        deadlines._old = [(n / 8, -1 - n, (Due.AGENT, n)) for n in range(100)]
    obvious: dict[Key, float] = {}
    now = 0.0
    for what, key, number in history:
        if what == "set":
            deadlines.set(key, now + number)
            obvious[key] = now + number
        elif what == "forget":
            deadlines.forget(key)
            obvious.pop(key, None)
        else:
            now += number
            due = []
            while (found := deadlines.pop_due(now)) is not None:
                due.append(found)
            expected = [key for key, at in obvious.items() if at <= now]
            assert sorted(due) == sorted(expected)
            assert [obvious[key] for key in due] == sorted(obvious[key] for key in due)
            for found in due:
                del obvious[found]
        assert deadlines.next() == min(obvious.values(), default=None)
        assert sorted(deadlines.keys()) == sorted(obvious)
        assert len(deadlines) == len(obvious)
        assert all(key in deadlines for key in obvious)


def test_forgotten_ones_take_no_room() -> None:
    deadlines = Deadlines()
    deadlines.set((Due.AGENT, "a"), 1e9)
    for n in range(10_000):
        deadlines.set((Due.RESERVATION, n), n + 20.0)
        deadlines.forget((Due.RESERVATION, n))
        deadlines.set((Due.AGENT, "a"), 1e9 + n)
    assert len(deadlines) == 1
    assert len(deadlines._heap) + len(deadlines._old) < 300


def test_the_forgotten_are_left_behind_a_few_at_a_time() -> None:
    """Nobody waits until all are looked through: of 20,000, the entry that is set when most are forgotten costs no more
    than another. What is due meanwhile comes in order, from both heaps."""
    deadlines = Deadlines()
    for n in range(20_000):
        deadlines.set((Due.ITEM, n), 1000.0 + n % 977)
    live = {n: 1000.0 + n % 977 for n in range(20_000)}
    for n in range(0, 20_000, 4):
        for gone in (n, n + 1, n + 2):
            deadlines.forget((Due.ITEM, gone))
            del live[gone]
    sizes = []
    for n in range(20_000, 27_000):
        deadlines.set((Due.ITEM, n), 1500.0)
        live[n] = 1500.0
        sizes.append(len(deadlines._heap) + len(deadlines._old))
    assert all(before - after < 5 for before, after in pairwise(sizes))
    assert not deadlines._old and len(deadlines._heap) == len(live)
    assert sorted(deadlines.keys()) == sorted((Due.ITEM, n) for n in live)
    times = []
    while (found := deadlines.pop_due(1e9)) is not None:
        times.append(live.pop(int(found[1])))
    assert times == sorted(times) and not live
