"""RFC 5923: our requests by TCP and TLS tell the peer that it may call us back on the same connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.via import Via
from pbx.transport.local import Local

from .world import World


@pytest.mark.parametrize(
    ("transport", "listens", "asked"),
    [
        ("tcp", ("udp", "tcp"), True),
        ("tls", ("udp", "tls"), True),
        ("tcp", ("udp", "tls"), False),  # nobody there to be called back at
        ("tls", ("udp", "tcp"), False),  # no certificate that the peer could know us by
        ("udp", ("udp", "tcp"), False),
        ("wss", ("udp", "wss"), False),
    ],
)
def test_who_may_call_back(tmp_path: Path, transport: str, listens: tuple[str, ...], asked: bool) -> None:
    """All of a call: the INVITE, its CANCEL, by the same Via, and the ACK of the refusal."""
    world = World(folder=tmp_path)
    world.switch.local = Local({name: [("192.0.2.100", 5060)] for name in listens})
    phone, carrier = world.phone("192.0.2.7"), world.phone("198.51.100.1")
    phone.hop = Hop(transport, "192.0.2.7", 5060)
    world.register("101", phone)
    text = carrier.invite("+33180000001")
    invite = phone.request("INVITE")
    phone.answer(invite, 180)
    carrier.response(180)
    carrier.follow("CANCEL", text)
    cancel = phone.request("CANCEL")
    phone.answer(cancel, 200)
    phone.answer(invite, 487)
    for one in (invite, cancel, phone.request("ACK")):
        assert isinstance(one, Request) and (("alias", None) in Via.parse(one.via).params) is asked
    assert cancel.via == invite.via
    carrier.inbox.clear()
    world.run(100)
    assert world.leaks() == {}
