"""SDES, DTLS-SRTP and ICE in descriptions: what is offered, what is chosen, what is refused."""

from __future__ import annotations

import base64

import pytest

from pbx.sdp.audio import read_audio
from pbx.sdp.errors import BadSdp, NotSecure
from pbx.sdp.offer_answer import LocalDescription, Negotiated, answer
from pbx.sdp.security import DTLS, KEY_BYTES, PLAIN, SDES, Crypto, Means, Secure, Security, fingerprint_line

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
GCM, CM80, CM32 = "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
SUITES = ("AEAD_AES_256_GCM", GCM, CM80)
OURS = tuple(bytes([number]) * KEY_BYTES[suite] for number, suite in enumerate(SUITES, 1))
FINGERPRINT = fingerprint_line("sha-256", bytes(range(32)))
THEIR_PRINT = fingerprint_line("sha-256", bytes(range(100, 132)))
OPTIONAL = Means("optional", SUITES, OURS, FINGERPRINT)
REQUIRED = OPTIONAL._replace(policy="required")
WEB = Means("optional", (), (), FINGERPRINT, web=True)


def key(suite: str, byte: int = 0x55) -> str:
    return base64.b64encode(bytes([byte]) * KEY_BYTES[suite]).decode()


def offer_of(*lines: str, proto: str = "RTP/SAVP", session: str = "") -> str:
    return f"{HEAD}{session}m=audio 4000 {proto} 0\r\n" + "".join(f"a={line}\r\n" for line in lines)


def answer_to(offer: str, means: Means) -> tuple[str, Negotiated]:
    secure = Secure(means)
    secure.ice_ufrag, secure.ice_pwd = "oUrF", "oUrPaSsWoRdOf22ChArs+/"
    return answer(offer, "192.0.2.9", 5000, ["PCMU"], session_id=1, secure=secure)


# --- SDES -------------------------------------------------------------------------------------------------------------


def test_our_best_suite_is_taken() -> None:
    offer = offer_of(f"crypto:1 {CM80} inline:{key(CM80)}|2^20", f"crypto:7 {GCM} inline:{key(GCM, 9)}")
    text, negotiated = answer_to(offer, OPTIONAL)
    assert negotiated.security is not None
    assert (negotiated.security.suite, negotiated.security.receive) == (GCM, b"\x09" * 28)
    assert negotiated.security.send == OURS[1]
    assert f"a=crypto:7 {GCM} inline:{base64.b64encode(OURS[1]).decode()}\r\n" in text
    assert "m=audio 5000 RTP/SAVP 0\r\n" in text and "crypto:1 " not in text


@pytest.mark.parametrize(
    "rest",
    [
        f"inline:{key(CM80)}|2^20|1:4",  # a master key identifier
        f"inline:{key(CM80)}|1:4;inline:{key(CM80)}|2:4",
        f"inline:{key(GCM)}",  # too short
        f"inline:{key(CM80)} UNENCRYPTED_SRTP",
        f"inline:{key(CM80)} KDR=1",
        f"inline:{key(CM80)} FEC_ORDER=FEC_SRTP",
        f"inline:{key(CM80)} something",
        "other:abc",
    ],
)
def test_what_we_cannot_keep_to_is_not_taken(rest: str) -> None:
    with pytest.raises(NotSecure) as caught:
        answer_to(offer_of(f"crypto:1 {CM80} {rest}"), OPTIONAL)
    assert (caught.value.status, caught.value.warning) == (488, 302)


@pytest.mark.parametrize("rest", ["", "|2^31", "|1048576", " WSH=64", " -future=1", "  "])
def test_what_changes_nothing_is_taken(rest: str) -> None:
    assert answer_to(offer_of(f"crypto:1 {CM80} inline:{key(CM80)}{rest}"), OPTIONAL)[1].security is not None


def test_unknown_suites_are_passed_over() -> None:
    offer = offer_of(f"crypto:1 F8_128_HMAC_SHA1_80 inline:{key(CM80)}", f"crypto:2 {CM32} inline:{key(CM32)}")
    with pytest.raises(NotSecure):
        answer_to(offer, OPTIONAL)
    means = OPTIONAL._replace(suites=(CM32,), keys=(OURS[2],))
    assert answer_to(offer, means)[1].security is not None


@pytest.mark.parametrize("line", ["crypto:", "crypto:x y z", "crypto:1 AES", "fingerprint:sha-256 AB:", "fingerprint:"])
def test_unreadable(line: str) -> None:
    with pytest.raises(BadSdp):
        read_audio(offer_of(line, proto="RTP/AVP"))


def test_opportunistic(  # RFC 8643
) -> None:
    offer = offer_of(f"crypto:1 {CM80} inline:{key(CM80)}", proto="RTP/AVP")
    text, negotiated = answer_to(offer, OPTIONAL)
    assert negotiated.security is not None and "m=audio 5000 RTP/AVP 0\r\n" in text and "a=crypto:1" in text
    text, negotiated = answer_to(offer, Means())
    assert negotiated.security is None and "crypto" not in text
    assert answer_to(offer_of(proto="RTP/AVP"), OPTIONAL)[1].security is None


