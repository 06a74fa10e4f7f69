"""Agents who are at work on something that is not there any more: looked for now and then, and repaired.

An agent is RESERVED or BUSY because of an item, and an item of the phone lives because of a call. Should a call end
without a word to the engine, its agent would be locked in it for ever. `look` is told what is derived from the live
legs; what has been wrong for `GRACE_S` (a hang-up on its way is none of it) is ended as if it had been told.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from acd.agent_set import slots
from acd.agent_state import Input, State
from acd.callbacks import customer_there
from acd.deadlines import Due
from acd.events import AgentRepaired
from acd.model import ItemState
from acd.reservation import Outcome

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.model import Agent

GRACE_S: Final = 10.0

NO_CALL: Final = "its call is gone"
NO_LEG: Final = "his leg is gone"
NO_ITEM: Final = "nothing that he is at work on"


@dataclass(slots=True)
class Doubts:
    """What is wrong with whom, and since when."""

    since: dict[str, tuple[str, float]] = field(default_factory=dict)


def look(floor: Floor, gone: Collection[str], legless: Collection[str]) -> list[str]:
    """`gone`: items whose calls are not live; `legless`: agents who have no live leg in the conversation they have.
    Returns the items of agents who were repaired."""
    found: dict[str, str] = {}
    for slot in slots(floor.roster.at_work):
        agent = floor.roster.in_slot(slot)
        if agent.state is State.RESERVED or agent.state is State.BUSY:
            wrong = _wrong(floor, agent, gone, legless)
            if wrong is not None:
                found[agent.name] = wrong
    since = floor.doubts.since
    floor.doubts.since = {
        name: since[name] if name in since and since[name][0] == wrong else (wrong, floor.now)
        for name, wrong in found.items()
    }
    due = [name for name, (_, at) in floor.doubts.since.items() if floor.now >= at + GRACE_S]
    items = [floor.roster.agents[name].item_id or "" for name in due]
    for name in due:
        _repair(floor, floor.roster.agents[name], floor.doubts.since.pop(name)[0])
    return items


def _wrong(floor: Floor, agent: Agent, gone: Collection[str], legless: Collection[str]) -> str | None:
    item, held = floor.items.get(agent.item_id or ""), agent.reservation
    if item is None or (item.agent != agent.name if held is None else floor.reservations.get(held.number) is not held):
        return NO_ITEM
    if item.id in gone and customer_there(floor, item):
        return NO_CALL
    return NO_LEG if item.state is ItemState.CONNECTED and agent.name in legless else None


def _repair(floor: Floor, agent: Agent, wrong: str) -> None:
    state, item = agent.state, floor.items.get(agent.item_id or "")
    floor.tell(AgentRepaired(floor.now, agent.name, state.value, agent.item_id, wrong))
    if item is not None and state is State.BUSY and item.state is ItemState.CONNECTED:
        floor.finish(item, "lost", None)
    elif item is not None and agent.reservation is not None and wrong == NO_CALL:
        floor.tell_overflow(item, None, "lost")
        floor.take_out(item, Outcome.WITHDRAWN)
    else:
        _let_go(floor, agent)


def _let_go(floor: Floor, agent: Agent) -> None:
    """Nothing is there that could be ended: he is free."""
    held, agent.reservation = agent.reservation, None
    if held is not None:
        floor.reservations.pop(held.number, None)
        floor.deadlines.forget((Due.RESERVATION, held.number))
    agent.notes = None
    floor.apply(agent, Input.RELEASE if agent.state is State.RESERVED else Input.HANG_UP_NO_WRAP_UP)
