"""How long a caller will wait: from what agents need for a call, how soon callers give up, and who is ahead.

A caller with n ahead moves up when an agent who serves the line is done with a call, or when somebody ahead gives up:

    wait = b + sum over k = 1 .. n + 1 of 1 / (r + k x a)

    r   calls that the agents at work are done with per second: of each queue, the calls they are at / h
    h   seconds that a call of the queue takes an agent: ringing, talk, wrap-up, and the calls he let ring in between
    a   abandons per second of one who waits
    b   seconds that phones ring for a call of the queue until it is answered

That is the mean of a queue with abandonment (W. Whitt, "Predicting Queueing Delays", Management Science 45, 1999) of
those who are answered: of those who have n ahead, they are the ones who happened to move up sooner (a step of the rate
r + k x a, weighed by exp(-a x its length), is one of the rate r + (k + 1) x a). h, a and b are measured all the time,
each queue by itself, as an average that looks back over `MEMORY` calls. What makes it true for queues that share
agents:

* Callers of other queues whom the same agents serve are ahead, too, by their place in the one order of all queues, and
  count by the share of their agents who are ours.
* If a line before us keeps some of our agents busy for so long that we are served sooner by the others alone, it is
  left out, and so are these agents.
* Who comes later with a higher priority gets ahead as well: as many as came lately in so much time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import mypyc_attr

from acd.agent_set import slots
from acd.agent_state import State
from acd.capacity import PHONE
from acd.events import (
    AcdEvent,
    AgentStateChanged,
    ItemAbandoned,
    ItemCompleted,
    ItemConnected,
    ItemOverflowed,
    ItemQueued,
    ItemReserved,
    ReservationEnded,
)
from acd.model import ItemState, Queue, WorkItem
from acd.waiting_line import WaitingLine

if TYPE_CHECKING:
    from acd.floor import Floor

MEMORY: Final = 100  # calls that an average looks back over
_FORGET: Final = 1 - 1 / MEMORY
_EXACT: Final = 8  # terms of the sum that are added one by one
_ROUNDS: Final = 4
_AT_ONCE: Final = 16  # lines, or queues, that an estimate for each caller may look at
_FEW_LINES = 100  # beyond, some agents are asked for theirs
_AROUND: Final = 16  # lines ahead; beyond, ways round them are not tried
_ASKED: Final = 8  # of them
_LINES: Final = 8  # of those ahead, that are tried to be left out
_DONE: Final = frozenset((State.READY.value, State.NOT_READY.value, State.LOGGED_OUT.value))


@dataclass(slots=True)
class Rates:
    """What is measured of a queue."""

    calls: float = 0.0  # answered; this and all below fade as newer calls come
    work_s: float = 0.0  # that they took of agents
    abandons: float = 0.0
    waited_s: float = 0.0  # by all
    answered: float = 0.0  # on the line: callbacks are not
    rang_s: float = 0.0  # until they were, at whatever phones
    serving: int = 0  # agents who are at a call of it now
    arrivals: float = 0.0
    arrivals_s: float = 0.0  # that they came in
    came_at: float = 0.0  # the last of them

    @property
    def work_per_call_s(self) -> float | None:
        return self.work_s / self.calls if self.calls > 0 else None

    def arrivals_per_s(self, now: float) -> float:
        """The time since the last one counts, so that it falls while nobody comes."""
        span_s = self.arrivals_s + max(0.0, now - self.came_at)
        return self.arrivals / span_s if self.arrivals > 1 and span_s > 0 else 0.0

    @property
    def ring_s(self) -> float:
        return self.rang_s / self.answered if self.answered > 0 else 0.0

    @property
    def abandons_per_s(self) -> float:
        return self.abandons / self.waited_s if self.waited_s > 0 else 0.0


@dataclass(slots=True)
class Work:
    """What an agent is at."""

    queue: str
    since: float  # his phone rings since then
    answered: bool = False


@mypyc_attr(allow_interpreted_subclasses=True)
@dataclass(slots=True)
class Measured:
    """A fold of events: the rates of each queue. Plain data, part of the floor's state."""

    queues: dict[str, Rates] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)  # by agent
    written: set[str] = field(default_factory=set)  # live items that are no work at the phone: not measured

    def add(self, event: AcdEvent) -> None:
        """Events that measure nothing are ignored."""
        step = _STEPS.get(type(event))
        if step is None or (self.written and getattr(event, "item_id", None) in self.written and self._apart(event)):
            return
        step(self, event)

    def _apart(self, event: AcdEvent) -> bool:
        """A chat or a mail keeps nobody from the phone for longer than the state of the agent says."""
        if isinstance(event, ItemCompleted | ItemAbandoned | ItemOverflowed):
            self.written.discard(event.item_id)
        return True

    def of_any(self, queue: str) -> Rates | None:
        """The queue's rates; before its first call is over, those of all queues together. None: no call was over."""
        rates = self.queues.get(queue)
        if rates is not None and rates.calls > 0:
            return rates
        known = [rates for rates in self.queues.values() if rates.calls > 0]
        if not known:
            return None
        fields = ([one.calls, one.work_s, one.abandons, one.waited_s, one.answered, one.rang_s] for one in known)
        return Rates(*map(sum, zip(*fields, strict=True)))

    def of(self, queue: str) -> Rates:
        rates = self.queues.get(queue)
        if rates is None:
            rates = self.queues[queue] = Rates()
        return rates

    def _queued(self, event: ItemQueued) -> None:
        if event.channel not in PHONE:
            self.written.add(event.item_id)
            return
        rates = self.of(event.queue)
        gap_s = event.at - rates.came_at if rates.arrivals else 0.0
        rates.arrivals = rates.arrivals * _FORGET + 1
        rates.arrivals_s = rates.arrivals_s * _FORGET + gap_s
        rates.came_at = event.at

    def _begin(self, agent: str, work: Work) -> None:
        self._end(agent)
        self.work[agent] = work
        self.of(work.queue).serving += 1

    def _end(self, agent: str) -> Work | None:
        work = self.work.pop(agent, None)
        if work is not None:
            self.of(work.queue).serving -= 1
        return work

    def _reserved(self, event: ItemReserved) -> None:
        self._begin(event.agent, Work(event.queue, event.at))

    def _not_taken(self, event: ReservationEnded) -> None:
        """The agent rang in vain: time that the queue's calls cost as well. With several phones ringing for one call,
        the others' time is not."""
        work = self._end(event.agent)
        if work is not None and event.outcome != "answered_elsewhere":
            rates = self.of(event.queue)
            rates.work_s += event.at - work.since
            if event.outcome != "caller_hung_up":
                rates.rang_s += event.at - work.since

    def _connected(self, event: ItemConnected) -> None:
        if event.agent not in self.work:
            self._begin(event.agent, Work(event.queue, event.at))
        work = self.work[event.agent]
        work.answered = True
        if event.channel == "call":  # who waits for a callback has hung up: he can't lose patience
            rates = self._waited(event.queue, event.waited_s)
            rates.answered = rates.answered * _FORGET + 1
            rates.rang_s = rates.rang_s * _FORGET + event.at - work.since

    def _state(self, event: AgentStateChanged) -> None:
        if event.state not in _DONE:
            return
        work = self._end(event.agent)
        if work is not None and work.answered:
            rates = self.of(work.queue)
            rates.calls = rates.calls * _FORGET + 1
            rates.work_s = rates.work_s * _FORGET + event.at - work.since

    def _abandoned(self, event: ItemAbandoned) -> None:
        self._waited(event.queue, event.waited_s).abandons += 1

    def _overflowed(self, event: ItemOverflowed) -> None:
        if event.channel == "call":
            self._waited(event.queue, event.waited_s)

    def _waited(self, queue: str, waited_s: float) -> Rates:
        rates = self.of(queue)
        rates.abandons *= _FORGET
        rates.waited_s = rates.waited_s * _FORGET + waited_s
        return rates


