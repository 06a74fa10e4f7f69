"""A session description among other parts (RFC 5621)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.multipart import description_in

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
PART = b"Content-Type: application/sdp\r\n\r\n" + SDP
ISUP = b"Content-Type: application/isup;version=x\r\nContent-Disposition: signal;handling=optional\r\n\r\n\x01\x00"
MIXED = 'multipart/mixed;boundary="x y"'


def of(*parts: bytes, boundary: bytes = b"x y", before: bytes = b"", after: bytes = b"--\r\n") -> bytes:
    return before + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + after


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/sdp", SDP, SDP),
        ("Application/SDP ; charset=utf-8", SDP, SDP),
        ("text/plain", SDP, b""),
        (MIXED, of(PART), SDP),
        (MIXED, of(ISUP, PART), SDP),
        (MIXED, of(PART, ISUP), SDP),
        ("Multipart/Mixed; charset=x ;Boundary=unique", of(PART, boundary=b"unique"), SDP),
        (MIXED, of(PART, before=b"for who can read no parts\r\n", after=b"--\r\nand after\r\n"), SDP),
        (MIXED, of(PART, after=b""), SDP),  # cut off
        (MIXED, of(b"content-disposition: session\r\ncontent-TYPE :application/sdp\r\n\r\n" + SDP), SDP),
        (MIXED, of(b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: binary\r\n\r\n" + SDP), SDP),
        (MIXED, of(b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w"), b""),
        (MIXED, of(b"Content-Type: multipart/alternative;boundary=in\r\n\r\n" + of(ISUP, PART, boundary=b"in")), SDP),
        (MIXED, of(ISUP), b""),
        (MIXED, of(b"\r\n" + SDP), b""),  # text/plain, as it says nothing
        (MIXED, of(PART, boundary=b"x yz"), b""),
        (MIXED, of(), b""),
        (MIXED, of(*[ISUP] * 20, PART), b""),
        ("multipart/mixed", of(PART), b""),
        ("", of(PART), b""),
    ],
)
def test_the_description_is_found(kind: str, body: bytes, expected: bytes) -> None:
    assert description_in(kind, body) == expected


def test_parts_of_parts_have_an_end() -> None:
    body = PART
    for n in range(5):
        body = b"Content-Type: multipart/mixed;boundary=b%d\r\n\r\n" % n + of(body, boundary=b"b%d" % n)
    assert description_in(MIXED, of(body)) == b""


@given(st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")), st.binary(max_size=200))
def test_whatever_comes(kind: str, body: bytes) -> None:
    for text in (kind, f"multipart/{kind};boundary={kind[:10]}", MIXED):
        assert description_in(text, body) in body
        assert description_in(text, of(body, PART)) in of(body, PART)
