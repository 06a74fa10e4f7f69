from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.trace.mask import mask
from tests.trace.conftest import request

DIGEST = 'Digest username="101", realm="x", nonce="abc", uri="sip:x", response="0123456789abcdef", cnonce="c", qop=auth'


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "AUTHORIZATION", "authorization "])
def test_the_response_of_a_digest_is_masked(name: str) -> None:
    shown = mask(request("REGISTER", "x", more=f"{name}: {DIGEST}\r\n"))
    assert b'response="****************"' in shown and b"0123456789abcdef" not in shown
    assert b'nonce="abc"' in shown and b'username="101"' in shown, "what helps to see why it failed stays"


@pytest.mark.parametrize(
    "secret",
    [
        f"Authorization: {DIGEST.replace(', response', ',' + chr(13) + chr(10) + '  response')}\r\n",
        f"Authorization:\r\n\t{DIGEST}\r\n",
        'Authorization: Digest username="a",response = 0123456789abcdef\r\n',
        "Authorization: Basic 0123456789abcdef\r\n",
        "Proxy-Authorization: Bearer 0123456789abcdef\r\n",
        'Authentication-Info: qop=auth, rspauth="0123456789abcdef", nc=00000001\r\n',
        "Contact: <sip:101:0123456789abcdef@192.0.2.7>\r\n",
        "Refer-To: sips:101:0123456789abcdef@192.0.2.7\r\n",
    ],
)
def test_other_ways_to_write_a_secret(secret: str) -> None:
    message = request("REGISTER", "x", more=secret)
    shown = mask(message)
    assert b"0123456789abcdef" not in shown and b"****************" in shown and len(shown) == len(message)


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SeCrEt|2^20|1:4 FEC_ORDER=FEC_SRTP",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:other|2^20;inline:SeCrEt|2^20|2:4",
        "k=base64:SeCrEt",
        "a=ice-pwd:SeCrEt",
    ],
)
def test_keys_of_media(line: str) -> None:
    message = request("INVITE", "x", body=f"v=0\r\nm=audio 4 RTP/SAVP 0\r\n{line}\r\na=sendrecv\r\n")
    shown = mask(message)
    assert b"SeCrEt" not in shown and len(shown) == len(message) and shown.endswith(b"a=sendrecv\r\n")


def test_what_is_no_secret_stays() -> None:
    for message in (
        request("INVITE", "x", body="v=0\r\nm=audio 4 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"),
        request("INVITE", "x", more="Contact: <sip:101@192.0.2.7:5060>\r\nX-Response: response=12\r\n"),
        request("OPTIONS", "x", more='WWW-Authenticate: Digest realm="x", nonce="response"\r\n'),
    ):
        assert mask(message) == message


@given(st.binary(max_size=400))
def test_anything_keeps_its_length(data: bytes) -> None:
    assert len(mask(data)) == len(data)


def test_a_hostile_message_costs_little() -> None:
    import time

    for text in (b"Authorization: Digest " + b"response=" * 7000, b"sip:" + b"a:" * 30_000, b"a=crypto:" * 7000,
                 b"Authorization:" + b"\r\n " * 20_000, b"a=crypto:" + b"inline:" * 9000):  # fmt: skip
        started = time.perf_counter()
        mask(text)
        assert time.perf_counter() - started < 0.25, re.sub(rb"(.{40}).*", rb"\1", text, flags=re.DOTALL)
