"""The cheapest staff with which every queue reaches its service level.

Staff is a number for each option: agents of one type in one shift. All staffs are compared under the same calls (common
random numbers), so that the better one is found with few days. From two estimates by Erlang's formulas on, one of
specialists and one of agents who can do most:

    grow        until it is enough: what lessens the shortfall most for its cost
    shrink      all by one share, then each option by itself, dearest first, in halving steps down to single agents
    exchange    one agent, or two, for a cheaper one, or an equally cheap one who helps more, as long as that is enough
    check       with as many days again, of other dice; where all days together are not enough, it goes on with all

The first two on a part of the days. Which exchanges are tried is said by marginal analysis: what one agent more or less
of each option changed in the service level of each queue, added up. More agents are taken never to be worse: a staff
within one that was not enough isn't tried. These are rules of thumb, and so is the whole search: what it finds is
enough, and no exchange that promised anything makes it cheaper, unless `WORK` was spent before (`Found.whole`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from acd.erlang import agents_needed, wait_a
from acd.simulate.demand import Caller, Demand
from acd.simulate.distributions import Streams
from acd.simulate.experiment import Plan, Results, run, run_day, serving
from acd.simulate.staff import AgentType, Shift, team
from acd.simulate.tally import HOUR_S, Day, Floats
from acd.simulate.world import Conduct
from config.schema import Site

Staff = tuple[int, ...]
ENOUGH_CALLS = 600.0  # of a queue, that a comparison be worth something
MOST_DAYS = 50
ROUNDS = 3  # of checks
WORK = 600_000  # calls simulated, half a minute, before it is content with what it has
FAR = 0.1  # so far below its target after some days, a queue will not reach it by the others
FEW = 4  # times fewer days are compared at first, before exchanges
BEST = 3  # options tried to grow by, where it is known what they promise
EXCHANGES = 40  # tried around one staff, those that promise most


class NobodyServes(Exception):
    """No option can take calls of a queue, however many there are."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"nobody of these types can take calls of queue {queue}")
        self.queue = queue


class NotEnough(Exception):
    """All there may be of everybody are not enough."""


@dataclass(frozen=True, slots=True)
class Option:
    """Agents who may be taken on: of one type, in one shift, at a cost each, at most so many."""

    kind: AgentType
    start: float  # seconds from midnight; infinite: always there
    end: float
    cost: float
    most: int = 1000

    @property
    def name(self) -> str:
        return self.kind.name


@dataclass(frozen=True, slots=True)
class Task:
    """What the staff is for."""

    site: Site
    demand: Demand
    options: Sequence[Option]
    conduct: Conduct
    midnight: float
    every_hour: bool = False  # the service level is reached in each hour, not only over the day

    def plan(self, staff: Staff) -> Plan:
        """With just this staff."""
        site = team(self.site, [(one.kind, count) for one, count in zip(self.options, staff, strict=True)])
        shifts = [
            Shift(f"{one.name}-{n}", one.start, one.end)
            for one, count in zip(self.options, staff, strict=True) for n in range(1, count + 1)
        ]  # fmt: skip
        return Plan(site, self.demand, shifts, self.conduct, self.midnight)

    def cost(self, staff: Staff) -> float:
        return math.fsum(one.cost * count for one, count in zip(self.options, staff, strict=True))


@dataclass(frozen=True, slots=True)
class Found:
    staff: Staff
    cost: float
    tried: int
    whole: bool  # the search came to its end, not to that of the work it may do
    days: int  # compared in the end: with the first seed and those after it
    results: Results  # of days that had no say in it


