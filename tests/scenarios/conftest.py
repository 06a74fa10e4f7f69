from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .cycles import cycles, only_new
from .scene import Scene

Stage = Callable[..., Scene]


@pytest.fixture(scope="package", autouse=True)
def collector() -> Iterator[None]:
    with only_new():
        yield


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Makes scenes, `stage(site file, passwords=...)`. When the test is over each must have forgotten everything, and
    the collector must find nothing of ours."""
    scenes: list[Scene] = []

    def begin(*args: str, passwords: bool = False) -> Scene:
        scenes.append(Scene(tmp_path, *args, passwords=passwords))
        return scenes[-1]

    with cycles() as found:
        yield begin
        for scene in scenes:
            scene.over()
    assert not found, "in reference cycles"


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage()
