"""Estimates of the wait, in seeded days of virtual time: near the truth, and nearer than what others do."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from statistics import fmean
from typing import Any, NamedTuple

import pytest

from acd.checkpoint import keep, take_up
from acd.commands import OfferItem
from acd.engine import Engine
from acd.estimate import Rates, until_served_s
from acd.events import ItemConnected
from tests.acd.conftest import T0, MakeSite, Scene

WARM_UP_S = 7_200.0


class Told(NamedTuple):
    """What a caller was told who was answered later on."""

    queue: str
    waited_s: float
    error_s: float
    past_error_s: float  # had he been told the average of the last hundred waits


@dataclass
class Day:
    """Callers come by chance, talk and give up by chance; agents ring for `ring_s`."""

    engine: Engine
    dice: Random
    per_hour: dict[str, float]  # arrivals, by queue
    talk_s: dict[str, float]
    patience_s: float | None
    ring_s: float = 4.0
    sigma: float | None = None  # talks are log-normal with this; None: exponential
    coming: list[tuple[float, int, str, str]] = field(default_factory=list)
    made: int = 0
    now: float = T0
    waits: dict[str, deque[float]] = field(default_factory=dict)  # the last ones, by queue
    past: dict[str, float] = field(default_factory=dict)  # by call: their average when it came
    told: list[Told] = field(default_factory=list)

    def due(self, after_s: float, now: float, what: str, of: str) -> None:
        self.made += 1
        heapq.heappush(self.coming, (now + after_s, self.made, what, of))

    def run(self, seconds: float) -> None:
        """Until so long after the beginning."""
        if not self.coming:
            for queue, rate in self.per_hour.items():
                self.due(self.dice.expovariate(rate / 3600), self.now, "arrival", queue)
        while self.now < T0 + seconds:
            tick = self.engine.next_deadline()
            if tick is not None and tick <= self.coming[0][0]:
                self.now = tick
                self.engine.tick(tick)
            else:
                self.now, _, what, of = heapq.heappop(self.coming)
                getattr(self, what)(of, self.now)
            self.listen(self.now)

    def arrival(self, queue: str, now: float) -> None:
        self.due(self.dice.expovariate(self.per_hour[queue] / 3600), now, "arrival", queue)
        call = f"{queue}-{self.made}"
        self.engine.enqueue(call, queue, {}, now)
        self.past[call] = fmean(self.waits.get(queue) or [0.0])
        if self.patience_s is not None:
            self.due(self.dice.expovariate(1 / self.patience_s), now, "gives_up", call)

    def gives_up(self, call: str, now: float) -> None:
        item = self.engine.floor.items.get(call)
        if item is not None and item.agent is None:
            self.engine.abandon(call, now)

    def answers(self, reservation: str, now: float) -> None:
        held = self.engine.floor.reservations.get(int(reservation))
        if held is not None and self.engine.answer(int(reservation), now):
            mean = self.talk_s[held.queue]
            talk = self.dice.expovariate(1 / mean)
            if self.sigma is not None:
                talk = mean * self.dice.lognormvariate(-self.sigma**2 / 2, self.sigma)
            self.due(talk, now, "hangs_up", held.item_id)

    def hangs_up(self, call: str, now: float) -> None:
        self.engine.complete(call, now)

    def listen(self, now: float) -> None:
        events, commands = self.engine.take()
        for command in commands:
            if isinstance(command, OfferItem):
                self.due(self.ring_s, now, "answers", str(command.reservation))
        for event in events:
            if isinstance(event, ItemConnected):
                waited_s, past_s = event.waited_s, self.past.pop(event.item_id, 0.0)
                self.waits.setdefault(event.queue, deque(maxlen=100)).append(waited_s)
                if now > T0 + WARM_UP_S and event.predicted_s is not None:
                    self.told.append(Told(event.queue, waited_s, event.predicted_s - waited_s, past_s - waited_s))


@pytest.fixture
def floor_of(make_site: MakeSite) -> Callable[..., Engine]:
    def build(agents: Mapping[str, dict[str, Any]], **queues: dict[str, Any]) -> Engine:
        rules = {name: {"wrap_up_s": 20, "ring_s": 20} | queue for name, queue in queues.items()}
        engine = Engine(make_site(agents, rules), T0)
        for name in agents:
            engine.phone_registered(f"x-{name}", True, T0)
            engine.login(name, T0)
            engine.ready(name, T0)
        return engine

    return build


def people(**many: int) -> dict[str, dict[str, Any]]:
    """`en=2` is two agents who speak it, `en_fr=1` one who speaks both."""
    return {
        f"{skills}-{i}": {"skills": dict.fromkeys(skills.split("_"), 5)}
        for skills, count in many.items()
        for i in range(count)
    }


def near_the_truth(day: Day, queue: str = "") -> None:
    """No lean to either side worth mention, and the error about half of what the average of past waits has."""
    told = [one for one in day.told if one.queue.startswith(queue)]
    waited_s, bias_s = fmean(one.waited_s for one in told), fmean(one.error_s for one in told)
    off_s = fmean(abs(one.error_s) for one in told)
    past_s = fmean(abs(one.past_error_s) for one in told)
    assert len(told) > 500
    assert abs(bias_s) < max(1.5, 0.06 * waited_s), (bias_s, waited_s)
    assert off_s < 0.7 * past_s, (off_s, past_s)
    near, past_near = fmean(abs(o.error_s) <= 30 for o in told), fmean(abs(o.past_error_s) <= 30 for o in told)
    assert near > past_near


@pytest.mark.parametrize(
    ("agents", "load", "patience_s", "sigma", "ring_s"),
    [(10, 1.1, 600, None, 4), (10, 1.1, 180, None, 4), (10, 1.1, 600, 0.6, 4), (50, 1.05, 300, None, 4),
     (10, 1.1, 120, None, 0), (50, 1.05, 300, None, 15)],
)  # fmt: skip
def test_steady_load(
    floor_of: Callable[..., Engine], agents: int, load: float, patience_s: float, sigma: float | None, ring_s: float
) -> None:
    """Also where most of those who would have waited long hang up, and where phones ring for long."""
    engine = floor_of(people(any=agents), sales={})
    per_hour = {"sales": load * agents * 3600 / (200 + ring_s)}
    day = Day(engine, Random(1), per_hour, {"sales": 180.0}, patience_s, ring_s, sigma)
    day.run(86_400 * 20 / agents)
    near_the_truth(day)


def test_priorities_let_others_get_ahead(floor_of: Callable[..., Engine]) -> None:
    engine = floor_of(people(any=10), low={}, vip={"priority": 300})
    day = Day(engine, Random(1), {"low": 140, "vip": 54}, dict.fromkeys(("low", "vip"), 180.0), 600)
    day.run(2 * 86_400)
    near_the_truth(day, "low")


def test_queues_that_share_some_agents(floor_of: Callable[..., Engine]) -> None:
    """The queue whose line is shorter is served by those who serve nobody else, mostly."""
    engine = floor_of(people(en=8, fr=8, en_fr=4), eng={"needs": "en >= 1"}, fra={"needs": "fr >= 1"})
    day = Day(engine, Random(1), {"eng": 230, "fra": 150}, dict.fromkeys(("eng", "fra"), 180.0), 600)
    day.run(2 * 86_400)
    near_the_truth(day, "eng")
    told = [one for one in day.told if one.queue == "fra"]
    off_s, past_s = fmean(abs(one.error_s) for one in told), fmean(abs(one.past_error_s) for one in told)
    assert off_s < 0.7 * past_s
    assert abs(fmean(one.error_s for one in told)) < 0.1 * fmean(one.waited_s for one in told)


def test_short_and_long_calls_for_the_same_agents(floor_of: Callable[..., Engine]) -> None:
    engine = floor_of(people(any=10), short={}, long={})
    day = Day(engine, Random(1), {"short": 180, "long": 40}, {"short": 90.0, "long": 480.0}, 600)
    day.run(2 * 86_400)
    near_the_truth(day, "short")
    near_the_truth(day, "long")


def test_ewt_wrong_half_of_the_agents_go_to_lunch(floor_of: Callable[..., Engine]) -> None:
    """Complaint: the expected wait looks back at answered calls only, since the start. Here it knows who is there."""
    engine = floor_of(people(any=10), sales={})
    day = Day(engine, Random(1), {"sales": 194}, {"sales": 180.0}, 600)
    day.run(86_400)

    def eighth() -> float:
        for i in range(8):
            engine.enqueue(f"{day.now} {i}", "sales", {}, day.now)
        wait_s = engine.floor.estimates.wait_s("sales", 8, day.now)
        assert wait_s is not None
        return wait_s

    before_s = eighth()
    for i in range(5):
        engine.not_ready(f"any-{i}", "lunch", day.now)
    day.run(86_400 + 900)  # those who talked are gone to lunch by now
    assert 1.5 < eighth() / before_s < 2.2  # not quite twice: more give up meanwhile


def test_ewt_wrong_only_answered_calls_only_since_restart(floor_of: Callable[..., Engine]) -> None:
    """Complaint: who hangs up does not count, and after a restart nothing is known. Here eight who wait are gone sooner
    where callers hang up, and the restarted floor expects what the other did."""
    waits: list[float] = []
    for patience_s in (None, 300.0):
        day = Day(floor_of(people(any=4), sales={}), Random(1), {"sales": 70}, {"sales": 180.0}, patience_s)
        day.run(6 * 3600)
        for engine in (day.engine, Engine.on(take_up(keep(day.engine.floor)))):
            wait_s = engine.floor.estimates.wait_s("sales", 8, day.now)
            assert wait_s is not None
            waits.append(wait_s)
    assert waits[0] == waits[1] and waits[2] == waits[3]
    assert waits[2] < 0.8 * waits[0]


# --- the parts -------------------------------------------------------------------------------------------------------


def test_nobody_knows_before_the_first_call_is_over(stage: Callable[..., Scene]) -> None:
    scene = stage({"ann": {}})
    estimates = scene.engine.floor.estimates
    assert estimates.wait_s("sales", 1, scene.now) is None  # nobody is there
    scene.ready("ann")
    assert estimates.wait_s("sales", 1, scene.now) == 0.0
    scene.call("c1")
    assert estimates.wait_s("sales", 1, scene.now) is None  # and how long will she talk?
    scene.wait(4)
    scene.answer("c1")
    scene.wait(60)
    scene.engine.complete("c1", scene.now)
    scene.wait(36)
    scene.call("c2")
    assert estimates.wait_s("sales", 1, scene.now) == pytest.approx(4 + 60 + 30 + 4)  # talk, notes, ringing again
    scene.call("c3")
    scene.call("c4")
    assert estimates.wait_s("sales", 2, scene.now) == pytest.approx(2 * 94 + 4)
    assert estimates.wait_s("sales", 99, scene.now) == pytest.approx(3 * 94 + 4)  # comes now
    assert estimates.wait_s("nosuch", 1, scene.now) is None
    assert scene.engine.floor.items["c4"].predicted_s == pytest.approx(2 * 94 + 4)


def test_calls_let_ring_cost_time(stage: Callable[..., Scene]) -> None:
    scene = stage({"ann": {}})
    scene.ready("ann")
    scene.call("c1")
    scene.wait(10)  # rings in vain
    scene.engine.ready("ann", scene.now)
    scene.listen()
    scene.wait(4)
    scene.answer("c1")
    scene.wait(60)
    scene.engine.complete("c1", scene.now)
    scene.wait(31)
    scene.call("c2")
    assert scene.engine.floor.estimates.wait_s("sales", 1, scene.now) == pytest.approx(104 + 14, rel=0.01)


@pytest.mark.parametrize("ahead", [0, 1, 5, 12, 40, 400])
@pytest.mark.parametrize("abandons_per_s", [0.0, 1 / 600, 1 / 30])
def test_the_integral_is_the_sum(ahead: int, abandons_per_s: float) -> None:
    exact = sum(1 / (10 / 180 + k * abandons_per_s) for k in range(1, ahead + 2))
    assert until_served_s(ahead, 10, 180, 180, abandons_per_s) == pytest.approx(exact, rel=0.01)


def test_rates_fall_while_nobody_comes() -> None:
    rates = Rates(arrivals=50, arrivals_s=500, came_at=1000)
    assert rates.arrivals_per_s(1000) == pytest.approx(0.1)
    assert rates.arrivals_per_s(1500) == pytest.approx(0.05)
    assert Rates().arrivals_per_s(5) == 0.0
