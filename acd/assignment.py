"""`assign: together`: when several items and several agents meet, all are paired at once, for the best levels in sum.

Items and agents come one by one, so they have to gather: an agent who becomes available while more than one item waits
is held back for `GATHER_S`, with whoever comes in that time (phones that register after an outage, a shift that begins,
a reload). What is paired keeps the order of the line: first the best set of items is found, as `waiting_line` orders
them; then who of the agents takes which, as an assignment problem.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy

from acd.agent_set import set_of, slots
from acd.deadlines import Due
from acd.model import Agent, WorkItem
from acd.strategies import first_level, later, most_skilled, skill_sum, skills_wanted

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.roster import Roster

GATHER_S: Final = 0.2
MOST: Final = 100  # items paired in one go; those beyond in the next
LOOK: Final = 1000  # items looked at for that
KEY: Final = (Due.GATHER, "")
LATER: Final = 1000.0  # what it costs that an agent's level in the queue is not the first: more than any skill is worth
NEVER: Final = 1e9  # what it costs to give an item to an agent who cannot take it


def prepare(floor: Floor) -> None:
    """The site was read. scipy is large, so it is only for those who use it; and not when the first calls are paired,
    because it takes a quarter of a second until it is there."""
    if any(queue.together for queue in floor.queues.values()):
        import scipy.optimize  # noqa: F401


def holds_back(floor: Floor, agent: Agent, item: WorkItem) -> bool:
    """Whether an agent who has just become available, and whose best item this is, is to wait for others."""
    if not item.queue.together or (KEY not in floor.deadlines and len(floor.lines) < 2):
        return False
    if KEY not in floor.deadlines:
        floor.deadlines.set(KEY, floor.now + GATHER_S)
    floor.gathered |= 1 << agent.slot
    return True


def settle(floor: Floor) -> None:
    """Pair all who have gathered, and whoever else is available, with those who wait."""
    roster = floor.roster
    gathered, floor.gathered = floor.gathered, 0
    floor.deadlines.forget(KEY)
    while pairs := pair(floor.lines.first_for(roster.idle.everyone), roster):
        for item, agent in pairs:
            if agent.slot in roster.idle:  # the others share a phone that rings by now
                floor.lines.remove(item)
                floor.give(item, agent, f"one of {len(pairs)} paired at once, for the best levels in sum")
    for slot in slots(gathered & roster.idle.everyone):  # should more wait than were looked at
        floor.match(roster.in_slot(slot))


def pair(items: Iterable[WorkItem], roster: Roster) -> list[tuple[WorkItem, Agent]]:
    """The first of the items (best first) for which there are agents enough, and for each of them who takes it."""
    from scipy.optimize import linear_sum_assignment  # see `prepare`

    served = _served(islice(items, LOOK), roster.idle.everyone)
    if not served:
        return []
    wanted = [skills_wanted(item.queue, item.attributes) for item in served]
    calls = zip(served, wanted, strict=True)
    able = {slot for item, skills in calls for slot in _best(item, skills, roster, len(served))}
    agents = [roster.in_slot(slot) for slot in sorted(able)]
    cost = numpy.full((len(served), len(agents)), NEVER)
    for row, item in enumerate(served):
        for column, agent in enumerate(agents):
            if item.eligible >> agent.slot & 1:
                cost[row, column] = LATER * later(item.queue, agent) - skill_sum(agent, wanted[row])
    rows, columns = linear_sum_assignment(cost)
    return [(served[row], agents[column]) for row, column in zip(rows, columns, strict=True)]


def _served(items: Iterable[WorkItem], agents: int) -> list[WorkItem]:
    """As many as can be served at once, each unless those before it need the agents. The sets that can be served are a
    matroid, so taking whoever can still be added gives the best set; whether one can is an augmenting path."""
    served: list[WorkItem] = []
    owner: dict[int, int] = {}  # slot -> place in `served`
    free, closed = agents, 0  # closed: all taken by items that can take nobody else
    for item in items:
        fits = item.eligible & agents & ~closed
        if not fits:
            continue
        served.append(item)
        seen = _augment(served, owner, fits, free)
        if seen:
            served.pop()
            closed |= seen
        free = agents & ~set_of(owner)
        if not free or len(served) == MOST:
            break
    return served


def _augment(served: list[WorkItem], owner: dict[int, int], fits: int, free: int) -> int:
    """Find an agent for the last item, moving others to other agents. 0 if that succeeds, else the agents tried."""
    came_from: dict[int, int] = {}  # slot -> the item that would take it
    seen, look = 0, deque([(len(served) - 1, fits)])
    while look:
        place, fits = look.popleft()
        if fits & free:
            slot = slots(fits & free)[0]
            while True:
                before = next((slot for slot, of in owner.items() if of == place), None)
                owner[slot] = place
                if before is None:
                    return 0
                slot, place = before, came_from[before]
        for slot in slots(fits & ~seen):
            came_from[slot] = place
            seen |= 1 << slot
            look.append((owner[slot], served[owner[slot]].eligible & (free | set_of(owner))))
    return seen


def _best(item: WorkItem, skills: Sequence[str], roster: Roster, count: int) -> Iterator[int]:
    """Of those who can take it, so many whose levels are highest: no more are ever needed for so many items."""
    rest = item.eligible & roster.idle.everyone
    while rest and count > 0:
        best = slots(most_skilled(roster.skills, skills, first_level(item.queue, rest)))[:count]
        yield from best
        count -= len(best)
        rest &= ~set_of(best)
