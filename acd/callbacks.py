"""Callbacks: customers who did not stay on the line, and are called when their turn comes.

A callback lives from the request to its end. While it is due it is an item of channel "callback" in its queue's line,
of the age of who asked: nobody who came later is served before him, nor he before those who came earlier, and like a
call it leaves the line only for an agent who is held for it. So never are more customers called than agents held. Each
time that it becomes due it is another item, with another call. Its states, and who may do what in them: README.md.

Inputs are functions of the floor, called by `Engine`. Who calls numbers, and tells what came of it, is the desk.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from acd import fitting
from acd.agent_state import Input
from acd.callback_errors import (
    CallbacksFull,
    CallbackStateError,
    DuplicateCallback,
    NoCallbacks,
    UnknownCallback,
)
from acd.callback_events import (
    CallbackAsked,
    CallbackClosed,
    CallbackDialled,
    CallbackMissed,
    CallbackReached,
    CallbackRescheduled,
    CallbackTaken,
)
from acd.condition import Attributes
from acd.deadlines import Due
from acd.errors import AcdError, UnknownQueue
from acd.events import ItemQueued, ItemResumed
from acd.model import ItemState, Queue, WorkItem
from acd.reservation import Outcome, Reservation
from acd.selection import base_score
from config import queues

if TYPE_CHECKING:
    from acd.floor import Floor

CHANNEL: Final = "callback"
MARGIN_S: Final = 5.0  # the desk's own timers come first
LET_GO_S: Final = 2.0  # in which a phone that the last server rang has certainly stopped
_DEFAULTS: Final = queues.Callback()


class CallbackState(StrEnum):
    """Never stored: it follows from the callback's item."""

    SCHEDULED = "SCHEDULED"  # not in line: a wished time, a pause after he was not reached, or opening hours
    QUEUED = "QUEUED"  # in line: its turn comes with an agent
    RESERVED = "RESERVED"  # held for an agent, whose phone rings (agent first) or whose screen shows it
    DIALLING = "DIALLING"  # the customer's phone is called; an agent is held, or on the line
    REACHED = "REACHED"  # the customer is on the line and waits for an agent (customer first)
    CONNECTED = "CONNECTED"  # they talk


class Ended(StrEnum):
    """How a callback ended."""

    DONE = "done"  # they talked
    LEFT = "left"  # reached, but gone before an agent had him
    NOT_REACHED = "not_reached"  # in none of the attempts that the site allows
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CALLED_IN = "called_in"  # he called us, and has his place


_S = CallbackState
# What may be done in which states; in others it is refused with the state.
ALLOWED: Final[dict[str, tuple[CallbackState, ...]]] = {
    "cancel": (_S.SCHEDULED, _S.QUEUED, _S.RESERVED, _S.DIALLING, _S.REACHED),
    "reschedule": (_S.SCHEDULED, _S.QUEUED),
}


@dataclass(slots=True, eq=False)
class Callback:
    """A customer who waits for our call."""

    id: str
    queue: str
    number: str  # E.164
    attributes: dict[str, str | int | float]
    called: str  # the number of ours that he had called, to be shown to him; "" if none
    asked_at: float
    age_from: float  # since when he waits
    order: int  # his number in the order of arrival
    queued_at: float  # in this queue
    due_at: float
    expires_at: float
    wished: bool = False  # `due_at` is a time that he chose
    attempts: int = 0  # times that his phone was called
    items: int = 0  # made so far
    item_id: str | None = None  # while it is due
    dialled_until: float | None = None  # his phone rings, at the latest until then
    reached: bool = False  # he is on the line
    outcome: str | None = None  # of the last attempt, if he was not reached
    priority_set: float | None = None  # by a supervisor, in place of the queue's


@dataclass(frozen=True, slots=True)
class _Held:
    """Who was held for an item that is over. To be freed once somebody else has the item's place."""

    reservations: tuple[Reservation, ...] = ()
    agent: str | None = None  # on the line, while the customer's phone rang

    def free(self, floor: Floor) -> None:
        floor.release(list(self.reservations))
        if self.agent is not None:
            floor.apply(floor.roster.agents[self.agent], Input.HANG_UP_NO_WRAP_UP)


