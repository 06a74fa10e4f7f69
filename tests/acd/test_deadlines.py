"""Deadlines against the obvious implementation, and that forgotten ones take no room."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from acd.deadlines import Deadlines, Due, Key

keys = st.tuples(st.sampled_from(list(Due)), st.integers(0, 5))
steps = st.one_of(
    st.tuples(st.just("set"), keys, st.integers(0, 30)),
    st.tuples(st.just("forget"), keys, st.just(0)),
    st.tuples(st.just("pass"), st.just((Due.ITEM, 0)), st.integers(0, 10)),
)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(steps, max_size=60))
def test_as_the_obvious(history: list[tuple[str, Key, int]]) -> None:
    deadlines = Deadlines()
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
    assert len(deadlines._heap) < 100
