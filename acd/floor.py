"""The floor: its whole state, and what follows when a part of it changes.

`Engine` brings the inputs, `reload` the site. The rule behind every method: whoever becomes free is matched at once, so
that no available agent and no waiting item who fit each other are ever left.
"""

from __future__ import annotations

from collections.abc import Sequence

from acd import (
    assignment,
    borrowing,
    callbacks,
    columns,
    decision,
    fitting,
    kept_places,
    nailed_up,
    offering,
    preference,
    rules,
    wrap_up,
    written,
    written_notes,
)
from acd.agent_changes import stand_up
from acd.agent_state import AT_WORK, TABLE, Input, Rule, State
from acd.callbacks import Callback
from acd.commands import CloseWork, Command, OfferItem, OverflowItem, WithdrawOffer
from acd.condition import Attributes
from acd.deadlines import Deadlines, Due
from acd.errors import AcdError, AgentCommandError
from acd.estimate import Estimator, Measured
from acd.events import (
    AcdEvent,
    AgentStateChanged,
    ItemCompleted,
    ItemConnected,
    ItemOverflowed,
    ItemRescored,
    ItemReserved,
    ItemWaits,
    ReservationEnded,
)
from acd.figures import Days
from acd.model import Agent, ItemState, Queue, WorkItem
from acd.preference import Talks
from acd.reservation import Outcome, Reservation
from acd.roster import Roster
from acd.selection import base_score
from acd.statistics import Statistics
from acd.turns import Turns
from acd.waiting_line import WaitingLines
from acd.watchdog import Doubts
from config.agents import Acd
from config.schema import Destination

_WITH_ITEM = (State.RESERVED, State.BUSY, State.WRAP_UP)


