"""The search finds what trying everything finds, meets the targets, and knows when it can't."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from acd.erlang import agents_needed, wait_c
from acd.simulate import find_staff
from acd.simulate.demand import Demand, Habits, Span
from acd.simulate.distributions import NEVER, Exponential, Streams
from acd.simulate.experiment import A_MONDAY, run, run_day
from acd.simulate.find_staff import NobodyServes, NotEnough, Option, Search, Task, find, first_guess, missing
from acd.simulate.staff import AgentType
from acd.simulate.world import Conduct
from tests.acd.simulate.conftest import MakeFloor

NINE = 9 * 3600.0


def always(name: str, cost: float, most: int = 50, **skills: int) -> Option:
    return Option(AgentType(name, skills), -math.inf, math.inf, cost, most)


def task(make_floor: MakeFloor, *options: Option, hours: float = 4, a: float = 60, b: float = 40) -> Task:
    """Two queues with so many calls an hour, of 3 minutes each."""
    site = make_floor(1, a={"needs": "a"}, b={"needs": "b"})
    spans = {name: [Span(NINE, NINE + hours * 3600, calls / 3600)] for name, calls in (("a", a), ("b", b)) if calls}
    return Task(site, Demand(spans, others=Habits(Exponential(180.0), NEVER)), options, Conduct(), A_MONDAY)


def test_one_queue_needs_what_erlang_says(make_floor: MakeFloor) -> None:
    one = task(make_floor, always("plain", 1, a=1), a=200, b=0, hours=4)
    found = find(one, range(2))
    least = agents_needed(lambda n: wait_c(n, 10.0, 180.0, 20.0).service_level >= 0.8)
    assert least is not None
    assert abs(found.staff[0] - least) <= 1  # a day is not endless
    assert first_guess(one) == (least,)


def test_it_finds_the_cheapest_of_all(make_floor: MakeFloor) -> None:
    options = (always("a", 10, a=5), always("b", 10, b=5), always("both", 13, a=5, b=5))
    wanted = task(make_floor, *options, hours=3, a=40, b=20)
    search = Search(wanted, [0, 1], None)
    found = search.exchanged(search.shrunk(search.grown(first_guess(wanted))))
    every = Search(wanted, [0, 1], None)
    cheapest = min(
        (staff for staff in itertools.product(range(7), range(5), range(7)) if 3 <= sum(staff) <= 8 and
         wanted.cost(staff) <= wanted.cost(found) and every.enough(staff)),
        key=wanted.cost,
    )  # fmt: skip
    assert wanted.cost(found) == wanted.cost(cheapest)


def test_what_it_finds_is_enough_for_every_queue(make_floor: MakeFloor) -> None:
    options = (always("a", 10, a=5), always("both", 11, a=5, b=5), always("b", 10, b=5))
    wanted = task(make_floor, *options, hours=2)
    found = find(wanted, range(2))
    assert missing(wanted, run(wanted.plan(found.staff), range(found.days)).days) == 0
    assert len(found.results.days) == found.days  # others
    assert found.cost == pytest.approx(sum(n * c for n, c in zip(found.staff, (10, 11, 10), strict=True)))
    assert found.staff[1] > 0  # who can do both is worth a tenth more


def test_a_search_that_may_not_work_ends_and_says_so(make_floor: MakeFloor, monkeypatch: pytest.MonkeyPatch) -> None:
    """With types in shifts there are too many staffs to try; what it has then is enough all the same."""
    monkeypatch.setattr(find_staff, "WORK", 1_000)
    options = (always("a", 10, a=5), always("b", 10, b=5), always("both", 13, a=5, b=5))
    wanted = task(make_floor, *options, hours=2)
    found = find(wanted, range(4))
    assert not found.whole and found.tried < 40
    assert missing(wanted, run(wanted.plan(found.staff), range(found.days)).days) == 0


def test_who_does_everything_at_the_same_price_is_taken(make_floor: MakeFloor) -> None:
    options = (always("a", 10, a=5), always("b", 10, b=5), always("both", 10, a=5, b=5))
    found = find(task(make_floor, *options, hours=2), range(1))
    assert found.staff[:2] == (0, 0) or sum(found.staff[:2]) <= 1


def test_shifts_follow_the_day(make_floor: MakeFloor) -> None:
    """Three times the calls in the afternoon; a shift costs by the hour."""
    base = task(make_floor, a=0, b=0)
    spans = {"a": [Span(NINE, NINE + 4 * 3600, 20 / 3600), Span(NINE + 4 * 3600, NINE + 8 * 3600, 120 / 3600)]}
    kind = AgentType("plain", {"a": 1})
    early = Option(AgentType("early", kind.skills), NINE, NINE + 4 * 3600, 4)
    late = Option(AgentType("late", kind.skills), NINE + 4 * 3600, NINE + 8 * 3600, 4)
    whole = Option(AgentType("whole", kind.skills), NINE, NINE + 8 * 3600, 8)
    day = replace(base, demand=Demand(spans, others=base.demand.others), options=(early, late, whole), every_hour=True)
    found = find(day, range(1))
    morning, afternoon = found.staff[0] + found.staff[2], found.staff[1] + found.staff[2]
    assert 2 <= morning <= 4 and 7 <= afternoon <= 11


def test_a_queue_that_nobody_serves_is_told(make_floor: MakeFloor) -> None:
    with pytest.raises(NobodyServes) as caught:
        find(task(make_floor, always("a", 10, a=5)), range(1))
    assert str(caught.value) == "nobody of these types can take calls of queue b"


def test_too_few_there_may_be(make_floor: MakeFloor) -> None:
    with pytest.raises(NotEnough, match="all agents there may be are not enough"):
        find(task(make_floor, always("both", 10, most=3, a=5, b=5)), range(1))


def test_shortfall_is_counted_in_calls(make_floor: MakeFloor) -> None:
    wanted = task(make_floor, always("both", 1, a=5, b=5), b=0)
    search = Search(wanted, [0], None)
    nobody = search.short((0,))
    assert nobody == pytest.approx(0.8 * len(wanted.demand.callers(search._days[0][0])))
    assert search.short((40,)) == 0
    assert not search.enough((0,)) and search.tried == 2
    day = run_day(wanted.plan((3,)), search._days[0][1], Streams(1))
    assert missing(wanted, [day]) == search.short((3,))
