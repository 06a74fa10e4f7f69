"""Agents of other queues, for a queue that cannot keep up: while its rule `borrow.when` holds.

Whether it holds is looked at when a call comes and every `LOOK_S` while calls wait; where the rule asks how long each
will wait, as the queue has its `turns`. What the rule asks of agents is about the queue's own: else those borrowed
would end what brought them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from acd import turns
from acd.deadlines import Due
from acd.events import ItemRelaxed
from acd.model import ItemState, Queue, WorkItem
from acd.rules import Facts, in_order

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.roster import Roster

LOOK_S: Final = 1.0
_OF_CALL: Final = frozenset({"waited", "position", "ewt"})


def lent(roster: Roster, item: WorkItem) -> int:
    """The agents of other queues who may take the item."""
    borrow = item.queue.borrow
    if borrow is None:
        return 0
    fits = borrow.lenders if borrow.needs is None else borrow.needs.fits(roster.skills, item.attributes)
    return borrow.lenders & fits


def measure(floor: Floor, changed: Iterable[Queue] = ()) -> list[Queue]:
    """Who is lent to whom. Returns the queues who serve which is another than before, if that of `changed` is."""
    found = list(changed)
    names = {queue.name for queue in found}
    for queue in floor.queues.values():
        if queue.borrow is not None:
            queue.borrow.lenders = 0
            for name in queue.borrow.agents_of:
                if name in floor.queues:
                    queue.borrow.lenders |= floor.queues[name].able
            if queue.name not in names and names.intersection(queue.borrow.agents_of):
                found.append(queue)
    return found


def begin(floor: Floor, item: WorkItem) -> None:
    """An item comes."""
    if item.queue.borrow is not None:
        _note(floor, item, _holds(floor, item, Facts(floor, item.queue)))


def watch(floor: Floor, queue: Queue) -> None:
    """Somebody waits."""
    if queue.borrow is not None and (Due.BORROW, queue.name) not in floor.deadlines:
        floor.deadlines.set((Due.BORROW, queue.name), floor.now + LOOK_S)


def look(floor: Floor, queue: Queue) -> None:
    """Whoever waits gets more agents or, the worst being over, fewer."""
    borrow, facts, place = queue.borrow, Facts(floor, queue), 1
    in_turns = borrow is not None and "ewt" in borrow.when.facts
    if borrow is not None and in_turns:
        line = turns.take(floor, (Due.BORROW, queue.name), queue, borrow.unlooked, in_order)
    else:
        line = in_order(queue)
    for item in line:
        if item.state is ItemState.QUEUED:
            if _note(floor, item, _holds(floor, item, facts, None if in_turns else place)):
                floor.refit(item)
            place += item.state is ItemState.QUEUED  # nobody took it
    if queue.waiting_calls:
        watch(floor, queue)


def _holds(floor: Floor, item: WorkItem, of_queue: Facts, place: int | None = None) -> bool:
    borrow = item.queue.borrow
    if borrow is None:  # a reload took it away
        return False
    if not borrow.when.facts & _OF_CALL:
        return borrow.when.holds(of_queue)
    return borrow.when.holds(_Both(of_queue, Facts(floor, item.queue, item, place)))


class _Both:
    """What is asked of the call from the one, all else from the other."""

    __slots__ = ("_of_call", "_of_queue")

    def __init__(self, of_queue: Facts, of_call: Facts) -> None:
        self._of_queue = of_queue
        self._of_call = of_call

    def get(self, fact: str) -> float | None:
        return self._of_call.get(fact) if fact in _OF_CALL else self._of_queue.get(fact)


def _note(floor: Floor, item: WorkItem, holds: bool) -> bool:
    """True if that changes something."""
    if item.borrowing is holds:
        return False
    item.borrowing = holds
    borrow = item.queue.borrow
    why = "agents are no longer borrowed"
    if holds and borrow is not None:
        why = f"borrows agents of {', '.join(borrow.agents_of)}: {borrow.when}"
    floor.tell(ItemRelaxed(floor.now, item.id, item.queue.name, item.step, None, why))
    return True
