"""The tables of `plateau calls` and `plateau cdr`: nothing cut, nothing taken for markup, 80 columns."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from pbx.store.cdr import CdrRow
from pbx.tables import calls_table, cdr_table

CALL: dict[str, Any] = {
    "id": "1a20", "from": "+33612345678", "to": "0180000001", "state": "answered", "with": None,
    "destination": "queue asia", "since": 100.0, "attributes": {"basket": 2300, "customer": "Lea [/x] Bernard"},
}  # fmt: skip


def row(
    queue: str | None = None, agent: str | None = None, status: int | None = 200, cause: str = "caller hung up"
) -> CdrRow:
    return CdrRow(
        1, "1a20", 1_795_305_059.0, None, None, 1_795_305_078.0, "inbound", "+33612345678", "0180000001", "carrier",
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


@pytest.mark.parametrize("width", [80, 200])
def test_records(width: int) -> None:
    text = shown(cdr_table([row(), row("asia", "alice"), row(status=None, cause="server stopped")], dt.UTC), width)
    assert text.startswith("last 3 calls") and "…" not in text and max(map(len, text.splitlines())) <= width
    for part in ("21 Nov", "23:50:59", "+33612345678", "0180000001", "alice", "18 s", "19 s", "wait"):
        assert part in text
    assert "None" not in text


def test_records_without_a_queue_have_no_such_column() -> None:
    text = shown(cdr_table([row()], dt.UTC), 200)
    assert text.startswith("last 1 call ") and "wait" not in text and "200 caller hung up" in text
