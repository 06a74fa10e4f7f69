"""Sets of agents by skill and level."""

from __future__ import annotations

import math

import pytest

from acd.skills import SkillIndex

INDEX = SkillIndex([(0, {"asia": 10}), (1, {"asia": 3, "french": 1}), (5, {})])


@pytest.mark.parametrize(
    ("skill", "level", "agents"),
    [
        ("asia", 0, 0b100011),
        ("asia", -3, 0b100011),
        ("asia", 0.1, 0b11),
        ("asia", 3, 0b11),
        ("asia", 3.1, 0b1),
        ("asia", 10, 0b1),
        ("asia", 10.5, 0),
        ("asia", 1e300, 0),
        ("asia", math.inf, 0),
        ("asia", math.nan, 0),
        ("cruise", 1, 0),
        ("cruise", 0, 0b100011),
    ],
)
def test_at_least(skill: str, level: float, agents: int) -> None:
    assert INDEX.at_least(skill, level) == agents


def test_exactly() -> None:
    assert [INDEX.exactly("asia", level) for level in (0, 3, 4, 10)] == [0b100000, 0b10, 0, 0b1]
    assert sum(INDEX.exactly("french", level) for level in range(11)) == INDEX.everyone == 0b100011


def test_names() -> None:
    assert "asia" in INDEX and "cruise" not in INDEX
