"""Transfers of calls that agents have, into queues and flows: who is in wrap-up, who waits with what credit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acd.desk import Desk
from ivr.session import IvrHandler
from pbx.call.call import Call

from .office import SITE, Office, Talk, Telephone

QUEUES = """
agents:
  anna: {extension: 101, skills: {asia: 5}, login: always}
  ben: {extension: 102, skills: {europe: 5}, login: always}
queues:
  asia: {needs: asia, wrap_up_s: 10, music: music, answer: on entry}
  europe: {needs: europe, wrap_up_s: 10, music: music}
ivr:
  survey: {ask: {wait_s: 5}}
"""


class Screens:
    """What the agents' screens are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def offer(self, call: Call, agent: str, queue: str, reservation: int, then: Callable[[], None]) -> None:
        self.told.append(("offer", agent))
        then()

    def retract(self, call: Call, agent: str, reason: str) -> None:
        self.told.append(("retract", agent))

    def connected(self, call: Call, agent: str) -> None:
        self.told.append(("connected", agent))

    def wrap_up(self, call: Call, agent: str) -> None:
        self.told.append(("wrap_up", agent))

    def ended(self, call: Call, agent: str) -> None:
        self.told.append(("ended", agent))


class Floor(Office):
    """An office with a contact centre."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            SITE.replace("dial_plan:", 'dial_plan:\n  - {match: "81", to: queue asia, from: anyone}\n'
                         '  - {match: "82", to: queue europe, from: anyone}\n  - {match: "83", to: ivr survey}')
            .replace("numbers:\n", "numbers:\n  +33180000081: queue asia\n")
            .replace("media: {ports: 20000-20199}", f"media: {{ports: 20000-20199, prompts: {folder}}}") + QUEUES,
        )  # fmt: skip
        self.screens = Screens()
        self.desk = Desk(self.site, self.clock, self.events.append, self.screens, self.counters)
        ivr = IvrHandler(self.site, self.clock, self.events.append, lambda *_: None, self.counters)
        self.switch.handlers |= {"queue": self.desk.enter, "ivr": ivr.start}
        self.switch.on_extension_legs = self.desk.phone_calls
        self.location.on_change = self.desk.phone_registered

    def state(self, agent: str) -> object:
        return next(one["state"] for one in self.desk.agents() if one["name"] == agent)

    def ready(self, agent: str) -> None:
        if self.state(agent) != "READY":
            self.desk.ready(agent)

    def waiting(self, queue: str) -> list[dict[str, Any]]:
        found: Any = next(one for one in self.desk.queues() if one["name"] == queue)["waiting"]
        return list(found)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    (tmp_path / "music.wav").touch()
    floor = Floor(tmp_path)
    yield floor
    floor.over()


def served(floor: Floor, waits_s: float = 0.0) -> tuple[Telephone, Talk, Telephone, Talk]:
    """A customer talks with the agent anna."""
    customer, anna = floor.carrier(), floor.telephone("101")
    call = customer.dial("+33180000081")
    floor.pass_time(waits_s)
    floor.ready("anna")
    floor.settle()
    talk = anna.rings.answer()
    assert floor.hear_each_other(call, talk) and floor.state("anna") == "BUSY"
    return customer, call, anna, talk


def served_in_house(floor: Floor) -> tuple[Telephone, Talk, Telephone, Talk]:
    """One who may transfer."""
    dora, anna = floor.telephone("104"), floor.telephone("101")
    call = dora.dial("81")
    floor.ready("anna")
    floor.settle()
    talk = anna.rings.answer()
    assert floor.hear_each_other(call, talk) and floor.state("anna") == "BUSY"
    return dora, call, anna, talk


def test_the_agents_work_ends_with_the_transfer(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    carl = floor.telephone("103")
    talk.refer("103")
    assert floor.state("anna") == "BUSY"  # he may get it back
    c = carl.rings.answer()
    assert floor.hear_each_other(call, c) and talk.ended
    assert floor.state("anna") == "WRAP_UP" and ("wrap_up", "anna") in floor.screens.told
    (told,) = floor.named("CallTransferred")
    assert told.agent == "anna"
    c.bye()
    assert call.ended and floor.kinds().count("ItemCompleted") == 1


def test_the_agent_gets_it_back(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    carl = floor.telephone("103")
    talk.refer("103")
    carl.rings.refuse(486)
    assert floor.hear_each_other(call, talk) and floor.state("anna") == "BUSY"
    talk.bye()
    assert call.ended and floor.state("anna") == "WRAP_UP"


def test_the_agent_hangs_up_while_it_is_on_its_way(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    carl = floor.telephone("103")
    talk.refer("103")
    talk.bye()
    assert floor.state("anna") == "WRAP_UP" and not call.ended
    c = carl.rings.answer()
    assert floor.hear_each_other(call, c)


def test_the_customer_hangs_up_while_it_is_on_its_way(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    carl = floor.telephone("103")
    talk.refer("103")
    call.bye()
    assert talk.ended and not carl.is_ringing and floor.state("anna") == "WRAP_UP"
    assert floor.kinds().count("ItemCompleted") == 1


def test_the_customer_gives_the_agent_on(floor: Floor) -> None:
    """He may get him back: until somebody has him, the agent works for him."""
    _, call, _, talk = served_in_house(floor)
    carl = floor.telephone("103")
    call.refer("103")
    assert floor.state("anna") == "BUSY" and not floor.named("ItemCompleted")
    c = carl.rings.answer()
    assert floor.hear_each_other(talk, c) and call.ended
    assert floor.state("anna") == "WRAP_UP" and floor.kinds().count("ItemCompleted") == 1
    (told,) = floor.named("CallTransferred")
    assert told.agent == "anna"


@pytest.mark.parametrize("ends", ["customer", "agent"])
def test_the_customer_gets_the_agent_back(floor: Floor, ends: str) -> None:
    _, call, _, talk = served_in_house(floor)
    carl = floor.telephone("103")
    for _ in range(2):
        call.refer("103")
        carl.rings.refuse(486)
        assert floor.hear_each_other(call, talk) and floor.state("anna") == "BUSY"
        assert floor.named("CallConnected")[-1].agent == "anna"
    (call if ends == "customer" else talk).bye()
    assert call.ended or talk.ended
    assert floor.state("anna") == "WRAP_UP" and floor.kinds().count("ItemCompleted") == 1


@pytest.mark.parametrize("ends", ["customer", "agent"])
def test_somebody_hangs_up_while_the_customer_transfers(floor: Floor, ends: str) -> None:
    _, call, _, talk = served_in_house(floor)
    floor.telephone("103")
    call.refer("103")
    (call if ends == "customer" else talk).bye()
    assert floor.state("anna") == "WRAP_UP" and floor.kinds().count("ItemCompleted") == 1


def test_into_another_queue_with_the_time_waited_before(floor: Floor) -> None:
    _, call, _, talk = served(floor, waits_s=30)
    floor.pass_time(60)
    talk.refer("82")
    assert talk.ended and talk.frags == ["100 Trying", "200 OK"] and floor.state("anna") == "WRAP_UP"
    assert floor.plane.playing[call.port].prompts == ("music",)
    (item,) = floor.waiting("europe")
    assert item["score"] == pytest.approx(30, abs=1) and item["waited_s"] < 1
    ben = floor.telephone("102")
    floor.ready("ben")
    floor.settle()
    b = ben.rings.answer()
    assert floor.hear_each_other(call, b) and floor.state("ben") == "BUSY"
    assert [event.queue for event in floor.named("ItemQueued")] == ["asia", "europe"]


def test_into_the_same_queue_again(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    talk.refer("81")
    assert talk.ended and floor.state("anna") == "WRAP_UP" and len(floor.waiting("asia")) == 1
    assert not call.ended


def test_into_a_flow(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    talk.refer("83")
    assert talk.ended and not call.ended and floor.state("anna") == "WRAP_UP"
    floor.pass_time(6)
    assert call.ended  # the flow came to its end


def test_parked_by_an_agent(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    talk.refer("700")
    assert floor.state("anna") == "WRAP_UP"
    c = floor.telephone("103").dial("701")
    assert floor.hear_each_other(call, c)


def test_attended_the_agent_asks_a_colleague_first(floor: Floor) -> None:
    _, call, anna, talk = served(floor)
    carl = floor.telephone("103")
    second = anna.dial("103")
    c = carl.rings.answer()
    talk.refer_to(second)
    assert floor.hear_each_other(call, c) and talk.ended and second.ended and floor.state("anna") == "WRAP_UP"
    (live,) = floor.switch.calls()
    assert live.from_number == "+33612345678"


def test_attended_to_an_agent_who_was_reached_by_a_queue(floor: Floor) -> None:
    """The colleague's work goes on with the customer in the first agent's place."""
    _, call, anna, talk = served(floor)
    next(iter(floor.switch.calls())).set_attributes({"basket": 700})
    ben = floor.telephone("102")
    floor.ready("ben")
    second = anna.dial("82")
    b = ben.rings.answer()
    talk.refer_to(second)
    assert floor.hear_each_other(call, b) and talk.ended and second.ended
    assert floor.state("anna") == "WRAP_UP" and floor.state("ben") == "BUSY"
    (live,) = floor.switch.calls()
    assert live.attributes == {"basket": 700} and live.from_number == "+33612345678"
    call.bye()
    assert b.ended and floor.state("ben") == "WRAP_UP"


def test_attended_while_the_queue_still_waits(floor: Floor) -> None:
    _, call, anna, talk = served(floor)
    second = anna.dial("82")
    assert second.status == 200
    talk.refer_to(second)
    assert talk.ended and second.ended and not call.ended
    assert floor.plane.playing[call.port].prompts == ("music",)
    ben = floor.telephone("102")
    floor.ready("ben")
    floor.settle()
    b = ben.rings.answer()
    assert floor.hear_each_other(call, b)


def test_another_picks_up_what_rings_at_an_agent(floor: Floor) -> None:
    customer, anna = floor.carrier(), floor.telephone("101")
    call = customer.dial("+33180000081")
    floor.ready("anna")
    floor.settle()
    assert anna.is_ringing
    c = floor.telephone("103").dial("*8101")
    assert floor.hear_each_other(call, c) and not anna.is_ringing
    assert floor.state("anna") in ("READY", "NOT_READY") and not floor.waiting("asia")


def test_an_agents_other_device_takes_over(floor: Floor) -> None:
    _, call, _, talk = served(floor)
    mobile = floor.telephone("101", host="192.0.2.201")
    m = mobile.dial("x", f"Replaces: {talk.replaces}\r\n")
    assert floor.hear_each_other(call, m) and talk.ended and floor.state("anna") == "BUSY"
    m.bye()
    assert call.ended and floor.state("anna") == "WRAP_UP"
