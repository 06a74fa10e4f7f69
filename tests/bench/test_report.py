"""Figures, plots, checks and the ladder."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.__main__ import judge, write_results
from bench.checks import Checks
from bench.cti_client import Received
from bench.ladder import Ladder
from bench.media_cost import MediaStep
from bench.report import Series, _ticks, svg, table_of
from bench.sip_cost import SipStep
from bench.sipp import _milliseconds

STEP = SipStep("bridged call", 1000, 995.5, 8000, 0, 0, 0.7, 70.0, 12.0, 1.0, 150.0)
REGISTRATION = replace(STEP, work="registration", offered=1000, cpu_ms=0.14)
MEDIA = MediaStep(500, 500, 0.5, 25.0, 10.0, 2000, 1000, 1000, 0.0, 1.0, 25.0, 150.0)


def text_of(*tables: object) -> str:
    console = Console(width=160, file=io.StringIO())
    with console.capture() as captured:
        for table in tables:
            console.print(table)
    return captured.get()


def test_limits_that_hold() -> None:
    checks = judge({"bridged call": [STEP], "registration": [REGISTRATION]}, [MEDIA])
    assert checks.ok and len(checks.checks) == 4


def test_what_broke_does_not_count_and_too_dear_fails() -> None:
    broken = replace(STEP, offered=1200, failed=100, cpu_ms=0.1)
    assert judge({"bridged call": [replace(STEP, cpu_ms=1.3), broken]}, []).checks[1].ok is False
    assert judge({"bridged call": [replace(STEP, offered=400)]}, []).checks[0].ok is False
    assert judge({"bridged call": [replace(STEP, retransmissions=1)]}, []).ok is False
    assert judge({}, [replace(MEDIA, lost_percent=0.2)]).ok is False
    assert judge({}, [replace(MEDIA, established=499)]).ok is False


def test_no_claim_is_no_success() -> None:
    assert not Checks().ok


def test_results_are_written(tmp_path: Path) -> None:
    written = write_results(tmp_path / "new", {"pace": "40 ms"}, ({"bridged call": [STEP]}, [MEDIA]))
    assert [path.name for path in written] == ["bridged-call.csv", "media.csv", "index.html"]
    with written[0].open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["cpu_ms"] == "0.7"
    assert written[2].read_text().count("<svg") == 3


def test_a_plot_is_well_formed_whatever_the_points() -> None:
    for points in ((), ((0.0, 0.0),), ((1.0, 2.0), (3.0, 1.0))):
        ElementTree.fromstring(svg(Series("a < b", "x", "y & z", points, 1.5 if points else None)))


@pytest.mark.parametrize(
    "largest, ticks",
    [
        (2000, [0, 500, 1000, 1500, 2000]),
        (1.3, [0, 0.5, 1, 1.5]),
        (0.27, [0, 0.1, 0.2, 0.3]),
        (0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round(largest: float, ticks: list[float]) -> None:
    assert _ticks(largest) == ticks


def test_tables_show_markup_as_it_is() -> None:
    checks = Checks()
    checks.that("claim [bold]", False, "[red]")
    ladder = Ladder()
    ladder.add(2.0, "b", "", "[second]")
    ladder.add(1.0, "a", "", "first")
    shown = text_of(checks.table(), ladder.table(), table_of("steps", [STEP]))
    assert "claim [bold]" in shown and "failed" in shown and "[second]" in shown
    assert shown.index("first") < shown.index("[second]")


def test_the_ladder_tells_events_and_pops() -> None:
    ladder = Ladder()
    ladder.server_event(Received(1.0, {
        "type": "item_queued", "at": 1.0, "item_id": "c", "queue": "asia", "attributes": {}, "score": 230.0,
    }))  # fmt: skip
    ladder.server_event(Received(1.0, {"type": "something_else", "at": 1.0}))
    ladder.pop("alice", Received(2.0, {"type": "retract", "pop_id": "p", "reason": "no_answer"}))
    ladder.pop("alice", Received(2.0, {"type": "agent_state_changed"}))
    assert [step.what for step in ladder.steps()] == ["waits, score 230", "pop retract (no_answer)"]


def test_sipp_writes_times_its_own_way() -> None:
    assert _milliseconds("00:00:01:250000") == 1250
    assert _milliseconds("") == 0
