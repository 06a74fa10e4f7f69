"""The media worker dies: calls go on with ports of another one, if their peers take it."""

from __future__ import annotations

import pytest

from media.plane import MediaPort
from pbx.call.call import Call
from pbx.call.events import CallEnded, LegEnded

from .test_early_media import the_call
from .test_flows import DID, hang_up, talking
from .test_review import Recorder
from .world import Phone, World, sdp


def moved(phone: Phone, world: World, port: int) -> int:
    """The phone is asked to send elsewhere, and does; its new port of ours."""
    again = phone.request("INVITE")
    ours = int(again.body.decode().partition("m=audio ")[2].split()[0])
    phone.answer(again, 200, body=sdp(port, host=phone.host))
    phone.request("ACK")
    return ours


def ports(call: Call) -> list[MediaPort | None]:
    assert call.connected is not None and call.connected.winner is not None
    return [call.caller.audio.port, call.connected.winner.audio.port]


def test_both_sides_are_asked_to_send_elsewhere(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    before = [port.number for port in ports(the_call(world)) if port is not None]
    world.plane.kill()
    assert not world.plane.bridged
    world.run()
    assert len(world.plane.bridged) == 2  # before anybody answers: what we send needs no leave
    mine, theirs = moved(carrier, world, 40000), moved(phone, world, 41000)
    assert {mine, theirs} == set(world.plane.bridged) and not {mine, theirs} & set(before)
    assert sorted(remote.port for remote in world.plane.remotes.values()) == [40000, 41000]
    assert world.counters["legs_media_lost"] == world.counters["legs_reanchored"] == 2
    hang_up(carrier, invite, tag, phone)


def test_the_description_is_of_a_later_version(world: World) -> None:
    """RFC 3264 8: or the peer may take it for the old one."""
    carrier, invite, tag, phone, _ = talking(world)
    world.plane.kill()
    world.run()

    def origin(body: bytes) -> list[str]:
        return body.decode().partition("o=")[2].split()[:3]

    again = carrier.request("INVITE")
    assert int(origin(again.body)[2]) > 1
    carrier.answer(again, 200, body=sdp(host=carrier.host))
    carrier.request("ACK")
    moved(phone, world, 41000)
    hang_up(carrier, invite, tag, phone)


@pytest.mark.parametrize("status", [488, 500, 481])
def test_a_peer_that_refuses_is_hung_up(world: World, status: int) -> None:
    carrier, _, _, phone, _ = talking(world)
    world.plane.kill()
    world.run()
    moved(phone, world, 41000)
    carrier.answer(carrier.request("INVITE"), status)
    carrier.request("ACK")
    carrier.answer(carrier.request("BYE"), 200)
    phone.answer(phone.request("BYE"), 200)
    (ended,) = world.named("CallEnded")
    assert isinstance(ended, CallEnded) and ended.cause == ("dialog gone" if status == 481 else "media lost")


def test_while_there_is_no_worker_it_is_tried_again(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    world.plane.down = True
    world.plane.kill()
    world.run(3.0)
    assert not carrier.inbox and not phone.inbox
    world.plane.down = False
    world.run(0.2)
    moved(carrier, world, 40000), moved(phone, world, 41000)
    hang_up(carrier, invite, tag, phone)


def test_without_a_worker_the_call_ends(world: World) -> None:
    carrier, _, _, phone, _ = talking(world)
    world.plane.down = True
    world.plane.kill()
    world.run(11.0)
    carrier.answer(carrier.request("BYE"), 200)
    phone.answer(phone.request("BYE"), 200)
    world.plane.down = False
    assert [one.cause for one in world.named("LegEnded") if isinstance(one, LegEnded)] == ["media lost"]


def test_a_change_on_its_way_is_waited_for(world: World) -> None:
    """RFC 3261 14.1: no re-INVITE while another one has no final response."""
    carrier, invite, tag, phone, _ = talking(world)
    world.plane.kill()
    world.run()
    moved(phone, world, 41000)
    first = carrier.request("INVITE")
    world.plane.kill()
    world.run(1.0)
    assert first.branch and all(first.branch.encode() in one for one in carrier.inbox)  # sent again, no other
    carrier.inbox.clear()
    carrier.answer(first, 200, body=sdp(host=carrier.host))
    carrier.request("ACK")
    phone.inbox[:] = phone.inbox[:1]  # it is sent again, too
    moved(phone, world, 41000)
    world.run(0.2)
    moved(carrier, world, 40000)
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone)


def test_what_the_caller_hears_goes_on(world: World) -> None:
    world.plane.prompts |= {"music", "welcome"}
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID)
    call = the_call(world)
    controller = call.controller = Recorder()
    phone.answer(phone.request("INVITE"), 486)
    phone.request("ACK")
    call.play(("music",), loop=True)
    carrier.follow("ACK", invite, carrier.response(200).to_tag or "")

    def lost() -> int:
        world.plane.kill()
        world.run()
        return moved(carrier, world, 40000)

    ours = lost()
    assert world.plane.playing[ours].prompts == ("music",) and world.plane.playing[ours].loop
    call.play(("welcome",))
    ours = lost()
    assert controller.heard == ["failed", "played"] and ours not in world.plane.playing
    call.echo()
    assert lost() in world.plane.echoing
    call.silence()
    assert lost() not in {*world.plane.echoing, *world.plane.playing}
    call.hang_up("enough")
    carrier.answer(carrier.request("BYE"), 200)
