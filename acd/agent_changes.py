"""What changes about an agent while he works: where he sits, which queues he serves, what he can do.

A supervisor's levels lie over those of the site file until they are taken back (None), so a reload keeps them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from acd import borrowing, fitting, written
from acd.agent_state import AT_WORK, State
from acd.errors import AgentCommandError, BadLevel, PhoneTaken, UnknownQueue, UnknownSkill
from acd.events import AgentQueuesChanged, AgentSeated, AgentSkillsChanged
from acd.model import ItemState, Queue
from acd.skills import MAX_LEVEL

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.model import Agent


# --- where he sits ---


def check_seat(floor: Floor, agent: Agent, extension: str) -> None:
    """Raises `PhoneTaken` if a colleague is logged in there, `AgentCommandError` if he is at work elsewhere."""
    phone = floor.roster.phones.get(extension)
    for name in () if phone is None else phone.agents:
        other = floor.roster.agents[name]
        if other is not agent and other.state is not State.LOGGED_OUT:
            raise PhoneTaken(extension, name, other.state.value)
    if agent.state in AT_WORK and agent.phone.name != extension:
        raise AgentCommandError(agent.name, f"login at {extension}", agent.state.value)


def sit(floor: Floor, agent: Agent, extension: str) -> None:
    """His phone is that one until he logs out."""
    if agent.phone.name == extension:
        return
    agent.seat = None if extension == agent.home else extension
    _move(floor, agent, extension)


def stand_up(floor: Floor, agent: Agent) -> None:
    """Logged out: back to his own phone, or to none."""
    if agent.seat is not None:
        agent.seat = None
        _move(floor, agent, agent.home)


def _move(floor: Floor, agent: Agent, phone: str) -> None:
    roster = floor.roster
    roster.move(agent, roster.phone_of(agent, phone))
    floor.tell(AgentSeated(floor.now, agent.name, phone or None))
    floor.update(agent)


# --- queues ---


def check_queues(floor: Floor, names: Collection[str]) -> None:
    """Raises `UnknownQueue`."""
    for name in names:
        if name not in floor.queues or floor.queues[name].closed:
            raise UnknownQueue(name)


def serve_only(floor: Floor, agent: Agent, queues: Sequence[str] | None) -> None:
    """At log-in: these queues, or all of his."""
    left: set[str] = set()
    if queues is not None:
        left = {name for name in floor.queues if name not in queues and agent.level_in(name)}
    leave_queues(floor, agent, left)


def leave_queues(floor: Floor, agent: Agent, left: set[str], by: str = "") -> None:
    """All that he does not serve for now."""
    if left == agent.left:
        return
    changed = sorted(left ^ agent.left)
    agent.left = left
    floor.tell(AgentQueuesChanged(floor.now, agent.name, sorted(left), dict(agent.queue_changes), by))
    _serves(floor, agent, changed)


def change_queues(floor: Floor, agent: Agent, levels: Mapping[str, int | None], by: str) -> None:
    _check(levels)
    _overlay(agent.queue_changes, levels)
    floor.tell(AgentQueuesChanged(floor.now, agent.name, sorted(agent.left), dict(agent.queue_changes), by))
    _serves(floor, agent, sorted(levels))


def _serves(floor: Floor, agent: Agent, changed: Sequence[str]) -> None:
    for name in changed:
        floor.roster.serving.put(agent, name)
    refit(floor, [floor.queues[name] for name in changed if name in floor.queues])


# --- skills ---


def known_skills(floor: Floor) -> set[str]:
    """Those that some agent has by the site file, or that a queue asks for."""
    known = {skill for agent in floor.roster.agents.values() for skill in agent.trained}
    for queue in floor.queues.values():
        asked = [step.needs for step in queue.steps] + ([] if queue.borrow is None else [queue.borrow.needs])
        known.update(skill for needs in asked if needs is not None for skill in needs.skills)
    return known


def check_skills(floor: Floor, levels: Mapping[str, int | None]) -> None:
    """Raises `UnknownSkill`; whatever a supervisor has said may be taken back."""
    named = [skill for skill, level in levels.items() if level is not None and skill not in floor.roster.skills]
    if named:
        known = known_skills(floor)
        for skill in named:
            if skill not in known:
                raise UnknownSkill(skill, known)


def change_skills(floor: Floor, agent: Agent, levels: Mapping[str, int | None], by: str) -> None:
    _check(levels)
    check_skills(floor, levels)
    _overlay(agent.skill_changes, levels)
    floor.roster.learn(agent)
    floor.tell(AgentSkillsChanged(floor.now, agent.name, dict(agent.skills), dict(agent.skill_changes), by))
    refit(floor, list(floor.queues.values()))


def _check(levels: Mapping[str, int | None]) -> None:
    for name, level in levels.items():
        whole = level is None or (type(level) is int and 0 <= level <= MAX_LEVEL)
        if not whole or not name.strip():
            raise BadLevel(name, level, MAX_LEVEL)


def _overlay(kept: dict[str, int], new: Mapping[str, int | None]) -> None:
    for name, level in new.items():
        if level is None:
            kept.pop(name, None)
        else:
            kept[name] = level


# --- what follows ---


def refit(floor: Floor, queues: Sequence[Queue]) -> None:
    """Who fits the calls of these queues is worked out anew; a phone that rings goes on ringing."""
    for queue in queues:
        floor.roster.remember(queue)
    waiting = []
    for queue in borrowing.measure(floor, queues):
        for item in queue.items.values():
            if floor.lines.discard(item):
                waiting.append(item)
            elif item.state is ItemState.RESERVED:
                fitting.fit(floor, item)
    waiting.sort(key=lambda item: (item.rank, item.number))
    for item in waiting:
        fitting.fit(floor, item)
        floor.place(item)
    if floor.written.items:
        written.refit(floor)
