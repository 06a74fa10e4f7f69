"""The ACD's inputs. Each is a method with `now`; what follows from it is left in `events` and `commands`.

`now` is seconds since 1970; a clock that steps backwards changes nothing. Whoever drives the engine takes the outputs
after each input, and calls `tick` when `next_deadline()` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from acd import (
    assignment,
    borrowing,
    callbacks,
    fitting,
    kept_places,
    offering,
    priorities,
    rules,
    watchdog,
    wrap_up,
    written,
    written_notes,
)
from acd.agent_inputs import AgentInputs
from acd.agent_state import Input
from acd.callback_inputs import CallbackInputs
from acd.capacity import PHONE
from acd.commands import Command
from acd.condition import Attributes
from acd.deadlines import Due
from acd.errors import AcdError, UnknownQueue
from acd.events import AcdEvent, ItemAbandoned, ItemQueued
from acd.floor import Floor
from acd.input_log import Log, not_replayable, with_log
from acd.model import ItemState, WorkItem
from acd.reload import take_over
from acd.reservation import Outcome, rest_s, to_agent
from acd.restart import restart
from acd.selection import base_score
from config.schema import Site


@with_log
class Engine(AgentInputs, CallbackInputs):
    """Decides who speaks with whom. `floor` is its state, to be read by views and audits only.

    `log` is told every input first, as `input_log` says: arguments of inputs are what JSON has, or enumerations.
    """

    __slots__ = ("log",)

    def __init__(self, site: Site, now: float, *, first_reservation: int = 1) -> None:
        self.log: Log | None = None
        self.floor = Floor(first_reservation)
        self.reconfigure(site, now)

    @classmethod
    def on(cls, floor: Floor) -> Engine:
        """The engine of a floor that was taken up from a checkpoint."""
        engine = cls.__new__(cls)
        engine.log, engine.floor = None, floor
        return engine

    @not_replayable
    def reconfigure(self, site: Site, now: float) -> None:
        """Take over a changed site: a diff. Raises `QueueNeedsError`, and then nothing has changed."""
        self.floor.advance(now)
        take_over(self.floor, site)

    def take(self) -> tuple[list[AcdEvent], list[Command]]:
        """All outputs since the last time, in order."""
        floor = self.floor
        events, commands = floor.events, floor.commands
        if events:
            floor.events = []
        if commands:
            floor.commands = []
        return events, commands

    def restarted(
        self, calls: list[str], legs: dict[str, int], registered: list[str], keep_s: float, now: float,
        lines: list[str] | None = None,
    ) -> None:  # fmt: skip
        """The server that had this floor ended; the next one goes on with these of its calls, and so many legs are live
        on extensions, and these are registered, and the lines of these agents stand. Who waited in another call may
        call again within `keep_s`."""
        restart(self, set(calls), legs, registered, keep_s, now, lines or ())

    # --- items ---

    def enqueue(
        self, item_id: str, queue: str, attributes: Attributes, now: float, age_from: float | None = None,
        caller: str = "", is_open: bool = True,
    ) -> WorkItem:  # fmt: skip
        """A call begins to wait; `age_from` if it waited elsewhere before, `caller`: the number by which his place is
        kept, `is_open`: by the queue's hours. The queue may not take it: then it has left it again when this returns.
        Raises `UnknownQueue`."""
        floor = self.floor
        now = floor.advance(now)
        into = floor.queues.get(queue)
        if into is None or into.closed:
            raise UnknownQueue(queue)
        if item_id in floor.items:
            raise AcdError(f"item {item_id} is already in queue {floor.items[item_id].queue.name}")
        floor.items_made += 1
        age_from = now if age_from is None else min(now, age_from)
        item = WorkItem(item_id, floor.items_made, into, dict(attributes), now, age_from, caller=caller)
        place = kept_places.resume(floor, into, caller)
        if place is not None:
            item.number, item.age_from = place.number, min(place.age_from, age_from)
        back = callbacks.called_in(floor, into, caller, item_id) if place is None else None
        if back is not None:
            item.number, item.age_from = back.order, min(back.age_from, age_from)
            item.priority_set = back.priority_set
        item.score = base_score(item)
        item.eligible = floor.roster.eligible(into, attributes)
        away = rules.turned_away(floor, item, is_open=is_open, again=place is not None or back is not None)
        floor.take_in(item)
        skills = () if into.needs is None else tuple(into.needs.skills)
        floor.tell(ItemQueued(now, item_id, queue, item.attributes, item.score, skills=skills))
        if place is not None:
            kept_places.resumed(floor, place, item)
        if away is not None:
            floor.send_on(item, *away)
        else:
            if into.max_wait_s is not None:
                floor.deadlines.set((Due.ITEM, item_id), now + into.max_wait_s)
            fitting.begin(floor, item)
            floor.place(item)
            if item.state is ItemState.QUEUED:
                floor.tell_waits(item)
                item.predicted_s = floor.estimates.at_arrival(item)
        if back is not None:
            back.held.free(floor)
        return item

    def enqueue_work(self, item_id: str, queue: str, channel: str, attributes: Attributes, now: float) -> WorkItem:
        """A chat or a mail comes. From here on it is named as a call is: `answer`, `complete`, `abandon` ... are its,
        too. Raises `UnknownQueue`."""
        floor = self.floor
        floor.advance(now)
        into = floor.queues.get(queue)
        if into is None or into.closed:
            raise UnknownQueue(queue)
        earlier = floor.written.items.get(item_id)
        if earlier is not None and earlier.state is ItemState.WRAP_UP and channel not in PHONE:
            written_notes.end(floor, earlier)  # the customer writes again
        if item_id in floor.items or item_id in floor.written.items or channel in PHONE:
            raise AcdError(f"item {item_id} is in a queue, or {channel} is the phone's")
        return written.begin(floor, item_id, into, channel, attributes)

    def rescore(self, item_id: str, attributes: Attributes, now: float) -> None:
        """The call's attributes changed: its score, and who fits, are worked out anew. Ignored once it is connected."""
        floor = self.floor
        floor.advance(now)
        item = floor.items.get(item_id)
        if item is None or item.state is ItemState.CONNECTED:
            return
        floor.rescore(item, attributes)

    def set_priority(self, item_id: str, priority: float | None, now: float) -> None:
        """A supervisor gives a waiting item another priority; None: its queue's again. Raises `UnknownItem`, and
        `AcdError` if an agent has it already."""
        self.floor.advance(now)
        priorities.of_item(self.floor, item_id, priority)

    def set_queue_priority(self, queue: str, priority: float | None, now: float) -> None:
        """A supervisor gives a queue another priority, until the site's is asked for again (None). Raises
        `UnknownQueue`."""
        self.floor.advance(now)
        priorities.of_queue(self.floor, queue, priority)

    def abandon(self, item_id: str, now: float, keep_s: float | None = None) -> bool:
        """The caller hung up while waiting, or while the agent's phone rang. His place may be kept, for as long as the
        queue says or for `keep_s`; true if so."""
        floor = self.floor
        now = floor.advance(now)
        if item_id in floor.written.items:
            written.abandon(floor, self._work(item_id, *written.WAITS))
            return False
        item = floor.items[item_id]
        if kept_places.keep(floor, item, item.queue.resume_s if keep_s is None else keep_s):
            return True
        item.queue.abandoned += 1
        waited_s = item.waited_s(now)
        floor.tell(
            ItemAbandoned(now, item_id, item.queue.name, waited_s, waited_s < item.queue.short_s, item.channel)
        )
        floor.take_out(item, Outcome.CALLER_HUNG_UP)
        return False

    def withdraw(self, item_id: str, to: str | None, now: float, reason: str = "withdrawn") -> None:
        """The item leaves the queue for `to` by somebody's decision, who sends it there himself."""
        floor = self.floor
        floor.advance(now)
        if item_id in floor.written.items:
            written.withdraw(floor, self._work(item_id, *written.WAITS), to, reason)
            return
        item = floor.items[item_id]
        if item.state is ItemState.CONNECTED:
            raise AcdError(f"item {item_id} is connected")
        floor.tell_overflow(item, to, reason)
        floor.take_out(item, Outcome.WITHDRAWN)

    def set_emergency(self, queue: str, on: bool, now: float) -> None:
        """The switch of a queue: while it is on nobody waits there. Raises `UnknownQueue`."""
        floor = self.floor
        floor.advance(now)
        if queue not in floor.queues:
            raise UnknownQueue(queue)
        rules.set_emergency(floor, floor.queues[queue], on)

    def complete(self, item_id: str, now: float, by: str = "", to: str | None = None) -> None:
        """The conversation ended: `by` the caller, the agent or, if the call goes on somewhere else, a transfer."""
        floor = self.floor
        now = floor.advance(now)
        if item_id in floor.written.items:
            written_notes.complete(floor, self._work(item_id, ItemState.CONNECTED), by, to)
            return
        item = floor.items[item_id]
        if item.state is not ItemState.CONNECTED or item.agent is None:
            raise AcdError(f"item {item_id} is not connected")
        floor.finish(item, by, to)

    def watch(self, gone: list[str], legless: list[str], now: float) -> list[str]:
        """See `watchdog.look`."""
        self.floor.advance(now)
        return watchdog.look(self.floor, gone, legless)

    def waited_s(self, item_id: str) -> float:
        """How long a connected item waited, in all queues."""
        item = self.floor.items[item_id]
        return item.connected_at - item.age_from

    # --- reservations ---

    def answer(self, reservation: int, now: float) -> bool:
        """The agent answered; who else was asked is not any more. For a callback the customer is still to be called, if
        he was not reached before. False if that reservation is no longer live: the caller is not his."""
        floor = self.floor
        now = floor.advance(now)
        held = floor.reservations.pop(reservation, None)
        if held is None:
            return written.answer(floor, reservation)
        floor.deadlines.forget((Due.RESERVATION, reservation))
        for what in (Due.ITEM, Due.FIT):
            floor.deadlines.forget((what, held.item_id))
        item, agent = floor.items[held.item_id], floor.roster.agents[held.agent]
        agent.reservation = None
        del item.reservations[reservation]
        offering.settled(floor, item)
        item.agent = agent.name
        agent.failures = 0
        agent.calls += 1
        floor.talks.remember(item.caller, agent.name, now)
        agent.notes = wrap_up.notes_of(item)
        if callbacks.customer_there(floor, item):
            floor.connect(item)
        else:
            callbacks.taken(floor, item)
        floor.apply(agent, Input.ANSWER)
        others = list(item.reservations.values())
        for other in others:
            floor.end(other, Outcome.ANSWERED_ELSEWHERE)
        floor.release(others)
        return True

    def fail(self, reservation: int, outcome: Outcome, now: float) -> bool:
        """The agent did not, or could not, answer. False if that reservation is no longer live."""
        floor = self.floor
        now = floor.advance(now)
        held = floor.reservations.get(reservation)
        if held is None:
            return written.fail(floor, reservation, outcome)
        floor.give_back(floor.end(held, outcome))
        agent = floor.roster.agents[held.agent]
        what = to_agent(outcome, floor.acd.not_answered)
        if what is Input.MISS:
            agent.failures += 1
            agent.resting = True
            floor.deadlines.set((Due.AGENT, agent.name), now + rest_s(agent.failures, floor.acd.not_answered))
        floor.apply(agent, what, None if what is Input.RELEASE else outcome.replace("_", " "))
        return True

    def picked_up(self, reservation: int, at_most_s: float, now: float) -> bool:
        """The agent took up the phone and is told something before he hears the caller: so long at most. Who else was
        asked is not any more. False if that reservation is no longer live."""
        floor = self.floor
        now = floor.advance(now)
        held = floor.reservations.get(reservation)
        if held is None:
            return False
        floor.deadlines.set((Due.RESERVATION, reservation), now + at_most_s)
        item = floor.items[held.item_id]
        item.picked_up = True
        offering.settled(floor, item)
        others = [other for other in item.reservations.values() if other is not held]
        for other in others:
            floor.end(other, Outcome.ANSWERED_ELSEWHERE)
        floor.release(others)
        return True

    def holds(self, reservation: int) -> bool:
        """Whether it is live."""
        return reservation in self.floor.reservations or reservation in self.floor.written.reservations

    def _work(self, item_id: str, *states: ItemState) -> WorkItem:
        item = self.floor.written.items[item_id]
        if item.state not in states:
            raise AcdError(f"item {item_id} is {item.state}")
        return item

    # --- time ---

    def close_intervals(self, now: float) -> bool:
        """End the quarters of an hour of statistics that are over, of some hundreds of queues and agents. True: come
        again soon for the others."""
        floor = self.floor
        more = floor.statistics.close(floor.advance(now))
        floor.tell_intervals()
        return more

    def next_deadline(self) -> float | None:
        """When `tick` has something to do, if ever."""
        return self.floor.deadlines.next()

    def tick(self, now: float) -> None:
        """Do all that is due."""
        floor = self.floor
        now = floor.advance(now)
        while (key := floor.deadlines.pop_due(now)) is not None:
            kind, name = key
            _WHEN_DUE[kind](self, name)


