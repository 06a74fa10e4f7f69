"""The audio stream of a description: the quick way and the whole one give the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sdp.audio import audio_of, quick_audio, read_audio
from pbx.sdp.errors import BadSdp, NotAcceptable, SdpError
from pbx.sdp.sdp import parse

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

SESSION_LINES = st.sampled_from(
    ["o=- 1 1 IN IP4 h", "o=bad", "s=-", "s=é x", "i=x", "b=AS:84", "c=IN IP4 192.0.2.1",
     "c=IN IP6 2001:db8::1", "t=0 0", "c=IN IP4 0.0.0.0", "c=IN IP4 host.example.com", "t=1 2", "a=X-nat:0",
     "a=sendonly", "a=inactive ", "a=group:BUNDLE 0", "k=x", "z=0", "", "v=0", "a=", "junk"]
)  # fmt: skip
MEDIA_LINES = st.sampled_from(
    ["a=rtpmap:8 PCMA/8000", "a=rtpmap:0 pcmu/8000/1", "a=rtpmap:0 other/8000",
     "a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 telephone-event/48000", "a=rtpmap:200 PCMA/8000",
     "a=rtpmap:x", "a=rtpmap", "a=fmtp:101 0-16", "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive",
     "a=sendonly ", "a= sendonly", "a=sendonly:", "a=ptime:20", "a=ptime:30 ", "a=ptime:7", "a=ptime",
     "a=maxptime:40", "a=maxptime:10", "a=rtcp:5005", "a=rtcp:5007 IN IP4 192.0.2.1", "a=rtcp:x", "a=rtcp",
     "a=rtcp-mux", "a=ssrc:1 cname:x", "b=TIAS:64000", "c=IN IP4 198.51.100.1", "c=IN IP4 0.0.0.0", "i=x", "",
     "m=video 5006 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "a=candidate:1 1 UDP 1 h 1 typ host\t"]
)  # fmt: skip
M_LINES = st.sampled_from(
    ["m=audio 5004 RTP/AVP 0 8 101", "m=audio 5004 RTP/AVP 96 8 200 101", "m=audio 5004 RTP/AVPF 0",
     "m=audio 5004 RTP/SAVP 0", "m=audio 5004/2 RTP/AVP 0", "m=audio 0 RTP/AVP 0", "m=audio 99999 RTP/AVP 0",
     "m=video 5004 RTP/AVP 31", "m=audio 5004 RTP/AVP  0  8", "m=audio 5004 RTP/AVP 0 ",
     "m=audio 5004 RTP/AVP x"]
)  # fmt: skip


USUAL_LINES = st.sampled_from(
    ["a=rtpmap:8 PCMA/8000", "a=rtpmap:0 pcmu/8000/1", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16",
     "a=ptime:20", "a=rtcp:5005 IN IP4 192.0.2.1", "a=sendonly", "b=TIAS:64000", "a=ssrc:1 cname:x", "a=rtcp-mux"]
)  # fmt: skip
USUAL_M_LINES = st.sampled_from(["m=audio 5004 RTP/AVP 0 8 101", "m=audio 5004 RTP/AVPF 96 8 200 101"])


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Descriptions from usual to strange: the usual parts with up to two strange lines put in, or only those."""
    if draw(st.integers(0, 3)):
        head = [*HEAD.split("\r\n")[1:-1], *draw(st.lists(st.just("a=X-nat:0"), max_size=1))]
        lines = ["v=0", *head, draw(USUAL_M_LINES), *draw(st.lists(USUAL_LINES, unique=True, max_size=7))]
        for line in draw(st.lists(st.one_of(SESSION_LINES, MEDIA_LINES), max_size=2)):
            lines.insert(draw(st.integers(1, len(lines))), line)
    else:
        session, media = draw(st.lists(SESSION_LINES, max_size=6)), draw(st.lists(MEDIA_LINES, max_size=7))
        lines = ["v=0", *session, draw(M_LINES), *media]
    return draw(st.sampled_from(["\r\n", "\r\n", "\n", "\r"])).join(lines)


@settings(max_examples=600)
@given(bodies())
def test_quick_is_the_whole_or_nothing(body: str) -> None:
    quick = quick_audio(body)
    if quick is not None:
        assert audio_of(parse(body), 0) == quick
    try:
        assert read_audio(body) == (quick or read_audio(body))
    except SdpError as error:
        assert quick is None and error.status in (400, 488)


@settings(max_examples=150)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for body in (text, HEAD + text, HEAD + "m=audio 5004 RTP/AVP 0\r\na=" + text):
        try:
            stream = read_audio(body)
        except SdpError:
            continue
        assert stream.port > 0 and stream.formats


@pytest.mark.parametrize(
    ("lines", "quick"),
    [
        (["a=rtpmap:0 PCMU/8000"], True),  # sipp
        (["b=TIAS:64000", "a=rtcp:4001 IN IP4 192.0.2.1", "a=sendrecv", "a=rtpmap:8 PCMA/8000"], True),  # PJSIP
        (["a=ptime:20", "a=label:1", "a=rtcp-rsize", "a=ssrc:1 cname:x"], True),  # baresip
        (["m=video 0 RTP/AVP 31"], False),
        (["a=maxptime:20"], False),
    ],
)
def test_usual_bodies_go_the_quick_way(lines: list[str], quick: bool) -> None:
    body = HEAD + "\r\n".join(["m=audio 4000 RTP/AVP 8 0 101", *lines, ""])
    assert (quick_audio(body) is not None) == quick
    assert read_audio(body).port == 4000


