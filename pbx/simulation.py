"""From the words of `plateau simulate` to a plan: who calls, who works, on which day. Reads the files it is told of."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from acd.requirement import parse
from acd.simulate import tables
from acd.simulate.demand import Demand, Habits, Span, Values
from acd.simulate.distributions import NEVER, Distribution, Exponential, Observed
from acd.simulate.distributions import parse as distribution
from acd.simulate.experiment import Plan
from acd.simulate.find_staff import Option, Task
from acd.simulate.recorded import RecordedDay
from acd.simulate.staff import AgentType, Shift, all_skills, always, site_with, team, types_of
from acd.simulate.words import WordError, clock_s, duration_s, number, share
from acd.simulate.world import Conduct, callbacks_offered
from config.errors import Problem, SiteError
from config.schema import Enqueue, Site
from config.suggestion import did_you_mean

A_MONDAY = dt.date(2026, 1, 12)  # when no day is told: one like any other
CALLBACKS = 0.3  # share of those offered one who take it, when it is not told
MAX_CALLS = 5_000_000
MAX_AGENTS = 20_000
MAX_HIRED = 1000  # of a type whose number is not told
MAX_OPTIONS = 40
MAX_FILE_BYTES = 200_000_000
_T = TypeVar("_T")
_AGENTS = re.compile(
    r"(?:(?P<name>[\w-]+)\s*=\s*)?(?P<count>\d{1,5})(?:\s+like\s+(?P<like>\S+)|\s*:\s*(?P<skills>.+))?"
)
AN_AGENTS = "agents as 12, 12 like NAME, 12: asia 7, french 9 or NAME=12: asia 7"


class OptionError(Exception):
    """An option that can't be used, in one line."""


@dataclass(frozen=True, slots=True)
class Words:
    """The options as they were written."""

    arrivals: Path | None = None
    rate: Sequence[str] = ()
    day: str | None = None
    replay: str | None = None
    start: str = "09:00"
    until: str = "17:00"
    date: str | None = None
    agents: Sequence[str] = ()
    shifts: Path | None = None
    talk: Sequence[str] = ()
    patience: Sequence[str] = ()
    wrap_up: str | None = None
    pick_up: str = "0"
    missed: str = "0"
    attributes: Sequence[str] = ()
    warm_up: str = "0"
    callbacks: str | None = None
    reached: str = "80 %"
    customer_rings: str = "10s"
    calls_again: str = "0"


def said(option: str, read: Callable[[str], _T], text: str) -> _T:
    """What the option says. Raises OptionError."""
    try:
        return read(text)
    except WordError as error:
        raise OptionError(f"{option}: {error}") from None


def plan_of(site: Site, words: Words, recorded: RecordedDay | None = None) -> Plan:
    """`recorded`: the day of `--replay`. Raises OptionError, or SiteError with every mistake in a file."""
    demand, midnight = calls_of(site, words, recorded)
    if recorded is not None and not words.agents and words.shifts is None:
        staffed, shifts = recorded_staff(site, recorded)
    else:
        staffed, shifts = staff_of(site, words)
    warm_up_s = said("--warm-up", duration_s, words.warm_up)
    return Plan(staffed, demand, shifts, conduct_of(site, words), midnight, warm_up_s)


def calls_of(site: Site, words: Words, recorded: RecordedDay | None = None) -> tuple[Demand, float]:
    """And the midnight of the day."""
    if not site.queues:
        raise OptionError("this site has no queues: there is nothing to simulate")
    if recorded is not None:
        demand, day = recorded_calls(site, words, recorded), day_of(words)
    else:
        demand, told = demand_of(site, words)
        day = told or A_MONDAY
    if demand.mean_calls > MAX_CALLS:
        raise OptionError(f"expected at most {MAX_CALLS:,} calls, found {demand.mean_calls:,.0f}")
    return demand, midnight_of(site, day if words.date is None else _date("--date", words.date))


def day_of(words: Words) -> dt.date:
    """Of `--replay`."""
    if words.day is None:
        raise OptionError("--replay: expected --day DATE beside it, as --day 2026-11-21, found none")
    return _date("--day", words.day)


