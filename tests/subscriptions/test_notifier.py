"""SUBSCRIBE and NOTIFY, message by message (RFC 6665)."""

from __future__ import annotations

import gc

import pytest

from pbx.sip.message import Request, Response
from pbx.subscriptions import notifier as notifier_module
from tests.call.world import sdp

from .conftest import Watched
from .watcher import Watcher


def state_of(request: Request) -> str:
    return request.get("Subscription-State") or ""


def watching(world: Watched, number: str = "101", event: str = "dialog") -> tuple[Watcher, Response]:
    watcher = world.watcher("192.0.2.50", "105")
    ok = watcher.subscribe(number, event)
    assert ok.status == 200 and ok.get("Expires") == "3600"
    watcher.notify()
    return watcher, ok


def test_subscribed_and_told_at_once(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    ok = watcher.subscribe("101", "Dialog;id=7;x=y", expires=600)
    assert ok.status == 200
    assert ok.get("Expires") == "600"
    assert ok.get("Contact")
    first = watcher.notify()
    assert first.get("Event") == "dialog;id=7"
    assert state_of(first) == "active;expires=600"
    assert first.get("Contact") == ok.get("Contact")
    assert first.get("Content-Type") == "application/dialog-info+xml"
    assert (first.call_id, first.to_tag, first.from_tag) == ("s1", "ws1", ok.to_tag)


def test_default_expiry_is_the_packages(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    assert watcher.subscribe("105", "reg", expires=None).get("Expires") == "3761"
    watcher.notify()
    assert watcher.subscribe("105", "reg", expires=999_999, call="s2").get("Expires") == "7200"
    watcher.notify()


@pytest.mark.parametrize(
    ("number", "event", "headers", "status", "told"),
    [
        ("101", "poetry", "", 489, ("Allow-Events", "dialog, message-summary, presence, reg")),
        ("101", "", "", 489, ("Allow-Events", "dialog, message-summary, presence, reg")),
        ("101", 'dialog;id="', "", 400, None),
        ("101", "dialog", "Accept: text/plain\r\n", 406, ("Accept", "application/dialog-info+xml")),
        ("199", "dialog", "", 404, None),
        ("199", "presence", "", 404, None),
        ("101", "message-summary", "", 403, None),
        ("101", "reg", "", 403, None),
    ],
)
def test_refused(
    world: Watched, number: str, event: str, headers: str, status: int, told: tuple[str, str] | None
) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    response = watcher.subscribe(number, event, headers=headers)
    assert response.status == status
    assert told is None or response.get(told[0]) == told[1]
    assert not watcher.inbox
    assert world.counters[f"subscriptions_refused_{status}"] == 1


def test_too_brief(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    response = watcher.subscribe("101", "dialog", expires=30)
    assert (response.status, response.get("Min-Expires")) == (423, "60")


def test_a_trunk_watches_nothing(world: Watched) -> None:
    carrier = world.watcher("198.51.100.1", "carrier")
    carrier.say("SUBSCRIBE", "sip:101@192.0.2.100", "Event: dialog\r\n")
    carrier.response(403)


def test_without_contact(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    response = watcher.ask("SUBSCRIBE", "sip:101@192.0.2.100", "Event: dialog\r\n", contact=False)
    assert response.status == 400


def test_limits(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier_module, "LIMIT_EACH", 1)
    watcher, _ = watching(world)
    refused = watcher.subscribe("102", "dialog", call="s2")
    assert refused.status == 503 and refused.get("Retry-After")


def test_fetched_without_a_subscription(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    assert watcher.subscribe("101", "dialog", expires=0).get("Expires") == "0"
    assert state_of(watcher.notify()) == "terminated;reason=timeout"
    assert len(world.notifier) == 0


def test_refreshed_then_ended_by_the_watcher(world: Watched) -> None:
    watcher, ok = watching(world)
    world.run(1000)
    watcher.again(ok, "Event: dialog\r\nExpires: 1800\r\n")
    assert watcher.response(200).get("Expires") == "1800"
    assert state_of(watcher.notify()) == "active;expires=1800"
    watcher.again(ok, "Event: dialog\r\nExpires: 0\r\n")
    watcher.response(200)
    assert state_of(watcher.notify()) == "terminated;reason=timeout"
    watcher.again(ok, "Event: dialog\r\nExpires: 600\r\n")
    watcher.response(481)


def test_refresh_that_is_wrong_changes_nothing(world: Watched) -> None:
    watcher, ok = watching(world)
    watcher.again(ok, "Event: presence\r\nExpires: 600\r\n")
    watcher.response(489)
    watcher.again(ok, "Event: dialog\r\nExpires: 5\r\n")
    watcher.response(423)
    watcher.say("PUBLISH", "sip:plateau@192.0.2.100", to=ok.get("To") or "")
    watcher.response(405)
    watcher.cseq = 1
    watcher.again(ok, "Event: dialog\r\nExpires: 600\r\n")
    watcher.response(500)  # 12.2.2: out of order
    assert len(world.notifier) == 1


def test_expires_when_not_refreshed(world: Watched) -> None:
    watcher, _ = watching(world)
    world.run(3599)
    assert not watcher.inbox
    world.run(2)
    assert state_of(watcher.notify()) == "terminated;reason=timeout"
    assert len(world.notifier) == 0


@pytest.mark.parametrize("status", [481, 404, 500])
def test_watcher_who_knows_nothing_of_it(world: Watched, status: int) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "dialog")
    watcher.notify(status)
    assert len(world.notifier) == 0
    assert world.counters["subscriptions_lost"] == 1


def test_watcher_who_is_gone(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "dialog")
    world.run(31)
    assert len(world.notifier) == 1
    world.run(2)
    assert len(world.notifier) == 0
    watcher.inbox.clear()


def test_one_notify_at_a_time_and_nothing_is_forgotten(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("105", "message-summary")
    first = watcher.request("NOTIFY")
    for new in (1, 2, 3):
        world.messages.set("105", new)
        world.run(0.05)
    assert not watcher.inbox
    watcher.answer(first, 200, tag="unused", contact=None)
    assert b"3/0" in watcher.notify().body
    world.run(1)
    assert not watcher.inbox


def test_changes_of_one_moment_are_told_once(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("105", "message-summary")
    watcher.notify()
    for new in (1, 2, 3):
        world.messages.set("105", new)
    world.run(0)
    assert b"3/0" in watcher.notify().body
    assert not watcher.inbox


def test_end_of_the_server(world: Watched) -> None:
    watcher, _ = watching(world)
    world.notifier.close()
    assert state_of(watcher.notify()) == "terminated;reason=deactivated"


def test_a_phone_that_moved_is_told_where_it_is(world: Watched) -> None:
    watcher, ok = watching(world)
    other = world.watcher("192.0.2.51", "105")
    other.cseq = watcher.cseq
    other.again(ok, "Event: dialog\r\nExpires: 600\r\n")
    other.response(200)
    other.notify()
    assert not watcher.inbox


def test_lamp_follows_a_call(world: Watched) -> None:
    watcher, _ = watching(world)
    carrier = world.phone("198.51.100.1")
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite("+33180000001", user="anna")
    world.run(0)
    assert b"<state>trying</state>" in watcher.notify().body
    request = phone.request("INVITE")
    phone.answer(request, 180)
    world.run(0)
    assert b"<state>early</state>" in watcher.notify().body
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    world.run(0)
    told = watcher.notify().body
    assert b"<state>confirmed</state>" in told
    assert f'call-id="{request.call_id}"'.encode() in told
    phone.request("ACK")
    carrier.response(180)
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)
    phone.answer(phone.request("BYE"), 200)
    world.run(0)
    assert b"<dialog " not in watcher.notify().body


def test_nothing_is_left_for_the_collector(world: Watched) -> None:
    gc.collect()
    gc.disable()
    try:
        watcher, ok = watching(world)
        watcher.again(ok, "Event: dialog\r\nExpires: 0\r\n")
        watcher.response(200)
        watcher.notify()
        world.run(100)
        del watcher, ok
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = [one for one in gc.garbage if type(one).__module__.startswith("pbx.")]
        assert not found
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
