"""What the schema cannot see of queues: names that must exist, rules that never hold, ways that lead in a circle."""

from __future__ import annotations

from collections.abc import Iterator

from config import queue_rules
from config.circles import check_circles
from config.destination_names import ACTS, check_destination
from config.findings import Finding, Names
from config.queue_rules import QueueRule
from config.schema import Destination, Queue, Site
from config.values import Path


def check_queues(site: Site, names: Names) -> Iterator[Finding]:
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
    yield from check_circles(site)


def needs_of(queue: Queue) -> Iterator[tuple[Path, str]]:
    """Every requirement of a queue, with its place in it."""
    if queue.needs is not None:
        yield ("needs",), queue.needs
    for i, step in enumerate(queue.relax):
        yield ("relax", i, "needs"), step.needs
    if queue.borrow is not None and queue.borrow.needs is not None:
        yield ("borrow", "needs"), queue.borrow.needs


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
    if queue.overflow is not None and queue.max_wait_s is None:
        expected = "max_wait_s beside it: after how long a caller goes there"
        yield Finding(("queues", name, "overflow"), "no max_wait_s", expected, on_key=True)
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
        yield Finding(path, f'"{rule}"', "a rule that can hold", certain=True)
    elif not always and rule.always_holds():
        yield Finding(path, f'"{rule}"', "a rule that does not always hold: nobody would ever wait", certain=True)


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
