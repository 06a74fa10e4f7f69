"""What the live legs say of agents at work: for the watchdog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from acd.agent_set import slots
from acd.agent_state import State
from acd.desk.entry import Entry

if TYPE_CHECKING:
    from acd.floor import Floor


def suspects(floor: Floor, calls: Mapping[str, Entry]) -> tuple[list[str], list[str]]:
    """Items of agents at work whose calls are not live, and agents who have no live leg in the conversation they
    have."""
    gone: list[str] = []
    legless: list[str] = []
    for slot in slots(floor.roster.at_work):
        agent = floor.roster.in_slot(slot)
        if agent.item_id is None or agent.state is State.WRAP_UP:
            continue
        entry = calls.get(agent.item_id)
        if entry is None or entry.call.ended:
            gone.append(agent.item_id)
        elif agent.state is State.BUSY and (entry.talks is None or not _lives(entry)):
            legless.append(agent.name)
    return gone, legless


def _lives(entry: Entry) -> bool:
    talks = entry.talks
    return talks is not None and talks.winner is not None and talks.winner.phase != "terminated"
