"""Circles: ways on which a caller would go round for ever, from queue to queue, through flows, forwards and numbers.

A way is a step that is taken without anybody's doing: `overflow` after `max_wait_s`, a rule, `closed`, `emergency`, the
next state of a flow, a phone that is always forwarded. A menu asks the caller, a phone or a group that rings may be
answered: no circle leads over these. A key that is pressed does so only if all that follows happens for sure and at
once, so that it does nothing.

Whether all ways of a circle can be taken is decided as far as it is cheap: calendars are looked at together; of rules
those about `waited` (who goes round and waits will have waited longer than any limit). The others are of one queue
each, and can all hold.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.dial_patterns import covers
from config.findings import Finding
from config.numbers import normalise
from config.queue_rules import QueueRule
from config.schema import ByHours, Connect, Destination, Enqueue, Gather, Hours, Menu, Queue, Say, Site, State, Wait
from config.values import Path

STEPS = 20_000  # of the search from one queue; what is not found by then is not told
ALWAYS = -1  # the set of all instants
Node = tuple[str, ...]  # ("queues", NAME), ("ivr", FLOW, STATE), ("extensions", NUMBER)


@dataclass(frozen=True, slots=True)
class Way:
    """From a queue, a state, a phone to another."""

    path: Path
    to: Node
    shown: str  # `overflow after 60 s`
    takes_time: bool = False
    rule: QueueRule | None = None
    instants: int = ALWAYS  # a set of those of `Calendars` at which it may be taken
    sure: bool = False  # it is always taken
    pressed: bool = False  # by a caller who wants it


def check_circles(site: Site) -> Iterator[Finding]:
    """Of the circles through each queue, state or phone, one is told."""
    ways = _between(ways_of_site(site))
    order = {node: n for n, node in enumerate(ways)}
    for start in ways:
        circle = _circle(start, ways, order)
        if circle is not None:
            at_once = not any(way.takes_time for way in circle)
            place = "the queue" if start[0] == "queues" else "where it came from"
            expected = f"a destination that does not lead back to {place}" + (" at once" if at_once else "")
            hint = "" if at_once else "; end it at a phone or a menu, or let agents serve both: borrow"
            nodes = [start, *(way.to for way in circle)]
            steps = (f"{_shown(node)} ({way.shown})" for node, way in zip(nodes, circle, strict=False))
            way = circle[0]
            told = " -> ".join([*steps, _shown(start)]) + hint
            yield Finding(way.path, f'"{_written(site, way.path)}"', expected, told)


def _shown(node: Node) -> str:
    kind = {"queues": "queue", "extensions": "extension"}.get(node[0], node[0])
    return f"{kind} {'.'.join(node[1:])}"


def _written(site: Site, path: Path) -> str:
    """What the file has there."""
    value: Any = site
    for part in path:
        if isinstance(value, Mapping | tuple):
            value = value[part]  # type: ignore[index]
        else:
            value = getattr(value, str(part))
    return str(value)


# --- ways -------------------------------------------------------------------------------------------------------------


def ways_of_site(site: Site) -> dict[Node, list[Way]]:
    """Queues first, so that a circle is told where one of its queues begins it."""
    calendars, find = Calendars(site.hours), _Places(site)
    ways: dict[Node, list[Way]] = {}
    for name, queue in site.queues.items():
        ways["queues", name] = [*_of_queue(name, queue, find, calendars)]
    for flow_name, flow in site.ivr.items():
        for name, state in flow.items():
            ways["ivr", flow_name, name] = [*_of_state(flow_name, name, state, find, calendars)]
    for name, phone in site.extensions.items():
        to = None if phone.forward.always is None else find(phone.forward.always)
        if to is not None:
            path: Path = ("extensions", name, "forward", "always")
            ways["extensions", name] = [Way(path, to, "forward always", sure=True)]
    return ways


def _of_queue(name: str, queue: Queue, find: _Places, calendars: Calendars) -> Iterator[Way]:
    path: Path = ("queues", name)
    opens = calendars.open(queue.hours)
    if queue.max_wait_s is not None and (to := find(queue.overflow)):
        yield Way((*path, "overflow"), to, f"overflow after {queue.max_wait_s:g} s", takes_time=True, instants=opens)
    if queue.hours is not None and (to := find(queue.closed)):
        yield Way((*path, "closed"), to, "closed", instants=calendars.closed(queue.hours))
    if to := find(queue.emergency):
        yield Way((*path, "emergency"), to, "emergency")
    for key, rules in (("enter", queue.enter), ("leave", queue.leave)):
        for i, rule in enumerate(rules):
            if (to := find(rule.to)) and rule.when.can_hold():
                shown = f"{key}[{i}]: {rule.when}"
                yield Way((*path, key, i, "to"), to, shown, key == "leave", rule=rule.when, instants=opens)
    for key, wanted in queue.keys.items():
        if to := find(wanted):
            yield Way((*path, "keys", key), to, f"key {key}", pressed=True)


def _of_state(flow: str, name: str, state: State, find: _Places, calendars: Calendars) -> Iterator[Way]:
    path: Path = ("ivr", flow, name)
    if isinstance(state, Menu | Gather):
        return
    if isinstance(state, ByHours):
        yield Way((*path, "open"), ("ivr", flow, state.open), "open", instants=calendars.open(state.hours))
        yield Way((*path, "closed"), ("ivr", flow, state.closed), "closed", instants=calendars.closed(state.hours))
    elif isinstance(state, Enqueue):
        yield Way((*path, "enqueue"), ("queues", state.enqueue), "enqueue", sure=True)
    elif isinstance(state, Connect):
        if to := find(state.connect):
            yield Way((*path, "connect"), to, "connect", sure=True)
    else:
        targets = [(key, getattr(state, key, None)) for key in ("then", "otherwise")]
        there = [(key, target) for key, target in targets if target is not None]
        for key, target in there:
            takes_time = isinstance(state, Say | Wait)
            yield Way((*path, key), ("ivr", flow, target), key, takes_time, sure=len(there) == 1)


class _Places:
    """Where destinations lead."""

    __slots__ = ("_numbers", "_site")

    def __init__(self, site: Site) -> None:
        self._site = site
        country = site.locale.country
        self._numbers = {normalise(number, country): to for number, to in site.numbers.items()}

    def __call__(self, to: Destination | None) -> Node | None:
        site = self._site
        if to is not None and to.kind == "number":
            to = self._dialled(to.name)
        if to is None:
            return None
        if to.kind == "queue" and to.name in site.queues:
            return "queues", to.name
        if to.kind == "ivr" and to.name in site.ivr:
            return "ivr", to.name, next(iter(site.ivr[to.name]))
        return ("extensions", to.name) if to.kind == "extension" else None

    def _dialled(self, number: str) -> Destination | None:
        """As if a phone of ours dialled it."""
        if number in self._site.extensions:
            return Destination("extension", number)
        own = self._numbers.get(normalise(number, self._site.locale.country))
        if own is not None:
            return own
        for rule in self._site.dial_plan:
            if rule.callers in ("extensions", "anyone") and covers(rule.match, number):
                return rule.to
        return None


# --- circles ----------------------------------------------------------------------------------------------------------


def _between(ways: dict[Node, list[Way]]) -> dict[Node, list[Way]]:
    """Without what leads nowhere, and without what nothing leads to, until all that is left is in circles, or between
    them."""
    while True:
        reached = {way.to for some in ways.values() for way in some}
        left: dict[Node, list[Way]] = {}
        for node, some in ways.items():
            onward = [way for way in some if way.to in ways]
            if onward and node in reached:
                left[node] = onward
        if left == ways:
            return left
        ways = left


def _circle(start: Node, ways: Mapping[Node, Sequence[Way]], order: Mapping[Node, int]) -> list[Way] | None:
    """The first circle from `start`, over nodes after it in `order`, all of whose ways can be taken."""
    home = _leading_to(start, ways)
    trail: list[Way] = []
    seen = {start}
    ahead: list[Iterator[Way]] = [iter(ways[start])]
    instants = [ALWAYS]
    steps = 0
    while ahead and steps < STEPS:
        steps += 1
        way = next(ahead[-1], None)
        if way is None:
            ahead.pop()
            instants.pop()
            if trail:
                seen.discard(trail.pop().to)
            continue
        when = instants[-1] & way.instants
        if not when:
            continue
        if way.to == start:
            if _endless([*trail, way], start):
                return [*trail, way]
        elif way.to in home and way.to not in seen and order[way.to] > order[start]:
            trail.append(way)
            seen.add(way.to)
            ahead.append(iter(ways[way.to]))
            instants.append(when)
    return None


def _leading_to(start: Node, ways: Mapping[Node, Sequence[Way]]) -> set[Node]:
    before: dict[Node, list[Node]] = {}
    for node, some in ways.items():
        for way in some:
            before.setdefault(way.to, []).append(node)
    found, ahead = {start}, [start]
    while ahead:
        for node in before.get(ahead.pop(), ()):
            if node not in found:
                found.add(node)
                ahead.append(node)
    return found


def _endless(circle: Sequence[Way], start: Node) -> bool:
    """Whether a caller can go round for ever, unless that is told elsewhere, or a message said again and again."""
    queues = any(way.path[0] == "queues" for way in circle)
    if len(circle) == 1 and queues:
        return False  # "another destination than the queue itself"
    takes_time = any(way.takes_time for way in circle)
    if not queues and (takes_time or all(way.path[:2] == start[:2] and way.instants != ALWAYS for way in circle)):
        return False
    pressed = [way for way in circle if way.pressed]
    if pressed:
        return not takes_time and len(pressed) == 1 and all(way.sure or way.pressed for way in circle)
    rules = [way.rule for way in circle if way.rule is not None]
    waits = [math.inf] if takes_time else sorted({0.0, *(n for rule in rules for n in rule.numbers(("waited",)))})
    return any(all(rule.can_hold(waited_s) for rule in rules) for waited_s in waits)


# --- calendars --------------------------------------------------------------------------------------------------------


class Calendars:
    """Which calendars are open at the same time: sets of instants, enough to tell them apart: when spans begin and end,
    on each weekday, on holidays, on days that are closed."""

    __slots__ = ("_all", "_open")

    def __init__(self, calendars: Mapping[str, Hours]) -> None:
        spans = [span for hours in calendars.values() for span in hours.open]
        times = sorted({dt.time(0), *(span.opens for span in spans), *(span.closes for span in spans)} - {dt.time.max})
        instants = [(weekday, off, time) for weekday, off in _days(calendars) for time in times]
        self._all = _set(True for _ in instants)
        self._open = {
            name: _set(name not in off and _is_open(hours, weekday, time) for weekday, off, time in instants)
            for name, hours in calendars.items()
        }

    def open(self, name: str | None) -> int:
        """Always, without a calendar that is known."""
        return ALWAYS if name is None else self._open.get(name, ALWAYS)

    def closed(self, name: str) -> int:
        return self._all & ~self._open[name] if name in self._open else ALWAYS


def _days(calendars: Mapping[str, Hours]) -> Iterator[tuple[int, frozenset[str]]]:
    """Days of all sorts: the weekday, and the calendars for which it is a day off."""
    countries = {hours.holidays for hours in calendars.values()} - {None}
    for weekday in range(7):
        yield weekday, frozenset()
        yield weekday, frozenset(name for name, hours in calendars.items() if hours.holidays)  # New Year's Day
        for country in countries:
            yield weekday, frozenset(name for name, hours in calendars.items() if hours.holidays == country)
    for date in {date for hours in calendars.values() for date in hours.closed}:
        yield date.weekday(), frozenset(name for name, hours in calendars.items() if date in hours.closed)


def _is_open(hours: Hours, weekday: int, time: dt.time) -> bool:
    return any(
        weekday in span.weekdays and span.opens <= time and (time < span.closes or span.closes == dt.time.max)
        for span in hours.open
    )


def _set(members: Iterable[bool]) -> int:
    return sum(there << n for n, there in enumerate(members))