def recorded_calls(site: Site, words: Words, recorded: RecordedDay) -> Demand:
    if words.arrivals is not None or words.rate:
        raise OptionError("expected either --replay or --arrivals, --rate")
    demand = recorded.demand()
    if not demand.arrivals:
        raise OptionError(f"--replay: expected calls in queues on {words.day}, found none in {words.replay}")
    gone = sorted({one.queue for one in demand.arrivals} - site.queues.keys())
    if gone:
        raise OptionError(
            f"--replay: expected queues of the site, found calls of queue {gone[0]}, which it has no more: "
            f"keep it and send its calls on (closed, overflow)"
        )
    drawn = habits_of(site, words)
    habits = {
        name: Habits(
            drawn[name].talk if words.talk else demand.habits_of(name).talk,
            drawn[name].patience if words.patience else demand.habits_of(name).patience,
        )
        for name in site.queues
    }
    known = demand.arrivals
    if words.talk:
        known = [replace(one, talk_s=None) for one in known]
    if words.patience:
        known = [replace(one, patience_s=None, waited_s=0.0) for one in known]
    return Demand(arrivals=known, habits=habits)


def recorded_staff(site: Site, recorded: RecordedDay) -> tuple[Site, list[Shift]]:
    """Who was on duty, if the site still has him."""
    shifts = [shift for shift in recorded.shifts if shift.agent in site.agents]
    if not shifts:
        raise OptionError("--replay: nobody of the site's agents was on duty that day: tell who works by --agents")
    there = dict.fromkeys(shift.agent for shift in shifts)
    return site_with(site, {name: site.agents[name] for name in there}), shifts


def midnight_of(site: Site, day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), ZoneInfo(site.locale.timezone)).timestamp()


