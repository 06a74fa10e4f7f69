"""A day in virtual time: callers and agents around the live engine.

The engine decides as it does for real calls; here a phone is picked up, a conversation ends and a patience is over when
the numbers say so. Nothing waits: the clock jumps to what comes next.

    on the line -- offered a callback, and takes it --> away -- called, and answers --> on the line
                -- hangs up, and the place is kept ---> away -- calls again ----------> on the line
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from acd.agent_state import State
from acd.callback_errors import CallbackError
from acd.callback_events import CallbackClosed
from acd.callbacks import rules_of
from acd.commands import Command, OfferItem, OverflowItem, ShowWrapUp
from acd.engine import Engine
from acd.estimate import Measured
from acd.events import AcdEvent, AgentStateChanged
from acd.model import ItemState
from acd.simulate.demand import Caller
from acd.simulate.distributions import Streams
from acd.simulate.staff import Shift
from acd.simulate.tally import Tally
from acd.statistics import Statistics
from config.calendar import is_open
from config.queues import Callback
from config.schema import Site

Progress = Callable[[float], None]
_MISSED = frozenset({"no answer", "rejected", "busy"})
LONGEST_S = 86_400.0  # so long after the last call has come the day is over, whoever still waits
LOOK_S = 60.0  # how often the hours are looked at in which customers are called
_EVERY = 500  # callers between two words about progress


class What(IntEnum):
    """What happens at a moment; of two at the same moment the lower first."""

    LOGS_IN = 0
    LOGS_OUT = 1
    BACK = 2  # an agent who missed a call presses *ready*
    HANGS_UP = 3  # the conversation ends
    NOTED = 4  # wrap-up ends
    ANSWERS = 5
    LEAVES = 6  # the caller's patience is over
    OFFERED = 7  # a callback
    REACHED = 8  # who is called back answers
    NOT_REACHED = 9
    CALLS_AGAIN = 10
    LOOKS = 11  # at the hours in which customers are called


@dataclass(frozen=True, slots=True)
class Conduct:
    """How agents behave, and callers who do not stay on the line."""

    pick_up_s: float = 0.0  # a ringing phone is picked up after so long
    missed: float = 0.0  # share of offers that nobody picks up
    back_s: float = 60.0  # who missed a call is ready again after so long
    wrap_up_s: float | None = None  # None: as long as the queue (or the agent) has it
    callback: float = 0.0  # share of those offered a callback who take it
    reached: float = 1.0  # share of calls to customers that they answer
    reached_s: float = 10.0  # after so long; not if the queue lets it ring for less
    again: float = 0.0  # share of those who hang up, and whose place is kept, who call again in that time


@dataclass(slots=True, eq=False)
class Person:
    """Who called. Whatever he chooses is by dice of his own: the same, whoever works."""

    number: str
    caller: Caller
    dice: np.random.Generator | None = None
    calls: int = 1


class OpeningHours:
    """Whether a queue is open by its calendar; asked of the calendar once a minute at most."""

    __slots__ = ("_calendars", "_known", "_timezone")

    def __init__(self, site: Site, calendars: Mapping[str, str | None]) -> None:
        self._calendars = {name: site.hours[hours] for name, hours in calendars.items() if hours}
        self._timezone = site.locale.timezone
        self._known: dict[str, tuple[float, bool]] = {}

    def open(self, queue: str, now: float) -> bool:
        calendar = self._calendars.get(queue)
        if calendar is None:
            return True
        minute = now // 60
        known = self._known.get(queue)
        if known is None or known[0] != minute:
            found = bool(is_open(calendar, dt.datetime.fromtimestamp(minute * 60, dt.UTC), self._timezone))
            known = self._known[queue] = (minute, found)
        return known[1]


class Unheard(Statistics):
    """In place of the floor's own figures, where no rule of the site asks for them: the day is tallied here."""

    __slots__ = ()

    def add(self, event: AcdEvent) -> None:
        pass


class Unmeasured(Measured):
    """Likewise of what expected waits are made of."""

    __slots__ = ()

    def add(self, event: AcdEvent) -> None:
        pass


