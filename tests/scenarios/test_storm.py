"""Every flow over the lossy network by a few seeds; storm.py plays more of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .lossy_calls import REACHED
from .storm import play

SEEDS = 12


@pytest.mark.parametrize("name", REACHED)
def test_nothing_stays_behind(name: str, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        wrong, told = play(name, seed, tmp_path)
        assert not wrong, f"seed {seed}"
        seen.update(told)
    assert not REACHED[name] or seen[REACHED[name]] > 0
