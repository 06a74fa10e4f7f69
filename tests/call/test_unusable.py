"""Descriptions with nothing for us: 488 with the Warning of RFC 3261 20.43."""

from __future__ import annotations

import pytest

from .test_flows import DID
from .world import World, sdp

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        (f"{HEAD}m=video 4000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n", "304"),  # media type not available
        (f"{HEAD}m=audio 0 RTP/AVP 8\r\n", "304"),
        (f"{HEAD}m=audio 4000 RTP/SAVP 8\r\n", "304"),
        (f"{HEAD}m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n", "305"),  # incompatible media format
        (f"{HEAD}m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", "305"),
    ],
)
def test_a_call_with_nothing_for_us(world: World, body: str, warning: str) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID, body=body)
    refusal = carrier.response(488)
    assert (refusal.get("Warning") or "").startswith(f"{warning} plateau ")
    carrier.ack_refusal(invite, refusal)


def test_a_change_to_nothing_for_us_leaves_the_call_as_it_was(world: World) -> None:
    phone, carrier = world.phone("192.0.2.10"), world.phone("198.51.100.1")
    world.register("101", phone)
    invite = carrier.invite(DID)
    request = phone.request("INVITE")
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    before = dict(world.plane.bridged)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=f"{HEAD}m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n")
    assert (carrier.response(488).get("Warning") or "").startswith("305 ")
    assert world.plane.bridged == before
    carrier.follow("BYE", invite, tag, cseq=3)
    carrier.response(200)
    phone.answer(phone.request("BYE"), 200)
