"""Callbacks at the desk, on scripted calls in virtual time: who is rung when, who is told what, and the races."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from acd import callback_events as told
from acd.callback_errors import DuplicateCallback, NoCallbacks, NotANumber
from acd.desk.customers import customer_number, outcome_of
from acd.errors import ItemCommandError, UnknownQueue
from config.schema import Destination
from pbx.call.originate import NotDialled
from tests.acd.conftest import FakeAttempt, FakeCall, FakeFloor

Open = Callable[..., Any]
ANNA, BERT = "+33612345601", "+33612345602"


class FakeDialler:
    """Calls customers at a trunk."""

    def __init__(self, floor: FakeFloor) -> None:
        self.floor = floor
        self.ids = 0
        self.full = False
        self.no_way = False

    def new_id(self) -> str:
        self.ids += 1
        return str(self.ids)

    def check(self, number: str, through: str | None) -> None:
        if self.no_way:
            raise NotDialled("number", "no way")

    def begin(
        self, call_id: str, number: str, called: str, attributes: Mapping[str, Any], controller: Any
    ) -> FakeCall:
        if self.full:
            raise NotDialled("refused", "draining")
        call = self.floor.calls[call_id] = FakeCall(self.floor, call_id, attributes)
        call.controller = controller
        return call

    def dial(self, call: FakeCall, number: str, through: str | None, ring_s: float) -> FakeAttempt:
        if self.no_way:
            raise NotDialled("number", "no way")
        return call.dial(Destination("trunk", number), ring_s=ring_s)

    def comfort(self, attempt: FakeAttempt) -> None:
        attempt.note("comfort", attempt.agent)

    def answered(self, call: FakeCall, attempt: FakeAttempt, number: str) -> None:
        call.note("caller is", number)
        call.answered = True


def sales(**rules: Any) -> dict[str, dict[str, Any]]:
    callback = {"ring_s": 25, "retries": 1, "retry_after_s": 600, **rules}
    return {"sales": {"music": "music", "ring_s": 10, "wrap_up_s": 30, "callback": callback}}


@pytest.fixture
def shop(floor: Open) -> Open:
    def build(**rules: Any) -> FakeFloor:
        f: FakeFloor = floor(None, **sales(**rules))
        f.desk.callbacks.dialler = cast(Any, FakeDialler(f))
        return f

    return build


def ask(f: FakeFloor, number: str = ANNA, **more: Any) -> str:
    return f.desk.callbacks.ask("sales", number, {}, **more)


def states(f: FakeFloor) -> list[object]:
    return [one["state"] for one in f.desk.callbacks.views()]


def ended(f: FakeFloor) -> list[str]:
    return [event.outcome for event in f.events if isinstance(event, told.CallbackClosed)]


def customer(f: FakeFloor, call: str = "callback-1-1") -> tuple[FakeCall, FakeAttempt]:
    """A call, and the attempt that rings the customer."""
    live = f.calls[call]
    return live, next(attempt for attempt in reversed(live.attempts) if attempt.destination.kind == "trunk")


def customer_answers(f: FakeFloor, call: str = "callback-1-1") -> FakeCall:
    live, attempt = customer(f, call)
    live.controller.on_answered(live, attempt)
    return live


def customer_refuses(f: FakeFloor, status: int, call: str = "callback-1-1") -> None:
    live, attempt = customer(f, call)
    live.over(attempt)
    live.controller.on_failed(live, attempt, status, "")


def agent_of(call: FakeCall) -> FakeAttempt:
    return next(attempt for attempt in reversed(call.attempts) if attempt.agent is not None)


def agent_answers(f: FakeFloor, call: str = "callback-1-1") -> FakeCall:
    live = f.calls[call]
    live.controller.on_answered(live, agent_of(live))
    return live


# --- as one of those who wait ---------------------------------------------------------------------------------------


def test_nobody_is_on_the_line_to_be_moved(shop: Open) -> None:
    f = shop()
    ask(f)
    for command in (f.desk.withdraw, lambda queue, item: f.desk.move(queue, item, Destination("queue", "sales"))):
        with pytest.raises(ItemCommandError) as caught:
            command("sales", "callback-1-1")
        assert caught.value.state == "CALLBACK", "it is for the commands of callbacks"
    assert states(f) == ["QUEUED"]


# --- the straight lines ----------------------------------------------------------------------------------------------


def test_agent_first(shop: Open) -> None:
    f = shop()
    ask(f)
    f.agents("ann")
    agent_answers(f)
    call = customer_answers(f)
    assert f.what() == [
        "callback-1-1 offer ann sales", "callback-1-1 dial extension x-ann", "callback-1-1 comfort ann",
        f"callback-1-1 dial trunk {ANNA}", f"callback-1-1 caller is {ANNA}", "callback-1-1 bridge ann",
        "callback-1-1 connected ann",
    ]  # fmt: skip
    call.over(agent_of(call))
    call.controller.on_ended(call, agent_of(call))
    assert f.what(7) == ["callback-1-1 hang up agent hung up", "callback-1-1 wrap_up ann"]
    assert ended(f) == ["done"] and states(f) == []


def test_customer_first(shop: Open) -> None:
    f = shop(order="customer first")
    ask(f)
    f.agents("ann")
    assert f.what() == ["callback-1-1 offer ann sales", f"callback-1-1 dial trunk {ANNA}"]
    customer_answers(f)
    assert f.what(2) == [
        f"callback-1-1 caller is {ANNA}", "callback-1-1 play music looped", "callback-1-1 dial extension x-ann",
    ]  # fmt: skip
    agent_answers(f)
    assert f.what(5) == ["callback-1-1 bridge ann", "callback-1-1 connected ann"]
    f.calls["callback-1-1"].caller_hangs_up()
    assert ended(f) == ["done"] and f.state("ann") == ("WRAP_UP", None)


def test_the_phone_of_a_slow_screen_rings_when_the_screen_has_it(shop: Open) -> None:
    f = shop(order="customer first")
    f.pops.slow = True
    ask(f)
    f.agents("ann")
    assert f.what() == ["callback-1-1 offer ann sales"]
    f.pops.waiting.pop()()
    assert f.what(1) == [f"callback-1-1 dial trunk {ANNA}"]


# --- asked for by key ------------------------------------------------------------------------------------------------


def test_the_key_takes_the_place_and_says_goodbye(shop: Open) -> None:
    f = shop(confirm="we call you")
    c1 = f.call("c1")
    c1.from_number = "06 12 34 56 01"
    c1.controller.on_digit(c1, "2")
    c1.controller.on_digit(c1, "1")
    assert f.what() == ["c1 play music looped", "c1 play we call you once"]
    (waiting,) = f.desk.callbacks.views()
    assert (waiting["number"], waiting["state"]) == (ANNA, "QUEUED")
    c1.said()
    assert f.what(2) == ["c1 hang up will be called back"]
    assert f.clock.pending() == 1  # the day after which it is given up


def test_without_a_word_he_is_hung_up(shop: Open) -> None:
    f = shop()
    c1 = f.call("c1")
    c1.from_number = ANNA
    c1.controller.on_digit(c1, "1")
    assert f.what(1) == ["c1 hang up will be called back"]


def test_who_hangs_up_during_the_goodbye_is_called_all_the_same(shop: Open) -> None:
    f = shop(confirm="we call you")
    c1 = f.call("c1")
    c1.from_number = ANNA
    c1.controller.on_digit(c1, "1")
    c1.caller_hangs_up()
    assert states(f) == ["QUEUED"] and f.clock.pending() == 1


def test_the_agent_who_was_rung_for_the_call_is_rung_for_the_callback(shop: Open) -> None:
    f = shop()
    f.agents("ann")
    c1 = f.call("c1")
    c1.from_number = ANNA
    c1.controller.on_digit(c1, "1")
    assert f.what(3) == [
        "c1 drop withdrawn", "c1 retract ann withdrawn", "callback-1-1 offer ann sales",
        "callback-1-1 dial extension x-ann", "c1 hang up will be called back",
    ]  # fmt: skip


def test_a_withheld_number_is_typed(shop: Open) -> None:
    f = shop(ask_number="your number")
    c1 = f.call("c1")
    c1.from_number = "anonymous"
    for key in "1" + "99*0612345601#":
        c1.controller.on_digit(c1, key)
    assert f.what(1) == ["c1 play [ your number ] music looped", "c1 hang up will be called back"]
    assert [one["number"] for one in f.desk.callbacks.views()] == [ANNA]


def test_no_number_comes_of_it(shop: Open) -> None:
    """Asked three times, he waits on; the key means the same as before."""
    f = shop(number="ask", ask_number="your number")
    c1 = f.call("c1")
    c1.from_number = ANNA
    c1.controller.on_digit(c1, "1")
    c1.said()
    for key in "123#":
        c1.controller.on_digit(c1, key)
    c1.said()
    f.clock.run(20.1)
    c1.said()
    f.clock.run(20.1)
    assert f.what().count("c1 play [ your number ] music looped") == 3
    assert states(f) == [] and "c1" in f.desk.engine.floor.items
    f.agents("ann")
    c1.phone_answers()
    assert f.what()[-2:] == ["c1 bridge ann", "c1 connected ann"]


def test_an_agent_answers_while_he_types(shop: Open) -> None:
    f = shop(number="ask")
    c1 = f.call("c1")
    c1.controller.on_digit(c1, "1")
    f.agents("ann")
    c1.phone_answers()
    pending = f.clock.pending()
    for key in "0612345601#":
        c1.controller.on_digit(c1, key)
    assert states(f) == [] and f.clock.pending() == pending == 0


def test_the_offer_is_said_once_after_a_while(shop: Open) -> None:
    f = shop(offer="press one", offer_after_s=30)
    f.call("c1").answered = True
    f.call("c2", answered=True)
    f.clock.run(31)
    assert f.what().count("c2 play [ press one ] music looped") == 1
    f.calls["c2"].said()
    f.clock.run(300)
    assert f.what().count("c2 play [ press one ] music looped") == 1


# --- not reached, races ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"), [(486, "busy"), (408, "no_answer"), (603, "refused"), (503, "unreachable")]
)
@pytest.mark.parametrize("order", ["agent first", "customer first"])
def test_the_customer_is_not_reached(shop: Open, order: str, status: int, outcome: str) -> None:
    f = shop(order=order)
    ask(f)
    f.agents("ann")
    if order == "agent first":
        agent_answers(f)
    customer_refuses(f, status)
    words = outcome.replace("_", " ")
    assert f.what()[-2:] == [
        f"callback-1-1 retract ann {'not_reached' if order == 'agent first' else 'withdrawn'}",
        f"callback-1-1 hang up {words}",
    ]  # fmt: skip
    (waiting,) = f.desk.callbacks.views()
    assert (waiting["state"], waiting["last_outcome"], waiting["attempts"]) == ("SCHEDULED", outcome, 1)
    assert f.state("ann") == ("READY", None) and not f.calls
    f.clock.run(600)
    assert "callback-1-2 offer ann sales" in f.what()


def test_the_agent_hangs_up_while_the_customers_phone_rings(shop: Open) -> None:
    f = shop()
    ask(f)
    f.agents("ann")
    call = agent_answers(f)
    _, ringing = customer(f)
    call.over(agent_of(call))
    call.controller.on_ended(call, agent_of(call))
    assert not ringing.live and states(f) == ["SCHEDULED"] and f.state("ann") == ("READY", None)
    call.controller.on_answered(call, ringing)  # crossed
    assert f.what()[-1] == "callback-1-1 hang up agent hung up" or f.counters["queue_late_answers"] == 1


def test_the_agent_logs_out_while_the_customers_phone_rings(shop: Open) -> None:
    """Another agent is held for him, or his phone stops ringing."""
    f = shop(order="customer first")
    ask(f)
    f.agents("ann", "bob")
    _, ringing = customer(f)
    f.desk.logout("ann")
    assert ringing.live and f.what()[-2:] == ["callback-1-1 retract ann withdrawn", "callback-1-1 offer bob sales"]
    f.desk.logout("bob")
    assert not ringing.live and not f.calls and states(f) == ["QUEUED"]
    f.agents("ann")
    assert f.what()[-2:] == ["callback-1-2 offer ann sales", f"callback-1-2 dial trunk {ANNA}"]


def test_the_agent_does_not_answer_the_customer_who_did(shop: Open) -> None:
    """He waits for the next one as any caller does."""
    f = shop(order="customer first")
    ask(f)
    f.agents("ann", "bob")
    call = customer_answers(f)
    f.clock.run(10)
    assert f.state("ann") == ("NOT_READY", "no answer") and call.attempts[-1].agent == "bob"
    f.clock.run(10)
    assert states(f) == ["REACHED"] and f.calls
    call.caller_hangs_up()
    assert ended(f) == ["left"]


def test_he_calls_in_while_his_phone_rings(shop: Open) -> None:
    f = shop()
    ask(f)
    f.agents("ann")
    agent_answers(f)
    _, ringing = customer(f)
    c1 = FakeCall(f, "c1", {})
    c1.from_number, f.calls["c1"] = "0612345601", c1
    f.desk.enter(cast(Any, c1), "sales")
    assert not ringing.live and ended(f) == ["called_in"]
    assert f.what()[-2:] == ["c1 offer ann sales", "c1 dial extension x-ann"]


@pytest.mark.parametrize("when", ["offered", "dialled", "reached"])
def test_cancelled(shop: Open, when: str) -> None:
    f = shop(order="agent first" if when == "offered" else "customer first")
    callback = ask(f)
    f.agents("ann")
    if when == "reached":
        customer_answers(f)
    f.desk.callbacks.cancel(callback)
    assert not f.calls and f.state("ann") == ("READY", None) and ended(f) == ["cancelled"]
    f.told()


def test_a_reload_takes_the_queue_away(shop: Open, make_site: Callable[..., Any]) -> None:
    f = shop(order="customer first")
    ask(f)
    ask(f, BERT)
    f.agents("ann")
    f.desk.reconfigure(make_site({"ann": {}, "bob": {}}, {"other": {}}))
    agent = customer_answers(f)
    agent_answers(f)
    agent.caller_hangs_up()
    f.desk.wrap_up_done("ann")
    assert f.what()[-2:] == ["callback-2-1 offer ann sales", f"callback-2-1 dial trunk {BERT}"]


def test_somebody_else_ends_the_call(shop: Open) -> None:
    """A drain: nobody was reached, the place is kept."""
    f = shop()
    ask(f)
    f.agents("ann")
    call = agent_answers(f)
    cast(FakeDialler, f.desk.callbacks.dialler).full = True
    call.on_over(call)
    call.close()
    f.told()
    assert f.counters["callbacks_not_begun"] == 1 and states(f) == ["SCHEDULED"]


def test_no_way_to_the_number_when_it_is_its_turn(shop: Open) -> None:
    f = shop()
    ask(f)
    f.agents("ann")
    cast(FakeDialler, f.desk.callbacks.dialler).no_way = True
    agent_answers(f)
    assert [one["last_outcome"] for one in f.desk.callbacks.views()] == ["no_route"] and not f.calls


def test_hours(floor: Open, make_site: Callable[..., Any]) -> None:
    """Asked for before, called when they begin."""
    site = make_site({"ann": {}}, sales(hours="day"))
    open_hours = {"hours": {"day": {"open": {"mon-sun": "12:00-18:00"}}}}
    site = type(site).model_validate({
        "site": "t", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "locale": {"timezone": "UTC"},
        "agents": {"ann": {"extension": "x-ann"}}, "queues": sales(hours="day"), **open_hours,
    })  # fmt: skip
    f = FakeFloor(site)
    f.desk.callbacks.dialler = cast(Any, FakeDialler(f))
    f.agents("ann")  # T1 is 11:00 UTC
    ask(f)
    assert states(f) == ["SCHEDULED"]
    f.clock.run(3_599)
    assert states(f) == ["SCHEDULED"]
    f.clock.run(6)
    assert states(f) == ["RESERVED"]
    f.told()


# --- refused ---------------------------------------------------------------------------------------------------------


def test_what_is_refused(shop: Open, floor: Open) -> None:
    f = shop()
    ask(f)
    with pytest.raises(DuplicateCallback):
        ask(f, "06 12 34 56 01")
    with pytest.raises(UnknownQueue):
        f.desk.callbacks.ask("nowhere", ANNA, {})
    cast(FakeDialler, f.desk.callbacks.dialler).no_way = True
    with pytest.raises(NotANumber):
        ask(f, BERT)
    plain = floor()
    with pytest.raises(NotANumber):
        plain.desk.callbacks.ask("sales", ANNA, {})  # nobody calls there
    plain.desk.callbacks.dialler = cast(Any, FakeDialler(plain))
    with pytest.raises(NoCallbacks):
        plain.desk.callbacks.ask("sales", ANNA, {})


@pytest.mark.parametrize("number", ["101", "anonymous", "", "+33 8 99 12 34 56", "112", "+999123456789"])
def test_numbers_that_are_not_called(number: str) -> None:
    with pytest.raises(NotANumber):
        customer_number(number, "FR")


@pytest.mark.parametrize("number", ["0612345601", "+33 6 12 34 56 01", "0033612345601"])
def test_numbers_in_one_form(number: str) -> None:
    assert customer_number(number, "FR") == ANNA


def test_outcomes() -> None:
    assert {outcome_of(status) for status in range(300, 700)} == {
        "no_answer", "busy", "refused", "no_such_number", "unreachable",
    }  # fmt: skip


def test_a_flow_asks(shop: Open) -> None:
    f = shop()
    call = FakeCall(f, "c1", {"typed": "0612345601"})
    noted = f.desk.callbacks.noted
    assert noted(cast(Any, call), "sales", "typed", 60, {"destination": "asia"})
    assert not noted(cast(Any, call), "sales", None, None, {})  # no number
    (one,) = f.desk.callbacks.views()
    assert one["due_at"] == f.clock.now() + 60 and one["attributes"] == {"typed": "0612345601", "destination": "asia"}


def test_the_basket_of_who_waits_changes_his_place(shop: Open) -> None:
    f = shop()
    f.desk.callbacks.ask("sales", ANNA, {"web_session": "s1", "basket": 1})
    f.desk.callbacks.known("s1", {"basket": 900})
    f.desk.callbacks.known("s2", {"basket": 5})
    assert [one["attributes"] for one in f.desk.callbacks.views()] == [{"web_session": "s1", "basket": 900}]
