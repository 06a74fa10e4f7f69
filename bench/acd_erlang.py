"""Whether simulated queues of one skill agree with Erlang's formulas, over a grid of loads and numbers of agents.

    python -m bench.acd_erlang

Erlang C without and Erlang A with callers who hang up. Each point of the grid is simulated `RUNS` times with dice that
no other point has, so points are independent; the figures of one point are not. Of each figure it is claimed that the
formula's value is within the 99 % confidence interval (Student's t) of the mean of the runs. A run is one whole
simulation after its own warm-up, so that what is averaged is independent however long the queue remembers.

Of many true claims of 99 % some fail by chance. What is claimed of the grid is therefore said before it is simulated,
each with at most 1 % to fail by chance:

* **count**: of the (at most 42) points of a figure, those outside their intervals are binomial, 1 % each. With seven
  figures (Bonferroni) none may have more than `most_outside` points outside: 3 of 42;
* **all together**: no value at all is outside its interval of 1 - 1 % / 294 (Bonferroni again);
* **no bias**: over the points of a figure, the simulated value is as often above the formula's as below (sign test). An
  error that is the same everywhere but smaller than the intervals would show here: a queue that begins empty, one that
  is cut off at the end.

Callers wait in spells, while all agents are busy: what happens to them (to wait, to wait long, to hang up) comes
in spells with 1 / (1 - load) callers in the mean. Each run is long enough for `SPELLS` of the rarest, as far as that
can be paid; a figure of which fewer than `SEEN` spells are to be expected in all runs is shown and not judged: its runs
are no sample from anything near a normal distribution (most of them saw nothing).
"""

from __future__ import annotations

import csv
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from scipy.special import bdtr, bdtrc

from acd.erlang import Wait, wait_a
from acd.simulate.demand import Demand, Habits, Span
from acd.simulate.distributions import NEVER, Exponential
from acd.simulate.experiment import CONFIDENCE, Plan, estimate, run
from acd.simulate.staff import always
from bench.checks import Checks
from bench.report import Series, write_svg
from config.schema import Site

HANDLE_S, PATIENCE_S, WITHIN_S = 180.0, 90.0, 20.0
AGENTS = (1, 2, 5, 10, 30, 100, 200)
LOADS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
RUNS = 20
SPELLS = 5  # so many in each run
SEEN = 40  # so many in all runs, for a figure to be judged
MOST_CALLS = 30_000  # of a run for that; where three times as many would not do, none are added
FIGURES = {"C": ("waits", "asa_s", "service_level"), "A": ("waits", "asa_s", "service_level", "abandons")}
CHANCE = 0.01  # that a claim of the whole grid fails though all is right
ALL_SURE = 1 - CHANCE / (sum(map(len, FIGURES.values())) * len(AGENTS) * len(LOADS))
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
        """The warm-up is three times what the queue needs to forget how it began: 1 / (1 - sqrt(load))² arrivals, but
        no fewer than there are agents. Who hangs up makes it forget sooner."""
        forgets = max(agents, (1 - math.sqrt(load)) ** -2 if model == "C" else 20.0)
        calls = max(3000.0, 3 * forgets)
        if load < 1:
            rarest = min(share for share in _shares(_formula(model, agents, load)).values() if share > 0)
            wanted = SPELLS / max(rarest * (1 - load), 1e-300)
            calls = max(calls, min(wanted, MOST_CALLS)) if wanted < 3 * MOST_CALLS else calls
        return cls(model, agents, load, int(thorough * calls), int(3 * forgets + 100))

    @property
    def formula(self) -> Wait:
        return _formula(self.model, self.agents, self.load)

    def judged(self, figure: str, runs: int) -> bool:
        """Whether there is enough of it to be seen."""
        return runs * self.calls * _shares(self.formula)[figure] * max(1 - self.load, 0.01) >= SEEN


def _formula(model: str, agents: int, load: float) -> Wait:
    return wait_a(agents, load * agents, HANDLE_S, PATIENCE_S if model == "A" else math.inf, WITHIN_S)


def _shares(said: Wait) -> dict[str, float]:
    """To which share of callers happens what makes each figure; a mean wait is made by those who wait long."""
    late = 1.0 - said.service_level
    return {"waits": said.waits, "asa_s": late, "service_level": late, "abandons": said.abandons}


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
    widest: float  # of that of ALL_SURE
    calls: int  # of each run
    judged: bool
    runs: str  # the value of each

    @property
    def inside(self) -> bool:
        return abs(self.formula - self.simulated) <= self.margin + 1e-12

    @property
    def possible(self) -> bool:
        return abs(self.formula - self.simulated) <= self.widest + 1e-12


def compare(point: Point, runs: int = RUNS, seed: int = 1) -> list[Row]:
    """Simulate the point, hold its figures against the formula's. `seed`: of the first run."""
    patience_s = PATIENCE_S if point.model == "A" else math.inf
    per_s = point.load * point.agents / HANDLE_S
    site = _site(point.agents)
    demand = Demand(
        {"queue": [Span(0.0, (point.calls + point.warm_up) / per_s, per_s)]},
        others=Habits(Exponential(HANDLE_S), NEVER if point.model == "C" else Exponential(patience_s)),
    )
    plan = Plan(site, demand, always(site.agents), warm_up_s=point.warm_up / per_s)
    days = [day.all() for day in run(plan, range(seed, seed + runs)).days]
    return [_row(point, figure, [getattr(day, figure) for day in days]) for figure in FIGURES[point.model]]


