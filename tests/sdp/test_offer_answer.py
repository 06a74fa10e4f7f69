"""Offer and answer: RFC 3264, from both sides."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sdp.audio import read_audio
from pbx.sdp.errors import BadSdp, NoCommonCodec, NotAcceptable, SdpError
from pbx.sdp.offer_answer import LocalDescription, Negotiated, answer, make_offer, offered_stream, read_answer
from pbx.sdp.sdp import parse

DIRECTIONS = ["sendrecv", "sendonly", "recvonly", "inactive"]
MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
CODECS = st.permutations(["PCMU", "PCMA", "G722", "OPUS", "L16"]).flatmap(
    lambda all_: st.integers(1, 5).map(lambda n: tuple(all_[:n]))
)
CLOCKS = {"OPUS": 48000, "L16": 16000}
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
THEIRS = HEAD + "m=audio 4000 RTP/AVP 0 8 97\r\na=rtpmap:97 telephone-event/8000\r\na=ptime:30\r\n"


def offer(**options: object) -> str:
    return make_offer("198.51.100.1", 20000, ("PCMA", "PCMU"), session_id=7, **options)  # type: ignore[arg-type]


def reply(text: str, codecs: tuple[str, ...] = ("PCMA", "PCMU"), **options: object) -> tuple[str, Negotiated]:
    return answer(text, "198.51.100.2", 30000, codecs, session_id=9, **options)  # type: ignore[arg-type]


def test_offer_is_a_description() -> None:
    session = parse(offer(version=3, direction="sendonly"))
    assert session.origin is not None and (session.origin.session_id, session.origin.version) == (7, 3)
    media = session.media[0]
    assert (media.kind, media.port, media.formats) == ("audio", 20000, ("8", "0", "101"))
    assert ("sendonly", None) in media.attributes and media.first("fmtp") == "101 0-15"
    assert str(session) == offer(version=3, direction="sendonly")


def test_offer_over_ipv6_and_without_keys() -> None:
    text = make_offer("2001:db8::1", 20000, ("PCMU",), session_id=1, keys=False)
    assert "c=IN IP6 2001:db8::1\r\n" in text and "telephone-event" not in text
    assert "m=audio 20000 RTP/AVP 0\r\n" in text


@settings(max_examples=150)
@given(CODECS, CODECS, st.sampled_from(DIRECTIONS), st.sampled_from(DIRECTIONS), st.booleans())
def test_both_sides_come_to_the_same(
    mine: tuple[str, ...], yours: tuple[str, ...], mine_way: str, yours_way: str, keys: bool
) -> None:
    text = make_offer("198.51.100.1", 20000, mine, session_id=1, keys=keys, direction=mine_way)
    if not set(mine) & set(yours):
        with pytest.raises(NoCommonCodec) as caught:
            reply(text, yours)
        assert caught.value.status == 488
        return
    back, theirs = reply(text, yours, direction=yours_way)
    ours = read_answer(back, text)
    assert ours.codec == theirs.codec == next(one for one in yours if one in mine)
    numbers = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 96, "L16": 97}
    assert ours.payload_type == theirs.payload_type == ours.receive_type == numbers[ours.codec]
    clock_hz = CLOCKS.get(ours.codec, 8000)
    assert ours.clock_hz == theirs.clock_hz == clock_hz
    event_type = {8000: 101, 16000: 102, 48000: 103}[clock_hz] if keys else None
    assert ours.dtmf_payload_type == ours.dtmf_receive_type == theirs.dtmf_payload_type == event_type
    assert ours.dtmf_clock_hz == (clock_hz if keys else 8000)
    assert ours.direction == MIRROR[theirs.direction]
    assert (ours.host, ours.port, ours.rtcp_port) == ("198.51.100.2", 30000, 30001)
    assert (theirs.host, theirs.port, theirs.rtcp_port) == ("198.51.100.1", 20000, 20001)
    assert parse(back).media[0].first(theirs.direction) == ""


def test_answer_takes_the_offers_payload_types() -> None:
    """RFC 3264 6.1."""
    text = HEAD + (
        "m=audio 4000 RTP/AVP 110 97 18\r\na=rtpmap:110 pcma/8000\r\n"
        "a=rtpmap:97 telephone-event/8000\r\na=rtcp:4009\r\n"
    )
    back, negotiated = reply(text)
    assert "m=audio 30000 RTP/AVP 110 97\r\na=rtpmap:110 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\n" in back
    assert (negotiated.codec, negotiated.payload_type, negotiated.dtmf_payload_type) == ("PCMA", 110, 97)
    assert negotiated.rtcp_port == 4009


def test_answer_takes_the_offers_number_of_a_dynamic_codec() -> None:
    text = HEAD + (
        "m=audio 4000 RTP/AVP 111 0 126 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
        "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
    )
    back, negotiated = reply(text, ("OPUS", "PCMU"))
    assert (
        "m=audio 30000 RTP/AVP 111 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"
        "a=rtpmap:110 telephone-event/48000\r\n"
    ) in back
    assert (negotiated.codec, negotiated.payload_type, negotiated.dtmf_payload_type) == ("OPUS", 111, 110)
    assert (negotiated.clock_hz, negotiated.dtmf_clock_hz) == (48000, 48000)
    assert (negotiated.parameters, negotiated.max_ptime_ms) == ("minptime=10;useinbandfec=1", 0)
    assert reply(text + "a=maxptime:40\r\n", ("OPUS",))[1].max_ptime_ms == 40


def test_each_side_numbers_a_dynamic_codec_for_itself() -> None:
    """RFC 3264 5.1, 6.1: what we send bears the answer's number, what we receive that of our offer."""
    text = make_offer("198.51.100.1", 20000, ("OPUS", "PCMU"), session_id=1)
    assert "RTP/AVP 96 0 101 103\r\n" in text
    ours = read_answer(HEAD + "m=audio 4000 RTP/AVP 120\r\na=rtpmap:120 OPUS/48000/2\r\n", text)
    assert (ours.payload_type, ours.receive_type) == (120, 96)
    assert (ours.dtmf_payload_type, ours.dtmf_receive_type) == (None, 103)


