"""What a flood left of the capacity."""

from __future__ import annotations

from bench.overload import found
from bench.sipp import SippResult


def test_what_was_served_is_held_against_what_the_servers_share_bears() -> None:
    """10 s, of which the server had half: at 0.5 ms a call that bears 1,000 a second."""
    result = SippResult(
        exit_status=1, successful=8500, failed=21_500, retransmissions=7, elapsed_s=10.0, cpu_s=2.0, response_ms=20.0,
        errors="",
    )  # fmt: skip
    counted = {"overload_shed_call_total": 21_000.0, "calls_started_total": 8500.0, "calls_ended_total": 8499.0}
    flood = found(3000, result, 0.5, 5.0, counted)
    assert (flood.offered, flood.served, flood.refused, flood.sent_again) == (3000, 850.0, 2100.0, 7)
    assert (flood.cpu_percent, flood.capacity, flood.kept) == (50.0, 1000.0, 0.85)
    assert flood.begun - flood.ended == 1
