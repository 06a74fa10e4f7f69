"""`plateau explain` on records, without a server."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from acd.events import ItemAbandoned, ItemQueued, ItemWaits
from bench.ports import free_port
from pbx.__main__ import app
from pbx.store.journal import Journal

AT = 1_700_000_000.0


@pytest.fixture
async def site(tmp_path: Path) -> str:
    records = f"sqlite:///{tmp_path}/records.db"
    file = tmp_path / "site.yaml"
    file.write_text(
        f"site: t\nlisten:\n  sip: udp:127.0.0.1:5060\n  http: 127.0.0.1:{free_port()}\n"
        f"api: {{secret: {'x' * 40}}}\nrecords: {{url: '{records}'}}\n"
    )
    journal = Journal(records, 100, Counter())
    await journal.open()
    fitting = ("asia >= 5", 0, 2, 1, 0, 0, (("ann", "NOT_READY lunch"),))
    for event in (
        ItemQueued(AT, "c1", "sales", {"basket": 2300}, 23.0), ItemWaits(AT, "c1", "sales", fitting),
        ItemAbandoned(AT + 95, "c1", "sales", 95.0),
    ):  # fmt: skip
        journal.append(event)
    await journal.flush()
    await journal.close()
    return str(file)


def test_in_words(site: str) -> None:
    said = CliRunner().invoke(app, ["explain", site, "c1"], env={"COLUMNS": "120"})
    assert said.exit_code == 0
    assert [line.rstrip() for line in said.output.splitlines()] == [
        "call c1",
        "23:13:20       0.0 s  came to queue sales",
        "                      known of it: basket 2300",
        "                      score 23 before age",
        "23:13:20       0.0 s  nobody is free: 2 agents could take it, 1 logged out, 1 not ready",
        "                      it needs asia >= 5",
        "                      ann: not ready (lunch)",
        "23:14:55      95.0 s  the caller hung up after 1 min 35 s in queue sales",
    ]


def test_for_programs(site: str) -> None:
    said = CliRunner().invoke(app, ["explain", site, "c1", "--json"])
    assert said.exit_code == 0
    assert [one["kind"] for one in json.loads(said.output)["moments"]] == ["queued", "waits", "abandoned"]


def test_a_call_that_nobody_knows(site: str) -> None:
    said = CliRunner().invoke(app, ["explain", site, "c9"])
    assert said.exit_code == 1
    assert "call c9: it was in no queue, or there is no such call" in said.output
