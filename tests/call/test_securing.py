"""Who gets SRTP: the policies of site and peer, the way of the signalling, refusals, keys that never come."""

from __future__ import annotations

import base64
import re

import pytest

from media.plane import RemoteMedia
from media.security import Dtls, IceCredentials, SrtpKeys
from pbx.call.securing import means_of
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response

from .test_flows import DID
from .world import SITE, Phone, World, sdp

GCM, CM80 = "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"
KEY = bytes(range(30))
CRYPTO = f"a=crypto:4 {CM80} inline:{base64.b64encode(KEY).decode()}\r\n"
OUR_PRINT = "sha-256 " + bytes(32).hex(":").upper()
PRINT = bytes(range(32))
DTLS = f"a=fingerprint:sha-256 {PRINT.hex(':')}\r\na=setup:actpass\r\n"
ICE = "a=ice-ufrag:AbCd\r\na=ice-pwd:aBcDeFgHiJkLmNoPqRsTuV\r\na=rtcp-mux\r\na=mid:0\r\n"
TLS, UDP, WSS = Hop("tls", "192.0.2.1", 5061), Hop("udp", "192.0.2.1", 5060), Hop("wss", "192.0.2.1", 443)


def site(srtp: str, extension: str = "") -> str:
    text = SITE.replace("20000-20099}", f"20000-20099, srtp: {srtp}}}")
    return text.replace("{password: secret}", f"{{password: secret{extension}}}")


CLEAR = "{policy: %s, in_clear_signalling: true}"


def savp(lines: str = CRYPTO, proto: str = "RTP/SAVP") -> str:
    return sdp().replace("RTP/AVP", proto) + lines


def remote(world: World, port: int) -> RemoteMedia:
    """What the plane was told last of the peer at this port."""
    (found,) = [one for one in world.plane.remotes.values() if one.port == port]
    return found


