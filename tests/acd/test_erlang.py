"""Erlang's formulas against published values, against chains solved exactly, and at the edges of what they can do."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.erlang import agents_needed, erlang_b, erlang_c, lines_needed, wait_a, wait_c


def states(agents: int, load: Fraction, hurry: Fraction, longest: int) -> list[Fraction]:
    """The stationary probabilities of so many in the system: M/M/n+M cut off at `longest`, solved exactly."""
    weights = [Fraction(1)]
    for n in range(1, longest + 1):
        weights.append(weights[-1] * load / (min(n, agents) + max(0, n - agents) * hurry))
    whole = sum(weights)
    return [weight / whole for weight in weights]


@pytest.mark.parametrize(
    ("lines", "load", "blocked"),
    [(1, 1.0, 0.5), (2, 1.0, 0.2), (5, 3.0, 0.1101), (10, 5.0, 0.01838), (20, 15.0, 0.04559), (100, 90.0, 0.02696)],
)
def test_b_as_in_published_tables(lines: int, load: float, blocked: float) -> None:
    assert erlang_b(lines, load) == pytest.approx(blocked, rel=2e-3)


def test_c_of_a_textbook_case() -> None:
    """200 calls an hour of 3 minutes, 14 agents: 17.4 % wait, 88.8 % are answered within 20 s."""
    found = wait_c(14, 10.0, 180.0, 20.0)
    assert found.waits == pytest.approx(0.1741, abs=5e-5)
    assert found.service_level == pytest.approx(0.888, abs=5e-4)
    assert found.asa_s == pytest.approx(7.84, abs=5e-3)
    assert found.occupancy == pytest.approx(10 / 14)
    assert agents_needed(lambda n: wait_c(n, 10.0, 180.0, 20.0).service_level >= 0.8) == 14


def test_c_of_one_agent_is_the_load() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)


def test_who_is_overloaded_and_patient_waits_for_ever() -> None:
    found = wait_c(10, 10.0, 180.0, 20.0)
    assert (found.waits, found.asa_s, found.service_level, found.waiting) == (1.0, math.inf, 0.0, math.inf)


@pytest.mark.parametrize("agents", [1, 2, 7, 30])
@pytest.mark.parametrize("share", ["0.3", "0.9", "1.3"])
@pytest.mark.parametrize("hurry", ["0.1", "1", "5"])
def test_a_agrees_with_the_chain_solved_exactly(agents: int, share: str, hurry: str) -> None:
    load = agents * Fraction(share)
    chain = states(agents, load, Fraction(hurry), agents + 250)
    queue = sum(p * (n - agents) for n, p in enumerate(chain) if n > agents)
    found = wait_a(agents, float(load), 180.0, 180.0 / float(hurry), 20.0)
    assert found.waits == pytest.approx(float(sum(chain[agents:])), rel=1e-9)
    assert found.abandons == pytest.approx(float(queue * Fraction(hurry) / load), rel=1e-9)
    assert found.waiting == pytest.approx(float(queue), rel=1e-9)
    busy = sum(p * min(n, agents) for n, p in enumerate(chain))
    assert found.occupancy == pytest.approx(float(busy / agents), rel=1e-9)


@pytest.mark.parametrize(("agents", "load", "patience_s"), [(3, 2.5, 60.0), (12, 14.0, 200.0)])
def test_service_level_of_a_agrees_with_the_waits_of_single_places(agents: int, load: float, patience_s: float) -> None:
    """Who comes with k before him waits for k + 1 departures; each comes sooner, the more wait. Integrated in steps."""
    chain = [float(p) for p in states(agents, Fraction(load), Fraction(180) / Fraction(patience_s), agents + 60)]
    dt, within_s = 0.01, 20.0
    ahead = chain[agents : agents + 60]  # probability that the caller has k before him
    answered = 0.0
    for _ in range(int(within_s / dt)):
        rates = [agents / 180 + k / patience_s for k in range(len(ahead))]
        answered += ahead[0] * agents / 180 * dt
        ahead = [
            p * (1 - dt * (rates[k] + 1 / patience_s)) + dt * (rates[k + 1] * ahead[k + 1] if k + 1 < len(ahead) else 0)
            for k, p in enumerate(ahead)
        ]
    found = wait_a(agents, load, 180.0, patience_s, within_s)
    assert found.service_level == pytest.approx(sum(chain[:agents]) + answered, abs=2e-4)


def test_endless_patience_is_c() -> None:
    assert wait_a(12, 10.0, 180.0, math.inf, 20.0) == wait_c(12, 10.0, 180.0, 20.0)
    patient, endless = wait_a(12, 10.0, 180.0, 1e9, 20.0), wait_c(12, 10.0, 180.0, 20.0)
    assert patient.waits == pytest.approx(endless.waits, rel=1e-5)
    assert patient.service_level == pytest.approx(endless.service_level, rel=1e-5)
    assert patient.asa_s == pytest.approx(endless.asa_s, rel=1e-5)


@pytest.mark.parametrize("load", [100.0, 9_000.0, 9_950.0, 10_000.0, 12_000.0, 40_000.0])
@pytest.mark.parametrize("patience_s", [1.0, 120.0, 1e6])
def test_ten_thousand_agents(load: float, patience_s: float) -> None:
    found = wait_a(10_000, load, 300.0, patience_s, 20.0)
    for share in (found.waits, found.service_level, found.abandons, found.occupancy):
        assert -1e-9 <= share <= 1 + 1e-9
    # What comes in goes out, answered or not; a fluid bounds it from below.
    assert found.abandons >= 1 - 10_000 / load - 1e-9
    assert found.occupancy == pytest.approx(load * (1 - found.abandons) / 10_000)
    if load <= 9_000:
        assert found.abandons < 1e-6


def test_ten_thousand_agents_in_heavy_traffic_are_as_halfin_and_whitt_say() -> None:
    """P(wait) tends to 1 / (1 + b Phi(b) / phi(b)) for load = n - b sqrt(n)."""
    b = 1.0
    limit = 1 / (1 + b * 0.8413447 / 0.2419707)
    assert erlang_c(10_000, 10_000 - b * 100) == pytest.approx(limit, rel=0.01)


@given(st.integers(1, 300), st.floats(0.1, 400), st.floats(1, 3600), st.floats(0, 120))
@settings(max_examples=60)
def test_one_agent_more_never_makes_it_worse(agents: int, load: float, patience_s: float, within_s: float) -> None:
    few, more = (wait_a(n, load, 180.0, patience_s, within_s) for n in (agents, agents + 1))
    assert more.waits <= few.waits + 1e-9
    assert more.abandons <= few.abandons + 1e-9
    assert more.service_level >= few.service_level - 1e-9


def test_no_agents_no_calls() -> None:
    nobody = wait_a(0, 5.0, 180.0, 60.0, 20.0)
    assert (nobody.service_level, nobody.abandons, nobody.mean_wait_s) == (0.0, 1.0, 60.0)
    assert wait_a(0, 0.0, 180.0, 60.0, 20.0).service_level == 1.0
    assert wait_c(0, 0.0, 180.0, 20.0).service_level == 1.0
    assert agents_needed(lambda n: wait_c(n, 0.0, 180.0, 20.0).service_level >= 0.8) == 0


@pytest.mark.parametrize(("least", "load"), [(0, 0.0), (1, 0.01), (4, 0.6), (18, 10.0), (117, 100.0)])
def test_lines_needed(least: int, load: float) -> None:
    assert lines_needed(load, 0.01) == least
    assert load == 0 or erlang_b(least - 1, load) > 0.01 >= erlang_b(least, load)


def test_what_no_number_of_agents_reaches() -> None:
    assert agents_needed(lambda n: False) is None


@given(st.integers(0, 5000))
@settings(max_examples=50)
def test_the_search_finds_the_first(first: int) -> None:
    assert agents_needed(lambda n: n >= first) == first
