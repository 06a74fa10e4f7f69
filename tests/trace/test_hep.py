"""HEPv3 against a decoder written from the specification (HEP3 network protocol, revision 36)."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

import pytest

from pbx.sip.hop import Hop
from pbx.trace.hep import MAX_DATAGRAM_BYTES, HepEncoder
from tests.trace.conftest import CARRIER, PHONE, START, Recorder, request

NAMES = {
    1: ("family", "B"), 2: ("protocol", "B"), 3: ("source", "4"), 4: ("destination", "4"), 5: ("source", "6"),
    6: ("destination", "6"), 7: ("source port", "H"), 8: ("destination port", "H"), 9: ("seconds", "I"),
    10: ("micros", "I"), 11: ("type", "B"), 12: ("capture id", "I"), 14: ("key", ""), 15: ("payload", ""),
    17: ("correlation", ""),
}  # fmt: skip


def decode(datagram: bytes) -> dict[str, Any]:
    """The chunks of a HEP packet by name."""
    mark, length = struct.unpack(">4sH", datagram[:6])
    assert mark == b"HEP3" and length == len(datagram)
    chunks: dict[str, Any] = {}
    at = 6
    while at < len(datagram):
        vendor, kind, size = struct.unpack(">HHH", datagram[at : at + 6])
        assert vendor == 0 and size >= 6
        value = datagram[at + 6 : at + size]
        name, form = NAMES[kind]
        assert name not in chunks
        if form in ("4", "6"):
            assert len(value) == (4 if form == "4" else 16)
            chunks[name] = str(ipaddress.ip_address(value))
        else:
            chunks[name] = struct.unpack(f">{form}", value)[0] if form else value
        at += size
    assert at == len(datagram)
    return chunks


def test_a_received_message(recorded: Recorder) -> None:
    datagram = HepEncoder(2001, "open sesame").encode(recorded.all()[0])
    assert datagram is not None
    chunks = decode(datagram)
    assert chunks["payload"].startswith(b"INVITE")
    del chunks["payload"]
    assert chunks == {
        "family": 2, "protocol": 17, "source": "198.51.100.7", "destination": "192.0.2.1", "source port": 5060,
        "destination port": 5060, "seconds": int(START), "micros": 10_000, "type": 1, "capture id": 2001,
        "key": b"open sesame", "correlation": b"c1",
    }  # fmt: skip


def test_a_sent_message_over_ipv6_by_tls(recorder: Recorder) -> None:
    recorder.sent(request("OPTIONS", "x@y"), Hop("tls", "2001:db8::7", 5061))
    datagram = HepEncoder(1, None).encode(recorder.all()[0])
    assert datagram is not None
    chunks = decode(datagram)
    assert (chunks["family"], chunks["protocol"]) == (10, 6)
    assert (chunks["source"], chunks["destination"]) == ("2001:db8::1", "2001:db8::7")
    assert (chunks["source port"], chunks["destination port"]) == (5060, 5061)
    assert chunks["correlation"] == b"x@y" and "key" not in chunks, "without a call, the SIP Call-ID"


def test_secrets_are_masked(recorder: Recorder) -> None:
    recorder.got(request("REGISTER", "x", more='Authorization: Digest username="a", response="5ec8e7"\r\n'))
    datagram = HepEncoder(1, None).encode(recorder.all()[0])
    assert datagram is not None and b"5ec8e7" not in datagram and b'response="******"' in datagram


@pytest.mark.parametrize("hop", [Hop("udp", "a.name", 5060), CARRIER, PHONE])
def test_what_does_not_fit_is_not_sent(recorder: Recorder, hop: Hop) -> None:
    recorder.got(b"x" * (MAX_DATAGRAM_BYTES if hop is not PHONE else MAX_DATAGRAM_BYTES - 150), hop)
    datagram = HepEncoder(1, None).encode(recorder.all()[0])
    assert (datagram is None) == (hop is not PHONE)
