"""After the call: how long an agent notes it down, and how the call ended in a word of the site's list.

    call answered ......... hang-up ......................... until ............ at most until
    | a disposition may be given, and changed .........|.................|   extended, as often as he asks
    '--- early -------------'--- wrap-up --------------'
                                       needed and not given: until it is
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acd.agent_state import TABLE, Input, Rule, State
from acd.commands import ShowWrapUp
from acd.deadlines import Due
from acd.errors import AgentCommandError, DispositionNeeded, UnknownDisposition, WrapUpTooLong
from acd.events import WorkNoted, WrapUpExtended

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.model import Agent, WorkItem


@dataclass(slots=True, eq=False)
class Notes:
    """What an agent notes of the item he works on. `until` None: the call lasts, or the time is up and nothing was
    given that must be."""

    item_id: str
    queue: str
    dispositions: tuple[str, ...] = ()  # to choose from
    needed: bool = False
    disposition: str | None = None
    began: float | None = None  # the wrap-up
    until: float | None = None

    @property
    def lacks(self) -> bool:
        return self.needed and self.disposition is None


def notes_of(item: WorkItem) -> Notes:
    """To be opened when an agent has it."""
    queue = item.queue
    return Notes(item.id, queue.name, queue.dispositions, queue.disposition_needed)


def length_s(agent: Agent, item: WorkItem) -> float:
    return item.queue.wrap_up_s if agent.wrap_up_s is None else agent.wrap_up_s


def begin(floor: Floor, agent: Agent, item: WorkItem) -> None:
    """The conversation is over."""
    notes, now = agent.notes, floor.now
    assert notes is not None
    wrap_up_s = length_s(agent, item)
    if wrap_up_s <= 0 and not notes.lacks:
        floor.apply(agent, Input.HANG_UP_NO_WRAP_UP)
        return
    floor.commands.append(ShowWrapUp(agent.name, item.id))
    notes.began = now
    floor.apply(agent, Input.HANG_UP)
    if wrap_up_s > 0:
        notes.until = now + wrap_up_s
        floor.deadlines.set((Due.AGENT, agent.name), notes.until)


def over(floor: Floor, agent: Agent) -> None:
    """The time is up."""
    notes = agent.notes
    assert notes is not None
    if notes.lacks:
        notes.until = None
    else:
        floor.apply(agent, Input.WRAP_UP_OVER)


def check_note(agent: Agent, disposition: str) -> None:
    """Raises `AgentCommandError`, `UnknownDisposition`."""
    notes = agent.notes
    if notes is None or agent.state not in (State.BUSY, State.WRAP_UP):
        raise AgentCommandError(agent.name, "a disposition", agent.state.value)
    check_word(notes, disposition)


def check_word(notes: Notes, disposition: str) -> None:
    """Raises `UnknownDisposition`."""
    if disposition not in notes.dispositions:
        raise UnknownDisposition(disposition, notes.queue, notes.dispositions)


def note(floor: Floor, agent: Agent, disposition: str, *, ends: bool = True) -> None:
    """How the call ended. Ends a wrap-up that lasted for the want of it alone, if it `ends`."""
    notes = agent.notes
    assert notes is not None
    write(floor, agent, notes, disposition)
    if ends and agent.state is State.WRAP_UP and notes.until is None:
        floor.apply(agent, Input.WRAP_UP_OVER)


def write(floor: Floor, agent: Agent, notes: Notes, disposition: str) -> None:
    if disposition != notes.disposition:
        before, notes.disposition = notes.disposition, disposition
        floor.tell(WorkNoted(floor.now, notes.item_id, notes.queue, agent.name, disposition, before))


def extend(floor: Floor, agent: Agent, seconds: float) -> None:
    notes = agent.notes
    if notes is None or notes.began is None or agent.state is not State.WRAP_UP:
        raise AgentCommandError(agent.name, "extend wrap-up", agent.state.value)
    notes.until = longer(floor, agent, notes, seconds)
    floor.deadlines.set((Due.AGENT, agent.name), notes.until)


def longer(floor: Floor, agent: Agent, notes: Notes, seconds: float) -> float:
    """Until when a wrap-up lasts that is extended. Raises `WrapUpTooLong`."""
    now = floor.now
    assert notes.began is not None
    last = notes.began + floor.acd.wrap_up_at_most_s
    before = now if notes.until is None else notes.until
    until = min(before + max(0.0, seconds), last)
    if until <= before:
        raise WrapUpTooLong(agent.name, State.WRAP_UP.value, floor.acd.wrap_up_at_most_s)
    floor.tell(WrapUpExtended(now, notes.item_id, notes.queue, agent.name, until))
    return until


def refused(agent: Agent, what: Input) -> bool:
    """Whether the table refuses a command in his state."""
    return TABLE[agent.state, what] is Rule.REFUSED


def check(agent: Agent, what: Input, by: str) -> None:
    """Raises `DispositionNeeded` if a command would end a wrap-up that lacks one. A supervisor may."""
    notes = agent.notes
    if agent.state is State.WRAP_UP and notes is not None and notes.lacks and not by:
        raise DispositionNeeded(agent.name, what.value, agent.state.value, notes.dispositions)