def test_required() -> None:
    with pytest.raises(NotSecure, match="SRTP is required"):
        answer_to(offer_of(proto="RTP/AVP"), REQUIRED)
    assert answer_to(offer_of(f"crypto:1 {CM80} inline:{key(CM80)}", proto="RTP/AVP"), REQUIRED)[1].security is not None


def test_off() -> None:
    with pytest.raises(NotSecure):
        secure = Secure()
        secure.answer(read_audio(offer_of(), srtp="optional").security, "RTP/SAVP", "192.0.2.9", 5000)


def test_of_two_streams_the_one_that_the_site_wants() -> None:
    both = offer_of(f"crypto:1 {CM80} inline:{key(CM80)}") + "m=audio 4002 RTP/AVP 0\r\n"
    assert read_audio(both, srtp="off").port == 4002
    assert read_audio(both, srtp="optional").port == 4000
    turned = f"{HEAD}m=audio 4002 RTP/AVP 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 {CM80} inline:{key(CM80)}\r\n"
    assert read_audio(turned, srtp="required").port == 4000


def our_offer(means: Means) -> tuple[LocalDescription, str]:
    local = LocalDescription(1)
    local.secure = Secure(means)
    local.secure.ice_ufrag, local.secure.ice_pwd = "oUrF", "oUrPaSsWoRdOf22ChArs+/"
    return local, local.offer("192.0.2.9", 5000, ["PCMU"])


@pytest.mark.parametrize(("means", "proto"), [(OPTIONAL, "RTP/AVP"), (REQUIRED, "RTP/SAVP")])
def test_we_offer(means: Means, proto: str) -> None:
    local, text = our_offer(means)
    stream = read_audio(text, srtp="optional")
    assert stream.proto == proto
    assert [one.suite for one in stream.security.cryptos] == list(SUITES)
    assert [one.key for one in stream.security.cryptos] == list(OURS)
    their = offer_of(f"crypto:2 {GCM} inline:{key(GCM)}", proto=proto)
    security = local.read_answer(their).security
    assert security is not None and (security.suite, security.send) == (GCM, OURS[1])
    again = local.offer("192.0.2.9", 5000, ["PCMU"])
    assert again.split("\r\n", 2)[2] == text.split("\r\n", 2)[2]  # nothing has changed


def test_an_answer_without_a_key() -> None:
    local, _ = our_offer(OPTIONAL)
    assert local.read_answer(offer_of(proto="RTP/AVP")).security is None
    assert local.secure.form == PLAIN and "crypto" not in local.offer("192.0.2.9", 5000, ["PCMU"])
    local, _ = our_offer(REQUIRED)
    with pytest.raises(NotSecure):
        local.read_answer(offer_of(proto="RTP/SAVP"))
    with pytest.raises(NotSecure):
        local.read_answer(offer_of(proto="RTP/AVP"))


def test_after_their_offer_ours_keeps_to_what_was_agreed() -> None:
    local = LocalDescription(1)
    local.secure = Secure(OPTIONAL)
    local.answer(offer_of(f"crypto:1 {CM80} inline:{key(CM80)}"), "192.0.2.9", 5000, ["PCMU"])
    assert "RTP/SAVP 0" in local.offer("192.0.2.9", 5000, ["PCMU"])
    local.answer(offer_of(proto="RTP/AVP"), "192.0.2.9", 5000, ["PCMU"])
    assert "crypto" not in local.offer("192.0.2.9", 5000, ["PCMU"])


def test_required_but_the_signalling_is_open() -> None:
    with pytest.raises(NotSecure, match="may not go over"):
        our_offer(Means("required"))
    assert "UDP/TLS/RTP/SAVP " in our_offer(Means("required", fingerprint=FINGERPRINT))[1]


# --- DTLS-SRTP and ICE ------------------------------------------------------------------------------------------------

BROWSER = offer_of(
    "rtcp:9 IN IP4 0.0.0.0", "candidate:1 1 udp 2113937151 192.0.2.1 4000 typ host", "ice-ufrag:tHeI",
    "ice-pwd:tHeIrPaSsWoRdOf24ChArsXX", "ice-options:trickle", f"fingerprint:{THEIR_PRINT}", "setup:actpass", "mid:0",
    "rtcp-mux", "rtcp-rsize", "sendrecv",
    proto="UDP/TLS/RTP/SAVPF", session="a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n",
)  # fmt: skip


@pytest.mark.parametrize("means", [OPTIONAL, REQUIRED, WEB])
def test_answers_a_browser(means: Means) -> None:
    text, negotiated = answer_to(BROWSER, means)
    security = negotiated.security
    assert security is not None and negotiated.rtcp_mux
    assert (security.suite, security.hash, security.digest) == ("", "sha-256", bytes(range(100, 132)))
    assert not security.active and security.ice_ufrag == "tHeI"
    session, _, stream = text.partition("m=audio 5000 UDP/TLS/RTP/SAVPF 0\r\n")
    assert "a=group:BUNDLE 0\r\n" in session and "a=ice-lite\r\n" in session
    for line in (
        f"fingerprint:{FINGERPRINT}", "setup:passive", "mid:0", "rtcp-mux", "ice-ufrag:oUrF",
        "candidate:1 1 UDP 2130706431 192.0.2.9 5000 typ host", "end-of-candidates",
    ):  # fmt: skip
        assert f"a={line}\r\n" in stream
    assert "a=crypto" not in text