def _date(option: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise OptionError(f"{option}: expected a date as 2026-11-21, found {text}") from None


def conduct_of(site: Site, words: Words) -> Conduct:
    callback = CALLBACKS if words.callbacks is None else said("--callbacks", share, words.callbacks)
    again = said("--calls-again", share, words.calls_again)
    if words.callbacks is not None and callback and not callbacks_offered(site):
        raise OptionError("--callbacks: no queue of the site tells callers of callbacks (callback: {offer: ...})")
    if again and not any(queue.resume_s for queue in site.queues.values()):
        raise OptionError("--calls-again: no queue of the site keeps places of those who hang up (resume_s)")
    return Conduct(
        said("--pick-up", duration_s, words.pick_up),
        said("--missed", share, words.missed),
        wrap_up_s=None if words.wrap_up is None else said("--wrap-up", duration_s, words.wrap_up),
        callback=callback,
        reached=said("--reached", share, words.reached),
        reached_s=said("--customer-rings", duration_s, words.customer_rings),
        again=again,
    )


# --- who calls ------------------------------------------------------------------------------------------------------


def demand_of(site: Site, words: Words) -> tuple[Demand, dt.date | None]:
    """And the day, if the calls are of one."""
    told = [name for name, there in (("--arrivals", words.arrivals), ("--rate", words.rate), ("--day", words.day))
            if there]  # fmt: skip
    if len(told) != 1:
        raise OptionError(
            f"expected one of --arrivals FILE, --rate CALLS, --day FILE, --replay DATABASE --day DATE, found "
            f"{' and '.join(told) or 'none'}"
        )
    habits = habits_of(site, words)
    if words.arrivals is not None:
        known, day = tables.arrivals(text_of(words.arrivals), str(words.arrivals), site.queues)
        return Demand(arrivals=known, habits=habits), day
    if words.day is not None:
        return Demand(tables.day_profile(text_of(Path(words.day)), words.day, site.queues), habits=habits), None
    return Demand(_rates(site, words), habits=habits), None


def _rates(site: Site, words: Words) -> dict[str, list[Span]]:
    start, end = said("--from", clock_s, words.start), said("--to", clock_s, words.until)
    if end <= start:
        raise OptionError(f"--to: expected a time after {words.start}, found {words.until}")
    rates: dict[str, float] = {}
    for text in words.rate:
        queue, equals, calls = text.rpartition("=")
        per_hour = said("--rate", lambda word: number(word, "calls an hour, as 120 or asia=30"), calls)
        if per_hour < 0:
            raise OptionError(f"--rate: expected calls an hour, found {text}")
        if equals:
            rates[_queue(site, "--rate", queue)] = per_hour
        else:
            rates |= dict.fromkeys(site.queues, per_hour / len(site.queues))
    return {queue: [Span(start, end, calls / 3600)] for queue, calls in rates.items() if calls > 0}


def _queue(site: Site, option: str, name: str) -> str:
    if name in site.queues:
        return name
    hint = did_you_mean(name, site.queues)
    there = hint or f"there are: {', '.join(site.queues)}"
    raise OptionError(f"{option}: expected a queue of the site, found {name or 'nothing'} - {there}")


def habits_of(site: Site, words: Words) -> dict[str, Habits]:
    """How the callers of each queue are: as told; attributes as the site's flows set them."""
    values = {name: _attributes(site, name) for name in site.queues}
    chosen = _chosen(words.attributes)
    habits = {
        name: Habits(Exponential(180.0), NEVER, tuple({**one, **more} for one in values[name] for more in chosen))
        for name in site.queues
    }
    for name, talk in _by_queue(site, "--talk", words.talk):
        if math.isinf(talk.mean_s):
            raise OptionError("--talk: expected conversations that end, found never")
        habits[name] = replace(habits[name], talk=talk)
    for name, patience in _by_queue(site, "--patience", words.patience):
        habits[name] = replace(habits[name], patience=patience)
    return habits


def _by_queue(site: Site, option: str, texts: Sequence[str]) -> Iterator[tuple[str, Distribution]]:
    """`DISTRIBUTION` is for all queues, `QUEUE=DISTRIBUTION` for one; what comes later counts."""
    for text in texts:
        head, equals, tail = text.partition("=")
        found = _times(option, tail if equals else text)
        for name in [_queue(site, option, head.strip())] if equals else site.queues:
            yield name, found


def _times(option: str, text: str) -> Distribution:
    """A distribution, or `csv FILE`."""
    kind, _, rest = text.strip().partition(" ")
    if kind == "csv":
        file = Path(rest.strip())
        return Observed(tuple(tables.times(text_of(file), str(file))))
    return said(option, distribution, text)


def _attributes(site: Site, queue: str) -> list[Values]:
    """What the site's flows set on calls that they send to this queue."""
    found = [
        dict(state.set)
        for flow in site.ivr.values()
        for state in flow.values()
        if isinstance(state, Enqueue) and state.enqueue == queue
    ]
    return [values for number, values in enumerate(found) if values not in found[:number]] or [{}]


def _chosen(texts: Sequence[str]) -> list[Values]:
    """Every combination of what `--attribute NAME=VALUE` says; a name that comes again has several values."""
    values: dict[str, list[str | int | float]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[^\W\d]\w*", name):
            raise OptionError(f"--attribute: expected NAME=VALUE as destination=asia, found {text}")
        values.setdefault(name, []).append(tables.plain(value))
    combined: list[Values] = [{}]
    for name, several in values.items():
        combined = [{**one, name: value} for one in combined for value in several]
        if len(combined) > 10_000:
            raise OptionError("--attribute: expected at most 10,000 combinations of values, found more")
    return combined


# --- who could work ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hiring:
    """What `--find-staff` may take on, as it was written."""

    costs: Sequence[str] = ()
    shifts: Sequence[str] = ()
    every_hour: bool = False


def task_of(site: Site, words: Words, hiring: Hiring, recorded: RecordedDay | None = None) -> Task:
    """Types of agents: those of `--agents` (at most so many of each), else those of the site. Raises OptionError."""
    demand, midnight = calls_of(site, words, recorded)
    if words.agents:
        wanted = [agents_of(site, text, number) for number, text in enumerate(words.agents, 1)]
    else:
        wanted = [(kind, MAX_HIRED) for kind in types_of(site)]
    if not wanted:
        raise OptionError("this site has no agents: tell which there could be, as --agents 'NAME=50: asia 7'")
    costs = _costs([kind.name for kind, _ in wanted], hiring.costs)
    start, end = demand.window
    spans = [said("--shift", _span, text) for text in hiring.shifts]
    options = [
        Option(replace(kind, name=f"{kind.name} {text}".strip()), a, b, costs[kind.name] * hours, most)
        for kind, most in wanted
        for text, (a, b), hours in (
            [(text, span, (span[1] - span[0]) / 3600) for text, span in zip(hiring.shifts, spans, strict=True)]
            or [("", (-math.inf, math.inf), max(1.0, (end - start) / 3600))]
        )
    ]  # fmt: skip
    if len(options) > MAX_OPTIONS:
        raise OptionError(
            f"expected at most {MAX_OPTIONS} types of agents (times shifts), found {len(options)}: tell by --agents"
        )
    return Task(site, demand, options, conduct_of(site, words), midnight, hiring.every_hour)


def _costs(names: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Of an hour of each type; 1 if it is not told."""
    costs = dict.fromkeys(names, 1.0)
    for text in texts:
        name, equals, cost = text.partition("=")
        if not equals or name not in costs:
            hint = did_you_mean(name, costs) or f"there are: {', '.join(costs)}"
            raise OptionError(f"--cost: expected TYPE=COST of an hour, as {names[0]}=25, found {text} - {hint}")
        costs[name] = said("--cost", lambda word: number(word, "a cost"), cost)
        if costs[name] <= 0:
            raise OptionError(f"--cost: expected a cost above 0, found {text}")
    return costs


def _span(text: str) -> tuple[float, float]:
    start, dash, end = text.partition("-")
    if not dash:
        raise WordError("a shift as 08:00-16:00", text)
    span = clock_s(start), clock_s(end)
    if span[1] <= span[0]:
        raise WordError("a shift that ends after it begins", text)
    return span


# --- who works ------------------------------------------------------------------------------------------------------


def staff_of(site: Site, words: Words) -> tuple[Site, list[Shift]]:
    """The site with those who work, and when."""
    if words.agents and words.shifts is not None:
        raise OptionError("expected either --agents or --shifts (which has a column count for agents like another)")
    if words.shifts is not None:
        duties = tables.shifts(text_of(words.shifts), str(words.shifts), site.agents)
        return _by_shifts(site, duties)
    if words.agents:
        wanted = [agents_of(site, text, number) for number, text in enumerate(words.agents, 1)]
        names = [kind.name for kind, _ in wanted]
        if again := {name for name in names if names.count(name) > 1}:
            raise OptionError(f"--agents: expected each name once, found {again.pop()} twice")
        total = sum(count for _, count in wanted)
        if total > MAX_AGENTS:
            raise OptionError(f"--agents: expected at most {MAX_AGENTS:,} agents, found {total:,}")
        staffed = team(site, wanted)
    elif site.agents:
        staffed = site_with(site, site.agents)
    else:
        raise OptionError("this site has no agents: tell how many work, as --agents 12")
    return staffed, always(staffed.agents)


def agents_of(site: Site, text: str, number: int) -> tuple[AgentType, int]:
    """One `--agents`: a type and how many. Raises OptionError."""
    found = _AGENTS.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"--agents: expected {AN_AGENTS}, found {text}")
    like, skills = found["like"], found["skills"]
    if like is not None and like not in site.agents:
        hint = did_you_mean(like, site.agents)
        raise OptionError(f"--agents: expected an agent of the site, found {like}" + (f" - {hint}" if hint else ""))
    name = found["name"] or like or (f"agent{number}" if number > 1 else "agent")
    own = _skills(site, skills) if skills else _everything(site) if like is None else {}
    return AgentType(name, own, like), int(found["count"])


def _everything(site: Site) -> Mapping[str, int]:
    """Who does everything: each skill that an agent has or a queue asks for."""
    asked = {skill: 10 for queue in site.queues.values() if queue.needs for skill in parse(queue.needs).skills}
    return asked | all_skills(site)


def _skills(site: Site, text: str) -> dict[str, int]:
    known = _everything(site)
    skills: dict[str, int] = {}
    for part in text.split(","):
        found = re.fullmatch(r"(.*\S)\s+(10|[1-9])", part.strip())
        if found is None:
            raise OptionError(f"--agents: expected a skill and its level, 1 to 10, as asia 7, found {part.strip()}")
        if found[1] not in known:
            hint = did_you_mean(found[1], known)
            raise OptionError(
                f"--agents: expected a skill of the site, found {found[1]}" + (f" - {hint}" if hint else "")
            )
        skills[found[1]] = int(found[2])
    return skills


def _by_shifts(site: Site, duties: Sequence[tables.Duty]) -> tuple[Site, list[Shift]]:
    """Agents themselves, and so many more like them: NAME-1 ... over all their shifts."""
    wanted: dict[str, int] = {}
    shifts: list[Shift] = []
    for duty in duties:
        if duty.count is None:
            shifts.append(Shift(duty.agent, duty.start, duty.end))
            continue
        first = wanted.get(duty.agent, 0)
        wanted[duty.agent] = first + duty.count
        shifts += [Shift(f"{duty.agent}-{first + n}", duty.start, duty.end) for n in range(1, duty.count + 1)]
    if sum(wanted.values()) > MAX_AGENTS:
        raise OptionError(f"--shifts: expected at most {MAX_AGENTS:,} agents, found {sum(wanted.values()):,}")
    copies = team(site, [(AgentType(name, like=name), count) for name, count in wanted.items()])
    themselves = dict.fromkeys(duty.agent for duty in duties if duty.count is None)
    whole = site_with(site, {name: site.agents[name] for name in themselves} | dict(copies.agents))
    queues = {
        name: queue.model_copy(update={"agents": (*(queue.agents or ()), *(copies.queues[name].agents or ()))})
        if queue.agents is not None
        else queue
        for name, queue in whole.queues.items()
    }
    return whole.model_copy(update={"queues": queues}), shifts


def text_of(file: Path) -> str:
    """Raises SiteError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SiteError([Problem(str(file), 0, 0, "", error.strerror or "none", "a readable file")]) from None
    if len(data) > MAX_FILE_BYTES:
        raise SiteError([Problem(str(file), 0, 0, "", "more", f"at most {MAX_FILE_BYTES:,} bytes")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02X}"
        raise SiteError([Problem(str(file), line, 1, "", found, "text in UTF-8")]) from None