def test_of_an_answer_with_several_codecs_any_may_come() -> None:
    """RFC 3264 6.1, 7: with the numbers, and the keys, that belong to each."""
    text = make_offer("198.51.100.1", 20000, ("OPUS", "G722", "PCMU"), session_id=1)
    back = HEAD + (
        "m=audio 4000 RTP/AVP 0 120 18 101 9\r\na=rtpmap:120 opus/48000/2\r\na=fmtp:120 useinbandfec=1\r\n"
        "a=rtpmap:101 telephone-event/8000\r\n"
    )
    ours = read_answer(back, text)
    assert (ours.codec, ours.dtmf_payload_type) == ("PCMU", 101)
    assert ours.others == (
        ("OPUS", 48000, 120, 96, 101, 103, 8000, "useinbandfec=1"), ("G722", 8000, 9, 9, 101, 101, 8000, "")
    )  # fmt: skip
    alone = read_answer(HEAD + "m=audio 4000 RTP/AVP 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\n", text)
    assert alone.others == ()  # neither comfort noise nor keys are sound
    assert reply(text, ("OPUS", "PCMU"))[1].others == ()  # of our own answer, which has one codec


def test_l16_at_either_rate() -> None:
    for number, clock_hz in ((97, 16000), (98, 8000)):
        text = HEAD + f"m=audio 4000 RTP/AVP {number}\r\na=rtpmap:{number} L16/{clock_hz}\r\n"
        assert reply(text, ("L16",))[1].clock_hz == clock_hz


def test_our_order_of_codecs_wins() -> None:
    assert reply(THEIRS, ("PCMA", "PCMU"))[1].codec == "PCMA"
    assert reply(THEIRS, ("PCMU", "PCMA"))[1].codec == "PCMU"
    assert reply(THEIRS)[1].ptime_ms == 30
    assert reply(THEIRS.replace("a=ptime:30\r\n", ""))[1].ptime_ms == 0  # it does not ask


def test_static_types_need_no_map() -> None:
    for number, codec in (("0", "PCMU"), ("8", "PCMA")):
        assert reply(HEAD + f"m=audio 4000 RTP/AVP 3 {number}\r\n")[1].codec == codec


@pytest.mark.parametrize("formats", ["3 18", "96", "200", "8\r\na=rtpmap:8 G729/8000"])
def test_no_common_codec(formats: str) -> None:
    with pytest.raises(NoCommonCodec):
        reply(HEAD + f"m=audio 4000 RTP/AVP {formats}\r\n")
    with pytest.raises(NoCommonCodec):
        read_answer(HEAD + f"m=audio 4000 RTP/AVP {formats}\r\n", offer())


def test_every_m_line_is_answered() -> None:
    """RFC 3264 6; the second offer of RFC 4475 sdp01."""
    text = HEAD.replace("t=0 0", "t=3149328700 0") + (
        "m=audio 49217 RTP/AVP 0 12\r\nm=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n"
    )
    back, negotiated = reply(text)
    session = parse(back)
    assert session.time == "3149328700 0"
    assert [(one.kind, one.port) for one in session.media] == [("audio", 30000), ("video", 0)]
    again = offer(layout=negotiated.layout)
    assert [(one.kind, one.port) for one in parse(again).media] == [("audio", 20000), ("video", 0)]
    video_first = HEAD + "m=video 3227 RTP/AVP 31\r\nm=audio 49217 RTP/AVP 0\r\n"
    back, negotiated = reply(video_first)
    assert [(one.kind, one.port) for one in parse(back).media] == [("video", 0), ("audio", 30000)]
    ours = read_answer(back, video_first)
    assert (ours.port, ours.layout) == (30000, negotiated.layout)


