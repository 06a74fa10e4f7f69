"""Hold and resume: who hears music, who hears whom (RFC 3264 8.4, RFC 5359 2.1, 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.calls import Calls
from pbx.sip.message import Request

from .test_early_media import the_call
from .test_flows import DID, hang_up, talking
from .world import SITE, Phone, World, hears_music, sdp

HOLD = sdp(direction="sendonly", host="198.51.100.1")
RESUME = sdp(host="198.51.100.1")


def site(calls: str) -> str:
    return SITE.replace("calls: {hold: pass}", f"calls: {calls}")


@pytest.fixture
def music(tmp_path: Path) -> Iterator[World]:
    """A site that plays music to who is held, as sites do."""
    world = World(site("{}"), tmp_path)
    yield world
    world.run(100)
    assert world.leaks() == {}


def reinvite(phone: Phone, invite: str, tag: str, cseq: int, body: str) -> bytes:
    again = phone.invite(DID, to_tag=tag, cseq=cseq, body=body)
    ok = phone.response(200)
    phone.follow("ACK", again, tag, cseq=cseq)
    return ok.body


def heard_by(world: World) -> tuple[object, object]:
    """What caller and callee hear: a prompt's name, "other", or None."""
    call = the_call(world)
    assert call.connected is not None and call.connected.winner is not None
    found: list[object] = []
    for leg in (call.caller, call.connected.winner):
        port = leg.audio.port
        assert port is not None
        playing = world.plane.playing.get(port.number)
        found.append(playing.prompts[0] if playing else "other" if port.number in world.plane.bridged else None)
    return found[0], found[1]


@pytest.mark.parametrize("hold", [HOLD, sdp(direction="inactive"), sdp(host="0.0.0.0")])
def test_who_is_held_hears_music_and_his_phone_is_not_asked(music: World, hold: str) -> None:
    carrier, invite, tag, phone, _ = talking(music)
    answer = reinvite(carrier, invite, tag, 2, hold)
    assert b"a=recvonly" in answer or b"a=inactive" in answer
    assert heard_by(music)[1] == "music"
    assert not phone.inbox
    assert b"a=sendrecv" in reinvite(carrier, invite, tag, 3, RESUME)
    assert heard_by(music) == ("other", "other")
    assert not phone.inbox
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_hold_by_update(music: World) -> None:
    carrier, invite, tag, phone, _ = talking(music)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=HOLD)
    carrier.response(200)
    assert heard_by(music)[1] == "music"
    carrier.follow("UPDATE", invite, tag, cseq=3, body=RESUME)
    carrier.response(200)
    assert heard_by(music) == ("other", "other")
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_a_refresh_while_held_does_not_begin_the_music_anew(music: World) -> None:
    carrier, invite, tag, phone, _ = talking(music)
    reinvite(carrier, invite, tag, 2, HOLD)
    reinvite(carrier, invite, tag, 3, HOLD)
    assert len([command for command in music.plane.commands if command[0] == "play"]) == 1
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_both_hold_and_resume_one_after_the_other(music: World) -> None:
    carrier, invite, tag, phone, request = talking(music)
    reinvite(carrier, invite, tag, 2, HOLD)
    held_by(phone, request, 1, sdp(41000, direction="sendonly", host=phone.host))
    assert heard_by(music) == ("music", "music")
    reinvite(carrier, invite, tag, 3, RESUME)
    assert heard_by(music)[0] == "music"  # still held by the phone
    held_by(phone, request, 2, sdp(41000, host=phone.host))
    assert heard_by(music) == ("other", "other")
    hang_up(carrier, invite, tag, phone, cseq=4)


def held_by(phone: Phone, request: Request, cseq: int, body: str) -> None:
    text = phone.back("INVITE", request, cseq=cseq, body=body)
    phone.response(200)
    phone.ack_answer(text)


def test_resume_by_an_offer_of_ours(music: World) -> None:
    """A re-INVITE without SDP, whose ACK says what the peer wants."""
    carrier, invite, tag, phone, _ = talking(music)
    reinvite(carrier, invite, tag, 2, HOLD)
    again = carrier.invite(DID, to_tag=tag, cseq=3, body="")
    carrier.response(200)
    carrier.follow("ACK", again, tag, cseq=3, body=RESUME)
    assert heard_by(music) == ("other", "other")
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_the_holder_hangs_up(music: World) -> None:
    carrier, invite, tag, phone, _ = talking(music)
    reinvite(carrier, invite, tag, 2, HOLD)
    hang_up(carrier, invite, tag, phone, cseq=3)
    assert not music.plane.playing


def test_a_call_that_is_answered_on_hold(music: World) -> None:
    """A gateway that answers sendonly: the caller hears music from the first moment."""
    carrier, phone = music.phone("198.51.100.1"), music.phone("192.0.2.10")
    music.register("101", phone)
    invite = carrier.invite(DID)
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="sendonly", host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    assert heard_by(music)[0] == "music"
    hang_up(carrier, invite, tag, phone)


def test_a_waiting_caller_may_hold(music: World) -> None:
    music.switch.handlers["extension"] = hears_music
    carrier = music.phone("198.51.100.1")
    invite = carrier.invite(DID)
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    reinvite(carrier, invite, tag, 2, HOLD)
    assert music.plane.playing
    carrier.follow("BYE", invite, tag, cseq=3)
    carrier.response(200)


@pytest.mark.parametrize(
    ("calls", "prompts", "heard"),
    [
        ({}, set(), "other"),  # the holder's own music
        ({"hold_music": "jingle"}, {"jingle", "music"}, "jingle"),
        ({"hold_music": "gone"}, {"music"}, "other"),  # taken away while the server runs: counted
        ({"hold": "pass"}, {"music"}, "other"),
    ],
)
def test_which_music(tmp_path: Path, calls: dict[str, str], prompts: set[str], heard: str) -> None:
    world = World(site("{}"), tmp_path)
    world.plane.prompts = prompts
    world.switch.rules.site = world.site.model_copy(update={"calls": Calls.model_validate(calls)})
    carrier, invite, tag, phone, _ = talking(world)
    again = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    if calls.get("hold") == "pass":
        phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly", host=phone.host))
        phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", again, tag, cseq=2)
    assert heard_by(world)[1] == heard
    assert world.counters["media_unknown_prompts"] == ("gone" in calls.values())
    hang_up(carrier, invite, tag, phone, cseq=3)
    world.run(100)
    assert world.leaks() == {}


def test_hold_and_its_cancel_cross(world: World) -> None:
    """The other phone has taken the hold, its 200 crosses the CANCEL: it is resumed again."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    phone.answer(passed, 100)
    carrier.follow("CANCEL", hold, tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.answer(phone.request("CANCEL"), 200)
    phone.request("ACK")
    back = phone.request("INVITE")
    assert b"a=sendrecv" in back.body
    phone.answer(back, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    assert heard_by(world) == ("other", "other")
    hang_up(carrier, invite, tag, phone, cseq=4)
