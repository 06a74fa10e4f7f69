"""MESSAGE between phones (RFC 3428)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.sip.binding import Binding
from tests.call.world import Phone
from tests.subscriptions.conftest import Watched
from tests.subscriptions.watcher import Watcher

TEXT = "Content-Type: text/plain;charset=utf-8\r\n"
URI = "sip:101@192.0.2.100"
OUTSIDE = "0145678901"  # leads to a trunk


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    world = Watched(tmp_path)
    yield world
    world.run(100)
    assert world.leaks() == {}


def ask(world: Watched, body: str = "Bonjour, ça va ?", headers: str = TEXT) -> Watcher:
    """Extension 105 writes to 101, and says who he is."""
    sender = world.watcher("192.0.2.50", "105")
    sender.prove("MESSAGE", URI, headers, body)
    return sender


def test_relayed_and_answered_by_the_phone(world: Watched) -> None:
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    sender = ask(world)
    message = phone.request("MESSAGE")
    assert message.body.decode() == "Bonjour, ça va ?"
    assert message.get("Content-Type") == "text/plain;charset=utf-8"
    assert (message.get("From") or "").startswith("<sip:105@192.0.2.100")
    assert message.get("Authorization") is None
    assert message.get("Max-Forwards") == "69"
    assert not sender.inbox  # not before a phone has it
    phone.answer(message, 200, contact=None)
    sender.response(200)
    assert world.counters["messages_relayed"] == 1


def test_two_phones_the_first_that_takes_it_answers(world: Watched) -> None:
    one, two = world.phone("192.0.2.10"), world.phone("192.0.2.11")
    world.register("101", one)
    world.register("101", two)
    sender = ask(world)
    one.answer(one.request("MESSAGE"), 415, contact=None)
    assert not sender.inbox
    two.answer(two.request("MESSAGE"), 202, contact=None)
    sender.response(202)


def test_no_phone_takes_it(world: Watched) -> None:
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    sender = ask(world)
    phone.answer(phone.request("MESSAGE"), 415, contact=None)
    sender.response(415)


def test_phone_that_is_gone(world: Watched) -> None:
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    sender = ask(world)
    world.run(33)
    sender.response(480)
    phone.inbox.clear()


def test_challenge_of_the_phone_is_not_the_senders(world: Watched) -> None:
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    sender = ask(world)
    phone.answer(phone.request("MESSAGE"), 401, contact=None)
    sender.response(480)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [("x", TEXT, 480), ("x", "", 400), ("x" * 20_000, TEXT, 413)],
)
def test_refused(world: Watched, body: str, headers: str, status: int) -> None:
    ask(world, body, headers).response(status)
    assert world.counters[f"messages_refused_{status}"] == 1


def test_nobody_is_told_anything_before_he_says_who_he_is(world: Watched) -> None:
    known, unknown = world.watcher("192.0.2.50", "105"), world.watcher("192.0.2.51", "105")
    known.say("MESSAGE", URI, TEXT, "x")
    unknown.say("MESSAGE", "sip:nobody@192.0.2.100", TEXT, "x")
    assert known.take().get("WWW-Authenticate") and unknown.take().get("WWW-Authenticate")


def two_flows(world: Watched) -> tuple[Phone, Phone]:
    """One device of 101 that registered by two ways (RFC 5626): the phone at the one that is tried first, the other."""
    old, new = world.phone("192.0.2.10"), world.phone("192.0.2.11")
    now = world.clock.time
    bindings = [
        Binding(f"sip:101@{one.host}:5060", "", 1.0, now + 3600, "r", number, one.hop, one.hop, "<urn:x>", (), number)
        for number, one in enumerate((old, new), 1)
    ]
    world.location.replace("101", bindings, now)
    return new, old


def test_a_device_with_two_flows_gets_it_once(world: Watched) -> None:
    first, second = two_flows(world)
    sender = ask(world)
    first.answer(first.request("MESSAGE"), 200, contact=None)
    sender.response(200)
    assert not second.inbox


@pytest.mark.parametrize("gone", [430, 503])
def test_a_flow_that_is_gone(world: Watched, gone: int) -> None:
    """The other flow of the device gets it, by a request of its own."""
    first, second = two_flows(world)
    sender = ask(world)
    before = first.request("MESSAGE")
    first.answer(before, gone, contact=None)
    assert not sender.inbox
    message = second.request("MESSAGE")
    assert message.body == before.body and message.branch != before.branch and message.call_id != before.call_id
    second.answer(message, 202, contact=None)
    sender.response(202)


def test_a_connection_that_is_lost(world: Watched) -> None:
    first, second = two_flows(world)
    flow, other = world.location.devices("101", world.clock.time)[0]
    lost = flow.hop._replace(transport="tcp")
    world.location.replace("101", [other, flow._replace(hop=lost)], world.clock.time)
    sender = ask(world)
    assert not second.inbox
    world.layer.transport_failed(lost, world.clock.now())
    second.answer(second.request("MESSAGE"), 200, contact=None)
    sender.response(200)
    first.inbox.clear()


def test_both_flows_are_gone(world: Watched) -> None:
    first, second = two_flows(world)
    sender = ask(world)
    for phone in (first, second):
        phone.answer(phone.request("MESSAGE"), 430, contact=None)
    sender.response(480)


def test_what_a_phone_refuses_it_is_not_asked_again(world: Watched) -> None:
    first, second = two_flows(world)
    sender = ask(world)
    first.answer(first.request("MESSAGE"), 415, contact=None)
    sender.response(415)
    assert not second.inbox


def test_only_extensions_take_it(world: Watched) -> None:
    """What a trunk or a queue is asked it does not get, and the sender is told so at once."""
    sender = world.watcher("192.0.2.50", "105")
    sender.prove("MESSAGE", f"sip:{OUTSIDE}@192.0.2.100", TEXT, "x")
    answer = sender.response(405)
    allowed = (answer.get("Allow") or "").split(", ")
    assert "INVITE" in allowed and "MESSAGE" not in allowed
    assert world.counters["messages_refused_405"] == 1 and not world.lost


def test_no_hop_is_left(world: Watched) -> None:
    world.register("101", world.phone("192.0.2.10"))
    sender = world.watcher("198.51.100.1", "carrier")
    sender.send(
        "MESSAGE sip:+33180000001@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKm\r\n"
        "Max-Forwards: 00\r\nFrom: <sip:a@198.51.100.1>;tag=a\r\nTo: <sip:+33180000001@192.0.2.100>\r\n"
        "Call-ID: m\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx"
    )
    sender.response(483)
