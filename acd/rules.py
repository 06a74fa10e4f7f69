"""Who may wait, and how long: a queue's opening hours, its emergency switch, and its `enter` and `leave` rules.

Facts are worked out only if a rule asks for them. `leave` rules are looked at every `LOOK_S` while somebody waits, the
last in line first: of twenty who are too many by one, only the last one leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from acd import callbacks
from acd.deadlines import Due
from acd.events import EmergencySwitched
from acd.model import ItemState, Queue, WorkItem
from config.queues import Rule
from config.schema import Destination

if TYPE_CHECKING:
    from acd.floor import Floor

LOOK_S: Final = 1.0  # how often `leave` rules are looked at
_OF_CALL: Final = frozenset({"waited", "position", "ewt"})
_OF_AGENTS: Final = frozenset({"agents", "on_duty", "free"})


class Facts:
    """What rules may ask about a queue and one call of it, each worked out when first asked for. A fact that nobody
    knows is absent: it makes no comparison true."""

    __slots__ = ("_floor", "_item", "_known", "_queue", "position")

    def __init__(self, floor: Floor, queue: Queue, item: WorkItem | None = None) -> None:
        self._floor = floor
        self._queue = queue
        self._item = item
        self._known: dict[str, float] = {}
        self.position: int | None = None  # of the call, if whoever asks knows it already

    def of(self, item: WorkItem, position: int) -> None:
        """From now on about this call. What is known of the queue stays."""
        for fact in (_OF_CALL | _OF_AGENTS) & self._known.keys():
            del self._known[fact]
        self._item, self.position = item, position

    def gone(self) -> None:
        """One who waited is no longer there: whatever counts those who wait is to be worked out anew."""
        for fact in self._known.keys() & {"waiting", "waiting_per_agent", "longest"}:
            del self._known[fact]

    def get(self, fact: str) -> float | None:
        known = self._known.get(fact)
        if known is None:
            known = self._find(fact)
            if known is not None:
                self._known[fact] = known
        return known

    def _find(self, fact: str) -> float | None:
        match fact:
            case "agents" | "on_duty" | "free":
                return self._agents(fact)
            case "waiting":
                return float(len(waiting(self._queue)))
            case "waiting_per_agent":
                return self._per_agent()
            case "longest":
                now = self._floor.now
                return max((item.waited_s(now) for item in waiting(self._queue)), default=0.0)
            case "waited":
                return None if self._item is None else max(0.0, self._floor.now - self._item.age_from)
            case "position":
                return None if self._item is None else float(self.position or position(self._item))
            case "ewt":
                return None if self._item is None else self._floor.estimates.of_item(self._item)
        return self._percent(fact)

    def _percent(self, fact: str) -> float | None:
        statistics, queue, now = self._floor.statistics, self._queue.name, self._floor.now
        of = statistics.service_level if fact == "service_level" else statistics.abandoned
        share = of(queue, now)
        return None if share is None else 100 * share

    def _agents(self, fact: str) -> float:
        able = could_take(self._floor, self._queue, self._item)
        roster = self._floor.roster
        if fact == "free":
            return float(roster.idle.count(able))
        return float((able & (roster.on_duty if fact == "on_duty" else roster.logged_in)).bit_count())

    def _per_agent(self) -> float:
        """Nobody on duty: infinitely many for each, if there are any."""
        count, agents = self.get("waiting") or 0.0, self.get("on_duty") or 0.0
        return count / agents if agents else float("inf") if count else 0.0


def could_take(floor: Floor, queue: Queue, item: WorkItem | None) -> int:
    """The agents who could take the call, or some call of the queue, as a set, whatever they do now."""
    if item is None:
        return queue.able
    able = item.eligible
    for step in range(len(queue.steps)):
        able |= floor.roster.eligible(queue, item.attributes, step)
    return able


def waiting(queue: Queue) -> list[WorkItem]:
    """Those without an agent, in no order."""
    return [item for item in queue.items.values() if item.state is ItemState.QUEUED]


def position(item: WorkItem) -> int:
    """1: nobody in the queue is before it. For one that is not in line yet, where it would be."""
    place = (item.rank, item.number)
    return 1 + sum((other.rank, other.number) < place for other in waiting(item.queue))


def first_that_holds(facts: Facts, rules: Sequence[Rule]) -> Rule | None:
    """The first rule whose `when` holds."""
    return next((rule for rule in rules if rule.when.holds(facts)), None)


def turned_away(floor: Floor, item: WorkItem, *, is_open: bool, again: bool) -> tuple[Destination | None, str] | None:
    """Where a call that comes goes instead, and why; None: the queue takes it. `again`: it has a place from before, to
    which only the emergency switch is an obstacle. The item is not among those of the queue yet."""
    queue = item.queue
    if queue.emergency:
        return queue.to_in_emergency, "emergency"
    if again:
        return None
    if not is_open:
        return queue.to_when_closed, "closed"
    rule = first_that_holds(Facts(floor, queue, item), queue.enter) if queue.enter else None
    return None if rule is None else (rule.to, f"rule: {rule.when}")


def set_emergency(floor: Floor, queue: Queue, on: bool) -> None:
    """Everybody who waits, or rings at an agent, leaves at once; who talks goes on talking. Nobody is called back."""
    if queue.emergency is not on:
        queue.emergency = on
        floor.tell(EmergencySwitched(floor.now, queue.name, on))
    callbacks.hours(floor, queue.name, is_open=queue.callbacks_open)
    if not on:
        return
    for state in (ItemState.QUEUED, ItemState.RESERVED):  # so that an agent who is free again gets nobody who is to go
        for item in [item for item in queue.items.values() if item.state is state]:
            floor.send_away(item, queue.to_in_emergency, "emergency")


# --- leave rules ------------------------------------------------------------------------------------------------------


def watch(floor: Floor, queue: Queue) -> None:
    """Somebody waits: the rules are to be looked at."""
    if queue.leave and (Due.QUEUE, queue.name) not in floor.deadlines:
        floor.deadlines.set((Due.QUEUE, queue.name), floor.now + LOOK_S)


def look(floor: Floor, queue: Queue) -> None:
    """Whoever a rule sends elsewhere goes there; while others wait, again after a while."""
    line = sorted(waiting(queue), key=lambda item: (item.rank, item.number))
    facts = Facts(floor, queue)
    for place in range(len(line), 0, -1):
        item = line[place - 1]
        facts.of(item, place)
        rule = first_that_holds(facts, queue.leave)
        if rule is not None:
            floor.send_away(item, rule.to, f"rule: {rule.when}")
            facts.gone()
    if waiting(queue):
        watch(floor, queue)
