"""`plateau stats` and `plateau queue-log` on a small day in the records."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from acd.events import AgentInterval, CallsInterval, ItemAbandoned, ItemQueued
from acd.figures import AGENTS, CALLS
from ivr.events import IvrEnded, IvrInterval, IvrStateEntered
from pbx.__main__ import app
from pbx.store.journal import Journal

DAY = 1_795_305_600  # 2026-11-22, one in the morning in Paris


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(
        f"""
site: shop
listen: {{sip: ["udp:127.0.0.1:5060"]}}
records: {{url: "sqlite:///{tmp_path / 'records.db'}"}}
agents: {{ann: {{extension: "101"}}}}
extensions: {{"101": {{password: secret-of-101}}}}
queues: {{sales: {{}}}}
"""
    )
    return file


def write(site: Path, *events: Any) -> None:
    async def run() -> None:
        journal = Journal(f"sqlite:///{site.parent / 'records.db'}", 1_000, Counter())
        await journal.open()
        for event in events:
            journal.append(event)
        await journal.close()

    asyncio.run(run())


def calls(start: int, **figures: int) -> CallsInterval:
    row = [figures.get(name, 0) for name in CALLS]
    return CallsInterval(start + 900, "queue", "sales", "call", start, row, {"sold": figures.get("completed", -1)})


def plateau(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_stats_as_table_csv_and_json(site: Path) -> None:
    write(site,
          calls(DAY, offered=4, answered=3, answered_in_time=2, abandoned=1, waited_ms=30_000, completed=3,
                talked_ms=600_000, wrap_up_ms=90_000),
          calls(DAY + 900, offered=1, overflowed=1),
          AgentInterval(DAY + 900, "ann", DAY, [60_000] * len(AGENTS), {"lunch": 60_000}))  # fmt: skip
    span = ("--from", "2026-11-22", "--to", "2026-11-23")
    table = plateau("stats", site, *span)
    assert table.exit_code == 0 and "40.0 %" in table.stdout and "3:50" in table.stdout, table.stdout
    assert "sold 2" in table.stdout, "3, and one of them changed later"
    rows = json.loads(plateau("stats", site, *span, "--format", "json", "--step", "interval").stdout)
    assert [(row["offered"], row["service_level"]) for row in rows] == [(4, 0.5), (1, 0.0)]
    text = plateau("stats", site, *span, "--format", "csv", "--step", "interval").stdout
    found = list(csv.DictReader(io.StringIO(text)))
    assert found[0]["start"] == "2026-11-22T01:00:00+01:00" and found[0]["asa_s"] == "10.0" and found[1]["asa_s"] == ""
    assert [row["disposition: sold"] for row in found] == ["3", "-1"]
    agents = list(csv.DictReader(io.StringIO(plateau("stats", site, *span, "--by", "agent", "--format", "csv").stdout)))
    assert agents[0]["not_ready_s: lunch"] == "60.0" and agents[0]["occupancy"] == "0.5"
    none = plateau("stats", site, *span, "--name", "nosuch", "--format", "json")
    assert json.loads(none.stdout) == [] and "when their quarter of an hour is over" in none.stderr
    assert table.stderr == ""


def test_states_of_flows(site: Path) -> None:
    write(site,
          IvrStateEntered(DAY + 5.0, "c1", "welcome", "where"), IvrEnded(DAY + 65.0, "c1", "welcome", "queue sales"),
          IvrInterval(DAY + 900.0, "welcome", "where", DAY, [1, 1, 0, 0, 3, 60_000, 2, 1, 0, 1]),
          IvrInterval(DAY + 1_800.0, "welcome", "bye", DAY + 900, [2, 0, 1, 1, 0, 7_000]))  # fmt: skip
    words = ("stats", site, "--from", "2026-11-22", "--to", "2026-11-23", "--by", "ivr")
    table = plateau(*words)
    assert table.exit_code == 0 and all(text in table.stdout for text in ("welcome/where", "1:00", "100.0 %")), table
    assert "channel" not in table.stdout
    rows = json.loads(plateau(*words, "--format", "json", "--name", "welcome/bye").stdout)
    assert rows == [
        {"name": "welcome/bye", "entered": 2, "left": 0, "hung_up": 1, "ended": 1, "inputs": 0, "no_match": 0,
         "no_input": 0, "unmatched": 0, "silent": 0, "unmatched_share": 0.0, "silent_share": 0.0, "spent_s": 3.5}
    ]  # fmt: skip
    anew = json.loads(plateau(*words, "--format", "json", "--rebuild").stdout)
    assert [(row["name"], row["left"], row["spent_s"]) for row in anew] == [("welcome/where", 1, 60.0)]


def test_rebuild_makes_figures_of_the_journal(site: Path) -> None:
    write(site, ItemQueued(DAY + 5.0, "c1", "sales", {}, 0.0), ItemAbandoned(DAY + 35.0, "c1", "sales", 30.0))
    span = ("--from", "2026-11-22", "--to", "2026-11-23", "--format", "json")
    assert json.loads(plateau("stats", site, *span).stdout) == []
    rows = json.loads(plateau("stats", site, *span, "--rebuild").stdout)
    assert rows[0]["abandoned"] == 1 and rows[0]["abandoned_after_s"] == 30.0


def test_queue_log_to_the_screen_and_to_a_file(site: Path, tmp_path: Path) -> None:
    write(site, ItemQueued(DAY - 5.0, "c0", "sales", {}, 0.0), ItemQueued(DAY + 5.0, "c1", "sales", {}, 0.0),
          ItemAbandoned(DAY + 35.0, "c1", "sales", 30.0))  # fmt: skip
    span = ("--from", "2026-11-22T01:00", "--to", "2026-11-23")
    shown = plateau("queue-log", site, *span)
    assert shown.stdout.splitlines() == [
        f"{DAY + 5}|c1|sales|NONE|ENTERQUEUE|||2", f"{DAY + 35}|c1|sales|NONE|ABANDON|2|2|30",
    ]  # fmt: skip
    assert plateau("queue-log", site, *span, "-o", tmp_path / "queue_log").exit_code == 0
    assert (tmp_path / "queue_log").read_text() == shown.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--by", "line"), "--by: expected one of queue, skill, trunk, partner, agent, ivr"),
        (("--step", "week"), "--step: expected one of interval"),
        (("--format", "xml"), "--format: expected one of table, csv, json"),
        (("--from", "yesterday"), "--from: expected a date or a time as 2026-11-22"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "--to: expected a time after --from"),
    ],
)
def test_what_cannot_be_asked(site: Path, words: tuple[str, ...], told: str) -> None:
    result = plateau("stats", site, *words)
    assert result.exit_code == 2 and told in result.stderr


def test_no_records_is_one_line(site: Path) -> None:
    result = plateau("stats", site)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
