"""Who works in a simulated day: types of agents, their shifts, and the site with just these agents in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config import schema


@dataclass(frozen=True, slots=True)
class Shift:
    """Seconds from midnight; both ends may be infinite: always there."""

    agent: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class AgentType:
    """Agents who are alike."""

    name: str
    skills: Mapping[str, int] = field(default_factory=dict)
    like: str | None = None  # an agent of the site: his skills, queues, weight and wrap-up


def site_with(site: schema.Site, agents: Mapping[str, schema.Agent]) -> schema.Site:
    """The site with these agents, each at a phone that is always there and nobody else's. What a person does by hand
    that a simulated one does not (dispositions) is not asked for; queues name only who is there."""
    phones = {name: _at_a_phone(name, agent) for name, agent in agents.items()}
    queues = {name: queue.model_copy(update={"disposition_needed": False}) for name, queue in site.queues.items()}
    return site.model_copy(update={"agents": phones, "queues": queues})


def team(site: schema.Site, wanted: Sequence[tuple[AgentType, int]]) -> schema.Site:
    """The site with so many agents of each type, named TYPE-1, TYPE-2 ... A queue that lists an agent takes all who are
    of a type like him; of a type that is like nobody, all."""
    agents: dict[str, schema.Agent] = {}
    members: dict[str, list[str]] = {}  # by agent of the site ("" for nobody): those like him
    for kind, count in wanted:
        names = [f"{kind.name}-{n}" for n in range(1, count + 1)]
        agents |= dict.fromkeys(names, model_of(site, kind))
        members.setdefault(kind.like or "", []).extend(names)
    found = site_with(site, agents)
    queues = {
        name: queue
        if queue.agents is None
        else queue.model_copy(update={"agents": _members(queue.agents, members)})
        for name, queue in found.queues.items()
    }
    return found.model_copy(update={"queues": queues})


def _members(listed: Iterable[str], members: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(name for one in ("", *listed) for name in members.get(one, ()))


def model_of(site: schema.Site, kind: AgentType) -> schema.Agent:
    """An agent of the type, as the site file would have him."""
    if kind.like is not None:
        return site.agents[kind.like]
    return schema.Agent(contact="sip:agent@simulation.invalid", skills=dict(kind.skills))


def _at_a_phone(name: str, agent: schema.Agent) -> schema.Agent:
    phone = {"extension": None, "contact": f"sip:{name}@simulation.invalid", "code": None, "pin": None}
    return agent.model_copy(update={**phone, "nailed_up": False, "login": "by agent"})


def always(agents: Iterable[str]) -> list[Shift]:
    """Logged in from before the first call until after the last."""
    return [Shift(name, float("-inf"), float("inf")) for name in agents]


def all_skills(site: schema.Site) -> dict[str, int]:
    """Every skill that an agent of the site has, at the best level: who has these can do everything."""
    return {skill: 10 for agent in site.agents.values() for skill in agent.skills}


def types_of(site: schema.Site) -> list[AgentType]:
    """The site's agents by what they can do: those with the same skills, queues and weight are of one type, named
    after the first of them."""
    alike: dict[tuple[object, ...], str] = {}
    listed = {name: frozenset(q for q, queue in site.queues.items() if queue.agents and name in queue.agents)
              for name in site.agents}  # fmt: skip
    for name, agent in site.agents.items():
        queues = None if agent.queues is None else tuple(sorted(agent.queues.items()))
        key = (tuple(sorted(agent.skills.items())), queues, agent.weight, agent.wrap_up_s, listed[name])
        alike.setdefault(key, name)
    return [AgentType(name, like=name) for name in alike.values()]
