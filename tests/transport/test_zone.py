"""Link-local addresses over IPv6 keep their zone (RFC 4007 11): what comes by a link is answered on that link."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from pbx.sip import stun
from pbx.sip.binding import hop_for
from pbx.sip.dialog import hop_of
from pbx.sip.hop import Hop, zone_of
from pbx.sip.source import source_of
from pbx.sip.via import via_stamp
from pbx.transport import local
from pbx.transport.stream import Bare, Stream
from pbx.transport.streams import Streams
from pbx.transport.udp import UdpSocket

from .conftest import Run, request

PHONE = ("fe80::1", 5070, 0, 7)  # as recvfrom and getpeername write it: the zone is the number of an interface
HOP = Hop("udp", "fe80::1%7", 5070)


class Sent:
    """Stands for the socket: where it is told to send."""

    def __init__(self) -> None:
        self.to: list[Any] = []

    def sendto(self, data: bytes, address: Any) -> None:
        self.to.append(address)


def test_over_udp(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        heard: list[Hop] = []
        made = UdpSocket("::1", 0, 0, lambda data, hop: heard.append(hop), Counter())
        sent = Sent()
        try:
            made._take(request("OPTIONS", 1, "UDP"), PHONE)
            made._take(request("OPTIONS", 2, "UDP"), ("2001:db8::1", 5060, 0, 0))
            assert heard == [HOP, Hop("udp", "2001:db8::1", 5060)]
            with monkeypatch.context() as patch:
                patch.setattr(made, "_socket", sent)
                for hop in heard:
                    made.send(b"x" * 20, hop)
                made._take(b"\0\1\0\0" + stun.MAGIC_COOKIE.to_bytes(4) + b"t" * 12, PHONE)
            assert sent.to == [PHONE, ("2001:db8::1", 5060), PHONE]
        finally:
            made.close()

    run(main)


def test_over_a_stream(run: Run) -> None:
    class Transport:
        def get_extra_info(self, name: str) -> Any:
            return PHONE if name == "peername" else None

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None: ...

        def close(self) -> None: ...

    async def main() -> None:
        streams = Streams(lambda data, hop: None, lambda hop, sent: None, Counter())
        stream = Stream(streams, Hop("tcp", "", 0), Bare())
        stream.connection_made(Transport())  # type: ignore[arg-type]
        assert stream.hop[:3] == ("tcp", "fe80::1%7", 5070)
        await streams.close()
        stream.connection_lost(None)
        await asyncio.sleep(0)

    run(main)


def test_no_message_has_it() -> None:
    via = "SIP/2.0/UDP [fe80::1]:5070;branch=z9hG4bK1"
    assert via_stamp(via, HOP.host, HOP.port) == via
    assert via_stamp(f"{via};rport", HOP.host, 5071) == f"{via};rport=5071;received=fe80::1"
    assert "%" not in via_stamp("SIP/2.0/UDP h;branch=z9hG4bK1;x=received", HOP.host, 5071)


def test_a_contact_is_on_the_link_it_came_by() -> None:
    assert hop_for("sip:101@[fe80::1]:5080", HOP) == HOP._replace(port=5080)
    assert hop_of("sip:101@[fe80::1]:5080", HOP) == HOP._replace(port=5080)
    assert hop_of("sip:101@[fe80::2]", HOP) == Hop("udp", "fe80::2%7", 5060)  # behind a proxy of this link
    assert hop_of("sip:101@[2001:db8::2]", HOP).host == "2001:db8::2"


def test_limits_are_those_of_its_network() -> None:
    assert source_of("fe80::1%7") == source_of("fe80::2%7") == "fe80::/64"
    assert zone_of("fe80::1%7") == "%7" and zone_of("fe80::1") == zone_of("192.0.2.1") == ""


def test_our_own_address_on_that_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The routing table is asked about the link, not about any."""
    asked: list[Any] = []

    class Probe:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Probe:
            return self

        def __exit__(self, *_: object) -> None: ...

        def connect(self, address: Any) -> None:
            asked.append(address)

        def getsockname(self) -> Any:
            return "fe80::99", 40_000, 0, 7

    monkeypatch.setattr(local.socket, "socket", Probe)  # type: ignore[attr-defined]
    made = local.Local({"udp": [("::", 5060)]})
    assert made.sent_by(Hop("udp", "fe80::1%7", 5070)) == "[fe80::99]:5060"
    assert asked == [("fe80::1", 9, 0, 7)]
