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
_LATER = 1e9  # more than there are agents


def choose(roster: Roster, item: WorkItem, agents: int, now: float) -> Agent:
    """One of `agents`, a set that is not empty, of whom all are available: by the levels of the item's queue, then by
    its strategy."""
    return ranked(roster, item, agents, now, 1)[0]


def ranked(roster: Roster, item: WorkItem, agents: int, now: float, most: int) -> list[Agent]:
    """Whom `choose` chooses, then whom it would choose without him, and so on: so many of them, or all."""
    found: list[int] = []
    while agents and len(found) < most:
        level = first_level(item.queue, agents)
        found += _of_level(roster, item, level, now, most - len(found))
        agents ^= level
    return [roster.in_slot(slot) for slot in found]


def _of_level(roster: Roster, item: WorkItem, agents: int, now: float, most: int) -> list[int]:
    queue = item.queue
    strategy = queue.strategy
    if strategy == "most skilled":
        sums, found = skill_sums(roster.skills, skills_wanted(queue, item.attributes), agents), list[int]()
        while sums and len(found) < most:
            found += roster.idle.first(sums.pop(max(sums)), most - len(found))
        return found
    if strategy == "round robin" or strategy == "top down":
        return _in_turn(roster, queue, agents, most)
    if strategy in _BY_KEY:
        return _lowest(roster, item, agents, now, most)
    return roster.idle.first(agents, most)


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
    """Those with the highest sum of levels in the skills."""
    sums = skill_sums(index, skills, agents)
    return sums[max(sums)]


def skill_sums(index: SkillIndex, skills: Iterable[str], agents: int) -> dict[int, int]:
    """The agents by their sum of levels in the skills. Splits the set by level, skill by skill, so that it costs as
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
    return sums


def skill_sum(agent: Agent, skills: Iterable[str]) -> int:
    """The agent's levels in them."""
    return sum(agent.skills.get(skill, 0) for skill in skills)


# --- in turn --------------------------------------------------------------------------------------------------------


def _in_turn(roster: Roster, queue: Queue, agents: int, most: int) -> list[int]:
    """As in the queue's list (or the site file); with `round robin` from after who was asked last, and round."""
    last = roster.agents.get(queue.last or "") if queue.strategy == "round robin" else None
    after = -1 if last is None else place_in(queue, last)
    if not queue.order and agents.bit_count() > FEW:
        many = slots_array(agents)
        places = column(roster.columns.place, many)
        return _first(many, numpy.where(places > after, places - _LATER, places), places, most)
    found = [roster.in_slot(slot) for slot in slots(agents)]
    found.sort(key=lambda agent: ((place := place_in(queue, agent)) <= after, place))
    return [agent.slot for agent in found[:most]]


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


def _lowest(roster: Roster, item: WorkItem, agents: int, now: float, most: int) -> list[int]:
    if agents.bit_count() <= FEW:
        few = [roster.in_slot(slot) for slot in slots(agents)]
        keys = sorted([(key_of(item, agent, now), agent.idle_since, agent.slot) for agent in few])
        return [slot for _, _, slot in keys[:most]]
    many = slots_array(agents)
    return _first(many, _keys(roster, item, many, now), column(roster.columns.idle_since, many), most)


def _first(many: Slots, keys: Numbers, idle_since: Numbers, most: int) -> list[int]:
    """The slots with the lowest keys, of equals who has been idle longest."""
    if most < len(many):
        near = keys <= (keys.min() if most == 1 else numpy.partition(keys, most - 1)[most - 1])
        many, keys, idle_since = many[near], keys[near], idle_since[near]
    order = numpy.lexsort((many, idle_since, keys))[:most] if len(many) > 1 else (0,)
    return [int(many[place]) for place in order]


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
