"""Figures of a run: tables for the terminal, CSV for the machine, one HTML page with plots for people."""

from __future__ import annotations

import csv
import html
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

_COLOURS = ("#246", "#283", "#a5a", "#d72", "#666")
_STYLE = (
    "svg text{font-size:12px;fill:#444;text-anchor:middle}svg line{stroke:#ddd}"
    "svg .limit{stroke:#c33;stroke-dasharray:6 4}svg polyline{fill:none;stroke:#246;stroke-width:2}"
)
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 560, 300, 60, 45, 20, 20


@dataclass(frozen=True, slots=True)
class Series:
    """One curve, or several with a name each: x and y values in order of x, and the limit of y, if any."""

    title: str
    x_label: str
    y_label: str
    points: tuple[tuple[float, float], ...]
    limit: float | None = None
    curves: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()

    @property
    def drawn(self) -> tuple[tuple[str, tuple[tuple[float, float], ...]], ...]:
        return self.curves or (("", self.points),)


def table_of(title: str, steps: Sequence[Any]) -> Table:
    """A table with a column for each field of the (dataclass) steps; headings break between words, figures never."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = [one.name for one in fields(steps[0]) if one.name != "work"]  # that is the title
    rows = [[_shown(asdict(step)[name]) for name in names] for step in steps]
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        widest = max(map(len, [*name.split("_"), *cells]))
        table.add_column(name.replace("_", "\n"), justify="right", min_width=widest)
    for row in rows:
        table.add_row(*row)
    return table


def _shown(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def write_csv(path: Path, steps: Sequence[Any]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(steps[0])])
        writer.writeheader()
        writer.writerows(asdict(step) for step in steps)


def write_page(path: Path, title: str, facts: dict[str, str], series: Sequence[Series]) -> None:
    """A page that needs nothing else: the facts of the run, then a plot for each series."""
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
    plots = "".join(f"<figure>{svg(one)}<figcaption>{html.escape(one.title)}</figcaption></figure>" for one in series)
    style = (
        "body{font:15px system-ui,sans-serif;margin:2em;color:#222}th{text-align:left;padding-right:1em}"
        "figure{display:inline-block;margin:1em 2em 1em 0}figcaption{text-align:center}"
    ) + _STYLE
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{style}</style>"
        f"<h1>{html.escape(title)}</h1><table>{rows}</table>{plots}</html>\n"
    )


def write_svg(path: Path, series: Series) -> None:
    """The plot by itself, as a README shows it."""
    drawn = svg(series).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)
    path.write_text(drawn.replace(">", f"><style>{_STYLE}</style>", 1) + "\n")


def _ticks(largest: float) -> list[float]:
    """Round numbers from 0 to `largest` or just above it."""
    largest = largest or 1
    rough = largest / 5
    power: float = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [round(step * tick, 9) for tick in range(math.ceil(largest / step - 1e-9) + 1)]


def svg(series: Series) -> str:
    """A plot of lines from zero, with its limit dashed."""
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    every = [point for _, points in series.drawn for point in points]
    ticks_x = _ticks(max((x for x, _ in every), default=0))
    ticks_y = _ticks(1.1 * max([y for _, y in every] + [series.limit or 0]))
    top_x, top_y = ticks_x[-1], ticks_y[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_LEFT + width * x / top_x, 1), round(_TOP + height * (1 - y / top_y), 1)

    parts = [f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{html.escape(series.title)}">']
    for tick in ticks_y:
        _, y = place(0, tick)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + width}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 20}" y="{y + 4}">{tick:g}</text>')
    parts += [f'<text x="{place(tick, 0)[0]}" y="{_TOP + height + 18}">{tick:g}</text>' for tick in ticks_x]
    if series.limit is not None:
        _, y = place(0, series.limit)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{_LEFT + width}" y1="{y}" y2="{y}"/>')
    for number, (name, points) in enumerate(series.drawn):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" style="stroke:{colour}"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in (place(*one) for one in points)]
        if name:
            x, y = _LEFT + width - 8, _TOP + 14 + 16 * number
            parts.append(f'<text x="{x}" y="{y}" style="fill:{colour};text-anchor:end">{html.escape(name)}</text>')
    middle = _TOP + height / 2
    parts.append(f'<text x="{_LEFT + width / 2}" y="{_HEIGHT - 6}">{html.escape(series.x_label)}</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" {turned}>{html.escape(series.y_label)}</text></svg>')
    return "".join(parts)
