"""Which codecs are offered to whom, and what is agreed: the site's policy, and that of a trunk or an extension."""

from __future__ import annotations

import pytest

from media.plane import RemoteMedia
from pbx.sip.message import Request, Response

from .test_early_media import answered
from .test_flows import DID
from .world import SITE, Phone, World

POLICY = SITE.replace("media: {", "media: {codecs: [OPUS, G722, PCMA, PCMU], ")
OPUS = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def opus(host: str, formats: str, port: int = 40000) -> str:
    return OPUS.format(host=host, port=port, formats=formats)


def formats(message: Request | Response) -> list[str]:
    line = next(line for line in message.body.decode().split("\r\n") if line.startswith("m=audio"))
    return line.split()[3:]


def remote(world: World, port: int) -> RemoteMedia:
    (found,) = [one for one in world.plane.remotes.values() if one.port == port]
    return found


@pytest.fixture
def wide() -> World:
    return World(POLICY)


def call_101(world: World, body: str) -> tuple[Phone, str, Phone, Request]:
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body=body)
    return carrier, invite, phone, phone.request("INVITE")


def test_the_callers_codecs_come_first_and_the_rest_of_the_policy_follows(wide: World) -> None:
    *_, request = call_101(wide, opus("198.51.100.1", "8 111 101 110"))
    assert formats(request) == ["8", "96", "9", "0", "101", "103"]


def test_what_the_phone_takes_is_answered_to_the_caller(wide: World) -> None:
    """The same codec on both sides is passed through: nothing need be decoded."""
    carrier, invite, phone, request = call_101(wide, opus("198.51.100.1", "8 111 101 110"))
    ok = answered(carrier, invite, phone, request, opus(phone.host, "111 110", 41000))
    assert formats(ok) == ["111", "110"]
    theirs, phones = remote(wide, 40000), remote(wide, 41000)
    assert (theirs.codec, theirs.payload_type, theirs.receive_type, theirs.clock_hz) == ("OPUS", 111, 111, 48000)
    assert (phones.codec, phones.payload_type, phones.receive_type) == ("OPUS", 111, 96)  # our offer said 96
    assert (phones.dtmf_payload_type, phones.dtmf_receive_type, phones.dtmf_clock_hz) == (110, 103, 48000)


def test_the_media_plane_knows_all_codecs_of_an_answer(wide: World) -> None:
    """Asterisk answers with all it could speak: any may come."""
    carrier, invite, phone, request = call_101(wide, opus("198.51.100.1", "8 111 101 110"))
    answered(carrier, invite, phone, request, opus(phone.host, "8 111 9 101", 41000))
    agreed = remote(wide, 41000)
    assert agreed.codec == "PCMA" and not remote(wide, 40000).others
    others = [(one.codec, one.payload_type, one.receive_type) for one in agreed.others]
    assert others == [("OPUS", 111, 96), ("G722", 9, 9)]


def test_no_codec_in_common_is_transcoded(wide: World) -> None:
    carrier, invite, phone, request = call_101(wide, opus("198.51.100.1", "111 110"))
    answered(carrier, invite, phone, request, opus(phone.host, "8 101", 41000))
    assert (remote(wide, 40000).codec, remote(wide, 41000).codec) == ("OPUS", "PCMA")
    assert len(wide.plane.bridged) == 2


def test_a_trunk_and_an_extension_have_their_own_policy() -> None:
    text = POLICY.replace("101..109: {", "101..109: {codecs: [G722, PCMU], ")
    world = World(text.replace("198.51.100.1, gateway", "198.51.100.1, codecs: PCMU, gateway"))
    carrier, invite, phone, request = call_101(world, opus("198.51.100.1", "8 0 111 101"))
    assert formats(request) == ["0", "9", "101"]
    assert formats(answered(carrier, invite, phone, request, opus(phone.host, "9", 41000))) == ["0", "101"]
