"""Toll limits: classes of numbers, prices, calls at once, what an account and the site may spend in a day."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.schema import Site
from pbx.routing.admission import Refuse
from pbx.routing.events import TollRefused
from pbx.routing.tolls import SETTING, Bill, Tolls, bill_of, kept

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=ZoneInfo("Europe/Paris")).timestamp()
CLASSES: dict[str, Any] = {
    "hotline": {"numbers": "premium", "allowed": False},
    "gulf": {"numbers": ["+971", "+966"], "per_minute": 0.4, "only": ["101"]},
    "mobile": {"numbers": "mobile", "per_minute": 0.1},
    "abroad": {"numbers": "abroad", "per_minute": 0.6, "per_call": 0.05},
    "home": {"numbers": "national"},
}


class World:
    def __init__(self, **tolls: Any) -> None:
        self.counters: Counter[str] = Counter()
        self.tolls = Tolls(site(tolls), self.counters)
        self.events: list[TollRefused] = []
        self.kept: dict[str, str] = {}
        self.tolls.emit = self._told
        self.tolls.save = self._save

    def _told(self, event: object) -> None:
        assert isinstance(event, TollRefused)
        self.events.append(event)

    def _save(self, account: str, value: str | None) -> None:
        self.kept.pop(account, None)
        if value is not None:
            self.kept[account] = value

    def bill(self, account: str, number: str, now: float = NOON) -> Bill:
        bill = self.tolls.admit(account, number, now)
        assert isinstance(bill, Bill), bill
        return bill

    def why(self, account: str, number: str, now: float = NOON) -> str:
        refused = self.tolls.admit(account, number, now)
        assert isinstance(refused, Refuse) and refused.status == 403
        return refused.reason

    def talk(self, account: str, number: str, minutes: float, now: float = NOON) -> None:
        bill = self.bill(account, number, now)
        self.tolls.answered(bill, now)
        self.tolls.ended(bill, now + 60 * minutes)

    def spent(self, account: str, now: float = NOON) -> float:
        return next((row["spent_today"] for row in self.tolls.view(now) if row["account"] == account), 0.0)


def site(tolls: dict[str, Any], phone: dict[str, Any] | None = None) -> Site:
    return Site.model_validate({
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "tolls": {"classes": CLASSES} | tolls,
        "extensions": {"101": {"password": "x"} | (phone or {}), "102": {"password": "x"}},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("number", "toll_class"),
    [
        ("0899123456", "hotline"), ("+33899123456", "hotline"), ("00971501234567", "gulf"), ("+966501234567", "gulf"),
        ("0612345678", "mobile"), ("+33612345678", "mobile"), ("+4915112345678", "abroad"), ("0044207946000", "abroad"),
        ("+33180000000", "home"), ("0180000000", "home"), ("118218", "hotline"), ("8001", "home"),
    ],
)  # fmt: skip
def test_classes(number: str, toll_class: str) -> None:
    """The first that a number belongs to; whoever wrote it however."""
    world = World()
    found = world.tolls.admit("101", number, NOON)
    assert (found.toll_class if isinstance(found, Bill) else world.events[-1].toll_class) == toll_class


def test_a_class_may_be_for_nobody_or_for_some() -> None:
    world = World()
    assert world.why("101", "0899123456") == "toll limit: class hotline is not for 101"
    assert world.why("102", "+971501234567") == "toll limit: class gulf is not for 102"
    world.bill("101", "+971501234567")
    assert world.events == [
        TollRefused(NOON, "101", "0899123456", "hotline", "class hotline is not for 101"),
        TollRefused(NOON, "102", "+971501234567", "gulf", "class gulf is not for 102"),
    ]
    assert world.counters == {"tolls_refused_class": 2}


def test_the_police_is_always_called() -> None:
    world = World(calls=1, classes={"all": {"numbers": "any", "allowed": False}})
    assert world.tolls.admit("101", "112", NOON) is None and world.tolls.admit("101", "17", NOON) is None
    assert world.why("101", "0180000000")


def test_calls_at_once() -> None:
    world = World(calls=2)
    first, second = world.bill("101", "0180000000"), world.bill("101", "8001")
    assert world.why("101", "0180000000") == "toll limit: calls: 101 makes 2 already"
    world.bill("102", "0180000000")
    world.tolls.ended(first, NOON)
    world.tolls.ended(first, NOON)  # twice is once
    world.bill("101", "0180000000")
    assert world.why("101", "0180000000")
    world.tolls.ended(second, NOON)
    world.bill("101", "0180000000")


def test_what_it_cost_counts_from_the_answer_to_the_end() -> None:
    world = World()
    rings = world.bill("101", "+4915112345678")
    world.tolls.ended(rings, NOON + 60)
    assert world.spent("101") == 0 and not world.kept
    bill = world.bill("101", "+4915112345678")
    world.tolls.answered(bill, NOON + 20)
    assert world.spent("101", NOON + 80) == pytest.approx(0.65)  # while it lasts
    world.tolls.ended(bill, NOON + 140)
    assert world.spent("101", NOON + 999) == pytest.approx(1.25)
    assert world.kept == {"101": "2026-03-10 1.250000"}


def test_who_has_spent_his_day_calls_only_what_costs_nothing() -> None:
    world = World(spend_per_day=1)
    world.talk("101", "0612345678", 9.9)
    world.talk("101", "0612345678", 0.2)
    assert world.why("101", "0612345678", NOON + 700) == "toll limit: spending: 101 has spent 1 today"
    world.bill("101", "0180000000", NOON + 700)
    world.bill("102", "0612345678", NOON + 700)
    assert world.tolls.lift("101") and not world.tolls.lift("101") and world.kept == {}
    world.bill("101", "0612345678", NOON + 700)


def test_calls_under_way_are_ended_when_the_day_is_spent() -> None:
    world = World(spend_per_day=1)
    for account in ("101", "101", "102"):
        world.tolls.answered(world.bill(account, "0612345678"), NOON)
    assert world.tolls.overdrawn(NOON + 290) == set()
    assert world.tolls.overdrawn(NOON + 301) == {"101"}
    assert world.why("101", "0612345678", NOON + 301)


def test_the_whole_site() -> None:
    world = World(site_spend_per_day=2)
    world.talk("trunk branch", "0612345678", 15)
    world.tolls.answered(world.bill("101", "0612345678"), NOON)
    assert world.tolls.overdrawn(NOON + 299) == set()
    world.bill("102", "0612345678", NOON + 299)
    assert world.tolls.overdrawn(NOON + 300) == {"101", "102"}
    assert world.why("102", "0612345678", NOON + 300) == "toll limit: spending: the site has spent 2 today"


def test_midnight() -> None:
    world = World(spend_per_day=1)
    world.talk("101", "0612345678", 20)
    midnight = NOON + 12 * 3600
    assert world.why("101", "0612345678", midnight - 1)
    world.bill("101", "0612345678", midnight)
    assert world.spent("101", midnight) == 0 and world.kept == {}


def test_an_extension_has_limits_of_its_own() -> None:
    world = World(spend_per_day=1, calls=3)
    world.tolls.reconfigure(site({"spend_per_day": 1, "calls": 3}, {"tolls": {"spend_per_day": 50}}))
    world.talk("101", "0612345678", 100)
    for _ in range(3):
        world.bill("101", "0612345678")
    assert "makes 3 already" in world.why("101", "0612345678")
    assert next(iter(world.tolls.view(NOON))) == {
        "account": "101", "spent_today": 10, "spend_per_day": 50, "calls": 3,
    }  # fmt: skip


def test_a_reload_keeps_what_was_spent_and_the_price_of_calls() -> None:
    world = World(spend_per_day=1)
    bill = world.bill("101", "0612345678")
    world.tolls.answered(bill, NOON)
    cheap = CLASSES | {"mobile": {"numbers": "mobile", "per_minute": 0.01}}
    world.tolls.reconfigure(site({"classes": cheap, "spend_per_day": 0.5}))
    assert world.tolls.overdrawn(NOON + 300) == {"101"}
    world.tolls.ended(bill, NOON + 300)
    assert world.spent("101") == pytest.approx(0.5) and world.why("101", "0612345678")


def test_the_next_server_goes_on_counting() -> None:
    old, world = World(spend_per_day=1), World(spend_per_day=1)
    old.talk("101", "0612345678", 6)
    live = old.bill("101", "0612345678")
    old.tolls.answered(live, NOON)
    rows = [(account, SETTING, value) for account, value in old.kept.items()]
    rows += [("102", SETTING, "2026-03-09 77.0"), ("102", "dnd", "on")]
    world.tolls.restore(rows, NOON + 60)
    again = bill_of(json.loads(json.dumps(kept(live))))
    world.tolls.begin(again)
    assert world.spent("101", NOON + 60) == pytest.approx(0.7) and world.spent("102", NOON) == 0
    world.tolls.ended(again, NOON + 120)
    assert world.spent("101", NOON + 120) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("value", "spent"),
    [
        ("2026-03-10 12.5x", 20), ("2026-03-10", 20), ("", 20), ("2026-03-10 nan", 20), ("2026-03-10 -5", 20),
        ("2026-03-10 inf", 20), ("\ufffd\ufffd", 20), ("2026-03-1O 12.5", 12.5), ("2026-13-10 12.5", 12.5),
        (b"2026-03-10 12.5", 20),
    ],
)  # fmt: skip
def test_a_garbled_row_gives_no_money_back(value: Any, spent: float) -> None:
    """What can be read counts; where that is no sum, all that the account may spend. The others are as they were."""
    world = World(spend_per_day=20)
    rows = [("101", SETTING, value), ("102", SETTING, "2026-03-10 1.000000"), ("103", SETTING, "2026-03-09 7.0")]
    assert world.tolls.restore(rows, NOON) == {"101": spent}
    assert world.counters == {"tolls_rows_garbled": 1}
    assert (world.spent("101"), world.spent("102"), world.spent("103")) == (spent, 1, 0)
    assert world.kept == {"101": f"2026-03-10 {spent:.6f}"}  # told once
    assert (spent < 20) == isinstance(world.tolls.admit("101", "0612345678", NOON), Bill)
    assert world.tolls.lift("101") and isinstance(world.tolls.admit("101", "0612345678", NOON), Bill)


def test_a_garbled_row_of_one_without_limits_counts_nothing() -> None:
    world = World(site_spend_per_day=20)
    assert world.tolls.restore([("101", SETTING, "?")], NOON) == {"101": 0}
    world.bill("101", "0612345678")


def killed(look_s: float | None = 50, **tolls: Any) -> tuple[World, Bill, list[tuple[str, str, str]]]:
    """A call of 101 began at noon; what is left when its server, which looked `look_s` later, is killed."""
    old = World(**tolls)
    bill = old.bill("101", "+4915112345678")
    old.tolls.answered(bill, NOON)
    if look_s is not None:
        old.tolls.overdrawn(NOON + look_s)
    world = World(**tolls)
    rows = [(account, SETTING, value) for account, value in old.kept.items()]
    world.tolls.restore(rows, NOON + 3600)
    return world, bill_of(json.loads(json.dumps(kept(bill)))), rows


@pytest.mark.parametrize(("look_s", "cost"), [(50, 0.55), (None, 0.05)])
def test_a_call_that_nobody_goes_on_with_cost_until_the_last_look(look_s: float | None, cost: float) -> None:
    world, bill, rows = killed(look_s)
    world.tolls.settle("leg1", bill, NOON + 3600)
    world.tolls.settle("leg1", bill, NOON + 3600)
    assert world.spent("101", NOON + 3600) == pytest.approx(cost)
    again = World()  # that one was killed, too, before it could forget the call
    again.tolls.restore([*rows, *((account, SETTING, value) for account, value in world.kept.items())], NOON + 3700)
    again.tolls.settle("leg1", bill, NOON + 3700)
    assert again.spent("101", NOON + 3700) == pytest.approx(cost)
    again.talk("101", "+4915112345678", 1, NOON + 3700)
    assert again.kept["101"] == f"2026-03-10 {cost + 0.65:.6f} leg1"
    again.tolls.settle("leg2", bill, NOON + 3700)
    assert again.spent("101", NOON + 3700) == pytest.approx(2 * cost + 0.65)


def test_a_call_of_yesterday_is_not_of_today() -> None:
    world, bill, _ = killed()
    world.tolls.settle("leg1", bill, NOON + 86400)
    assert world.tolls.view(NOON + 86400) == []


def test_nobody_was_there_any_more() -> None:
    world, bill, _ = killed(60)
    world.tolls.begin(bill)
    world.tolls.lost(bill, NOON + 7200)
    world.tolls.lost(bill, NOON + 7200)
    world.tolls.ended(bill, NOON + 7200)
    assert world.spent("101", NOON + 7200) == pytest.approx(0.65)


@pytest.mark.parametrize("look", ["?", "nan", "", "1e300"])
def test_a_garbled_look_is_taken_for_now(look: str) -> None:
    _, bill, _ = killed()
    world = World()
    world.tolls.restore([("", SETTING, look)], NOON + 60)
    world.tolls.settle("leg1", bill, NOON + 60)
    assert world.spent("101", NOON + 60) == pytest.approx(0.65)


@pytest.mark.parametrize(
    "change", [{"per_minute": "x"}, {"per_call": float("nan")}, {"answered_at": [1]}, {"per_minute": -1}, {"more": 1}]
)
def test_a_bill_that_makes_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        bill_of({**(kept(Bill("101", "mobile", 0.1, 0.2, NOON)) or {}), **change})


def test_without_classes_nobody_need_ask() -> None:
    assert not World(classes={}).tolls.active
    assert World(classes={}, calls=1).tolls.active


def test_a_clock_that_steps_back_costs_nothing() -> None:
    world = World()
    bill = world.bill("101", "0612345678")
    world.tolls.answered(bill, NOON)
    world.tolls.ended(bill, NOON - 1000)
    assert world.spent("101") == 0


def test_a_call_that_has_ended_counts_once_for_the_site() -> None:
    world = World(site_spend_per_day=2)
    bill = world.bill("101", "0612345678")
    world.tolls.answered(bill, NOON)
    assert world.tolls.overdrawn(NOON + 900) == set()
    world.tolls.ended(bill, NOON + 900)
    world.bill("102", "0612345678", NOON + 901)
