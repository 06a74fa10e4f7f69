"""What a review of the legs found: answers that nobody gives, questions without end."""

from __future__ import annotations

import pytest

from pbx.sip.digest import DigestServer, Outcome

from .otherwise import Otherwise
from .test_early_media import called
from .test_flows import DID, hang_up, ringing, talking
from .test_provisional import SUPPORTED, rack_of
from .test_session_timer import queue_call
from .test_trunk_calls import authenticated, call_out
from .world import World, sdp

HOLD = sdp(direction="sendonly")


# --- what is passed on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["asked", "waiting"])
@pytest.mark.parametrize("status", [200, 487])
def test_a_hold_has_its_answer_though_the_other_side_is_gone(world: World, when: str, status: int) -> None:
    world.switch.handlers["extension"] = Otherwise(on_ended=lambda call, attempt: None).start
    carrier, invite, tag, phone, request = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    if when == "waiting":
        phone.answer(passed, 491)
        phone.request("ACK")
    phone.bye(request)
    phone.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    if when == "asked":
        phone.answer(passed, status, body=sdp(41000, direction="recvonly") if status == 200 else "")
        phone.request("ACK")
    hold = carrier.invite(DID, to_tag=tag, cseq=3, body=HOLD)
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=3)
    carrier.follow("BYE", invite, tag, cseq=4)
    carrier.response(200)


def test_an_update_is_answered_before_its_transaction_is_over(world: World) -> None:
    """RFC 3311 5.2: 504 when a person has to be asked; what is taken after that is taken back."""
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    phone.answer(passed, 180, body="")
    world.run(10)
    assert carrier.response(504)
    cancel = phone.request("CANCEL")
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.answer(cancel, 200)
    phone.request("ACK")
    back = phone.request("INVITE")
    assert b"a=sendrecv" in back.body
    phone.answer(back, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    hang_up(carrier, invite, tag, phone, cseq=3)


# --- session timers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["0", "1", "60"])
def test_a_peer_without_timers_that_says_a_tiny_interval_is_not_asked_all_the_time(world: World, said: str) -> None:
    """RFC 4028 4: no interval below 90 s, whoever wrote it."""
    carrier, invite, ok = queue_call(world, f"Session-Expires: {said}\r\n")
    world.run(40)
    assert not carrier.inbox
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)


def test_a_refresh_that_had_to_wait_is_made_in_time(world: World) -> None:
    """The peer hangs up some 32 s before the interval ends."""
    carrier, invite, ok = queue_call(world)
    tag = ok.to_tag or ""
    world.run(900)
    first = carrier.request("INVITE")
    carrier.answer(first, 500)
    carrier.request("ACK")
    world.run(225)
    again = carrier.request("INVITE")
    carrier.answer(again, 200, body=sdp(host=carrier.host))
    carrier.request("ACK")
    assert not carrier.inbox
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)


# --- 401, 422 -------------------------------------------------------------------------------------------------------


def test_a_carrier_that_asks_for_a_login_and_for_a_longer_interval(world: World) -> None:
    """What follows a 422 is asked for its login as the first one was."""
    anna, carrier = authenticated(world), world.phone("198.51.100.1")
    invite = call_out(world, anna, "0199")
    server = DigestServer("carrier", b"c" * 32, lambda user: "trunk-pw" if user == "us" else None)
    lines = server.challenge_lines(world.clock.time)
    carrier.answer(carrier.request("INVITE"), 401, extra=lines)
    carrier.request("ACK")
    carrier.answer(carrier.request("INVITE"), 422, extra="Min-SE: 3600\r\n")
    carrier.request("ACK")
    third = carrier.request("INVITE")
    assert third.get("Session-Expires") == "3600"
    if third.get("Authorization") is None:
        carrier.answer(third, 401, extra=lines)
        carrier.request("ACK")
        third = carrier.request("INVITE")
    verdict = server.verify("INVITE", third.all("Authorization"), world.clock.time, third.body)
    assert verdict.outcome is Outcome.ACCEPTED
    carrier.answer(third, 486)
    carrier.request("ACK")
    anna.ack_refusal(invite, anna.response(486))