def call_101(world: World, body: str) -> tuple[Phone, str, Phone, Request]:
    """The carrier calls 101, which is asked."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body=body)
    return carrier, invite, phone, phone.request("INVITE")


def answered(carrier: Phone, phone: Phone, request: Request, body: str) -> Response:
    phone.answer(request, 200, body=body)
    phone.request("ACK")
    while isinstance(message := carrier.take(), Response) and message.status < 200:
        pass
    assert isinstance(message, Response) and message.status == 200
    return message


def test_means() -> None:
    world = World(site("optional", ", srtp: required"))
    off = World(site("off"))
    for hop, suites, web in ((TLS, 4, False), (UDP, 0, False), (WSS, 4, True)):
        means = means_of(world.site, None, None, hop, OUR_PRINT)
        assert (means.policy, len(means.suites), means.web) == ("optional", suites, web)
        assert [len(key) for key in means.keys] == [44, 28, 30, 30][:suites] and len(set(means.keys)) == suites
        assert means_of(world.site, "101", None, hop, OUR_PRINT).policy == "required"
        assert means_of(off.site, "101", "carrier", hop, OUR_PRINT).policy == "off"
    assert len(means_of(World(site(CLEAR % "optional")).site, "101", None, UDP, "").suites) == 4


def test_a_trunk_of_its_own() -> None:
    text = site("required").replace("carrier: {", "carrier: {srtp: off, ")
    assert means_of(World(text).site, None, "carrier", TLS, "").policy == "off"


def test_each_leg_has_its_own() -> None:
    """SRTP with the carrier, plain with the phone."""
    world = World(site(CLEAR % "off").replace("carrier: {", "carrier: {srtp: optional, "))
    carrier, _, phone, request = call_101(world, savp())
    assert b"RTP/AVP" in request.body and b"crypto" not in request.body
    final = answered(carrier, phone, request, sdp(port=41000))
    crypto = re.search(rf"a=crypto:4 {CM80} inline:(\S+)\r\n", final.body.decode())
    assert crypto and b"RTP/SAVP 8 101\r\n" in final.body
    ours = base64.b64decode(crypto[1])
    assert remote(world, 40000).security == SrtpKeys(CM80, KEY, ours)
    assert remote(world, 41000).security is None


def test_the_phone_may_answer_an_opportunistic_offer_either_way() -> None:
    for body, secured in ((sdp(port=41000), False), (sdp(port=41000) + CRYPTO.replace(":4", ":3"), True)):
        world = World(site(CLEAR % "optional"))
        carrier, _, phone, request = call_101(world, sdp())
        assert b"RTP/AVP" in request.body and request.body.count(b"a=crypto") == 4
        answered(carrier, phone, request, body)
        assert (remote(world, 41000).security is not None) is secured


def test_required_of_a_caller_without() -> None:
    world = World(site(CLEAR % "required"))
    carrier = world.phone("198.51.100.1")
    carrier.invite(DID, body=sdp())
    refusal = carrier.take()
    while isinstance(refusal, Response) and refusal.status < 200:
        refusal = carrier.take()
    assert isinstance(refusal, Response) and refusal.status == 488
    assert refusal.get("Warning") == '302 plateau "SRTP is required"'
    assert world.counters["calls_refused_488"] == 1
    world.run(40)
    assert not world.leaks()


def test_required_of_a_phone_whose_signalling_is_open() -> None:
    """No keys go by UDP; without DTLS there is nothing to offer."""
    world = World(site("off", ", srtp: required"))
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body=sdp())
    world.run(1)
    assert not phone.inbox
    carrier.ack_refusal(invite, carrier.response(488))
    world.run(40)
    assert not world.leaks()


def test_required_of_a_phone_that_answers_without() -> None:
    world = World(site(CLEAR % "off", ", srtp: required"))
    _, _, phone, request = call_101(world, sdp())
    assert b"RTP/SAVP 8" in request.body
    phone.answer(request, 200, body=sdp(port=41000))
    phone.request("ACK")
    phone.request("BYE")
    assert 41000 not in [one.port for one in world.plane.remotes.values()]


def test_reinvites() -> None:
    """The same key is the same session; another one is taken; none is refused where one is required."""
    world = World(site(CLEAR % "off").replace("carrier: {", "carrier: {srtp: required, "))
    carrier, invite, phone, request = call_101(world, savp())
    tag = (answered(carrier, phone, request, sdp(port=41000)).get("To") or "").partition("tag=")[2]
    carrier.follow("ACK", invite, tag)
    first = remote(world, 40000).security
    assert isinstance(first, SrtpKeys)
    carrier.follow("INVITE", invite, tag, cseq=2, body=savp())
    carrier.response(100) if len(carrier.inbox) > 1 else None
    carrier.response(200)
    carrier.follow("ACK", invite, tag, cseq=2)
    assert remote(world, 40000).security == first
    fresh = base64.b64encode(bytes(30)).decode()
    carrier.follow("INVITE", invite, tag, cseq=3, body=savp(f"a=crypto:1 {CM80} inline:{fresh}\r\n"))
    carrier.response(200)
    carrier.follow("ACK", invite, tag, cseq=3)
    assert remote(world, 40000).security == SrtpKeys(CM80, bytes(30), first.send)
    carrier.follow("INVITE", invite, tag, cseq=4, body=sdp())
    assert carrier.response(488).get("Warning") == '302 plateau "SRTP is required"'
    assert remote(world, 40000).security == SrtpKeys(CM80, bytes(30), first.send)


def dtls_world() -> World:
    world = World(site("optional"))
    world.plane.fingerprint = OUR_PRINT
    return world


def test_a_browser_calls() -> None:
    world = dtls_world()
    carrier, _, phone, request = call_101(world, savp(DTLS + ICE, "UDP/TLS/RTP/SAVPF"))
    final = answered(carrier, phone, request, sdp(port=41000))
    assert b"a=ice-ufrag:FAKE\r\n" in final.body and OUR_PRINT.encode() in final.body
    theirs = remote(world, 40000)
    assert theirs.security == Dtls("sha-256", PRINT, False)
    assert theirs.ice == IceCredentials("AbCd", "aBcDeFgHiJkLmNoPqRsTuV") and theirs.rtcp_mux


@pytest.mark.parametrize("secure", [True, False])
def test_keys_that_never_come_end_the_call(secure: bool) -> None:
    world = dtls_world()
    carrier, invite, phone, request = call_101(world, savp(DTLS + ICE, "UDP/TLS/RTP/SAVPF"))
    tag = (answered(carrier, phone, request, sdp(port=41000)).get("To") or "").partition("tag=")[2]
    carrier.follow("ACK", invite, tag)
    port = next(number for number, one in world.plane.remotes.items() if one.port == 40000)
    world.plane.secure(world.plane.port_of(port), secure)
    world.run(1)
    assert world.counters["calls_insecure"] == (not secure)
    if not secure:
        phone.request("BYE")
        carrier.request("BYE")