_STEPS: Final[dict[type, Callable[[Measured, Any], None]]] = {
    ItemCompleted: lambda measured, event: None,
    ItemQueued: Measured._queued,
    ItemReserved: Measured._reserved,
    ReservationEnded: Measured._not_taken,
    ItemConnected: Measured._connected,
    ItemAbandoned: Measured._abandoned,
    ItemOverflowed: Measured._overflowed,
    AgentStateChanged: Measured._state,
}


class Estimator:
    """Answers from the state of a floor. Made anew for each question: it holds nothing of its own."""

    __slots__ = ("_floor",)

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def wait_s(self, queue: str, position: int, now: float) -> float | None:
        """How long the caller at this position of the queue (1: next to be served) will still wait; beyond its end,
        one who comes now. None: nobody is there to take a call, or none was ever taken."""
        floor = self._floor
        settings = floor.queues.get(queue)
        if settings is None:
            return None
        waiting = [item for item in settings.items.values() if item.state is ItemState.QUEUED]
        if 1 <= position <= len(waiting):
            return self.of_item(sorted(waiting, key=_place)[position - 1])
        eligible = floor.roster.eligible(settings, {}) or settings.able
        return self._wait_s(settings.name, eligible, now - _priority(settings), floor.items_made + 1)

    def at_arrival(self, item: WorkItem) -> float | None:
        """The same for one who has just come; on a floor of very many lines and queues for one in so many, because it
        is asked for the measure of our error only."""
        many = max(len(self._floor.lines.lines()), len(self._floor.queues)) // _AT_ONCE + 1
        return self.of_item(item) if item.number % many == 0 else None

    def of_item(self, item: WorkItem) -> float | None:
        """How long this one will still wait in line."""
        return self._wait_s(item.queue.name, item.eligible, item.rank, item.number)

    def _wait_s(self, queue: str, eligible: int, rank: float, number: int) -> float | None:
        roster, measured = self._floor.roster, self._floor.measured
        if eligible & roster.idle.everyone:
            return 0.0
        ours, own = eligible & roster.at_work, measured.of_any(queue)
        if not ours or own is None:
            return None
        ahead = [
            _Line(line.eligible & roster.at_work, count, measured.of_any(line.first.queue.name) or own)
            for line, count in self._before(ours, rank, number)
        ]
        ahead += self._overtaking(ours, rank, own)
        best = self._through(ours, ahead, own)
        for _ in range(_ROUNDS if len(ahead) <= _AROUND else 0):
            widest = sorted(ahead, key=lambda line: -line.count)[:_LINES]
            others = [line for line in widest if ours & ~line.agents]
            if not others:
                break
            tries = [(self._through(ours & ~line.agents, [one for one in ahead if one is not line], own), line)
                     for line in others]  # fmt: skip
            sooner, line = min(tries, key=itemgetter(0))
            if sooner >= best:
                break
            best, ours = sooner, ours & ~line.agents
            ahead.remove(line)
        return best + own.ring_s

    def _before(self, ours: int, rank: float, number: int) -> list[tuple[WaitingLine, float]]:
        """The lines that some of `ours` can take, with how many are ahead in each. Sorted, so that sums of them are the
        same in the floor that is made again. Of very many lines only those of some of the agents are looked at, who
        stand for the others."""
        lines, found = self._floor.lines, list[tuple[WaitingLine, float]]()
        if len(lines.lines()) <= _FEW_LINES:
            for line in lines.lines():
                if line.eligible & ours and (count := line.before(rank, number)):
                    found.append((line, count))
        else:
            asked = _some(ours, _ASKED)
            each = ours.bit_count() / len(asked)
            for line, times in lines.lines_before(rank, number, asked):
                if count := line.before(rank, number):
                    found.append((line, count * times * each / (line.eligible & ours).bit_count()))
        found.sort(key=lambda one: one[0].head[:2])
        return found

    def _overtaking(self, ours: int, rank: float, own: Rates) -> list[_Line]:
        """Who will come and be served before us, should our wait be long enough for them to come."""
        floor, found = self._floor, []
        for queue in floor.queues.values():
            before_s = rank + _priority(queue) - floor.now  # whoever comes before that is
            if before_s > 0 and queue.able & ours and (rates := floor.measured.queues.get(queue.name)) is not None:
                agents = queue.able & floor.roster.at_work
                if (per_s := rates.arrivals_per_s(floor.now)):
                    measured = rates if rates.calls > 0 else own
                    found.append(_Line(agents, 0, measured, per_s, before_s))
        return found

    def _through(self, ours: int, ahead: list[_Line], own: Rates) -> float:
        """Seconds until these agents come to us through these lines."""
        agents, share, count, work_s, abandons_per_s = ours.bit_count(), 0.0, 0.0, 0.0, 0.0
        coming: list[tuple[float, float]] = []
        for line in ahead:
            common = line.agents & ours
            if common:
                share = 1.0 if common == line.agents else common.bit_count() / line.agents.bit_count()
                count += line.count * share
                work_s += line.count * share * (line.rates.work_per_call_s or 0.0)
                abandons_per_s += line.count * share * line.rates.abandons_per_s
                if line.per_s:
                    coming.append((line.per_s * share, line.until_s))
        now_s = self._work_at_hand_s(ours, own)
        later_s = work_s / count if count else now_s
        abandons_per_s = (abandons_per_s + own.abandons_per_s) / (count + 1)
        total = until_served_s(count, agents, now_s, later_s, abandons_per_s)
        for _ in range(_ROUNDS if coming else 0):
            more = sum(per_s * min(until_s, total) for per_s, until_s in coming)
            total = until_served_s(count + more, agents, now_s, later_s, abandons_per_s)
        return total

    def _work_at_hand_s(self, ours: int, own: Rates) -> float:
        """How long one of the calls that these agents are at takes, on average as they end."""
        floor = self._floor
        calls = per_s = 0.0
        for name, rates in floor.measured.queues.items():
            if rates.serving and rates.work_s > 0 and (queue := floor.queues.get(name)) is not None:
                able = queue.able & floor.roster.at_work
                common = able & ours
                if common:
                    share = 1.0 if common == able else common.bit_count() / able.bit_count()
                    calls += rates.serving * share
                    per_s += rates.serving * share * rates.calls / rates.work_s
        return calls / per_s if per_s else own.work_per_call_s or 0.0


