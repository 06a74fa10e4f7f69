"""Whether simulated queues of one skill agree with Erlang's formulas, over a grid of loads and numbers of agents.

    python -m bench.acd_erlang

Erlang C without and Erlang A with callers who hang up. Each point is simulated several times; that the formula's value
is within the 99 % confidence interval of their mean is claimed of each figure. By chance alone one in a hundred is not.

Where hardly anybody ever waits, the spread of the runs says nothing of what none of them saw. Callers wait in spells,
while all agents are busy, each spell with 1 / (1 - load) callers in the mean; what was not seen once in n calls (that
one waits, is late, hangs up) may still be as frequent as 5.3 spells in n (Poisson, 99 %). No interval is narrower.
"""

from __future__ import annotations

import csv
import math
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from acd.erlang import Wait, wait_a
from acd.simulate.demand import Demand, Habits, Span
from acd.simulate.distributions import NEVER, Exponential
from acd.simulate.experiment import Plan, estimate, run
from acd.simulate.staff import always
from bench.checks import Checks
from bench.report import Series, write_svg
from config.schema import Site

HANDLE_S, PATIENCE_S, WITHIN_S = 180.0, 90.0, 20.0
AGENTS = (1, 2, 5, 10, 30, 100, 200)
LOADS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
SURE = 0.9999  # nothing may be outside this interval: not once in ten thousand by chance
RUNS = 10
SPELLS = 10  # so many in each run, that their mean be anywhere near normal
MOST_CALLS = 60_000  # of a run for that; where three times as many would not do, none are added
UNSEEN = {0.99: 5.3, SURE: 9.9}  # -ln of half of what is left
FIGURES = {"C": ("waits", "asa_s", "service_level"), "A": ("waits", "asa_s", "service_level", "abandons")}
RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Point:
    model: str  # C, A
    agents: int
    load: float  # share of the agents' time
    calls: int  # that count, of each run
    warm_up: int  # calls before these

    @classmethod
    def of(cls, model: str, agents: int, load: float, thorough: float = 1.0) -> Point:
        """As many calls as the queue needs to forget how it began: 1 / (1 - sqrt(load))² arrivals, but no fewer than
        there are agents. Who hangs up makes it forget sooner."""
        forgets = max(agents, (1 - math.sqrt(load)) ** -2 if model == "C" else 20.0)
        calls = max(6000.0, 6 * forgets)
        if load < 1:
            waits = wait_a(agents, load * agents, HANDLE_S, PATIENCE_S if model == "A" else math.inf, WITHIN_S).waits
            wanted = SPELLS / max(waits * (1 - load), 1e-300)
            calls = max(calls, min(wanted, MOST_CALLS)) if wanted < 3 * MOST_CALLS else calls
        return cls(model, agents, load, int(thorough * calls), int(3 * forgets + 100))

    def unseen(self, runs: int, sure: float) -> float:
        """The share of callers to whom a thing may happen though it was not seen to."""
        return UNSEEN[sure] / (runs * self.calls * max(1 - self.load, 0.01))


@dataclass(frozen=True, slots=True)
class Row:
    """A figure at a point: what the formula says and what was simulated."""

    model: str
    agents: int
    load: float
    figure: str
    formula: float
    simulated: float
    margin: float  # of the 99 % confidence interval
    sure: float  # of the 99.99 % one
    calls: int

    @property
    def inside(self) -> bool:
        return abs(self.formula - self.simulated) <= self.margin + 1e-12

    @property
    def possible(self) -> bool:
        return abs(self.formula - self.simulated) <= self.sure + 1e-12


def compare(point: Point, runs: int = RUNS) -> list[Row]:
    """Simulate the point, hold its figures against the formula's."""
    patience_s = PATIENCE_S if point.model == "A" else math.inf
    per_s = point.load * point.agents / HANDLE_S
    said = wait_a(point.agents, point.load * point.agents, HANDLE_S, patience_s, WITHIN_S)
    site = _site(point.agents)
    demand = Demand(
        {"queue": [Span(0.0, (point.calls + point.warm_up) / per_s, per_s)]},
        others=Habits(Exponential(HANDLE_S), NEVER if point.model == "C" else Exponential(patience_s)),
    )
    plan = Plan(site, demand, always(site.agents), warm_up_s=point.warm_up / per_s)
    days = [day.all() for day in run(plan, range(1, runs + 1)).days]
    return [_row(point, figure, said, [getattr(day, figure) for day in days]) for figure in FIGURES[point.model]]