class Floor:
    __slots__ = (
        "_next_reservation", "acd", "callbacks", "commands", "deadlines", "doubts", "events", "gathered", "items",
        "items_made", "lines", "measured", "now", "queues", "reservations", "roster", "statistics", "talks", "turns",
        "written",
    )  # fmt: skip

    def __init__(self, first_reservation: int = 1) -> None:
        self.now = 0.0
        self.acd = Acd()  # the rules of the site
        self.roster = Roster()
        self.queues: dict[str, Queue] = {}
        self.items: dict[str, WorkItem] = {}  # live ones
        self.items_made = 0
        self.callbacks: dict[str, Callback] = {}  # live ones
        self.lines = WaitingLines()  # those for whom an agent is wanted: the QUEUED, and some that ring
        self.gathered = 0  # agents held back until others are there, too (`assignment.py`)
        self.talks = Talks()
        self.turns = Turns()
        self.doubts = Doubts()
        self.written = written.Written()  # work beside the phone
        self.reservations: dict[int, Reservation] = {}  # live ones
        self.deadlines = Deadlines()
        self.statistics = Statistics(Days("UTC"))
        self.measured = Measured()  # what `estimates` are made of
        self.events: list[AcdEvent] = []
        self.commands: list[Command] = []
        self._next_reservation = first_reservation

    def first_reservation(self, number: int) -> None:
        """The next one has this number, or a higher one."""
        self._next_reservation = max(self._next_reservation, number)

    def next_reservation(self) -> int:
        number = self._next_reservation
        self._next_reservation += 1
        return number

    def advance(self, now: float) -> float:
        """Time only goes on."""
        if now > self.now:
            self.now = now
        return self.now

    def tell(self, event: AcdEvent) -> None:
        """Something happened. The only way by which events leave the engine."""
        self.events.append(event)
        self.statistics.add(event)
        self.measured.add(event)
        if self.statistics.closed:
            self.tell_intervals()

    def tell_waits(self, item: WorkItem) -> None:
        """For explanations: why nobody takes it now."""
        if item.state is ItemState.QUEUED:
            why = tuple(decision.fitting(self, item))
            self.tell(ItemWaits(self.now, item.id, item.queue.name, why))

    def tell_intervals(self) -> None:
        """Those of statistics that ended."""
        self.events += self.statistics.take()

    @property
    def estimates(self) -> Estimator:
        """How long callers will wait."""
        return Estimator(self)

    # --- items ---

    def take_in(self, item: WorkItem) -> None:
        """A call, or a callback, is in its queue; in no line yet."""
        self.items[item.id] = item.queue.items[item.id] = item
        item.queue.offered += 1
        item.queue.count(item.channel, 1)

    def place(self, item: WorkItem) -> None:
        """An item that is not in line: to the best agent, or into line at its place."""
        found = self.candidates(item)
        if found:
            offering.ask(self, item, found)
        if offering.wanted(self, item):
            self.lines.add(item)
            rules.watch(self, item.queue)
            borrowing.watch(self, item.queue)

    def candidates(self, item: WorkItem) -> int:
        """The agents who could be asked now."""
        return item.eligible & self.roster.idle.everyone & ~self.gathered

    def refit(self, item: WorkItem) -> None:
        """Others may take it than before."""
        waits, step = self.lines.discard(item), item.step
        fitting.fit(self, item)
        if waits:
            self.place(item)
        if item.step != step:
            self.tell_waits(item)

    def give(self, item: WorkItem, agent: Agent, why: str, rival: WorkItem | None = None) -> None:
        """An item that was taken from its line to an agent; back into line if it wants others, too."""
        self.reserve(item, agent, why, rival=rival)
        if offering.wanted(self, item):
            self.lines.add(item)

    def rescore(self, item: WorkItem, attributes: Attributes) -> None:
        """What is known of the customer changed: the item's score, and who fits, are worked out anew."""
        waits = self.lines.discard(item)
        item.attributes = dict(attributes)
        item.score = base_score(item)
        self.tell(ItemRescored(self.now, item.id, item.queue.name, item.attributes, item.score))
        if item.state is ItemState.KEPT:
            return
        preference.begin(self, item)
        fitting.fit(self, item)
        if waits:
            self.place(item)

    def reserve(
        self, item: WorkItem, agent: Agent, why: str, among: int = 0, best: Sequence[Agent] = (),
        rival: WorkItem | None = None,
    ) -> None:  # fmt: skip
        """Hold the item for the agent, of the set `among` if he was chosen from one, whose `best` are to be shown; if
        he chose, `rival` is the next whom he would have. Neither is in line any more when this returns."""
        now, queue = self.now, item.queue
        because = tuple(decision.of(self, item, agent, among, best, rival))
        number = self.next_reservation()
        reservation = Reservation(number, item.id, agent.name, queue.name, now, now + callbacks.held_s(self, item))
        self.reservations[number] = item.reservations[number] = agent.reservation = reservation
        item.turn(ItemState.RESERVED)
        item.tries += 1
        queue.last = agent.name
        agent.item_id = item.id
        self.deadlines.set((Due.RESERVATION, number), reservation.expires_at)
        waited_s = item.waited_s(now)
        self.tell(ItemReserved(now, item.id, queue.name, agent.name, number, waited_s, why, because))
        self.apply(agent, Input.RESERVE)
        self.commands.append(OfferItem(item.id, agent.name, queue.name, number, queue.ring_s))
        offering.asked(self, item)

    def end(self, reservation: Reservation, outcome: Outcome) -> WorkItem:
        """It was not accepted. The agent is still RESERVED and the item, if nobody else is asked, in no line: whoever
        calls this moves them on, the item first, so that it has its place when the agent's state frees somebody."""
        del self.reservations[reservation.number]
        self.deadlines.forget((Due.RESERVATION, reservation.number))
        item, agent = self.items[reservation.item_id], self.roster.agents[reservation.agent]
        agent.reservation = None
        del item.reservations[reservation.number]
        if item.state is ItemState.RESERVED and not item.reservations:
            item.turn(ItemState.QUEUED)
            item.picked_up = False
            offering.settled(self, item)
        self.tell(
            ReservationEnded(self.now, item.id, reservation.queue, agent.name, reservation.number, outcome.value)
        )
        self.commands.append(WithdrawOffer(item.id, agent.name, reservation.number, outcome.value))
        return item

    def give_back(self, item: WorkItem) -> None:
        """After a failed offer: on to the next agent, back to its place in line, or out if it waited too long. While
        others are still asked, it waits for them."""
        if item.reservations:
            if offering.wanted(self, item) and item not in self.lines:
                self.place(item)
            return
        if item.preferred is not None:
            preference.give_up(self, item, "did not take it")
            fitting.fit(self, item)
        longest = item.queue.max_wait_s
        if callbacks.held_back(self, item):
            return
        if longest is not None and item.callback is None and self.now >= item.queued_at + longest:
            self.overflow(item)
        else:
            self.place(item)
            callbacks.placed(self, item)

    def overflow(self, item: WorkItem) -> None:
        """An item that is not in line has waited for too long."""
        self.tell_waits(item)
        self.send_on(item, item.queue.overflow, "max_wait")

    def send_on(self, item: WorkItem, to: Destination | None, reason: str) -> None:
        """An item that is not in line leaves its queue."""
        self.forget(item)
        self.tell_overflow(item, None if to is None else str(to), reason)
        self.commands.append(OverflowItem(item.id, item.queue.name, to, item.age_from, reason))

    def send_away(self, item: WorkItem, to: Destination | None, reason: str) -> None:
        """An item leaves its queue, from line or from ringing agents; not that of a customer who is not on the line."""
        if not callbacks.customer_there(self, item):
            return
        self.tell_overflow(item, None if to is None else str(to), reason)
        self.commands.append(OverflowItem(item.id, item.queue.name, to, item.age_from, reason))
        self.take_out(item, Outcome.WITHDRAWN)

    def tell_overflow(self, item: WorkItem, to: str | None, reason: str) -> None:
        item.queue.overflowed += 1
        self.tell(ItemOverflowed(self.now, item.id, item.queue.name, item.waited_s(self.now), to, reason, item.channel))

    def take_out(self, item: WorkItem, outcome: Outcome) -> None:
        """The item goes, from line or from ringing agents, who are free again."""
        held = list(item.reservations.values())
        self.lines.discard(item)
        if item.state is ItemState.KEPT:
            kept_places.let_go(item)
        for reservation in held:
            self.end(reservation, outcome)
        self.forget(item)
        self.release(held)

    def release(self, held: list[Reservation]) -> None:
        """Agents whose offers were ended by nothing of theirs."""
        for reservation in held:
            self.apply(self.roster.agents[reservation.agent], Input.RELEASE)

    def forget(self, item: WorkItem) -> None:
        """The item is over for this queue; so is a queue that was only kept for it."""
        del self.items[item.id], item.queue.items[item.id]
        if item.state is ItemState.QUEUED:
            item.queue.count(item.channel, -1)
        for what in (Due.ITEM, Due.FIT, Due.RING):
            self.deadlines.forget((what, item.id))
        callbacks.item_over(self, item)
        self.drop_if_over(item.queue)

    def drop_if_over(self, queue: Queue) -> None:
        """A queue that is no longer in the site is kept for whoever waits in it, or for its call."""
        if queue.closed and not queue.items and not queue.callbacks and queue.name in self.queues:
            for what in (Due.QUEUE, Due.BORROW):
                self.deadlines.forget((what, queue.name))
            del self.queues[queue.name]

    def connect(self, item: WorkItem) -> None:
        """Its customer and its agent talk from now on."""
        assert item.agent is not None
        item.turn(ItemState.CONNECTED)
        item.connected_at = self.now
        item.queue.connected += 1
        queue, waited_s = item.queue, item.waited_s(self.now)
        in_time = waited_s <= queue.in_time_s
        self.tell(
            ItemConnected(
                self.now, item.id, queue.name, item.agent, waited_s, in_time, item.predicted_s, item.channel
            )
        )  # fmt: skip

    def finish(self, item: WorkItem, by: str, to: str | None) -> None:
        """They talk no more."""
        now, queue = self.now, item.queue.name
        agent = self.roster.agents[item.agent or ""]
        talked_s, to_agent = now - item.connected_at, self.roster.who_is_at(to)
        agent.talked_s += talked_s
        self.forget(item)
        self.tell(ItemCompleted(now, item.id, queue, agent.name, talked_s, by, to, to_agent, item.channel))
        wrap_up.begin(self, agent, item)

    # --- agents ---

    def apply(self, agent: Agent, what: Input, reason: str | None = None) -> None:
        """One step of the table. Raises `AgentCommandError` if it refuses."""
        rule = TABLE[agent.state, what]
        if isinstance(rule, State):
            if rule is State.READY and agent.state is not State.READY and what is not Input.RELEASE:
                agent.idle_since = self.now
            self.enter(agent, rule, reason)
        elif rule is Rule.WISHED:
            agent.idle_since = self.now
            self.enter(agent, agent.wish, agent.wish_reason)
        elif rule is Rule.LATER:
            agent.wish, agent.wish_reason = _WISHES[what], reason
            self.update(agent)
        elif rule is Rule.REFUSED:
            raise AgentCommandError(agent.name, what.value, agent.state.value)
        elif rule is Rule.IMPOSSIBLE:
            raise AcdError(f"agent {agent.name}: {what} while {agent.state}")

    def enter(self, agent: Agent, state: State, reason: str | None) -> None:
        """Into a state, with all that hangs on it."""
        before, phone = agent.state, agent.phone
        if agent.retired and state in (State.READY, State.NOT_READY):
            state, reason = State.LOGGED_OUT, "removed"
        if state is State.READY:
            reason = reason if phone.reachable or agent.nailed_up else "unregistered"
        elif agent.resting:
            self.rested(agent)
        if before is not state or reason != agent.reason:
            call = agent.item_id if state in _WITH_ITEM else None
            self.tell(AgentStateChanged(self.now, agent.name, state.value, reason, call))
        if before is not state or state is State.NOT_READY:
            columns.entered(agent, before, self.now)
            agent.since = self.now
        agent.state, agent.reason = state, reason
        self.roster.count_in(agent)
        if state not in _WITH_ITEM:
            self._close_work(agent, before)
        if state is State.LOGGED_OUT and before is not state:
            self.roster.update(agent)
            fitting.someone_left(self, agent)  # who waited for him has his place before his phone is a colleague's
        self._hold(agent)
        if agent.nailed_up:
            nailed_up.follow(self, agent, before)
        self.update(agent)
        if state is State.LOGGED_OUT:
            written_notes.end_all(self, agent)
            if agent.retired:
                self.dismiss(agent)
            else:
                stand_up(self, agent)

    def dismiss(self, agent: Agent) -> None:
        """One who is no longer in the site is forgotten when he is logged out and has written his last word."""
        if agent.retired and agent.state is State.LOGGED_OUT and not agent.work:
            self.roster.forget(agent)

    def update(self, agent: Agent) -> None:
        """Something that decides on availability changed; if he is available now, he gets the best item that fits."""
        if self.roster.update(agent):
            self.match(agent)
        if agent.work or len(agent.channels) > 1 or "call" not in agent.channels:
            written.update(self, agent)

    def match(self, agent: Agent) -> None:
        """He is available: the best item that fits him, if any does."""
        item = self.lines.best_for(agent.slot)
        if item is not None and not assignment.holds_back(self, agent, item):
            self.lines.remove(item)
            why = f"best score, {item.score + self.now - item.age_from:.1f}, that fits the agent"
            self.give(item, agent, why, self.lines.best_for(agent.slot))

    def rested(self, agent: Agent) -> None:
        """The agent's rest after failures is over (his availability is still to be updated)."""
        if agent.resting:
            agent.resting = False
            self.deadlines.forget((Due.AGENT, agent.name))

    def leave(self, agent: Agent, what: Input, reason: str | None) -> None:
        """Not ready, or logged out; should his phone ring, the item is offered on."""
        reservation = agent.reservation
        if reservation is not None:
            self.give_back(self.end(reservation, Outcome.WITHDRAWN))
        self.apply(agent, what, reason)

    def _hold(self, agent: Agent) -> None:
        """While the agent is at work, nobody else is rung on his phone."""
        phone = agent.phone
        holder = phone.held_by
        if agent.state in AT_WORK:
            phone.held_by = holder or agent.name
        elif holder == agent.name:
            phone.held_by = self.roster.at_work_on(phone)
        if phone.held_by != holder and len(phone.agents) > 1:
            for name in phone.agents:
                if name != agent.name:
                    self.update(self.roster.agents[name])

    def _close_work(self, agent: Agent, before: State) -> None:
        agent.wish, agent.wish_reason = State.READY, None
        if before is State.BUSY or before is State.WRAP_UP:
            self.deadlines.forget((Due.AGENT, agent.name))
            self.commands.append(CloseWork(agent.name, agent.item_id or ""))
        agent.item_id = agent.notes = None


_WISHES = {Input.LOGOUT: State.LOGGED_OUT, Input.READY: State.READY, Input.NOT_READY: State.NOT_READY}
