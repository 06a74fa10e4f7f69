"""The E-model against values that ITU-T published, and its direction where it published none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import IMPAIRMENTS, UNCONCEALED, burst_ratio, opinion, rating, score

PCMA, G729 = IMPAIRMENTS["PCMA"], IMPAIRMENTS["G729"]


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (93.2, 4.41)])
def test_opinion_of_a_rating(r: float, mos: float) -> None:
    """G.107 table B.1."""
    assert opinion(r) == pytest.approx(mos, abs=0.011)
    assert (opinion(0), opinion(-5), opinion(100)) == (1, 1, 4.5)


def test_default_rating() -> None:
    """G.107 table 3."""
    assert rating(PCMA, 0, 1, 0) == pytest.approx(93.2, abs=0.05)


@pytest.mark.parametrize("delay_ms", [25, 50, 100, 150, 200, 250, 300])
def test_delay(delay_ms: float) -> None:
    """The approximation of G.107's delay impairment that Cole and Rosenbluth published (2001), in its reach."""
    published = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0)
    assert 93.2 - rating(PCMA, 0, 1, delay_ms) == pytest.approx(published, abs=1.6)


@pytest.mark.parametrize(
    ("impairment", "loss", "ie_eff"),
    [(PCMA, 1, 3.6), (PCMA, 3, 10.1), (PCMA, 5, 15.8), (UNCONCEALED, 1, 17.9), (G729, 0, 11.0), (G729, 2, 19.0)],
)
def test_random_loss(impairment: object, loss: float, ie_eff: float) -> None:
    """G.107 7.5 with the values of G.113 appendix I."""
    assert rating(PCMA, 0, 1, 0) - rating(impairment, loss, 1, 0) == pytest.approx(ie_eff, abs=0.1)  # type: ignore[arg-type]


def test_bursts_are_worse_than_single_losses() -> None:
    assert burst_ratio(9900, 100, 99) == pytest.approx(1.0, abs=0.01)
    assert burst_ratio(9900, 100, 25) == pytest.approx(3.96)
    assert burst_ratio(0, 0, 0) == burst_ratio(10, 0, 3) == burst_ratio(0, 5, 1) == 1
    single, bursts = (score("PCMA", received=9700, lost=300, bursts=count) for count in (290, 60))
    assert single is not None and bursts is not None and bursts < single - 0.02


def test_a_leg() -> None:
    assert score("PCMA", received=0, lost=0) is None
    assert score("PCMA", received=3000, lost=0) == score("whatever", received=3000, lost=0) == 4.38
    assert score("PCMA", received=3000, lost=0, round_trip_ms=600) == pytest.approx(3.5, abs=0.1)
    assert score("PCMA", received=1500, lost=1500) == pytest.approx(1.56, abs=0.05)  # R = 93 - 63


@given(
    st.sampled_from(sorted(IMPAIRMENTS)), st.integers(1, 10**6), st.integers(-10, 10**6), st.integers(0, 10**6),
    st.floats(0, 1e6), st.none() | st.floats(0, 1e7),
)  # fmt: skip
def test_always_a_score(
    codec: str, received: int, lost: int, bursts: int, jitter_ms: float, trip_ms: float | None
) -> None:
    """Whatever a peer claims."""
    found = score(codec, received=received, lost=lost, bursts=bursts, jitter_ms=jitter_ms, round_trip_ms=trip_ms)
    assert found is not None and 1 <= found <= 4.5
