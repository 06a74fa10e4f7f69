from __future__ import annotations

import gc
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from cti.events import TOPICS, Subscription
from cti.models import WebSessionPost
from cti.screen_pop import _NEXT, HEAD_START_S, POP_BYTES
from cti.tokens import Identity

if TYPE_CHECKING:
    from tests.cti.conftest import FakeCall, Floor
    from tests.virtual_clock import VirtualClock

MARIE = Identity("agent", "marie", 0)


class Desktop:
    """An agent's socket: `read` is what the writer does."""

    def __init__(self, floor: Floor, who: Identity = MARIE) -> None:
        self.subscription: Subscription = floor.hub.subscribe(who, TOPICS, lambda: None)

    def read(self) -> list[dict[str, Any]]:
        found = []
        while self.subscription.queue:
            message, written = self.subscription.queue.popleft()
            found.append(json.loads(message.text()))
            if written:
                written()
        return found


@pytest.fixture
def rung() -> list[str]:
    return []


def test_no_desktop_the_phone_rings_at_once(floor: Floor, make_call: type[FakeCall], rung: list[str]) -> None:
    floor.pops.offer(make_call(), "marie", "asia", 1, lambda: rung.append("now"))
    assert rung == ["now"]


def test_the_phone_rings_when_every_desktop_has_the_offer(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall], rung: list[str]
) -> None:
    one, two, other = Desktop(floor), Desktop(floor), Desktop(floor, Identity("agent", "paul", 0))
    floor.pops.offer(make_call(), "marie", "asia", 1, lambda: rung.append("now"))
    assert [e["type"] for e in one.read()] == ["offer"] and not rung
    clock.run(0.019)
    assert not rung
    assert [e["type"] for e in two.read()] == ["offer"] and not rung
    clock.run(HEAD_START_S)
    assert rung == ["now"]
    clock.run(1)
    assert rung == ["now"] and not other.read() and not clock.pending() and not floor.counters["pops_late"]


def test_a_stuck_desktop_delays_the_ring_by_20_ms(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall], rung: list[str]
) -> None:
    stuck = Desktop(floor)
    floor.pops.offer(make_call(), "marie", "asia", 1, lambda: rung.append("now"))
    clock.run(0.020)
    assert rung == ["now"] and floor.counters["pops_late"] == 1
    stuck.read()
    assert rung == ["now"]


def test_a_desktop_that_leaves_or_was_cut_off_delays_nothing(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall], rung: list[str]
) -> None:
    desktop = Desktop(floor)
    floor.pops.offer(make_call(), "marie", "asia", 1, lambda: rung.append("left"))
    floor.hub.unsubscribe(desktop.subscription)
    clock.run(HEAD_START_S)
    assert rung == ["left"]
    full = Desktop(floor)
    full.subscription.overflown = True
    floor.pops.offer(make_call("call-2"), "marie", "asia", 2, lambda: rung.append("cut off"))
    clock.run(HEAD_START_S)
    assert rung == ["left", "cut off"] and not clock.pending()


def test_nothing_rings_after_a_retract(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall], rung: list[str]
) -> None:
    desktop, call = Desktop(floor), make_call()
    floor.pops.offer(call, "marie", "asia", 1, lambda: rung.append("now"))
    floor.pops.retract(call, "marie", "caller_hung_up")
    clock.run(1)
    offer, retract = desktop.read()
    assert not rung and not clock.pending()
    assert retract["type"] == "retract" and retract["reason"] == "caller_hung_up"
    assert retract["pop_id"] == offer["pop_id"] and retract["sequence"] > offer["sequence"]


def test_a_whole_life(floor: Floor, clock: VirtualClock, make_call: type[FakeCall]) -> None:
    session = {
        "id": "session-1",
        "name": "Zoé",
        "basket": {"amount": 2300, "items": [{"name": "Tokyo"}]},
        "form": {"kids": 2},
    }
    floor.sessions.upsert(WebSessionPost.model_validate(session), clock.now())
    desktop, call = Desktop(floor), make_call(headers={"X-Web-Session": "session-1"})
    floor.matching.on_call(call)
    clock.run(42)
    floor.pops.offer(call, "marie", "asia", 7, lambda: None)
    floor.pops.connected(call, "marie")
    floor.pops.updated(call)
    floor.pops.wrap_up(call, "marie")
    floor.pops.ended(call, "marie")
    messages = desktop.read()
    assert [m["type"] for m in messages] == ["offer", "connected", "updated", "wrap_up", "ended"]
    assert {m["pop_id"] for m in messages} == {"call-1-7"} and {m["call_id"] for m in messages} == {"call-1"}
    assert [m["sequence"] for m in messages] == sorted({m["sequence"] for m in messages})
    offer = messages[0]
    assert offer["match"] == {"method": "token", "confidence": 1.0}
    assert (
        offer["call"]["from"] == "0612345678" and offer["call"]["queue"] == "asia" and offer["call"]["waited_s"] == 42
    )
    assert offer["call"]["attributes"]["basket"] == 2300
    assert offer["session"]["name"] == "Zoé" and offer["session"]["form"] == {"kids": 2}
    assert not floor.pops._pops and not floor.pops._agents_of


