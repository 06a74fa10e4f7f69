"""INVITEs of ours that come back to us."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.sip.message import Request

from .world import SITE, Phone, World

CARRIER, OTHER = "198.51.100.1", "198.51.100.2"
TWO_TRUNKS = SITE.replace("trunks:", f"trunks:\n  other: {{from: {OTHER}}}", 1).replace(
    "dial_plan:", 'dial_plan:\n  - {match: "7XX", to: trunk carrier, from: anyone}', 1
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(TWO_TRUNKS, tmp_path)


def returned(proxy: Phone, request: Request, *, forwards: int = 60, without_via: bool = False) -> str:
    """What a proxy makes of our INVITE that it sends back to us: its own Via above, Max-Forwards one less."""
    vias = [f"SIP/2.0/UDP {proxy.host}:5060;branch={proxy.branch()}"]
    vias += [] if without_via else request.all("Via")
    lines = "".join(f"Via: {via}\r\n" for via in vias) + f"Max-Forwards: {forwards}\r\n"
    lines += "".join(f"{name}: {value}\r\n" for name, value in request.headers if name not in ("Via", "Max-Forwards"))
    text = f"INVITE sip:700@192.0.2.100 SIP/2.0\r\n{lines}\r\n{request.body.decode()}"
    proxy.send(text)
    return text


def test_the_same_call_again_is_a_loop(world: World) -> None:
    carrier = world.phone(CARRIER)
    first = carrier.invite("700", user="0123")
    out = next_invite(carrier)
    again = returned(carrier, out)
    refusal = carrier.response(482)
    carrier.ack_refusal(again, refusal)
    assert world.counters["calls_refused_482"] == 1
    carrier.answer(out, 482)
    carrier.request("ACK")
    carrier.ack_refusal(first, carrier.response(482))
    world.run(60)
    assert not world.leaks() and len(world.switch.loops) == 0


def test_coming_back_once_is_none_and_twice_is(world: World) -> None:
    """By another trunk out to the carrier, which thinks the number is ours: the first time that is a new caller."""
    other, carrier = world.phone(OTHER), world.phone(CARRIER)
    first = other.invite("700", user="0123")
    out = next_invite(carrier)
    second = returned(carrier, out)
    out_again = next_invite(carrier)
    assert out_again.call_id != out.call_id and len(world.switch.loops) == 1
    third = returned(carrier, out_again)
    carrier.ack_refusal(third, carrier.response(482))
    carrier.answer(out_again, 482)
    carrier.request("ACK")
    carrier.ack_refusal(second, carrier.response(482))
    carrier.answer(out, 482)
    carrier.request("ACK")
    other.ack_refusal(first, other.response(482))
    world.run(60)
    assert not world.leaks() and len(world.switch.loops) == 0


def test_a_loop_without_our_via_ends_by_max_forwards(world: World) -> None:
    """Another back-to-back user agent leaves nothing of ours in it but that number."""
    carrier = world.phone(CARRIER)
    carrier.invite("700", user="0123")
    for turn in range(3):
        out = next_invite(carrier)
        assert out.get("Max-Forwards") == ("69", "9", "0")[turn]
        returned(carrier, out, forwards=(10, 1, 0)[turn], without_via=True)
    assert carrier.response(483) and world.counters["calls_refused_483"] == 1


def next_invite(phone: Phone) -> Request:
    """The next INVITE, past what is only on its way."""
    while True:
        message = phone.take()
        if isinstance(message, Request):
            assert message.method == "INVITE"
            return message
        assert message.status < 200
