"""`plateau simulate`: a day of calls against the queues and agents of a site, in virtual time."""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.errors import SiteError
from pbx.console import WRONG, SiteFile, err, fail, out, read_site, run, say_red

if TYPE_CHECKING:
    from acd.simulate.experiment import Plan, Results
    from acd.simulate.find_staff import Task
    from acd.simulate.recorded import RecordedDay
    from config.schema import Site
    from pbx.simulation import Words
    from pbx.store.rows import JournalRow

Option = typer.Option
Arrivals = Annotated[Path | None, Option(help="a CSV of calls: time, queue, attributes ...", show_default=False)]
Rate = Annotated[list[str] | None, Option(help="calls an hour: 120, shared by all queues, or asia=30 (repeatable)")]
Day = Annotated[
    str | None, Option(help="a CSV of calls by time of day: time, QUEUE ...; with --replay the date: 2026-11-21")
]
Replay = Annotated[str | None, Option(help="take calls and agents' hours from these records", metavar="DATABASE")]
From = Annotated[str, Option("--from", help="with --rate: the first call comes after")]
To = Annotated[str, Option("--to", help="with --rate: the last call comes before")]
Date = Annotated[str | None, Option(help="which day it is, for opening hours: 2026-12-24")]
Agents = Annotated[
    list[str] | None,
    Option(help="who works: 12, '12 like NAME', '12: asia 7, french 9' (repeatable); without it the site's agents"),
]
Shifts = Annotated[Path | None, Option(help="a CSV of who works when: agent, from, to and perhaps count")]
Talk = Annotated[
    list[str] | None,
    Option(help="how long they talk: 'exponential 3m', 'lognormal 4m 0.8', 'constant 90s', 'csv FILE'; QUEUE=... too"),
]
Patience = Annotated[list[str] | None, Option(help="how long callers wait: as --talk, or never (as it is)")]
WrapUp = Annotated[str | None, Option(help="how long agents note a call down; without it as the queue says")]
PickUp = Annotated[str, Option(help="a ringing phone is taken up after this time")]
Missed = Annotated[str, Option(help="share of offered calls that an agent does not take: 2 %")]
Callbacks = Annotated[
    str | None, Option(help="share of those offered a callback who take it: 30 % (as it is)", show_default=False)
]
Reached = Annotated[str, Option(help="share of calls to customers that they answer")]
CustomerRings = Annotated[str, Option(help="they answer after this time")]
CallsAgain = Annotated[str, Option(help="share of those who hang up who call again while their place is kept")]
Attribute = Annotated[list[str] | None, Option(help="an attribute of the calls: destination=asia (repeatable)")]
WarmUp = Annotated[str, Option(help="what happens so long at the beginning does not count")]
Seeds = Annotated[int, Option(help="how many days, each with other dice", min=1, max=1000)]
Seed = Annotated[int, Option(help="the first day's dice: the same seed gives the same calls", min=0, max=2**31)]
Report = Annotated[Path | None, Option(help="a folder for a page with plots, index.html", metavar="FOLDER")]
FindStaff = Annotated[bool, Option("--find-staff", help="find the cheapest staff that reaches the service levels")]
Cost = Annotated[list[str] | None, Option(help="with --find-staff: what an hour of a type costs: NAME=25 (repeatable)")]
Shift = Annotated[list[str] | None, Option(help="with --find-staff: a shift there may be: 08:00-16:00 (repeatable)")]
EveryHour = Annotated[bool, Option("--every-hour", help="with --find-staff: reach the service levels in each hour")]
AsJson = Annotated[bool, Option("--json", help="print JSON")]