def _row(point: Point, figure: str, said: Wait, values: Sequence[float | None]) -> Row:
    there = [value for value in values if value is not None]
    found, sure = estimate(there), estimate(there, SURE)
    formula, runs = getattr(said, figure), len(values)
    each = 1.0 if not figure.endswith("_s") else formula / said.waits if said.waits > 0 else 0.0  # a share, or a wait
    least, least_sure = each * point.unseen(runs, 0.99), each * point.unseen(runs, SURE)
    return Row(
        point.model, point.agents, point.load, figure, formula, found.mean,
        max(found.margin, least), max(sure.margin, least_sure), point.calls * runs,
    )  # fmt: skip


def _site(agents: int) -> Site:
    """One queue, in which whoever calls counts."""
    level = {"within_s": WITHIN_S, "short_abandon_s": 0}
    return Site.model_validate(
        {
            "site": "Erlang",
            "listen": {"sip": ["udp:127.0.0.1:5060"]},
            "agents": {f"a{n}": {"contact": f"sip:a{n}@127.0.0.1"} for n in range(agents)},
            "queues": {"queue": {"wrap_up_s": 0, "service_level": level}},
        }
    )


def grid() -> list[Point]:
    """The longest first: they are to be spread over the cores."""
    points = [Point.of(model, agents, load) for model in FIGURES for agents in AGENTS for load in LOADS]
    return sorted(points, key=lambda point: -point.calls)


def measure(points: Sequence[Point], bar: Progress) -> list[Row]:
    """On all cores."""
    task = bar.add_task("simulated", total=len(points))
    rows: list[Row] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done in as_completed([pool.submit(compare, point) for point in points]):
            rows += done.result()
            bar.advance(task)
    return sorted(rows, key=lambda row: (row.model, row.figure, row.agents, row.load))


def judge(rows: Sequence[Row]) -> Checks:
    checks = Checks()
    outside, expected = sum(not row.inside for row in rows), len(rows) / 100
    most = math.ceil(expected + 3 * math.sqrt(expected))
    checks.that(f"of {len(rows)} figures at most {most} are outside their 99 % intervals ({expected:.1f} by chance)",
                outside <= most, f"{outside} are")  # fmt: skip
    far = [row for row in rows if not row.possible]
    where = ", ".join(f"{row.model} {row.figure} {row.agents} x {row.load}" for row in far)
    checks.that("none is outside its 99.99 % interval", not far, where or "none is")
    return checks


def tables(rows: Sequence[Row]) -> Iterable[Table]:
    """For each model and figure, agents by load: formula, then what was simulated."""
    for model, figures in FIGURES.items():
        for figure in figures:
            table = Table(title=f"Erlang {model}: {figure}", title_justify="left")
            table.add_column("agents", justify="right")
            for load in LOADS:
                table.add_column(f"{load:g}", justify="right")
            for agents in AGENTS:
                of = {row.load: row for row in rows if (row.model, row.figure, row.agents) == (model, figure, agents)}
                table.add_row(str(agents), *(_shown(of[load]) for load in LOADS))
            yield table


def _shown(row: Row) -> str:
    scale = 1.0 if row.figure.endswith("_s") else 100.0
    formula, simulated, margin = (scale * value for value in (row.formula, row.simulated, row.margin))
    return f"{formula:.2f}: {simulated:.2f} ± {margin:.2f}{'' if row.inside else ' !'}"


def series(rows: Sequence[Row]) -> Series:
    """Who waits: formula as lines, simulated as lines over them."""
    curves = []
    for agents in (1, 10, 100, 200):
        of = [row for row in rows if row.model == "C" and row.figure == "waits" and row.agents == agents]
        curves.append((f"{agents} agents: formula", tuple((100 * row.load, 100 * row.formula) for row in of)))
        curves.append((f"{agents}: simulated", tuple((100 * row.load, 100 * row.simulated) for row in of)))
    return Series("share who wait, Erlang C and simulated", "load, %", "%", (), None, tuple(curves))


def main(
    results: Annotated[Path, typer.Option(help="where the CSV file and the plot go")] = RESULTS,
) -> None:
    """Simulate the grid. Exit status 1: it does not agree."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        rows = measure(grid(), bar)
    for table in tables(rows):
        console.print(table)
    checks = judge(rows)
    console.print(checks.table())
    results.mkdir(parents=True, exist_ok=True)
    with (results / "acd-erlang.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    write_svg(results / "acd-erlang.svg", series(rows))
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
