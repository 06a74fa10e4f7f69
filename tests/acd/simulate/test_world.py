"""Days so small that each moment of them can be told beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest

from acd.simulate.demand import Arrival, Caller, Demand
from acd.simulate.distributions import Streams
from acd.simulate.experiment import Plan, run_day
from acd.simulate.staff import Shift, always
from acd.simulate.tally import Day
from acd.simulate.world import Conduct
from config.schema import Site
from tests.acd.simulate.conftest import MakeFloor

NINE = 9 * 3600.0


def call(
    at: float, talk_s: float = 60.0, patience_s: float = math.inf, queue: str = "sales", **attributes: str
) -> Caller:
    return Caller(NINE + at, queue, {**attributes}, patience_s, talk_s)


def day(
    site: Site, callers: Sequence[Caller], shifts: Sequence[Shift] | None = None, conduct: Conduct | None = None,
    until_s: float = 3600.0,
) -> Day:  # fmt: skip
    known = [Arrival(NINE, "sales"), Arrival(NINE + until_s, "sales")]
    plan = Plan(site, Demand(arrivals=known), always(site.agents) if shifts is None else shifts, conduct or Conduct())
    return run_day(plan, callers, Streams(1))


def test_one_agent_two_calls(make_floor: MakeFloor) -> None:
    found = day(make_floor(1), [call(0), call(10)]).all()
    assert (found.offered, found.answered, found.waited, found.in_time) == (2, 2, 1, 1)
    assert found.asa_s == pytest.approx(25.0, abs=1e-5)  # 0 and 50
    assert found.longest_s == pytest.approx(50.0, abs=1e-5)
    assert found.aht_s == pytest.approx(60.0, abs=1e-5)


def test_who_loses_patience_hangs_up_unless_he_talks(make_floor: MakeFloor) -> None:
    found = day(make_floor(1), [call(0, patience_s=30), call(10, patience_s=20), call(15)]).all()
    assert (found.answered, found.abandoned) == (2, 1)
    assert found.abandons == pytest.approx(1 / 3)
    assert found.mean_wait_s == pytest.approx((0 + 20 + 45) / 3, abs=1e-5)


def test_short_abandons_do_not_count(make_floor: MakeFloor) -> None:
    site = make_floor(1, sales={"service_level": {"within_s": 20, "short_abandon_s": 5}})
    found = day(site, [call(0), call(1, patience_s=4), call(2, patience_s=6)]).all()
    assert (found.abandoned, found.short_abandoned) == (2, 1)
    assert found.service_level == pytest.approx(1 / 2)


def test_wrap_up_is_the_queues_or_as_told(make_floor: MakeFloor) -> None:
    site = make_floor(1, sales={"wrap_up_s": 30})
    assert day(site, [call(0), call(1)]).all().longest_s == pytest.approx(89.0, abs=1e-5)
    assert day(site, [call(0), call(1)], conduct=Conduct(wrap_up_s=10)).all().longest_s == pytest.approx(69.0, abs=1e-5)


def test_a_phone_is_picked_up_after_a_while(make_floor: MakeFloor) -> None:
    found = day(make_floor(1), [call(0)], conduct=Conduct(pick_up_s=4)).all()
    assert found.asa_s == pytest.approx(4.0, abs=1e-5)
    assert found.aht_s == pytest.approx(60.0, abs=1e-5)
    assert found.occupancy == pytest.approx(64 / 3600)  # he is taken while it rings


def test_a_missed_call_goes_to_the_next_and_the_agent_comes_back(make_floor: MakeFloor) -> None:
    site = make_floor(2, sales={"ring_s": 10})
    dice: Iterator[float] = iter([0.0, 1.0, 1.0])
    hour = Demand(arrivals=[Arrival(NINE, "sales"), Arrival(NINE + 3600, "sales")])
    plan = Plan(site, hour, always(site.agents), Conduct(missed=0.5, back_s=60))
    found = run_day(plan, [call(0), call(65)], FixedStreams(dice)).all()
    assert found.asa_s == pytest.approx(7.5, abs=1e-5)  # 10 by the second agent, 5 by who is back
    assert found.answered == 2


class FixedStreams(Streams):
    """Dice that fall as told."""

    def __init__(self, falls: Iterator[float]) -> None:
        super().__init__(1)
        self._falls = falls

    def of(self, purpose: str) -> FixedStreams:  # type: ignore[override]
        return self

    def random(self) -> float:
        return next(self._falls)


def test_overflow_leads_on_with_the_age_kept(make_floor: MakeFloor) -> None:
    site = make_floor(
        {"ann": {"skills": {"a": 5}}, "ben": {"skills": {"b": 5}}},
        sales={"needs": "a", "max_wait_s": 30, "overflow": "queue other"},
        other={"needs": "b", "max_wait_s": 100, "overflow": "extension 1"},
    )
    # Both agents are taken for long. The third call overflows after 30 s and leaves after 130.
    found = day(site, [call(0, 1000), call(0, 1000, queue="other"), call(1), call(20, 10, queue="other")])
    sales, other = found.of_queue("sales"), found.of_queue("other")
    assert (sales.offered, sales.answered, sales.overflowed) == (2, 1, 1)
    assert (other.offered, other.answered, other.overflowed) == (3, 1, 2)
    assert sales.longest_s == pytest.approx(30.0, abs=1e-5)
    assert other.longest_s == pytest.approx(100.0, abs=1e-5)


def test_shifts(make_floor: MakeFloor) -> None:
    """Nobody is there before nine thirty; who goes at ten finishes the call first."""
    site = make_floor(1)
    shifts = [Shift("a1", NINE + 1800, NINE + 3600)]
    found = day(site, [call(0), call(3590, 100)], shifts, until_s=7200)
    assert found.all().longest_s == pytest.approx(1800.0, abs=1e-5)
    assert [found.on_duty(hour) for hour in range(2)] == pytest.approx([0.5, 90 / 3600], abs=1e-6)
    assert found.of_hour(0).occupancy == pytest.approx(70 / 1800, abs=1e-6)
    assert found.of_hour(1).occupancy == pytest.approx(1.0)


def test_who_waits_for_ever_is_counted_as_waiting(make_floor: MakeFloor) -> None:
    site = make_floor({"ann": {"skills": {"b": 1}}}, sales={"needs": "a"})
    found = day(site, [call(0)]).all()
    assert (found.offered, found.waiting, found.answered, found.service_level) == (1, 1, 0, 0.0)


def test_who_comes_before_the_window_does_not_count(make_floor: MakeFloor) -> None:
    site = make_floor(1)
    plan = Plan(site, Demand(arrivals=[Arrival(NINE, "sales"), Arrival(NINE + 3600, "sales")]), always(["a1"]),
                warm_up_s=100.0)  # fmt: skip
    found = run_day(plan, [call(0, 200), call(150, 10)], Streams(1))
    assert (found.all().offered, found.all().waited) == (1, 1)
    assert found.all().occupancy == pytest.approx(110 / 3500)


def test_skills_of_calls(make_floor: MakeFloor) -> None:
    site = make_floor(
        {"ann": {"skills": {"asia": 5, "french": 9}}, "ben": {"skills": {"cruise": 5}}},
        sales={"needs": "skill(call.destination) >= 3"},
        french={"needs": "french"},
    )
    found = day(site, [call(0, destination="asia"), call(1, destination="cruise"), call(100, queue="french")])
    assert found.skills == ["asia", "cruise", "french"]
    assert found.of_skill("asia", frozenset({"ann"})).offered == 1
    assert found.of_skill("asia", frozenset({"ann"})).occupancy == pytest.approx(120 / 3600)
    assert found.serves == {"sales": {"ann", "ben"}, "french": {"ann"}}


def test_progress_is_told(make_floor: MakeFloor) -> None:
    site = make_floor(1)
    callers = [call(n, 0.5) for n in range(1200)]
    told: list[float] = []
    plan = Plan(site, Demand(arrivals=[Arrival(NINE, "sales")]), always(site.agents))
    run_day(plan, callers, Streams(1), told.append)
    assert told == [500 / 1200, 1000 / 1200]


def test_the_same_seed_gives_the_same_day(make_floor: MakeFloor) -> None:
    from acd.simulate.demand import Span
    from acd.simulate.experiment import run

    site = make_floor(3)
    plan = Plan(site, Demand({"sales": [Span(NINE, NINE + 7200, 1 / 70)]}), always(site.agents))
    first, again, other = (run(plan, [seed]).days[0].all() for seed in (7, 7, 8))
    assert first == again != other