def state_of(floor: Floor, callback: Callback) -> CallbackState:
    if callback.item_id is None:
        return CallbackState.SCHEDULED
    item = floor.items[callback.item_id]
    if item.state is ItemState.CONNECTED:
        return CallbackState.CONNECTED
    if callback.reached:
        return CallbackState.REACHED
    if item.state is ItemState.DIALLING or callback.dialled_until is not None:
        return CallbackState.DIALLING
    return CallbackState.QUEUED if item.state is ItemState.QUEUED else CallbackState.RESERVED


def rules_of(queue: Queue) -> queues.Callback:
    """What was promised by the time the last callback could be asked for: also when the site offers none any more."""
    return queue.callback_rules or _DEFAULTS


def may_call(queue: Queue) -> bool:
    return queue.callbacks_open and not queue.emergency


def _of_item(floor: Floor, item: WorkItem | None) -> Callback | None:
    return None if item is None or item.callback is None else floor.callbacks[item.callback]


def _allowed(floor: Floor, callback_id: str, what: str) -> Callback:
    callback = floor.callbacks.get(callback_id)
    if callback is None:
        raise UnknownCallback(callback_id)
    state = state_of(floor, callback)
    if state not in ALLOWED[what]:
        raise CallbackStateError(callback_id, what, state.value)
    return callback


# --- asked for -------------------------------------------------------------------------------------------------------


def ask(
    floor: Floor, callback_id: str, queue: str, number: str, attributes: Attributes, called: str,
    due_at: float | None, place_of: str | None,
) -> Callback:  # fmt: skip
    """A customer wants to be called, at `due_at` or as soon as his turn comes; `place_of` is the call that waits in the
    queue and gives up its place for it.

    Raises `UnknownQueue`, `NoCallbacks` (the queue offers none), `DuplicateCallback`, `CallbacksFull`.
    """
    now, into = floor.now, floor.queues.get(queue)
    if into is None or into.closed:
        raise UnknownQueue(queue)
    if into.callback is None:
        raise NoCallbacks(queue)
    if callback_id in floor.callbacks:
        raise AcdError(f"callback {callback_id} is there already")
    other = into.callbacks.get(number)
    if other is not None:
        raise DuplicateCallback(queue, number, state_of(floor, floor.callbacks[other]).value)
    if len(into.callbacks) >= into.callback.most:
        raise CallbacksFull(queue, into.callback.most)
    place = None if place_of is None else _place(floor, place_of, into)
    due = now if due_at is None else max(now, due_at)
    callback = Callback(
        callback_id, queue, number, dict(attributes), called, asked_at=now, age_from=due, order=0, queued_at=due,
        due_at=due, expires_at=due + into.callback.keep_s, wished=due > now,
    )  # fmt: skip
    if place is not None and not callback.wished:
        callback.age_from, callback.order, callback.queued_at = place.age_from, place.number, place.queued_at
        callback.priority_set = place.priority_set
    else:
        floor.items_made += 1
        callback.order = floor.items_made
    floor.callbacks[callback_id] = callback
    into.callbacks[number] = callback_id
    floor.tell(CallbackAsked(now, callback_id, queue, number, due, callback.attributes, place_of))
    held = _Held()
    if place is not None:
        floor.tell_overflow(place, callback_id, "callback")
        held = _end_item(floor, place, None)
    _wait(floor, callback)
    held.free(floor)
    return callback


def _place(floor: Floor, item_id: str, queue: Queue) -> WorkItem:
    item = floor.items.get(item_id)
    waits = item is not None and item.state in (ItemState.QUEUED, ItemState.RESERVED)
    if item is None or not waits or item.queue is not queue or item.callback is not None:
        raise AcdError(f"{item_id} does not wait in queue {queue.name}")
    return item


# --- its time --------------------------------------------------------------------------------------------------------


def _wait(floor: Floor, callback: Callback) -> None:
    """Into the line, if it is due and its queue's hours allow calls; else until then."""
    queue, last = floor.queues[callback.queue], callback.expires_at
    if callback.due_at > floor.now:
        floor.deadlines.set((Due.CALLBACK, callback.id), min(callback.due_at, last))
        return
    floor.deadlines.set((Due.CALLBACK, callback.id), last)
    if may_call(queue):
        _place_now(floor, _item_for(floor, callback, queue))


