"""`plateau erlang`: Erlang's formulas as tables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from acd.simulate.words import WordError, duration_s, share, shown_s
from pbx.console import fail, out

if TYPE_CHECKING:
    from acd.erlang import Wait

MAX_ROWS = 1000
_T = TypeVar("_T")
_RANGE = re.compile(r"(\d{1,6})(?:\.\.(\d{1,6}))?")


def given(option: str, read: Callable[[str], _T], text: str) -> _T:
    """The option's value, or what was expected in its place and exit status 2."""
    try:
        return read(text)
    except WordError as error:
        fail(f"{option}: {error}")


def erlang(
    calls: Annotated[float, typer.Option(help="calls that come in an hour (or in --per)", min=0)],
    handle: Annotated[str, typer.Option(help="mean handle time, wrap-up included: 240, 4m")] = "3m",
    per: Annotated[str, typer.Option(help="the time in which so many calls come")] = "1h",
    agents: Annotated[str | None, typer.Option(help="how many: 14, or 10..20; without it as are needed")] = None,
    patience: Annotated[
        str | None, typer.Option(help="mean time after which callers hang up (Erlang A); without it never (Erlang C)")
    ] = None,
    within: Annotated[str, typer.Option(help="service level: answered within this time")] = "20s",
    target: Annotated[str, typer.Option(help="service level that is needed: 80 %, 0.8")] = "80 %",
    asa: Annotated[str | None, typer.Option(help="needed besides: answered after so long at most, in the mean")] = None,
    abandons: Annotated[str | None, typer.Option(help="needed besides: at most such a share hangs up: 5 %")] = None,
    occupancy: Annotated[str | None, typer.Option(help="needed besides: agents are at work for at most: 90 %")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="lines instead of agents: nobody waits (Erlang B)")] = False,
    blocked: Annotated[str, typer.Option(help="with --lines: at most such a share finds no line free")] = "1 %",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Agents a queue needs and waits of its callers (Erlang C, A), or lines a trunk needs (Erlang B)."""
    handle_s, per_s = given("--handle", duration_s, handle), given("--per", duration_s, per)
    if handle_s <= 0 or per_s <= 0:
        fail(f"--{'handle' if handle_s <= 0 else 'per'}: expected a time above 0, found 0")
    load = calls / per_s * handle_s
    if load > 100_000:
        fail(f"expected at most 100,000 erlangs, found {load:,.0f}: --calls or --handle is too much")
    counts = _counts(agents)
    if lines:
        _show_lines(load, given("--blocked", share, blocked), counts, as_json)
        return
    patience_s = math.inf if patience is None else given("--patience", duration_s, patience)
    if patience_s <= 0:
        fail("--patience: expected a time above 0, found 0")
    within_s, wanted = given("--within", duration_s, within), given("--target", share, target)

    def wait(n: int) -> Wait:
        from acd.erlang import wait_a

        return wait_a(n, load, handle_s, patience_s, within_s)

    limits = {
        "asa_s": None if asa is None else given("--asa", duration_s, asa),
        "abandons": None if abandons is None else given("--abandons", share, abandons),
        "occupancy": None if occupancy is None else given("--occupancy", share, occupancy),
    }

    def enough(n: int) -> bool:
        found = wait(n)
        return found.service_level >= wanted and all(
            most is None or getattr(found, name) <= most for name, most in limits.items()
        )

    _show(load, within_s, wait, _needed(enough), counts, as_json)


def _counts(text: str | None) -> range | None:
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
    if last < first:
        fail(f"--agents: expected a number, or two as 10..20, found {text}")
    if last - first >= MAX_ROWS:
        fail(f"--agents: expected at most {MAX_ROWS:,} rows, found {last - first + 1:,}")
    return range(first, last + 1)


def _needed(enough: Callable[[int], bool]) -> int:
    from acd.erlang import agents_needed

    found = agents_needed(enough)
    if found is None:
        fail("a million agents would not do: a service level of 100 %, or an ASA or occupancy of 0, is out of reach")
    return found


def _show(
    load: float, within_s: float, wait: Callable[[int], Wait], needed: int, counts: range | None, as_json: bool
) -> None:
    rows = [wait(n) for n in counts or _around(needed, load)]
    if as_json:
        out.print_json(json.dumps({"load": load, "agents_needed": needed, "table": [_plain(asdict(r)) for r in rows]}))
        return
    table = Table(title=f"{load:.4g} erlangs: {needed:,} agents needed", title_justify="left")
    headings = ("agents", "wait", "answered after", f"in {shown_s(within_s)}", "hang up", "waiting", "occupancy")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        cells = (
            f"{row.agents:,}", percent(row.waits), shown_s(row.asa_s), percent(row.service_level),
            percent(row.abandons), "endless" if math.isinf(row.waiting) else f"{row.waiting:.1f}",
            percent(row.occupancy),
        )  # fmt: skip
        table.add_row(*cells, style="bold green" if row.agents == needed else "" if row.agents > needed else "dim")
    out.print(table)


def _around(needed: int, load: float) -> range:
    step = max(1, round(math.sqrt(load) / 8))
    first = max(0, needed - 6 * step)
    return range(needed - (needed - first) // step * step, needed + 6 * step + 1, step)


def _show_lines(load: float, blocked: float, counts: range | None, as_json: bool) -> None:
    from acd.erlang import erlang_b, lines_needed

    if blocked <= 0:
        fail("--blocked: expected a share above 0, found 0")
    needed = lines_needed(load, blocked)
    rows = [(n, erlang_b(n, load)) for n in counts or _around(needed, load)]
    if as_json:
        found = [{"lines": n, "blocked": lost, "occupancy": load * (1 - lost) / n if n else 0.0} for n, lost in rows]
        out.print_json(json.dumps({"load": load, "lines_needed": needed, "table": found}))
        return
    table = Table(title=f"{load:.4g} erlangs: {needed:,} lines needed", title_justify="left")
    for heading in ("lines", "blocked", "occupancy"):
        table.add_column(heading, justify="right")
    for n, lost in rows:
        style = "bold green" if n == needed else "" if n > needed else "dim"
        table.add_row(f"{n:,}", percent(lost), percent(load * (1 - lost) / n if n else 0.0), style=style)
    out.print(table)


def percent(value: float) -> str:
    return f"{100 * value:.2f} %" if value < 0.1 else f"{100 * value:.1f} %"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: null."""
    return {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}
