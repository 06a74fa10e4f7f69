"""The report of a simulation: a page of tables and plots, `index.html`, with the plots as PNG files beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from acd.simulate.experiment import Results
from acd.simulate.tally import Day, End, Floats
from pbx.simulate_tables import clock, plain, tables

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0 2em}caption{text-align:left;font-weight:600;padding:.4em 0}
th,td{padding:.25em .7em;text-align:right;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}
th{font-weight:600;color:#555}figure{margin:1em 0}img{max-width:100%}"""
_WIDTH, _HEIGHT = 11.0, 4.2  # inches
_MOST_LINES = 10  # in one plot; of more queues those with most calls


def write_report(folder: Path, results: Results, title: str) -> list[Path]:
    """Raises OSError."""
    matplotlib.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    plots: list[tuple[str, str, Callable[[Axes, Results], None]]] = [
        ("service-level", "Service level by hour", service_level),
        ("waits", "How long callers waited", waits),
        ("load", "Calls and agents by hour", load),
        ("occupancy", "Occupancy", occupancy),
    ]
    if any(len(day.callbacks.at) for day in results.days):
        plots.insert(2, ("callbacks", "How long customers waited to be called back", callbacks))
    written = []
    for name, caption, draw in plots:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained", dpi=110)
        axes = figure.add_subplot()
        axes.set_title(caption, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        draw(axes, results)
        path = folder / f"{name}.png"
        figure.savefig(path, metadata={"Software": None})
        written.append(path)
    (folder / "results.json").write_text(json.dumps(plain(results), indent=1) + "\n")
    page = folder / "index.html"
    page.write_text(_page(results, title, [(name, caption) for name, caption, _ in plots]))
    return [page, *written, folder / "results.json"]


# --- plots ----------------------------------------------------------------------------------------------------------


def busiest(results: Results) -> list[str]:
    """The queues that had calls, those with most first; without those that had hardly any."""
    calls = {name: float(np.mean([np.sum(day.queue == number) for day in results.days]))
             for number, name in enumerate(results.days[0].queues)}  # fmt: skip
    least = max(1.0, max(calls.values(), default=0.0) / 20)
    there = [name for name, count in calls.items() if count >= least]
    return sorted(there, key=lambda name: -calls[name])[:_MOST_LINES]


def service_level(axes: Axes, results: Results) -> None:
    hours = results.days[0].hours
    for name in busiest(results):
        found = [results.queue(name, hour)["service_level"] for hour in range(len(hours))]
        there = [(start, one) for start, one in zip(hours, found, strict=True) if one is not None]
        x = [(start + 1800) / 3600 for start, _ in there]
        (line,) = axes.plot(x, [100 * one.mean for _, one in there], marker="o", markersize=4, label=name)
        if len(results.days) > 1:
            low = [100 * max(0.0, one.low) for _, one in there]
            high = [100 * min(1.0, one.high) for _, one in there]
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    for target in sorted({queue.service_level.target for queue in results.plan.site.queues.values()}):
        axes.axhline(100 * target, color="#c33", linestyle="--", linewidth=1)
    axes.set_ylim(0, 103)
    axes.set_ylabel("answered in time, %")
    _clock(axes, hours)
    axes.legend(frameon=False, fontsize=9, ncols=2)


def waits(axes: Axes, results: Results) -> None:
    """Of those answered: the share who waited longer."""
    _longer(axes, results, lambda day, number: day.waited[(day.queue == number) & (day.end == End.ANSWERED)])
    for within in sorted({queue.service_level.within_s for queue in results.plan.site.queues.values()}):
        axes.axvline(within, color="#c33", linestyle="--", linewidth=1)
    axes.set_ylabel("waited longer, % of those answered")


def callbacks(axes: Axes, results: Results) -> None:
    """Of those who asked for one: the share who were not called yet."""
    _longer(axes, results, lambda day, number: day.callbacks.called[day.callbacks.queue == number])
    axes.set_ylabel("called later or never, %")


def _longer(axes: Axes, results: Results, waits: Callable[[Day, int], Floats]) -> None:
    """Of the busiest queues: the share of waits that are longer than so many seconds; endless ones stay."""
    longest = 10.0
    for name in busiest(results):
        number = results.days[0].queues.index(name)
        waited = np.sort(np.concatenate([waits(day, number) for day in results.days]))
        ended = waited[np.isfinite(waited)]
        if len(ended):
            more = 1 - np.arange(len(ended)) / len(waited)
            axes.step(ended, 100 * more, where="post", label=name)
            longest = max(longest, float(np.quantile(ended, 0.995)))
    axes.set_xlim(0, longest * 1.02)
    axes.set_ylim(0, 103)
    axes.set_xlabel("seconds")
    axes.legend(frameon=False, fontsize=9, ncols=2)


def load(axes: Axes, results: Results) -> None:
    hours, days = results.days[0].hours, results.days
    x = [(start + 1800) / 3600 for start in hours]
    calls = [np.mean([day.of_hour(hour).offered for day in days]) for hour in range(len(hours))]
    left = [np.mean([day.of_hour(hour).abandoned for day in days]) for hour in range(len(hours))]
    axes.bar(x, calls, width=0.8, color="#9bbcd9", label="calls")
    axes.bar(x, left, width=0.8, color="#d98c8c", label="of these, hung up")
    axes.set_ylim(0, 1.2 * max(1.0, *map(float, calls)))
    axes.set_ylabel("calls")
    other = axes.twinx()
    other.spines[["top"]].set_visible(False)
    duty = [np.mean([day.on_duty(hour) for day in days]) for hour in range(len(hours))]
    work = [np.mean([day.times[:, 0, hour].sum() / 3600 for day in days]) for hour in range(len(hours))]
    other.step(x, duty, where="mid", color="#333", label="agents on duty")
    other.step(x, work, where="mid", color="#d72", label="of these, at work")
    other.set_ylim(0, 1.2 * max(1.0, *map(float, duty)))
    other.set_ylabel("agents")
    _clock(axes, hours)
    handles = [*axes.get_legend_handles_labels()[0], *other.get_legend_handles_labels()[0]]
    labels = [*axes.get_legend_handles_labels()[1], *other.get_legend_handles_labels()[1]]
    axes.legend(handles, labels, frameon=False, fontsize=9, ncols=4)


def occupancy(axes: Axes, results: Results) -> None:
    """Of those who can take the calls of a queue, or have a skill."""
    rows = [(f"queue {name}", results.queue(name)["occupancy"]) for name in busiest(results)]
    rows += [(f"skill {name}", results.skill(name)["occupancy"]) for name in results.skills[:_MOST_LINES]]
    rows = [*rows, ("all agents", results.all()["occupancy"])][::-1]
    there = [(name, found) for name, found in rows if found is not None]
    margins = [0.0 if len(results.days) < 2 else 100 * found.margin for _, found in there]
    colours = ["#d9a55c" if name.startswith("skill") else "#9bbcd9" for name, _ in there]
    axes.barh([name for name, _ in there], [100 * found.mean for _, found in there], xerr=margins, color=colours,
              ecolor="#555", capsize=3)  # fmt: skip
    axes.set_xlim(0, 103)
    axes.set_xlabel("at work, % of the time on duty")


def _clock(axes: Axes, hours: Sequence[float]) -> None:
    step = max(1, len(hours) // 12)
    edges = [start / 3600 for start in hours][::step]
    axes.set_xticks(edges, [clock(3600 * edge) for edge in edges])


# --- the page -------------------------------------------------------------------------------------------------------


def _page(results: Results, title: str, plots: Sequence[tuple[str, str]]) -> str:
    plan = results.plan
    runs = len(results.days)
    facts = (
        f"{runs} day{'s' if runs > 1 else ''} of {plan.demand.mean_calls:,.0f} calls, {len(plan.site.agents):,} agents"
        + (", means with 99 % confidence intervals." if runs > 1 else ".")
    )
    pictures = "".join(f'<figure><img src="{name}.png" alt="{html.escape(text)}"></figure>' for name, text in plots)
    body = "".join(_html(table) for table in tables(results))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(plan.site.site)}: a simulated day</h1><p>{html.escape(facts)} Site file: "
        f"{html.escape(title)}.</p>{pictures}{body}</html>\n"
    )


def _html(table: Table) -> str:
    heads = "".join(f"<th>{html.escape(str(column.header))}</th>" for column in table.columns)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{html.escape(str(table.title))}</caption><tr>{heads}</tr>{body}</table>"
