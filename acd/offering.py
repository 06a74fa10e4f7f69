"""How many phones ring for an item at once: one; with `ring all` those of all who are available; with `ring
progressively` one more every few seconds. The first answer takes it; never do two agents have one call.

An item that rings and wants more phones is in line, too, at its place: whoever becomes available and has nothing better
to do is rung.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from acd.deadlines import Due
from acd.model import ItemState, WorkItem
from acd.strategies import ranked

if TYPE_CHECKING:
    from acd.floor import Floor

MOST_PHONES: Final = 50  # for one item at once


def wanted(floor: Floor, item: WorkItem) -> bool:
    """Whether another agent is wanted for it: then it is in line."""
    if item.state is ItemState.QUEUED:
        return True
    if item.state is not ItemState.RESERVED or item.picked_up or len(item.reservations) >= MOST_PHONES:
        return False
    queue = item.queue
    if queue.strategy != "ring all" and not (queue.strategy == "ring progressively" and item.ring_more):
        return False
    limited = queue.max_wait_s is not None and item.callback is None
    return not limited or (Due.ITEM, item.id) in floor.deadlines  # it has not waited for too long


def ask(floor: Floor, item: WorkItem, agents: int) -> None:
    """Offer the item to one of these, all of whom are available; or to as many as the strategy rings at once."""
    queue, roster = item.queue, floor.roster
    many, shown = agents.bit_count(), floor.acd.explain_candidates
    best = ranked(roster, item, agents, floor.now, max(1, shown))
    if queue.strategy != "ring all":
        floor.reserve(item, best[0], f"{queue.strategy} of {many} available who fit", agents, best)
        return
    why = f"all {many} available who fit" if many <= MOST_PHONES else f"{MOST_PHONES} of {many} available who fit"
    while agents and len(item.reservations) < MOST_PHONES:
        longest = roster.longest_idle(agents)
        if longest is None:  # the others share phones that ring by now
            break
        floor.reserve(item, longest, why, agents, best)
        agents &= ~(1 << longest.slot)


def asked(floor: Floor, item: WorkItem) -> None:
    """An agent's phone rings from now on."""
    if item.queue.strategy == "ring progressively":
        item.ring_more = False
        floor.deadlines.set((Due.RING, item.id), floor.now + item.queue.ring_another_s)


def ring_another(floor: Floor, item: WorkItem) -> None:
    """It has rung for long enough where it does: at one more, now or as soon as somebody is available."""
    item.ring_more = True
    if wanted(floor, item):
        floor.place(item)


def settled(floor: Floor, item: WorkItem) -> None:
    """No (other) agent is wanted for it any more."""
    floor.lines.discard(item)
    floor.deadlines.forget((Due.RING, item.id))
    item.ring_more = False
