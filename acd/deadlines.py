"""What must happen at a time of its own. One set for the whole engine, so that one timer is enough.

A deadline belongs to an object, named by its key; an object has at most one. Setting it again moves it; forgetting it
is all that cancelling takes. The heap keeps entries of forgotten ones until they reach its top, or are the majority.
"""

from __future__ import annotations

import heapq
from enum import IntEnum, unique


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


Key = tuple[Due, str | int]


class Deadlines:
    __slots__ = ("_heap", "_live", "_next_number")

    def __init__(self) -> None:
        self._live: dict[Key, int] = {}  # key -> number of its entry
        self._heap: list[tuple[float, int, Key]] = []
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: Key) -> bool:
        return key in self._live

    def keys(self) -> list[Key]:
        return list(self._live)

    def set(self, key: Key, at: float) -> None:
        """Due at `at`, and no longer at any other time."""
        self._next_number += 1
        self._live[key] = self._next_number
        heapq.heappush(self._heap, (at, self._next_number, key))
        if len(self._heap) > 64 + 2 * len(self._live):
            self._heap = [entry for entry in self._heap if self._live.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def forget(self, key: Key) -> None:
        """Harmless if there is none."""
        self._live.pop(key, None)

    def next(self) -> float | None:
        """When the next one is due."""
        while self._heap:
            at, number, key = self._heap[0]
            if self._live.get(key) == number:
                return at
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: float) -> Key | None:
        """One that is due, earliest first; it is forgotten."""
        at = self.next()
        if at is None or at > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._live[key]
        return key
