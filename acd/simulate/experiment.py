"""The same day with other dice, several times: means, and how far chance alone may move them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from acd.condition import AllOf, AnyOf, Condition, Level, Not
from acd.requirement import Requirement, parse
from acd.simulate.demand import Caller, Demand
from acd.simulate.distributions import Streams
from acd.simulate.staff import Shift
from acd.simulate.tally import Day, Figures, Tally
from acd.simulate.world import Conduct, World
from acd.skills import SkillIndex
from config.schema import Site

Estimates = dict[str, "Estimate | None"]  # by name of the figure
CONFIDENCE = 0.99
A_MONDAY = dt.datetime(2026, 1, 12, tzinfo=dt.UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated, but for the dice. `warm_up_s`: at the beginning, what happens does not count."""

    site: Site  # with those agents who are to work
    demand: Demand
    shifts: Sequence[Shift]
    conduct: Conduct = field(default_factory=Conduct)
    midnight: float = A_MONDAY  # of the simulated day, in seconds since 1970
    warm_up_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over runs; the true one is within `mean` ± `margin` in 99 of 100 cases (infinite with one run)."""

    mean: float
    margin: float

    @property
    def low(self) -> float:
        return self.mean - self.margin

    @property
    def high(self) -> float:
        return self.mean + self.margin


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """By Student's t distribution. Needs a value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, math.inf)
    from scipy.special import stdtrit

    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2))
    return Estimate(mean, quantile * deviation / math.sqrt(len(values)))


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """All runs of a plan."""

    plan: Plan
    days: Sequence[Day]
    able: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by skill: the agents who have it

    def all(self) -> Estimates:
        return self.estimates(Day.all)

    def queue(self, name: str, hour: int | None = None) -> Estimates:
        return self.estimates(lambda day: day.of_queue(name, hour))

    def skill(self, name: str) -> Estimates:
        return self.estimates(lambda day: day.of_skill(name, self.able.get(name, frozenset())))

    def hour(self, hour: int) -> Estimates:
        return self.estimates(lambda day: day.of_hour(hour))

    def estimates(self, of: Callable[[Day], Figures]) -> Estimates:
        """Of each figure of `Figures`."""
        runs = [of(day) for day in self.days]
        return {name: over([getattr(one, name) for one in runs]) for name in Figures.__dataclass_fields__}

    @property
    def skills(self) -> list[str]:
        """That calls asked for."""
        return sorted({skill for day in self.days for skill in day.skills})


def over(values: Sequence[float | None]) -> Estimate | None:
    """Of those runs that have a value; None if none has."""
    there = [float(value) for value in values if value is not None]
    return estimate(there) if there else None


def run(plan: Plan, seeds: Sequence[int], progress: Callable[[float], None] | None = None) -> Results:
    """Each seed is one run. `progress` is told the share of the whole that is done. Raises QueueNeedsError."""
    days = []
    for number, seed in enumerate(seeds):
        told = None if progress is None else _part(progress, number, len(seeds))
        streams = Streams(seed)
        days.append(run_day(plan, plan.demand.callers(streams), streams, told))
        if progress is not None:
            progress((number + 1) / len(seeds))
    return Results(plan, days, _able(plan.site))


def run_day(
    plan: Plan, callers: Sequence[Caller], streams: Streams, progress: Callable[[float], None] | None = None
) -> Day:
    """One run with these callers."""
    start, end = plan.demand.window
    site = plan.site
    tally = Tally(plan.midnight, (start + plan.warm_up_s, end), list(site.queues), Skills(site))
    World(site, callers, plan.shifts, tally, plan.conduct, streams).run(progress)
    return tally.day({name: queue.service_level for name, queue in site.queues.items()}, serving(site))


def _part(progress: Callable[[float], None], number: int, of: int) -> Callable[[float], None]:
    return lambda share: progress((number + share) / of)


# --- who can do what ------------------------------------------------------------------------------------------------


class Skills:
    """The skills a call asks for: those its queue's requirement names, and those the call itself names in it."""

    __slots__ = ("_dynamic", "_needs")

    def __init__(self, site: Site) -> None:
        self._needs = {name: parse(queue.needs) if queue.needs else None for name, queue in site.queues.items()}
        self._dynamic = {name: tuple(_named_by_call(needs.condition)) if needs else ()
                         for name, needs in self._needs.items()}  # fmt: skip

    def __call__(self, queue: str, attributes: Mapping[str, str | int | float]) -> tuple[str, ...]:
        needs = self._needs.get(queue)
        if needs is None:
            return ()
        named = (str(attributes[name]) for name in self._dynamic[queue] if name in attributes)
        return tuple(dict.fromkeys((*needs.skills, *named)))


def _named_by_call(condition: Condition) -> list[str]:
    """Attributes of the call that name a skill: `skill(call.destination)`."""
    if isinstance(condition, AllOf | AnyOf):
        return [name for part in condition.parts for name in _named_by_call(part)]
    if isinstance(condition, Not):
        return _named_by_call(condition.part)
    if isinstance(condition, Level) and not isinstance(condition.skill.name, str):
        return [condition.skill.name.name]
    return []


def serving(site: Site) -> dict[str, frozenset[str]]:
    """By queue, the agents who could take some call of it."""
    agents = list(site.agents)
    index = SkillIndex((slot, site.agents[name].skills) for slot, name in enumerate(agents))
    found: dict[str, frozenset[str]] = {}
    for name, queue in site.queues.items():
        needs: Requirement | None = parse(queue.needs) if queue.needs else None
        able = index.everyone if needs is None else needs.bounds(index)[1]
        found[name] = frozenset(
            agent for slot, agent in enumerate(agents)
            if able >> slot & 1
            and (queue.agents is None or agent in queue.agents)
            and ((own := site.agents[agent].queues) is None or name in own)
        )  # fmt: skip
    return found


def _able(site: Site) -> dict[str, frozenset[str]]:
    able: dict[str, set[str]] = {}
    for name, agent in site.agents.items():
        for skill in agent.skills:
            able.setdefault(skill, set()).add(name)
    return {skill: frozenset(names) for skill, names in able.items()}


def seeds(first: int, count: int) -> list[int]:
    """Of `count` runs."""
    return [first + n for n in range(count)]
