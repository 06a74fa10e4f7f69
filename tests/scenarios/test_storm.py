"""Every flow over the lossy network by a few seeds; storm.py plays more of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .lossy_calls import REACHED
from .storm import play, play_each

SEEDS = 12


@pytest.mark.parametrize("name", REACHED)
def test_nothing_stays_behind(name: str, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        wrong, told = play(name, seed, tmp_path)
        assert not wrong, f"seed {seed}"
        seen.update(told)
    assert not REACHED[name] or seen[REACHED[name]] > 0


@pytest.mark.parametrize("name", REACHED)
def test_any_one_message(name: str, tmp_path: Path) -> None:
    """Lost, or repeated."""
    played = 0
    for what, wrong in play_each(name, tmp_path, both=False):
        assert not wrong, what
        played += 1
    assert played > 0
