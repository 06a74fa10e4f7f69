"""Random histories of a floor with everything at once; long ones: `python -m tests.acd.floor_machine`."""

from __future__ import annotations

from collections import Counter

from tests.acd.floor_machine import run, walk


def test_random_histories() -> None:
    run(15, 30, derandomize=True)


def test_long_histories() -> None:
    happened = Counter[str]()
    for seed in range(6):
        happened += walk(seed, 200)
    assert happened["connected"] > 25  # something was going on
