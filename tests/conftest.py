"""What holds for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compiled modules that are older than their source would be tested in its place."""
    for library in sorted(ROOT.glob("pbx/*/*.so")):
        source = library.with_name(library.name.partition(".")[0] + ".py")
        if not source.exists() or source.stat().st_mtime > library.stat().st_mtime:
            pytest.exit(f"{library.relative_to(ROOT)} is older than its source: `make install`, or `make pure`", 2)