def simulate(
    site: SiteFile,
    arrivals: Arrivals = None,
    rate: Rate = None,
    day: Day = None,
    replay: Replay = None,
    start: From = "09:00",
    until: To = "17:00",
    date: Date = None,
    agents: Agents = None,
    shifts: Shifts = None,
    talk: Talk = None,
    patience: Patience = None,
    wrap_up: WrapUp = None,
    pick_up: PickUp = "0s",
    missed: Missed = "0 %",
    callbacks: Callbacks = None,
    reached: Reached = "80 %",
    customer_rings: CustomerRings = "10s",
    calls_again: CallsAgain = "0 %",
    attribute: Attribute = None,
    warm_up: WarmUp = "0s",
    seeds: Seeds = 5,
    seed: Seed = 1,
    find_staff: FindStaff = False,
    cost: Cost = None,
    shift: Shift = None,
    every_hour: EveryHour = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a day: the site's own queues and rules, callers and agents out of numbers; service level, waits and
    occupancy by queue, skill and hour."""
    from pbx.simulation import Hiring, Words, plan_of, task_of

    read = read_site(site)
    words = Words(
        arrivals, rate or (), day, replay, start, until, date, agents or (), shifts, talk or (), patience or (),
        wrap_up, pick_up, missed, attribute or (), warm_up, callbacks, reached, customer_rings, calls_again,
    )  # fmt: skip
    if not find_staff and (cost or shift or every_hour):
        fail("--cost, --shift and --every-hour belong to --find-staff")
    with told():
        recorded = None if replay is None else recorded_day(read, words)
        if find_staff:
            task = task_of(read, words, Hiring(cost or (), shift or (), every_hour), recorded)
            results = find(task, range(seed, seed + seeds), as_json)
        else:
            plan = plan_of(read, words, recorded)
            results = simulated(plan, range(seed, seed + seeds))
            show(results, as_json, recorded)
    if report is not None:
        write(report, results, f"{site}")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Mistakes in options and files are said as such."""
    from pbx.simulation import OptionError

    try:
        yield
    except OptionError as error:
        fail(str(error))
    except SiteError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        count = len(error.problems)
        say_red(f"{error.problems[0].file}: {count} mistake{'s' if count > 1 else ''}")
        raise typer.Exit(WRONG) from None


def simulated(plan: Plan, dice: range) -> Results:
    """With a progress bar."""
    from acd.simulate.experiment import run as run_days

    text = f"{len(dice)} day{'s' if len(dice) > 1 else ''}, {plan.demand.mean_calls:,.0f} calls each"
    with progress(text) as (bar, task):
        return run_days(plan, dice, lambda share: bar.update(task, completed=share))


@contextlib.contextmanager
def progress(text: str, total: float | None = 1.0) -> Iterator[tuple[Progress, TaskID]]:
    """A bar on a terminal. No garbage is collected meanwhile: hardly any is made, and
    looking for it would cost a fifth of the time."""
    known = () if total is None else (TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *known)
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    collects = gc.isenabled()
    gc.disable()
    try:
        with bar:
            yield bar, bar.add_task(text, total=total)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        if collects:
            gc.enable()


def recorded_day(site: Site, words: Words) -> RecordedDay:
    """The journal's day, and the one before, for who was at work when it began."""
    from acd.simulate.recorded import DAY_S, KINDS, RecordedDay
    from pbx.simulation import OptionError, day_of, midnight_of
    from pbx.store.errors import StoreError
    from pbx.store.records import Records

    midnight = midnight_of(site, day_of(words))
    url = words.replay or ""

    async def rows() -> list[JournalRow]:
        async with Records(url if "://" in url else f"sqlite:///{url}") as records:
            return await records.between(midnight - DAY_S, midnight + 1.25 * DAY_S, KINDS)

    try:
        found = run(rows)
    except StoreError as error:
        raise OptionError(f"--replay: {error}") from None
    return RecordedDay(((row.at, row.kind, row.call_id, row.data) for row in found), midnight)


def find(task: Task, dice: range, as_json: bool) -> Results:
    """With a count of what was tried."""
    from acd.simulate.find_staff import NobodyServes, NotEnough, days_needed
    from acd.simulate.find_staff import find as searched
    from pbx.simulate_tables import plain, staff_rows, staff_table

    dice = range(dice.start, dice.start + max(len(dice), days_needed(task.demand)))
    with progress(f"staffs are compared on {len(dice)} days", None) as (bar, bar_task):

        def say(tried: int, cost: float) -> None:
            cheapest = "" if math.isinf(cost) else f", cheapest so far: {cost:,.6g}"
            bar.update(bar_task, description=f"{tried} staffs compared on {len(dice)} days or more{cheapest}")

        try:
            found = searched(task, dice, say)
        except (NobodyServes, NotEnough) as error:
            fail(str(error), WRONG)
    if as_json:
        told = {"cost": found.cost, "compared": found.tried, "searched_to_its_end": found.whole}
        out.print_json(json.dumps({**told, "staff": staff_rows(task, found), **plain(found.results)}))
        return found.results
    out.print(staff_table(task, found))
    show(found.results, False)
    return found.results


def show(results: Results, as_json: bool, recorded: RecordedDay | None = None) -> None:
    from pbx.simulate_tables import plain, recorded_table, recorded_values, tables

    levels = {name: queue.service_level for name, queue in results.plan.site.queues.items()}
    if as_json:
        then = {} if recorded is None else {"recorded": recorded_values(recorded, levels)}
        out.print_json(json.dumps({**plain(results), **then}))
        return
    if recorded is not None:
        out.print(recorded_table(recorded, levels))
    for table in tables(results):
        out.print(table)
    runs = len(results.days)
    word = "one day; chance is not known: --seeds 5" if runs < 2 else f"means of {runs} days, ± 99 % confidence"
    missing = results.all()["waiting"]
    out.print(f"[dim]{word}[/dim]")
    if missing is not None and missing.mean > 0 and math.isfinite(missing.mean):
        out.print(f"{missing.mean:,.1f} callers a day were never answered: nobody who was there could take them",
                  style="yellow", highlight=False)  # fmt: skip


def write(folder: Path, results: Results, title: str) -> None:
    from pbx.simulate_report import write_report

    try:
        written = write_report(folder, results, title)
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror}")
    for path in written:
        out.print(f"wrote {path}", highlight=False, soft_wrap=True)