def test_intervals_that_grow_for_ever(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    for least_s in range(2000, 2100):
        phone.answer(request, 422, extra=f"Min-SE: {least_s}\r\n")
        phone.request("ACK")
        if not phone.inbox:
            break
        request = phone.request("INVITE")
    assert least_s < 2010
    carrier.ack_refusal(invite, carrier.response(500))


def test_the_ack_has_the_credentials_of_its_invite(world: World) -> None:
    """13.2.2.4"""
    anna, carrier = authenticated(world), world.phone("198.51.100.1")
    invite = call_out(world, anna, "0199")
    server = DigestServer("carrier", b"c" * 32, lambda user: "trunk-pw" if user == "us" else None)
    carrier.answer(carrier.request("INVITE"), 401, extra=server.challenge_lines(world.clock.time))
    carrier.request("ACK")
    second = carrier.request("INVITE")
    carrier.answer(second, 200, body=sdp(41000, host=carrier.host))
    ack = carrier.request("ACK")
    assert second.get("Authorization") and ack.get("Authorization") == second.get("Authorization")
    tag = anna.response(200).to_tag or ""
    anna.follow("ACK", invite, tag, cseq=2)
    anna.follow("BYE", invite, tag, cseq=3)
    anna.response(200)
    carrier.answer(carrier.request("BYE"), 200)


@pytest.mark.parametrize("answered", [True, False])
def test_an_invitation_expires(world: World, answered: bool) -> None:
    """13.3.1"""
    carrier, invite, [(phone, request)] = called(world, extra="Expires: 20\r\n")
    phone.answer(request, 180)
    carrier.response(180)
    world.run(19)
    if answered:
        phone.answer(request, 200, body=sdp(41000, host=phone.host))
        phone.request("ACK")
        tag = carrier.response(200).to_tag or ""
        carrier.follow("ACK", invite, tag)
        world.run(100)
        hang_up(carrier, invite, tag, phone)
        return
    world.run(1)
    carrier.ack_refusal(invite, carrier.response(487))
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")
    ended = world.named("CallEnded")[0]
    assert (ended.status, ended.cause) == (487, "invitation expired")  # type: ignore[attr-defined]


# --- what the caller is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "told"), [(405, 500), (415, 488), (420, 500), (421, 500), (422, 500), (481, 500), (491, 480), (494, 500)]
)
def test_what_is_between_a_phone_and_us_is_not_told(world: World, status: int, told: int) -> None:
    """The caller's request had nothing to do with it, and the header that must come with it is not his."""
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, status, tag=phone.host)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(told))


def test_a_call_that_loses_its_sound_before_it_is_answered(world: World) -> None:
    """What the record says is what the caller was told."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    world.plane.kill()
    refusal = carrier.take()
    carrier.ack_refusal(invite, refusal)  # type: ignore[arg-type]
    assert world.named("CallEnded")[0].status == refusal.status  # type: ignore[attr-defined, union-attr]
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")


def test_an_answer_in_a_prack_that_can_not_be_read(world: World) -> None:
    """The session has no description: the call can't be."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, extra=SUPPORTED, body="")
    request = phone.request("INVITE")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    carrier.follow("PRACK", invite, said.to_tag or "", cseq=2, extra=rack_of(said), body=sdp(types="18"))
    carrier.response(488)
    carrier.ack_refusal(invite, carrier.response(488))
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")


# --- bodies ---------------------------------------------------------------------------------------------------------


def _among_others(text: str) -> str:
    return (
        "--b\r\nContent-Type: application/isup;version=x\r\nContent-Disposition: signal;handling=optional\r\n\r\n"
        f"\x01\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{text}\r\n--b--\r\n"
    )


def test_descriptions_among_other_parts(world: World) -> None:
    """RFC 5621 3.1: everybody takes multipart/mixed. In an INVITE, its 183 and 200, and an UPDATE."""
    kind = "multipart/mixed;boundary=b"
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body=_among_others(sdp(45000, host=carrier.host)), kind=kind)
    request = phone.request("INVITE")
    assert request.get("Content-Type") == "application/sdp" and b"isup" not in request.body
    phone.answer(request, 183, body=_among_others(sdp(41000, host=phone.host)), kind=kind)
    assert b"m=audio" in carrier.response(183).body
    phone.answer(request, 200, body=_among_others(sdp(41000, host=phone.host)), kind=kind)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    assert {remote.port for remote in world.plane.remotes.values()} == {41000, 45000}
    carrier.follow("UPDATE", invite, tag, cseq=2, body=_among_others(sdp(46000, host=carrier.host)), kind=kind)
    carrier.response(200)
    assert {remote.port for remote in world.plane.remotes.values()} == {41000, 46000}
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_early_media_that_is_none(world: World) -> None:
    """A 183 whose body is something else rings, and no more."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body="hello", kind="text/plain")
    carrier.response(180)
    assert not world.counters["early_media_unusable"]
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))
