"""Callers who do not stay on the line: callbacks, and places kept for who calls again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from acd.events import AcdEvent
from acd.figures import Days
from acd.simulate.demand import Arrival, Demand, Habits, Span
from acd.simulate.distributions import Exponential, Streams
from acd.simulate.experiment import A_MONDAY, Plan, Skills, run, run_day
from acd.simulate.find_staff import Option, Task, margins
from acd.simulate.recorded import KINDS, RecordedDay, Row
from acd.simulate.staff import AgentType, always
from acd.simulate.tally import Day, Figures, Tally
from acd.simulate.world import Conduct, World
from acd.statistics import Statistics
from acd.summary import of_calls
from config.schema import Hours, Site
from tests.acd.simulate.conftest import MakeFloor
from tests.acd.simulate.test_world import NINE, FixedStreams, call

OFFER: Mapping[str, Any] = {"offer": ["press-1"], "offer_after_s": 10, "ring_s": 30, "retry_after_s": 100}


def day(site: Site, conduct: Conduct, callers: Sequence[Any], dice: Sequence[float], until_s: float = 3600.0) -> Day:
    """`dice` fall as told: whether the callback is taken, whether its calls are answered; whether he calls again, when;
    with `missed`, before these whether an agent takes a call."""
    known = [Arrival(NINE, "sales"), Arrival(NINE + until_s, "sales")]
    falls: Iterator[float] = iter(dice)
    found = run_day(Plan(site, Demand(arrivals=known), always(site.agents), conduct), callers, FixedStreams(falls))
    assert not list(falls)  # all were asked for
    return found


def callbacks(found: Figures) -> tuple[int, int, int, int]:
    return found.callbacks_asked, found.callbacks_made, found.callbacks_reached, found.callbacks_failed


# --- callbacks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "connected_s"), [("agent first", 100 + 4 + 8), ("customer first", 100 + 8 + 4)])
def test_who_takes_a_callback_is_called_when_it_is_his_turn(
    make_floor: MakeFloor, order: str, connected_s: float
) -> None:
    """The agent is free after 104 s; the caller who came second stays where he was, before the third."""
    site = make_floor(1, sales={"callback": {**OFFER, "order": order}})
    conduct = Conduct(pick_up_s=4, callback=0.5, reached=0.5, reached_s=8)
    callers = [call(0, 96), call(0.1, 60), call(0.2, 30, 200)]
    found = day(site, conduct, callers, [0.4, 0.6, 0.4]).of_queue("sales")
    assert (found.offered, found.answered, found.abandoned, found.called_back) == (3, 2, 0, 1)
    assert callbacks(found) == (1, 1, 1, 0)
    rings_s = 104.0 if order == "agent first" else 100.0
    assert found.callback_wait_s == pytest.approx(rings_s - 0.1 - 10, abs=1e-5)
    assert found.longest_s == pytest.approx(connected_s + 60 + 4 - 0.2, abs=1e-5)
    assert found.service_level == pytest.approx(1 / 2)  # of the first and the third
    assert found.service_level_with_callbacks == pytest.approx(1 / 3)
    assert found.occupancy == pytest.approx((connected_s + 60 + 4 + 30) / 3600, abs=1e-5)


@pytest.mark.parametrize("order", ["agent first", "customer first"])
def test_who_does_not_answer_is_called_again_and_then_given_up(make_floor: MakeFloor, order: str) -> None:
    site = make_floor(1, sales={"callback": {**OFFER, "order": order, "retries": 1}})
    conduct = Conduct(callback=0.5, reached=0.5, reached_s=8)
    answers = day(site, conduct, [call(0, 60), call(1, 60)], [0.1, 0.9, 0.1])
    found = answers.of_queue("sales")
    assert callbacks(found) == (1, 1, 1, 0)
    assert found.occupancy == pytest.approx((60 + 30 + 8 + 60) / 3600)  # his phone rings 30 s in vain
    assert found.callback_wait_s == pytest.approx(60 - 11, abs=1e-5)
    given_up = day(site, conduct, [call(0, 60), call(1, 60)], [0.1, 0.9, 0.9]).of_queue("sales")
    assert callbacks(given_up) == (1, 1, 0, 1)
    assert given_up.occupancy == pytest.approx((60 + 30 + 30) / 3600)


def test_who_waits_for_the_agent_may_hang_up_again(make_floor: MakeFloor) -> None:
    """Customer first: he has answered, and the agent who is held for him takes too long."""
    site = make_floor(1, sales={"callback": {**OFFER, "order": "customer first"}})
    conduct = Conduct(pick_up_s=15, callback=0.5, reached_s=8)
    found = day(site, conduct, [call(0, 60), call(1, 60, 14)], [0.5, 0, 0]).of_queue("sales")
    assert callbacks(found) == (1, 1, 1, 1)
    assert (found.answered, found.abandoned) == (1, 0)


def test_an_agent_who_misses_the_callback_is_followed_by_another(make_floor: MakeFloor) -> None:
    site = make_floor(2, sales={"callback": {**OFFER, "order": "customer first"}, "ring_s": 20})
    conduct = Conduct(missed=0.5, callback=1, reached_s=8)
    callers = [call(0, 60), call(0, 100), call(1, 60)]
    # Taken, taken; takes the callback, answers; the first agent misses it, the second takes it.
    found = day(site, conduct, callers, [1, 1, 0, 0, 0, 1]).of_queue("sales")
    assert callbacks(found) == (1, 1, 1, 0)
    assert found.occupancy == pytest.approx((60 + 8 + 20 + 100 + 60) / 7200, abs=0.02)


def test_a_callback_is_offered_by_the_queues_rules(make_floor: MakeFloor) -> None:
    """Not before its time, not where nothing is said, nor to who is not answered yet; not beyond so many."""
    callers = [call(0, 60), call(1, 60, 70), call(2, 60, 200)]
    conduct = Conduct(callback=1)

    def asked(dice: Sequence[float], **queue: Any) -> int:
        return day(make_floor(1, sales=queue), conduct, callers, dice).all().callbacks_asked

    assert asked([0, 0, 0, 0], callback=OFFER) == 2
    assert asked([0, 0], callback={**OFFER, "offer_after_s": 59.5}) == 1  # the first of them talks by then
    assert asked([], callback={**OFFER, "offer": []}) == 0
    assert asked([], callback=OFFER, answer="on agent") == 0
    assert asked([0, 0, 0], callback={**OFFER, "most": 1}) == 1


def test_customers_are_called_in_the_hours_for_it(make_floor: MakeFloor) -> None:
    """From 10:00 UTC on."""
    late = Hours.model_validate({"open": {"mon-fri": "11:00-18:00"}})
    site = make_floor(1, sales={"callback": {**OFFER, "hours": "late"}}).model_copy(update={"hours": {"late": late}})
    found = day(site, Conduct(callback=1), [call(0, 60), call(1, 60)], [0, 0], until_s=7200).of_queue("sales")
    assert callbacks(found) == (1, 1, 1, 0)
    assert found.callback_wait_s == pytest.approx(3600 - 11, abs=61)


def test_a_callback_that_nobody_could_make_is_neither_reached_nor_over(make_floor: MakeFloor) -> None:
    site = make_floor({"ann": {"skills": {"b": 1}}}, sales={"needs": "a", "callback": {**OFFER, "keep_s": 200_000}})
    found = day(site, Conduct(callback=1), [call(0)], [0]).all()
    assert callbacks(found) == (1, 0, 0, 0)
    assert found.callback_wait_s is None and found.service_level_with_callbacks == 0


# --- calls again ----------------------------------------------------------------------------------------------------


def test_who_calls_again_has_his_place(make_floor: MakeFloor) -> None:
    site = make_floor(1, sales={"resume_s": 60})
    callers = [call(0, 100), call(1, 10, 20), call(2, 10), call(3, 10, 20)]
    # The second does after half of the time, and hangs up again; the fourth does not, nor does the second once more.
    found = day(site, Conduct(again=0.5), callers, [0.4, 0.5, 0.6, 0.6], until_s=600).of_queue("sales")
    assert (found.offered, found.answered, found.abandoned, found.resumed) == (5, 2, 2, 1)
    assert found.counted == 4


def test_the_place_is_the_old_one(make_floor: MakeFloor) -> None:
    site = make_floor(1, sales={"resume_s": 60})
    callers = [call(0, 100), call(1, 10, 55), call(2, 10)]
    found = day(site, Conduct(again=0.5), callers, [0.4, 0.5], until_s=600)
    assert found.waited.tolist() == pytest.approx([0, 55, 100 - 86, 108], abs=1e-5)  # back at 86, before the third
    assert found.of_queue("sales").asa_s == pytest.approx((0 + 14 + 108) / 3, abs=1e-5)
    assert found.all().abandons == 0


def test_nobody_calls_again_where_no_place_is_kept(make_floor: MakeFloor) -> None:
    found = day(make_floor(1), Conduct(again=1), [call(0, 100), call(1, 10, 20)], []).all()
    assert (found.abandoned, found.resumed) == (1, 0)


# --- all of it ------------------------------------------------------------------------------------------------------


class Compared(Tally):
    """Beside it, the fold of the live server."""

    statistics: Statistics

    def note(self, event: AcdEvent) -> None:
        super().note(event)
        self.statistics.add(event)


@pytest.mark.parametrize("order", ["agent first", "customer first"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_figures_are_those_of_the_statistics(make_floor: MakeFloor, order: str, seed: int) -> None:
    site = make_floor(
        6, sales={"callback": {**OFFER, "order": order, "retry_after_s": 300, "retries": 1}, "resume_s": 300,
                  "service_level": {"within_s": 20, "short_abandon_s": 5}, "ring_s": 8, "wrap_up_s": 15},
    )  # fmt: skip
    demand = Demand({"sales": [Span(NINE, NINE + 7200, 1 / 25)]}, others=Habits(Exponential(180.0), Exponential(90.0)))
    conduct = Conduct(pick_up_s=4, missed=0.05, callback=0.4, reached=0.7, again=0.5)
    callers = [*demand.callers(Streams(seed)), call(30_000)]  # when all is over
    tally = Compared(Plan(site, demand, ()).midnight, (NINE, NINE + 40_000), ["sales"], Skills(site))
    tally.statistics = Statistics(Days("UTC"))
    World(site, callers, always(site.agents), tally, conduct, Streams(seed)).run()
    found = tally.day({"sales": site.queues["sales"].service_level}, {}).of_queue("sales")
    calls, called = (of_calls(tally.statistics.queues["sales"][channel].today(0)) for channel in ("call", "callback"))
    assert found.called_back > 20 and found.resumed > 10 and found.callbacks_failed > 3
    for name in ("offered", "answered", "abandoned", "called_back", "resumed"):
        assert getattr(found, name) == calls[name]
    assert (found.short_abandoned, found.in_time) == (calls["abandoned_short"], calls["answered_in_time"])
    assert found.offered == found.answered + found.abandoned + found.called_back + found.resumed
    assert found.service_level == pytest.approx(calls["service_level"])
    ended = [calls["answered"], calls["abandoned"], called["answered"], called["overflowed"], called["abandoned"]]
    counted = sum(int(n or 0) for n in ended) - int(calls["abandoned_short"] or 0)
    in_time = int(calls["answered_in_time"] or 0) + int(called["answered_in_time"] or 0)
    assert found.service_level_with_callbacks == pytest.approx(in_time / counted)
    assert found.callbacks_asked == int(called["answered"] or 0) + found.callbacks_failed


def test_a_recorded_day_has_each_caller_once(make_floor: MakeFloor) -> None:
    """Who took a callback talked in another item, perhaps the third that was made for it."""
    rows: list[Row] = []

    class Recording(Tally):
        def note(self, event: AcdEvent) -> None:
            super().note(event)
            if (kind := type(event).__name__) in KINDS:
                rows.append((event.at, kind, getattr(event, "item_id", None), asdict(event)))

    site = make_floor(3, sales={"callback": OFFER})
    demand = Demand({"sales": [Span(NINE, NINE + 7200, 1 / 60)]}, others=Habits(Exponential(180.0)))
    tally, callers = Recording(A_MONDAY, (NINE, NINE + 7200), ["sales"], Skills(site)), demand.callers(Streams(1))
    World(site, callers, always(site.agents), tally, Conduct(callback=0.5, reached=0.6), Streams(1)).run()
    day = RecordedDay(rows, A_MONDAY)
    found = [(one.at, one.talk_s) for one in day.demand().arrivals]
    failed = len(found) - len([talk_s for _, talk_s in found if talk_s is not None])
    assert [at for at, _ in found] == pytest.approx([one.at for one in callers])
    assert all(talk_s == pytest.approx(one.talk_s) for (_, talk_s), one in zip(found, callers, strict=True) if talk_s)
    told = tally.day({"sales": site.queues["sales"].service_level}, {}).all()
    assert failed == told.callbacks_failed > 0
    assert (day.queues["sales"].offered, day.queues["sales"].called_back) == (told.offered, told.called_back)


def test_the_same_seed_gives_the_same_choices_whoever_works(make_floor: MakeFloor) -> None:
    queue = {"callback": OFFER, "resume_s": 300}
    demand = Demand({"sales": [Span(NINE, NINE + 7200, 1 / 60)]}, others=Habits(Exponential(180.0), Exponential(90.0)))
    conduct = Conduct(callback=0.5, reached=0.7, again=0.5)

    def played(agents: int, seed: int) -> Any:
        site = make_floor(agents, sales=queue)
        return run(Plan(site, demand, always(site.agents), conduct), [seed]).days[0].all()

    first, again, other, fewer = played(3, 7), played(3, 7), played(3, 8), played(2, 7)
    assert first == again != other
    assert first.called_back > 5 and fewer.called_back > first.called_back


def test_a_staff_is_not_enough_that_lets_customers_wait_for_their_call(make_floor: MakeFloor) -> None:
    """All who wait for ten seconds take a callback, so nobody is answered late: but they are called by and by."""
    site = make_floor(1, sales={"callback": OFFER})
    demand = Demand({"sales": [Span(NINE, NINE + 14_400, 1 / 60)]}, others=Habits(Exponential(180.0)))
    hired = Option(AgentType("all"), -math.inf, math.inf, 1.0)
    task = Task(site, demand, [hired], Conduct(callback=1), Plan(site, demand, ()).midnight)
    few, enough = ([run(task.plan((count,)), [1]).days[0]] for count in (2, 5))
    assert few[0].all().service_level == 1.0
    assert margins(task, few).short > 0 == margins(task, enough).short