def facts_asked(site: Site) -> frozenset[str]:
    """What the rules of the site's queues want to know."""
    rules = [rule.when for queue in site.queues.values() for rule in (*queue.enter, *queue.leave)]
    rules += [queue.borrow.when for queue in site.queues.values() if queue.borrow is not None]
    return frozenset(fact for rule in rules for fact in rule.facts)


def callbacks_offered(site: Site) -> dict[str, Callback]:
    """By queue: those that tell who waits of callbacks."""
    return {
        name: queue.callback
        for name, queue in site.queues.items()
        if queue.callback is not None and queue.callback.offer and queue.answer == "on entry"
    }


class World:
    """One day, run once."""

    __slots__ = (
        "_away", "_callback_hours", "_callers", "_conduct", "_dice", "_engine", "_hours", "_live", "_midnight",
        "_number", "_offered", "_on_duty", "_streams", "_talks", "_to_ring", "_todo", "tally",
    )  # fmt: skip

    def __init__(
        self, site: Site, callers: Sequence[Caller], shifts: Sequence[Shift], tally: Tally, conduct: Conduct,
        streams: Streams,
    ) -> None:  # fmt: skip
        """`callers` in order of arrival. `streams`: the dice that say which calls are missed, and what callers choose.
        Raises QueueNeedsError."""
        self.tally = tally
        self._midnight = tally.midnight
        self._conduct = conduct
        self._streams = streams
        self._dice = streams.of("missed")
        self._callers = callers
        self._live: dict[str, Person] = {}  # on the line, by item
        self._away: dict[str, Person] = {}  # to be called, or about to call again; by callback, or number
        self._to_ring: dict[str, list[OfferItem]] = {}  # agents held for a customer whose phone rings first, by item
        self._offered = callbacks_offered(site) if conduct.callback else {}
        self._callback_hours = OpeningHours(site, {name: one.hours for name, one in self._offered.items()})
        self._talks: set[str] = set()  # of these, those who talk
        self._on_duty: set[str] = set()
        self._todo: list[tuple[float, int, int, object]] = []
        self._number = 0
        self._hours = OpeningHours(site, {name: queue.hours for name, queue in site.queues.items()})
        first = callers[0].at if callers else 0.0
        last = callers[-1].at if callers else 0.0
        first = min([first, tally.begins_at - self._midnight, *(s.start for s in shifts if math.isfinite(s.start))])
        start = self._midnight + first - 1.0
        self._engine = Engine(site, start)
        facts, floor = facts_asked(site), self._engine.floor
        if not facts & {"service_level", "abandoned"}:
            floor.statistics = Unheard(floor.statistics.days)
        if "ewt" not in facts:
            floor.measured = Unmeasured()
        for name, offered in self._offered.items():
            if offered.hours is not None:
                self._at(start, What.LOOKS, name)
        for shift in shifts:
            self._at(max(start, self._midnight + shift.start), What.LOGS_IN, shift.agent)
            if shift.end <= last + LONGEST_S:
                self._at(self._midnight + shift.end, What.LOGS_OUT, shift.agent)

    def run(self, progress: Progress | None = None) -> Tally:
        """The whole day, until the last caller is gone. `progress` is told the share of callers who have come."""
        engine, todo, midnight, callers = self._engine, self._todo, self._midnight, self._callers
        count, coming = len(callers), 0
        next_call = midnight + callers[0].at if callers else math.inf
        over = midnight + (callers[-1].at if callers else 0.0) + LONGEST_S
        self._drain(self._midnight)
        ends = self.tally.ends_at
        while next_call < math.inf or self._live or self._away or (todo and todo[0][0] <= ends):
            due = engine.next_deadline()
            now = todo[0][0] if todo else math.inf
            if due is not None and due <= min(now, next_call, over):
                engine.tick(due)
                self._drain(due)
            elif now <= next_call:
                if now > over:
                    break  # callers who wait for ever, for agents who never come
                _, what, _, whom = heapq.heappop(todo)
                self._do(What(what), whom, now)
                self._drain(now)
            else:
                self._enters(f"c{coming}", Person(f"c{coming}", callers[coming]), next_call)
                self._drain(next_call)
                coming += 1
                if progress is not None and coming % _EVERY == 0:
                    progress(coming / count)
                next_call = midnight + callers[coming].at if coming < count else math.inf
        self.tally.close(max(ends, engine.floor.now))
        return self.tally

    # --- what happens -----------------------------------------------------------------------------------------------

    def _at(self, when: float, what: What, whom: object) -> None:
        self._number += 1
        heapq.heappush(self._todo, (when, what, self._number, whom))

    def _enters(self, item: str, person: Person, now: float) -> None:
        self._live[item] = person
        self._waits_in(person.caller.queue, item, now)
        self._loses_patience(item, now)

    def _waits_in(self, queue: str, item: str, now: float, age_from: float | None = None) -> None:
        person, is_open = self._live[item], self._hours.open(queue, now)
        number = person.number if self._conduct.again else ""
        self._engine.enqueue(item, queue, person.caller.attributes, now, age_from, number, is_open)
        if queue in self._offered:
            self._at(now + self._offered[queue].offer_after_s, What.OFFERED, (item, queue))

    def _loses_patience(self, item: str, now: float) -> None:
        patience_s = self._live[item].caller.patience_s
        if patience_s < math.inf:
            self._at(now + patience_s, What.LEAVES, item)

    def _do(self, what: What, whom: object, now: float) -> None:
        engine = self._engine
        if what is What.ANSWERS:
            assert isinstance(whom, OfferItem)
            if engine.answer(whom.reservation, now):
                self._taken(whom.item_id, now)
            return
        if what is What.OFFERED:
            assert isinstance(whom, tuple)
            item, queue = whom
            self._chooses(item, queue, now)
            return
        name = str(whom)
        if what is What.HANGS_UP:
            del self._live[name]
            self._talks.discard(name)
            engine.complete(name, now)
        elif what is What.LEAVES:
            if name in self._live and name not in self._talks:
                self._hangs_up(name, now)
        elif what >= What.REACHED:
            _STEPS[what](self, name, now)
        elif what is What.NOTED:
            if engine.floor.roster.agent(name).state is State.WRAP_UP:
                engine.wrap_up_done(name, now)
        elif what is What.LOGS_IN:
            self._on_duty.add(name)
            engine.login(name, now)
            engine.ready(name, now)
        elif what is What.LOGS_OUT:
            self._on_duty.discard(name)
            engine.logout(name, now)
        elif name in self._on_duty and engine.floor.roster.agent(name).state is State.NOT_READY:
            engine.ready(name, now)

    # --- who does not stay on the line --------------------------------------------------------------------------------

    def _decides(self, person: Person) -> float:
        """From 0 to 1, as likely."""
        if person.dice is None:
            person.dice = self._streams.of(f"caller {person.number}")
        return float(person.dice.random())

    def _hangs_up(self, item: str, now: float) -> None:
        person = self._live.pop(item)
        if self._engine.abandon(item, now) and self._decides(person) < self._conduct.again:
            kept_s = self._engine.floor.items[item].queue.resume_s
            self._away[person.number] = person
            self._at(now + kept_s * self._decides(person), What.CALLS_AGAIN, person.number)

    def _calls_again(self, number: str, now: float) -> None:
        person = self._away.pop(number)
        person.calls += 1
        self._enters(f"{number}.{person.calls}", person, now)

    def _chooses(self, item: str, queue: str, now: float) -> None:
        """If he still waits there, he has heard that he may be called back."""
        waits = self._engine.floor.items.get(item)
        if waits is None or waits.queue.name != queue or waits.state not in (ItemState.QUEUED, ItemState.RESERVED):
            return
        person = self._live[item]
        if self._decides(person) >= self._conduct.callback:
            return
        try:
            self._engine.ask_callback(item, queue, person.number, person.caller.attributes, now, place_of=item)
        except CallbackError:
            return  # too many are to be called: he waits on
        del self._live[item]
        self._away[item] = person

    def _looks(self, queue: str, now: float) -> None:
        """Whether customers of the queue may be called."""
        is_open = self._callback_hours.open(queue, now)
        if is_open is not self._engine.floor.queues[queue].callbacks_open:
            self._engine.callback_hours(queue, is_open, now)
        self._at(now + LOOK_S, What.LOOKS, queue)

    def _dials(self, item_id: str, now: float) -> None:
        """The customer's phone rings."""
        engine = self._engine
        if not engine.customer_dialled(item_id, now):
            return
        item = engine.floor.items[item_id]
        assert item.callback is not None
        ring_s, conduct = rules_of(item.queue).ring_s, self._conduct
        if self._decides(self._away[item.callback]) < conduct.reached and conduct.reached_s <= ring_s:
            self._at(now + conduct.reached_s, What.REACHED, item_id)
        else:
            self._at(now + ring_s, What.NOT_REACHED, item_id)

    def _reached(self, item_id: str, now: float) -> None:
        engine = self._engine
        if not engine.customer_reached(item_id, now):
            return
        item = engine.floor.items[item_id]
        assert item.callback is not None
        self._live[item_id] = self._away[item.callback]
        if item.state is ItemState.CONNECTED:
            self._taken(item_id, now)
            return
        self._loses_patience(item_id, now)
        for command in self._to_ring.pop(item_id, ()):
            self._rings(command, now)

    def _not_reached(self, item_id: str, now: float) -> None:
        self._to_ring.pop(item_id, None)
        self._engine.customer_missed(item_id, "no_answer", now)

    # --- what the engine says ---------------------------------------------------------------------------------------

    def _drain(self, now: float) -> None:
        while True:
            events, commands = self._engine.take()
            if not events and not commands:
                return
            for event in events:
                self.tally.note(event)
                if type(event) is AgentStateChanged and event.reason in _MISSED and event.state == "NOT_READY":
                    self._at(now + self._conduct.back_s, What.BACK, event.agent)
                elif type(event) is CallbackClosed:
                    del self._away[event.callback_id]
            for command in commands:
                self._obey(command, now)

    def _obey(self, command: Command, now: float) -> None:
        conduct = self._conduct
        if isinstance(command, OfferItem):
            if self._away and self._calls_first(command, now):
                return
            self._rings(command, now)
        elif isinstance(command, OverflowItem):
            self._goes_on(command, now)
        elif isinstance(command, ShowWrapUp) and conduct.wrap_up_s is not None:
            self._at(now + conduct.wrap_up_s, What.NOTED, command.agent)

    def _rings(self, command: OfferItem, now: float) -> None:
        """An agent's phone."""
        conduct = self._conduct
        if conduct.missed and self._dice.random() < conduct.missed:
            return
        if conduct.pick_up_s:
            self._at(now + conduct.pick_up_s, What.ANSWERS, command)
        else:
            self._do(What.ANSWERS, command, now)

    def _calls_first(self, command: OfferItem, now: float) -> bool:
        """Whether the agent's phone rings only when the customer has answered, who is called now."""
        item = self._engine.floor.items.get(command.item_id)
        if item is None or item.callback is None or self._engine.floor.callbacks[item.callback].reached:
            return False
        if rules_of(item.queue).order == "agent first":
            return False
        self._to_ring.setdefault(item.id, []).append(command)
        self._dials(item.id, now)
        return True

    def _taken(self, item_id: str, now: float) -> None:
        """An agent answered: they talk, or the customer is called now."""
        if self._engine.floor.items[item_id].state is ItemState.CONNECTED:
            self._talks.add(item_id)
            self._at(now + self._live[item_id].caller.talk_s, What.HANGS_UP, item_id)
        else:
            self._dials(item_id, now)

    def _goes_on(self, command: OverflowItem, now: float) -> None:
        """To another queue, or out of sight."""
        to = command.destination
        if to is not None and to.kind == "queue":
            self._waits_in(to.name, command.item_id, now, command.age_from)
        else:
            del self._live[command.item_id]


_STEPS: Final[dict[What, Callable[[World, str, float], None]]] = {
    What.REACHED: World._reached,
    What.NOT_REACHED: World._not_reached,
    What.CALLS_AGAIN: World._calls_again,
    What.LOOKS: World._looks,
}
