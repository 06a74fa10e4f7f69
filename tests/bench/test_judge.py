"""What the SIP load is judged by: the last step that held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.__main__ import judge
from bench.sip_cost import SipStep

GOOD = SipStep("queued call", 400, 398.0, 2000, 0, 0, 0.98, 39.0, 20.0, 1.5, 210.0)


@pytest.mark.parametrize(
    ("last", "ok"),
    [
        (GOOD, True),
        (replace(GOOD, offered=600, cpu_ms=1.01), False),
        (replace(GOOD, offered=600, cpu_ms=1.01, failed=10), True),  # 600 did not hold: 400 counts
        (replace(GOOD, cpu_ms=0.1, retransmissions=1), True),
    ],
)
def test_queued_calls(last: SipStep, ok: bool) -> None:
    assert judge({"queued call": [GOOD, last]}, []).ok is ok


def test_none_that_held() -> None:
    assert not judge({"queued call": [replace(GOOD, failed=10)]}, []).ok
