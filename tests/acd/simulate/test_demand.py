"""Callers out of rates: as many as told, when told, the same for the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from acd.simulate.demand import Arrival, Demand, Habits, Span, censored_mean_s, profile
from acd.simulate.distributions import (
    NEVER,
    Constant,
    Distribution,
    Exponential,
    Lognormal,
    Observed,
    Streams,
    parse,
)
from acd.simulate.words import WordError, clock_s, duration_s, share, shown_s


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("exponential 4m", Exponential(240.0)),
        ("lognormal 1h30m 0.8", Lognormal(5400.0, 0.8)),
        ("lognormal 90", Lognormal(90.0, 1.0)),
        ("constant 0", Constant(0.0)),
        ("never", NEVER),
    ],
)
def test_distributions_are_read(text: str, found: Distribution) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a distribution as exponential 4m, lognormal 4m 0.8, constant 30s or never, found nothing"),
        ("normal 4m", "expected a distribution as exponential 4m, lognormal 4m 0.8, constant 30s or never, "
                      "found normal 4m"),
        ("exponential 4x", "expected a time as 90, 90s, 3m or 1h30m, found 4x"),
        ("exponential 0", "expected a mean above 0, found 0"),
        ("lognormal 4m -1", "expected a coefficient of variation as 0.8, found -1"),
        ("lognormal 4m inf", "expected a coefficient of variation as 0.8, found inf"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_distribution(text: str, said: str) -> None:
    with pytest.raises(WordError) as caught:
        parse(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("kind", "deviation"), [(Exponential(200.0), 200.0), (Lognormal(200.0, 0.5), 100.0), (Constant(200.0), 0.0)]
)
def test_what_is_drawn_has_the_mean_and_the_spread(kind: Distribution, deviation: float) -> None:
    drawn = kind.draw(Streams(1).of("x"), 100_000)
    assert float(drawn.mean()) == pytest.approx(200.0, rel=0.01)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.02)


def test_observed_times_come_again() -> None:
    observed = Observed((10.0, 30.0))
    assert observed.mean_s == 20.0
    assert set(observed.draw(Streams(1).of("x"), 100).tolist()) == {10.0, 30.0}


def test_a_poisson_process_by_the_hour() -> None:
    demand = Demand({"asia": profile([(0.0, 1000.0), (3600.0, 3000.0)])})
    assert demand.mean_calls == pytest.approx(4000)
    assert demand.window == (0.0, 7200.0)
    days = [np.array([caller.at for caller in demand.callers(Streams(seed))]) for seed in range(30)]
    first = np.array([np.sum(day < 3600) for day in days])
    assert float(first.mean()) == pytest.approx(1000, rel=0.03)
    assert float(first.var()) == pytest.approx(1000, rel=0.6)  # Poisson: variance = mean
    assert all(np.all(np.diff(day) >= 0) for day in days)


def test_a_queues_callers_do_not_depend_on_the_other_queues() -> None:
    asia = {"asia": [Span(0, 3600, 0.1)]}
    alone = Demand(asia).callers(Streams(5))
    both = Demand({"europe": [Span(0, 3600, 0.3)], **asia}).callers(Streams(5))
    assert [caller for caller in both if caller.queue == "asia"] == alone
    assert alone != Demand(asia).callers(Streams(6))


def test_known_calls_keep_what_is_known_of_them() -> None:
    habits = Habits(Constant(100.0), Constant(50.0), ({"destination": "asia"},))
    calls = [Arrival(9.0, "asia", {"basket": 5}, 30.0, 20.0), Arrival(3.0, "asia"), Arrival(5.0, "asia", waited_s=7.0)]
    found = Demand(arrivals=calls, habits={"asia": habits}).callers(Streams(1))
    assert [(one.at, one.patience_s, one.talk_s) for one in found] == [(3, 50, 100), (5, 57, 100), (9, 30, 20)]
    assert [one.attributes for one in found] == [{"destination": "asia"}, {"destination": "asia"}, {"basket": 5}]


def test_nobody_calls() -> None:
    assert Demand().callers(Streams(1)) == []
    assert Demand().window == (0.0, 0.0)
    assert profile([]) == []
    assert profile([(0.0, 12.0)]) == [Span(0.0, 3600.0, 12 / 3600)]


def test_patience_of_whom_some_were_answered_first() -> None:
    dice = Streams(1).of("x")
    patience, offered = dice.exponential(100.0, 50_000), dice.exponential(60.0, 50_000)
    left, stayed = patience[patience <= offered], offered[patience > offered]
    assert censored_mean_s(left.tolist(), stayed.tolist()) == pytest.approx(100.0, rel=0.02)
    assert censored_mean_s([], [5.0]) == math.inf


def test_words() -> None:
    assert [duration_s(text) for text in ("90", "90s", "1.5m", "1h30m", "1d")] == [90, 90, 90, 5400, 86_400]
    assert [clock_s(text) for text in ("8:30", "08:30:15.5", "26:00")] == [30_600, 30_615.5, 93_600]
    assert [share(text) for text in ("80 %", "80%", "0.8")] == [0.8, 0.8, 0.8]
    assert [shown_s(value) for value in (0.44, 12.2, 59.9, 185, 3723, math.inf)] == [
        "0.4 s", "12 s", "60 s", "3:05", "1:02:03", "never",
    ]  # fmt: skip
    for text in ("", "3x", "1h 30m", "-5", "130"):
        with pytest.raises(WordError):
            duration_s(text) if text != "130" else share(text)