def stream_of(*lines: str, formats: str = "0 8 101") -> object:
    return read_audio(HEAD + "\r\n".join([f"m=audio 4000 RTP/AVP {formats}", *lines]))


def _stream_text(formats: str, *maps: str) -> str:
    return HEAD + "".join([f"m=audio 4000 RTP/AVP {formats}\r\n", *[f"a=rtpmap:{one}\r\n" for one in maps]])


def test_codecs() -> None:
    stream = read_audio(
        HEAD + "m=audio 4000 RTP/AVP 0 8 97 98 99 200 18\r\na=rtpmap:97 pcma/8000/1\r\na=rtpmap:98 PCMA/16000\r\n"
        "a=rtpmap:99 telephone-event/8000\r\na=rtpmap:200 PCMU/8000\r\n"
    )
    encodings = [stream.encoding_of(one) for one in stream.formats]
    assert encodings == ["PCMU/8000", "PCMA/8000", "PCMA/8000", "PCMA/16000", "TELEPHONE-EVENT/8000", None, None]
    assert stream.telephone_event() == (99, 8000)
    assert {codec.name: number for codec, number in stream.codecs().items()} == {"PCMU": 0, "PCMA": 8}


def test_wideband_codecs() -> None:
    stream = read_audio(
        HEAD + "m=audio 4000 RTP/AVP 9 111 96 97 98\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:96 OPUS/48000\r\n"
        "a=rtpmap:97 L16/16000/1\r\na=rtpmap:98 L16/16000/2\r\n"
    )
    found = [(codec.name, codec.clock_hz, number) for codec, number in stream.codecs().items()]
    assert found == [("G722", 8000, 9), ("OPUS", 48000, 111), ("L16", 16000, 97)]  # opus says /2 always (RFC 7587 7)


def test_telephone_event_goes_by_the_clock_of_the_sound() -> None:
    """RFC 4733 2.1; many phones have it at 8000 Hz only."""
    both = _stream_text("0 96 97", "96 telephone-event/48000", "97 telephone-event/8000")
    assert read_audio(both).telephone_event() == (97, 8000)
    assert read_audio(both).telephone_event(48000) == (96, 48000)
    body = HEAD + "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/48000\r\n"
    assert read_audio(body).telephone_event() is None
    assert read_audio(both.replace("/48000", "/16000")).telephone_event(48000) == (97, 8000)


@pytest.mark.parametrize(
    ("host", "line", "direction"),
    [
        ("192.0.2.1", "", "sendrecv"),
        ("192.0.2.1", "a=sendonly\r\n", "sendonly"),
        ("0.0.0.0", "", "sendonly"),
        ("0.0.0.0", "a=recvonly\r\n", "inactive"),
        ("0.0.0.0", "a=inactive\r\n", "inactive"),
    ],
)
def test_forms_of_hold(host: str, line: str, direction: str) -> None:
    body = f"v=0\r\nc=IN IP4 {host}\r\nm=audio 4000 RTP/AVP 0\r\n{line}"
    assert read_audio(body).direction == direction
    assert read_audio(body + "m=video 0 RTP/AVP 31\r\n").direction == direction


def test_direction_of_the_session_is_inherited() -> None:
    body = "v=0\r\nc=IN IP4 h\r\na=inactive\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert read_audio(body).direction == "inactive"
    assert read_audio(body + "a=recvonly\r\n").direction == "recvonly"


def test_packet_time() -> None:
    for line, expected in (
        ("a=ptime:30", 30), ("a=ptime:0", None), ("a=ptime:1000", None), ("a=ptime:25", None), ("a=ptime:2x", None),
        ("a=ptime:60\r\na=maxptime:40", 40), ("a=maxptime:10", 10), ("a=maxptime:40", None),
        ("a=ptime:10\r\na=maxptime:40", 10),
    ):  # fmt: skip
        assert read_audio(HEAD + "m=audio 4000 RTP/AVP 0\r\n" + line).ptime_ms == expected


def test_first_usable_stream_of_several() -> None:
    stream = read_audio(
        HEAD + "m=audio 4000 RTP/SAVP 0\r\nm=image 1 udptl t38\r\nm=audio 4002 RTP/AVP 8\r\nc=IN IP4 198.51.100.1\r\n"
        "m=audio 4004 RTP/AVP 8\r\n"
    )
    assert (stream.m_line, stream.host, stream.port) == (2, "198.51.100.1", 4002)
    assert stream.layout == (
        "m=audio 0 RTP/SAVP 0\r\n", "m=image 0 udptl t38\r\n", None, "m=audio 0 RTP/AVP 8\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("line", ["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/SAVPF 0", "m=video 4000 RTP/AVP 31"])
def test_nothing_to_take(line: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        read_audio(HEAD + line)
    assert caught.value.status == 488


def test_audio_without_an_address() -> None:
    with pytest.raises(BadSdp, match="no connection address"):
        read_audio("v=0\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
