"""What a queue needs grows less as the caller waits (bullseye): steps, each from so many seconds of waiting on, or at
once when nobody who is logged in could ever take the call. An item never goes back a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.events import ItemRelaxed
from acd.model import WorkItem

if TYPE_CHECKING:
    from acd.floor import Floor


def relax(floor: Floor, item: WorkItem) -> int:
    """On to the step that its wait, and who is logged in, give. Returns who fits then."""
    queue, roster = item.queue, floor.roster
    if len(queue.steps) == 1:
        item.step = 0
        return roster.eligible(queue, item.attributes)
    item.step = min(item.step, len(queue.steps) - 1)  # a reload may have taken some away
    fits = roster.eligible(queue, item.attributes, item.step)
    while item.step + 1 < len(queue.steps):
        after_s = queue.steps[item.step + 1].after_s
        if floor.now >= item.queued_at + after_s:
            why = f"after {after_s:g} s"
        elif not fits & roster.logged_in & ~roster.unable.get(item.channel, 0):
            why = "nobody logged in fits"
        else:
            break
        item.step += 1
        fits = roster.eligible(queue, item.attributes, item.step)
        needs = queue.steps[item.step].needs
        floor.tell(ItemRelaxed(floor.now, item.id, queue.name, item.step, str(needs), why))
    return fits


def next_step_at(item: WorkItem) -> float | None:
    """When the item comes to its next step."""
    steps = item.queue.steps
    return item.queued_at + steps[item.step + 1].after_s if item.step + 1 < len(steps) else None
