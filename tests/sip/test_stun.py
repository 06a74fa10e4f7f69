"""STUN binding requests (RFC 5389; the vectors are RFC 5769's)."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip import stun

ID = bytes(range(12))

#: RFC 5769 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY and FINGERPRINT.
ICE_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)
#: RFC 5769 2.2 and 2.3: the attribute for 192.0.2.1 and 2001:db8:1234:5678:11:2233:4455:6677, port 32853.
VECTOR_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
XOR_IPV4 = bytes.fromhex("002000080001a147e112a643")
XOR_IPV6 = bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


def request(attributes: bytes = b"", kind: int = stun.BINDING_REQUEST, transaction: bytes = ID) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), stun.MAGIC_COOKIE) + transaction + attributes


@pytest.mark.parametrize(
    ("host", "attribute"), [("192.0.2.1", XOR_IPV4), ("2001:db8:1234:5678:11:2233:4455:6677", XOR_IPV6)]
)
def test_the_address_as_the_rfc_hides_it(host: str, attribute: bytes) -> None:
    answer = stun.answer(request(transaction=VECTOR_ID), host, 32853)
    assert answer == struct.pack("!HHI", 0x0101, len(attribute), 0x2112A442) + VECTOR_ID + attribute


def test_fingerprint_and_software_are_no_obstacle() -> None:
    optional = struct.pack("!HH4s", 0x8022, 3, b"abc\0") + struct.pack("!HHI", 0x8028, 4, 0xDEADBEEF)
    answer = stun.answer(request(optional), "127.0.0.1", 1)
    assert answer is not None and answer[:2] == b"\x01\x01"


def test_an_unknown_attribute_is_named() -> None:
    answer = stun.answer(ICE_REQUEST, "192.0.2.1", 32853)  # ICE's PRIORITY is nothing to a SIP port
    assert answer is not None and answer[:2] == b"\x01\x11" and b"\0\0\4\x14Unknown Attribute" in answer
    assert answer.endswith(struct.pack("!HHHH", 0x000A, 2, 0x0024, 0))
    assert len(answer) == 20 + struct.unpack("!H", answer[2:4])[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 20,
        request()[:19],
        request(kind=0x0011),  # an indication wants no answer
        request(kind=0x0101),
        request(kind=0x0003),
        request() + b"\0",
        request(b"\0" * 3),
        request(struct.pack("!HH", 0x8022, 8) + b"\0" * 4),
        request(struct.pack("!HH", 0x8022, 600) + b"\0" * 600),
    ],
)
def test_what_is_no_request_gets_no_answer(data: bytes) -> None:
    assert stun.answer(data, "127.0.0.1", 5060) is None


@given(st.binary(max_size=600))
def test_anything_at_all(data: bytes) -> None:
    stun.answer(data, "127.0.0.1", 5060)
    stun.answer(request(data[: len(data) // 4 * 4]), "::1", 5060)


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_the_address_is_found_again(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, transaction: bytes
) -> None:
    answer = stun.answer(request(transaction=transaction), str(address), port)
    assert answer is not None
    mask = answer[4:20]
    assert struct.unpack("!H", answer[26:28])[0] ^ 0x2112 == port
    assert bytes(a ^ b for a, b in zip(answer[28:], mask, strict=False)) == address.packed
