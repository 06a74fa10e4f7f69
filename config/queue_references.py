"""What the schema cannot see of queues: names that must exist, rules that never hold, ways that lead in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config import queue_rules
from config.destination_names import ACTS, check_destination
from config.findings import Finding, Names
from config.queue_rules import QueueRule
from config.schema import Destination, Queue, Site
from config.suggestion import did_you_mean
from config.values import Path

_NEEDS_IGNORED = re.compile(r"'[^']*'|\"[^\"]*\"|call\s*\.\s*\w+|skill\s*\(|(?<![\w-])(?:and|or|not)(?![\w-])")
_NEEDS_SKILL = re.compile(r"[^\W\d][\w-]*")


def check_queues(site: Site, names: Names) -> Iterator[Finding]:
    skills = sorted({skill for agent in site.agents.values() for skill in agent.skills})
    for name, queue in site.queues.items():
        path: Path = ("queues", name)
        for i, agent in enumerate(queue.agents or ()):
            yield from names.check("agents", agent, (*path, "agents", i), "agent")
        for i, lender in enumerate(queue.borrow.agents_of if queue.borrow else ()):
            yield from _lender(lender, (*path, "borrow", "agents_of", i), names)
        yield from _ways(name, queue, names)
        yield from _rules(queue, path)
        yield from _calendars(queue, path, names)
        yield from _announcements(queue, path)
        if names.known("agents") and names.whole("agents"):
            for below, needs in needs_of(queue):
                yield from _skills(needs, (*path, *below), skills)
    yield from _circles(site)


def needs_of(queue: Queue) -> Iterator[tuple[Path, str]]:
    """Every requirement of a queue, with its place in it."""
    if queue.needs is not None:
        yield ("needs",), queue.needs
    for i, step in enumerate(queue.relax):
        yield ("relax", i, "needs"), step.needs
    if queue.borrow is not None and queue.borrow.needs is not None:
        yield ("borrow", "needs"), queue.borrow.needs


def _skills(needs: str, path: Path, skills: list[str]) -> Iterator[Finding]:
    for word in _NEEDS_SKILL.findall(_NEEDS_IGNORED.sub(" ", needs)):
        if word not in skills:
            expected = "a skill that some agent has" + (f" ({', '.join(skills)})" if 0 < len(skills) <= 12 else "")
            yield Finding(path, f'"{word}"', expected, did_you_mean(word, skills))


def _lender(lender: str, path: Path, names: Names) -> Iterator[Finding]:
    yield from names.check("queues", lender, path, "queue")
    if lender == path[1]:
        yield Finding(path, f'"{lender}"', "another queue than the one that borrows")


def ways_of(queue: Queue) -> Iterator[tuple[Path, Destination]]:
    """Every way out of a queue, with its place in it."""
    for key, to in (("overflow", queue.overflow), ("closed", queue.closed), ("emergency", queue.emergency)):
        if to is not None:
            yield (key,), to
    for i, rule in enumerate(queue.enter):
        yield ("enter", i, "to"), rule.to
    for i, rule in enumerate(queue.leave):
        yield ("leave", i, "to"), rule.to
    for key, to in queue.keys.items():
        yield ("keys", key), to


def _ways(name: str, queue: Queue, names: Names) -> Iterator[Finding]:
    for below, to in ways_of(queue):
        path: Path = ("queues", name, *below)
        yield from check_destination(to, path, names)
        if to == Destination("queue", name):
            yield Finding(path, f'"{to}"', "another destination than the queue itself")
        if to.kind in ACTS:
            yield Finding(path, f'"{to}"', "somebody or something that takes calls")
    if queue.callback is not None and queue.callback.key in queue.keys:
        expected = "a key that has no other meaning in the queue"
        yield Finding(("queues", name, "callback", "key"), f'"{queue.callback.key}"', expected)


# --- rules ------------------------------------------------------------------------------------------------------------


def _rules(queue: Queue, path: Path) -> Iterator[Finding]:
    for key, rules in (("enter", queue.enter), ("leave", queue.leave)):
        seen: dict[str, int] = {}
        for i, rule in enumerate(rules):
            at: Path = (*path, key, i, "when")
            yield from _when(rule.when, at)
            first = seen.setdefault(str(rule.when), i)
            if first != i:
                hint = f"{key}[{first}] takes all its calls"
                yield Finding(at, f'"{rule.when}"', "a rule that no earlier one covers", hint)
    if queue.borrow is not None:
        yield from _when(queue.borrow.when, (*path, "borrow", "when"), always=True)
        for fact in sorted(queue.borrow.when.facts & queue_rules.OF_CALL):
            expected = "a rule about the queue as a whole"
            yield Finding((*path, "borrow", "when"), f'"{fact}", which each call has its own', expected)


def _when(rule: QueueRule, path: Path, *, always: bool = False) -> Iterator[Finding]:
    """`always`: it may hold at all times."""
    if not rule.can_hold():
        yield Finding(path, f'"{rule}"', "a rule that can hold")
    elif not always and rule.always_holds():
        yield Finding(path, f'"{rule}"', "a rule that does not always hold: nobody would ever wait")


# --- hours, announcements ---------------------------------------------------------------------------------------------


def _calendars(queue: Queue, path: Path, names: Names) -> Iterator[Finding]:
    if queue.hours is not None:
        yield from names.check("hours", queue.hours, (*path, "hours"), "calendar")
    elif queue.closed is not None:
        yield Finding((*path, "closed"), "no hours", "hours, the calendar beside it", on_key=True)
    if queue.callback is not None and queue.callback.hours is not None:
        yield from names.check("hours", queue.callback.hours, (*path, "callback", "hours"), "calendar")
    if queue.callback is not None and queue.callback.number == "ask" and not queue.callback.ask_number:
        yield Finding((*path, "callback", "number"), "ask", "ask_number beside it, what is said to ask for the number")
    if queue.callback is not None and queue.callback.through is not None:
        yield from names.check("trunks", queue.callback.through, (*path, "callback", "through"), "trunk")


def _announcements(queue: Queue, path: Path) -> Iterator[Finding]:
    """What is never said is a mistake."""
    announce, path = queue.announce, (*path, "announce")
    if announce is None:
        return
    if announce.position is False and announce.your_position:
        yield Finding((*path, "your_position"), "no position", "position: true beside it", on_key=True)
    for key, said in (("your_wait", announce.your_wait), ("wait_grown", announce.wait_grown)):
        if said and not announce.wait:
            yield Finding((*path, key), "no wait", "wait: true beside it", on_key=True)
    if announce.position is False and not announce.wait and not announce.messages:
        yield Finding(path, "nothing to say", "position, wait or messages", on_key=True)


# --- circles ----------------------------------------------------------------------------------------------------------


def _circles(site: Site) -> Iterator[Finding]:
    """Ways that nobody waits on, from queue to queue: of each circle, one is told of."""
    for what in ("closed", "emergency", "enter"):
        told: set[str] = set()
        for name in site.queues:
            circle = _circle(site, name, what)
            if circle and not told & set(circle):
                told |= set(circle)
                queue, below = site.queues[name], circle[name]
                to = next(to for path, to in ways_of(queue) if path == below)
                way = " -> ".join([*circle, name])
                expected = "a destination that does not lead back to the queue at once"
                yield Finding(("queues", name, *below), f'"{to}"', expected, way)


def _circle(site: Site, start: str, what: str) -> dict[str, Path]:
    """The queues from `start` back to it by ways of this kind, each with the place of its way; empty if there is no
    such circle, or if the queue leads to itself, which is told anyhow."""
    trail: dict[str, Path] = {}
    dead: set[str] = set()

    def follow(name: str) -> bool:
        for below, to in ways_of(site.queues[name]):
            if below[0] != what or to.kind != "queue" or to.name not in site.queues or to.name == name:
                continue
            trail[name] = below
            if to.name == start or (to.name not in trail and to.name not in dead and follow(to.name)):
                return True
            del trail[name]
        dead.add(name)
        return False

    return trail if follow(start) else {}
