"""The desk of the next server: calls that outlived the last one, those that did not, and what is told too early."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from acd.checkpoint import keep, take_up
from acd.desk import Desk
from config.schema import Site
from tests.acd.conftest import FakeAttempt, FakeCall, FakeFloor, MakeSite

QUEUES: dict[str, dict[str, Any]] = {"sales": {"music": "music", "ring_s": 10, "wrap_up_s": 30}}
DOWN_S = 20.0


class Next(FakeFloor):
    """The next server's; `died` is the last one's floor. Nothing is done before `open`."""

    def __init__(self, site: Site, died: FakeFloor) -> None:
        super().__init__(site)
        self.clock.time = died.clock.now() + DOWN_S
        self.site = site
        self.events.clear()
        self.diary.clear()
        self.desk = Desk(site, self.clock, self.events.append, cast(Any, self.pops), self.counters, waits=True)
        self.desk.take_up(take_up(keep(died.desk.engine.floor)))
        for name, phone in died.desk.engine.floor.roster.phones.items():
            self.desk.phone_registered(name, phone.registered)

    def revive(self, old: FakeCall) -> tuple[FakeCall, bool]:
        """A call that outlived the last server, as `pbx.call.standing` makes it again."""
        call = self.calls[old.id] = FakeCall(self, old.id, old.attributes)
        call.answered = True
        call.connected = next((FakeAttempt(one.destination, one.agent, 0) for one in old.attempts if one.live), None)
        if call.connected is not None:
            call.attempts.append(call.connected)
            self.legs(call.connected.destination, 1)
        return call, self.desk.revived(cast(Any, call))

    def open(self) -> None:
        assert self.diary == [] or all(line[1] == "play" for line in self.diary)
        self.desk.open(self.site)


@pytest.fixture
def after(make_site: MakeSite) -> Callable[..., Next]:
    def begin(died: FakeFloor, agents: tuple[str, ...] = ("ann", "bob"), **queues: dict[str, Any]) -> Next:
        return Next(make_site({name: {} for name in agents}, queues or QUEUES), died)

    return begin


def test_who_talked_talks_on_and_wrap_up_follows(floor: Any, after: Any) -> None:
    died = floor()
    died.agents("ann")
    old = died.call("c1")
    old.phone_answers()
    died.clock.run(7)
    f: Next = after(died)
    call, ours = f.revive(old)
    assert ours
    f.open()
    assert f.what() == []
    assert f.state("ann") == ("BUSY", None)
    f.clock.run(5)
    call.agent_hangs_up()
    assert f.what() == ["c1 hang up agent hung up", "c1 wrap_up ann"]
    f.clock.run(30)
    assert f.what(2) == ["c1 ended ann"]
    assert f.state("ann") == ("READY", None)


def test_a_clock_that_is_behind_freezes_nobody(floor: Any, after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "DOWN_S", -3600.0)
    queue = {**QUEUES["sales"], "max_wait_s": 60, "overflow": "extension 9"}
    died = floor(sales=queue)
    died.agents("ann")
    old = died.call("c1")
    old.phone_answers()
    died.clock.run(7)
    old.agent_hangs_up()
    died.clock.run(5)
    waits = died.call("c2")
    f: Next = after(died, sales=queue)
    f.desk.phone_registered("x-ann", False)
    f.revive(waits)
    f.open()
    assert (f.state("ann"), f.counters["clock_was_set_back"]) == (("WRAP_UP", None), 1)
    f.clock.run(25)
    assert f.state("ann") == ("READY", "unregistered")
    f.clock.run(34)
    assert "c2" in f.desk.engine.floor.items
    f.clock.run(1)
    assert "c2" not in f.desk.engine.floor.items


def test_who_waited_waits_on_and_is_served_in_the_old_order(floor: Any, after: Any) -> None:
    died = floor()
    calls = [died.call(f"c{number}") for number in range(3)]
    died.desk.phone_registered("x-ann", True)
    died.desk.login("ann")
    f: Next = after(died)
    revived = [f.revive(call) for call in reversed(calls[1:])]
    assert [ours for _, ours in revived] == [True, True]
    f.open()
    waiting = f.desk.queues()[0]["waiting"]
    assert [one["call_id"] for one in waiting] == ["c1", "c2"]  # type: ignore[attr-defined]
    f.desk.ready("ann")
    assert f.what() == ["c2 play music looped", "c1 play music looped", "c1 offer ann sales", "c1 dial extension x-ann"]
    assert f.desk.queues()[0]["abandoned"] == 1  # c0, of whom nobody knows a number


def test_an_offer_of_the_last_server_is_over(floor: Any, after: Any) -> None:
    """The caller is still there, the phone that rang is not: it is rung anew."""
    died = floor()
    died.agents("ann")
    old = died.call("c1")
    f: Next = after(died)
    for attempt in old.attempts:
        attempt.live = False
    f.revive(old)
    f.open()
    assert f.what() == ["c1 play music looped", "c1 offer ann sales", "c1 dial extension x-ann"]


def test_answered_in_the_moment_of_which_nothing_was_kept(floor: Any, after: Any) -> None:
    """The floor has it RESERVED; the call, kept a moment later, talks."""
    died = floor()
    died.agents("ann")
    old = died.call("c1")
    f: Next = after(died)
    _, ours = f.revive(old)
    assert ours
    f.open()
    assert f.state("ann") == ("BUSY", None)
    assert f.desk.queues()[0]["answered"] == 1


def test_answered_and_offered_to_another(floor: Any, after: Any) -> None:
    """Two truths: whom the caller hears is the one that counts; the queue has no more to do with it."""
    died = floor()
    died.agents("ann")
    old = died.call("c1")
    old.attempts[-1].agent = "bob"
    f: Next = after(died)
    _, ours = f.revive(old)
    assert not ours
    f.open()
    assert f.desk.queues()[0]["waiting"] == []
    assert f.state("ann")[0] == "READY"


def test_the_agents_leg_did_not_outlive_it(floor: Any, after: Any) -> None:
    """The caller did: he is routed anew, and the agent notes down."""
    died = floor()
    died.agents("ann")
    old = died.call("c1")
    old.phone_answers()
    old.attempts[-1].live = False
    f: Next = after(died)
    call, ours = f.revive(old)
    assert not ours
    f.desk.enter(cast(Any, call), "sales")
    f.open()
    assert f.state("ann")[0] == "WRAP_UP"
    assert [one["call_id"] for one in f.desk.queues()[0]["waiting"]] == ["c1"]  # type: ignore[attr-defined]


def test_a_wrap_up_of_a_call_that_is_no_more(floor: Any, after: Any) -> None:
    died = floor()
    died.agents("ann", "bob")
    old = died.call("c1")
    old.phone_answers()
    old.agent_hangs_up()
    died.call("c2").phone_answers()
    f: Next = after(died)
    f.open()
    assert [f.state(name)[0] for name in ("ann", "bob")] == ["WRAP_UP", "WRAP_UP"]
    f.clock.run(30)
    assert [f.state(name)[0] for name in ("ann", "bob")] == ["READY", "READY"]
    assert f.diary == []


def test_a_call_of_no_queue_is_not_ours(floor: Any, after: Any) -> None:
    died = floor()
    f: Next = after(died)
    assert not f.revive(FakeCall(died, "c9", {}))[1]
    f.open()
    assert not f.desk.revived(cast(Any, FakeCall(f, "c8", {})))
    f.desk.open(f.site)  # said twice


def test_the_site_changed_meanwhile(floor: Any, after: Any) -> None:
    """As a reload: bob is gone, there is another queue, whoever waits in one that is gone waits on."""
    died = floor()
    waiting = died.call("c1")
    died.desk.phone_registered("x-bob", True)
    died.desk.login("bob")
    died.desk.not_ready("bob", "lunch")
    f: Next = after(died, agents=("ann", "cy"), support={"music": "music"})
    f.revive(waiting)
    f.open()
    assert [agent["name"] for agent in f.desk.agents()] == ["ann", "cy"]
    assert [(queue["name"], queue["closed"]) for queue in f.desk.queues()] == [("sales", True), ("support", False)]
    f.agents("cy")
    assert f.diary[-1] == ("c1", "dial", "extension x-cy")


def test_a_first_start(make_site: MakeSite, floor: Any) -> None:
    """Nothing is done or told before it is open; then all of it."""
    f = floor()
    site = make_site({"ann": {"contact": "sip:ann@192.0.2.1", "login": "always"}}, QUEUES)
    f.events.clear()
    f.desk = Desk(site, f.clock, f.events.append, cast(Any, f.pops), f.counters, waits=True)
    f.desk.phone_registered("999", True)
    f.call("c1")
    assert f.events == [] and f.diary == [("c1", "play", "music", "looped")]
    f.desk.open(site)
    assert f.what(1) == ["c1 offer ann sales", "c1 dial sip:ann@192.0.2.1"]
    assert f.desk.engine.floor.roster.phones["999"].registered
