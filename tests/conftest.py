"""What holds for all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")  # the same examples each time, however busy the machine is

ROOT = Path(__file__).parents[1]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compiled modules that are older than their source would be tested in its place."""
    for library in sorted([*ROOT.glob("pbx/*/*.so"), *ROOT.glob("acd/*.so")]):
        source = library.with_name(library.name.partition(".")[0] + ".py")
        if not source.exists() or source.stat().st_mtime > library.stat().st_mtime:
            pytest.exit(f"{library.relative_to(ROOT)} is older than its source: `make install`, or `make pure`", 2)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The modules and tests themselves, 400,000 objects, are looked through by no collection of garbage: each stopped
    the test that ran just then for half a second, and what it measured by the clock was wrong."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing a test converts stays in the home of who runs it."""
    before = os.environ.get("CACHE_DIRECTORY")
    os.environ["CACHE_DIRECTORY"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["CACHE_DIRECTORY"]
    else:
        os.environ["CACHE_DIRECTORY"] = before
