"""REGISTER through the switch: what is required of us, and the contact that is kept."""

from __future__ import annotations

import re

import pytest

from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Response
from tests.call.world import Phone, World


def register(world: World, phone: Phone, *lines: str) -> Response:
    """Log in as extension 101; the answer to the second request."""

    def send(cseq: int, more: str = "") -> None:
        phone.send(
            f"REGISTER sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host};branch={phone.branch()}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:101@192.0.2.100>;tag=a\r\nTo: <sip:101@192.0.2.100>\r\nCall-ID: r\r\n"
            f"CSeq: {cseq} REGISTER\r\nContact: <sip:101@{phone.host}>\r\n"
            + "".join(f"{line}\r\n" for line in lines)
            + more
            + "Content-Length: 0\r\n\r\n"
        )

    send(1)
    challenge = choose_challenge(phone.response(401).all("WWW-Authenticate"))
    assert challenge is not None
    answer = DigestClient(challenge, "101", "secret").credentials("REGISTER", "sip:192.0.2.100", "c")
    send(2, f"Authorization: {answer}\r\n")
    message = phone.take()
    assert isinstance(message, Response)
    return message


def test_registered(world: World) -> None:
    phone = world.phone("192.0.2.7")
    response = register(world, phone)
    assert response.status == 200 and re.fullmatch(r".+;expires=3600", response.get("Contact") or "")
    assert [one.hop for one in world.location.contacts("101", world.clock.time)] == [phone.hop]


@pytest.mark.parametrize("option", ["path", "outbound", "gruu"])
def test_what_the_registrar_knows_may_be_required(world: World, option: str) -> None:
    assert register(world, world.phone("192.0.2.7"), f"Require: {option}").status == 200


def test_what_it_does_not_know_is_named(world: World) -> None:
    response = register(world, world.phone("192.0.2.7"), "Require: path, teleport")
    assert (response.status, response.get("Unsupported")) == (420, "teleport")
    assert not world.location.contacts("101", world.clock.time)
