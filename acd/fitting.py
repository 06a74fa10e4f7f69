"""Who may take an item now: the agent it waits for, else all who can do what is needed at its step, and those borrowed.

Whatever changes that (time, a log-out, a rule, a new word about the caller, a reload) ends in `Floor.refit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd import borrowing, preference, relaxation
from acd.deadlines import Due
from acd.model import Agent, WorkItem

if TYPE_CHECKING:
    from acd.floor import Floor


def begin(floor: Floor, item: WorkItem) -> None:
    """An item comes."""
    preference.begin(floor, item)
    borrowing.begin(floor, item)
    fit(floor, item)


def fit(floor: Floor, item: WorkItem) -> None:
    """Sets `eligible`, and the deadline at which it changes by itself. The item must be in no line."""
    queue = item.queue
    agent = preference.waits_for(floor, item)
    if agent is not None:
        item.eligible = 1 << agent.slot
    else:
        item.eligible = relaxation.relax(floor, item)
        if item.borrowing:
            item.eligible |= borrowing.lent(floor.roster, item)
    item.eligible &= ~floor.roster.unable.get(item.channel, 0)
    if len(queue.steps) > 1 or queue.prefer is not None or (Due.FIT, item.id) in floor.deadlines:
        at = changes_at(item)
        if at is None:
            floor.deadlines.forget((Due.FIT, item.id))
        else:
            floor.deadlines.set((Due.FIT, item.id), at)


def changes_at(item: WorkItem) -> float | None:
    """When others may take it just because it has waited."""
    if item.preferred is not None and item.queue.prefer is not None:
        return item.queued_at + item.queue.prefer.wait_s
    return relaxation.next_step_at(item)


def who_fits(floor: Floor, item: WorkItem) -> int:
    """What `eligible` must be now (for `audit`)."""
    able = ~floor.roster.unable.get(item.channel, 0)
    if item.preferred is not None:
        return able & 1 << floor.roster.agents[item.preferred].slot
    fits = floor.roster.eligible(item.queue, item.attributes, item.step)
    return able & (fits | borrowing.lent(floor.roster, item) if item.borrowing else fits)


def someone_left(floor: Floor, agent: Agent) -> None:
    """An agent logged out: items that nobody who is logged in can take any more may have another way to go on."""
    for item in floor.lines.lost_by(agent.slot, floor.roster.logged_in):
        if item.preferred is not None or item.step + 1 < len(item.queue.steps):
            floor.refit(item)