def _some(agents: int, count: int) -> list[int]:
    """So many of a set, or fewer, spread over it; all of a smaller one."""
    if agents.bit_count() <= count:
        return slots(agents)
    width = agents.bit_length()
    found = []
    for start in range(0, width, -(-width // count)):
        rest = agents >> start
        found.append(start + (rest & -rest).bit_length() - 1)
    return sorted(set(found))


@dataclass(slots=True)
class _Line:
    """Some who are ahead, or will be."""

    agents: int  # at work, who can take them, as a set
    count: float
    rates: Rates
    per_s: float = 0.0  # so many come ...
    until_s: float = 0.0  # ... and get ahead, for so long


def until_served_s(ahead: float, agents: int, now_s: float, later_s: float, abandons_per_s: float) -> float:
    """Until so many agents, whose calls take `now_s` each and the following ones `later_s`, have come through those
    ahead to one more, who did not give up before."""
    if now_s <= 0:
        return 0.0
    soon = min(ahead + 1, agents)  # taken by agents who end the calls they are at
    rest = ahead + 1 - soon
    total = _departures_s(rest + 1, rest + soon + 1, agents / now_s, abandons_per_s)
    if rest > 0:
        total += _departures_s(1, rest + 1, agents / (later_s or now_s), abandons_per_s)
    return total


def _departures_s(first: float, end: float, served_per_s: float, abandons_per_s: float) -> float:
    """sum over k = first .. end - 1 of 1 / (served_per_s + k x abandons_per_s), of fractions of one in part: the first
    terms as they are, the others as an integral of each from k - 1/2 to k + 1/2."""
    total, k = 0.0, first
    while k < end and k < first + _EXACT:
        total += min(1.0, end - k) / (served_per_s + k * abandons_per_s)
        k += 1
    if k < end:
        slowest = served_per_s + (k - 0.5) * abandons_per_s
        growth = (end - k) * abandons_per_s / slowest
        total += (end - k) / slowest * (math.log1p(growth) / growth if growth > 1e-9 else 1.0)
    return total


def _priority(queue: Queue) -> float:
    return queue.priority if queue.priority_set is None else queue.priority_set


def _place(item: WorkItem) -> tuple[float, int]:
    return item.rank, item.number
