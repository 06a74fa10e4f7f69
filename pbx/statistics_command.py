"""`plateau stats` and `plateau queue-log`: figures of queues, agents and flows, and calls for other tools."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from acd.report import STEPS, report
from config.schema import Site
from cti.ivr_statistics import BY
from pbx.console import SiteFile, fail, out, read_site, run

FORMS = ("table", "csv", "json")
_SHOWN = {
    "queue": ("offered", "answered", "service_level", "asa_s", "aht_s", "abandoned", "abandon_share", "longest_wait_s",
              "overflowed", "transferred", "estimate_error_s"),
    "agent": ("offers", "answered", "no_answer", "rejected", "completed", "aht_s", "logged_in_s", "busy_s", "wrap_up_s",
              "not_ready_s", "occupancy"),
    "ivr": ("entered", "left", "hung_up", "ended", "inputs", "no_match", "no_input", "unmatched_share", "silent_share",
            "spent_s"),
}  # fmt: skip
_SHARES = ("service_level", "service_level_answered", "abandon_share", "estimate_near_share", "occupancy",
           "unmatched_share", "silent_share")  # fmt: skip

Since = Annotated[str | None, typer.Option("--from", help="begin: 2026-11-22, 2026-11-22T09:00; without it today")]
Before = Annotated[str | None, typer.Option("--to", help="end, likewise; without it now")]


def stats(
    site: SiteFile,
    since: Since = None,
    before: Before = None,
    by: Annotated[str, typer.Option("--by", help="queue, skill, trunk, partner, agent or ivr")] = "queue",
    step: Annotated[str, typer.Option("--step", help="interval (a quarter of an hour), hour, day or total")] = "total",
    name: Annotated[str | None, typer.Option("--name", help="of this one only; of a flow FLOW/STATE")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json")] = "table",
    rebuild: Annotated[bool, typer.Option("--rebuild", help="first make all figures anew from the journal")] = False,
) -> None:
    """Show figures of queues, skills, agents or flows, from the records: quarters of an hour that are over. Needs no
    running server."""
    from pbx.store.errors import StoreError

    for option, value, words in (("--by", by, BY), ("--step", step, STEPS), ("--format", form, FORMS)):
        if value not in words:
            fail(f"{option}: expected one of {', '.join(words)}, found {value}")
    read = read_site(site)
    start, end = span(read, since, before)
    try:
        rows = run(lambda: _read(read, by, start, end, name, step, rebuild))
    except StoreError as error:
        fail(str(error))
    if form == "json":
        print_plain(json.dumps(rows, indent=1))
    elif form == "csv":
        print_plain(as_csv(rows, ZoneInfo(read.locale.timezone)))
    else:
        out.print(as_table(rows, by, ZoneInfo(read.locale.timezone)))
    if not rows:  # a day that has just begun
        typer.echo("nothing in that time: figures are here when their quarter of an hour is over", err=True)


async def _read(
    site: Site, by: str, start: float, end: float, name: str | None, step: str, rebuild: bool
) -> list[dict[str, Any]]:
    from cti.statistics import history, shape_of
    from pbx.statistics_history import rebuild as make_anew
    from pbx.store.records import Records

    if rebuild:
        await make_anew(site.records.url)
    async with Records(site.records.url) as records:
        parts = await history(records, by, start, end, name)
    return report(parts, step, site.locale.timezone, shape_of(by))


def queue_log(
    site: SiteFile,
    since: Since = None,
    before: Before = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="a file; without it standard output")] = None,
) -> None:
    """Write what happened in the queues as Asterisk's queue_log, for tools that read that. Needs no running server."""
    from pbx.store.errors import StoreError

    read = read_site(site)
    start, end = span(read, since, before)
    try:
        if to is None:
            run(lambda: _write_log(read, start, end, sys.stdout))
        else:
            with to.open("w", encoding="utf-8") as file:
                run(lambda: _write_log(read, start, end, file))
    except StoreError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{to}: {error.strerror}")


async def _write_log(site: Site, start: float, end: float, to: Any) -> None:
    from pbx.queue_log import KINDS, QueueLog, lines
    from pbx.store.records import Records

    keys = {name: queue.callback.key for name, queue in site.queues.items() if queue.callback is not None}
    log = QueueLog(members_of(site), keys)
    async with Records(site.records.url) as records:
        async for line in lines(records.journal(KINDS, start - 86_400, end), log, start):
            to.write(line + "\n")
            await asyncio.sleep(0)


def members_of(site: Site) -> dict[str, list[str]]:
    """The queues that each agent could serve, as the engine sees it."""
    from acd.engine import Engine

    floor = Engine(site, 0.0).floor
    return {
        name: [queue.name for queue in floor.queues.values() if queue.able >> agent.slot & 1]
        for name, agent in floor.roster.agents.items()
    }


def span(site: Site, since: str | None, before: str | None) -> tuple[float, float]:
    """Seconds since 1970, by the site's clocks."""
    zone = ZoneInfo(site.locale.timezone)
    now = dt.datetime.now(zone)
    today = dt.datetime.combine(now.date(), dt.time(), zone)
    start = today if since is None else _moment("--from", since, zone)
    end = now if before is None else _moment("--to", before, zone)
    if end <= start:
        fail("--to: expected a time after --from")
    return start.timestamp(), end.timestamp()


def _moment(option: str, text: str, zone: ZoneInfo) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option}: expected a date or a time as 2026-11-22 or 2026-11-22T09:00, found {text}")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def as_csv(rows: list[dict[str, Any]], zone: ZoneInfo) -> str:
    """A line of names, then a line each. Times not ready, by reason, and dispositions stand in columns of
    their own."""
    flat = [_flat(row, zone) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().rstrip("\n")


def _flat(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if not isinstance(value, dict)}
    if "start" in found:
        found["start"] = dt.datetime.fromtimestamp(found["start"], zone).isoformat()
    for head, key in (("not_ready_s", "not_ready_by_reason_s"), ("disposition", "dispositions")):
        found |= {f"{head}: {name}": value for name, value in row.get(key, {}).items()}
    return found


def as_table(rows: list[dict[str, Any]], by: str, zone: ZoneInfo) -> Table:
    table = Table()
    with_start, with_channel = any("start" in row for row in rows), by not in ("agent", "ivr")
    columns = _SHOWN.get(by, _SHOWN["queue"])
    columns += ("dispositions",) if any(row.get("dispositions") for row in rows) else ()
    for head in (*(("from",) if with_start else ()), by, *(("channel",) if with_channel else ())):
        table.add_column(head)
    for name in columns:
        table.add_column(name.removesuffix("_s").replace("_", " "), justify="right")
    for row in rows:
        cells = [f"{dt.datetime.fromtimestamp(row['start'], zone):%Y-%m-%d %H:%M}"] if with_start else []
        cells += [row["name"], *([row["channel"]] if with_channel else [])]
        table.add_row(*cells, *(_shown(name, row[name]) for name in columns))
    return table


def _shown(name: str, value: float | dict[str, int] | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {count:,}" for name, count in value.items())
    if name in _SHARES:
        return f"{100 * value:.1f} %"
    if name.endswith("_s"):
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
    return f"{value:,}"


def print_plain(text: str) -> None:
    """For programs: as it is, without colours, wrapping or markup."""
    sys.stdout.write(text + "\n")
