from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from acd.events import AgentStateChanged, ItemAbandoned
from cti.domain_events import WebSessionMatched
from cti.events import TOPICS, EventHub, Subscription, wire_name
from cti.screen_pop import PopSent
from cti.tokens import Identity
from pbx.call.events import CallAnswered, CallAttributesSet

START = 1_700_000_000.0
BOSS, MARIE, PAUL = Identity("supervisor", "boss", 0), Identity("agent", "marie", 0), Identity("agent", "paul", 0)


@dataclass(frozen=True, slots=True)
class SomethingElse:
    at: float


@pytest.fixture
def hub() -> EventHub:
    return EventHub(START, Counter(), ring=5, queue=3)


def listen(hub: EventHub, who: Identity, topics: frozenset[str] = TOPICS) -> Subscription:
    return hub.subscribe(who, topics, lambda: None)


def seen(subscription: Subscription) -> list[dict[str, Any]]:
    found = [json.loads(message.text()) for message, _ in subscription.queue]
    subscription.queue.clear()
    return found


def test_wire_names() -> None:
    assert [wire_name(k) for k in (CallAnswered, AgentStateChanged, WebSessionMatched)] == [
        "call_answered", "agent_state_changed", "web_session_matched",
    ]  # fmt: skip


def test_an_event_on_the_wire(hub: EventHub) -> None:
    boss = listen(hub, BOSS)
    hub.publish(CallAttributesSet(START, "c", {"basket": 2300.0, "customer": "Zoé"}))
    assert seen(boss) == [
        {"type": "call_attributes_set", "sequence": 1_700_000_000_000_001, "at": START, "call_id": "c",
         "attributes": {"basket": 2300.0, "customer": "Zoé"}}
    ]  # fmt: skip


def test_who_sees_what(hub: EventHub) -> None:
    boss, marie, paul = listen(hub, BOSS), listen(hub, MARIE), listen(hub, PAUL)
    only_agents = listen(hub, BOSS, frozenset({"agents"}))
    hub.publish(CallAnswered(START, "c"))
    hub.publish(AgentStateChanged(START, "marie", "READY", None, None))
    hub.publish(PopSent(START, "connected", "p", "paul", "c"))
    assert [e["type"] for e in seen(boss)] == ["call_answered", "agent_state_changed"], "no pops: personal data"
    assert [e["type"] for e in seen(marie)] == ["agent_state_changed"]
    assert [e["type"] for e in seen(paul)] == ["connected"]
    assert [e["type"] for e in seen(only_agents)] == ["agent_state_changed"]
    hub.publish(ItemAbandoned(START, "c", "asia", 3.0))
    hub.publish(SomethingElse(START))
    assert [e["type"] for e in seen(boss)] == ["item_abandoned", "something_else"]
    assert not marie.queue and not paul.queue and not only_agents.queue


def test_text_is_made_once_for_all(hub: EventHub) -> None:
    one, two = listen(hub, BOSS), listen(hub, BOSS)
    hub.publish(CallAnswered(START, "c"))
    assert one.queue[0][0].text() is two.queue[0][0].text()


@pytest.mark.parametrize(
    ("back", "gets"), [(0, []), (1, ["c6"]), (5, ["c2", "c3", "c4", "c5", "c6"]), (6, None), (-1, None)]
)
def test_resuming(hub: EventHub, back: int, gets: list[str] | None) -> None:
    for n in range(7):
        hub.publish(CallAnswered(START, f"c{n}"))
    boss = listen(hub, BOSS)
    missed = hub.missed(boss, hub.sequence - back, hub.epoch)
    assert (None if missed is None else [json.loads(m.text())["call_id"] for m in missed]) == gets
    if missed:
        assert [m.sequence for m in missed] == list(range(hub.sequence - back + 1, hub.sequence + 1))
        boss.allow_backlog(missed)
        for _ in range(3):
            hub.publish(CallAnswered(START, "new"))
        assert not boss.overflown, "what was missed doesn't count as being slow"


def test_an_agent_resumes_with_his_own_things_only(hub: EventHub) -> None:
    hub.publish(PopSent(START, "connected", "p", "paul", "c"))
    hub.publish(PopSent(START, "connected", "m", "marie", "c"))
    hub.publish(CallAnswered(START, "c"))
    missed = hub.missed(listen(hub, MARIE), hub.sequence - 3, None)
    assert missed is not None and [json.loads(m.text())["pop_id"] for m in missed] == ["m"]


def test_a_restart_is_a_gap_with_and_without_the_epoch(hub: EventHub) -> None:
    for _ in range(1000):
        hub.publish(CallAnswered(START, "c"))
    later = EventHub(START + 1, Counter())
    assert later.sequence > hub.sequence, "numbers never run backwards"
    later.publish(CallAnswered(START, "c"))
    boss = listen(later, BOSS)
    assert later.missed(boss, hub.sequence, None) is None
    assert later.missed(boss, later.sequence, hub.epoch) is None
    assert later.missed(boss, later.sequence, later.epoch) == []


def test_a_slow_client_is_cut_off_and_holds_nobody(hub: EventHub) -> None:
    woken: list[bool] = []
    marie = hub.subscribe(MARIE, TOPICS, lambda: woken.append(marie.overflown))
    written: list[int] = []
    for n in range(5):
        hub.publish_written(PopSent(START, "connected", f"p{n}", "marie", "c"), lambda n=n: written.append(n))  # type: ignore[misc]
    assert marie.overflown and not marie.queue and woken == [False, False, False, True, True]
    assert written == [0, 1, 2, 3, 4], "each is called once, whatever became of it"
    hub.unsubscribe(marie)
    assert hub.sockets("marie") == 0 and hub.clients == 0


def test_leaving_twice_and_leaving_unwritten(hub: EventHub) -> None:
    one, two = listen(hub, MARIE), listen(hub, MARIE)
    written: list[str] = []
    hub.publish_written(PopSent(START, "connected", "p", "marie", "c"), lambda: written.append("x"))
    assert hub.sockets("marie") == 2 == hub.clients
    hub.unsubscribe(one)
    hub.unsubscribe(one)
    assert written == ["x"] and hub.sockets("marie") == 1
    hub.unsubscribe(two)
    assert written == ["x", "x"] and hub.clients == 0 and not hub._listening


def test_old_events_are_forgotten(hub: EventHub) -> None:
    for second in (0, 1, 700):
        hub.publish(CallAnswered(START + second, "c"))
    hub.trim(START + 900)
    assert hub.oldest == hub.sequence
    hub.trim(START + 9000)
    assert hub.oldest == hub.sequence + 1
    boss = listen(hub, BOSS)
    assert hub.missed(boss, hub.sequence, None) == [] and hub.missed(boss, hub.sequence - 1, None) is None


def test_publishing_to_nobody_costs_less_than_a_microsecond() -> None:
    hub, event = EventHub(START, Counter()), CallAnswered(START, "c")
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(20_000):
            hub.publish(event)
        best = min(best, time.perf_counter() - began)
    assert best / 20_000 < 1e-6
