"""Which phones of an extension ring: each device once, by its newest flow, or only the one that a GRUU names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from config.schema import Destination
from pbx.call.targets import Target
from pbx.sip.binding import Binding
from pbx.sip.hop import Hop
from tests.call.world import World, sdp

ONE, OTHER = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"


def flow(world: World, host: str, reg_id: int, instance: str, aor: str = "102", path: tuple[str, ...] = ()) -> None:
    """One more flow of a device of extension 102."""
    now, hop = world.clock.time, Hop("udp", host, 5060)
    new = Binding(
        f"sip:102@{host};ob", "", 1.0, now + 600, f"r{reg_id}", 1, hop, hop, f"<{instance}>", path, reg_id
    )  # fmt: skip
    world.location.replace(aor, [*world.location.contacts(aor, now), new], now)


def found(world: World, instance: str | None = None) -> list[Target]:
    call: Any = SimpleNamespace(
        clock=world.clock, from_name="", from_number="1", to_number="102", instance=instance, shown=("", "1"),
        attributes={}, headers=(), trunk=None, is_sips=False,
    )  # fmt: skip
    return world.switch.targets.find(call, Destination("extension", "102"))[0]


def test_a_device_with_two_flows_is_one_target(world: World) -> None:
    flow(world, "192.0.2.2", 1, ONE)
    flow(world, "192.0.2.3", 1, OTHER, path=("<sip:192.0.2.9;lr;ob>",))
    flow(world, "192.0.2.4", 2, ONE)
    one, other = found(world)
    assert (one.hop.host, other.hop.host) == ("192.0.2.4", "192.0.2.3")
    older = one.after_failure()
    assert older is not None and older.hop.host == "192.0.2.2" and older.after_failure() is None
    assert other.after_failure() is None and other.route == ("<sip:192.0.2.9;lr;ob>",)


def test_only_the_device_of_a_gruu(world: World) -> None:
    flow(world, "192.0.2.2", 1, ONE)
    flow(world, "192.0.2.3", 1, OTHER)
    assert [target.hop.host for target in found(world, OTHER)] == ["192.0.2.3"]
    assert found(world, "urn:uuid:elsewhere") == []


def test_a_caller_dials_a_gruu(tmp_path: Any) -> None:
    """RFC 5627 5.4: the `gr` of the Request-URI chooses."""
    text = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20099}
records: {url: "sqlite:///test.db"}
trunks: {carrier: {from: 198.51.100.1}}
extensions: {102: {password: secret}}
dial_plan: [{match: 102, to: extension 102, from: anyone}]
"""
    world = World(text, tmp_path)
    phones = [world.phone("192.0.2.2"), world.phone("192.0.2.3")]
    flow(world, "192.0.2.2", 1, ONE)
    flow(world, "192.0.2.3", 1, OTHER)
    carrier = world.phone("198.51.100.1")
    body = sdp(host=carrier.host)
    carrier.send(
        f"INVITE sip:102@192.0.2.100;gr={OTHER} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx\r\n"
        "From: <sip:1@198.51.100.1>;tag=a\r\nTo: <sip:102@192.0.2.100>\r\nCall-ID: gruu\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:1@198.51.100.1>\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    assert not phones[0].inbox
    phones[1].answer(phones[1].request("INVITE"), 603)
    assert carrier.response(603)


def test_a_registered_trunk_behind_a_proxy_is_called_by_its_path(tmp_path: Any) -> None:
    text = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20099}
records: {url: "sqlite:///test.db"}
trunks: {branch: {registers_as: {username: branch, password: pw}}}
"""
    world = World(text, tmp_path)
    flow(world, "192.0.2.9", 1, ONE, "branch", path=("<sip:192.0.2.9;lr>",))
    call: Any = SimpleNamespace(
        clock=world.clock, from_name="", from_number="1", dialled="2001", caller=SimpleNamespace(extension=None),
        attributes={}, headers=(), trunk=None, is_sips=False,
    )
    [target], _, _ = world.switch.targets.find(call, Destination("trunk", "branch"))
    assert (target.uri, target.route) == ("sip:2001@192.0.2.9;ob", ("<sip:192.0.2.9;lr>",))


def test_the_older_flow_rings_when_the_proxy_of_the_newer_says_that_it_is_gone(tmp_path: Any) -> None:
    """RFC 5626 6 and 11.5: 430, and the next flow."""
    text = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20099}
records: {url: "sqlite:///test.db"}
trunks: {carrier: {from: 198.51.100.1}}
extensions: {102: {password: secret}}
dial_plan: [{match: 102, to: extension 102, from: anyone}]
"""
    world = World(text, tmp_path)
    older, newer = world.phone("192.0.2.2"), world.phone("192.0.2.3")
    flow(world, "192.0.2.2", 1, ONE)
    flow(world, "192.0.2.3", 2, ONE)
    carrier = world.phone("198.51.100.1")
    carrier.invite("102")
    assert not older.inbox
    newer.answer(newer.request("INVITE"), 430)
    older.answer(older.request("INVITE"), 486)
    assert carrier.response(486)


def test_a_phone_that_gives_its_gruu_as_contact_is_reached(world: World) -> None:
    """RFC 5627 4.4, 5.4: the location service knows where the requests go. Linphone does so from a re-INVITE on."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.2")
    flow(world, "192.0.2.2", 1, ONE, "101")
    invite = carrier.invite("+33180000001")
    incoming = phone.request("INVITE")
    phone.answer(incoming, 200, body=sdp(), contact=f"<sip:101@192.0.2.100;gr={ONE}>")
    ack = phone.request("ACK")
    assert ack.uri == "sip:102@192.0.2.2;ob"
    while carrier.inbox:
        answer = carrier.take()
    carrier.follow("ACK", invite, answer.to_tag or "")
    carrier.follow("BYE", invite, answer.to_tag or "", cseq=2)
    bye = phone.request("BYE")
    assert bye.uri == "sip:102@192.0.2.2;ob" and not world.lost
    phone.answer(bye, 200)
