"""After a chat or a mail: how long its agent notes it down, and how it ended. As `wrap_up` after a call, but each item
has notes of its own, since he may have several, and the phone beside them; no state of his tells it.

    CONNECTED --complete--> WRAP_UP --its time is up, wrap-up done, log-out, the same comes again--> (gone)
    |<------ a disposition may be given, and changed ------>|

Until it is over the item is his: it counts for his capacity, and for what may interrupt it, as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acd import wrap_up, written
from acd.agent_state import Input, State
from acd.deadlines import Due
from acd.errors import DispositionNeeded, ItemCommandError, UnknownItem
from acd.events import ItemCompleted, WrapUpEnded
from acd.model import ItemState

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.model import Agent, WorkItem
    from acd.wrap_up import Notes


def complete(floor: Floor, item: WorkItem, by: str, to: str | None) -> None:
    """The agent is done with it. Who is logged out has no time for notes."""
    agent, now = floor.roster.agents[item.agent or ""], floor.now
    notes, wrap_up_s = _notes(item), wrap_up.length_s(agent, item)
    wraps_up = agent.state is not State.LOGGED_OUT and (wrap_up_s > 0 or notes.lacks)
    floor.tell(
        ItemCompleted(
            now, item.id, item.queue.name, agent.name, now - item.connected_at, by, to, None, item.channel, wraps_up
        )
    )  # fmt: skip
    if not wraps_up:
        written.let_go(floor, item, agent)
        floor.dismiss(agent)
        return
    item.turn(ItemState.WRAP_UP)
    notes.began = now
    if wrap_up_s > 0:
        _until(floor, item, now + wrap_up_s)


def over(floor: Floor, item_id: str) -> None:
    """The time is up."""
    item = floor.written.items[item_id]
    notes = _notes(item)
    if notes.lacks:
        notes.until = None
    else:
        end(floor, item)


def end(floor: Floor, item: WorkItem) -> None:
    """It is noted down."""
    _end(floor, item)
    floor.dismiss(floor.roster.agents[item.agent or ""])


def end_all(floor: Floor, agent: Agent) -> None:
    """He is logged out."""
    for item in _in_wrap_up(floor, agent):
        _end(floor, item)


def _end(floor: Floor, item: WorkItem) -> None:
    agent, began = floor.roster.agents[item.agent or ""], _notes(item).began
    assert began is not None
    floor.deadlines.forget((Due.NOTES, item.id))
    floor.tell(WrapUpEnded(floor.now, item.id, item.queue.name, agent.name, floor.now - began, item.channel))
    written.let_go(floor, item, agent)


# --- commands ---


def note(floor: Floor, agent: Agent, item_id: str, disposition: str) -> None:
    """As `AgentInputs.note`. Raises `UnknownItem`, `UnknownDisposition`."""
    item = _his(floor, agent, item_id)
    notes = _notes(item)
    wrap_up.check_word(notes, disposition)
    wrap_up.write(floor, agent, notes, disposition)
    if item.state is ItemState.WRAP_UP and notes.until is None:
        end(floor, item)


def done(floor: Floor, agent: Agent, item_id: str, disposition: str | None, by: str) -> None:
    """As `AgentInputs.wrap_up_done`. Raises `UnknownItem`, `ItemCommandError`, `UnknownDisposition`,
    `DispositionNeeded`."""
    item = _his(floor, agent, item_id)
    notes = _notes(item)
    if item.state is not ItemState.WRAP_UP:
        raise ItemCommandError(item_id, Input.WRAP_UP_DONE.value, item.state.value)
    if disposition is not None:
        wrap_up.check_word(notes, disposition)
        wrap_up.write(floor, agent, notes, disposition)
    _check(agent, item, Input.WRAP_UP_DONE, by)
    end(floor, item)


def extend(floor: Floor, agent: Agent, item_id: str, seconds: float) -> None:
    """As `AgentInputs.extend_wrap_up`. Raises `UnknownItem`, `ItemCommandError`, `WrapUpTooLong`."""
    item = _his(floor, agent, item_id)
    if item.state is not ItemState.WRAP_UP:
        raise ItemCommandError(item_id, "extend wrap-up", item.state.value)
    _until(floor, item, wrap_up.longer(floor, agent, _notes(item), seconds))


def check_logout(floor: Floor, agent: Agent, by: str) -> None:
    """Raises `DispositionNeeded`. A supervisor may."""
    for item in _in_wrap_up(floor, agent):
        _check(agent, item, Input.LOGOUT, by)


def _check(agent: Agent, item: WorkItem, what: Input, by: str) -> None:
    notes = _notes(item)
    if notes.lacks and not by:
        raise DispositionNeeded(agent.name, what.value, item.state.value, notes.dispositions)


# --- inside ---


def _his(floor: Floor, agent: Agent, item_id: str) -> WorkItem:
    item = floor.written.items.get(item_id)
    if item is None or item.agent != agent.name:
        raise UnknownItem(item_id)
    return item


def _notes(item: WorkItem) -> Notes:
    """From the answer on."""
    if item.notes is None:  # answered before items had them
        item.notes = wrap_up.notes_of(item)
    return item.notes


def _until(floor: Floor, item: WorkItem, until: float) -> None:
    _notes(item).until = until
    floor.deadlines.set((Due.NOTES, item.id), until)


def _in_wrap_up(floor: Floor, agent: Agent) -> list[WorkItem]:
    found = (floor.written.items[item_id] for item_id in agent.work)
    return [item for item in found if item.state is ItemState.WRAP_UP]


def deadlines(floor: Floor) -> Iterator[tuple[Due, str | int]]:
    """Those that there must be."""
    for item in floor.written.items.values():
        if item.state is ItemState.WRAP_UP and item.notes is not None and item.notes.until is not None:
            yield Due.NOTES, item.id


def audit(floor: Floor) -> Iterator[str]:
    """As `acd.audit`."""
    for item in floor.written.items.values():
        if item.state is ItemState.WRAP_UP:
            agent, notes = floor.roster.agents.get(item.agent or ""), item.notes
            if agent is None or agent.state is State.LOGGED_OUT:
                yield f"{item.channel} {item.id}: noted down by nobody who is there"
            if notes is None or notes.began is None or (notes.until is None and not notes.lacks):
                yield f"{item.channel} {item.id}: its wrap-up has no end"
        elif item.notes is not None and (item.state is not ItemState.CONNECTED or item.notes.began is not None):
            yield f"{item.channel} {item.id}: notes while {item.state}"
