"""Lines against the obvious: sort everything, take the first that fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.model import Queue, WorkItem
from acd.waiting_line import FEW, WaitingLine, WaitingLines

QUEUE = Queue("q")


def item(number: int, age_from: float, score: float = 0.0, eligible: int = 1) -> WorkItem:
    return WorkItem(f"c{number}", number, QUEUE, {}, 0.0, age_from, score, eligible)


def test_order() -> None:
    line = WaitingLine()
    first, second, third, big = item(1, 10), item(2, 10), item(3, 12), item(4, 50, score=45)
    for one in (third, big, second, first):
        line.add(one)
    assert list(line) == [big, first, second, third]
    assert line.first is big and len(line) == 4
    line.remove(second)
    assert list(line) == [big, first, third]
    with pytest.raises(KeyError):
        line.remove(second)


def test_who_does_not_wait_cannot_leave() -> None:
    lines = WaitingLines()
    with pytest.raises(KeyError):
        lines.remove(item(1, 0))


arrivals_of = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 7), st.booleans())


@pytest.mark.parametrize("width", [1, FEW, FEW + 1])
@settings(max_examples=100)
@given(st.lists(arrivals_of, max_size=40), st.data())
def test_as_the_obvious(width: int, arrivals: list[tuple[int, int, int, bool]], data: st.DataObject) -> None:
    """Three groups of agents, each of them so many: lines that few can take, that many can, and some of both."""
    lines = WaitingLines()
    waiting: list[WorkItem] = []
    group = (1 << width) - 1
    for number, (age_from, score, groups, leave) in enumerate(arrivals):
        eligible = sum(group << 100 * n for n in range(3) if groups >> n & 1)
        arrived = item(number, age_from, score, eligible)
        lines.add(arrived)
        waiting.append(arrived)
        if leave:
            gone = data.draw(st.sampled_from(waiting))
            lines.remove(gone)
            waiting.remove(gone)
        waiting.sort(key=lambda one: (one.rank, one.number))
        assert list(lines) == waiting
        assert len(lines) == len(waiting)
        assert lines.in_order()
        for slot in (0, width - 1, 100, 100 + width - 1, 200, 99, 5000):
            fits = [one for one in waiting if one.eligible >> slot & 1]
            assert lines.best_for(slot) is (fits[0] if fits else None)
            assert sorted(one.number for line in lines.lines_of(slot) for one in line) == sorted(
                one.number for one in fits
            )
            assert lines.lost_by(slot, group << 100) == [one for one in fits if not one.eligible & group << 100]
        assert all(one in lines for one in waiting) and item(999, 0, 0, group) not in lines


def test_equal_sets_are_kept_once() -> None:
    lines = WaitingLines()
    first, second = item(1, 0, eligible=int("f" * 5000, 16)), item(2, 1, eligible=int("f" * 5000, 16))
    assert first.eligible is not second.eligible
    lines.add(first)
    lines.add(second)
    assert first.eligible is second.eligible


@pytest.mark.parametrize("width", [1, FEW + 1])
def test_the_index_is_audited(width: int) -> None:
    lines = WaitingLines()
    lines.add(item(1, 0, eligible=(1 << width) - 1))
    assert lines.in_order()
    lines._heads.clear()
    lines._by_slot.clear()
    assert not lines.in_order()


def test_lines_before_a_place() -> None:
    """As asking each line: lines of few agents and of many."""
    lines = WaitingLines()
    sets = [1, 0b110, (1 << 70) - 1, ((1 << 80) - 1) << 5, ((1 << 66) - 1) << 100]
    for number in range(30):
        lines.add(item(number, float(number * 7 % 30), eligible=sets[number % 5]))
    asked = [0, 1, 7, 120]
    for rank in range(31):
        found = {line.eligible: times for line, times in lines.lines_before(rank, 0, asked) if line.before(rank, 0)}
        assert found == {
            line.eligible: times
            for line in lines.lines()
            if line.before(rank, 0) and (times := sum(line.eligible >> slot & 1 for slot in asked))
        }
