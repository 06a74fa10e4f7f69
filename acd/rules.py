"""Who may wait, and how long: a queue's opening hours, its emergency switch, and its `enter` and `leave` rules.

Facts are worked out only if a rule asks for them. `leave` rules are looked at every `LOOK_S` while somebody waits, the
last in line first: of twenty who are too many by one, only the last one leaves. Where rules ask how long each will
wait, a line is looked at as the queue has its `turns`, and again `LOOK_S` after everybody was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from acd import callbacks, turns
from acd.deadlines import Due
from acd.events import EmergencySwitched
from acd.model import ItemState, Queue, WorkItem
from config.queue_rules import OF_CALL
from config.queues import Rule
from config.schema import Destination

if TYPE_CHECKING:
    from acd.floor import Floor

LOOK_S: Final = 1.0  # how often `leave` rules are looked at
_OF_AGENTS: Final = frozenset({"agents", "on_duty", "free", "waiting_per_agent"})


class Facts:
    """What rules may ask about a queue and one call of it, each worked out when first asked for. A fact that nobody
    knows is absent: it makes no comparison true."""

    __slots__ = ("_floor", "_item", "_known", "_queue")

    def __init__(self, floor: Floor, queue: Queue, item: WorkItem | None = None, place: int | None = None) -> None:
        """`place`: the item's in the queue, if it is known already."""
        self._floor = floor
        self._queue = queue
        self._item = item
        self._known: dict[str, float] = {} if place is None else {"position": float(place)}

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
                return float(self._queue.waiting_calls)
            case "waiting_per_agent":
                return self._per_agent()
            case "longest":
                now = self._floor.now
                return max((item.waited_s(now) for item in waiting(self._queue)), default=0.0)
            case "waited":
                return None if self._item is None else max(0.0, self._floor.now - self._item.age_from)
            case "position":
                return None if self._item is None else float(position(self._item))
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
    unable = floor.roster.unable.get("call" if item is None else item.channel, 0)
    if item is None:
        return queue.able & ~unable
    able = item.eligible
    for step in range(len(queue.steps)):
        able |= floor.roster.eligible(queue, item.attributes, step)
    return able & ~unable


def waiting(queue: Queue) -> list[WorkItem]:
    """Those without an agent, in no order."""
    return [item for item in queue.items.values() if item.state is ItemState.QUEUED]


def in_order(queue: Queue) -> list[WorkItem]:
    """Those without an agent, the first in line first."""
    return sorted(waiting(queue), key=lambda item: (item.rank, item.number))


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
    look_ = _Look(floor, queue)
    if look_.estimates:
        line = turns.take(floor, (Due.QUEUE, queue.name), queue, queue.unlooked, _last_first)
    else:
        queue.unlooked.clear()
        line = _last_first(queue)
    for before, item in enumerate(line):
        if not look_.rules:
            break
        rule = look_.first_for(item, None if look_.estimates else len(line) - before)
        if rule is not None:
            floor.send_away(item, rule.to, f"rule: {rule.when}")
            look_.one_left()
    if queue.waiting_calls:
        watch(floor, queue)


def _last_first(queue: Queue) -> list[WorkItem]:
    return in_order(queue)[::-1]


class _Look:
    """One look at all who wait in a queue. What is the same for all of them is worked out once, and again when one has
    left; `rules` are those that could hold for somebody."""

    __slots__ = ("_asked", "_floor", "_known", "_of_each", "_queue", "estimates", "rules")

    def __init__(self, floor: Floor, queue: Queue) -> None:
        self._floor = floor
        self._queue = queue
        self._asked = frozenset(fact for rule in queue.leave for fact in rule.when.facts)
        self.estimates = "ewt" in self._asked
        by_call = any(step.fixed is None for step in queue.steps)  # then each call has agents of its own
        self._of_each = [fact for fact in self._asked if fact in OF_CALL or (by_call and fact in _OF_AGENTS)]
        self.one_left()

    def one_left(self) -> None:
        common = Facts(self._floor, self._queue)
        self._known: dict[str, float] = {}
        for fact in self._asked.difference(self._of_each):
            value = common.get(fact)
            if value is not None:
                self._known[fact] = value
        each = frozenset(self._of_each)
        self.rules = [rule for rule in self._queue.leave if rule.when.facts & each or rule.when.holds(self._known)]

    def first_for(self, item: WorkItem, place: int | None) -> Rule | None:
        """The first rule that holds for an item, which is the `place`th in line, if that is known."""
        known, facts = self._known, None
        for fact in self._of_each:
            if fact == "waited":
                known[fact] = max(0.0, self._floor.now - item.age_from)
            elif fact == "position" and place is not None:
                known[fact] = float(place)
            else:
                facts = facts or Facts(self._floor, self._queue, item)
                known.pop(fact, None)
                value = facts.get(fact)
                if value is not None:
                    known[fact] = value
        return next((rule for rule in self.rules if rule.when.holds(known)), None)
