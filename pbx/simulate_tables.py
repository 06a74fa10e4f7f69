"""What came out of a simulation: tables for the terminal, plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from acd.simulate.experiment import Estimate, Estimates, Results
from acd.simulate.find_staff import Found, Task
from acd.simulate.recorded import Recorded, RecordedDay
from acd.simulate.staff import model_of
from acd.simulate.words import shown_s
from config.queues import ServiceLevel

COUNTS = ("offered", "answered", "abandoned", "short_abandoned", "overflowed", "waiting", "in_time", "waited")
_Row = tuple[str, Estimates, float | None]  # name, figures, service level aimed at
_HEADINGS = ("offered", "service level", "wait", "answered after", "9 of 10 in", "longest", "hang up", "sent on",
             "handled in", "occupancy")  # fmt: skip


def tables(results: Results) -> Iterator[Table]:
    yield queues_table(results)
    if any(_mean(results.all()[name]) for name in ("callbacks_asked", "resumed")):
        yield away_table(results)
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


def away_table(results: Results) -> Table:
    """Of those who did not stay on the line: callbacks, and places taken up again by another call."""
    table = Table(title="callbacks, and who called again", title_justify="left")
    table.add_column("queue")
    for heading in ("callbacks", "called", "reached", "failed", "called after", "9 of 10 in", "service level with them",
                    "called again"):  # fmt: skip
        table.add_column(heading, justify="right")
    for name, figures in [*((name, results.queue(name)) for name in results.plan.site.queues), ("all", results.all())]:
        counts = [f"{_mean(figures[f'callbacks_{what}']):,.1f}" for what in ("asked", "made", "reached", "failed")]
        table.add_row(
            Text(name), *counts, seconds(figures["callback_wait_s"]), seconds(figures["callback_p90_s"]),
            with_margin(figures["service_level_with_callbacks"]), f"{_mean(figures['resumed']):,.1f}",
        )  # fmt: skip
    return table


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


# --- staff, and the day as it was -------------------------------------------------------------------------------------


def staff_table(task: Task, found: Found) -> Table:
    title = f"cheapest staff found: {found.cost:,.6g} for {sum(found.staff):,} agents; {found.tried} staffs compared"
    said = "a search, no proof: no exchange of one or two agents that promised anything makes it cheaper"
    if not found.whole:
        said = "a search that ended by its limit: cheaper staffs may well be near"
    table = Table(title=title, title_justify="left", caption=f"{said}; on {found.days} days it is enough")
    for heading in ("agents like", "skills", "number", "cost each", "cost"):
        table.add_column(heading, justify="left" if heading in ("agents like", "skills") else "right")
    for row in staff_rows(task, found):
        if row["number"]:
            skills = ", ".join(f"{skill} {level}" for skill, level in row["skills"].items())
            table.add_row(
                Text(row["type"]), Text(skills), f"{row['number']:,}", f"{row['cost_each']:,.6g}", f"{row['cost']:,.6g}"
            )
    return table


def staff_rows(task: Task, found: Found) -> list[dict[str, Any]]:
    return [
        {"type": one.name, "skills": dict(model_of(task.site, one.kind).skills), "number": count,
         "cost_each": one.cost, "cost": one.cost * count}
        for one, count in zip(task.options, found.staff, strict=True)
    ]  # fmt: skip


def recorded_table(day: RecordedDay, levels: Mapping[str, ServiceLevel]) -> Table:
    table = Table(title="as recorded", title_justify="left")
    table.add_column("queue")
    for heading in ("offered", "service level", "answered after", "longest", "hang up", "sent on", "callbacks", "talk"):
        table.add_column(heading, justify="right")
    for name, told in recorded_values(day, levels).items():
        table.add_row(
            Text(name), f"{told['offered']:,}", _share(told["service_level"]), _time(told["asa_s"]),
            _time(told["longest_s"]), _share(told["abandons"]), f"{told['overflowed']:,}", f"{told['called_back']:,}",
            _time(told["talk_s"]),
        )  # fmt: skip
    return table


def recorded_values(day: RecordedDay, levels: Mapping[str, ServiceLevel]) -> dict[str, dict[str, Any]]:
    """By queue, with the thresholds of the site as it is now."""
    return {name: _recorded(told, levels.get(name, ServiceLevel())) for name, told in day.queues.items()}


def _recorded(told: Recorded, level: ServiceLevel) -> dict[str, Any]:
    here = told.offered - told.called_back
    counted = here - sum(wait < level.short_abandon_s for wait in told.left)
    in_time = sum(wait <= level.within_s for wait in told.answered)
    return {
        "offered": told.offered, "answered": len(told.answered), "abandoned": len(told.left),
        "overflowed": told.sent_on, "called_back": told.called_back,
        "service_level": in_time / counted if counted else None,
        "asa_s": mean(told.answered), "longest_s": max((*told.answered, *told.left), default=None),
        "abandons": len(told.left) / here if here else None, "talk_s": mean(told.talks),
    }  # fmt: skip


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _time(value: float | None) -> str:
    return "-" if value is None else shown_s(value)


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
