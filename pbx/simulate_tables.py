"""What came out of a simulation: tables for the terminal, plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from acd.simulate.experiment import Estimate, Estimates, Results
from acd.simulate.words import shown_s

COUNTS = ("offered", "answered", "abandoned", "short_abandoned", "overflowed", "waiting", "in_time", "waited")
_Row = tuple[str, Estimates, float | None]  # name, figures, service level aimed at
_HEADINGS = ("offered", "service level", "wait", "answered after", "9 of 10 in", "longest", "hang up", "sent on",
             "handled in", "occupancy")  # fmt: skip


def tables(results: Results) -> Iterator[Table]:
    yield queues_table(results)
    if results.skills:
        yield _table("by skill", "skill", [(name, results.skill(name), None) for name in results.skills])
    hours = results.days[0].hours
    if len(hours) > 1:
        yield hours_table(results)


def queues_table(results: Results) -> Table:
    queues = results.plan.site.queues
    rows: list[_Row] = [(name, results.queue(name), queue.service_level.target) for name, queue in queues.items()]
    rows = [row for row in rows if _mean(row[1]["offered"])]
    if len(rows) > 1:
        rows.append(("all", results.all(), None))
    return _table("by queue", "queue", rows)


def hours_table(results: Results) -> Table:
    rows: list[_Row] = [(clock(start), results.hour(hour), None) for hour, start in enumerate(results.days[0].hours)]
    return _table("by hour", "from", rows, [f"{_on_duty(results, hour):.1f}" for hour in range(len(rows))])


def _on_duty(results: Results, hour: int) -> float:
    return sum(day.on_duty(hour) for day in results.days) / len(results.days)


def _table(
    title: str, first: str, rows: Sequence[_Row], on_duty: list[str] | None = None
) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    if on_duty is not None:
        table.add_column("on duty", justify="right")
    for number, (name, figures, target) in enumerate(rows):
        level = figures["service_level"]
        colour = "" if target is None or level is None else "green" if level.mean >= target else "red"
        table.add_row(
            Text(name), f"{_mean(figures['offered']):,.0f}", Text(with_margin(level), style=colour),
            percent(figures["waits"]), seconds(figures["asa_s"]), seconds(figures["p90_s"]),
            seconds(figures["longest_s"]), percent(figures["abandons"]), f"{_mean(figures['overflowed']):,.0f}",
            seconds(figures["aht_s"]), percent(figures["occupancy"]), *([] if on_duty is None else [on_duty[number]]),
        )  # fmt: skip
    return table


def _mean(found: Estimate | None) -> float:
    return 0.0 if found is None else found.mean


def percent(found: Estimate | None) -> str:
    return "-" if found is None else f"{100 * found.mean:.1f} %"


def with_margin(found: Estimate | None) -> str:
    if found is None:
        return "-"
    return percent(found) if math.isinf(found.margin) else f"{100 * found.mean:.1f} ± {100 * found.margin:.1f} %"


def seconds(found: Estimate | None) -> str:
    return "-" if found is None else shown_s(found.mean)


def clock(at: float) -> str:
    """Of seconds from midnight."""
    minutes = round(at / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


# --- JSON -----------------------------------------------------------------------------------------------------------


def plain(results: Results) -> dict[str, Any]:
    """Each figure as mean and margin of the 99 % confidence interval (null: with one run)."""
    site = results.plan.site
    return {
        "runs": len(results.days),
        "agents": len(site.agents),
        "all": _values(results.all()),
        "queues": {
            name: {"target": queue.service_level.target, "within_s": queue.service_level.within_s,
                   **_values(results.queue(name))}
            for name, queue in site.queues.items()
        },
        "skills": {name: _values(results.skill(name)) for name in results.skills},
        "hours": [
            {"from": clock(start), "on_duty": _on_duty(results, hour), **_values(results.hour(hour))}
            for hour, start in enumerate(results.days[0].hours)
        ],
    }  # fmt: skip


def _values(figures: Estimates) -> dict[str, Any]:
    return {name: None if found is None else {"mean": found.mean, "margin": _finite(found.margin)}
            for name, found in figures.items()}  # fmt: skip


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value
