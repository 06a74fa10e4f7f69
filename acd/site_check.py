"""What must be known of queues to check a site file that its schema cannot: the language of `needs`, and who serves."""

from __future__ import annotations

from collections.abc import Iterator

from acd.errors import RequirementError
from acd.requirement import Requirement, parse
from acd.skills import SkillIndex
from config.findings import Finding
from config.queue_references import needs_of
from config.schema import Queue, Site
from config.values import Path


def queue_needs(site: Site) -> Iterator[Finding]:
    """Each requirement is readable, each queue is served by somebody, each step lets more agents take the call."""
    agents = list(site.agents.items())
    index = SkillIndex((slot, agent.skills) for slot, (_, agent) in enumerate(agents))
    for name, queue in site.queues.items():
        path: Path = ("queues", name)
        read: dict[Path, Requirement] = {}
        for below, text in needs_of(queue):
            try:
                read[below] = parse(text)
            except RequirementError as error:
                yield Finding((*path, *below), f'"{text}"', f"a requirement ({error})")
        if not agents:
            continue  # a site in the making
        serve = _serving(site, name)
        if not serve:
            expected = "a queue that at least one agent serves"
            key: Path = (*path, "agents") if queue.agents is not None else path
            yield Finding(key, "nobody who does", expected, on_key=True)
            continue
        yield from _steps(queue, path, read, index, serve)
        if queue.borrow is not None and ("borrow", "needs") in read:
            able = read["borrow", "needs"].bounds(index)[1]
            if not any(able & _serving(site, lender) for lender in queue.borrow.agents_of):
                expected = "a requirement that at least one agent of these queues fulfils"
                yield Finding((*path, "borrow", "needs"), f'"{queue.borrow.needs}"', expected)


def _serving(site: Site, queue: str) -> int:
    """The agents who serve a queue, by its list and by theirs, as a set."""
    listed = site.queues[queue].agents if queue in site.queues else None
    return sum(
        1 << slot for slot, (name, agent) in enumerate(site.agents.items())
        if (listed is None or name in listed) and (agent.queues is None or queue in agent.queues)
    )  # fmt: skip


def _steps(
    queue: Queue, path: Path, read: dict[Path, Requirement], index: SkillIndex, serve: int
) -> Iterator[Finding]:
    """`needs`, then what is asked for later: somebody must fulfil it who could not take the call before."""
    sure, after_s = index.everyone if queue.needs is None else 0, 0.0
    if ("needs",) in read:
        sure, possible = read["needs",].bounds(index)
        if not possible & serve:
            expected = "a requirement that at least one agent of the queue fulfils"
            yield Finding((*path, "needs"), f'"{queue.needs}"', expected)
    for i, step in enumerate(queue.relax):
        at: Path = (*path, "relax", i)
        if i and step.after_s <= after_s:
            yield Finding((*at, "after_s"), f"{step.after_s:g}", f"a step later than the one before it ({after_s:g} s)")
        after_s = step.after_s
        if ("relax", i, "needs") not in read:
            continue
        low, possible = read["relax", i, "needs"].bounds(index)
        if not possible & serve:
            expected = "a requirement that at least one agent of the queue fulfils"
            yield Finding((*at, "needs"), f'"{step.needs}"', expected)
        elif not possible & serve & ~sure:
            expected = "a step that lets another agent take the call than those before it"
            yield Finding((*at, "needs"), f'"{step.needs}"', expected)
        sure |= low