def _item_for(floor: Floor, callback: Callback, queue: Queue) -> WorkItem:
    """It is due. The item is in no line yet."""
    callback.items += 1
    item_id = callback.item_id = f"{callback.id}-{callback.items}"
    item = WorkItem(
        item_id, callback.order, queue, callback.attributes, callback.queued_at, callback.age_from,
        caller=callback.number, channel=CHANNEL, callback=callback.id, priority_set=callback.priority_set,
    )  # fmt: skip
    item.score = base_score(item)
    floor.take_in(item)
    skills = () if queue.needs is None else tuple(queue.needs.skills)
    floor.tell(ItemQueued(floor.now, item_id, queue.name, item.attributes, item.score, CHANNEL, skills))
    fitting.begin(floor, item)
    return item


def _place_now(floor: Floor, item: WorkItem) -> None:
    """To an agent, or into line, and then it is told why."""
    floor.place(item)
    floor.tell_waits(item)


def due(floor: Floor, callback_id: str) -> None:
    """Its deadline has come: it is due, or it was kept for long enough."""
    callback = floor.callbacks[callback_id]
    state = state_of(floor, callback)
    if floor.now < callback.expires_at:
        _wait(floor, callback)
    elif state is CallbackState.SCHEDULED or state is CallbackState.QUEUED:
        _close(floor, callback, Ended.EXPIRED)
    # else what becomes of this attempt decides


def held_back(floor: Floor, item: WorkItem) -> bool:
    """Whether an item that no agent took, and that is in no line, is not to be put there again: its callback was kept
    for long enough, or nobody may be called now. It is over then."""
    callback = _of_item(floor, item)
    if callback is None or callback.reached:
        return False
    if floor.now >= callback.expires_at:
        _close(floor, callback, Ended.EXPIRED)
    elif not may_call(item.queue):
        _postpone(floor, callback)
    else:
        return False
    return True


def hours(floor: Floor, name: str, *, is_open: bool) -> None:
    """The hours in which customers of a queue may be called begin, or are over; in an emergency they are. Who is being
    called, or has an agent, goes on."""
    queue = floor.queues.get(name)
    if queue is None:
        return
    queue.callbacks_open = is_open
    allowed = may_call(queue)
    due: list[WorkItem] = []
    for callback in [floor.callbacks[one] for one in queue.callbacks.values()]:
        state = state_of(floor, callback)
        if allowed and state is CallbackState.SCHEDULED and callback.due_at <= floor.now < callback.expires_at:
            due.append(_item_for(floor, callback, queue))
        elif not allowed and state is CallbackState.QUEUED:
            _postpone(floor, callback)
    for item in sorted(due, key=lambda item: (item.rank, item.number)):
        _place_now(floor, item)


# --- an attempt ------------------------------------------------------------------------------------------------------


def customer_there(floor: Floor, item: WorkItem) -> bool:
    """Whether an agent who answers can talk: always, but for a callback whose customer is still to be called."""
    callback = _of_item(floor, item)
    return callback is None or callback.reached


def held_s(floor: Floor, item: WorkItem) -> float:
    """How long an agent is held for an item: as long as his phone may ring, or the customer's still does."""
    callback = _of_item(floor, item)
    if callback is None or callback.dialled_until is None:
        return item.queue.ring_s
    return max(0.0, callback.dialled_until - floor.now) + MARGIN_S


def taken(floor: Floor, item: WorkItem) -> None:
    """The agent answered before the customer was reached."""
    assert item.agent is not None and item.callback is not None
    item.turn(ItemState.DIALLING)
    floor.tell(CallbackTaken(floor.now, item.callback, item.id, item.queue.name, item.agent))


def dialled(floor: Floor, item_id: str) -> bool:
    """The customer's phone is to be called. False if no agent is held for him: then it must not be."""
    item = floor.items.get(item_id)
    callback = _of_item(floor, item)
    if item is None or callback is None or callback.reached or callback.dialled_until is not None:
        return False
    if item.state not in (ItemState.RESERVED, ItemState.DIALLING):
        return False
    callback.attempts += 1
    callback.dialled_until = floor.now + rules_of(item.queue).ring_s
    _hold_until(floor, item, callback.dialled_until + MARGIN_S)
    floor.tell(CallbackDialled(floor.now, callback.id, item_id, item.queue.name, callback.attempts))
    return True


