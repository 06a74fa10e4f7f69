"""Where would a call go, and why: joins what the dial plan, the flows and the queues say of it. Used by `plateau
route`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from acd.condition import Attributes
from acd.requirement import parse
from acd.skills import SkillIndex
from config.numbers import normalise
from config.schema import Site
from ivr.explain import Serves, Step
from ivr.explain import explain_route as explain_destination
from pbx.routing.dial_plan import Caller, DialPlan


@dataclass(frozen=True, slots=True)
class Explained:
    """The steps as a tree, and whether the call got anywhere."""

    found: bool
    steps: list[Step]


def explain_route(site: Site, caller: str, number: str, at: dt.datetime) -> Explained:
    """`caller` is an extension, a trunk, or a number that calls in by the only trunk. Raises LookupError."""
    explained = DialPlan(site).explain(caller_of(site, caller), number)
    route = explained.route
    to, dial = (route.destination, route.dial) if route is not None else (None, None)
    return Explained(route is not None, explain_destination(site, explained.steps, to, dial, at, who_serves(site)))


def caller_of(site: Site, text: str) -> Caller:
    if text in site.extensions:
        return Caller("extension", text)
    if text in site.trunks:
        return Caller("trunk", text)
    if len(site.trunks) == 1 and normalise(text, site.locale.country).lstrip("+").isdigit():
        return Caller("trunk", next(iter(site.trunks)))
    raise LookupError(f"{text} is no extension and no trunk")


def who_serves(site: Site) -> Serves:
    """(queue, call attributes) -> names of the agents who fulfil what it needs."""
    names = list(site.agents)
    index = SkillIndex((slot, agent.skills) for slot, agent in enumerate(site.agents.values()))

    def serves(queue: str, attributes: Attributes) -> list[str]:
        spec = site.queues[queue]
        fit = parse(spec.needs).fits(index, attributes) if spec.needs else index.everyone
        listed = spec.agents
        return [name for slot, name in enumerate(names) if fit >> slot & 1 and (listed is None or name in listed)]

    return serves
