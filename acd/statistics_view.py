"""Statistics as screens, the API and metrics show them, as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from acd import summary
from acd.figures import HOUR_S, INTERVAL_S, Series
from acd.floor import Floor
from acd.model import ItemState, Queue
from acd.report import Part
from acd.statistics import GROUPS

_NOBODY: Final[dict[str, Any]] = {"waiting": 0, "longest_wait_s": 0.0}
Waits = Mapping[str, float | None]
BY: Final = ("queue", *GROUPS, "agent")


def live(floor: Floor, by: str, now: float, expected: Waits | None = None) -> Iterable[dict[str, Any]]:
    """Figures of the last quarter and hour, and of today, of each queue (with `now`), skill, trunk, partner or
    agent (each made when it is taken: there may be very many). `expected`: the waits of queues, where they are known
    already."""
    now, statistics = max(now, floor.now), floor.statistics
    if by == "agent":
        return _agents(floor, now)
    of_all = statistics.of(by)
    rows = []
    for name in floor.queues if by == "queue" else of_all:
        waits = _waits(floor, floor.queues[name], now) if by == "queue" else {}
        channels: dict[str, Series | None] = {"call": None, **dict.fromkeys(waits), **of_all.get(name, {})}
        for channel, series in channels.items():
            row: dict[str, Any] = {"name": name, "channel": channel}
            if by == "queue":
                row["now"] = waits.get(channel, _NOBODY)
                if channel == "call":
                    row["now"] = row["now"] | _now(floor, floor.queues[name], now, expected)
            noted = {} if series is None else series.dispositions(now)
            rows.append(row | _spans(series, now) | {"dispositions": noted})
    return rows


def board(floor: Floor, now: float, expected: Waits | None = None) -> list[dict[str, Any]]:
    """The same of queues for a wall board: the state now, calls of the last quarter and today. `waiting` and the
    `longest_wait_s` are those of calls; `other_channels` has those of callbacks, chats and mails, if any wait."""
    now, rows = max(now, floor.now), []
    for queue in floor.queues.values():
        series = floor.statistics.queues.get(queue.name, {}).get("call")
        quarter, today = (None, None) if series is None else (series.window(INTERVAL_S, now), series.today(now))
        waits = _waits(floor, queue, now)
        rows.append({
            "name": queue.name, **waits.pop("call", _NOBODY), **_now(floor, queue, now, expected),
            "other_channels": waits,
            "quarter": None if quarter is None else summary.of_calls(quarter),
            "today": None if today is None else summary.of_calls(today),
        })  # fmt: skip
    return rows


def at_work(floor: Floor, by: str, now: float) -> Iterable[Part]:
    """The quarter of an hour that is not over, and what was not told yet of those that are. Of agents each is made when
    it is taken."""
    now = max(now, floor.now)
    if by == "agent":
        agents = floor.statistics.working_agents(now)
        return (Part(one.start, one.agent, "", one.figures, one.dispositions, one.not_ready_ms) for one in agents)
    calls = [one for one in floor.statistics.working_calls(now) if one.kind == by]
    return [Part(one.start, one.name, one.channel, one.figures, one.dispositions, {}) for one in calls]


def _spans(series: Series | None, now: float) -> dict[str, Any]:
    if series is None:
        return dict.fromkeys(("quarter", "hour", "today"))
    spans = {"quarter": series.window(INTERVAL_S, now), "hour": series.window(HOUR_S, now), "today": series.today(now)}
    return {span: summary.of_calls(row) for span, row in spans.items()}


def _waits(floor: Floor, queue: Queue, now: float) -> dict[str, dict[str, Any]]:
    """How many wait, and for how long the first of them has, by channel."""
    found: dict[str, dict[str, Any]] = {}
    written = floor.written.items.values() if sum(queue.waiting.values()) > queue.waiting_calls else ()
    for item in (*queue.items.values(), *written):
        if item.state is ItemState.QUEUED and item.queue is queue:
            of_one = found.setdefault(item.channel, dict(_NOBODY))
            of_one["waiting"] += 1
            of_one["longest_wait_s"] = max(of_one["longest_wait_s"], item.waited_s(now))
    return found


def _now(floor: Floor, queue: Queue, now: float, expected: Waits | None) -> dict[str, Any]:
    roster, able = floor.roster, queue.able
    if expected is None:
        expected = {queue.name: floor.estimates.wait_s(queue.name, queue.waiting_calls + 1, now)}
    return {
        "expected_wait_s": expected[queue.name],
        "service_level": floor.statistics.service_level(queue.name, now),
        "service_level_target": queue.in_time_target,
        "service_level_within_s": queue.in_time_s,
        "agents": {
            "logged_in": (able & roster.logged_in).bit_count(),
            "on_duty": (able & roster.on_duty).bit_count(),
            "at_work": (able & roster.at_work).bit_count(),
            "available": roster.idle.count(able),
        },
    }


def _agents(floor: Floor, now: float) -> Iterator[dict[str, Any]]:
    for name, agent in list(floor.roster.agents.items()):
        times = floor.statistics.agent(name, now)
        if times is None:
            nothing: dict[str, Any] = {"hour": None, "today": None, "not_ready_by_reason_s": {}, "dispositions": {}}
            yield {"name": name, "state": agent.state.value, **nothing}
            continue
        yield {
            "name": name,
            "state": agent.state.value,
            "hour": summary.of_agent(times.series.window(HOUR_S, now)),
            "today": summary.of_agent(times.series.today(now)),
            "not_ready_by_reason_s": {reason: spent / 1000 for reason, spent in times.reasons_today.items()},
            "dispositions": times.series.dispositions(now),
        }
