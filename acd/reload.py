"""Taking over a changed site. States, places in line and counters stay; nobody is lost."""

from __future__ import annotations

from acd import assignment, borrowing, callbacks, fitting, nailed_up, offering, preference, written
from acd.agent_state import Input, State
from acd.deadlines import Due
from acd.errors import QueueNeedsError, RequirementError
from acd.figures import Days
from acd.floor import Floor
from acd.model import Agent, Borrow, ItemState, Queue, Step
from acd.preference import DAY_S
from acd.requirement import parse
from acd.reservation import Outcome
from acd.selection import base_score
from acd.waiting_line import WaitingLines
from config import schema


def take_over(floor: Floor, site: schema.Site) -> None:
    """Raises `QueueNeedsError` before anything is changed."""
    needs = {name: _needs_of(name, queue) for name, queue in site.queues.items()}
    floor.acd = site.acd
    floor.roster.interrupts = {str(channel): tuple(others) for channel, others in site.acd.interrupts.items()}
    new, gone = floor.roster.define(site.agents)
    nailed_up.changed(floor)
    if floor.statistics.days.zone != site.locale.timezone:
        floor.statistics.days = Days(site.locale.timezone)
    for name, spec in site.queues.items():
        _define(floor, name, spec, needs[name])
    assignment.prepare(floor)
    for name, queue in list(floor.queues.items()):
        if name not in site.queues:
            queue.closed = True
            floor.drop_if_over(queue)
    _remeasure(floor)
    floor.lines = WaitingLines()  # until all are placed, nobody can be matched by the old rules
    for agent in list(floor.roster.agents.values()):
        if agent.state is State.READY and not agent.retired:  # the phone may be another one
            floor.enter(agent, State.READY, agent.reason if agent.resting else None)
        elif agent.reservation is not None and agent.phone.held_by != agent.name:
            floor.end(agent.reservation, Outcome.WITHDRAWN)  # now he has the phone of a colleague who is at work
            floor.apply(agent, Input.RELEASE)
    for agent in gone:
        _dismiss(floor, agent)
    for agent in new:
        agent.since = floor.now
        if site.agents[agent.name].login == "always":
            floor.apply(agent, Input.LOGIN, "logged in")
            floor.apply(agent, Input.READY)
    _place_all(floor)
    written.refit(floor)


def _place_all(floor: Floor) -> None:
    """Whoever wants an agent, in order; at once, if some queue has it so."""
    waiting = [item for item in floor.items.values() if offering.wanted(floor, item)]
    together = any(item.queue.together for item in waiting)
    for item in sorted(waiting, key=lambda item: (item.rank, item.number)):
        if not offering.wanted(floor, item):
            continue
        if item.state is ItemState.QUEUED and callbacks.held_back(floor, item):  # its agent was dismissed
            continue
        fitting.fit(floor, item)  # who was dismissed may have been the last one who fits
        if together:
            floor.lines.add(item)
        else:
            floor.place(item)
    if together:
        assignment.settle(floor)
        for item in floor.lines:  # those that ring everywhere
            floor.lines.remove(item)
            floor.place(item)
    callbacks.all_placed(floor)


class _Needs:
    """What a queue needs, read."""

    def __init__(self, spec: schema.Queue) -> None:
        """Raises `RequirementError`."""
        self.steps = (
            Step(0.0, None if spec.needs is None else parse(spec.needs), text=spec.needs),
            *(
                Step(one.after_s, parse(one.needs), text=one.needs)
                for one in sorted(spec.relax, key=lambda one: one.after_s)
            ),
        )
        self.borrow = None
        if spec.borrow is not None:
            lent = None if spec.borrow.needs is None else parse(spec.borrow.needs)
            self.borrow = Borrow(spec.borrow.when, spec.borrow.agents_of, lent)


def _needs_of(name: str, spec: schema.Queue) -> _Needs:
    try:
        return _Needs(spec)
    except RequirementError as error:
        raise QueueNeedsError(name, error) from error


def _define(floor: Floor, name: str, spec: schema.Queue, needs: _Needs) -> None:
    queue = floor.queues.get(name)
    if queue is None:
        queue = floor.queues[name] = Queue(name)
    queue.closed = False
    queue.needs, queue.steps, queue.borrow = needs.steps[0].needs, needs.steps, needs.borrow
    queue.listed, queue.prefer = spec.agents, spec.prefer
    queue.strategy, queue.ring_another_s = spec.strategy, spec.ring_another_s
    queue.together = spec.assign == "together"
    queue.priority, queue.value_weight = spec.priority, spec.value_weight
    queue.ring_s, queue.wrap_up_s = spec.ring_s, spec.wrap_up_s
    queue.in_time_s, queue.short_s = spec.service_level.within_s, spec.service_level.short_abandon_s
    queue.in_time_target = spec.service_level.target
    floor.statistics.within_s[name] = queue.in_time_s
    queue.dispositions, queue.disposition_needed = spec.dispositions, spec.disposition_needed
    queue.max_wait_s, queue.overflow = spec.max_wait_s, spec.overflow
    queue.enter, queue.leave, queue.resume_s = spec.enter, spec.leave, spec.resume_s
    queue.callback, queue.callback_rules = spec.callback, spec.callback or queue.callback_rules
    queue.to_when_closed, queue.to_in_emergency = spec.closed, spec.emergency


def _remeasure(floor: Floor) -> None:
    """Work out anew who fits what, scores, and how long each may still wait."""
    roster = floor.roster
    for queue in floor.queues.values():
        roster.remember(queue)
    lookback = [queue.prefer.last_agent_days or 0.0 for queue in floor.queues.values() if queue.prefer is not None]
    floor.talks.keep_s = max(lookback, default=0.0) * DAY_S
    borrowing.measure(floor)
    for item in floor.items.values():
        if item.state in (ItemState.CONNECTED, ItemState.KEPT):
            continue
        item.score = base_score(item)
        preference.begin(floor, item)
        fitting.fit(floor, item)
        if item.queue.max_wait_s is None or item.callback is not None:
            floor.deadlines.forget((Due.ITEM, item.id))
        else:
            floor.deadlines.set((Due.ITEM, item.id), max(floor.now, item.queued_at + item.queue.max_wait_s))


def _dismiss(floor: Floor, agent: Agent) -> None:
    """An agent who is no longer in the site: after the call, if he talks, and the chats he has; else at once."""
    if agent.reservation is not None:
        floor.end(agent.reservation, Outcome.WITHDRAWN)  # the item is placed with all others
    if agent.state is State.BUSY:
        agent.wish, agent.wish_reason = State.LOGGED_OUT, "removed"
    elif agent.state is State.LOGGED_OUT:
        floor.dismiss(agent)
    else:
        floor.apply(agent, Input.LOGOUT, "removed")
