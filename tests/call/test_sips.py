"""SIPS (RFC 3261 12.1.1, 26.2.2; RFC 5630): a sips Contact, and never a hop without TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.transport.local import Local

from .world import SITE, Phone, World, sdp

DID = "+33180000001"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(SITE, tmp_path)
    world.switch.local = Local({name: [("192.0.2.100", 5060)] for name in ("udp", "tcp", "tls", "wss")})
    yield world
    world.run(100)
    assert world.leaks() == {}


def call_in(world: World, transport: str, uri: str, extra: str = "", contact: str = "sip:anna@198.51.100.1") -> Phone:
    carrier = world.phone("198.51.100.1")
    carrier.hop = Hop(transport, "198.51.100.1", 5060)
    text = carrier_invite(uri, extra, contact)
    carrier.send(text)
    if carrier.inbox and b" 100 " in carrier.inbox[0]:
        carrier.response(100)
    return carrier


def carrier_invite(uri: str, extra: str, contact: str) -> str:
    body = sdp(host="198.51.100.1")
    return (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/TLS 198.51.100.1:5060;branch=z9hG4bKsips\r\nMax-Forwards: 70\r\n"
        f"From: <sip:anna@198.51.100.1>;tag=f1\r\nTo: <{uri}>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <{contact}>\r\n{extra}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def registered(world: World, contact: str, hop: Hop, path: tuple[str, ...] = ()) -> Phone:
    phone = world.phone("192.0.2.7")
    phone.hop = hop
    world.register("101", phone)
    (there,) = world.location.contacts("101", world.clock.time)
    world.location.replace("101", [there._replace(contact=contact, path=path)], world.clock.time)
    return phone


def ended(world: World, status: int) -> None:
    assert [event.status for event in world.named("CallEnded")] == [status]  # type: ignore[attr-defined]


TLS, UDP, WSS = Hop("tls", "192.0.2.7", 5060), Hop("udp", "192.0.2.7", 5060), Hop("wss", "192.0.2.7", 5060)


@pytest.mark.parametrize(
    ("uri", "contact", "hop", "rings"),
    [
        ("sips", "sips:101@192.0.2.7", TLS, True),
        ("sips", "sip:101@192.0.2.7;transport=tls", TLS, True),
        ("sips", "sip:101@192.0.2.7;transport=ws", WSS, True),
        ("sips", "sip:101@192.0.2.7", UDP, False),
        ("sip", "sips:101@192.0.2.7", UDP, False),
        ("sip", "sips:101@192.0.2.7", TLS, True),
        ("sip", "sip:101@192.0.2.7", UDP, True),
    ],
)
def test_to_a_phone(world: World, uri: str, contact: str, hop: Hop, rings: bool) -> None:
    phone = registered(world, contact, hop)
    carrier = call_in(world, "tls", f"{uri}:{DID}@192.0.2.100")
    world.run(0.1)
    if not rings:
        assert not phone.inbox
        assert carrier.response(480)
        ended(world, 480)
        return
    request = phone.request("INVITE")
    assert (request.get("Contact") or "").startswith("<sips:plateau@") == contact.startswith("sips:")
    phone.answer(request, 486)
    phone.request("ACK")
    assert carrier.response(486)


def test_behind_a_path_tls_to_the_first_proxy_is_not_enough(world: World) -> None:
    phone = registered(world, "sip:101@192.0.2.7", TLS, ("<sip:192.0.2.9;transport=tls;lr>",))
    carrier = call_in(world, "tls", f"sips:{DID}@192.0.2.100")
    world.run(0.1)
    assert not phone.inbox and carrier.response(480)


def test_a_sips_path_has_a_sips_contact(world: World) -> None:
    phone = registered(world, "sip:101@192.0.2.7", TLS, ("<sips:192.0.2.9;lr>",))
    call_in(world, "tls", f"sip:{DID}@192.0.2.100")
    request = phone.request("INVITE")
    assert (request.get("Contact") or "").startswith("<sips:plateau@")
    phone.answer(request, 486)


@pytest.mark.parametrize(
    ("uri", "extra", "contact", "sips"),
    [
        ("sips", "", "sip:anna@198.51.100.1", True),
        ("sip", "", "sips:anna@198.51.100.1", True),
        ("sip", "Record-Route: <sip:198.51.100.1;lr>\r\n", "sips:anna@198.51.100.1", False),
        ("sip", "Record-Route: <sips:198.51.100.1;lr>\r\n", "sip:anna@198.51.100.1", True),
        ("sip", "", "sip:anna@198.51.100.1", False),
    ],
)
def test_our_contact_to_the_caller(world: World, uri: str, extra: str, contact: str, sips: bool) -> None:
    """12.1.1: Request-URI, top Record-Route, or Contact."""
    phone = registered(world, "sips:101@192.0.2.7", TLS)
    carrier = call_in(world, "tls", f"{uri}:{DID}@192.0.2.100", extra, contact)
    request = phone.request("INVITE")
    phone.answer(request, 180)
    assert (carrier.response(180).get("Contact") or "").startswith("<sips:") == sips
    phone.answer(request, 486)


def test_sips_without_tls_is_refused(world: World) -> None:
    """RFC 5630: whoever sent it on by UDP has told everybody."""
    phone = registered(world, "sips:101@192.0.2.7", TLS)
    carrier = call_in(world, "udp", f"sips:{DID}@192.0.2.100")
    assert "380" in (carrier.response(480).get("Warning") or "") and not phone.inbox


def test_not_out_by_a_trunk_without_tls(world: World) -> None:
    trunk = world.switch.handlers["trunk"]
    world.switch.handlers["extension"] = lambda call, name: trunk(call, "carrier")
    carrier = call_in(world, "tls", f"sips:{DID}@192.0.2.100")
    world.run(0.1)
    assert carrier.response(480)
    assert world.admission.trunk_calls("carrier") == 0


def test_in_the_dialog_too(world: World) -> None:
    """A BYE stays on TLS though the peer's Contact is of another kind."""
    phone = registered(world, "sips:101@192.0.2.7", TLS)
    world.switch.connected = lambda hop: False
    carrier = call_in(world, "tls", f"sips:{DID}@192.0.2.100")
    request = phone.request("INVITE")
    phone.answer(request, 200, body=sdp(41000, host=phone.host), contact="<sip:x@192.0.2.7;transport=tcp>")
    assert phone.request("ACK")
    (call,) = world.switch.calls()
    assert call.connected is not None and call.connected.winner is not None
    assert world.switch.next_hop(call.connected.winner.dialog).secure
    carrier.response(200)
    call.hang_up("enough")
    phone.answer(phone.request("BYE"), 200)
    world.run(40)
    while carrier.inbox:
        message = carrier.take()
        if getattr(message, "method", "") == "BYE":
            carrier.answer(message, 200)  # type: ignore[arg-type]
