from __future__ import annotations

from bench.machine import facts, pace_ms


def test_the_pace_is_that_of_the_machine_now() -> None:
    once = pace_ms()
    assert 1 < once < 10_000  # a fixed piece of work; what it is here, only a run can say
    assert facts()["pace"].endswith("(CPU of a fixed piece of work: bench/machine.py)")
