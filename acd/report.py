"""Reports of a span of time: figures of quarters of an hour, added up by hour, by day or over all."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from acd import figures, summary

STEPS: Final = ("interval", "hour", "day", "total")


class Part(NamedTuple):
    """A quarter of an hour of a queue, a skill or an agent."""

    start: int  # seconds since 1970
    name: str
    channel: str  # "" of agents
    figures: Sequence[int]
    not_ready: dict[str, int]  # of agents: ms by reason


def report(parts: Iterable[Part], step: str, zone: str, *, agents: bool) -> list[dict[str, Any]]:
    """A row for each name, channel and step of time: its `start`, figures as `summary` makes them. In order of time."""
    begin = _begin_of(step, zone)
    width, longest = (len(figures.AGENTS), None) if agents else (len(figures.CALLS), figures.LONGEST)
    rows: dict[tuple[int, str, str], tuple[list[int], dict[str, int]]] = {}
    for part in parts:
        key = begin(part.start), part.name, part.channel
        found = rows.get(key)
        if found is None:
            found = rows[key] = [0] * width, {}
        figures.add(found[0], list(part.figures), longest)
        for reason, spent in part.not_ready.items():
            found[1][reason] = found[1].get(reason, 0) + spent
    return [_row(key, *rows[key], agents=agents, step=step) for key in sorted(rows)]


def _row(
    key: tuple[int, str, str], row: list[int], reasons: dict[str, int], *, agents: bool, step: str
) -> dict[str, Any]:
    start, name, channel = key
    head: dict[str, Any] = {} if step == "total" else {"start": start}
    if agents:
        return {**head, "name": name, **summary.of_agent(row), "not_ready_by_reason_s": _seconds(reasons)}
    return {**head, "name": name, "channel": channel, **summary.of_calls(row)}


def _seconds(reasons: dict[str, int]) -> dict[str, float]:
    return {reason: spent / 1000 for reason, spent in reasons.items()}


def _begin_of(step: str, zone: str) -> Callable[[int], int]:
    if step == "total":
        return lambda start: 0
    if step == "hour":
        return lambda start: start - start % 3_600
    if step == "day":
        clock = zoneinfo.ZoneInfo(zone)
        return lambda start: int(
            dt.datetime.combine(dt.datetime.fromtimestamp(start, clock).date(), dt.time(), clock).timestamp()
        )
    return lambda start: start
