"""Simulated queues agree with Erlang C and A within the 99 % confidence interval of the simulation.

These are a few points of the grid of `python -m bench.acd_erlang`, with fixed seeds.
"""

from __future__ import annotations

import pytest

from bench.acd_erlang import FIGURES, Point, Row, compare


@pytest.mark.parametrize(
    ("model", "agents", "load"),
    [("C", 1, 0.5), ("C", 1, 0.7), ("C", 2, 0.7), ("C", 5, 0.8), ("C", 10, 0.7),
     ("A", 1, 0.9), ("A", 10, 0.98), ("A", 30, 1.2), ("A", 100, 1.0)],
)  # fmt: skip
def test_agrees_with_the_formula(model: str, agents: int, load: float) -> None:
    rows = compare(Point.of(model, agents, load, 0.3), runs=10)
    assert [row.figure for row in rows] == list(FIGURES[model])
    for row in rows:
        assert row.inside, f"{row.figure}: formula {row.formula:.4g}, simulated {row.simulated:.4g} ± {row.margin:.2g}"
        assert row.margin < row.formula, "so wide an interval says nothing"


def test_what_does_not_agree_is_seen() -> None:
    row = Row("C", 1, 0.5, "waits", formula=0.5, simulated=0.6, margin=0.05, sure=0.2, calls=1)
    assert (row.inside, row.possible) == (False, True)