def reached(floor: Floor, item_id: str) -> bool:
    """The customer answered: he talks with the agent who called him, or waits for the one who is held. False if
    nobody called him."""
    item = floor.items.get(item_id)
    callback = _of_item(floor, item)
    if item is None or callback is None or callback.dialled_until is None:
        return False
    callback.reached, callback.dialled_until = True, None
    floor.tell(CallbackReached(floor.now, callback.id, item_id, item.queue.name))
    if item.state is ItemState.DIALLING:
        floor.connect(item)
    else:
        _hold_until(floor, item, floor.now + item.queue.ring_s)
    return True


def missed(floor: Floor, item_id: str, outcome: str) -> None:
    """The customer was not reached; `outcome` as in `CallbackMissed`. He is called again after a pause, as often as the
    site says; the agent is free."""
    item = floor.items.get(item_id)
    callback = _of_item(floor, item)
    if item is None or callback is None or callback.reached or item.state is ItemState.QUEUED:
        return
    rules, next_at = rules_of(item.queue), None
    if callback.attempts <= rules.retries:
        next_at = floor.now + rules.retry_after_s
    callback.outcome = outcome
    floor.tell(
        CallbackMissed(floor.now, callback.id, item_id, item.queue.name, callback.attempts, outcome, next_at)
    )
    if next_at is None:
        _close(floor, callback, Ended.NOT_REACHED)
    elif next_at >= callback.expires_at:
        _close(floor, callback, Ended.EXPIRED)
    else:
        callback.due_at = callback.queued_at = next_at
        callback.wished = False
        _postpone(floor, callback)


def placed(floor: Floor, item: WorkItem) -> None:
    """An item that was offered in vain is with another agent, or in line: then its customer's phone must ring no more,
    for he would answer to nobody."""
    callback = _of_item(floor, item)
    if callback is not None and callback.dialled_until is not None and item.state is ItemState.QUEUED:
        let_go(floor, item.id)


def all_placed(floor: Floor) -> None:
    """The same, after all items were placed anew."""
    for item in [floor.items[one.item_id] for one in floor.callbacks.values() if one.item_id is not None]:
        placed(floor, item)


def let_go(floor: Floor, item_id: str) -> None:
    """Its call is over, the customer has not been reached, and that is not his doing: it keeps its place, and will have
    another call."""
    callback = _of_item(floor, floor.items.get(item_id))
    if callback is None or callback.reached:
        return
    if callback.attempts > rules_of(floor.queues[callback.queue]).retries:
        _close(floor, callback, Ended.NOT_REACHED)
    else:
        _postpone(floor, callback)


def _postpone(floor: Floor, callback: Callback) -> None:
    """This item is over; there will be another, at once if it is due."""
    assert callback.item_id is not None
    held = _end_item(floor, floor.items[callback.item_id], callback.id)
    _wait(floor, callback)
    held.free(floor)


def to_renew(floor: Floor, offered: Collection[str], calls: Collection[str]) -> list[WorkItem]:
    """The server ended: items of callbacks whose calls were about to be, or were, and did not outlive it."""
    return [
        item
        for callback in floor.callbacks.values()
        if callback.item_id is not None
        and (item := floor.items[callback.item_id]).state is not ItemState.CONNECTED
        and (callback.reached or item.state is ItemState.DIALLING or item.id in offered)
        and item.id not in calls
    ]


def renew(floor: Floor, item: WorkItem) -> None:
    """It is in no line. The customer has another call, at once if it is his turn: what he had was not his to lose. If
    his phone rang, not before that call is let go of: nobody is called twice at once."""
    callback = _of_item(floor, item)
    if callback is not None:
        if callback.dialled_until is not None:
            callback.due_at = floor.now + LET_GO_S
        _postpone(floor, callback)


def _hold_until(floor: Floor, item: WorkItem, until: float) -> None:
    for number, held in tuple(item.reservations.items()):
        longer = replace(held, expires_at=until)
        floor.reservations[number] = item.reservations[number] = longer
        floor.roster.agents[held.agent].reservation = longer
        floor.deadlines.set((Due.RESERVATION, number), until)


def known(floor: Floor, callback_id: str, attributes: Attributes) -> None:
    """More is known of the customer."""
    callback = floor.callbacks.get(callback_id)
    if callback is not None:
        callback.attributes = dict(attributes)
        if callback.item_id is not None:
            floor.rescore(floor.items[callback.item_id], callback.attributes)


# --- from outside ----------------------------------------------------------------------------------------------------