def _waited_too_long(engine: Engine, item_id: Any) -> None:
    floor = engine.floor
    item = floor.items[item_id]
    if item.state is ItemState.RESERVED:  # while it rings, the outcome of that decides
        offering.settled(floor, item)
    elif item.state is ItemState.QUEUED:
        floor.lines.remove(item)
        floor.overflow(item)
    elif item.state is ItemState.KEPT:
        kept_places.expire(floor, item)


_WHEN_DUE: Final[dict[Due, Callable[[Engine, Any], object]]] = {
    Due.RESERVATION: lambda engine, number: engine.fail(number, Outcome.NO_ANSWER, engine.floor.now),
    Due.ITEM: _waited_too_long,
    Due.AGENT: lambda engine, name: engine._agent_due(engine.floor.roster.agents[name]),
    Due.QUEUE: lambda engine, name: rules.look(engine.floor, engine.floor.queues[name]),
    Due.FIT: lambda engine, item_id: engine.floor.refit(engine.floor.items[item_id]),
    Due.RING: lambda engine, item_id: offering.ring_another(engine.floor, engine.floor.items[item_id]),
    Due.BORROW: lambda engine, name: borrowing.look(engine.floor, engine.floor.queues[name]),
    Due.GATHER: lambda engine, _: assignment.settle(engine.floor),
    Due.CALLBACK: lambda engine, callback_id: callbacks.due(engine.floor, callback_id),
    Due.WORK: lambda engine, item_id: written.due(engine.floor, item_id),
    Due.NOTES: lambda engine, item_id: written_notes.over(engine.floor, item_id),
    Due.WORK_OFFER: lambda engine, number: written.fail(engine.floor, number, Outcome.NO_ANSWER),
}
