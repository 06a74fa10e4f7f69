"""A day in virtual time: callers and agents around the live engine.

The engine decides as it does for real calls; here a phone is picked up, a conversation ends and a patience is over when
the numbers say so. Nothing waits: the clock jumps to what comes next.
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from acd.agent_state import State
from acd.commands import Command, OfferItem, OverflowItem, ShowWrapUp
from acd.engine import Engine
from acd.estimate import Measured
from acd.events import AcdEvent, AgentStateChanged
from acd.simulate.demand import Caller
from acd.simulate.staff import Shift
from acd.simulate.tally import Tally
from acd.statistics import Statistics
from config.calendar import is_open
from config.schema import Site

Progress = Callable[[float], None]
_MISSED = frozenset({"no answer", "rejected", "busy"})
LONGEST_S = 86_400.0  # so long after the last call has come the day is over, whoever still waits
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


@dataclass(frozen=True, slots=True)
class Conduct:
    """How agents behave."""

    pick_up_s: float = 0.0  # a ringing phone is picked up after so long
    missed: float = 0.0  # share of offers that nobody picks up
    back_s: float = 60.0  # who missed a call is ready again after so long
    wrap_up_s: float | None = None  # None: as long as the queue (or the agent) has it


class OpeningHours:
    """Whether a queue is open by its calendar; asked of the calendar once a minute at most."""

    __slots__ = ("_calendars", "_known", "_timezone")

    def __init__(self, site: Site) -> None:
        self._calendars = {name: site.hours[queue.hours] for name, queue in site.queues.items() if queue.hours}
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


class World:
    """One day, run once."""

    __slots__ = (
        "_callers", "_conduct", "_dice", "_engine", "_hours", "_live", "_midnight", "_number", "_on_duty", "_talks",
        "_todo", "tally",
    )  # fmt: skip

    def __init__(
        self, site: Site, callers: Sequence[Caller], shifts: Sequence[Shift], tally: Tally, conduct: Conduct,
        dice: Callable[[], float],
    ) -> None:  # fmt: skip
        """`callers` in order of arrival. `dice`, numbers from 0 to 1, say which calls are missed. Raises
        QueueNeedsError."""
        self.tally = tally
        self._midnight = tally.midnight
        self._conduct = conduct
        self._dice = dice
        self._callers = callers
        self._live: dict[str, Caller] = {}  # by item
        self._talks: set[str] = set()  # of these, those who talk
        self._on_duty: set[str] = set()
        self._todo: list[tuple[float, int, int, object]] = []
        self._number = 0
        self._hours = OpeningHours(site)
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
        while next_call < math.inf or self._live or (todo and todo[0][0] <= ends):
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
                self._enters(f"c{coming}", callers[coming], next_call)
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

    def _enters(self, item: str, caller: Caller, now: float) -> None:
        self._live[item] = caller
        is_open = self._hours.open(caller.queue, now)
        self._engine.enqueue(item, caller.queue, caller.attributes, now, is_open=is_open)
        if caller.patience_s < math.inf:
            self._at(now + caller.patience_s, What.LEAVES, item)

    def _do(self, what: What, whom: object, now: float) -> None:
        engine = self._engine
        if what is What.ANSWERS:
            assert isinstance(whom, OfferItem)
            if engine.answer(whom.reservation, now):
                self._talks.add(whom.item_id)
                self._at(now + self._live[whom.item_id].talk_s, What.HANGS_UP, whom.item_id)
            return
        name = str(whom)
        if what is What.HANGS_UP:
            del self._live[name]
            self._talks.discard(name)
            engine.complete(name, now)
        elif what is What.LEAVES:
            if name in self._live and name not in self._talks:
                del self._live[name]
                engine.abandon(name, now)
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
            for command in commands:
                self._obey(command, now)

    def _obey(self, command: Command, now: float) -> None:
        conduct = self._conduct
        if isinstance(command, OfferItem):
            if conduct.missed and self._dice() < conduct.missed:
                return
            if conduct.pick_up_s:
                self._at(now + conduct.pick_up_s, What.ANSWERS, command)
            else:
                self._do(What.ANSWERS, command, now)
        elif isinstance(command, OverflowItem):
            self._goes_on(command, now)
        elif isinstance(command, ShowWrapUp) and conduct.wrap_up_s is not None:
            self._at(now + conduct.wrap_up_s, What.NOTED, command.agent)

    def _goes_on(self, command: OverflowItem, now: float) -> None:
        """To another queue, or out of sight."""
        caller, to = self._live[command.item_id], command.destination
        if to is not None and to.kind == "queue":
            is_open = self._hours.open(to.name, now)
            self._engine.enqueue(command.item_id, to.name, caller.attributes, now, command.age_from, is_open=is_open)
        else:
            del self._live[command.item_id]

