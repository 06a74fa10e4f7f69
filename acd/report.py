"""Reports of a span of time: figures of quarters of an hour, added up by hour, by day or over all."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from acd import figures, summary
from acd.figures import Named, Row
from acd.summary import Summary

STEPS: Final = ("interval", "hour", "day", "total")


class Part(NamedTuple):
    """A quarter of an hour of a queue, a skill, an agent or a state of a flow."""

    start: int  # seconds since 1970
    name: str
    channel: str  # "" of agents and states
    figures: Sequence[int]
    dispositions: Named  # how often each was noted
    not_ready: Named  # of agents: ms by reason


class Shape(NamedTuple):
    """What rows of figures are."""

    width: int  # columns
    longest: int | None  # the column that is a maximum, not a sum
    summary: Callable[[Row], Summary]
    noted: bool = True  # with dispositions


CALLS: Final = Shape(len(figures.CALLS), figures.LONGEST, summary.of_calls)
AGENTS: Final = Shape(len(figures.AGENTS), None, summary.of_agent)


def report(parts: Iterable[Part], step: str, zone: str, shape: Shape) -> list[dict[str, Any]]:
    """A row for each name, channel and step of time: its `start`, figures as `summary` makes them. In order of time."""
    begin = _begin_of(step, zone)
    rows: dict[tuple[int, str, str], tuple[list[int], Counter[str], Counter[str]]] = {}
    for part in parts:
        key = begin(part.start), part.name, part.channel
        found = rows.get(key)
        if found is None:
            found = rows[key] = [0] * shape.width, Counter(), Counter()
        figures.add(found[0], list(part.figures), shape.longest)
        found[1].update(part.dispositions)
        found[2].update(part.not_ready)
    return [_row(key, *rows[key], shape, step) for key in sorted(rows)]


def _row(
    key: tuple[int, str, str], row: Row, noted: Named, reasons: Named, shape: Shape, step: str
) -> dict[str, Any]:
    start, name, channel = key
    head: dict[str, Any] = {} if step == "total" else {"start": start}
    head["name"] = name
    if channel:
        head["channel"] = channel
    found = head | shape.summary(row)
    if shape.noted:
        found["dispositions"] = figures.some(noted)
    if shape is AGENTS:
        found["not_ready_by_reason_s"] = {reason: spent / 1000 for reason, spent in reasons.items()}
    return found


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
