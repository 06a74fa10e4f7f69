"""The tables that `plateau calls` and `plateau cdr` print. They fit into 80 columns, on more lines; a call's
id, to be copied into other commands, is never broken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from pbx.store.cdr import CdrRow

ID_WIDTH = 19  # of a call's id


def calls_table(rows: Sequence[dict[str, Any]], now: float) -> Table:
    table = _table(f"{len(rows)} live call{'s' if len(rows) != 1 else ''}")
    for column in ("from", "to", "state"):
        table.add_column(column, min_width=8, overflow="fold")
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("with", overflow="fold")
    table.add_column("call, attributes", min_width=ID_WIDTH, overflow="fold")
    for row in rows:
        more = "\n".join([row["id"], *(f"{key}={value}" for key, value in row["attributes"].items())])
        who = str(row["with"] or row["destination"])
        _add(table, (row["from"], row["to"], row["state"], _seconds(now - row["since"]), who, more))
    return table


def cdr_table(rows: Sequence[CdrRow], zone: dt.tzinfo) -> Table:
    """Oldest first, as in a log. What only queues have is left out if no call saw one."""
    table = _table(f"last {len(rows)} call{'s' if len(rows) != 1 else ''}")
    queues = any(row.queue for row in rows)
    for column, width in (("started, call", ID_WIDTH), ("from", 12), ("to", 10), ("went to", 10)):
        table.add_column(column, min_width=width, overflow="fold")
    for column in (*(("wait",) if queues else ()), "talk", "total"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("end", overflow="fold")
    for row in rows:
        started = f"{dt.datetime.fromtimestamp(row.started_at, zone):%d %b %H:%M:%S}\n{row.call_id}"
        way = [row.destination]
        if row.queue and row.destination != f"queue {row.queue}":
            way.append(f"queue {row.queue}")
        if row.agent:
            way.append(row.agent)
        cells = [started, row.from_number, row.to_number, ", ".join(way)]
        if queues:
            cells.append(_seconds(row.waited_s) if row.queue else "")
        end = f"{row.status} {row.cause}" if row.status is not None else row.cause
        cells += [_seconds(row.talked_s), _seconds(row.ended_at - row.started_at), end]
        _add(table, cells)
    return table


def trunks_table(rows: Sequence[dict[str, Any]], now: float) -> Table:
    """A line for each gateway; what concerns the trunk stands at its first."""
    table = _table(f"{len(rows)} trunk{'s' if len(rows) != 1 else ''}")
    table.add_column("trunk", overflow="fold")
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("registration", overflow="fold")
    table.add_column("gateway", min_width=12, overflow="fold")
    for column in ("state", "for", "answers in"):
        table.add_column(column, justify="right" if column != "state" else "left", no_wrap=True)
    for row in rows:
        wish = row["registration"]
        head = [row["name"], str(row["calls"]), "" if wish is None else _registration(wish)]
        for one in row["gateways"] or [None]:
            way = ["", "", "", ""] if one is None else _gateway(one, now)
            _add(table, [*head, *way])
            head = ["", "", ""]
    return table


def _registration(wish: dict[str, Any]) -> str:
    return f"{wish['state']}: {wish['last_status']} {wish['last_reason']}" if wish["failures"] else str(wish["state"])


def _gateway(one: dict[str, Any], now: float) -> list[str]:
    since = "" if one["since"] is None else _seconds(now - one["since"])
    return [one["uri"], one["state"], since, _milliseconds(one["round_trip_ms"])]


def phones_table(rows: Sequence[dict[str, Any]], now: float) -> Table:
    """A line for each contact."""
    table = _table(f"{len(rows)} registered phone{'s' if len(rows) != 1 else ''}")
    for column in ("phone", "contact", "reached at"):
        table.add_column(column, overflow="fold")
    for column in ("expires in", "answers in"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        for one in row["contacts"]:
            silent = "" if not one["silent"] else "silent" if row["reachable"] else "unreachable"
            times = _seconds(one["expires_at"] - now), _milliseconds(one["round_trip_ms"])
            _add(table, [row["extension"], one["uri"], one["hop"], *times, silent])
    return table


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def bans_table(rows: Sequence[dict[str, Any]], now: float) -> Table:
    """The newest first."""
    table = _table(f"{len(rows)} banned source{'s' if len(rows) != 1 else ''}")
    table.add_column("source", overflow="fold")
    for column in ("since", "until", "offence"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in rows:
        since, until = f"{now - row['since']:.0f} s ago", f"in {row['until'] - now:.0f} s"
        _add(table, (row["source"], since, until, str(row["offence"]), row["reason"]))
    return table


def tolls_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Who has spent the most comes first."""
    table = _table("calls out, today")
    table.add_column("account", overflow="fold")
    for column in ("spent", "of", "calls now"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda row: -row["spent_today"]):
        most = "" if row["spend_per_day"] is None else f"{row['spend_per_day']:.2f}"
        _add(table, (row["account"], f"{row['spent_today']:.2f}", most, str(row["calls"])))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)


def _add(table: Table, cells: Iterable[str]) -> None:
    """As they are: names and numbers come from callers and may look like rich's markup."""
    table.add_row(*map(Text, cells))


def _seconds(value: float) -> str:
    return f"{value:.0f} s"
