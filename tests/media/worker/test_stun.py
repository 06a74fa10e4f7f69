"""STUN: the vectors of RFC 5769, answers to checks, what is refused and what is not even answered."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.worker import stun

REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a683676592020200008001" "49aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)  # fmt: skip
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes(range(12))


def check(*attributes: tuple[int, bytes], ufrag: str = "evtj", pwd: str = PASSWORD) -> bytes:
    return stun.seal(stun.REQUEST, TRANSACTION, [(stun.USERNAME, f"{ufrag}:h6vY".encode()), *attributes], pwd)


def test_request_of_rfc_5769() -> None:
    """2.1."""
    answer = stun.answer(REQUEST, "192.0.2.1", 32853, "evtj", PASSWORD)
    assert answer.valid and not answer.nominates
    response = stun.parse(answer.packet)
    assert response is not None and response.kind == stun.SUCCESS
    assert response.transaction == bytes.fromhex("b7e7a701bc34d686fa87dfae")
    assert response.first(stun.XOR_ADDRESS) == bytes.fromhex("0001a147e112a643")  # of 2.2


def test_ipv6_address_of_rfc_5769() -> None:
    """2.3."""
    packet = stun.answer(REQUEST, "2001:db8:1234:5678:11:2233:4455:6677", 32853, "evtj", PASSWORD).packet
    response = stun.parse(packet)
    assert response is not None
    assert response.first(stun.XOR_ADDRESS) == bytes.fromhex("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9")
    mapped = stun.parse(stun.answer(REQUEST, "::ffff:192.0.2.1", 32853, "evtj", PASSWORD).packet)
    assert mapped is not None and mapped.first(stun.XOR_ADDRESS) == bytes.fromhex("0001a147e112a643")


def test_the_answer_is_signed() -> None:
    packet = stun.answer(check(), "192.0.2.1", 5, "evtj", PASSWORD).packet
    message = stun.parse(packet)
    assert message is not None and stun._integrity_holds(packet, message, PASSWORD.encode())


def test_nomination() -> None:
    assert stun.answer(check((stun.USE_CANDIDATE, b"")), "192.0.2.1", 5, "evtj", PASSWORD).nominates


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (check(ufrag="else"), 401),
        (check(pwd="another password here"), 401),
        (stun.seal(stun.REQUEST, TRANSACTION, [], PASSWORD), 400),
        (stun.seal(stun.REQUEST, TRANSACTION, [(stun.USERNAME, b"evtj:h6vY")], None), 400),
        (check((0x7777, b"must be understood")), 420),
    ],
)
def test_refusals(packet: bytes, code: int) -> None:
    answer = stun.answer(packet, "192.0.2.1", 5, "evtj", PASSWORD)
    assert not answer.valid
    message = stun.parse(answer.packet)
    assert message is not None and message.kind == stun.ERROR
    error = message.first(stun.ERROR_CODE)
    assert error is not None and error[2] * 100 + error[3] == code


@pytest.mark.parametrize(
    "packet",
    [
        b"", REQUEST[:19], REQUEST[:-1], REQUEST + b"\0", b"\x01\x01" + REQUEST[2:],  # a response
        REQUEST[:4] + b"\0" + REQUEST[5:],  # another cookie
        REQUEST[:-1] + b"\0",  # another fingerprint
        struct.pack(">HHI12sHH", 1, 4, stun.COOKIE, TRANSACTION, 6, 400),  # an attribute longer than all
    ],
)  # fmt: skip
def test_no_answer(packet: bytes) -> None:
    assert stun.answer(packet, "192.0.2.1", 5, "evtj", PASSWORD) == stun.Answer()


@given(st.binary(max_size=200), st.integers(0, 100))
def test_any_bytes(tail: bytes, cut: int) -> None:
    for packet in (tail, REQUEST[:cut] + tail, check()[:cut] + tail + check()[cut:]):
        assert not stun.answer(packet, "192.0.2.1", 5, "evtj", "never this one").valid