def test_a_call_without_session_has_null_for_both(floor: Floor, make_call: type[FakeCall]) -> None:
    desktop = Desktop(floor)
    floor.pops.offer(make_call(), "marie", "asia", 1, lambda: None)
    (offer,) = desktop.read()
    assert offer["match"] is None and offer["session"] is None


@pytest.mark.parametrize("inputs", list(itertools.product(["connected", "wrap_up", "retract", "ended"], repeat=3)))
def test_every_order_of_inputs_obeys_the_table(
    floor: Floor, make_call: type[FakeCall], inputs: tuple[str, ...]
) -> None:
    desktop, call = Desktop(floor), make_call()
    floor.pops.offer(call, "marie", "asia", 1, lambda: None)
    state: str | None = "offered"
    wanted = ["offer"]
    for what in inputs:
        if state is not None and (state, what) in _NEXT:
            state = _NEXT[state, what]
            wanted.append(what)
        method = getattr(floor.pops, what)
        method(call, "marie", "withdrawn") if what == "retract" else method(call, "marie")
    assert [m["type"] for m in desktop.read()] == wanted
    assert floor.counters["pops_out_of_order"] == 4 - len(wanted)
    assert [pop["state"] for pop in floor.pops.live("marie")] == ([state] if state else [])


def test_an_agent_has_one_pop_and_an_offer_is_made_once(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall], rung: list[str]
) -> None:
    desktop, first, second = Desktop(floor), make_call(), make_call("call-2")
    floor.pops.offer(first, "marie", "asia", 1, lambda: rung.append("first"))
    floor.pops.offer(first, "marie", "asia", 1, lambda: rung.append("again"))
    floor.pops.offer(second, "marie", "asia", 2, lambda: rung.append("second"))
    assert [(m["type"], m["call_id"]) for m in desktop.read()] == [
        ("offer", "call-1"), ("retract", "call-1"), ("offer", "call-2"),
    ]  # fmt: skip
    clock.run(HEAD_START_S)
    assert rung == ["second"]
    floor.pops.ended(first, "marie")
    assert not desktop.read(), "of a call that is not on the screen any more"


def test_several_agents_have_the_pop_of_one_call(floor: Floor, make_call: type[FakeCall]) -> None:
    marie, paul, call = Desktop(floor), Desktop(floor, Identity("agent", "paul", 0)), make_call()
    floor.pops.offer(call, "marie", "asia", 1, lambda: None)
    floor.pops.offer(call, "paul", "asia", 2, lambda: None)
    floor.pops.connected(call, "marie")
    floor.pops.retract(call, "paul", "answered_elsewhere")
    floor.pops.updated(call)
    assert [m["type"] for m in marie.read()] == ["offer", "connected", "updated"]
    assert [m["type"] for m in paul.read()] == ["offer", "retract"]


def test_a_pop_is_at_most_32_kb_whatever_the_call_carries(
    floor: Floor, clock: VirtualClock, make_call: type[FakeCall]
) -> None:
    form = {f"field {n}": "é" * 600 for n in range(7)}
    floor.sessions.upsert(WebSessionPost.model_validate({"id": "session-1", "form": form}), clock.now())
    desktop = Desktop(floor)
    call = make_call(attributes={"web_session": "session-1"})
    call.set_attributes({f"a{n}": "x" * 500 for n in range(50)})
    floor.pops.offer(call, "marie", "asia", 1, lambda: None)
    text = desktop.subscription.queue[0][0].text()
    assert 25_000 < len(text.encode()) <= POP_BYTES
    offer = json.loads(text)
    assert offer["trimmed"] is True and offer["session"]["form"] == form


def test_live_pops_for_a_desktop_that_starts_now(floor: Floor, make_call: type[FakeCall]) -> None:
    assert floor.pops.live("marie") == []
    call = make_call(attributes={"web_session": "session-1"})
    floor.pops.offer(call, "marie", "asia", 1, lambda: None)
    floor.pops.connected(call, "marie")
    (pop,) = floor.pops.live("marie")
    assert pop["state"] == "connected" and pop["call"]["from"] == "0612345678"
    assert floor.pops.shows("marie", "session-1") and not floor.pops.shows("paul", "session-1")


def test_a_pop_leaves_no_cycle(floor: Floor, make_call: type[FakeCall]) -> None:
    desktop = Desktop(floor)
    gc.collect()
    gc.disable()
    try:
        for n in range(3):
            call = make_call(f"call-{n}")
            floor.pops.offer(call, "marie", "asia", n, lambda: None)
            if n:
                desktop.read()
            floor.pops.connected(call, "marie")
            floor.pops.ended(call, "marie")
            desktop.read()
        del call
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0
