"""A 503 to an INVITE that was not read: the same as that of one who read it."""

from __future__ import annotations

import pytest

from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse, respond
from pbx.sip.refusal import TAG, is_acknowledgement, new_call, refusal
from pbx.sip.server_transaction import reply_hop
from pbx.sip.via import via_stamp

SOURCE = Hop("udp", "198.51.100.7", 5062)
INVITE = (
    "INVITE sip:100@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.8:5060;branch=z9hG4bK1;rport\r\nTo: <sip:100@pbx>\r\n"
    "From: \"B\xf6b\" <sip:bob@example.com>;tag=bt\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0\r\nCall-ID: cid\r\n"
    "CSeq: 5 INVITE\r\nContact: <sip:bob@198.51.100.7>\r\nContent-Length: 0\r\n\r\n"
)


def test_it_is_what_the_parser_would_have_answered() -> None:
    data = INVITE.encode()
    call, request = new_call(data), parse(data)
    assert call is not None and isinstance(request, Request)
    found = refusal(call, SOURCE, 7)
    assert found is not None
    via = via_stamp(request.via, SOURCE.host, SOURCE.port)
    expected = parse(respond(request, 503, via=via, to_tag=TAG, headers="Retry-After: 7\r\n"))
    answer = parse(found[0])
    assert isinstance(answer, Response) and isinstance(expected, Response)
    assert (answer.status, answer.reason) == (expected.status, expected.reason)
    assert sorted(answer.headers) == sorted(expected.headers) and answer.values("Via") == expected.values("Via")
    assert found[1] == reply_hop(via, SOURCE) and answer.to_tag == TAG


def test_its_acknowledgement_is_known() -> None:
    ack = INVITE.replace("INVITE", "ACK").replace("<sip:100@pbx>\r", f"<sip:100@pbx>;tag={TAG}\r").encode()
    assert is_acknowledgement(ack)
    assert not is_acknowledgement(ack.replace(b"tag=unread", b"tag=0123456789abcdef"))
    assert not is_acknowledgement(ack.replace(b"ACK", b"BYE"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("To: <sip:100@pbx>", "To: <sip:100@pbx>;tag=x"),  # in a dialog
        ("To:", "t:"),
        ("Via: SIP/2.0/UDP 198", "v: SIP/2.0/UDP 192.0.2.1\r\nVia: SIP/2.0/UDP 198"),  # which is the topmost
        ("Via: SIP/2.0/UDP 10", "VIA : SIP/2.0/UDP 10"),
        ("Contact: ", "X: \nVia: SIP/2.0/UDP 192.0.2.1\r\nContact: "),
        ("Contact: ", "X: \rVia: SIP/2.0/UDP 192.0.2.1\r\nContact: "),
        ("Call-ID: cid", "Call-ID: cid\r\ni: another"),
        ("INVITE", "BYE"),
        ("Call-ID: cid\r\n", ""),
        ("Call-ID: cid", "Call-ID: "),
        ("CSeq", "Call-ID: other\r\nCSeq"),
        ("From: ", "From:\r\n "),
        ("\r\nFrom", "\nFrom"),
        ("UDP 198.51", "UDP  198.51"),
        (";rport", ";rport;oc"),
        ("CSeq: 5 INVITE", "CSeq: 5 BYE"),
        (" SIP/2.0\r", f" SIP/2.0\r\nX: {'x' * 1000}\r"),
        ("INVITE sip:100@pbx", "INVITE tel:100"),
    ],
)
def test_what_is_left_to_the_parser(old: str, new: str) -> None:
    assert new_call(INVITE.encode()) is not None
    assert new_call(INVITE.replace(old, new).encode()) is None
    assert new_call(b"") is None


@pytest.mark.parametrize("via", ["SIP/2.0/UDP h;branch=z9hG4bK1;rport=5;rport=6", "SIP/2.0/UDP h;rport=99999"])
def test_a_via_that_cannot_be_answered(via: str) -> None:
    call = new_call(INVITE.replace("SIP/2.0/UDP 198.51.100.8:5060;branch=z9hG4bK1;rport", via).encode())
    assert call is None or refusal(call, SOURCE, 5) is None or parse(refusal(call, SOURCE, 5)[0])  # type: ignore[index]