def test_refused_streams_in_an_answer() -> None:
    text = offer()
    for body in (HEAD, HEAD + "m=audio 0 RTP/AVP 8\r\n", HEAD + "m=video 4000 RTP/AVP 8\r\n"):
        with pytest.raises(NotAcceptable):
            read_answer(body, text)
    with pytest.raises(NotAcceptable):
        reply(HEAD + "m=audio 0 RTP/AVP 8\r\n")


def test_answer_may_number_keys_otherwise() -> None:
    """RFC 3264 6.1: each side says with which numbers it wants to receive."""
    ours = read_answer(THEIRS, offer())
    assert (ours.dtmf_payload_type, ours.dtmf_receive_type) == (97, 101)
    assert ours.codec == "PCMU"  # the answerer's first


@pytest.mark.parametrize(
    ("lines", "host", "direction"),
    [("a=sendonly", "192.0.2.1", "recvonly"), ("a=inactive", "192.0.2.1", "inactive"), ("a=x", "0.0.0.0", "recvonly")],
)
def test_hold_and_back(lines: str, host: str, direction: str) -> None:
    """RFC 3264 8.4, all three forms."""
    held = HEAD.replace("c=IN IP4 192.0.2.1", f"c=IN IP4 {host}") + f"m=audio 4000 RTP/AVP 8\r\n{lines}\r\n"
    back, negotiated = reply(held)
    assert negotiated.direction == direction and negotiated.held and not negotiated.sends
    assert f"a={direction}\r\n" in back
    assert not reply(THEIRS)[1].held


def test_sends_and_receives() -> None:
    seen = {reply(HEAD + f"m=audio 4000 RTP/AVP 8\r\na={way}\r\n")[1].direction: way for way in DIRECTIONS}
    assert seen == MIRROR
    for ours, theirs in itertools.product(DIRECTIONS, DIRECTIONS):
        negotiated = reply(HEAD + f"m=audio 4000 RTP/AVP 8\r\na={theirs}\r\n", direction=ours)[1]
        assert negotiated.sends == (ours in ("sendrecv", "sendonly") and theirs in ("sendrecv", "recvonly"))
        assert negotiated.receives == (ours in ("sendrecv", "recvonly") and theirs in ("sendrecv", "sendonly"))


def test_version_counts_changes() -> None:
    """RFC 3264 8: one more if it changed, the same text if not."""
    local = LocalDescription(1)
    first = local.offer("198.51.100.1", 20000, ("PCMA", "PCMU"))
    assert local.offer("198.51.100.1", 20000, ("PCMA", "PCMU")) == first and local.version == 1
    held = local.offer("198.51.100.1", 20000, ("PCMA", "PCMU"), direction="sendonly")
    assert "o=- 1 2 IN IP4" in held and local.version == 2
    back, _ = local.answer(THEIRS, "198.51.100.1", 20000, ("PCMA",))
    assert "o=- 1 3 IN IP4" in back
    assert local.answer(THEIRS, "198.51.100.1", 20000, ("PCMA",))[0] == back and local.version == 3
    assert local.read_answer(THEIRS).codec == "PCMU"


def test_answer_without_an_offer() -> None:
    with pytest.raises(NotAcceptable):
        LocalDescription(1).read_answer(THEIRS)


@settings(max_examples=100)
@given(
    CODECS,
    st.booleans(),
    st.sampled_from(DIRECTIONS),
    st.sampled_from([(None,), ("m=video 0 RTP/AVP 31\r\n", None), (None, "m=audio 0 RTP/SAVP 0\r\n")]),
)
def test_offered_stream_is_the_offer_read(
    codecs: tuple[str, ...], keys: bool, direction: str, layout: tuple[str | None, ...]
) -> None:
    text = make_offer("::1", 4000, codecs, session_id=1, keys=keys, direction=direction, layout=layout)
    stream = offered_stream("::1", 4000, codecs, keys=keys, direction=direction, layout=layout)
    assert stream == read_audio(text)
    assert reply(text, codecs) == answer(stream, "198.51.100.2", 30000, codecs, session_id=9)


def test_longest_numbers_do_no_harm() -> None:
    body = HEAD + "m=audio 65535 RTP/AVP 8 " + " ".join(["9"] * 2000) + "\r\n" + "a=x\r\n" * 900
    assert reply(body)[1].rtcp_port == 65535


@pytest.mark.parametrize("more", ["a=x\r\n" * 1001, "a=x\r" * 3000, "a=x" + " 9" * 5001])
def test_a_description_without_end_is_not_read(more: str) -> None:
    with pytest.raises(BadSdp):
        reply(HEAD + "m=audio 65535 RTP/AVP 8\r\n" + more)


@settings(max_examples=150)
@given(st.text(max_size=100))
def test_any_text_is_answered_or_refused(text: str) -> None:
    for body in (text, THEIRS + text, HEAD + text):
        try:
            back, _ = reply(body)
            parse(back)
        except SdpError as error:
            assert error.status in (400, 488)
        try:
            read_answer(body.encode("utf-8", "replace"), offer())
        except SdpError as error:
            assert error.status in (400, 488)
