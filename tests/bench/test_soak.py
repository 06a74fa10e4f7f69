"""What a soak is judged by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.sipp import SippResult
from bench.soak import Sample, judge

QUIET = Sample(0, 0, 100.0, 20, 5, 7, 0, 0, 0, 0, 0, 0, 1.0)
GOOD = SippResult(0, 1000, 0, 0, 100.0, 1.0, 1.0, "")
BUSY = [
    replace(QUIET, seconds=5.0 * n, calls_begun=10 * n, rss_mb=120.0, descriptors=30, transactions=500)
    for n in range(30)
]


def failed(**changes: object) -> list[str]:
    """The claims that do not hold when the last third of the run, or what comes after, is different."""
    late = [replace(one, **changes) if n >= 20 else one for n, one in enumerate(BUSY)]  # type: ignore[arg-type]
    return [check.claim for check in judge(1000, GOOD, QUIET, late, QUIET).checks if not check.ok]


def test_good() -> None:
    assert judge(1000, GOOD, QUIET, BUSY, QUIET).ok


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"rss_mb": 130.0}, "memory is flat"),
        ({"descriptors": 40}, "descriptors are flat"),
        ({"tasks": 9}, "tasks are flat"),
    ],
)
def test_growth_is_seen(changes: dict[str, object], claim: str) -> None:
    assert failed(**changes) == [claim]


@pytest.mark.parametrize("name", ["live_calls", "dialogs", "transactions", "timers", "media_ports", "journal_pending"])
def test_what_stays_is_seen(name: str) -> None:
    checks = judge(1000, GOOD, QUIET, BUSY, replace(QUIET, **{name: 1}))
    assert not checks.ok


@pytest.mark.parametrize("result", [replace(GOOD, failed=1), replace(GOOD, successful=999)])
def test_failures_are_seen(result: SippResult) -> None:
    assert not judge(1000, result, QUIET, BUSY, QUIET).ok
