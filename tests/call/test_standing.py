"""Calls that outlive the server: kept by one, taken up by the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.schema import Destination
from pbx.call.call import Call
from pbx.call.events import CallRevived
from pbx.call.left_behind import RINGS_S
from pbx.call.originate import call_from
from pbx.call.session_timer import Agreed
from pbx.call.standing import go_on, keep, revive
from pbx.sip.message import Request

from .test_early_media import the_call
from .test_flows import DID, hang_up, ringing, talking
from .test_reanchor import moved
from .test_review import Recorder
from .world import Phone, World, sdp


def waits(call: Call, name: str) -> None:
    call.play(("music",), loop=True)


class Lives:
    """One server after the other; phones and media workers outlive them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.world = World(folder=folder)

    def kept(self) -> list[str]:
        """What the store has of each call that stands."""
        found = [keep(call) for call in self.world.switch.calls()]
        return [json.dumps(one) for one in found if one is not None]

    def next(self, *, worker: bool = True, down_s: float = 0.0) -> World:
        """The server dies (without its media worker, unless that dies too) and another takes up what it kept."""
        kept, old = self.kept(), self.world
        new = self.world = World(folder=self._folder)
        new.clock.time = old.clock.time + down_s
        if worker:
            old.plane.restart()
            new.plane = new.switch.plane = old.plane
        new.phones = old.phones
        for phone in new.phones.values():
            phone.world = new
        new.switch.handlers["ivr"] = waits
        revived = [(revive(new.switch, one, new.clock.time), one) for one in map(json.loads, kept)]
        go_on(new.switch, [(call, one) for call, one in revived if call is not None])
        return new


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    lives = Lives(tmp_path)
    yield lives
    lives.world.run(100)
    assert lives.world.leaks() == {}
    assert lives.kept() == []


def test_two_who_talk_notice_nothing(lives: Lives) -> None:
    carrier, invite, tag, phone, _ = talking(lives.world)
    before = the_call(lives.world)
    before.set_attributes({"basket": 2300})
    bridged = dict(lives.world.plane.bridged)
    world = lives.next()
    call = the_call(world)
    assert (call.id, call.attributes, call.started_at) == (before.id, {"basket": 2300}, before.started_at)
    assert call.connected_at == before.connected_at and call.view() == before.view()
    assert world.plane.bridged == bridged and not carrier.inbox and not phone.inbox
    assert [event.call_id for event in world.events if isinstance(event, CallRevived)] == [call.id]
    assert world.admission.calls == 1 and world.admission.trunk_calls("carrier") == 1
    assert world.switch.extension_legs("101") == 1
    hang_up(carrier, invite, tag, phone)


def test_either_side_may_hang_up_and_hold(lives: Lives) -> None:
    carrier, _, tag, phone, request = talking(lives.world)
    lives.next()
    world = lives.next()  # and again
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    assert b"a=sendonly" in passed.body and passed.cseq > 2000  # more than it may have sent before
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    assert b"a=recvonly" in carrier.response(200).body
    carrier.follow("ACK", hold, tag, cseq=2)
    phone.bye(request, cseq=1)
    phone.response(200)
    carrier.answer(carrier.request("BYE"), 200)
    assert not list(world.switch.calls())


def test_what_is_said_next_is_of_a_later_version(lives: Lives) -> None:
    """RFC 3264 8."""
    carrier, invite, tag, phone, _ = talking(lives.world)
    leg = the_call(lives.world).caller
    session = int(leg.audio.keep()["session_id"])
    world = lives.next()
    again = carrier.invite(DID, to_tag=tag, cseq=2)
    origin = carrier.response(200).body.decode().partition("o=- ")[2].split()
    assert int(origin[0]) == session and int(origin[1]) > 1
    carrier.follow("ACK", again, tag, cseq=2)
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_without_its_worker_the_peers_are_asked_to_send_elsewhere(lives: Lives) -> None:
    carrier, invite, tag, phone, _ = talking(lives.world)
    world = lives.next(worker=False)
    world.run()
    moved(carrier, world, 40000), moved(phone, world, 41000)
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone)


