"""Places of callers who are not on the line: who hung up and calls again within `resume_s` has his place again.

A kept place is an item in the state KEPT. It is matched with nobody. When its time is up it was abandoned; when the
caller is back, the call that comes is put exactly where he was, and the old item ends as resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.deadlines import Due
from acd.events import ItemAbandoned, ItemKept, ItemResumed
from acd.model import ItemState, Queue, WorkItem
from acd.reservation import Outcome

if TYPE_CHECKING:
    from acd.floor import Floor

PLACES_MOST = 1000  # of one queue: whoever hangs up beyond that has left


def keep(floor: Floor, item: WorkItem, keep_s: float) -> bool:
    """The caller of an item that waits, or rings at an agent, is gone, perhaps to come again. False if his place can't
    be kept: nobody knows who he is, or too many are."""
    queue = item.queue
    if keep_s <= 0 or not item.caller or item.callback is not None or sum(map(len, queue.kept.values())) >= PLACES_MOST:
        return False
    held = list(item.reservations.values())
    floor.lines.discard(item)
    for reservation in held:
        floor.end(reservation, Outcome.CALLER_HUNG_UP)
    floor.deadlines.forget((Due.FIT, item.id))
    item.turn(ItemState.KEPT)
    item.left_at = floor.now
    queue.kept.setdefault(item.caller, []).append(item.id)
    floor.deadlines.set((Due.ITEM, item.id), floor.now + keep_s)
    floor.tell(ItemKept(floor.now, item.id, queue.name, item.waited_s(floor.now), floor.now + keep_s))
    floor.release(held)
    return True


def resume(floor: Floor, queue: Queue, caller: str) -> WorkItem | None:
    """The place of a caller who is back: the one he left first. It is his no more; whoever calls this makes an item of
    the same age and number."""
    places = queue.kept.get(caller) if caller else None
    return _end(floor, floor.items[places[0]]) if places else None


def resumed(floor: Floor, old: WorkItem, new: WorkItem) -> None:
    """Tell of it, now that the new one is there."""
    old.queue.resumed += 1
    floor.tell(ItemResumed(floor.now, old.id, old.queue.name, old.waited_s(old.left_at), new.id))


def expire(floor: Floor, item: WorkItem) -> None:
    """He did not come again: he abandoned when he hung up."""
    _end(floor, item)
    item.queue.abandoned += 1
    waited_s = item.waited_s(item.left_at)
    floor.tell(ItemAbandoned(floor.now, item.id, item.queue.name, waited_s, waited_s < item.queue.short_s))


def let_go(item: WorkItem) -> None:
    """The place is kept no longer."""
    places = item.queue.kept[item.caller]
    places.remove(item.id)
    if not places:
        del item.queue.kept[item.caller]


def _end(floor: Floor, item: WorkItem) -> WorkItem:
    let_go(item)
    floor.forget(item)
    return item
