"""What an event says of a decision, so that it can be explained afterwards: plain values, counts of sets of agents and
a few names. It is made always, so it costs no more than the names it shows (`acd.explain_candidates` of the site).

`explain.py` puts it into words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from acd.agent_state import State
from acd.capacity import PHONE, load
from acd.model import Agent, WorkItem
from acd.strategies import key_of, place_in, skill_sum, skills_wanted

if TYPE_CHECKING:
    from acd.floor import Floor

LEAST_LOADED: Final = "least loaded"  # the strategy of work that is not at the phone
Standing = tuple[tuple[str, str], ...]  # agents and what each is at
Shown = tuple[tuple[str, float | None, float], ...]  # agents, their number in the strategy, seconds idle


class Decision(NamedTuple):
    """Why this agent. In events it is a plain tuple."""

    strategy: str
    needs: str | None  # at the item's step; None: nothing
    step: int  # 0: what the queue needs at first
    fits: int  # agents who may take it
    logged_in: int  # of these
    free: int  # of these, available: one of them was chosen. 0: the agent came free and took the best who waited
    shown: Shown  # the best of the free ones, the chosen one first
    kind: str  # of agents: "", "preferred" (waited for), "borrowed" (the chosen one is)


class Fitting(NamedTuple):
    """Who fits an item that nobody takes now, and why they do not. In events it is a plain tuple."""

    needs: str | None
    step: int
    fits: int
    logged_in: int  # of these
    on_duty: int  # of these, neither logged out nor not ready
    free: int  # of these, available (others are before this item, or its queue waits to pair many)
    named: Standing  # those who are logged in, or if nobody is, all; empty if they are too many


def of(floor: Floor, item: WorkItem, agent: Agent, among: int, best: Sequence[Agent]) -> Decision:
    """`agent`, of the set `among` of those available, whom the strategy puts in the order `best`; an empty set: the
    agent chose, from those waiting."""
    roster, eligible, now = floor.roster, item.eligible, floor.now
    step = item.queue.steps[item.step]
    strategy = item.queue.strategy if item.channel in PHONE else LEAST_LOADED
    shown = _shown(floor, item, agent, best, now) if among else ((agent.name, None, round(now - agent.idle_since, 1)),)
    kind = ""
    if item.preferred is not None:
        kind = "preferred"
    elif item.borrowing and not item.queue.members >> agent.slot & 1:
        kind = "borrowed"
    return Decision(
        strategy, step.text, item.step, eligible.bit_count(), (eligible & roster.logged_in).bit_count(),
        among.bit_count(), shown, kind,
    )  # fmt: skip


def _shown(floor: Floor, item: WorkItem, agent: Agent, best: Sequence[Agent], now: float) -> Shown:
    most = floor.acd.explain_candidates
    if most == 0:
        return ()
    skills = skills_wanted(item.queue, item.attributes) if item.queue.strategy == "most skilled" else ()
    found = [agent, *(one for one in best if one is not agent)]
    return tuple([(one.name, _key(item, one, skills, now), round(now - one.idle_since, 1)) for one in found[:most]])


def _some(floor: Floor, agents: int, most: int) -> Iterator[Agent]:
    """Up to so many of the set, found without a look at the others."""
    while agents and most:
        lowest = agents & -agents
        yield floor.roster.in_slot(lowest.bit_length() - 1)
        agents ^= lowest
        most -= 1


def _key(item: WorkItem, agent: Agent, skills: tuple[str, ...], now: float) -> float | None:
    if item.channel not in PHONE:
        return float(load(agent, item.channel))
    match item.queue.strategy:
        case "most skilled":
            return float(skill_sum(agent, skills))
        case "round robin" | "top down":
            return float(place_in(item.queue, agent))
        case "longest idle" | "ring all" | "ring progressively":
            return None
        case _:
            return round(key_of(item, agent, now), 6)


def fitting(floor: Floor, item: WorkItem) -> Fitting:
    """Of an item that waits, now."""
    roster, eligible, channel = floor.roster, item.eligible, item.channel
    open_to = roster.idle.everyone if channel in PHONE else floor.written.open.get(channel, 0)
    step = item.queue.steps[item.step]
    here = eligible & roster.logged_in
    asked, most = here or eligible, floor.acd.explain_candidates
    named: Standing = ()
    if asked.bit_count() <= most:
        named = tuple([(agent.name, doing(floor, agent, channel)) for agent in _some(floor, asked, most)])
    return Fitting(
        step.text, item.step, eligible.bit_count(), here.bit_count(), (here & roster.on_duty).bit_count(),
        (here & open_to).bit_count(), named,
    )  # fmt: skip


def doing(floor: Floor, agent: Agent, channel: str = "call") -> str:
    """What an agent is at: BUSY, NOT_READY lunch, READY unregistered ..."""
    why = floor.roster.hindrance(agent) if agent.state is State.READY else agent.reason
    if channel not in PHONE and agent.state is State.READY:
        why = "at other work" if agent.work else None
    return f"{agent.state.value} {why}" if why else agent.state.value
