"""Statistics: a pure fold of events, so the same whether they happen now, are replayed or are read from the journal.

    event --> queue and channel --+
          --> skill, trunk, ... --+--> figures.Series: quarter, hour, day, and the interval, closed into `closed`
          --> agent --------------+

Each event costs a few additions. What is counted, and when, is told in docs/statistics.md.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mypy_extensions import mypyc_attr

from acd import figures as f
from acd.agent_state import State
from acd.capacity import PHONE
from acd.events import (
    AcdEvent,
    AgentInterval,
    AgentStateChanged,
    CallsInterval,
    ItemAbandoned,
    ItemCompleted,
    ItemConnected,
    ItemKept,
    ItemOverflowed,
    ItemQueued,
    ItemReserved,
    ItemResumed,
    ReservationEnded,
    WorkNoted,
    WrapUpEnded,
)
from acd.figures import OTHER, Days, Named, Series, add_named, ms
from acd.summary import counted_in

CALLS_SLICE_S: Final = 60
AGENTS_SLICE_S: Final = f.INTERVAL_S
CALL: Final = "call"
GROUPS: Final = ("skill", "trunk", "partner")  # what calls are counted by, beside their queue
MOST_NAMES = 1_000  # of a group that figures are told apart by: partners are named by whoever posts web sessions

#: What an item is counted by beside its queue: (group, name).
Groups = tuple[tuple[str, str], ...]

_TIME_IN: Final = {
    State.READY.value: f.A_READY_MS, State.RESERVED.value: f.A_RESERVED_MS, State.BUSY.value: f.A_BUSY_MS,
    State.WRAP_UP.value: f.A_WRAP_UP_MS, State.NOT_READY.value: f.A_NOT_READY_MS,
}  # fmt: skip
_WRAP_UP: Final = State.WRAP_UP.value
_LONGEST_BACK_S: Final = f.HOUR_S  # a clock set back further was wrong: figures do not wait until it is that late
_LONGEST_GAP_S: Final = f.DAY_S  # a state that lasted longer unseen was not watched: the server was away
_NOT_TAKEN: Final = {
    "no_answer": (f.A_NO_ANSWER, f.MISSED), "rejected": (f.A_REJECTED, f.MISSED), "busy": (f.A_BUSY, f.MISSED),
    "unregistered": (f.A_UNREACHABLE, f.UNREACHABLE), "failed": (f.A_UNREACHABLE, f.UNREACHABLE),
}  # fmt: skip  # every other outcome is not the agent's: answered elsewhere, caller hung up, withdrawn
_COLUMN_OF: Final = {"closed": f.TURNED_AWAY, "emergency": f.TURNED_AWAY, "callback": f.CALLED_BACK}


#: queue, a group or agent; its name, channel; the interval's start, figures, dispositions; times not ready by reason.
Closed = tuple[str, str, str, int, f.Row, Named, Named]


@dataclass(slots=True)
class Waiting:
    """An item from `ItemQueued` until it is over."""

    queue: str
    channel: str
    groups: Groups
    queued_at: float
    waits: bool = True  # neither talking nor gone


@dataclass(slots=True)
class AgentTimes:
    """An agent's figures, and the state they are counting."""

    series: Series
    state: str
    since: float
    counted_ms: int  # the state's time is counted up to here
    reason: str | None = None
    noting: Waiting | None = None  # the call he notes down
    reasons: Named = field(default_factory=dict)  # not ready, by reason: ms in the interval at work
    reasons_today: Named = field(default_factory=dict)