def test_a_caller_who_waited_goes_where_he_waited(lives: Lives) -> None:
    carrier, phone = lives.world.phone("198.51.100.1"), lives.world.phone("192.0.2.10")
    lives.world.register("101", phone)
    invite = carrier.invite(DID)
    call = the_call(lives.world)
    call.controller = Recorder()
    phone.answer(phone.request("INVITE"), 486)
    phone.request("ACK")
    call.play(("music",), loop=True)
    carrier.follow("ACK", invite, carrier.response(200).to_tag or "")
    call.destination = call.destination._replace(kind="ivr", name="welcome")
    world = lives.next()
    (playing,) = world.plane.playing.values()
    assert playing.prompts == ("music",)
    the_call(world).hang_up("enough")
    carrier.answer(carrier.request("BYE"), 200)


def test_session_timers_go_on(lives: Lives) -> None:
    carrier, _, _, phone, _ = talking(lives.world)
    agreed = the_call(lives.world).caller.agreed
    assert isinstance(agreed, Agreed)
    world = lives.next()
    assert the_call(world).caller.agreed == agreed
    world.run(agreed.expires_s / 2)
    assert carrier.request("INVITE").to_tag
    carrier.inbox.clear()
    phone.inbox.clear()
    world.run(100)  # nobody answers: gone
    carrier.inbox.clear()


def test_a_call_that_rings_does_not_stand_and_its_phones_are_let_go_of(lives: Lives) -> None:
    _, _, [(phone, request)] = ringing(lives.world)
    world = lives.next()
    again = phone.request("INVITE")
    assert (again.branch, again.call_id, again.body) == (request.branch, request.call_id, b"")
    phone.answer(again, 180)
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(again, 487)
    phone.request("ACK")
    assert not list(world.switch.calls()) and not phone.inbox


def test_of_several_phones_those_that_ring_are_let_go_of(lives: Lives) -> None:
    """Not the one that was busy: it would take the INVITE for a new one."""
    _, _, [(busy, refused), (phone, request)] = ringing(lives.world, phones=2)
    busy.answer(refused, 486)
    busy.request("ACK")
    lives.next()
    again = phone.request("INVITE")
    assert again.branch == request.branch and not busy.inbox
    phone.answer(again, 486)
    phone.request("ACK")


def test_whoever_rings_is_kept_and_who_rings_no_more_is_not(lives: Lives) -> None:
    changed: list[Call] = []
    lives.world.switch.on_standing = changed.append
    carrier, invite, [(phone, request)] = ringing(lives.world)
    call = the_call(lives.world)
    assert changed == [call] and keep(call) is not None
    carrier.follow("CANCEL", invite)
    assert len(changed) > 1 and keep(call) is None
    carrier.inbox.clear()
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    carrier.send(invite.replace("INVITE sip", "ACK sip", 1).replace(" INVITE\r\n", " ACK\r\n"))


@pytest.mark.parametrize("change", [{"form": 99}, {"caller": {}}, {"left": [{}]}, {"destination": [1, 2, 3]}])
def test_what_makes_no_sense_is_told(lives: Lives, change: dict[str, object]) -> None:
    carrier, invite, tag, phone, _ = talking(lives.world)
    (kept,) = lives.kept()
    with pytest.raises((KeyError, TypeError, ValueError)):
        revive(World().switch, json.loads(kept) | change, 0.0)
    hang_up(carrier, invite, tag, phone)


def test_half_a_call_leaves_no_port(lives: Lives) -> None:
    """The caller's port was taken over when it shows that the callee makes no sense."""
    carrier, invite, tag, phone, _ = talking(lives.world)
    (kept,) = lives.kept()
    half = json.loads(kept)
    del half["talking"]["leg"]["dialog"]["call_id"]
    new, plane = World(), lives.world.plane
    plane.restart()
    new.plane = new.switch.plane = plane
    with pytest.raises(TypeError):
        revive(new.switch, half, 0.0)
    assert len(plane.leased) == 1 and len(plane.adopted()) == 1  # the callee's, which the grace ends
    assert not new.clock.pending() and not new.leaks().get("calls")
    hang_up(carrier, invite, tag, phone)


