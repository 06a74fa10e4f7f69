from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pbx.routing.rate import Rates


def test_a_burst_then_the_rate() -> None:
    rates = Rates(rate_per_s=2.0, burst=4)
    assert [rates.take("a", 100.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert not rates.take("a", 100.4)
    assert rates.take("a", 100.5)
    assert not rates.take("a", 100.6)
    assert rates.take("b", 100.6), "sources have buckets of their own"


def test_the_time_of_day_is_exact_enough() -> None:
    rates = Rates(rate_per_s=7.0, burst=100)
    assert sum(rates.take("a", 1_800_000_000.123) for _ in range(200)) == 100


def test_a_bucket_fills_no_further_than_its_burst() -> None:
    rates = Rates(rate_per_s=10.0, burst=3)
    rates.take("a", 0.0)
    assert sum(rates.take("a", 1e6) for _ in range(10)) == 3


@given(st.lists(st.floats(0, 3), max_size=200), st.floats(0.5, 50), st.integers(1, 20))
def test_never_more_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    rates, now, taken = Rates(rate, burst), 1000.0, 0
    for gap in gaps:
        now += gap
        taken += rates.take("a", now)
        assert taken <= burst + rate * (now - 1000.0) + 0.02


def test_the_table_is_bounded_and_forgets_the_longest_unheard() -> None:
    rates = Rates(rate_per_s=1.0, burst=1, limit=100)
    assert rates.take("busy", 0.0)
    for i in range(10_000):
        rates.take(f"s{i}", 0.0)
        assert not rates.take("busy", 0.0), "heard of all the time, never forgotten"
    assert len(rates) <= 200


def test_another_rate_at_reload() -> None:
    rates = Rates(rate_per_s=1.0, burst=1)
    assert rates.take("a", 0.0)
    rates.reconfigure(100.0, 10)
    assert rates.take("a", 0.0)
