"""What must hold on the floor after every input. Returns what does not, in words; nothing is changed.

For tests and for the operator's doubts: it looks at everything, so it is not for every event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from acd import assignment, fitting, offering, written, written_notes
from acd.agent_state import AT_WORK, State
from acd.callbacks import CallbackState, may_call, state_of
from acd.deadlines import Due, Key
from acd.floor import Floor
from acd.model import ItemState, WorkItem


def audit(floor: Floor) -> list[str]:
    """Empty if all is well."""
    return [
        *_items(floor), *_agents(floor), *_deadlines(floor), *_matching(floor), *_totals(floor), *_callbacks(floor),
        *written.audit(floor), *written_notes.audit(floor),
    ]  # fmt: skip


def _items(floor: Floor) -> Iterator[str]:
    in_line = list(floor.lines)
    if not floor.lines.in_order():
        yield "line out of order"
    for item in floor.items.values():
        held = [r for r in floor.reservations.values() if r.item_id == item.id]
        if bool(held) is not (item.state is ItemState.RESERVED) or held != list(item.reservations.values()):
            yield f"item {item.id}: {item.state} with {len(held)} reservations"
        if (item in in_line) is not offering.wanted(floor, item):
            yield f"item {item.id}: {item.state}, in line: {item in in_line}"
        if (item.agent is not None) is not (item.state in (ItemState.CONNECTED, ItemState.DIALLING)):
            yield f"item {item.id}: {item.state}, talks to {item.agent}"
        if item.queue.items.get(item.id) is not item or floor.queues.get(item.queue.name) is not item.queue:
            yield f"item {item.id}: lost by its queue"
    if len(in_line) != sum(offering.wanted(floor, item) for item in floor.items.values()):
        yield "somebody waits in line who is gone"


def _agents(floor: Floor) -> Iterator[str]:
    roster = floor.roster
    for agent in roster.agents.values():
        held = [r for r in floor.reservations.values() if r.agent == agent.name]
        talks = [i for i in floor.items.values() if i.agent == agent.name]
        if len(held) != (agent.state is State.RESERVED) or (held and held[0] is not agent.reservation):
            yield f"agent {agent.name}: {agent.state} with {len(held)} reservations"
        if len(talks) != (agent.state is State.BUSY):
            yield f"agent {agent.name}: {agent.state} with {len(talks)} calls"
        if (agent.slot in roster.idle) is not roster.available(agent):
            yield f"agent {agent.name}: idle order is wrong"
        if agent.state in AT_WORK and agent.phone.held_by is None:
            yield f"agent {agent.name}: phone not held"
        if agent.retired and agent.state not in (State.BUSY, State.WRAP_UP) and not agent.work:
            yield f"agent {agent.name}: retired but {agent.state}"
        if (agent.notes is not None) is not (agent.state in (State.BUSY, State.WRAP_UP)):
            yield f"agent {agent.name}: {agent.state} with notes {agent.notes}"
        if (agent.item_id is None) is (agent.state in (State.RESERVED, State.BUSY, State.WRAP_UP)):
            yield f"agent {agent.name}: {agent.state} with item {agent.item_id}"
    on_duty = [a for a in roster.agents.values() if a.state not in (State.LOGGED_OUT, State.NOT_READY)]
    if roster.on_duty != sum(1 << agent.slot for agent in on_duty):
        yield "who is on duty is wrong"
    if roster.logged_in != sum(1 << a.slot for a in roster.agents.values() if a.state is not State.LOGGED_OUT):
        yield "who is logged in is wrong"
    if len(roster.idle) != roster.idle.everyone.bit_count():
        yield "idle order and set differ"
    for phone in roster.phones.values():
        users = [roster.agents[name] for name in phone.agents]
        if any(agent.phone is not phone for agent in users):
            yield f"phone {phone.name}: not its users' phone"
        if phone.held_by is not None and not any(a.name == phone.held_by and a.state in AT_WORK for a in users):
            yield f"phone {phone.name}: held by {phone.held_by} who is not at work"
        if sum(agent.state is State.RESERVED for agent in users) > 1:
            yield f"phone {phone.name}: rung twice"
        if not (users or phone.registered or phone.legs):
            yield f"phone {phone.name}: kept for nothing"


def _deadlines(floor: Floor) -> Iterator[str]:
    wanted: set[Key] = {(Due.RESERVATION, number) for number in floor.reservations}
    for agent in floor.roster.agents.values():
        timed = agent.state is State.WRAP_UP and agent.notes is not None and agent.notes.until is not None
        if timed or agent.resting:
            wanted.add((Due.AGENT, agent.name))
        if agent.resting and agent.state is not State.READY:
            yield f"agent {agent.name}: rests while {agent.state}"
    have = set(floor.deadlines.keys())
    wanted |= {*written.deadlines(floor), *written_notes.deadlines(floor)}
    wanted |= {(Due.CALLBACK, name) for name in floor.callbacks if (Due.CALLBACK, name) in have}
    for queue in floor.queues.values():
        key = (Due.QUEUE, queue.name)
        if queue.leave and any(item.state is ItemState.QUEUED for item in queue.items.values()):
            wanted.add(key)
        elif key in have:
            wanted.add(key)  # looks once more, and finds nobody
        key = (Due.BORROW, queue.name)
        if key in have or (queue.borrow is not None and any(i.state is ItemState.QUEUED for i in queue.items.values())):
            wanted.add(key)
    if floor.gathered:
        wanted.add(assignment.KEY)
    for item in floor.items.values():
        wanted.update(_of_item(floor, item, have))
        limited = item.queue.max_wait_s is not None and item.callback is None
        if limited and item.state is ItemState.QUEUED:
            wanted.add((Due.ITEM, item.id))
        elif limited and item.state is ItemState.RESERVED and (Due.ITEM, item.id) in have:
            wanted.add((Due.ITEM, item.id))  # it may have passed while it rings
        elif item.state is ItemState.KEPT:
            wanted.add((Due.ITEM, item.id))
    yield from (f"deadline missing: {key}" for key in wanted - have)
    yield from (f"deadline of nothing: {key}" for key in have - wanted)


def _of_item(floor: Floor, item: WorkItem, have: set[Key]) -> Iterator[Key]:
    """When it is told to others."""
    rings = item.state is ItemState.RESERVED
    if (item.state is ItemState.QUEUED or rings) and fitting.changes_at(item) is not None:
        yield Due.FIT, item.id
    if rings and (Due.RING, item.id) in have:
        yield Due.RING, item.id


def _matching(floor: Floor) -> Iterator[str]:
    roster = floor.roster
    for item in floor.lines:
        if item.eligible != fitting.who_fits(floor, item):
            yield f"item {item.id}: eligible agents out of date"
        if item.preferred is None and item.step + 1 < len(item.queue.steps) and not item.eligible & roster.logged_in:
            yield f"item {item.id}: nobody logged in can take it, and it needs no less"
        if floor.candidates(item):
            yield f"item {item.id}: waits although an agent is available"


def _totals(floor: Floor) -> Iterator[str]:
    for queue in floor.queues.values():
        waiting = sum(item.state is not ItemState.CONNECTED for item in queue.items.values())
        if queue.offered != queue.connected + queue.abandoned + queue.overflowed + queue.resumed + waiting:
            yield f"queue {queue.name}: {queue.offered} offered do not balance"
        lives = [*queue.items.values(), *(one for one in floor.written.items.values() if one.queue is queue)]
        without = Counter(item.channel for item in lives if item.state is ItemState.QUEUED)
        if {channel: count for channel, count in queue.waiting.items() if count} != without:
            yield f"queue {queue.name}: {without} wait, not {queue.waiting}"
        kept = {item.id for item in queue.items.values() if item.state is ItemState.KEPT}
        if kept != {item for places in queue.kept.values() for item in places} or not all(queue.kept.values()):
            yield f"queue {queue.name}: kept places are not those of {queue.kept}"


def _callbacks(floor: Floor) -> Iterator[str]:
    for callback in floor.callbacks.values():
        queue = floor.queues.get(callback.queue)
        if queue is None or queue.callbacks.get(callback.number) != callback.id:
            yield f"callback {callback.id}: lost by its queue"
            continue
        state = state_of(floor, callback)
        item = None if callback.item_id is None else floor.items.get(callback.item_id)
        if callback.item_id is not None and (item is None or item.callback != callback.id):
            yield f"callback {callback.id}: its item is gone"
        called = state in (CallbackState.DIALLING, CallbackState.CONNECTED)
        if called and item is not None and not item.reservations and item.agent is None:
            yield f"callback {callback.id}: {state} without an agent"
        late = floor.now >= callback.due_at and may_call(queue)
        if state is CallbackState.SCHEDULED and late and floor.now < callback.expires_at:
            yield f"callback {callback.id}: due, and not in line"
        waits = state is CallbackState.SCHEDULED or state is CallbackState.QUEUED
        if waits and (Due.CALLBACK, callback.id) not in floor.deadlines:
            yield f"callback {callback.id}: waits for ever"
        if state is CallbackState.QUEUED and not may_call(queue):
            yield f"callback {callback.id}: in line, and nobody may call"
    of_queues = sum(len(queue.callbacks) for queue in floor.queues.values())
    if of_queues != len(floor.callbacks):
        yield f"{of_queues} callbacks of queues, {len(floor.callbacks)} in all"
    owned = {item.callback for item in floor.items.values() if item.callback is not None}
    if owned != {one.id for one in floor.callbacks.values() if one.item_id is not None}:
        yield "items of no callback"
