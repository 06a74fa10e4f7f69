"""Toll limits where calls are: who is refused, what a call has cost at its end, whose calls are ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config.tolls import Tolls
from pbx.call.events import CallEnded
from pbx.call.standing import keep, revive
from pbx.routing.events import TollLimitReached, TollRefused
from pbx.spending import Spending

from .office import Office
from .test_early_media import the_call
from .test_trunk_calls import authenticated, call_out
from .world import SITE, Phone, World, sdp

TOLLS = """
tolls:
  spend_per_day: 1
  classes:
    hotline: {numbers: premium, allowed: false}
    mobile: {numbers: mobile, per_minute: 0.1, per_call: 0.2}
"""
MOBILE = "0612345678"


class Tolled(World):
    """A site with prices."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        super().__init__(SITE + TOLLS + extra, folder)
        self.events_of_tolls: list[object] = []
        self.spending = Spending(self.site, self.clock, self.events_of_tolls.append, self.counters)
        self.spending.tolls = self.switch.targets.tolls = self.tolls
        self.tolls.emit = self.events_of_tolls.append

    def spent(self, account: str = "105") -> float:
        return float(sum(row["spent_today"] for row in self.spending.view() if row["account"] == account))


@pytest.fixture
def tolled(tmp_path: Path) -> Iterator[Tolled]:
    world = Tolled(tmp_path)
    yield world
    world.run(100)
    assert world.leaks() == {}


def talking(world: World) -> tuple[Phone, Phone, str, str]:
    caller, carrier = authenticated(world), world.phone("198.51.100.1")
    invite = call_out(world, caller, MOBILE)
    request = carrier.request("INVITE")
    carrier.answer(request, 180)
    caller.response(180)
    world.run(20)
    carrier.answer(request, 200, body=sdp(41000, host=carrier.host))
    carrier.request("ACK")
    tag = caller.response(200).to_tag or ""
    caller.follow("ACK", invite, tag, cseq=2)
    return caller, carrier, invite, tag


def test_a_class_for_nobody_is_refused_and_takes_no_place(tolled: Tolled) -> None:
    caller, carrier = authenticated(tolled), tolled.phone("198.51.100.1")
    invite = call_out(tolled, caller, "0899123456")
    tolled.run(0.1)
    caller.ack_refusal(invite, caller.response(403))
    assert not carrier.inbox and tolled.admission.trunk_calls("carrier") == 0
    assert [type(event) for event in tolled.events_of_tolls] == [TollRefused]


def test_a_call_costs_from_its_answer(tolled: Tolled) -> None:
    caller, carrier, invite, tag = talking(tolled)
    tolled.run(120)
    caller.follow("BYE", invite, tag, cseq=3)
    carrier.answer(carrier.request("BYE"), 200)
    assert tolled.spent() == pytest.approx(0.4)


def test_nobody_answers_and_it_costs_nothing(tolled: Tolled) -> None:
    caller, carrier = authenticated(tolled), tolled.phone("198.51.100.1")
    invite = call_out(tolled, caller, MOBILE)
    request = carrier.request("INVITE")
    carrier.answer(request, 180)
    caller.response(180)
    caller.follow("CANCEL", invite, "", cseq=2)
    caller.response(200)
    caller.ack_refusal(invite, caller.response(487))
    carrier.answer(carrier.request("CANCEL"), 200)
    carrier.answer(request, 487)
    assert tolled.spent() == 0 and tolled.spending.view() == []


def test_who_forwards_pays(tmp_path: Path) -> None:
    """Not who calls a phone that was told to forward abroad."""
    office, told = Office(tmp_path), list[TollRefused]()
    prices = Tolls.model_validate(yaml.safe_load(TOLLS)["tolls"])
    office.tolls.reconfigure(office.site.model_copy(update={"tolls": prices}))
    office.tolls.emit = told.append  # type: ignore[assignment]
    anna, ben = office.telephone("101"), office.telephone("102")
    ben.dial("*720899123456")
    office.pass_time(0.1)
    refused = anna.dial("102")
    office.pass_time(0.1)
    assert refused.status == 403
    assert [(event.account, event.number, event.toll_class) for event in told] == [("102", "0899123456", "hotline")]


def test_a_call_that_outlives_its_server_is_paid(tolled: Tolled) -> None:
    caller, carrier, invite, tag = talking(tolled)
    call = the_call(tolled)
    assert call.connected is not None and call.connected.winner is not None
    bill = json.loads(json.dumps(keep(call)))["talking"]["leg"]["bill"]
    assert bill == {
        "account": "105", "toll_class": "mobile", "per_minute": 0.1, "per_call": 0.2, "answered_at": tolled.clock.time,
    }  # fmt: skip
    tolled.run(60)
    caller.follow("BYE", invite, tag, cseq=3)
    carrier.answer(carrier.request("BYE"), 200)
    again = tolled.tolls.resumed(bill)
    tolled.tolls.ended(again, tolled.clock.time)
    assert tolled.spent() == pytest.approx(2 * 0.3)


def test_a_call_that_cannot_go_on_is_paid_and_over(tolled: Tolled) -> None:
    caller, carrier, invite, tag = talking(tolled)
    kept = json.loads(json.dumps(keep(the_call(tolled))))
    kept["caller"]["bill"], kept["attributes"] = kept["talking"]["leg"]["bill"], 7  # as another server wrote it
    caller.follow("BYE", invite, tag, cseq=3)
    carrier.answer(carrier.request("BYE"), 200)
    before = tolled.spent()
    with pytest.raises((KeyError, TypeError, ValueError)):
        revive(tolled.switch, kept, tolled.clock.time)
    assert tolled.spent() == pytest.approx(2 * before) and before > 0
    assert [row["calls"] for row in tolled.spending.view()] == [0]


def test_calls_are_ended_when_the_day_is_spent(tolled: Tolled) -> None:
    caller, carrier, _, _ = talking(tolled)
    tolled.run(470)
    tolled.spending.look(tolled.switch)
    assert not tolled.events_of_tolls
    tolled.run(15)
    tolled.spending.look(tolled.switch)
    tolled.spending.look(tolled.switch)
    for phone in (caller, carrier):
        phone.answer(phone.request("BYE"), 200)
    assert tolled.events_of_tolls == [TollLimitReached(tolled.clock.time, "105", 1)]
    (ended,) = (event for event in tolled.events if isinstance(event, CallEnded))
    assert ended.cause == "toll limit"
    again = call_out(tolled, caller, MOBILE)
    tolled.run(0.1)
    caller.ack_refusal(again, caller.response(403))
