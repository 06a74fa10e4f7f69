"""A call that fails over to a gateway of the other address family, or by another interface, offers the address that
this one can send to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.transport.local import Local
from tests.call.test_trunk_calls import call_out
from tests.call.world import SITE, World, sdp

FOUR, SIX = "198.51.100.1", "2001:db8:1::1"
GATEWAYS = f"""
  carrier:
    from: [{FOUR}, "{SIX}", 10.0.0.1]
    gateways: [FIRST, {{uri: SECOND, priority: 1}}]
"""
LINE = "  carrier: {from: 198.51.100.1, gateway: sip:198.51.100.1, login: {username: us, password: trunk-pw}}\n"
URIS = {FOUR: f"sip:{FOUR}", SIX: f'"sip:[{SIX}]"', "10.0.0.1": "sip:10.0.0.1"}


def world_of(folder: Path, first: str, second: str) -> World:
    text = SITE.replace(LINE, GATEWAYS.replace("FIRST", URIS[first]).replace("SECOND", URIS[second]).lstrip("\n"))
    world = World(text.replace("[udp:192.0.2.100:5060]", '[udp:192.0.2.100:5060, "udp:[2001:db8::100]:5060"]'), folder)
    world.switch.local = Local(
        {"udp": [("192.0.2.100", 5060), ("2001:db8::100", 5060), ("10.0.0.9", 5060)]},
        ["203.0.113.1", "2001:db8:ffff::1"],
    )
    return world


@pytest.mark.parametrize(("first", "second"), [(FOUR, SIX), (SIX, FOUR), (FOUR, "10.0.0.1")])
@pytest.mark.parametrize("how", ["503", "silence"])
def test_the_offer_follows(tmp_path: Path, first: str, second: str, how: str) -> None:
    world = world_of(tmp_path, first, second)
    caller, one, two = world.phone("192.0.2.77"), world.phone(first), world.phone(second)
    invite = call_out(world, caller, "0123456789")
    offer = one.request("INVITE")
    assert _address(offer.body) == _seen_from(first)
    if how == "503":
        one.answer(offer, 503)
        one.request("ACK")
    else:
        world.run(4.1)
        one.inbox.clear()
    again = two.request("INVITE")
    assert _address(again.body) == _seen_from(second)
    assert again.body.count(_seen_from(second).split()[1].encode()) == 2  # o= and c=
    two.answer(again, 200, body=sdp(41000, host="192.0.2.1"))
    two.request("ACK")
    tag = _last(caller, 200)
    caller.follow("ACK", invite, tag, cseq=2)
    caller.follow("BYE", invite, tag, cseq=3)
    two.answer(two.request("BYE"), 200)
    world.run(100)
    assert world.leaks() == {}


def test_who_could_not_send_to_the_media_plane_is_left_out(tmp_path: Path) -> None:
    world = world_of(tmp_path, SIX, FOUR)
    world.switch.media_host = "192.0.2.100"
    caller, six, four = world.phone("192.0.2.77"), world.phone(SIX), world.phone(FOUR)
    invite = call_out(world, caller, "0123456789")
    assert not six.inbox and world.counters["hops_without_media_address"] == 1
    request = four.request("INVITE")
    four.answer(request, 503)
    four.request("ACK")
    caller.ack_refusal(invite, caller.response(500))
    world.run(100)
    assert world.leaks() == {}


def test_nobody_is_left(tmp_path: Path) -> None:
    world = world_of(tmp_path, SIX, SIX)
    world.switch.media_host = "192.0.2.100"
    caller, six = world.phone("192.0.2.77"), world.phone(SIX)
    call_out(world, caller, "0123456789")
    world.run(0.1)
    assert not six.inbox and world.counters["calls_without_media_address"] == 1
    assert world.named("CallEnded")[0].status == 488  # type: ignore[attr-defined]
    world.run(100)
    assert world.leaks() == {}


def _seen_from(peer: str) -> str:
    if peer == "10.0.0.1":
        return "IP4 192.0.2.100"  # near: no advertised address
    return "IP6 2001:db8:ffff::1" if ":" in peer else "IP4 203.0.113.1"


def _address(body: bytes) -> str:
    line = next(line for line in body.decode().splitlines() if line.startswith("c="))
    return line.removeprefix("c=IN ")


def _last(caller, status: int) -> str:  # type: ignore[no-untyped-def]
    while len(caller.inbox) > 1:
        caller.inbox.pop(0)
    return caller.response(status).to_tag or ""
