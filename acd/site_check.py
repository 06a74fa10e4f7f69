"""What must be known of queues to check a site file that its schema cannot: the language of `needs`, and who serves."""

from __future__ import annotations

from collections.abc import Iterator

from acd.condition import Level, Number
from acd.errors import RequirementError
from acd.requirement import Requirement, parse
from acd.requirement_check import leaves, verdict
from acd.skills import MAX_LEVEL, SkillIndex
from config.findings import Finding, Names
from config.queue_references import needs_of
from config.schema import Queue, Site
from config.suggestion import did_you_mean
from config.values import Path

SKILLS_LISTED = 12


def queue_needs(site: Site, names: Names) -> Iterator[Finding]:
    """Each requirement is readable and can hold, each queue is served by somebody, each step lets more agents take the
    call."""
    agents = list(site.agents.items())
    whole = names.known("agents") and names.whole("agents")  # else nobody knows who has which skill
    skills = sorted({skill for _, agent in agents for skill in agent.skills}) if whole else None
    index = SkillIndex((slot, agent.skills) for slot, (_, agent) in enumerate(agents))
    for name, queue in site.queues.items():
        path: Path = ("queues", name)
        read: dict[Path, Requirement] = {}
        for below, text in needs_of(queue):
            mistakes = [*_mistakes(text, (*path, *below), skills)]
            yield from mistakes
            if not mistakes:
                read[below] = parse(text)
        if not agents or not whole:
            continue  # a site in the making
        serve = _serving(site, name)
        if not serve and not set(queue.agents or ()) <= set(site.agents):
            continue  # told of already
        if not serve:
            expected = "a queue that at least one agent serves"
            key: Path = (*path, "agents") if queue.agents is not None else path
            yield Finding(key, "nobody who does", expected, on_key=True)
            continue
        talking = sum(1 << slot for slot, (_, agent) in enumerate(agents) if agent.channels.get("call"))
        if not serve & talking:
            hint = "as `channels: {call: 1}`, which every agent has who names no channels"
            expected = "a queue that at least one agent serves who takes calls"
            yield Finding(path, "nobody who takes calls", expected, hint, on_key=True)
        yield from _steps(queue, path, read, index, serve)
        if queue.borrow is not None and ("borrow", "needs") in read:
            able = read["borrow", "needs"].bounds(index)[1]
            if not any(able & _serving(site, lender) for lender in queue.borrow.agents_of):
                expected = "a requirement that at least one agent of these queues fulfils"
                yield Finding((*path, "borrow", "needs"), f'"{queue.borrow.needs}"', expected)


def _mistakes(text: str, path: Path, skills: list[str] | None) -> Iterator[Finding]:
    """Of a requirement by itself. `skills`: that agents have; None if nobody knows."""
    try:
        requirement = parse(text)
    except RequirementError as error:
        yield Finding(path, f'"{text}"', f"a requirement ({error})", certain=True)
        return
    unknown = [skill for skill in requirement.skills if skills is not None and skill not in skills]
    for skill in unknown:
        listed = f" ({', '.join(skills or ())})" if 0 < len(skills or ()) <= SKILLS_LISTED else ""
        hint = did_you_mean(skill, skills or ())
        yield Finding(path, f'"{skill}"', f"a skill that some agent has{listed}", hint, certain=True)
    if unknown:
        return
    holds = verdict(requirement)
    if holds == "never":
        numbers = [leaf.than.value for leaf in leaves(requirement.condition)
                   if isinstance(leaf, Level) and isinstance(leaf.than, Number)]  # fmt: skip
        hint = f"levels are from 0 to {MAX_LEVEL}" if any(not 0 <= n <= MAX_LEVEL for n in numbers) else ""
        yield Finding(path, f'"{text}"', "a requirement that can hold", hint, certain=True)
    elif holds == "always" and path[2] != "relax":  # the last step may let in everybody
        yield Finding(path, f'"{text}"', "a requirement that does not always hold, or none", certain=True)


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
