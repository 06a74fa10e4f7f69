"""Supervisors change who is first, live: the priority of one item, or of a whole queue. The order follows at once.

A queue's priority stays what the supervisor said, whatever a reload brings, until the site's is asked for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.errors import AcdError, UnknownItem, UnknownQueue
from acd.events import PriorityChanged
from acd.model import ItemState, WorkItem
from acd.selection import base_score

if TYPE_CHECKING:
    from acd.floor import Floor


def of_item(floor: Floor, item_id: str, priority: float | None) -> None:
    """None: its queue's again. Raises `UnknownItem`, and `AcdError` if an agent has it."""
    item = floor.items.get(item_id)
    if item is None:
        raise UnknownItem(item_id)
    if item.state is ItemState.CONNECTED:
        raise AcdError(f"item {item_id} is {item.state}")
    item.priority_set = priority
    floor.tell(PriorityChanged(floor.now, item.queue.name, item_id, priority))
    _move(floor, item)


def of_queue(floor: Floor, name: str, priority: float | None) -> None:
    """None: the site's again. Raises `UnknownQueue`."""
    queue = floor.queues.get(name)
    if queue is None:
        raise UnknownQueue(name)
    queue.priority_set = priority
    floor.tell(PriorityChanged(floor.now, name, None, priority))
    for item in queue.items.values():
        _move(floor, item)


def _move(floor: Floor, item: WorkItem) -> None:
    """To its new place. Nobody is matched by that: no agent is available whom a waiting item fits."""
    waits = floor.lines.discard(item)
    item.score = base_score(item)
    if waits:
        floor.lines.add(item)
