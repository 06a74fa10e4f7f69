"""Items that wait, best first, by who can take them."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, ValuesView
from itertools import islice

from acd.agent_set import packed, set_of, slots
from acd.model import WorkItem

_Place = tuple[float, int, WorkItem]  # rank, number; the number is unique, so items are never compared
_Head = tuple[float, int, bytes, "WaitingLine"]  # of a line's first item; then who can take it
FEW = 64  # agents; a line of so few is noted with each of them


class WaitingLine:
    """Items that the same agents can take, in the order they are to be served."""

    __slots__ = ("_places", "eligible")

    def __init__(self, eligible: int = 0) -> None:
        self.eligible = eligible
        self._places: list[_Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[WorkItem]:
        return (place[2] for place in self._places)

    def __contains__(self, item: WorkItem) -> bool:
        at = bisect_left(self._places, (item.rank, item.number))
        return at < len(self._places) and self._places[at][2] is item

    @property
    def first(self) -> WorkItem:
        return self._places[0][2]

    @property
    def head(self) -> _Place:
        return self._places[0]

    def before(self, rank: float, number: int) -> int:
        """How many are to be served before one of this rank and number."""
        return bisect_left(self._places, (rank, number))

    def add(self, item: WorkItem) -> None:
        insort(self._places, (item.rank, item.number, item))

    def remove(self, item: WorkItem) -> None:
        """KeyError if it is not in the line under its present rank."""
        at = bisect_left(self._places, (item.rank, item.number))
        if at == len(self._places) or self._places[at][2] is not item:
            raise KeyError(item.id)
        del self._places[at]


class WaitingLines:
    """One line for each set of agents who can take the same items.

    An agent who becomes free meets the best item he can take without looking at most of those he cannot: lines of few
    agents are found by the agent; the others, of which there are only as many as there are wide requirements, are kept
    in the order of their first items and looked through.
    """

    __slots__ = ("_by_slot", "_count", "_heads", "_lines")

    def __init__(self) -> None:
        self._count = 0  # items
        self._lines: dict[int, WaitingLine] = {}  # by set of agents; none is empty
        self._heads: list[_Head] = []  # of the lines that many can take; sorted
        self._by_slot: dict[int, list[WaitingLine]] = {}  # the lines that few can take, by each of these

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[WorkItem]:
        """All items, best first."""
        return iter(sorted((item for line in self._lines.values() for item in line), key=_order))

    def add(self, item: WorkItem) -> None:
        self._count += 1
        line = self._lines.get(item.eligible)
        if line is None:
            line = self._lines[item.eligible] = WaitingLine(item.eligible)
            line.add(item)
            self._open(line)
            return
        before = line.first
        line.add(item)
        item.eligible = line.eligible  # the same set need not be there twice
        if line.first is item and item.eligible.bit_count() > FEW:
            fits = self._drop_head(before)
            insort(self._heads, (item.rank, item.number, fits, line))

    def remove(self, item: WorkItem) -> None:
        """KeyError if it does not wait."""
        line = self._lines[item.eligible]
        was_first = line.first is item
        line.remove(item)
        self._count -= 1
        if not was_first:
            return
        many = item.eligible.bit_count() > FEW
        if many:
            fits = self._drop_head(item)
            if len(line):
                insort(self._heads, (line.first.rank, line.first.number, fits, line))
        if not len(line):
            del self._lines[item.eligible]
            if not many:
                self._close(line)

    def lines(self) -> ValuesView[WaitingLine]:
        """The lines; none is empty."""
        return self._lines.values()

    def lines_of(self, slot: int) -> list[WaitingLine]:
        """The lines from which the agent in this slot can take items."""
        at, bit = slot >> 3, 1 << (slot & 7)
        many = [line for _, _, fits, line in self._heads if at < len(fits) and fits[at] & bit]
        return [*self._by_slot.get(slot, ()), *many]

    def lines_before(self, rank: float, number: int, asked: Iterable[int]) -> Iterator[tuple[WaitingLine, int]]:
        """The lines from which the agents in these slots can take items, and how many of these agents; perhaps not
        those where nobody is to be served before one of this rank and number."""
        yield from Counter(line for slot in asked for line in self._by_slot.get(slot, ())).items()
        agents = set_of(asked)
        for _, _, _, line in islice(self._heads, bisect_left(self._heads, (rank, number))):
            if times := (line.eligible & agents).bit_count():
                yield line, times

    def __contains__(self, item: WorkItem) -> bool:
        line = self._lines.get(item.eligible)
        return line is not None and item in line

    def discard(self, item: WorkItem) -> bool:
        """Remove it if it waits; true if so."""
        waits = item in self
        if waits:
            self.remove(item)
        return waits

    def lost_by(self, slot: int, agents: int) -> list[WorkItem]:
        """Items that the agent in this slot can take, and none of these agents; best first."""
        found = [item for line in self.lines_of(slot) if not line.eligible & agents for item in line]
        found.sort(key=_order)
        return found

    def first_for(self, agents: int) -> Iterator[WorkItem]:
        """Items that at least one of these agents can take, best first. The lines must not change meanwhile."""
        return heapq.merge(*[iter(line) for eligible, line in self._lines.items() if eligible & agents], key=_order)

    def best_for(self, slot: int) -> WorkItem | None:
        """The best item that the agent in this slot can take."""
        own = self._by_slot.get(slot)
        best = min([line.head for line in own]) if own else None
        at, bit = slot >> 3, 1 << (slot & 7)
        for rank, number, fits, line in self._heads:
            if at < len(fits) and fits[at] & bit:
                return line.first if best is None or (rank, number) < best[:2] else best[2]
        return None if best is None else best[2]

    def in_order(self) -> bool:
        """Whether every line, and every index of the lines, is what the items say (for `audit`)."""
        places = [place for line in self._lines.values() for place in line._places]
        wide = [line for line in self._lines.values() if line.eligible.bit_count() > FEW]
        few = [line for line in self._lines.values() if line.eligible.bit_count() <= FEW]
        narrow = {(slot, line.eligible) for line in few for slot in slots(line.eligible)}
        noted = [(slot, line.eligible) for slot, own in self._by_slot.items() for line in own]
        return (
            sorted((*_order(line.first), packed(line.eligible)) for line in wide) == [head[:3] for head in self._heads]
            and len(noted) == len(narrow) and set(noted) == narrow
            and all(eligible == line.eligible and len(line) for eligible, line in self._lines.items())
            and all(line._places == sorted(line._places) for line in self._lines.values())
            and all(place[:2] == _order(place[2]) for place in places)
            and len(places) == self._count
        )  # fmt: skip

    def _open(self, line: WaitingLine) -> None:
        if line.eligible.bit_count() > FEW:
            insort(self._heads, (line.first.rank, line.first.number, packed(line.eligible), line))
            return
        for slot in slots(line.eligible):
            self._by_slot.setdefault(slot, []).append(line)

    def _close(self, line: WaitingLine) -> None:
        for slot in slots(line.eligible):
            own = self._by_slot[slot]
            own.remove(line)
            if not own:
                del self._by_slot[slot]

    def _drop_head(self, item: WorkItem) -> bytes:
        """Returns who could take it."""
        at = bisect_left(self._heads, (item.rank, item.number))
        return self._heads.pop(at)[2]


def _order(item: WorkItem) -> tuple[float, int]:
    return item.rank, item.number
