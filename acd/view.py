"""What desktops and wall boards show of the floor, as plain JSON values."""

from __future__ import annotations

from acd.agent_state import State
from acd.floor import Floor
from acd.model import Agent, ItemState, Queue, WorkItem


def agents(floor: Floor) -> list[dict[str, object]]:
    """All agents, in the order of the site file.

    `reason` is the not-ready reason or, while READY, what keeps the agent from being available. `pending` is the state
    that follows the call, if the agent asked for one.
    """
    return [_agent(floor, agent) for agent in floor.roster.agents.values()]


def _agent(floor: Floor, agent: Agent) -> dict[str, object]:
    return {
        "name": agent.name,
        "display_name": agent.display_name or agent.name,
        "state": agent.state.value,
        "reason": floor.roster.hindrance(agent) or agent.reason,
        "since": agent.since,
        "call_id": agent.item_id,
        "skills": dict(agent.skills),
        "phone": agent.phone.name,
        "registered": agent.phone.reachable,
        "available": floor.roster.available(agent),
        "pending": None if agent.wish is State.READY else agent.wish.value,
    }


def queues(floor: Floor, now: float) -> list[dict[str, object]]:
    """All queues with those who wait in them, next to be served first.

    `agents` counts those who could take some call of the queue: by state, and `available`.
    """
    now = max(now, floor.now)
    return [_queue(floor, queue, now) for queue in floor.queues.values()]


def _queue(floor: Floor, queue: Queue, now: float) -> dict[str, object]:
    waiting = [item for item in queue.items.values() if item.state is not ItemState.CONNECTED]
    waiting.sort(key=lambda item: (item.rank, item.number))
    roster = floor.roster
    able = queue.members & queue.needs.bounds(roster.skills)[1] if queue.needs else queue.members
    counts = dict.fromkeys((state.value.lower() for state in State), 0)
    for agent in roster.agents.values():
        if able >> agent.slot & 1:
            counts[agent.state.value.lower()] += 1
    return {
        "name": queue.name,
        "closed": queue.closed,
        "waiting": [_item(item, now) for item in waiting],
        "agents": {**counts, "available": roster.idle.count(able)},
        "offered": queue.offered,
        "answered": queue.connected,
        "abandoned": queue.abandoned,
        "overflowed": queue.overflowed,
        "longest_wait_s": max((item.waited_s(now) for item in waiting), default=0.0),
    }


def _item(item: WorkItem, now: float) -> dict[str, object]:
    return {
        "call_id": item.id,
        "waited_s": item.waited_s(now),
        "score": item.score + now - item.age_from,
        "state": item.state.value,
        "agent": next((held.agent for held in item.reservations.values()), None),
        "attributes": dict(item.attributes),
    }
