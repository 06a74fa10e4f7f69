"""The tables of `plateau calls` and `plateau cdr`: nothing cut, nothing taken for markup, 80 columns."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from pbx.store.cdr import CdrRow
from pbx.tables import calls_table, cdr_table, phones_table, trunks_table

ID = "1a200f104662ac2b25a"  # as `plateau explain` and `plateau ladder` want it
CALL: dict[str, Any] = {
    "id": ID, "from": "+33612345678", "to": "0180000001", "state": "answered", "with": None,
    "destination": "queue asia", "since": 100.0, "attributes": {"basket": 2300, "customer": "Lea [/x] Bernard"},
}  # fmt: skip


def row(
    queue: str | None = None, agent: str | None = None, status: int | None = 200, cause: str = "caller hung up"
) -> CdrRow:
    return CdrRow(
        1, ID, 1_795_305_059.0, None, None, 1_795_305_078.0, "inbound", "+33612345678", "0180000001", "carrier",
        "ivr welcome", queue, agent, 18.0, 1.0, cause, status, None, None, 0, 0, 0, 0.0,
    )  # fmt: skip


def shown(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_live_calls(width: int) -> None:
    text = shown(calls_table([CALL, CALL | {"with": "alice", "from": "[red]", "attributes": {}}], 112.0), width)
    assert text.startswith("2 live calls") and "…" not in text and max(map(len, text.splitlines())) <= width
    for part in ("+33612345678", "0180000001", "12 s", "queue asia", "[/x]", "basket=2300", "[red]", "alice"):
        assert part in text
    assert text.count(ID) == 2


@pytest.mark.parametrize("width", [80, 200])
def test_records(width: int) -> None:
    text = shown(cdr_table([row(), row("asia", "alice"), row(status=None, cause="server stopped")], dt.UTC), width)
    assert text.startswith("last 3 calls") and "…" not in text and max(map(len, text.splitlines())) <= width
    for part in ("21 Nov", "23:50:59", "+33612345678", "0180000001", "alice", "18 s", "19 s", "wait"):
        assert part in text
    assert "None" not in text and text.count(ID) == 3


def test_records_without_a_queue_have_no_such_column() -> None:
    text = shown(cdr_table([row()], dt.UTC), 200)
    assert text.startswith("last 1 call ") and "wait" not in text and "200 caller hung up" in text


@pytest.mark.parametrize("width", [80, 200])
def test_trunks(width: int) -> None:
    down = {"uri": "sip:gw2.example", "priority": 1, "weight": 1, "state": "down", "since": 40.0, "failed_at": 90.0,
            "round_trip_ms": None}  # fmt: skip
    up = {**down, "uri": "sip:gw1.example", "state": "up", "since": None, "round_trip_ms": 12.34}
    wish = {"state": "waiting", "failures": 2, "last_status": 403, "last_reason": "Forbidden"}
    rows = [
        {"name": "carrier", "calls": 3, "gateways": [up, down], "registration": wish},
        {"name": "office", "calls": 0, "gateways": [], "registration": None},
        {"name": "good", "calls": 0, "gateways": [up], "registration": {**wish, "state": "registered", "failures": 0}},
    ]
    text = shown(trunks_table(rows, 100.0), width)
    assert text.startswith("3 trunks") and max(map(len, text.splitlines())) <= width
    for part in ("carrier", "sip:gw1.example", "down", "60 s", "12.3 ms", "registered", "office"):
        assert part in text
    assert "None" not in text
    if width == 200:
        assert "waiting: 403 Forbidden" in text and len(text.splitlines()) == 7


@pytest.mark.parametrize("width", [80, 200])
def test_phones(width: int) -> None:
    contact = {"uri": "sip:101@192.0.2.7", "hop": "udp:192.0.2.7:5060", "expires_at": 160.0, "silent": 0,
               "round_trip_ms": 8.04}  # fmt: skip
    rows = [
        {"extension": "101", "reachable": True, "contacts": [contact, {**contact, "silent": 1}]},
        {"extension": "102", "reachable": False, "contacts": [{**contact, "silent": 2, "round_trip_ms": None}]},
    ]
    text = shown(phones_table(rows, 100.0), width)
    assert text.startswith("2 registered phones") and max(map(len, text.splitlines())) <= width
    for part in ("101", "60 s", "8.0 ms", "silent", "unreachable"):
        assert part in text
