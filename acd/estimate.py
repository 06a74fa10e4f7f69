"""How long a caller will wait: from what agents need for a call, how soon callers give up, and who is ahead.

The k-th caller in line moves up when an agent who serves the line is done with a call, or when somebody ahead gives up:

    wait of a caller with n ahead = sum over k = 0 .. n of 1 / (s / h + k x a)

    s   agents at work (or available) who can take the call
    h   seconds that a call takes an agent: ringing, talk, wrap-up, and the calls he let ring in between
    a   abandons per second of one who waits

That is the mean of a queue with abandonment (W. Whitt, "Predicting Queueing Delays", Management Science 45, 1999), with
h and a measured all the time, each queue by itself: an average of the last `MEMORY` calls. Callers of other queues
whom the same agents serve are ahead, too, by their place in the one order of all queues, and count by the share of
their agents who are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from acd.agent_state import State
from acd.events import (
    AcdEvent,
    AgentStateChanged,
    ItemAbandoned,
    ItemConnected,
    ItemOverflowed,
    ItemReserved,
    ReservationEnded,
)
from acd.model import ItemState, WorkItem

if TYPE_CHECKING:
    from acd.floor import Floor

MEMORY: Final = 100  # calls that an average looks back over
_FORGET: Final = 1 - 1 / MEMORY
_EXACT: Final = 8  # terms of the sum that are added one by one
_DONE: Final = frozenset((State.READY.value, State.NOT_READY.value, State.LOGGED_OUT.value))


@dataclass(slots=True)
class Rates:
    """What is measured of a queue."""

    calls: float = 0.0  # answered; this and all below fade as newer calls come
    work_s: float = 0.0  # that they took of agents
    abandons: float = 0.0
    waited_s: float = 0.0  # by all

    @property
    def work_per_call_s(self) -> float | None:
        return self.work_s / self.calls if self.calls > 0 else None

    @property
    def abandons_per_s(self) -> float:
        return self.abandons / self.waited_s if self.waited_s > 0 else 0.0


@dataclass(slots=True)
class Work:
    """What an agent is at."""

    queue: str
    since: float  # his phone rings since then
    answered: bool = False


@dataclass(slots=True)
class Measured:
    """A fold of events: the rates of each queue. Plain data, part of the floor's state."""

    queues: dict[str, Rates] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)  # by agent

    def add(self, event: AcdEvent) -> None:
        """Events that measure nothing are ignored."""
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)

    def of_any(self, queue: str) -> Rates | None:
        """The queue's rates; before its first call is over, those of all queues together. None: no call was over."""
        rates = self.queues.get(queue)
        if rates is not None and rates.calls > 0:
            return rates
        known = [rates for rates in self.queues.values() if rates.calls > 0]
        if not known:
            return None
        fields = ([rates.calls, rates.work_s, rates.abandons, rates.waited_s] for rates in known)
        return Rates(*map(sum, zip(*fields, strict=True)))

    def of(self, queue: str) -> Rates:
        rates = self.queues.get(queue)
        if rates is None:
            rates = self.queues[queue] = Rates()
        return rates

    def _reserved(self, event: ItemReserved) -> None:
        self.work[event.agent] = Work(event.queue, event.at)

    def _not_taken(self, event: ReservationEnded) -> None:
        """The agent rang in vain: time that the queue's calls cost as well. With several phones ringing for one call,
        the others' time is not."""
        work = self.work.pop(event.agent, None)
        if work is not None and event.outcome != "answered_elsewhere":
            self.of(event.queue).work_s += event.at - work.since

    def _connected(self, event: ItemConnected) -> None:
        self._waited(event.queue, event.waited_s)
        work = self.work.setdefault(event.agent, Work(event.queue, event.at))
        work.answered = True

    def _state(self, event: AgentStateChanged) -> None:
        if event.state not in _DONE:
            return
        work = self.work.pop(event.agent, None)
        if work is not None and work.answered:
            rates = self.of(work.queue)
            rates.calls = rates.calls * _FORGET + 1
            rates.work_s = rates.work_s * _FORGET + event.at - work.since

    def _abandoned(self, event: ItemAbandoned) -> None:
        self._waited(event.queue, event.waited_s).abandons += 1

    def _overflowed(self, event: ItemOverflowed) -> None:
        self._waited(event.queue, event.waited_s)

    def _waited(self, queue: str, waited_s: float) -> Rates:
        rates = self.of(queue)
        rates.abandons *= _FORGET
        rates.waited_s = rates.waited_s * _FORGET + waited_s
        return rates


_STEPS: Final[dict[type, Callable[[Measured, Any], None]]] = {
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
        eligible = floor.roster.eligible(settings, {})
        return self._wait_s(settings.name, eligible, now - settings.priority, floor.items_made + 1)

    def of_item(self, item: WorkItem) -> float | None:
        """How long this one will still wait in line."""
        return self._wait_s(item.queue.name, item.eligible, item.rank, item.number)

    def _wait_s(self, queue: str, eligible: int, rank: float, number: int) -> float | None:
        roster, measured = self._floor.roster, self._floor.measured
        if eligible & roster.idle.everyone:
            return 0.0
        at_work = roster.at_work
        ours = eligible & at_work
        own = measured.of_any(queue)
        if not ours or own is None:
            return None
        ahead, work_s, abandons_per_s = 0.0, own.work_per_call_s or 0.0, 0.0
        for line in self._floor.lines.lines():
            common = line.eligible & ours
            if not common or not (count := line.before(rank, number)):
                continue
            others = line.eligible & at_work
            share = 1.0 if common == others else common.bit_count() / others.bit_count()
            rates = measured.of_any(line.first.queue.name) or own
            ahead += count * share
            work_s += count * share * (rates.work_per_call_s or 0.0)
            abandons_per_s += count * share * rates.abandons_per_s
        work_s /= ahead + 1
        if work_s <= 0:  # calls that nobody spent time on
            return 0.0
        return until_served_s(ahead, ours.bit_count() / work_s, abandons_per_s / ahead if ahead else 0.0)


def until_served_s(ahead: float, served_per_s: float, abandons_per_s: float) -> float:
    """sum over k = 0 .. ahead of 1 / (served_per_s + k x abandons_per_s). A fraction of one ahead counts in part."""
    whole = int(ahead)
    exact = min(whole, _EXACT - 1)
    total = sum(1 / (served_per_s + k * abandons_per_s) for k in range(exact + 1))
    rest = whole - exact  # terms exact + 1 .. whole, as an integral over each from k - 1/2 to k + 1/2
    if rest:
        first = served_per_s + (exact + 0.5) * abandons_per_s
        growth = rest * abandons_per_s / first
        total += rest / first * (math.log1p(growth) / growth if growth > 1e-9 else 1.0)
    return total + (ahead - whole) / (served_per_s + (whole + 1) * abandons_per_s)


def _place(item: WorkItem) -> tuple[float, int]:
    return item.rank, item.number
