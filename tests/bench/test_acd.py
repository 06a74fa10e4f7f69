"""The ACD's benchmark: its floor is sound, its figures are judged by the limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from acd.audit import audit
from bench.acd import GROWTH, LARGEST, WANTED, AcdStep, judge, series
from bench.acd_load import Load, Times
from bench.checks import Checks
from pbx.__main__ import app

GOOD = AcdStep(*WANTED, 10, 1000, 0.02, 0.9, 1.5, 2.0, 0.06, 1.2, 25_000.0, 30.0)


def test_the_floor_keeps_as_many_waiting_as_it_is_told() -> None:
    load = Load(60, 15)
    load.fill()
    assert len(load.engine.floor.lines) == 15 and len(load.talking) > 30
    for _ in load.run(150):
        assert len(load.engine.floor.lines) >= 15
    for _ in load.change_states(50):
        assert len(load.engine.floor.lines) >= 15
    assert audit(load.engine.floor) == []
    assert {"enqueue", "complete", "answer", "abandon", "rescore", "ready", "logout"} <= load.times.keys()
    assert load.connected > 150


def test_the_same_seed_is_the_same_floor() -> None:
    floors = []
    for _ in range(2):
        load = Load(40, 10, seed=3)
        load.fill()
        for _ in load.run(60):
            pass
        floors.append([(item.id, item.rank) for item in load.engine.floor.lines])
    assert floors[0] == floors[1] and floors[0]


def test_quantiles() -> None:
    times = Times()
    assert times.at(0.5) == 0
    times.cpu.extend(range(1_000_000, 101_000_000, 1_000_000))
    assert (times.at(0.5), times.at(0.99), times.at(1.0)) == (51.0, 100.0, 100.0)
    assert times.total_s == pytest.approx(5.05)


@pytest.mark.parametrize(
    ("step", "held"),
    [
        (GOOD, [True, True]),
        (replace(GOOD, p99_ms=1.1), [False, True]),
        (replace(GOOD, changes_per_s=19_000.0), [True, False]),
        (replace(GOOD, agents=LARGEST[0], waiting=LARGEST[1], p99_ms=9.0, changes_per_s=4000.0), [True]),
        (replace(GOOD, waiting=4000, p99_ms=50.0), []),
    ],
)
def test_judged(step: AcdStep, held: list[bool]) -> None:
    checks = Checks()
    judge([step], checks)
    assert [check.ok for check in checks.checks] == held


def test_growth_is_drawn() -> None:
    steps = [replace(GOOD, agents=agents, waiting=waiting) for agents, waiting in (*GROWTH, (10_000, 4000))]
    plots = series(steps)
    assert [len(plot.curves[0][1]) for plot in plots] == [len(GROWTH), 2]
    assert series([GOOD]) == []


@pytest.mark.parametrize("words", [["nothing"], ["acd", "nothing"], ["acd", "--nothing"]])
def test_plateau_bench_says_what_it_can_measure(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["bench", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "nothing" in result.output
