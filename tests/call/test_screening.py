"""Who is it: by the certificate of a TLS connection, when neither address nor registration says."""

from __future__ import annotations

from collections import Counter

import pytest

from config.schema import Site
from pbx.call.screening import Identity, Screening
from pbx.routing.trunk import TrunkTable
from pbx.sip.digest import DigestServer
from pbx.sip.hop import Hop
from pbx.sip.message import Request, parse

NOW = 1_800_000_000.0
TLS = Hop("tls", "203.0.113.9", 40000)
INVITE = parse(
    b"INVITE sip:101@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/TLS 203.0.113.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:0123@carrier.example>;tag=1\r\nTo: <sip:101@192.0.2.100>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def screening(names: tuple[str, ...]) -> Screening:
    site = Site.model_validate({"site": "s", "listen": {"sip": "udp:127.0.0.1:5060"}})
    return Screening(
        DigestServer("s", b"x" * 32, lambda user: None), TrunkTable(site), {}, {}, Counter(), lambda *_: None,
        {"sip.carrier.example": "carrier"}, lambda hop: names if hop == TLS else (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "trunk"),
    [
        (("sip.carrier.example",), "carrier"),
        (("other.example", "SIP.Carrier.Example"), "carrier"),
        (("*.carrier.example",), None),  # RFC 5922 7.2: no wildcards
        (("carrier.example",), None),
        ((), None),
    ],
)
def test_a_trunk_by_its_certificate(names: tuple[str, ...], trunk: str | None) -> None:
    assert isinstance(INVITE, Request)
    identity = screening(names).identify(INVITE, TLS, NOW)
    if trunk is None:
        assert isinstance(identity, tuple) and identity[0] == 401
    else:
        assert isinstance(identity, Identity) and (identity.trunk, identity.number) == (trunk, "0123")
        assert isinstance(screening(names).identify(INVITE, TLS._replace(port=40001), NOW), tuple)
