from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .scene import Scene

Stage = Callable[..., Scene]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Makes scenes, `stage(site file, passwords=...)`. When the test is over each must have forgotten everything, and
    the collector must find nothing of ours."""
    scenes: list[Scene] = []

    def begin(*args: str, passwords: bool = False) -> Scene:
        scenes.append(Scene(tmp_path, *args, passwords=passwords))
        return scenes[-1]

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield begin
        for scene in scenes:
            scene.over()
        gc.collect()
        if not any(isinstance(one, Scene) for one in gc.garbage):  # of a test that failed before
            found = {type(one).__name__ for one in gc.garbage if re.match(r"pbx\.|media\.", type(one).__module__)}
            assert not found, "in reference cycles"
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage()
