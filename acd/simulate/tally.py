"""What happened on a simulated day, out of the engine's events: each stay in a queue, the hours of each agent."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from acd.events import (
    AcdEvent,
    AgentStateChanged,
    ItemAbandoned,
    ItemCompleted,
    ItemConnected,
    ItemKept,
    ItemOverflowed,
    ItemQueued,
    ItemResumed,
)
from acd.simulate.callbacks import KINDS, SOON_S, CallbackColumns, CallbackTally
from config.queues import ServiceLevel

HOUR_S = 3600.0
WORK = frozenset({"RESERVED", "BUSY", "WRAP_UP"})
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class End(IntEnum):
    """How a stay in a queue ended."""

    ANSWERED = 0
    ABANDONED = 1
    OVERFLOWED = 2
    WAITING = 3  # when the day was over: nobody ever came
    CALLED_BACK = 4  # gave up the place on the line for a callback
    RESUMED = 5  # hung up, and had the place again with another call


@dataclass(frozen=True, slots=True)
class Figures:
    """How callers fared. Shares are of those offered; service level and abandons without those who became callbacks or
    had their place again with another call (docs/statistics.md). None where there is nothing to divide by."""

    offered: int
    answered: int
    abandoned: int
    short_abandoned: int  # of these, those who did not stay long enough to count
    overflowed: int
    waiting: int  # at the end
    in_time: int
    waited: int  # how many had to wait
    service_level: float | None  # in time / (offered - short abandons)
    waits: float | None  # share who had to wait
    asa_s: float | None  # mean wait of those answered
    p90_s: float | None  # nine of ten answered waited no longer
    longest_s: float | None
    mean_wait_s: float | None  # of all
    abandons: float | None
    aht_s: float | None  # talk and wrap-up of those answered (average handle time)
    occupancy: float | None  # of the agents who could take these calls
    called_back: int  # gave up the place on the line for a callback
    resumed: int  # hung up, and had the place again with another call
    callbacks_asked: int
    callbacks_made: int  # of these: those whose phone was called
    callbacks_reached: int  # they answered
    callbacks_failed: int  # over, and nobody talked
    callbacks_soon: int  # called half an hour after they asked, or sooner
    callback_wait_s: float | None  # mean, from asking until the phone is called first
    callback_p90_s: float | None
    service_level_with_callbacks: float | None  # (in time of both) / (counted of both)

    @property
    def counted(self) -> int:
        """What a service level is a share of."""
        return self.offered - self.short_abandoned - self.called_back - self.resumed


class Tally:
    """Listens to the engine. `window`: calls that come, and agents' time, between these seconds from midnight count."""

    __slots__ = (
        "_agents", "_callbacks", "_hours", "_kept", "_noting", "_open", "_rows", "_since", "_skills_of", "_window",
        "ends", "groups", "handled", "midnight", "queued", "queues", "waited", "which",
    )  # fmt: skip

    def __init__(
        self, midnight: float, window: tuple[float, float], queues: Sequence[str],
        skills_of: Callable[[str, Mapping[str, str | int | float]], tuple[str, ...]],
    ) -> None:  # fmt: skip
        self.midnight = midnight
        self._window = (midnight + window[0], midnight + window[1])
        self._skills_of = skills_of
        self.queues = {name: number for number, name in enumerate(queues)}
        self.groups: dict[tuple[str, ...], int] = {}  # sets of skills that calls asked for
        self._open: dict[str, tuple[int, float]] = {}  # live stays: queue, since
        self._kept: dict[str, float] = {}  # of these, those who hung up, perhaps to call again: after so long
        self._callbacks = CallbackTally(lambda event: self._which(event.queue, event.attributes))
        self.queued, self.waited, self.handled = array("d"), array("d"), array("d")
        self._rows: dict[str, int] = {}  # of who talks: his line
        self._noting: dict[str, int] = {}  # by agent: the line of the call he notes down
        self.which, self.ends = array("l"), array("b")  # queue x 2^16 + group
        self._since: dict[str, tuple[str, float]] = {}  # agent: state, since when
        hours = max(1, math.ceil((window[1] - window[0]) / HOUR_S)) if window[1] < math.inf else 24
        self._hours = hours
        self._agents: dict[str, tuple[list[float], list[float]]] = {}  # seconds at work and ready, by hour

    @property
    def begins_at(self) -> float:
        """When the window begins, as the engine's clock has it."""
        return self._window[0]

    @property
    def ends_at(self) -> float:
        """When the window ends, as the engine's clock has it."""
        return self._window[1]

    # --- listening --------------------------------------------------------------------------------------------------

    def note(self, event: AcdEvent) -> None:
        kind = type(event)
        if kind is AgentStateChanged:
            assert isinstance(event, AgentStateChanged)
            self._agent(event.agent, event.state, event.at)
        elif kind is ItemQueued:
            assert isinstance(event, ItemQueued)
            if event.channel == "call":
                self._open[event.item_id] = (self._which(event.queue, event.attributes), event.at)
        elif kind is ItemConnected:
            assert isinstance(event, ItemConnected)
            self._ends(event.item_id, End.ANSWERED, event.at)
            if event.channel != "call":
                self._callbacks.note(event)
        elif kind is ItemAbandoned:
            assert isinstance(event, ItemAbandoned)
            self._ends(event.item_id, End.ABANDONED, event.at)
        elif kind is ItemOverflowed:
            assert isinstance(event, ItemOverflowed)
            self._ends(event.item_id, End.CALLED_BACK if event.reason == "callback" else End.OVERFLOWED, event.at)
        elif kind is ItemCompleted:
            assert isinstance(event, ItemCompleted)
            row = self._rows.pop(event.item_id, None)
            if row is not None:
                self.handled[row] = event.talked_s
                self._noting[event.agent] = row
        elif kind is ItemKept:
            assert isinstance(event, ItemKept)
            self._kept[event.item_id] = event.waited_s
        elif kind is ItemResumed:
            assert isinstance(event, ItemResumed)
            self._ends(event.item_id, End.RESUMED, event.at)
        elif kind in KINDS:
            self._callbacks.note(event)

    def _which(self, queue: str, attributes: Mapping[str, str | int | float]) -> int:
        skills = self._skills_of(queue, attributes)
        return (self.queues[queue] << 16) + self.groups.setdefault(skills, len(self.groups))

    def _ends(self, item: str, how: End, at: float) -> None:
        """A line more."""
        stay = self._open.pop(item, None)
        if stay is None:
            return
        which, since = stay
        waited_s = self._kept.pop(item, at - since)
        if self._window[0] <= since <= self._window[1]:
            self.which.append(which)
            self.queued.append(since)
            self.waited.append(waited_s)
            self.ends.append(how)
            self.handled.append(0.0)
            if how is End.ANSWERED:
                self._rows[item] = len(self.ends) - 1

    def _agent(self, name: str, state: str, at: float) -> None:
        before = self._since.get(name)
        if before is not None:
            was, since = before
            if was == "WRAP_UP" and (row := self._noting.pop(name, None)) is not None:
                self.handled[row] += at - since
            column = 0 if was in WORK else 1 if was == "READY" else None
            if column is not None and since < at:
                self._spent(name, column, since, at)
        self._since[name] = (state, at)

    def _spent(self, name: str, column: int, since: float, until: float) -> None:
        start, end = self._window
        since, until = max(since, start) - start, min(until, end) - start
        if until <= since:
            return
        times = self._agents.get(name)
        if times is None:
            times = self._agents[name] = ([0.0] * self._hours, [0.0] * self._hours)
        row = times[column]
        hour = int(since // HOUR_S)
        while hour < self._hours and since < until:
            edge = min(until, (hour + 1) * HOUR_S)
            row[hour] += edge - since
            since, hour = edge, hour + 1

    def close(self, now: float) -> None:
        """The day is over: who still waits is counted as such, agents' last states end."""
        for name, (state, _) in list(self._since.items()):
            self._agent(name, state, now)
        for item in list(self._open):
            self._ends(item, End.ABANDONED if item in self._kept else End.WAITING, now)

    # --- telling ----------------------------------------------------------------------------------------------------

    def day(self, levels: Mapping[str, ServiceLevel], serves: Mapping[str, frozenset[str]]) -> Day:
        """`serves`: the agents who could take calls of each queue."""
        names = list(self._agents)
        return Day(
            list(self.queues), list(self.groups), np.asarray(self.which, np.int64) >> 16,
            np.asarray(self.which, np.int64) & 0xFFFF, (np.asarray(self.queued) - self.midnight),
            np.asarray(self.waited), np.asarray(self.ends), names,
            np.array([self._agents[name] for name in names]).reshape(len(names), 2, self._hours),
            (self._window[0] - self.midnight, self._window[1] - self.midnight), dict(levels), dict(serves),
            np.asarray(self.handled), self._callbacks.columns(self.midnight, self._window),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """A simulated day as columns: one row for each stay in a queue, one for each agent."""

    queues: list[str]
    groups: list[tuple[str, ...]]
    queue: NDArray[np.int64]
    group: NDArray[np.int64]
    at: Floats  # queued; seconds from midnight
    waited: Floats
    end: NDArray[np.int8]
    agents: list[str]
    times: Floats  # agent, (at work, ready), hour of the window: seconds
    window: tuple[float, float]
    levels: dict[str, ServiceLevel]
    serves: dict[str, frozenset[str]]
    handled: Floats  # talk and wrap-up, of those answered
    callbacks: CallbackColumns

    @property
    def hours(self) -> list[float]:
        """Where each hour of the window begins, in seconds from midnight."""
        return [self.window[0] + n * HOUR_S for n in range(self.times.shape[2])]

    @property
    def skills(self) -> list[str]:
        return sorted({skill for group in self.groups for skill in group})

    def all(self) -> Figures:
        return self._figures(lambda rows: self._in(rows, None), frozenset(self.agents), None)

    def of_queue(self, name: str, hour: int | None = None) -> Figures:
        number = self.queues.index(name)
        able = self.serves.get(name, frozenset())
        return self._figures(lambda rows: (rows.queue == number) & self._in(rows, hour), able, hour)

    def of_skill(self, name: str, able: frozenset[str]) -> Figures:
        groups = [number for number, group in enumerate(self.groups) if name in group]
        return self._figures(lambda rows: np.isin(rows.group, groups), able, None)

    def of_hour(self, hour: int) -> Figures:
        return self._figures(lambda rows: self._in(rows, hour), frozenset(self.agents), hour)

    def on_duty(self, hour: int) -> float:
        """Agents at work or ready, in the mean of the hour."""
        return float(self.times[:, :, hour].sum()) / HOUR_S

    def _in(self, rows: Day | CallbackColumns, hour: int | None) -> Mask:
        if hour is None:
            return np.ones(len(rows.at), bool)
        start = self.window[0] + hour * HOUR_S
        return (rows.at >= start) & (rows.at < start + HOUR_S)

    def _figures(
        self, chosen: Callable[[Day | CallbackColumns], Mask], able: frozenset[str], hour: int | None
    ) -> Figures:
        mask, asked = chosen(self), chosen(self.callbacks)
        end, waited, queue = self.end[mask], self.waited[mask], self.queue[mask]
        within = np.array([self.levels[name].within_s for name in self.queues] or [0.0])[queue]
        short = np.array([self.levels[name].short_abandon_s for name in self.queues] or [0.0])[queue]
        answered, left = end == End.ANSWERED, end == End.ABANDONED
        waits = waited[answered]
        short_abandoned = int(np.sum(left & (waited < short)))
        in_time = int(np.sum(answered & (waited <= within + 1e-6)))  # the clock's own grain: 2e-7 s
        offered, served, had_to_wait = len(end), len(waits), int(np.sum(waited > 1e-6))
        called_back, resumed = int(np.sum(end == End.CALLED_BACK)), int(np.sum(end == End.RESUMED))
        here = offered - called_back - resumed
        counted, called = here - short_abandoned, self.callbacks.called[asked]
        made, both = called[np.isfinite(called)], counted + len(called)
        slots = [number for number, name in enumerate(self.agents) if name in able]
        spent = self.times[slots].sum(axis=0)[:, slice(None) if hour is None else slice(hour, hour + 1)].sum(axis=1)
        work, whole = float(spent[0]), float(spent.sum())
        return Figures(
            offered, served, int(np.sum(left)), short_abandoned, int(np.sum(end == End.OVERFLOWED)),
            int(np.sum(end == End.WAITING)), in_time, had_to_wait,
            in_time / counted if counted else None, had_to_wait / offered if offered else None,
            float(waits.mean()) if served else None, float(np.quantile(waits, 0.9)) if served else None,
            float(waited.max()) if offered else None, float(waited.mean()) if offered else None,
            float(np.sum(left)) / here if here else None,
            float(self.handled[mask][answered].mean()) if served else None, work / whole if whole else None,
            called_back, resumed, len(called), len(made), int(np.sum(self.callbacks.reached[asked])),
            int(np.sum(self.callbacks.failed[asked])), int(np.sum(called <= SOON_S)),
            float(made.mean()) if len(made) else None, float(np.quantile(made, 0.9)) if len(made) else None,
            (in_time + int(np.sum(self.callbacks.in_time[asked]))) / both if both else None,
        )  # fmt: skip
