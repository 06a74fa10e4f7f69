"""What memory is judged by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.memory import Kept, judge

GOOD = Kept("registered contact", 1000, 1000, 80_000_000, 83_000_000, 3.0)


def test_good() -> None:
    assert GOOD.each_kb == 3.0 and judge([GOOD]).ok


def test_too_much() -> None:
    checks = judge([GOOD, replace(GOOD, after_bytes=83_001_000)])
    assert [check.ok for check in checks.checks] == [True, True, True, False]
    assert checks.checks[-1].claim == "registered contacts keep at most 3 kB each"


@pytest.mark.parametrize("count", [0, 999, 1001])
def test_some_are_not_there(count: int) -> None:
    """Memory of fewer says nothing."""
    checks = judge([replace(GOOD, count=count)])
    assert not checks.checks[0].ok


def test_nothing_measured_is_nothing_held() -> None:
    assert not judge([]).ok
