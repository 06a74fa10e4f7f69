"""What must be known of queues to check a site file that its schema cannot: the language of `needs`, and who serves."""

from __future__ import annotations

from collections.abc import Iterator

from acd.errors import RequirementError
from acd.requirement import parse
from acd.skills import SkillIndex
from config.references import Finding
from config.schema import Site


def queue_needs(site: Site) -> Iterator[Finding]:
    """Each requirement is readable, and for each queue there is an agent who could fulfil it."""
    agents = list(site.agents.items())
    index = SkillIndex((slot, agent.skills) for slot, (_, agent) in enumerate(agents))
    for name, queue in site.queues.items():
        path = ("queues", name, "needs")
        if queue.needs is None:
            continue
        try:
            possible = parse(queue.needs).bounds(index)[1]
        except RequirementError as error:
            yield Finding(path, f'"{queue.needs}"', f"a requirement ({error})")
            continue
        listed = [slot for slot, (agent, _) in enumerate(agents) if queue.agents is None or agent in queue.agents]
        if agents and not any(possible >> slot & 1 for slot in listed):
            yield Finding(path, f'"{queue.needs}"', "a requirement that at least one agent of the queue fulfils")