def find(task: Task, seeds: Sequence[int], told: Callable[[int, float], None] | None = None) -> Found:
    """`seeds`, one after the other: of the days compared; those of the checks follow. `told`: staffs tried, cheapest
    cost so far. Raises NobodyServes, NotEnough."""
    search = Search(task, seeds[: math.ceil(len(seeds) / FEW)], told)
    starts = dict.fromkeys((first_guess(task), first_guess(task, generalists=True)))
    staff = min((search.shrunk(search.grown(start)) for start in starts), key=task.cost)
    search.add(seeds[search.days :])
    staff = search.exchanged(search.shrunk_by_one(search.grown(staff)))
    fresh = max(seeds) + 1
    for _ in range(ROUNDS):
        search.add(range(fresh, fresh + search.days))
        fresh += search.days
        search.left = max(search.left, WORK // 4)
        if search.short(staff) <= 0:
            break
        staff = search.exchanged(search.shrunk_by_one(search.grown(staff)))
    results = run(task.plan(staff), range(fresh, fresh + search.days))
    return Found(staff, task.cost(staff), search.tried, search.left > 0, search.days, results)


def days_needed(demand: Demand) -> int:
    """So many days have some hundreds of calls of each queue, as far as 50 days do."""
    calls: dict[str, float] = {}
    for queue, spans in demand.spans.items():
        calls[queue] = sum((span.end - span.start) * span.per_s for span in spans)
    for arrival in demand.arrivals:
        calls[arrival.queue] = calls.get(arrival.queue, 0.0) + 1
    fewest = min((count for count in calls.values() if count), default=ENOUGH_CALLS)
    return min(MOST_DAYS, math.ceil(ENOUGH_CALLS / fewest))


def margins(task: Task, days: Sequence[Day]) -> Margins:
    """How many calls were answered in time beyond what the service level wants (below 0: missing), of each queue, and
    hour if each is to reach it; over all days. With them, of how many calls. Likewise of callbacks: were they left out,
    the cheapest staff would let everybody wait for one."""
    hours: list[int | None] = list(range(len(days[0].hours))) if task.every_hour else [None]
    found, counts = [], []
    for name, queue in task.site.queues.items():
        for hour in hours:
            figures = [day.of_queue(name, hour) for day in days]
            calls = sum(one.in_time for one in figures), sum(one.counted for one in figures)
            callbacks = sum(one.callbacks_soon for one in figures), sum(one.callbacks_asked for one in figures)
            for in_time, counted in (calls, callbacks):
                found.append(in_time - queue.service_level.target * counted)
                counts.append(counted)
    return Margins(np.array(found), np.array(counts))


def missing(task: Task, days: Sequence[Day]) -> float:
    """How many calls were not answered in time that should have been, over all queues (and hours) and days."""
    return margins(task, days).short


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Calls answered in time beyond those wanted, and calls, of each queue (and hour); of callbacks likewise."""

    calls: Floats
    of: Floats

    @property
    def short(self) -> float:
        return float(-np.minimum(self.calls, 0.0).sum())

    @property
    def slack(self) -> float:
        """How far above its target the service level of the worst is."""
        return float(np.min(self.calls[self.of > 0] / self.of[self.of > 0], initial=1.0))

    def hopeless(self) -> bool:
        """What has some calls is so far below its target that the other days won't bring it there."""
        enough = self.of >= ENOUGH_CALLS / 4
        return bool(np.any(self.calls[enough] < -FAR * self.of[enough]))


class Search:
    """Tries staffs, and remembers."""

    def __init__(self, task: Task, seeds: Sequence[int], told: Callable[[int, float], None] | None) -> None:
        self.task = task
        self.tried = 0
        self.left = WORK  # calls that may still be simulated to make the staff cheaper
        self._told = told
        self._days: list[tuple[Streams, list[Caller]]] = []
        self._known: dict[Staff, Margins] = {}
        self._failed: list[Staff] = []
        self._cheapest = math.inf
        self._effects: dict[int, Floats] = {}  # by option: what one agent more changes, by what was seen last
        self.add(seeds)

    def add(self, seeds: Sequence[int]) -> None:
        """More days to compare on; what was enough may be no longer."""
        self._days += [(Streams(seed), self.task.demand.callers(Streams(seed))) for seed in seeds]
        self._known.clear()
        self._failed.clear()
        self._effects.clear()
        self._cheapest = math.inf

    @property
    def days(self) -> int:
        return len(self._days)

    def margins(self, staff: Staff) -> Margins:
        """Over all days; of a staff that is far from enough, by those it was tried on."""
        known = self._known.get(staff)
        if known is not None:
            return known
        plan, days = self.task.plan(staff), []
        for _, callers in self._days:
            days.append(run_day(plan, callers, Streams(1)))
            self.left -= len(callers)
            found = margins(self.task, days)
            if found.hopeless():
                break
        share = len(self._days) / len(days)
        found = self._known[staff] = Margins(found.calls * share, found.of * share)
        self.tried += 1
        if found.short > 0:
            self._failed.append(staff)
        else:
            self._cheapest = min(self._cheapest, self.task.cost(staff))
        if self._told is not None:
            self._told(self.tried, self._cheapest)
        return found

    def short(self, staff: Staff) -> float:
        """Calls not answered in time that should have been; 0: it is enough."""
        return self.margins(staff).short

    def enough(self, staff: Staff) -> bool:
        if staff not in self._known and (self.left <= 0 or any(_within(staff, failed) for failed in self._failed)):
            return False
        return self.short(staff) <= 0

    # --- the steps --------------------------------------------------------------------------------------------------

    def grown(self, staff: Staff) -> Staff:
        """Enough. Raises NotEnough."""
        options = self.task.options
        while (short := self.short(staff)) > 0:
            step = max(1, sum(staff) // 20)
            best: tuple[float, Staff] | None = None
            for n in self._helpful(staff):
                more = min(step, options[n].most - staff[n])
                tried = _with(staff, n, more)
                gain = (short - self.short(tried)) / max(options[n].cost * more, 1e-9)
                if best is None or gain > best[0]:
                    best = (gain, tried)
            if best is None:
                raise NotEnough("all agents there may be are not enough for the service levels")
            staff = best[1] if best[0] > 0 else _more_of_all(staff, options, step)
        return staff

    def _helpful(self, staff: Staff) -> list[int]:
        """Options of which there may be more: those that promise most for their cost, if their effects are known."""
        options = [n for n, option in enumerate(self.task.options) if staff[n] < option.most]
        if not all(n in self._effects for n in options):
            return options
        now = self.margins(staff).calls
        left = {n: _short(now + self._effects[n]) - _short(now) for n in options}  # below 0
        return sorted(options, key=lambda n: left[n] / max(self.task.options[n].cost, 1e-9))[:BEST]

    def shrunk(self, staff: Staff) -> Staff:
        low, high = 0.0, 1.0  # shares of the staff: not enough, enough
        for _ in range(6):
            share = (low + high) / 2
            if self.enough(_scaled(staff, share)):
                high = share
            else:
                low = share
        staff = _scaled(staff, high)
        order = sorted(range(len(staff)), key=lambda n: -self.task.options[n].cost)
        step = max(1, 1 << (max(staff, default=1).bit_length() - 2))
        while step:
            for n in order:
                while staff[n] >= step and self.enough(less := _with(staff, n, -step)):
                    staff = less
            step //= 2
        return staff

    def shrunk_by_one(self, staff: Staff) -> Staff:
        for n in sorted(range(len(staff)), key=lambda n: -self.task.options[n].cost):
            while staff[n] and self.enough(less := _with(staff, n, -1)):
                staff = less
        return staff

    def exchanged(self, staff: Staff) -> Staff:
        """Until no exchange that promises anything is enough and cheaper, or as cheap and better."""
        while self.left > 0:
            now = self.task.cost(staff)
            for tried in self._exchanges(staff):
                cheaper = self.task.cost(tried) < now - 1e-9
                if self.enough(tried) and (cheaper or self.margins(tried).slack > self.margins(staff).slack + 1e-9):
                    staff = self.shrunk_by_one(tried)
                    break
            else:
                break
        return staff

    def _exchanges(self, staff: Staff) -> list[Staff]:
        """One or two agents less, one other more, for no more cost: those that are short by least, by what one agent
        changes (marginal analysis), and of equals the cheapest."""
        self._measure(staff)
        now, cost_now, options = self.margins(staff), self.task.cost(staff), self.task.options
        found: dict[Staff, tuple[float, float]] = {}
        numbers = range(len(staff))
        for goes in numbers:
            for goes_too in (-1, *range(goes, len(staff))):
                left = _with(staff, goes, -1)
                left = left if goes_too < 0 else _with(left, goes_too, -1)
                if min(left) < 0:
                    continue
                lost = self._effects[goes] + (self._effects[goes_too] if goes_too >= 0 else 0.0)
                for comes in numbers:
                    tried = _with(left, comes, 1)
                    cost = self.task.cost(tried)
                    may = comes not in (goes, goes_too) and tried[comes] <= options[comes].most
                    if may and cost <= cost_now + 1e-9:
                        found[tried] = (_short(now.calls - lost + self._effects[comes]), cost)
        return sorted(found, key=lambda one: found[one])[:EXCHANGES]

    def _measure(self, staff: Staff) -> None:
        """What one agent of each option changes here: by how much it is worse without him, better with him."""
        now = self.margins(staff).calls
        for n in range(len(staff)):
            near = _with(staff, n, -1 if staff[n] else 1)
            if near in self._known or n not in self._effects:
                self._effects[n] = np.maximum((self.margins(near).calls - now) * (-1 if staff[n] else 1), 0.0)


def _short(calls: Floats) -> float:
    return float(-np.minimum(calls, 0.0).sum())


# --- a first guess --------------------------------------------------------------------------------------------------


def first_guess(task: Task, *, generalists: bool = False) -> Staff:
    """For each queue and hour as many as Erlang asks for, covered by who covers most for his cost (`generalists`: times
    the number of queues he serves). Nobody is counted twice in an hour, so with agents who serve several queues it is
    too many rather than too few. Raises NobodyServes."""
    plan = task.plan(tuple(1 for _ in task.options))
    serves = serving(plan.site)
    needs = {key: need for key, need in _needs(task).items() if need}
    able = {queue: [n for n, one in enumerate(task.options) if f"{one.name}-1" in serves[queue]] for queue, _ in needs}
    for queue, options in able.items():
        if not options:
            raise NobodyServes(queue)
    staff = [0] * len(task.options)
    while needs:
        best, covers = 0, 0.0
        for n, option in enumerate(task.options):
            hours = _covered(needs, able, n, option)
            breadth = sum(n in one for one in able.values()) if generalists else 1
            worth = breadth * len(hours) / max(option.cost, 1e-9)
            if hours and worth > covers and staff[n] < option.most:
                best, covers = n, worth
        if not covers:
            break
        for key in _covered(needs, able, best, task.options[best]).values():
            needs[key] -= 1
            if not needs[key]:
                del needs[key]
        staff[best] += 1
    return tuple(staff)


_Key = tuple[str, int]  # queue, hour from midnight


def _covered(needs: dict[_Key, int], able: dict[str, list[int]], n: int, option: Option) -> dict[int, _Key]:
    """By hour, the queue that needs the option's agent most."""
    found: dict[int, _Key] = {}
    for key, need in needs.items():
        queue, hour = key
        there = option.start <= hour * HOUR_S and (hour + 1) * HOUR_S <= option.end
        if there and n in able[queue] and (hour not in found or need > needs[found[hour]]):
            found[hour] = key
    return found


def _needs(task: Task) -> dict[_Key, int]:
    """By queue and hour, agents by Erlang's formulas."""
    calls: dict[_Key, float] = {}
    for queue, spans in task.demand.spans.items():
        for span in spans:
            for hour in range(int(span.start // HOUR_S), math.ceil(span.end / HOUR_S)):
                overlap = min(span.end, (hour + 1) * HOUR_S) - max(span.start, hour * HOUR_S)
                calls[queue, hour] = calls.get((queue, hour), 0.0) + overlap * span.per_s
    for arrival in task.demand.arrivals:
        key = (arrival.queue, int(arrival.at // HOUR_S))
        calls[key] = calls.get(key, 0.0) + 1
    return {(queue, hour): _erlang(task, queue, count) for (queue, hour), count in calls.items()}


def _erlang(task: Task, name: str, calls: float) -> int:
    queue, habits = task.site.queues[name], task.demand.habits_of(name)
    wrap_up_s = queue.wrap_up_s if task.conduct.wrap_up_s is None else task.conduct.wrap_up_s
    handle_s = max(1.0, habits.talk.mean_s + wrap_up_s + task.conduct.pick_up_s)
    level = queue.service_level
    target = min(level.target, 0.999)
    needed = agents_needed(
        lambda n: wait_a(n, calls / HOUR_S * handle_s, handle_s, max(1.0, habits.patience.mean_s), level.within_s)
        .service_level >= target
    )  # fmt: skip
    return needed or 0


# --- staffs ---------------------------------------------------------------------------------------------------------


def _with(staff: Staff, n: int, more: int) -> Staff:
    return (*staff[:n], staff[n] + more, *staff[n + 1 :])


def _within(staff: Staff, other: Staff) -> bool:
    return all(a <= b for a, b in zip(staff, other, strict=True))


def _scaled(staff: Staff, share: float) -> Staff:
    return tuple(math.ceil(count * share) for count in staff)


def _more_of_all(staff: Staff, options: Sequence[Option], step: int) -> Staff:
    return tuple(min(count + step, one.most) for count, one in zip(staff, options, strict=True))