def rung(lives: Lives) -> tuple[Phone, str, str, Phone, Request]:
    """The carrier's caller hears music while 101 rings."""
    carrier, phone = lives.world.phone("198.51.100.1"), lives.world.phone("192.0.2.10")
    lives.world.register("101", phone)
    invite = carrier.invite(DID)
    call = the_call(lives.world)
    call.controller = Recorder()
    phone.answer(phone.request("INVITE"), 486)
    phone.request("ACK")
    call.play(("music",), loop=True)
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    call.destination = call.destination._replace(kind="ivr", name="welcome")
    call.dial(Destination("extension", "101"), ring_s=20)
    request = phone.request("INVITE")
    phone.answer(request, 180)
    return carrier, invite, tag, phone, request


def test_a_phone_that_rang_rings_no_more(lives: Lives) -> None:
    carrier, invite, tag, phone, request = rung(lives)
    lives.next()
    again = phone.request("INVITE")  # RFC 3261 17.2.3: the same once more
    assert (again.branch, again.cseq, again.call_id) == (request.branch, request.cseq, request.call_id)
    assert again.get("From") == request.get("From") and not again.body
    phone.answer(again, 180)
    cancel = phone.request("CANCEL")
    assert (cancel.branch, cancel.cseq) == (request.branch, request.cseq)
    phone.answer(cancel, 200)
    phone.answer(again, 487)
    phone.request("ACK")
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)
    lives.next()
    assert not phone.inbox


def test_long_after_no_phone_rings_any_more_nor_is_one_rung_for_that(lives: Lives) -> None:
    carrier, invite, tag, phone, _ = rung(lives)
    lives.next(down_s=RINGS_S)
    assert not phone.inbox
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)


def test_a_phone_that_was_answered_meanwhile_is_hung_up(lives: Lives) -> None:
    carrier, invite, tag, phone, _ = rung(lives)
    lives.next()
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)


def test_who_had_answered_and_did_not_talk_yet_is_hung_up(lives: Lives) -> None:
    """An agent who hears a whisper, or his customer's phone ring."""
    carrier, invite, tag, phone, request = rung(lives)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    world = lives.next()
    bye = phone.request("BYE")
    assert bye.call_id == request.call_id and bye.cseq > request.cseq
    phone.answer(bye, 200)
    assert not phone.inbox and the_call(world).connected is None
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)


def test_a_call_with_nobody_in_it_yet_leaves_only_whom_it_rang(lives: Lives) -> None:
    """Click to dial, a callback."""
    phone = lives.world.phone("192.0.2.10")
    lives.world.register("101", phone)
    switch, now = lives.world.switch, lives.world.clock.time
    call = call_from(switch, "101", "102", "101", now)
    assert keep(call) is None
    switch.begin(call, now)
    call.dial(Destination("extension", "101"), ring_s=20)
    phone.answer(phone.request("INVITE"), 180)
    world = lives.next()
    assert not list(world.switch.calls())
    phone.answer(phone.request("INVITE"), 486)
    phone.request("ACK")
    assert not phone.inbox


def test_no_keys_of_encrypted_sound_are_kept(lives: Lives) -> None:
    carrier, invite, tag, phone, _ = talking(lives.world)
    (kept,) = lives.kept()
    assert "crypto" not in kept and json.loads(kept)["caller"]["audio"]["agreed"]["security"] is None
    hang_up(carrier, invite, tag, phone)


def test_what_changes_is_kept_anew(lives: Lives) -> None:
    seen: list[Call] = []
    lives.world.switch.on_standing = seen.append
    carrier, invite, tag, phone, _ = talking(lives.world)
    assert seen[-1:] == [the_call(lives.world)] and keep(seen[-1]) is not None  # when the ACK has come
    call, count = seen[-1], len(seen)
    hang_up(carrier, invite, tag, phone)
    assert len(seen) > count and seen[-1] is call and keep(call) is None
