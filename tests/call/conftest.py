from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A switch that must have forgotten everything a minute after the test's calls are over."""
    world = World(folder=tmp_path)
    yield world
    world.run(100)
    assert world.leaks() == {}
