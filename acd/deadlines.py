"""What must happen at a time of its own. One set for the whole engine, so that one timer is enough.

A deadline belongs to an object, named by its key; an object has at most one. Setting it again moves it; forgetting it
is all that cancelling takes. The heap keeps entries of forgotten ones until they reach its top. When they are the
majority, a new heap is begun, and each entry that is set takes some over from the old one: no single one pays for all.
"""

from __future__ import annotations

import heapq
from enum import IntEnum, unique
from typing import Final

_SPARE: Final = 64  # entries of forgotten ones that are no matter
_MOVED: Final = 4  # entries that are looked at for each that is set


@unique
class Due(IntEnum):
    """Whose deadline."""

    RESERVATION = 1  # rang long enough
    ITEM = 2  # waited long enough
    AGENT = 3  # end of wrap-up or of a rest
    QUEUE = 4  # its `leave` rules are to be looked at
    FIT = 5  # other agents may take the item (relaxed, or no longer waiting for one agent)
    RING = 6  # another phone rings for the item
    BORROW = 7  # whether a queue borrows agents is looked at again
    GATHER = 8  # who has gathered is paired
    CALLBACK = 9  # is due, or was kept for long enough
    WORK = 10  # a chat or a mail waited long enough
    WORK_OFFER = 11  # was offered long enough
    NOTES = 12  # end of its wrap-up


Key = tuple[Due, str | int]


Entry = tuple[float, int, Key]  # when, number, whose


class Deadlines:
    __slots__ = ("_heap", "_live", "_next_number", "_old")

    def __init__(self, live: list[Entry] | None = None, next_number: int = 0) -> None:
        """`live`: as `entries` gives them."""
        self._heap: list[Entry] = live or []
        self._old: list[Entry] = []  # a heap that is being emptied into the other
        self._live: dict[Key, int] = {key: number for _, number, key in self._heap}  # number of its entry
        self._next_number = next_number

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: Key) -> bool:
        return key in self._live

    def keys(self) -> list[Key]:
        return list(self._live)

    def entries(self) -> tuple[list[Entry], int]:
        """The live ones, sorted, and the last number given: what is kept of all this."""
        live = self._live
        return sorted(entry for entry in self._heap + self._old if live.get(entry[2]) == entry[1]), self._next_number

    def set(self, key: Key, at: float) -> None:
        """Due at `at`, and no longer at any other time."""
        self._next_number += 1
        self._live[key] = self._next_number
        heapq.heappush(self._heap, (at, self._next_number, key))
        if self._old:
            for entry in self._old[-_MOVED:]:  # of a heap the end can go: what is left is one
                if self._live.get(entry[2]) == entry[1]:
                    heapq.heappush(self._heap, entry)
            del self._old[-_MOVED:]
        elif len(self._heap) > _SPARE + 2 * len(self._live):
            self._old, self._heap = self._heap, []

    def forget(self, key: Key) -> None:
        """Harmless if there is none."""
        self._live.pop(key, None)

    def next(self) -> float | None:
        """When the next one is due."""
        heap = self._first()
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Key | None:
        """One that is due, earliest first; it is forgotten."""
        heap = self._first()
        if not heap or heap[0][0] > now:
            return None
        key = heapq.heappop(heap)[2]
        del self._live[key]
        return key

    def _first(self) -> list[Entry]:
        """The heap that has the next one, on top; an empty one if there is none."""
        old, heap = self._old, self._heap
        for one in (old, heap):
            while one and self._live.get(one[0][2]) != one[0][1]:
                heapq.heappop(one)
        return old if old and (not heap or old[0] < heap[0]) else heap
