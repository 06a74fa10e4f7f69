"""Work that is not at the phone: chats, mails. Same queues, skills, order and statistics; other rules of who is free.

    offered --answer--> CONNECTED --complete--> its wrap-up (`written_notes.py`), and gone
       | not taken: back to its place, and the agent as `not_answered` says

An item waits in the line of its channel; an agent who may have one more of it gets the best one that fits. Which agent,
of those who may: the one with least of that channel, then the one who has been idle longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from acd import decision
from acd.agent_set import slots
from acd.agent_state import Input, State
from acd.capacity import PHONE, load, open_to
from acd.commands import OfferItem, OverflowItem, WithdrawOffer
from acd.condition import Attributes
from acd.deadlines import Due
from acd.events import (
    ItemAbandoned,
    ItemConnected,
    ItemOverflowed,
    ItemQueued,
    ItemReserved,
    ReservationEnded,
)
from acd.model import Agent, ItemState, Queue, WorkItem
from acd.reservation import Outcome, Reservation, rest_s, to_agent
from acd.selection import base_score
from acd.waiting_line import WaitingLines
from acd.wrap_up import notes_of

if TYPE_CHECKING:
    from acd.floor import Floor


WAITS: Final = (ItemState.QUEUED, ItemState.RESERVED)


@dataclass(slots=True, eq=False)
class Written:
    """All of it that is live."""

    items: dict[str, WorkItem] = field(default_factory=dict)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    lines: dict[str, WaitingLines] = field(default_factory=dict)  # by channel: the QUEUED ones
    open: dict[str, int] = field(default_factory=dict)  # by channel: who may have one more, as a set


# --- items ---


def begin(floor: Floor, item_id: str, queue: Queue, channel: str, attributes: Attributes) -> WorkItem:
    """An item comes."""
    floor.items_made += 1
    item = WorkItem(item_id, floor.items_made, queue, dict(attributes), floor.now, floor.now, channel=channel)
    item.score = base_score(item)
    floor.written.items[item_id] = item
    queue.count(channel, 1)
    skills = () if queue.needs is None else tuple(queue.needs.skills)
    floor.tell(ItemQueued(floor.now, item_id, queue.name, item.attributes, item.score, channel, skills))
    _limit(floor, item)
    place(floor, item)
    floor.tell_waits(item)
    return item


def _limit(floor: Floor, item: WorkItem) -> None:
    """How long it may wait, by the site of now."""
    longest = item.queue.max_wait_s
    if longest is None:
        floor.deadlines.forget((Due.WORK, item.id))
    else:
        floor.deadlines.set((Due.WORK, item.id), max(floor.now, item.queued_at + longest))


def place(floor: Floor, item: WorkItem) -> None:
    """An item that is in no line: to the best agent, or into line."""
    item.eligible = floor.roster.eligible(item.queue, item.attributes)
    found = item.eligible & floor.written.open.get(item.channel, 0)
    if not found:
        floor.written.lines.setdefault(item.channel, WaitingLines()).add(item)
        return
    agents = [floor.roster.in_slot(slot) for slot in slots(found)]
    agents.sort(key=lambda agent: (load(agent, item.channel), agent.idle_since, agent.slot))
    reserve(floor, item, agents[0], f"least {item.channel} of {len(agents)} who fit", found, agents)


def reserve(
    floor: Floor, item: WorkItem, agent: Agent, why: str, among: int = 0, best: Sequence[Agent] = (),
    rival: WorkItem | None = None,
) -> None:  # fmt: skip
    """As `Floor.reserve`."""
    because = tuple(decision.of(floor, item, agent, among, best, rival))
    number, queue, now = floor.next_reservation(), item.queue, floor.now
    held = Reservation(number, item.id, agent.name, queue.name, now, now + queue.ring_s)
    floor.written.reservations[number] = item.reservations[number] = held
    item.turn(ItemState.RESERVED)
    item.tries += 1
    agent.work[item.id] = item.channel
    floor.deadlines.set((Due.WORK_OFFER, number), held.expires_at)
    floor.tell(ItemReserved(now, item.id, queue.name, agent.name, number, item.waited_s(now), why, because))
    floor.commands.append(OfferItem(item.id, agent.name, queue.name, number, queue.ring_s, item.channel))
    floor.update(agent)


def answer(floor: Floor, number: int) -> bool:
    held = floor.written.reservations.pop(number, None)
    if held is None:
        return False
    floor.deadlines.forget((Due.WORK_OFFER, number))
    floor.deadlines.forget((Due.WORK, held.item_id))
    item, agent, now = floor.written.items[held.item_id], floor.roster.agents[held.agent], floor.now
    item.reservations.clear()
    item.turn(ItemState.CONNECTED)
    item.agent, item.connected_at, item.notes = agent.name, now, notes_of(item)
    agent.failures = 0
    waited_s = item.waited_s(now)
    in_time = waited_s <= item.queue.in_time_s
    floor.tell(ItemConnected(now, item.id, held.queue, agent.name, waited_s, in_time, None, item.channel))
    return True


def fail(floor: Floor, number: int, outcome: Outcome) -> bool:
    held = floor.written.reservations.get(number)
    if held is None:
        return False
    agent = floor.roster.agents[held.agent]
    item = _end(floor, held, outcome)
    what = to_agent(outcome, floor.acd.not_answered)
    reason = outcome.replace("_", " ")
    if what is Input.MISS and agent.state is State.READY:
        agent.failures += 1
        agent.resting = True
        floor.deadlines.set(
            (Due.AGENT, agent.name), floor.now + rest_s(agent.failures, floor.acd.not_answered)
        )  # fmt: skip
        floor.enter(agent, State.READY, reason)
    elif what is not Input.RELEASE:
        floor.leave(agent, Input.NOT_READY, reason)
    _give_back(floor, item)
    floor.update(agent)
    return True


def _end(floor: Floor, held: Reservation, outcome: Outcome) -> WorkItem:
    """It was not taken; the item is in no line."""
    item, agent = floor.written.items[held.item_id], floor.roster.agents[held.agent]
    del floor.written.reservations[held.number]
    floor.deadlines.forget((Due.WORK_OFFER, held.number))
    item.reservations.clear()
    item.turn(ItemState.QUEUED)
    del agent.work[item.id]
    floor.tell(ReservationEnded(floor.now, item.id, held.queue, agent.name, held.number, outcome.value))
    floor.commands.append(WithdrawOffer(item.id, agent.name, held.number, outcome.value))
    return item


def _give_back(floor: Floor, item: WorkItem) -> None:
    longest = item.queue.max_wait_s
    if longest is not None and floor.now >= item.queued_at + longest:
        _send_on(floor, item, "max_wait")
    else:
        place(floor, item)


def due(floor: Floor, item_id: str) -> None:
    """It has waited for too long; while it is offered, the outcome of that decides."""
    item = floor.written.items[item_id]
    if item.state is ItemState.QUEUED:
        floor.written.lines[item.channel].remove(item)
        _send_on(floor, item, "max_wait")


def _send_on(floor: Floor, item: WorkItem, reason: str) -> None:
    queue, now = item.queue, floor.now
    floor.tell_waits(item)
    _forget(floor, item)
    to = None if queue.overflow is None else str(queue.overflow)
    floor.tell(ItemOverflowed(now, item.id, queue.name, item.waited_s(now), to, reason, item.channel))
    floor.commands.append(OverflowItem(item.id, queue.name, queue.overflow, item.age_from, reason))


def abandon(floor: Floor, item: WorkItem) -> None:
    """Who wrote does not wait any longer."""
    waited_s, agent = item.waited_s(floor.now), _let_go(floor, item, Outcome.CALLER_HUNG_UP)
    short = waited_s < item.queue.short_s
    floor.tell(ItemAbandoned(floor.now, item.id, item.queue.name, waited_s, short, item.channel))
    if agent is not None:
        floor.update(agent)


def withdraw(floor: Floor, item: WorkItem, to: str | None, reason: str) -> None:
    agent = _let_go(floor, item, Outcome.WITHDRAWN)
    waited_s = item.waited_s(floor.now)
    floor.tell(ItemOverflowed(floor.now, item.id, item.queue.name, waited_s, to, reason, item.channel))
    if agent is not None:
        floor.update(agent)


def _let_go(floor: Floor, item: WorkItem, outcome: Outcome) -> Agent | None:
    """The item goes, from line or from an agent, who is returned: he may be free."""
    held = next(iter(item.reservations.values()), None)
    if held is not None:
        _end(floor, held, outcome)
    else:
        floor.written.lines[item.channel].remove(item)
    _forget(floor, item)
    return None if held is None else floor.roster.agents[held.agent]


def let_go(floor: Floor, item: WorkItem, agent: Agent) -> None:
    """The agent has it no longer; he may have another."""
    _forget(floor, item)
    del agent.work[item.id]
    floor.update(agent)


def _forget(floor: Floor, item: WorkItem) -> None:
    del floor.written.items[item.id]
    if item.state is ItemState.QUEUED:
        item.queue.count(item.channel, -1)
    floor.deadlines.forget((Due.WORK, item.id))


# --- agents ---


def update(floor: Floor, agent: Agent) -> None:
    """Something that decides on what an agent may have has changed: he gets what he may, or is asked no longer."""
    written = floor.written
    _note_open(floor, agent)
    if agent.state in (State.LOGGED_OUT, State.NOT_READY):
        for held in [one for one in written.reservations.values() if one.agent == agent.name]:
            _give_back(floor, _end(floor, held, Outcome.WITHDRAWN))
    while (best := _best(floor, agent)) is not None:
        written.lines[best.channel].remove(best)
        why = f"best score, {best.score + floor.now - best.age_from:.1f}, that fits the agent"
        reserve(floor, best, agent, why, rival=_best(floor, agent))


def _note_open(floor: Floor, agent: Agent) -> None:
    """Who may have one more of what is kept as sets."""
    written, bit = floor.written, 1 << agent.slot
    for channel in agent.channels:
        if channel not in PHONE:
            free = open_to(agent, channel, floor.roster.interrupts)
            written.open[channel] = written.open.get(channel, 0) | bit if free else written.open.get(channel, 0) & ~bit


def _best(floor: Floor, agent: Agent) -> WorkItem | None:
    """Of all that he may have, on whatever channel, what is to be served first."""
    best: WorkItem | None = None
    for channel in agent.channels:
        line = floor.written.lines.get(channel)
        if line is None or not floor.written.open.get(channel, 0) >> agent.slot & 1:
            continue
        found = line.best_for(agent.slot)
        if found is not None and (best is None or (found.rank, found.number) < (best.rank, best.number)):
            best = found
    return best


def refit(floor: Floor) -> None:
    """The site, or what somebody can do, has changed."""
    written = floor.written
    waiting = [item for item in written.items.values() if item.state is ItemState.QUEUED]
    written.lines, written.open = {}, {}
    for item in written.items.values():
        if item.state in WAITS:
            _limit(floor, item)
    for item in waiting:
        if item.queue.closed or floor.queues.get(item.queue.name) is not item.queue:
            _send_on(floor, item, "withdrawn")
    for agent in list(floor.roster.agents.values()):
        update(floor, agent)
    waiting = [item for item in waiting if item.id in written.items and item.state is ItemState.QUEUED]
    for item in sorted(waiting, key=lambda item: (item.rank, item.number)):
        place(floor, item)


def index(floor: Floor) -> None:
    """After a checkpoint: lines are made anew."""
    written = floor.written
    written.lines = {channel: WaitingLines() for channel in written.lines}
    for item in written.items.values():
        if item.state is ItemState.QUEUED:
            written.lines.setdefault(item.channel, WaitingLines()).add(item)


# --- what must hold ---


def audit(floor: Floor) -> Iterator[str]:
    """As `acd.audit`."""
    written = floor.written
    for item in written.items.values():
        held = [one for one in written.reservations.values() if one.item_id == item.id]
        line = written.lines.get(item.channel)
        if len(held) != (item.state is ItemState.RESERVED) or held != list(item.reservations.values()):
            yield f"{item.channel} {item.id}: {item.state} with {len(held)} reservations"
        if (line is not None and item in line) is not (item.state is ItemState.QUEUED):
            yield f"{item.channel} {item.id}: {item.state}, in line or not"
        if item.state is ItemState.QUEUED and item.eligible & written.open.get(item.channel, 0):
            yield f"{item.channel} {item.id}: waits although somebody may have it"
    for agent in floor.roster.agents.values():
        has = {item.id: item.channel for item in written.items.values() if item.agent == agent.name}
        has |= {one.item_id: written.items[one.item_id].channel
                for one in written.reservations.values() if one.agent == agent.name}  # fmt: skip
        if has != agent.work:
            yield f"agent {agent.name}: has {has}, not {agent.work}"
        for channel in agent.channels:
            free = bool(written.open.get(channel, 0) >> agent.slot & 1)
            if channel not in PHONE and free is not open_to(agent, channel, floor.roster.interrupts):
                yield f"agent {agent.name}: open to {channel} or not"


def deadlines(floor: Floor) -> Iterator[tuple[Due, str | int]]:
    """Those that there must be."""
    yield from ((Due.WORK_OFFER, number) for number in floor.written.reservations)
    for item in floor.written.items.values():
        if item.queue.max_wait_s is not None and item.state in WAITS:
            if item.state is ItemState.QUEUED or (Due.WORK, item.id) in floor.deadlines:
                yield Due.WORK, item.id
