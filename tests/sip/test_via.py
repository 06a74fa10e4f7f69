"""Via: RFC 3261 20.42 and 18.2, RFC 3581."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.errors import BadMessage
from pbx.sip.via import Via, branch_of, reply_to, validate_via, via_stamp

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
SPECIAL = st.sampled_from(
    [("branch", "z9hG4bKx"), ("Branch", "z9hG4bKy"), ("rport", None), ("RPORT", None), ("rport", "9"), ("alias", None),
     ("received", "192.0.2.1"), ("xrport", "1"), ("rportx", None), ("ttl", "1"), ("x", ";rport"), ("x", ";branch=a")]
)  # fmt: skip
VIAS = st.builds(
    Via,
    st.sampled_from(["UDP", "TCP", "TLS"]),
    st.sampled_from(["192.0.2.1", "host.example.com", "[2001:db8::1]", "h"]),
    st.one_of(st.none(), st.integers(1, 65535)),
    st.lists(st.one_of(SPECIAL, st.tuples(TOKEN, TOKEN)), max_size=4, unique_by=lambda one: one[0].lower()).map(tuple),
)
SOURCES = st.tuples(st.sampled_from(["192.0.2.1", "2001:db8::1", "198.51.100.7"]), st.integers(1, 65535))


@settings(max_examples=150)
@given(VIAS)
def test_round_trip(via: Via) -> None:
    assert Via.parse(str(via)) == via
    validate_via(str(via))


@settings(max_examples=150)
@given(VIAS, SOURCES)
def test_text_functions_equal_the_object(via: Via, source: tuple[str, int]) -> None:
    text = str(via)
    assert branch_of(text) == via.branch
    stamped = Via.parse(via_stamp(text, *source))
    expected = via.stamped(*source)
    assert stamped == expected
    assert reply_to(text, *source) == via.reply_to(*source)


@settings(max_examples=150)
@given(st.text('SIP/2.0 UDPh:;,=branch"\\\t[]', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for value in (text, "SIP/2.0/UDP h;" + text):
        try:
            validate_via(value)
            branch_of(value)
            via_stamp(value, "192.0.2.1", 5060)
        except BadMessage as error:
            assert error.status == 400


@pytest.mark.parametrize(
    "value",
    [
        "SIP  /   2.0  /UDP    192.0.2.2;branch=390skdjuw",  # RFC 4475 wsinv
        "SIP  / 2.0  / TCP     spindle.example.com   ;  branch  =   z9hG4bK9ikj8  , SIP  /    2.0   / UDP  192.168.255.111   ; branch= z9hG4bK30239",  # noqa: E501
        "SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234",  # esc02
        "SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",  # intmeth
        "SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en",  # transports
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK",  # badbranch: for the transactions to decide
        "SIP/2.0/UDP [2001:db8::9:1]:5060;received=2001:db8::1;branch=z9hG4bKa",  # RFC 5118 4.5
        "SIP/2.0/UDP 192.0.2.5",  # ltgtruri
    ],
)
def test_unusual_but_valid(value: str) -> None:
    validate_via(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "SIP/2.0/UDP 192.0.2.15;;,;,,",  # RFC 4475 badinv01
        "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0 h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:;branch=a", "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP h h", "HTTP/1.1/TCP h", 'SIP/2.0/UDP h;x="a',
    ],
)  # fmt: skip
def test_invalid(value: str) -> None:
    with pytest.raises(BadMessage):
        validate_via(value)


def test_rport_asks_for_the_source_port() -> None:
    """RFC 3581 4 and its example in 5."""
    via = "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff"
    stamped = Via.parse(via_stamp(via, "192.0.2.1", 9988))
    assert (stamped.received, stamped.rport, stamped.branch) == ("192.0.2.1", 9988, "z9hG4bKkjshdyff")
    assert reply_to(via, "192.0.2.1", 9988) == ("192.0.2.1", 9988)


def test_without_rport_responses_go_to_the_port_of_sent_by() -> None:
    """RFC 3261 18.2.2."""
    assert via_stamp("SIP/2.0/UDP 192.0.2.1;branch=a", "192.0.2.1", 9) == "SIP/2.0/UDP 192.0.2.1;branch=a"
    assert via_stamp("SIP/2.0/UDP h;branch=a", "192.0.2.1", 9) == "SIP/2.0/UDP h;branch=a;received=192.0.2.1"
    assert reply_to("SIP/2.0/UDP h;branch=a", "192.0.2.1", 9) == ("192.0.2.1", 5060)
    assert reply_to("SIP/2.0/TLS h;branch=a", "192.0.2.1", 9) == ("192.0.2.1", 5061)
    assert reply_to("SIP/2.0/UDP h:5070;branch=a", "192.0.2.1", 9) == ("192.0.2.1", 5070)


def test_a_peer_can_not_forge_received() -> None:
    stamped = Via.parse(via_stamp("SIP/2.0/UDP h;received=203.0.113.5;rport=1;branch=a", "192.0.2.1", 9))
    assert (stamped.received, stamped.rport) == ("192.0.2.1", 9)