def test_who_begins_the_handshake() -> None:
    for theirs, active in (("active", False), ("passive", True), ("actpass", False)):
        _, negotiated = answer_to(BROWSER.replace("setup:actpass", f"setup:{theirs}"), WEB)
        assert negotiated.security is not None and negotiated.security.active is active
    with pytest.raises(NotSecure):
        answer_to(BROWSER.replace("setup:actpass", "setup:holdconn"), WEB)


def test_a_weak_fingerprint_proves_nothing() -> None:
    weak = "sha-1 " + bytes(20).hex(":")
    with pytest.raises(NotSecure):
        answer_to(BROWSER.replace(THEIR_PRINT, weak), WEB)
    assert answer_to(BROWSER.replace("setup:actpass", f"setup:actpass\r\na=fingerprint:{weak}"), WEB)


def test_attributes_of_the_session_hold_for_the_stream() -> None:
    moved = f"a=fingerprint:{THEIR_PRINT}\r\n"
    offer = BROWSER.replace(moved, "").replace("a=group", f"{moved}a=setup:active\r\na=group")
    assert answer_to(offer.replace("a=setup:actpass\r\n", ""), WEB)[1].security is not None


def test_offers_a_browser() -> None:
    local, text = our_offer(WEB)
    assert local.secure.form == DTLS
    assert "UDP/TLS/RTP/SAVPF" in text and "a=setup:actpass" in text and "a=group:BUNDLE 0" in text
    their = BROWSER.replace("actpass", "active")
    negotiated = local.read_answer(their)
    assert negotiated.security is not None and not negotiated.security.active and negotiated.rtcp_mux
    negotiated = local.read_answer(BROWSER.replace("actpass", "passive"))
    assert negotiated.security is not None and negotiated.security.active
    with pytest.raises(NotSecure):
        local.read_answer(offer_of(proto="UDP/TLS/RTP/SAVPF"))


def test_sdes_over_open_signalling_is_dtls_or_nothing() -> None:
    """RTP/AVP with both: the key in the clear is left alone."""
    offer = offer_of(
        f"crypto:1 {CM80} inline:{key(CM80)}", f"fingerprint:{THEIR_PRINT}", "setup:actpass", proto="RTP/AVP"
    )
    _, negotiated = answer_to(offer, Means("optional", fingerprint=FINGERPRINT))
    assert negotiated.security is not None and not negotiated.security.suite
    _, negotiated = answer_to(offer, OPTIONAL)
    assert negotiated.security is not None and negotiated.security.suite == CM80


def test_plain_rtcp_mux() -> None:
    text, negotiated = answer_to(offer_of("rtcp-mux", proto="RTP/AVP"), Means())
    assert negotiated.rtcp_mux and "a=rtcp-mux\r\n" in text


def test_forms() -> None:
    assert [Secure(means).form for means in (Means(), OPTIONAL, REQUIRED, WEB)] == [PLAIN, SDES, SDES, DTLS]
    assert Secure(Means("optional", fingerprint=FINGERPRINT)).form == PLAIN


def test_keys_that_the_media_plane_prescribes() -> None:
    """It has SRTP for some suites, with keys of its own; once one is agreed it has no other."""
    theirs = Security((Crypto("7", CM80, bytes(30)), Crypto("8", "AEAD_AES_128_GCM", bytes(28))))
    suites = "AES_256_CM_HMAC_SHA1_80", CM80, "AEAD_AES_128_GCM"
    secure = Secure(Means("optional", suites, (bytes(46), bytes(30), bytes(28))))
    secure.prescribe("oUrF", "oUrPaSs", "", {CM80: b"1" * 30, "AEAD_AES_128_GCM": b"2" * 28})
    assert secure.means.suites == (CM80, "AEAD_AES_128_GCM")
    _, agreed = secure.answer(theirs, "RTP/SAVP", "192.0.2.1", 4000)
    assert agreed is not None and (agreed.suite, agreed.send) == (CM80, b"1" * 30)
    assert secure.offer("192.0.2.1", 4000).stream.count("a=crypto:") == 1
    secure.prescribe("oUrF", "oUrPaSs", "", {CM80: b"3" * 30, "AEAD_AES_128_GCM": b"4" * 28})  # another port
    assert secure.means.keys == (b"3" * 30,)
    browsers = Secure(Means("optional", fingerprint=FINGERPRINT, web=True))
    browsers.prescribe("oUrF", "oUrPaSs", "sha-256 AA:BB", None)
    assert browsers.means.fingerprint == "sha-256 AA:BB"