def cancel(floor: Floor, callback_id: str) -> None:
    """Nobody is to be called any more. Raises `UnknownCallback`, `CallbackStateError`."""
    _close(floor, _allowed(floor, callback_id, "cancel"), Ended.CANCELLED)


def reschedule(floor: Floor, callback_id: str, due_at: float) -> None:
    """At another time, from which on he waits. Raises `UnknownCallback`, `CallbackStateError`."""
    callback = _allowed(floor, callback_id, "reschedule")
    queue = floor.queues[callback.queue]
    due_at = max(floor.now, due_at)
    callback.wished = due_at > floor.now
    callback.due_at = callback.queued_at = callback.age_from = due_at
    callback.expires_at = due_at + rules_of(queue).keep_s
    floor.tell(CallbackRescheduled(floor.now, callback.id, queue.name, due_at))
    if callback.item_id is None:
        _wait(floor, callback)
    else:
        _postpone(floor, callback)


@dataclass(frozen=True, slots=True)
class CalledIn:
    """What a customer who calls us takes over from his callback."""

    age_from: float
    order: int
    priority_set: float | None
    held: _Held


def called_in(floor: Floor, queue: Queue, caller: str, item_id: str) -> CalledIn | None:
    """The customer himself calls, as the item `item_id` to be: he gets his place, and nobody calls him any more. Not if
    he chose a time that is still to come, or talks with us on another line."""
    callback_id = queue.callbacks.get(caller) if caller else None
    if callback_id is None:
        return None
    callback = floor.callbacks[callback_id]
    if (callback.wished and callback.due_at > floor.now) or callback.reached:
        return None
    held = _Held()
    if callback.item_id is not None:
        held = _end_item(floor, floor.items[callback.item_id], item_id)
    _end(floor, callback, Ended.CALLED_IN)
    return CalledIn(callback.age_from, callback.order, callback.priority_set, held)


# --- the end ---------------------------------------------------------------------------------------------------------


def item_over(floor: Floor, item: WorkItem) -> None:
    """An item was forgotten that nothing here has ended: they talked, or the customer left before."""
    callback = _of_item(floor, item)
    if callback is not None:
        callback.item_id = None
        _end(floor, callback, Ended.DONE if item.state is ItemState.CONNECTED else Ended.LEFT)


def _close(floor: Floor, callback: Callback, ended: Ended) -> None:
    """It is over before anybody talked."""
    held = _Held()
    if callback.item_id is not None:
        item = floor.items[callback.item_id]
        floor.tell_overflow(item, None, f"callback {ended.replace('_', ' ')}")
        held = _end_item(floor, item, None)
    _end(floor, callback, ended)
    held.free(floor)


def _end_item(floor: Floor, item: WorkItem, goes_on: str | None) -> _Held:
    """The item is over; `goes_on`: whoever has its place from now on. Whoever was held for it is still to be freed."""
    held = _Held(tuple(item.reservations.values()), item.agent)
    floor.lines.discard(item)
    for reservation in held.reservations:
        floor.end(reservation, Outcome.WITHDRAWN)
    callback = _of_item(floor, item)
    if callback is not None:
        callback.item_id = callback.dialled_until = item.callback = None
        callback.priority_set = item.priority_set
        callback.reached = False
    if goes_on is not None:
        item.queue.resumed += 1
        waited_s = item.waited_s(floor.now)
        floor.tell(ItemResumed(floor.now, item.id, item.queue.name, waited_s, goes_on, item.channel))
    floor.forget(item)
    return held


def _end(floor: Floor, callback: Callback, ended: Ended) -> None:
    """The callback is over, and so is a queue that was only kept for it."""
    queue = floor.queues[callback.queue]
    del floor.callbacks[callback.id], queue.callbacks[callback.number]
    floor.deadlines.forget((Due.CALLBACK, callback.id))
    floor.tell(CallbackClosed(floor.now, callback.id, queue.name, ended.value, callback.attempts))
    floor.drop_if_over(queue)


def as_markdown() -> str:
    """What may be done when, as README.md shows it."""
    head = ["| | " + " | ".join(CallbackState) + " |", "|---" * (len(CallbackState) + 1) + "|"]
    rows = [
        f"| {what} | " + " | ".join("yes" if state in states else "refused" for state in CallbackState) + " |"
        for what, states in ALLOWED.items()
    ]
    return "\n".join(head + rows)
