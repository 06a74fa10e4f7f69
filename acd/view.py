"""What desktops and wall boards show of the floor, as plain JSON values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from acd import agent_changes
from acd.agent_set import set_of
from acd.agent_state import State
from acd.floor import Floor
from acd.model import Agent, ItemState, Queue, WorkItem
from acd.statistics import GROUPS
from acd.wrap_up import Notes


def agents(floor: Floor) -> Iterator[dict[str, object]]:
    """All agents, in the order of the site file; each made when it is taken, since there may be very many.

    `reason` is the not-ready reason or, while READY, what keeps the agent from being available. `pending` is the state
    that follows the call, if the agent asked for one. `phone` is where he sits; None: nowhere.
    """
    return (_agent(floor, agent) for agent in list(floor.roster.agents.values()))


def states(floor: Floor) -> Counter[str]:
    """How many agents are in each."""
    return Counter(agent.state.value for agent in floor.roster.agents.values())


def agent(floor: Floor, name: str) -> dict[str, object]:
    """One of them, with the queues that he could serve and the reasons that he may give (empty: any). Raises
    `UnknownAgent`."""
    found = floor.roster.agent(name)
    reasons = list(floor.acd.not_ready_reasons)
    return _agent(floor, found) | {"queues": serves(floor, found), "not_ready_reasons": reasons}


def agent_at(floor: Floor, extension: str) -> str | None:
    """Who is logged in at a phone; if nobody is, whose it is."""
    phone = floor.roster.phones.get(extension)
    users = [] if phone is None else [floor.roster.agents[name] for name in phone.agents]
    users.sort(key=lambda user: user.state is State.LOGGED_OUT)
    return users[0].name if users else None


def _agent(floor: Floor, agent: Agent) -> dict[str, object]:
    return {
        "name": agent.name,
        "display_name": agent.display_name or agent.name,
        "state": agent.state.value,
        "reason": floor.roster.hindrance(agent) or agent.reason,
        "since": agent.since,
        "call_id": agent.item_id,
        "skills": dict(agent.skills),
        "skill_changes": dict(agent.skill_changes),
        "phone": agent.at,
        "registered": agent.phone.reachable,
        "available": floor.roster.available(agent),
        "channels": dict(agent.channels),
        "work": dict(agent.work),
        "pending": None if agent.wish is State.READY else agent.wish.value,
        "wrap_up": None if agent.notes is None else notes(agent.notes, floor.acd.wrap_up_at_most_s),
        "work_notes": [
            notes(item.notes, floor.acd.wrap_up_at_most_s) | {"channel": item.channel}
            for item in map(floor.written.items.__getitem__, agent.work) if item.notes is not None
        ],
    }  # fmt: skip


def serves(floor: Floor, agent: Agent) -> list[dict[str, object]]:
    """The queues that are an agent's: his level, whether he serves it now and has skills for some call."""
    return [
        {"name": name, "level": level, "joined": name not in agent.left, "changed": name in agent.queue_changes,
         "able": _able(floor, agent, queue)}
        for name, queue in floor.queues.items()
        if (level := agent.level_in(name)) and not queue.closed and (queue.listed is None or agent.name in queue.listed)
    ]  # fmt: skip


def _able(floor: Floor, agent: Agent, queue: Queue) -> bool:
    """Sooner or later, for some call."""
    skills = floor.roster.skills
    return any(step.needs is None or step.needs.bounds(skills)[1] >> agent.slot & 1 for step in queue.steps)


def names(floor: Floor, kind: str) -> Collection[str]:
    """What there is of a kind: queue, skill, agent; trunk and partner: that have figures."""
    if kind == "skill":
        return agent_changes.known_skills(floor)
    if kind in GROUPS:
        return floor.statistics.of(kind)
    return floor.queues if kind == "queue" else floor.roster.agents


def notes(found: Notes, at_most_s: float) -> dict[str, object]:
    """What is noted of what an agent has, or had. `began` and `until` None: it lasts; `until` None alone: the
    wrap-up lasts until a disposition is given."""
    return {
        "call_id": found.item_id,
        "queue": found.queue,
        "began": found.began,
        "until": found.until,
        "at_most_until": None if found.began is None else found.began + at_most_s,
        "dispositions": list(found.dispositions),
        "disposition_needed": found.needed,
        "disposition": found.disposition,
    }


def queues(floor: Floor, now: float) -> list[dict[str, object]]:
    """All queues with those who wait in them, next to be served first.

    `agents` counts those who could take some call of the queue: by state, and `available`.
    """
    now, found = max(now, floor.now), dict[State, list[int]]()
    for agent in floor.roster.agents.values():
        found.setdefault(agent.state, []).append(agent.slot)
    states = {state.value.lower(): set_of(found.get(state, ())) for state in State}
    return [_queue(floor, queue, now, states) for queue in floor.queues.values()]


def _queue(floor: Floor, queue: Queue, now: float, states: dict[str, int]) -> dict[str, object]:
    """`states`: who is in which, as sets."""
    waiting = [item for item in queue.items.values() if item.state is not ItemState.CONNECTED]
    waiting.sort(key=lambda item: (item.rank, item.number))
    there = [item for item in waiting if item.state is not ItemState.KEPT]
    roster = floor.roster
    able = queue.able
    counts = {state: (able & agents).bit_count() for state, agents in states.items()}
    return {
        "name": queue.name,
        "closed": queue.closed,
        "priority": queue.priority if queue.priority_set is None else queue.priority_set,
        "priority_set": queue.priority_set,
        "emergency": queue.emergency,
        "callback": queue.callback is not None,
        "waiting": [_item(item, now) for item in waiting],
        "waiting_by_channel": {channel: count for channel, count in queue.waiting.items() if count},
        "agents": {**counts, "available": roster.idle.count(able)},
        "offered": queue.offered,
        "answered": queue.connected,
        "abandoned": queue.abandoned,
        "overflowed": queue.overflowed,
        "resumed": queue.resumed,
        "longest_wait_s": max((item.waited_s(now) for item in there), default=0.0),
    }


def _item(item: WorkItem, now: float) -> dict[str, object]:
    return {
        "call_id": item.id,
        "channel": item.channel,
        "waited_s": item.waited_s(item.left_at if item.state is ItemState.KEPT else now),  # or until he hung up
        "score": item.score + now - item.age_from,
        "state": item.state.value,
        "agent": next((held.agent for held in item.reservations.values()), None),
        "attributes": dict(item.attributes),
    }
