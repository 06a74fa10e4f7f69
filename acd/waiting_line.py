"""Items that wait, best first, by who can take them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from acd.model import WorkItem

_Place = tuple[float, int, WorkItem]  # rank, number; the number is unique, so items are never compared


class WaitingLine:
    """Items in the order they are to be served."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[WorkItem]:
        return (place[2] for place in self._places)

    @property
    def first(self) -> WorkItem:
        return self._places[0][2]

    def add(self, item: WorkItem) -> None:
        insort(self._places, (item.rank, item.number, item))

    def remove(self, item: WorkItem) -> None:
        """KeyError if it is not in the line under its present rank."""
        at = bisect_left(self._places, (item.rank, item.number))
        if at == len(self._places) or self._places[at][2] is not item:
            raise KeyError(item.id)
        del self._places[at]


class WaitingLines:
    """One line for each set of agents who can take the same items, and the lines in order of their first items.

    An agent who becomes free thus meets the best item he can take without looking at those he cannot.
    """

    __slots__ = ("_heads", "_lines")

    def __init__(self) -> None:
        self._lines: dict[int, WaitingLine] = {}  # by set of agents; none is empty
        self._heads: list[tuple[float, int, int]] = []  # rank and number of the first item, set of agents; sorted

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[WorkItem]:
        """All items, best first."""
        return iter(sorted((item for line in self._lines.values() for item in line), key=_order))

    def add(self, item: WorkItem) -> None:
        line = self._lines.get(item.eligible)
        if line is None:
            line = self._lines[item.eligible] = WaitingLine()
            line.add(item)
            insort(self._heads, (item.rank, item.number, item.eligible))
            return
        before = line.first
        line.add(item)
        if line.first is item:
            self._drop_head(before)
            insort(self._heads, (item.rank, item.number, item.eligible))

    def remove(self, item: WorkItem) -> None:
        """KeyError if it does not wait."""
        line = self._lines[item.eligible]
        was_first = line.first is item
        line.remove(item)
        if was_first:
            self._drop_head(item)
            if len(line):
                insort(self._heads, (line.first.rank, line.first.number, item.eligible))
            else:
                del self._lines[item.eligible]

    def best_for(self, slot: int) -> WorkItem | None:
        """The best item that the agent in this slot can take."""
        for _, _, eligible in self._heads:
            if eligible >> slot & 1:
                return self._lines[eligible].first
        return None

    def in_order(self) -> bool:
        """Whether every line, and the order of the lines, is what the items' ranks say (for `audit`)."""
        places = [place for line in self._lines.values() for place in line._places]
        heads = sorted((*_order(line.first), eligible) for eligible, line in self._lines.items())
        return (
            heads == self._heads
            and all(line._places == sorted(line._places) for line in self._lines.values())
            and all(place[:2] == _order(place[2]) for place in places)
        )

    def _drop_head(self, item: WorkItem) -> None:
        del self._heads[bisect_left(self._heads, (item.rank, item.number))]


def _order(item: WorkItem) -> tuple[float, int]:
    return item.rank, item.number
