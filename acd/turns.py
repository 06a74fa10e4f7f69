"""Looks at who waits in which each needs an estimate: a little at a time, one queue after the other.

An estimate costs 10 us where all wait in one line, and some 300 where they wait in a thousand: two thousand of them at
once would be a time in which nobody is served. So the whole floor has one turn every `TURN_S`, with as many estimates
as there is time for then. Queues whose looks are due take turns, in the order in which they came to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from acd.deadlines import Key
from acd.model import ItemState, Queue, WorkItem

if TYPE_CHECKING:
    from acd.floor import Floor

TURN_S: Final = 0.01
AT_ONCE: Final = 50  # estimates in a turn, where they are cheapest
_LINES_EACH: Final = 4  # with so many more lines, or queues, an estimate costs as much again


@dataclass(slots=True)
class Turns:
    """Part of the floor's state."""

    free_at: float = 0.0  # all until then are given to somebody
    taken_at: float = 0.0

    def set_back(self, by_s: float) -> None:
        """See `acd.set_back`."""
        self.free_at -= by_s
        self.taken_at -= by_s


def estimates(floor: Floor) -> int:
    """So many there are in a turn."""
    return max(1, AT_ONCE // (1 + max(len(floor.lines.lines()), len(floor.queues)) // _LINES_EACH))


def take(
    floor: Floor, key: Key, queue: Queue, unlooked: list[str], order: Callable[[Queue], list[WorkItem]]
) -> list[WorkItem]:
    """Whom of the queue to look at now, of those left in `unlooked`; if nobody is, a look at all begins, in this order.
    Until `unlooked` is empty again, the deadline `key` is set for the next turn."""
    turns, found = floor.turns, list[WorkItem]()
    if not unlooked:
        unlooked += [item.id for item in reversed(order(queue))]  # a list is emptied from its end
    elif turns.taken_at < floor.now:  # else another one has taken it: a late tick is not to do all that is overdue
        turns.taken_at, turns.free_at = floor.now, max(turns.free_at, floor.now + TURN_S)
        most = estimates(floor)
        while unlooked and len(found) < most:
            item = queue.items.get(unlooked.pop())
            if item is not None and item.state is ItemState.QUEUED:
                found.append(item)
    if unlooked:
        at = max(turns.free_at, floor.now)
        turns.free_at = at + TURN_S
        floor.deadlines.set(key, at)
    return found
