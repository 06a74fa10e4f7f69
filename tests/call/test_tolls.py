"""Toll limits where calls are: who is refused, what a call has cost at its end, whose calls are ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.tolls import Tolls
from pbx.call.events import CallEnded
from pbx.call.standing import go_on, keep, revive
from pbx.routing.events import TollLimitReached, TollRefused
from pbx.routing.tolls import SETTING, bill_of
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
    again = bill_of(bill)
    tolled.tolls.begin(again)
    tolled.tolls.ended(again, tolled.clock.time)
    assert tolled.spent() == pytest.approx(2 * 0.3)


@pytest.fixture
def next_one(tolled: Tolled, tmp_path: Path) -> Iterator[Tolled]:
    """The server that comes when `tolled` was killed an hour after the call began to cost, its last look 60 s after:
    its workers are gone, the phones are not."""
    world = Tolled(tmp_path)
    world.clock.time = tolled.clock.time + 3620
    world.tolls.restore([("", SETTING, str(tolled.clock.time + 80))], world.clock.time)
    yield world
    world.run(100)
    assert world.leaks() == {}


def dies(tolled: Tolled, caller: Phone, carrier: Phone, invite: str, tag: str) -> dict[str, Any]:
    """What is kept of the call; it ends here, that nothing of it is left over."""
    kept: dict[str, Any] = json.loads(json.dumps(keep(the_call(tolled))))
    caller.follow("ACK", invite, tag, cseq=2)
    caller.follow("BYE", invite, tag, cseq=3)
    carrier.answer(carrier.request("BYE"), 200)
    caller.inbox.clear()
    return kept


@pytest.mark.parametrize("change", [{"attributes": 7}, {"form": 99}, {"caller": {}}, {"left": [{}]}])
def test_a_call_that_cannot_go_on_is_paid_once(tolled: Tolled, next_one: Tolled, change: dict[str, Any]) -> None:
    caller, carrier, invite, tag = talking(tolled)
    kept = dies(tolled, caller, carrier, invite, tag) | change
    for _ in range(2):
        with pytest.raises((KeyError, TypeError, ValueError)):
            revive(next_one.switch, kept, next_one.clock.time)
    assert next_one.spent() == pytest.approx(0.3)
    assert [row["calls"] for row in next_one.spending.view()] == [0]


def test_who_was_called_and_is_let_go_of_is_paid(tolled: Tolled, next_one: Tolled) -> None:
    """The caller's ACK had not come yet."""
    caller, carrier = authenticated(tolled), tolled.phone("198.51.100.1")
    invite = call_out(tolled, caller, MOBILE)
    carrier.answer(carrier.request("INVITE"), 200, body=sdp(41000, host=carrier.host))
    carrier.request("ACK")
    tag = caller.response(200).to_tag or ""
    kept = dies(tolled, caller, carrier, invite, tag)
    carrier.world = next_one
    next_one.phones = tolled.phones
    assert revive(next_one.switch, kept, next_one.clock.time) is None
    assert next_one.spent() == pytest.approx(0.2 + 0.1 * 80 / 60, abs=0.001)
    carrier.answer(carrier.request("BYE"), 200)


@pytest.mark.parametrize(("there", "cost"), [(True, 0.2 + 0.1 * 60), (False, 0.3)])
def test_a_call_whose_carrier_is_gone_is_paid_until_the_last_look(
    tolled: Tolled, next_one: Tolled, there: bool, cost: float
) -> None:
    caller, carrier, invite, tag = talking(tolled)
    kept = dies(tolled, caller, carrier, invite, tag)
    next_one.phones = tolled.phones
    caller.world = carrier.world = next_one
    call = revive(next_one.switch, kept, next_one.clock.time)
    assert call is not None
    go_on(next_one.switch, [(call, kept)])
    next_one.run(0.1)
    if there:
        carrier.answer(carrier.request("INVITE"), 200, body=sdp(41000, host=carrier.host))
        carrier.request("ACK")
        caller.answer(caller.request("INVITE"), 481)
        carrier.answer(carrier.request("BYE"), 200)
    next_one.run(100)
    assert not list(next_one.switch.calls())
    assert next_one.spent() == pytest.approx(cost, abs=0.001)


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