def _row(point: Point, figure: str, values: Sequence[float | None]) -> Row:
    there = [value for value in values if value is not None]
    found, widest = estimate(there), estimate(there, ALL_SURE).margin
    return Row(
        point.model, point.agents, point.load, figure, getattr(point.formula, figure), found.mean, found.margin, widest,
        point.calls, point.judged(figure, len(values)), " ".join(f"{value:.6g}" for value in there),
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
    return [Point.of(model, agents, load) for model in FIGURES for agents in AGENTS for load in LOADS]


def measure(points: Sequence[Point], bar: Progress, done: Done, seed: int = 1) -> list[Row]:
    """On all cores, those that take longest first. No two runs have the same dice."""
    seeds = {point: seed + n * RUNS for n, point in enumerate(points)}
    left = sorted((point for point in points if point not in done.points), key=lambda point: -point.calls)
    task = bar.add_task("simulated", total=len(points), completed=len(points) - len(left))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for one in as_completed([pool.submit(compare, point, RUNS, seeds[point]) for point in left]):
            done.add(one.result())
            bar.advance(task)
    return sorted(done.rows, key=lambda row: (row.model, row.figure, row.agents, row.load))


class Done:
    """What was simulated, in a file: a run that was broken off goes on where it was."""

    def __init__(self, file: Path, go_on: bool) -> None:
        self.file = file
        self.rows: list[Row] = []
        if go_on and file.exists():
            with file.open(newline="") as lines:
                self.rows = [_read(line) for line in csv.DictReader(lines)]
        file.parent.mkdir(parents=True, exist_ok=True)
        self._write(self.rows, "w")

    @property
    def points(self) -> set[Point]:
        return {Point.of(row.model, row.agents, row.load) for row in self.rows}

    def add(self, rows: Sequence[Row]) -> None:
        self.rows += rows
        self._write(rows, "a")

    def _write(self, rows: Iterable[Row], mode: str) -> None:
        with self.file.open(mode, newline="") as file:
            writer = csv.DictWriter(file, [one.name for one in fields(Row)])
            if mode == "w":
                writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


def _read(line: Mapping[str, str]) -> Row:
    formula, simulated, margin, widest = (float(line[name]) for name in ("formula", "simulated", "margin", "widest"))
    return Row(
        line["model"], int(line["agents"]), float(line["load"]), line["figure"], formula, simulated, margin, widest,
        int(line["calls"]), line["judged"] == "True", line["runs"],
    )  # fmt: skip


def judge(rows: Sequence[Row]) -> Checks:
    """The three claims of the grid."""
    checks = Checks()
    kinds: dict[str, list[Row]] = {}
    rows = [row for row in rows if row.judged]
    for row in rows:
        kinds.setdefault(f"{row.model} {row.figure}", []).append(row)
    for name, some in kinds.items():
        outside, most = [row for row in some if not row.inside], most_outside(len(some), len(kinds))
        checks.that(f"{name}: of {len(some)} points at most {most} are outside their 99 % intervals",
                    len(outside) <= most, _where(outside))  # fmt: skip
    far = [row for row in rows if not row.possible]
    checks.that(f"none of {len(rows)} is outside the interval in which all are in 99 % of grids", not far, _where(far))
    for name, some in kinds.items():
        above, least = sum(row.simulated > row.formula for row in some), fewest_above(len(some), len(kinds))
        checks.that(f"{name}: of {len(some)} points {least} to {len(some) - least} are above the formula",
                    least <= above <= len(some) - least, above)  # fmt: skip
    return checks


def _where(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.agents} agents at {row.load:g}" for row in rows) or "none"


def most_outside(points: int, kinds: int) -> int:
    """So many of `points` true intervals of 99 % may fail by chance: that more do, in any of `kinds` such counts, has a
    probability of CHANCE at most."""
    return next(most for most in range(points + 1) if kinds * float(bdtrc(most, points, 1 - CONFIDENCE)) <= CHANCE)


def fewest_above(points: int, kinds: int) -> int:
    """That fewer of `points` throws of a coin, or more than the others, are heads, in any of `kinds` such counts, has a
    probability of CHANCE at most."""
    return next(
        (least for least in range(points // 2, 0, -1) if 2 * kinds * float(bdtr(least - 1, points, 0.5)) <= CHANCE), 0
    )


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
    shown = f"{formula:.2f}: {simulated:.2f} ± {margin:.2f}"
    return f"({shown})" if not row.judged else shown if row.inside else f"{shown} !"


def series(rows: Sequence[Row]) -> Series:
    """Who waits: formula as lines, simulated as lines over them."""
    curves = []
    for agents in (1, 10, 100, 200):
        of = [row for row in rows if row.model == "C" and row.figure == "waits" and row.agents == agents]
        curves.append((f"{agents} agents: formula", tuple((100 * row.load, 100 * row.formula) for row in of)))
        curves.append((f"{agents}: simulated", tuple((100 * row.load, 100 * row.simulated) for row in of)))
    return Series("share who wait, Erlang C and simulated", "load, %", "%", (), None, tuple(curves))


def main(
    seed: Annotated[int, typer.Option(help="of the first run; the others have those after it")] = 1,
    go_on: Annotated[bool, typer.Option("--go-on", help="with the points that the CSV file has already")] = False,
    results: Annotated[Path, typer.Option(help="where the CSV file and the plot go")] = RESULTS,
) -> None:
    """Simulate the grid. Exit status 1: it does not agree."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        rows = measure(grid(), bar, Done(results / "acd-erlang.csv", go_on), seed)
    for table in tables(rows):
        console.print(table)
    checks = judge(rows)
    console.print(checks.table())
    write_svg(results / "acd-erlang.svg", series(rows))
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
