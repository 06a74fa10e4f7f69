"""Whom a queue asks first, of the agents who are available and fit.

Each strategy is a key: the lowest is asked, of equals who has been idle longest, of these the first in the site file.
Few agents are looked at one by one; many through the columns of `columns`, all at once.

`random` and `weighted` throw no dice: what they draw is a hash of agent, item and how often it was offered. Nothing
need be remembered, and what is replayed comes out the same. (CRC-32 of both alone would not do: it is linear, so
that agents with similar names would be drawn in unequal shares; splitmix64 stirs it.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy

from acd.agent_set import slots
from acd.columns import Numbers, Slots, column, name_number, slots_array
from acd.condition import Attributes
from acd.model import Agent, Queue, WorkItem
from acd.skills import MAX_LEVEL, SkillIndex

if TYPE_CHECKING:
    from acd.roster import Roster

FEW = 40  # so many agents are quicker looked at one by one (measured: bench/acd)
_MASK = (1 << 64) - 1


def choose(roster: Roster, item: WorkItem, agents: int, now: float) -> Agent:
    """One of `agents`, a set that is not empty, of whom all are available: by the levels of the item's queue, then by
    its strategy."""
    queue = item.queue
    found = first_level(queue, agents)
    strategy = queue.strategy
    if strategy == "most skilled":
        found = most_skilled(roster.skills, skills_wanted(queue, item.attributes), found)
    elif strategy == "round robin" or strategy == "top down":
        return _in_turn(roster, queue, found)
    elif strategy in _BY_KEY:
        slot = _lowest(roster, item, found, now)
        return roster.in_slot(slot)
    agent = roster.longest_idle(found)
    assert agent is not None
    return agent


def first_level(queue: Queue, agents: int) -> int:
    """Those of them whose level in the queue is asked first; borrowed ones come last."""
    for level in queue.levels or (queue.members,):
        if found := agents & level:
            return found
    return agents


def later(queue: Queue, agent: Agent) -> int:
    """How many levels of the queue are asked before this agent's."""
    levels = queue.levels or (queue.members,)
    return next((n for n, level in enumerate(levels) if level >> agent.slot & 1), len(levels))


# --- most skilled ---------------------------------------------------------------------------------------------------


def skills_wanted(queue: Queue, attributes: Attributes) -> tuple[str, ...]:
    """The skills that the queue's `needs` names for this call."""
    return () if queue.needs is None else queue.needs.named(attributes)


def most_skilled(index: SkillIndex, skills: Iterable[str], agents: int) -> int:
    """Those with the highest sum of levels in the skills. Splits the set by level, skill by skill, so that it costs as
    much for many agents as for few."""
    sums = {0: agents}
    for skill in skills:
        if skill not in index:
            continue
        split: dict[int, int] = {}
        for total, rest in sums.items():
            for level in range(MAX_LEVEL, 0, -1):
                if found := rest & index.at_least(skill, level):
                    split[total + level] = split.get(total + level, 0) | found
                    rest ^= found
                    if not rest:
                        break
            if rest:
                split[total] = split.get(total, 0) | rest
        sums = split
    return sums[max(sums)]


def skill_sum(agent: Agent, skills: Iterable[str]) -> int:
    """The agent's levels in them."""
    return sum(agent.skills.get(skill, 0) for skill in skills)


# --- in turn --------------------------------------------------------------------------------------------------------


def _in_turn(roster: Roster, queue: Queue, agents: int) -> Agent:
    """The first in the queue's list (or the site file); with `round robin` the first after who was asked last."""
    last = roster.agents.get(queue.last or "") if queue.strategy == "round robin" else None
    after = -1 if last is None else place_in(queue, last)
    if not queue.order and agents.bit_count() > FEW:
        many = slots_array(agents)
        places = column(roster.columns.place, many)
        later = places > after
        if later.any():
            many, places = many[later], places[later]
        return roster.in_slot(int(many[places.argmin()]))
    found = [roster.in_slot(slot) for slot in slots(agents)]
    return min(found, key=lambda agent: ((place := place_in(queue, agent)) <= after, place))


def place_in(queue: Queue, agent: Agent) -> int:
    """In the queue's list; who is not in it (a borrowed one) follows in the order of the site file."""
    return queue.order.get(agent.slot, len(queue.order) + agent.place)


# --- by a number ----------------------------------------------------------------------------------------------------


def key_of(item: WorkItem, agent: Agent, now: float) -> float:
    """The number by which the strategy of the item's queue compares this agent, lowest first (0 if it is another kind
    of strategy)."""
    match item.queue.strategy:
        case "fewest calls":
            return float(agent.calls)
        case "least talk time":
            return agent.talked_s
        case "least occupied":
            return occupancy(agent, now)
        case "random":
            return draw(agent.name, item)
        case "weighted":
            return -math.log(draw(agent.name, item)) / agent.weight
        case _:
            return 0.0


def occupancy(agent: Agent, now: float) -> float:
    """Which part of the time since he logged in, without that when he was not ready, an agent who is ready worked."""
    on_duty_s = now - agent.on_duty_from
    return agent.worked_s / on_duty_s if on_duty_s > 0 else 0.0


_BY_KEY = ("fewest calls", "least talk time", "least occupied", "random", "weighted")


def _lowest(roster: Roster, item: WorkItem, agents: int, now: float) -> int:
    if agents.bit_count() <= FEW:
        found = [roster.in_slot(slot) for slot in slots(agents)]
        return min((key_of(item, agent, now), agent.idle_since, agent.slot) for agent in found)[2]
    many = slots_array(agents)
    keys = _keys(roster, item, many, now)
    many = many[keys == keys.min()]
    return int(many[0] if len(many) == 1 else many[column(roster.columns.idle_since, many).argmin()])


def _keys(roster: Roster, item: WorkItem, many: Slots, now: float) -> Numbers:
    columns, strategy = roster.columns, item.queue.strategy
    if strategy == "fewest calls":
        return column(columns.calls, many)
    if strategy == "least talk time":
        return column(columns.talked_s, many)
    if strategy == "least occupied":
        on_duty_s = now - column(columns.on_duty_from, many)
        worked_s = column(columns.worked_s, many)
        return numpy.divide(worked_s, on_duty_s, out=numpy.zeros_like(worked_s), where=on_duty_s > 0)
    names = numpy.frombuffer(columns.names, numpy.uint64)[many]
    shares = _shares(names, item)
    return shares if strategy == "random" else -numpy.log(shares) / column(columns.weight, many)


def draw(agent: str, item: WorkItem) -> float:
    """A number in (0, 1] from who, what, and how often it was offered: splitmix64 (Steele, Lea, Flood, 2014)."""
    z = ((name_number(agent) << 32) + item.number * 0x9E3779B97F4A7C15 + item.tries * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (((z ^ (z >> 31)) >> 11) + 1) * 2.0**-53


def _shares(names: numpy.typing.NDArray[numpy.uint64], item: WorkItem) -> Numbers:
    """`draw` for many agents."""
    u = numpy.uint64
    offset = (item.number * 0x9E3779B97F4A7C15 + item.tries * 0xD1B54A32D192ED03) & _MASK
    z = (names << u(32)) + u(offset)
    z = (z ^ (z >> u(30))) * u(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u(27))) * u(0x94D049BB133111EB)
    z ^= z >> u(31)
    shares: Numbers = ((z >> u(11)).astype(numpy.float64) + 1.0) * 2.0**-53
    return shares