@mypyc_attr(allow_interpreted_subclasses=True)
@dataclass(slots=True)
class Statistics:
    """All figures. `add` every event, in order; `close` now and then, so that intervals end while nothing happens."""

    days: Days
    at: float = 0.0  # of the latest event
    queues: dict[str, dict[str, Series]] = field(default_factory=dict)  # by queue, by channel
    groups: dict[str, dict[str, dict[str, Series]]] = field(default_factory=lambda: {group: {} for group in GROUPS})
    agents: dict[str, AgentTimes] = field(default_factory=dict)
    items: dict[str, Waiting] = field(default_factory=dict)  # live ones
    waiting: dict[str, list[float]] = field(default_factory=dict)  # by queue: when those who wait in it came, sorted
    within_s: dict[str, float] = field(default_factory=dict)  # by queue: answered later is not in time
    closed: list[Closed] = field(default_factory=list)  # intervals that ended since `take`
    closed_to: int = 0  # all intervals that ended by then are closed
    to_close: list[tuple[str, str]] = field(default_factory=list)  # while `close` is at work: whose are left

    # --- the fold ---

    def add(self, event: AcdEvent) -> None:
        """Count it. Kinds that count for nothing are ignored."""
        step = _STEPS.get(type(event))
        if step is not None:
            if event.at > self.at:
                self.at = event.at
            step(self, event)

    def set_back(self, by_s: float) -> None:
        """See `acd.set_back`. What is counted until the clock is there again is of the interval at work: those before
        it are written. After a clock that was wrong by more than an hour figures begin anew."""
        self.at -= by_s
        noting = [agent.noting for agent in self.agents.values() if agent.noting is not None]
        for item in {id(item): item for item in (*self.items.values(), *noting)}.values():
            item.queued_at -= by_s
        self.waiting = {queue: [at - by_s for at in came] for queue, came in self.waiting.items()}
        for agent in self.agents.values():
            agent.since -= by_s
            agent.counted_ms -= ms(by_s)
        if by_s > _LONGEST_BACK_S:
            self._begin_anew()

    def _begin_anew(self) -> None:
        for kind, of_all in {"queue": self.queues, **self.groups}.items():
            for name, of_one in of_all.items():
                self.closed += [(kind, name, channel, *series.now(), {}) for channel, series in of_one.items()]
            of_all.clear()
        for name, agent in self.agents.items():
            self.closed.append(("agent", name, "", *agent.series.now(), agent.reasons))
            agent.series = Series.begin(len(f.AGENTS), AGENTS_SLICE_S, self.at, self.days.end(self.at))
            agent.reasons, agent.reasons_today, agent.counted_ms = {}, {}, ms(self.at)
        self.closed = [ended for ended in self.closed if any(ended[4]) or ended[5]]
        self.closed_to, self.to_close = int(self.at // f.INTERVAL_S) * f.INTERVAL_S, []

    def working(self, now: float) -> list[CallsInterval | AgentInterval]:
        """The figures so far of the intervals at work, and those of intervals that are over and not told yet."""
        return [*self.working_calls(now), *self.working_agents(now)]

    def working_calls(self, now: float) -> list[CallsInterval]:
        self.at = max(self.at, now)
        found = [one for one in map(self._told, self.closed) if isinstance(one, CallsInterval)]
        for kind, of_all in {"queue": self.queues, **self.groups}.items():
            for name, of_one in of_all.items():
                for channel, series in of_one.items():
                    begun, row, noted = series.now()
                    if any(row) or noted:
                        found.append(CallsInterval(self.at, kind, name, channel, begun, row, noted))
        return found

    def working_agents(self, now: float) -> Iterator[AgentInterval]:
        """Each made when it is taken: there may be very many."""
        for name in list(self.agents):
            if (agent := self.agent(name, now)) is not None:
                begun, row, noted = agent.series.now()
                if any(row) or noted:
                    yield AgentInterval(self.at, name, begun, row, dict(agent.reasons), noted)
        for one in map(self._told, self.closed):  # at last: what is told meanwhile is known to whoever is told
            if isinstance(one, AgentInterval):
                yield one

    def agent(self, name: str, now: float) -> AgentTimes | None:
        """With his times counted up to now; None: nothing is known of him."""
        self.at = max(self.at, now)
        return self._agent(name) if name in self.agents else None

    def take(self) -> list[CallsInterval | AgentInterval]:
        """The intervals that ended since the last time."""
        closed, self.closed = self.closed, []
        return list(map(self._told, closed))

    def _told(self, ended: Closed) -> CallsInterval | AgentInterval:
        kind, name, channel, start, row, noted, reasons = ended
        if kind == "agent":
            return AgentInterval(self.at, name, start, row, reasons, noted)
        return CallsInterval(self.at, kind, name, channel, start, row, noted)

    def close(self, now: float, at_most: int = 200) -> bool:
        """End the intervals that are over by now, of so many queues, groups and agents; true if there may be more.

        Nothing else does so for who has had no events since. In pieces, because ten thousand agents are a long piece
        of work for one moment.
        """
        if not self.is_due(now):
            return False
        start = int(now // f.INTERVAL_S) * f.INTERVAL_S
        self.at = max(self.at, now)
        if not self.to_close:
            self.to_close = [("queue", name) for name in self.queues]
            self.to_close += [(group, name) for group, of_all in self.groups.items() for name in of_all]
            self.to_close += [("agent", name) for name in self.agents]
        for kind, name in self.to_close[-at_most:]:
            if kind == "agent":
                self._close_agent(name)
            else:
                self._close_calls(kind, name)
        del self.to_close[-at_most:]
        if not self.to_close:
            self.closed_to = start
        return bool(self.to_close)

    def _close_agent(self, name: str) -> None:
        """And forget who is not here and was not today."""
        agent = self._agent(name)
        if agent.state == State.LOGGED_OUT.value and agent.series.idle(self.at):
            del self.agents[name]

    def _close_calls(self, kind: str, name: str) -> None:
        of_all = self.of(kind)
        for channel in list(of_all.get(name, ())):
            self._series(kind, name, channel)
            if of_all[name][channel].idle(self.at):
                del of_all[name][channel]
        if not of_all.get(name):
            of_all.pop(name, None)

    def of(self, kind: str) -> dict[str, dict[str, Series]]:
        """By name and channel: of "queue", or one of `GROUPS`."""
        return self.queues if kind == "queue" else self.groups[kind]

    def is_due(self, now: float) -> bool:
        """Whether `close` has something to do."""
        return int(now // f.INTERVAL_S) * f.INTERVAL_S > self.closed_to

    # --- what rules and announcements ask ---

    def service_level(self, queue: str, now: float) -> float | None:
        """Share (0 to 1) of the calls of the last quarter of an hour that were answered in time, of all that were
        answered, lost or sent on, short abandons left out; who waits beyond the threshold now is counted as one that
        was not. None: nobody to take a share of."""
        row = self._quarter(queue, now)
        late = bisect_left(self.waiting.get(queue, ()), now - self.within_s.get(queue, 0.0))
        counted = counted_in(row) + late
        return row[f.IN_TIME] / counted if counted > 0 else None

    def abandoned(self, queue: str, now: float) -> float | None:
        """Share (0 to 1) of the calls of the last quarter of an hour that hung up, short abandons left out."""
        row = self._quarter(queue, now)
        counted = counted_in(row)
        return (row[f.ABANDONED] - row[f.SHORT]) / counted if counted > 0 else None

    def _quarter(self, queue: str, now: float) -> f.Row:
        series = self.queues.get(queue, {}).get(CALL)
        return f.NOTHING if series is None else series.window(f.INTERVAL_S, now)

    # --- rows to count into ---

    def _series(self, kind: str, name: str, channel: str) -> Series:
        """Of a queue or group, at its slice of now."""
        of_all = self.of(kind)
        of_one = of_all.get(name)
        if of_one is None:
            of_one = of_all[name] = {}
        series = of_one.get(channel)
        if series is None:
            ends = self.days.end(self.at)
            series = of_one[channel] = Series.begin(len(f.CALLS), CALLS_SLICE_S, self.at, ends, f.LONGEST)
        elif not series.holds(self.at) and (ended := series.roll(self.at, self.days.end(self.at))) is not None:
            self.closed.append((kind, name, channel, *ended, {}))
        return series

    def _all_of(self, item: Waiting) -> list[Series]:
        """What it is counted in."""
        found = [self._series("queue", item.queue, item.channel)]
        found += [self._series(group, name, item.channel) for group, name in item.groups]
        return found

    def _rows(self, item: Waiting) -> list[f.Row]:
        return [series.current for series in self._all_of(item)]

    def _agent(self, name: str) -> AgentTimes:
        """With his times counted up to now."""
        agent = self.agents.get(name)
        if agent is None:
            series = Series.begin(len(f.AGENTS), AGENTS_SLICE_S, self.at, self.days.end(self.at))
            agent = self.agents[name] = AgentTimes(series, State.LOGGED_OUT.value, self.at, ms(self.at))
            return agent
        if agent.series.holds(self.at):
            _count_until(agent, ms(self.at))
        else:
            self._catch_up(name, agent, ms(self.at))
        return agent

    def _catch_up(self, name: str, agent: AgentTimes, now_ms: int) -> None:
        """Count his times slice by slice, up to the one of now."""
        series = agent.series
        if agent.state not in _TIME_IN:
            agent.counted_ms = now_ms
        agent.counted_ms = max(agent.counted_ms, now_ms - _LONGEST_GAP_S * 1000)
        self._roll(name, agent, agent.counted_ms / 1000)
        while (ends_ms := (series.slot + 1) * series.slice_s * 1000) < now_ms:
            _count_until(agent, ends_ms)
            self._roll(name, agent, ends_ms / 1000)
        _count_until(agent, now_ms)
        self._roll(name, agent, self.at)

    def _roll(self, name: str, agent: AgentTimes, at: float) -> None:
        series = agent.series
        if at >= series.day_ends:
            agent.reasons_today = {}
        if (ended := series.roll(at, self.days.end(at))) is not None:
            self.closed.append(("agent", name, "", *ended, agent.reasons))
            agent.reasons = {}

    def _item(self, event: ItemReserved | ReservationEnded | ItemConnected | ItemCompleted) -> Waiting:
        """The event's item. One that nothing is known of (it began before the fold did) is a call."""
        item = self.items.get(event.item_id)
        return Waiting(event.queue, CALL, (), event.at) if item is None else item

    def _over(self, item_id: str, queue: str) -> Waiting:
        """The item waits no longer."""
        item = self.items.pop(item_id, None)
        if item is None:
            return Waiting(queue, CALL, (), self.at)
        self._left(item)
        return item

    def _left(self, item: Waiting) -> None:
        if not item.waits or item.channel != CALL:
            return
        item.waits = False
        waiting = self.waiting[item.queue]
        del waiting[bisect_left(waiting, item.queued_at)]
        if not waiting:
            del self.waiting[item.queue]

    # --- items ---

    def _queued(self, event: ItemQueued) -> None:
        item = self.items[event.item_id] = Waiting(event.queue, event.channel, self._groups(event), event.at)
        if item.channel == CALL:
            insort(self.waiting.setdefault(event.queue, []), event.at)
        for row in self._rows(item):
            row[f.OFFERED] += 1

    def _groups(self, event: ItemQueued) -> Groups:
        found = [("skill", skill) for skill in event.skills]
        for group in ("trunk", "partner"):
            name = event.attributes.get(group)
            if name is not None:
                known = self.groups[group]
                found.append((group, str(name) if name in known or len(known) < MOST_NAMES else OTHER))
        return (*found,)

    def _reserved(self, event: ItemReserved) -> None:
        item = self._item(event)
        for row in self._rows(item):
            row[f.OFFERS] += 1
        if item.channel in PHONE:
            self._agent(event.agent).series.current[f.A_OFFERS] += 1

    def _not_taken(self, event: ReservationEnded) -> None:
        columns = _NOT_TAKEN.get(event.outcome)
        if columns is not None:
            item = self._item(event)
            for row in self._rows(item):
                row[columns[1]] += 1
            if item.channel in PHONE:
                self._agent(event.agent).series.current[columns[0]] += 1

    def _connected(self, event: ItemConnected) -> None:
        item, waited, predicted_s = self._item(event), ms(event.waited_s), event.predicted_s
        self._left(item)
        for row in self._rows(item):
            row[f.ANSWERED] += 1
            row[f.IN_TIME] += event.in_time
            row[f.WAITED] += waited
            row[f.LONGEST] = max(row[f.LONGEST], waited)
            if predicted_s is not None:
                error = ms(predicted_s) - waited
                row[f.ESTIMATES] += 1
                row[f.NEAR] += abs(error) <= f.ESTIMATE_NEAR_S * 1000
                row[f.ERROR] += error
                row[f.OFF] += abs(error)
        if item.channel in PHONE:
            self._agent(event.agent).series.current[f.A_ANSWERED] += 1

    def _completed(self, event: ItemCompleted) -> None:
        item, talked = self._item(event), ms(event.talked_s)
        if not event.wraps_up:
            self.items.pop(event.item_id, None)
        for row in self._rows(item):
            row[f.COMPLETED] += 1
            row[f.TALKED] += talked
            row[f.TRANSFERRED] += event.to is not None
        if item.channel not in PHONE:
            return
        agent = self._agent(event.agent)
        row = agent.series.current
        row[f.A_COMPLETED] += 1
        row[f.A_TALKED] += talked
        row[f.A_TRANSFERRED] += event.to is not None
        agent.noting = item
        if event.to_agent is not None:
            self._agent(event.to_agent).series.current[f.A_RECEIVED] += 1

    def _wrapped_up(self, event: WrapUpEnded) -> None:
        item = self.items.pop(event.item_id, None) or Waiting(event.queue, event.channel, (), event.at)
        for row in self._rows(item):
            row[f.WRAPPED] += ms(event.wrapped_s)

    def _abandoned(self, event: ItemAbandoned) -> None:
        waited = ms(event.waited_s)
        for row in self._rows(self._over(event.item_id, event.queue)):
            row[f.ABANDONED] += 1
            row[f.SHORT] += event.short
            row[f.ABANDON_WAITED] += waited
            row[f.LONGEST] = max(row[f.LONGEST], waited)

    def _overflowed(self, event: ItemOverflowed) -> None:
        waited, column = ms(event.waited_s), _COLUMN_OF.get(event.reason, f.OVERFLOWED)
        for row in self._rows(self._over(event.item_id, event.queue)):
            row[column] += 1
            row[f.OVERFLOW_WAITED] += waited
            row[f.LONGEST] = max(row[f.LONGEST], waited)

    def _kept(self, event: ItemKept) -> None:
        """The caller is gone: he waits no longer, whatever becomes of his place."""
        item = self.items.get(event.item_id)
        if item is not None:
            self._left(item)

    def _resumed(self, event: ItemResumed) -> None:
        for row in self._rows(self._over(event.item_id, event.queue)):
            row[f.RESUMED] += 1

    # --- agents ---

    def _noted(self, event: WorkNoted) -> None:
        agent = self._agent(event.agent)
        item = self.items.get(event.item_id)
        if agent.state == _WRAP_UP and (item is None or item.channel in PHONE):
            item = agent.noting  # one of that id is another stay of the same call: he gave it on to a queue
        for series in (*self._all_of(item or Waiting(event.queue, CALL, (), event.at)), agent.series):
            series.note(event.disposition, event.before)

    def _state(self, event: AgentStateChanged) -> None:
        agent = self._agent(event.agent)
        if agent.state == _WRAP_UP != event.state and agent.noting is not None:
            wrapped = ms(event.at) - ms(agent.since)
            for row in self._rows(agent.noting):
                row[f.WRAPPED] += wrapped
        if agent.state != event.state:
            agent.since = event.at
        agent.state, agent.reason = event.state, event.reason


def _count_until(agent: AgentTimes, until_ms: int) -> None:
    """His state's time, within a slice."""
    spent_ms = until_ms - agent.counted_ms
    if spent_ms <= 0:
        return
    agent.counted_ms = until_ms
    column = _TIME_IN.get(agent.state)
    if column is not None:
        agent.series.current[column] += spent_ms
        if column == f.A_NOT_READY_MS:
            _add_reason(agent, spent_ms)


def _add_reason(agent: AgentTimes, spent_ms: int) -> None:
    for reasons in (agent.reasons, agent.reasons_today):
        add_named(reasons, agent.reason or OTHER, spent_ms)


_STEPS: Final[dict[type, Callable[[Statistics, Any], None]]] = {
    ItemQueued: Statistics._queued,
    ItemReserved: Statistics._reserved,
    ReservationEnded: Statistics._not_taken,
    ItemConnected: Statistics._connected,
    ItemCompleted: Statistics._completed,
    ItemAbandoned: Statistics._abandoned,
    ItemOverflowed: Statistics._overflowed,
    ItemKept: Statistics._kept,
    ItemResumed: Statistics._resumed,
    AgentStateChanged: Statistics._state,
    WorkNoted: Statistics._noted,
    WrapUpEnded: Statistics._wrapped_up,
}
COUNTED: Final = tuple(_STEPS)  # the kinds of events that make a difference
