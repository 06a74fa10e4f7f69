"""Taking over a changed site. States, places in line and counters stay; nobody is lost."""

from __future__ import annotations

from acd.agent_state import Input, State
from acd.deadlines import Due
from acd.errors import QueueNeedsError, RequirementError
from acd.figures import Days
from acd.floor import Floor
from acd.model import Agent, ItemState, Queue
from acd.requirement import Requirement, parse
from acd.reservation import Outcome
from acd.selection import base_score
from acd.waiting_line import WaitingLines
from config import schema


def take_over(floor: Floor, site: schema.Site) -> None:
    """Raises `QueueNeedsError` before anything is changed."""
    needs = {name: _needs(name, queue) for name, queue in site.queues.items()}
    floor.acd = site.acd
    new, gone = floor.roster.define(site.agents)
    if floor.statistics.days.zone != site.locale.timezone:
        floor.statistics.days = Days(site.locale.timezone)
    for name, spec in site.queues.items():
        _define(floor, name, spec, needs[name])
    for name, queue in list(floor.queues.items()):
        if name not in site.queues:
            queue.closed = True
            if not queue.items:
                del floor.queues[name]
    _remeasure(floor)
    floor.lines = WaitingLines()  # until all are placed, nobody can be matched by the old rules
    for agent in list(floor.roster.agents.values()):
        if agent.state is State.READY and not agent.retired:  # the phone may be another one
            floor.enter(agent, State.READY, agent.reason if agent.resting else None)
    for agent in gone:
        _dismiss(floor, agent)
    waiting = [item for item in floor.items.values() if item.state is ItemState.QUEUED]
    for agent in new:
        agent.since = floor.now
        if site.agents[agent.name].login == "always":
            floor.apply(agent, Input.LOGIN, "logged in")
            floor.apply(agent, Input.READY)
    for item in sorted(waiting, key=lambda item: (item.rank, item.number)):
        floor.place(item)


def _needs(name: str, queue: schema.Queue) -> Requirement | None:
    try:
        return parse(queue.needs) if queue.needs is not None else None
    except RequirementError as error:
        raise QueueNeedsError(name, error) from error


def _define(floor: Floor, name: str, spec: schema.Queue, needs: Requirement | None) -> None:
    queue = floor.queues.get(name)
    if queue is None:
        queue = floor.queues[name] = Queue(name)
    queue.closed = False
    queue.needs, queue.listed = needs, spec.agents
    queue.priority, queue.value_weight = spec.priority, spec.value_weight
    queue.ring_s, queue.wrap_up_s = spec.ring_s, spec.wrap_up_s
    queue.in_time_s, queue.short_s = spec.service_level.within_s, spec.service_level.short_abandon_s
    floor.statistics.within_s[name] = queue.in_time_s
    queue.dispositions, queue.disposition_needed = spec.dispositions, spec.disposition_needed
    queue.max_wait_s, queue.overflow = spec.max_wait_s, spec.overflow
    queue.enter, queue.leave, queue.resume_s = spec.enter, spec.leave, spec.resume_s
    queue.to_when_closed, queue.to_in_emergency = spec.closed, spec.emergency


def _remeasure(floor: Floor) -> None:
    """Work out anew who fits what, scores, and how long each may still wait."""
    roster = floor.roster
    for queue in floor.queues.values():
        roster.remember(queue)
    for item in floor.items.values():
        if item.state in (ItemState.CONNECTED, ItemState.KEPT):
            continue
        item.score = base_score(item.queue, item.attributes)
        item.eligible = roster.eligible(item.queue, item.attributes)
        if item.queue.max_wait_s is None:
            floor.deadlines.forget((Due.ITEM, item.id))
        else:
            floor.deadlines.set((Due.ITEM, item.id), max(floor.now, item.queued_at + item.queue.max_wait_s))


def _dismiss(floor: Floor, agent: Agent) -> None:
    """An agent who is no longer in the site: after the call, if he talks; else at once."""
    if agent.reservation is not None:
        floor.end(agent.reservation, Outcome.WITHDRAWN)  # the item is placed with all others
    if agent.state is State.BUSY:
        agent.wish, agent.wish_reason = State.LOGGED_OUT, "removed"
    elif agent.state is State.LOGGED_OUT:
        floor.roster.forget(agent)
    else:
        floor.apply(agent, Input.LOGOUT, "removed")
