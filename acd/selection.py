"""Which agent takes an item: of those available who fit, the one who has been idle longest."""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import islice

from acd.agent_set import packed, slots
from acd.condition import as_number
from acd.model import WorkItem

_LOOK = 0.5  # what it costs to look at one in the order, against listing one of a set


class IdleOrder:
    """Available agents, longest idle first; equally idle ones in the order of the site file."""

    __slots__ = ("_keys", "_order", "everyone")

    def __init__(self) -> None:
        self.everyone = 0  # as a set
        self._order: list[tuple[float, int]] = []  # idle since, slot
        self._keys: dict[int, tuple[float, int]] = {}  # by slot

    def __contains__(self, slot: int) -> bool:
        return slot in self._keys

    def __len__(self) -> int:
        return len(self._order)

    def add(self, slot: int, idle_since: float) -> None:
        """Must not be in already."""
        key = self._keys[slot] = (idle_since, slot)
        insort(self._order, key)
        self.everyone |= 1 << slot

    def remove(self, slot: int) -> None:
        """KeyError if not in."""
        del self._order[bisect_left(self._order, self._keys.pop(slot))]
        self.everyone &= ~(1 << slot)

    def longest(self, eligible: int) -> int | None:
        """Slot of the one of `eligible` who has been idle longest; None if none of them is available."""
        return next(iter(self.first(eligible, 1)), None)

    def first(self, eligible: int, most: int) -> list[int]:
        """Slots of those of `eligible` who have been idle longest; so many of them, or all who are available."""
        found = eligible & self.everyone
        if not found:
            return []
        count = found.bit_count()
        if count * count < _LOOK * most * len(self._order):  # few fit: looking at them is quicker than for them
            keys = [self._keys[slot] for slot in slots(found)]
            return [min(keys)[1]] if most == 1 else [slot for _, slot in sorted(keys)[:most]]
        fits = packed(found)
        end = len(fits) << 3
        return list(islice((slot for _, slot in self._order if slot < end and fits[slot >> 3] >> (slot & 7) & 1), most))

    def count(self, eligible: int) -> int:
        """How many of them are available."""
        return (eligible & self.everyone).bit_count()


def base_score(item: WorkItem) -> float:
    """priority + value weight x basket. A basket that is no number counts as 0."""
    queue = item.queue
    priority = queue.priority if queue.priority_set is None else queue.priority_set
    if item.priority_set is not None:
        priority = item.priority_set
    if not queue.value_weight:
        return priority
    basket = as_number(item.attributes.get("basket"))
    return priority + queue.value_weight * basket if basket == basket else priority
