"""Whole session descriptions: RFC 8866, and what phones make of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sdp.errors import BadSdp
from pbx.sdp.sdp import Media, Origin, Session, parse

TOKEN = st.text("abcXYZ019-.!*_+", min_size=1, max_size=8)
HOST = st.sampled_from(["192.0.2.1", "2001:db8::1", "host.example.com", "0.0.0.0"])
VALUE = st.one_of(st.none(), st.text("abc 019:/;=é", min_size=1, max_size=12).map(str.strip))
ATTRIBUTES = st.lists(st.tuples(TOKEN, VALUE), max_size=4).map(tuple)
MEDIA = st.builds(
    Media,
    st.sampled_from(["audio", "video", "application", "image"]),
    st.integers(0, 65535),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "udptl", "UDP/DTLS/SCTP"]),
    st.lists(TOKEN, min_size=1, max_size=4).map(tuple),
    st.one_of(st.none(), HOST),
    ATTRIBUTES,
    st.integers(1, 3),
)
SESSIONS = st.builds(
    Session,
    st.one_of(st.none(), st.builds(Origin, TOKEN, st.integers(0, 2**64), st.integers(0, 2**64), HOST)),
    st.one_of(st.none(), HOST),
    st.lists(MEDIA, max_size=3).map(tuple),
    st.sampled_from(["-", "a session", "é"]),
    st.sampled_from(["0 0", "3149328700 0"]),
    ATTRIBUTES,
)


@settings(max_examples=150)
@given(SESSIONS)
def test_round_trip(session: Session) -> None:
    assert parse(str(session)) == session
    assert parse(str(session).encode()) == session


@settings(max_examples=150)
@given(st.text(max_size=80), st.text("v=0\r\nom audi1 RTP/AVPcsta:", max_size=80))
def test_any_text_is_read_or_refused(text: str, like_sdp: str) -> None:
    for body in (text, f"v=0\r\n{like_sdp}"):
        try:
            parse(body)
        except BadSdp as error:
            assert error.status == 400 and error.reason.startswith("SDP")


def test_rfc_8866_example() -> None:
    """RFC 8866 5, its example with two streams."""
    session = parse(
        "v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n"
        "i=SDP Offer #1\r\nu=http://www.jdoe.example.com/home.html\r\ne=Jane Doe <jane@jdoe.example.com>\r\n"
        "p=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n"
        "m=audio 49180 RTP/AVP 0\r\nm=video 51372 RTP/AVP 99\r\nc=IN IP6 2001:db8::2\r\na=rtpmap:99 h263-1998/90000\r\n"
    )
    assert session.origin == Origin("jdoe", 3724394400, 3724394405, "198.51.100.1")
    assert [(one.kind, one.port, one.host) for one in session.media] == [
        ("audio", 49170, None), ("audio", 49180, None), ("video", 51372, "2001:db8::2"),
    ]  # fmt: skip
    assert session.media[2].first("rtpmap") == "99 h263-1998/90000" and session.media[2].first("fmtp") is None


def test_tolerance() -> None:
    session = parse(
        "v=0\nc=IN IP4 224.2.1.1/127/3\nt=0 0\nt=1 2\nx=unknown\n\na=sendonly \nm=audio 5004/2 RTP/AVP  0  8 \n"
        "c=IN IP4 192.0.2.1\nc=IN IP4 192.0.2.2\na=ptime: 20\n\0"
    )
    assert (session.origin, session.host, session.time) == (None, "224.2.1.1", "0 0")
    assert session.first("sendonly") == "" and session.attributes == (("sendonly", None),)
    assert session.media == (Media("audio", 5004, "RTP/AVP", ("0", "8"), "192.0.2.1", (("ptime", "20"),), 2),)


def test_what_stands_at_the_end_of_an_attribute_is_the_same_in_every_line() -> None:
    """Found by the fuzzer: blanks and zeros were dropped at the end of a body only, so that the last line read by us
    was another when we wrote it."""
    session = parse("v=0\r\na=one \0\r\na=two:2 \0\r\nm=audio 5004 RTP/AVP 0\r\na=recvonly \r\na=ptime:20\0\r\n")
    assert session.attributes == (("one", None), ("two", "2"))
    assert session.media[0].attributes == (("recvonly", None), ("ptime", "20"))
    assert parse(str(session)) == session


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1"),
        ("o=- 1 1 IN IP4 h", "line 1: expected v=0"),
        ("v=1\r\n", "line 1"),
        ("v=0\r\nm =video 3227 RTP/AVP 31", "line 2: expected TYPE=VALUE"),  # RFC 4475 dblreq
        ("v=0\r\no=- 1\r\n", "line 2: bad origin"),
        ("v=0\r\ns=-\r\nc=IN IP5 h\r\n", "line 3: bad connection"),
        ("v=0\r\nt=now\r\n", "line 2: bad time"),
        ("v=0\r\nm=audio\r\n", "line 2: bad media"),
        ("v=0\r\nm=audio 99999 RTP/AVP 0\r\n", "line 2: bad media"),
        ("v=0\r\nm=audio 1 RTP/AVP\r\n", "line 2: bad media"),
        ("v=0\r\nm=audio 1 RTP/AVP 0\r\nc=nowhere\r\n", "line 3: bad connection"),
        ("<audio>\r\n <pcmu port='443'/>\r\n</audio>", "line 1"),  # RFC 4475 invut
    ],
)
def test_refused_with_its_line(text: str, what: str) -> None:
    with pytest.raises(BadSdp, match=what):
        parse(text)
