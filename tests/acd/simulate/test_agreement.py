"""Simulated queues agree with Erlang C and A within the 99 % confidence interval of the simulation.

These are a few points of the grid of `python -m bench.acd_erlang`, with fixed seeds.
"""

from __future__ import annotations

import pytest

from bench.acd_erlang import FIGURES, Point, Row, compare, fewest_above, judge, most_outside


@pytest.mark.parametrize(
    ("model", "agents", "load"),
    [("C", 1, 0.5), ("C", 1, 0.7), ("C", 2, 0.7), ("C", 5, 0.8), ("C", 10, 0.7),
     ("A", 1, 0.9), ("A", 10, 0.98), ("A", 30, 1.2), ("A", 100, 1.0)],
)  # fmt: skip
def test_agrees_with_the_formula(model: str, agents: int, load: float) -> None:
    rows = compare(Point.of(model, agents, load, 0.6), runs=10)
    assert [row.figure for row in rows] == list(FIGURES[model])
    for row in rows:
        assert row.inside, f"{row.figure}: formula {row.formula:.4g}, simulated {row.simulated:.4g} ± {row.margin:.2g}"
        assert row.margin < row.formula, "so wide an interval says nothing"


def _row(agents: int, load: float, simulated: float, *, margin: float = 0.05, widest: float = 0.2) -> Row:
    return Row("C", agents, load, "waits", 0.5, simulated, margin, widest, calls=1, judged=True, runs="")


def _grid(*values: float) -> list[Row]:
    """42 points: these, and others a little above or below."""
    values += tuple(0.5 + (0.01 if n % 2 else -0.01) for n in range(42 - len(values)))
    return [_row(n, 0.5, value) for n, value in enumerate(values)]


def test_a_few_of_42_points_outside_may_be_chance_and_more_are_not() -> None:
    assert judge(_grid(0.6, 0.4)).ok
    assert not judge(_grid(0.6, 0.4, 0.6)).ok


def test_one_value_far_outside_is_no_chance() -> None:
    assert not judge(_grid(0.71)).ok


def test_a_small_error_that_is_the_same_everywhere_is_seen() -> None:
    """All points are inside their intervals, and all are above."""
    assert not judge([_row(n, 0.5, 0.51) for n in range(42)]).ok


def test_the_limits_are_those_of_chance() -> None:
    """7 x P(more than 3 of 42 | 1 %) = 0.4 %, of 2: 4 %; 2 x 7 x P(fewer than 11 of 42 coins) = 0.6 %, of 12: 2 %."""
    assert most_outside(42, 7) == 3
    assert fewest_above(42, 7) == 11
    assert fewest_above(5, 7) == 0
