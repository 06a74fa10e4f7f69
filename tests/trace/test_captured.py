from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.hop import Hop
from pbx.trace.captured import Captured
from pbx.trace.sdp_summary import sdp_summary
from tests.trace.conftest import PHONE, SDP, Recorder, request, response


def captured(data: bytes, hop: Hop = PHONE) -> Captured:
    recorder = Recorder()
    recorder.got(data, hop)
    return recorder.all()[0]


def test_a_request() -> None:
    message = captured(request("INVITE", "abc@x", body=SDP))
    assert (message.method, message.status, message.title) == ("INVITE", 0, "INVITE")
    assert (message.from_user, message.to_user, message.cseq) == ("+33612345678", "+33180000000", (1, "INVITE"))
    assert (message.sip_call_id, message.sdp, message.call_id) == ("abc@x", "PCMA/PCMU", None)
    assert (message.source, message.destination) == (("192.0.2.44", 40123), ("192.0.2.1", 5060))
    assert message.text.startswith("INVITE sip:+33180000000@192.0.2.1 SIP/2.0\nVia: ")


def test_a_response() -> None:
    message = captured(response("486 Busy Here", request("INVITE", "abc@x")))
    assert (message.method, message.status, message.title) == ("INVITE", 486, "486 Busy Here")


def test_compact_names() -> None:
    head = b"BYE sip:a@b SIP/2.0\r\nv: SIP/2.0/TCP x\r\nf: <sip:101@x>\r\nt: <tel:+33-1-80>\r\ni:  7 \r\n"
    message = captured(head + b"CSeq: 2 BYE\r\n\r\n")
    assert (message.sip_call_id, message.from_user, message.to_user) == ("7", "101", "+33-1-80")
    assert message.users() == {"101", "+33-1-80", "a"}


def test_everybody_it_speaks_of() -> None:
    more = (
        'P-Asserted-Identity: "A" <sip:+33199@x>, <tel:+33188>\r\nDiversion: <sip:110@x>;reason=no-answer\r\n'
        "Contact: <sip:c%20c@x>\r\nRefer-To: <sip:105@x?Replaces=1>\r\nX-Other: <sip:nobody@x>\r\n"
    )
    users = captured(request("INVITE", "x", more=more, uri="sip:9@x")).users()
    assert users == {"+33612345678", "+33180000000", "+33199", "+33188", "110", "c c", "105", "9"}


@pytest.mark.parametrize("data", [b"", b"\x00\xff\x1b[2J", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 ", b"x" * 70_000])
def test_what_is_no_sip(data: bytes) -> None:
    message = captured(data)
    view = message.view()
    assert "\x1b" not in view["title"] + view["text"] and (message.status, message.method) == (0, "")


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: request("INVITE", "x", body=text)))
def test_nothing_a_stranger_sends_raises(data: bytes) -> None:
    view = captured(data).view()
    assert all(character == "\n" or character.isprintable() or character == "\xa0" or ord(character) > 0x9F
               for character in view["text"])  # fmt: skip
    captured(data).users()


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (SDP, "PCMA/PCMU"),
        (SDP + "a=sendonly\r\n", "PCMA/PCMU sendonly"),
        (SDP.replace("t=0 0", "t=0 0\r\na=inactive"), "PCMA/PCMU inactive"),
        (SDP.replace("RTP/AVP", "RTP/SAVP"), "PCMA/PCMU SRTP"),
        ("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\n", "opus/PCMU DTLS"),
        (SDP + "m=video 0 RTP/AVP 96\r\nm=image 5000 udptl t38\r\n", "PCMA/PCMU+no video+image"),
        ("m=audio 1 RTP/AVP 0 3 8 9 18\r\n", "PCMU/GSM/PCMA/G722/..."),
        ("v=0\r\n", ""),
        ("m=\r\nm=audio\r\n", ""),
    ],
)
def test_session_descriptions_in_words(body: str, summary: str) -> None:
    assert sdp_summary(body) == summary


@given(st.text(max_size=200).map(lambda text: "m=audio 1 RTP/AVP 0\n" + text))
def test_any_text_has_a_summary(text: str) -> None:
    sdp_summary(text)
