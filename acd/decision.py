"""What an event says of a decision, so that it can be explained afterwards: plain values, counts of sets of agents and
a few names. It is made always, so it costs no more than the names it shows (`acd.explain_candidates` of the site).

`explain.py` puts it into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from acd.agent_set import slots
from acd.agent_state import State
from acd.capacity import PHONE, capacity, load
from acd.model import Agent, WorkItem
from acd.strategies import first_level, key_of, place_in, skill_sum, skills_wanted

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.roster import Roster

LEAST_LOADED: Final = "least loaded"  # the strategy of work that is not at the phone
FEW: Final = 64  # so many who do not fit can be told apart by a reader: then some are named
_WORD: Final = (1 << 64) - 1
MOST_TEXT: Final = 80  # characters about one agent: what a requirement compares with comes from the call
Standing = tuple[tuple[str, str], ...]  # agents and what each is at, or lacks
Excluded = dict[str, int]  # how many for which reason: a key of `explain.REASONS`
Rival = tuple[str, str, float]  # an item, its queue and its score with its age
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
    excluded: Excluded | None = None  # all others of the site; None: this is told with another offer, or not known
    named: Standing = ()  # some of them, those who fit first
    rival: Rival | None = None  # if the agent came free: whom he would have taken otherwise


class Fitting(NamedTuple):
    """Who fits an item that nobody takes now, and why they do not. In events it is a plain tuple."""

    needs: str | None
    step: int
    fits: int
    logged_in: int  # of these
    on_duty: int  # of these, neither logged out nor not ready
    free: int  # of these, available (others are before this item, or its queue waits to pair many)
    named: Standing  # some of those who cannot take it, those who fit first
    excluded: Excluded | None = None  # how many cannot, and why; None: not known


def of(
    floor: Floor, item: WorkItem, agent: Agent, among: int, best: Sequence[Agent], rival: WorkItem | None
) -> Decision:
    """`agent`, of the set `among` of those available, whom the strategy puts in the order `best`; an empty set: the
    agent chose, from those waiting, of whom `rival` is the next."""
    roster, eligible, now = floor.roster, item.eligible, floor.now
    step = item.queue.steps[item.step]
    strategy = item.queue.strategy if item.channel in PHONE else LEAST_LOADED
    shown = _shown(floor, item, agent, best, now) if among else ((agent.name, None, round(now - agent.idle_since, 1)),)
    kind = ""
    if item.preferred is not None:
        kind = "preferred"
    elif item.borrowing and not item.queue.members >> agent.slot & 1:
        kind = "borrowed"
    told = item.reservations and item.queue.strategy == "ring all"
    excluded, named = (None, ()) if told else _left_out(floor, item, among)
    other = None if rival is None else (rival.id, rival.queue.name, round(rival.score + now - rival.age_from, 1))
    return Decision(
        strategy, step.text, item.step, eligible.bit_count(), (eligible & roster.logged_in).bit_count(),
        among.bit_count(), shown, kind, excluded, named, other,
    )  # fmt: skip


def _shown(floor: Floor, item: WorkItem, agent: Agent, best: Sequence[Agent], now: float) -> Shown:
    most = floor.acd.explain_candidates
    if most == 0:
        return ()
    skills = skills_wanted(item.queue, item.attributes) if item.queue.strategy == "most skilled" else ()
    found = [agent, *(one for one in best if one is not agent)]
    return tuple([(one.name, _key(item, one, skills, now), round(now - one.idle_since, 1)) for one in found[:most]])


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
    roster, eligible, step = floor.roster, item.eligible, item.queue.steps[item.step]
    here = eligible & roster.logged_in
    excluded, named = _left_out(floor, item, 0)
    return Fitting(
        step.text, item.step, eligible.bit_count(), here.bit_count(), (here & roster.on_duty).bit_count(),
        (here & _open(floor, item.channel)).bit_count(), named, excluded,
    )  # fmt: skip


def doing(floor: Floor, agent: Agent, channel: str = "call") -> str:
    """What an agent is at: BUSY, NOT_READY lunch, READY unregistered ..."""
    why = floor.roster.hindrance(agent) if agent.state is State.READY else agent.reason
    if channel not in PHONE and agent.state is State.READY:
        why = "at other work" if agent.work else None
    return f"{agent.state.value} {why}" if why else agent.state.value


# --- who could not be chosen ------------------------------------------------------------------------------------------


def _left_out(floor: Floor, item: WorkItem, among: int) -> tuple[Excluded, Standing]:
    """All agents of the site but those who were free for the item and asked first, by reason, and some of them by name:
    first those who could take it at another moment, then others, if they are few or nobody could. `among`: as in `of`.
    """
    roster, queue, fits = floor.roster, item.queue, item.eligible
    here, unfit = fits & roster.logged_in, queue.members & ~fits
    not_free, out = here & ~_open(floor, item.channel), fits ^ here
    later = among & ~first_level(queue, among) if queue.levels else 0
    everyone, serving = roster.skills.everyone, queue.members
    elsewhere = 0 if serving == everyone else everyone & ~(serving | fits)
    counts = {
        "later_level": later.bit_count(), **_hindered(roster, not_free), "logged_out": out.bit_count(),
        **_unfit(roster, item, unfit), "elsewhere": elsewhere.bit_count(),
    }  # fmt: skip
    groups = [(later, _level), (not_free, _at)]
    if not fits or unfit.bit_count() <= FEW:
        groups += [(unfit & roster.logged_in, _lack), (out, _at), (unfit & ~roster.logged_in, _lack)]
        groups.append((elsewhere, _elsewhere))
    else:
        groups.append((out, _at))
    named, most = list[tuple[str, str]](), floor.acd.explain_candidates
    for agents, why in groups:
        for slot in _first(agents, most - len(named)):
            agent = roster.in_slot(slot)
            named.append((agent.name, why(floor, item, agent)))
    return {reason: count for reason, count in counts.items() if count}, tuple(named)


def _first(agents: int, most: int) -> list[int]:
    """Up to so many slots of a set, found without a look at the others."""
    found: list[int] = []
    at = 0
    while agents and len(found) < most:
        skipped = (agents & -agents).bit_length() - 1
        agents, at = agents >> skipped, at + skipped
        found += [at + slot for slot in slots(agents & _WORD)]  # small numbers: quick
        agents &= ~_WORD
    return found[:most]


def _open(floor: Floor, channel: str) -> int:
    return floor.roster.idle.everyone if channel in PHONE else floor.written.open.get(channel, 0)


def _hindered(roster: Roster, agents: int) -> Excluded:
    """Of those who fit and are logged in."""
    if not agents:
        return {}
    on_duty = agents & roster.on_duty
    ringing, at_work = (on_duty & roster.ringing).bit_count(), (on_duty & roster.at_work).bit_count()
    duty = on_duty.bit_count()
    return {
        "ringing": ringing, "at_work": at_work - ringing, "not_free": duty - at_work,
        "not_ready": agents.bit_count() - duty,
    }  # fmt: skip


def _unfit(roster: Roster, item: WorkItem, agents: int) -> Excluded:
    """Of those who serve the queue."""
    found: Excluded = {}
    if without := agents & roster.unable.get(item.channel, 0):
        found["no_channel"], agents = without.bit_count(), agents ^ without
    if item.preferred is not None:
        others = agents & roster.eligible(item.queue, item.attributes, item.step)
        found["not_preferred"], agents = others.bit_count(), agents ^ others
    found["unfit"] = agents.bit_count()
    return found


def _level(floor: Floor, item: WorkItem, agent: Agent) -> str:
    return f"LATER_LEVEL {agent.level_in(item.queue.name)}"


def _at(floor: Floor, item: WorkItem, agent: Agent) -> str:
    return "ASKED" if agent.item_id == item.id else doing(floor, agent, item.channel)


def _lack(floor: Floor, item: WorkItem, agent: Agent) -> str:
    if not capacity(agent, item.channel):
        return f"NO_CHANNEL {item.channel}"
    needs = item.queue.steps[item.step].needs
    lack = needs.lack(agent.skills, item.attributes) if needs is not None else ""
    return f"UNFIT {lack}"[:MOST_TEXT] if lack else "NOT_PREFERRED"


def _elsewhere(floor: Floor, item: WorkItem, agent: Agent) -> str:
    return "ELSEWHERE"
