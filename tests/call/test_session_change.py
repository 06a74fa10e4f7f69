"""re-INVITE and UPDATE (RFC 3261 14, RFC 3311) on an established or early dialog, ours and theirs."""

from __future__ import annotations

import pytest

from pbx.sip.digest import DigestServer, Outcome

from .test_early_media import called, the_call
from .test_flows import DID, hang_up, ringing, talking
from .test_provisional import SUPPORTED, prack, reliable
from .test_trunk_calls import authenticated, call_out
from .world import World, sdp

UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"
HOLD = sdp(direction="sendonly")


# --- UPDATE of a peer -----------------------------------------------------------------------------------------------


def test_update_without_sdp_moves_the_target_alone(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    carrier.follow("UPDATE", invite.replace(":5060>", ":5090>"), tag, cseq=2)
    ok = carrier.response(200)
    assert ok.get("Contact") and not ok.body
    moved = world.phone("198.51.100.1", 5090)
    phone.bye(request)
    phone.response(200)
    moved.answer(moved.request("BYE"), 200)


def test_update_with_sdp_is_answered_here(world: World) -> None:
    """Where the peer's sound goes is between it and us."""
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=sdp(48000, host=carrier.host))
    ok = carrier.response(200)
    assert ok.get("Content-Type") == "application/sdp" and b"a=sendrecv" in ok.body
    assert 48000 in {remote.port for remote in world.plane.remotes.values()}
    assert not phone.inbox and len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_update_that_holds_is_passed_on_as_update(world: World) -> None:
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID)
    request = phone.request("INVITE")
    phone.answer(request, 200, body=sdp(41000, host=phone.host), extra=UPDATES)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=HOLD)
    passed = phone.request("UPDATE")
    assert b"a=sendonly" in passed.body and passed.get("Contact")
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    assert b"a=recvonly" in carrier.response(200).body
    carrier.follow("UPDATE", invite, tag, cseq=3, body=HOLD)
    phone.answer(phone.request("UPDATE"), 405)  # it changed its mind
    passed = phone.request("INVITE")
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    carrier.response(200)
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_update_that_holds_is_passed_on_as_reinvite_and_refused(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("UPDATE", invite, tag, cseq=2, body=HOLD)
    phone.answer(phone.request("INVITE"), 488)
    phone.request("ACK")
    carrier.response(488)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_update_with_bad_sdp(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("UPDATE", invite, tag, cseq=2, body="rubbish")
    carrier.response(400)
    carrier.follow("UPDATE", invite, tag, cseq=3, body=sdp(types="18"))
    carrier.response(488)
    carrier.follow("UPDATE", invite, tag, cseq=4, body="hello", kind="text/plain")
    assert carrier.response(415).get("Accept") == "application/sdp"
    hang_up(carrier, invite, tag, phone, cseq=5)


def test_update_meets_a_change_that_is_pending(world: World) -> None:
    """RFC 3311 5.2: 500 after an offer of the peer's own, 491 after one of ours; without an offer it is always
    served."""
    carrier, invite, tag, phone, request = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    carrier.follow("UPDATE", invite, tag, cseq=3, body=HOLD)
    assert carrier.response(500).get("Retry-After")
    carrier.follow("UPDATE", invite, tag, cseq=4)
    carrier.response(200)
    phone.back("UPDATE", request, body=HOLD)
    phone.response(491)
    phone.back("UPDATE", request, cseq=2)
    phone.response(200)
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=5)


def test_update_before_the_first_offer_has_its_answer(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    tag = the_call(world).caller.dialog.local_tag
    carrier.follow("UPDATE", invite, tag, cseq=2, body=HOLD)
    assert carrier.response(500).get("Retry-After")
    carrier.follow("UPDATE", invite, tag, cseq=3)
    carrier.response(200)
    phone.back("UPDATE", request, tag=phone.host)
    phone.response(481)  # 180 without SDP and without RSeq: an early dialog that has nothing to change
    phone.answer(request, 486, tag=phone.host)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_early_update_of_the_caller(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    carrier.follow("UPDATE", invite, said.to_tag or "", cseq=2, body=sdp(47000))
    carrier.response(500)  # the answer is not acknowledged
    prack(carrier, invite, said, cseq=3)
    carrier.follow("UPDATE", invite, said.to_tag or "", cseq=4, body=sdp(47000, host=carrier.host))
    assert b"m=audio" in carrier.response(200).body
    assert 47000 in {remote.port for remote in world.plane.remotes.values()}
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    assert 47000 in {remote.port for remote in world.plane.remotes.values()}
    hang_up(carrier, invite, ok.to_tag or "", phone, cseq=5)


def test_early_update_of_the_phone(world: World) -> None:
    """A phone behind a media server: reliable 183, then its sound comes from elsewhere."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    phone.back("UPDATE", request, body=sdp(46000, host=phone.host))
    assert phone.response(500).get("Retry-After")  # unreliable: no answer yet
    phone.answer(request, 183, body=sdp(41000, host=phone.host), extra=reliable(1), tag="b")
    phone.answer(phone.request("PRACK"), 200)
    phone.back("UPDATE", request, body=sdp(46000, host=phone.host), tag="b")
    assert b"m=audio" in phone.response(200).body
    phone.back("UPDATE", request, tag="b")
    phone.response(500)  # not in order
    phone.back("UPDATE", request, tag="b", cseq=2)
    phone.response(200)
    phone.answer(request, 200, tag="b")
    phone.request("ACK")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    assert 46000 in {remote.port for remote in world.plane.remotes.values()}
    phone.bye(request, cseq=3, tag="b")
    phone.response(200)
    carrier.answer(carrier.request("BYE"), 200)


def test_update_after_the_end_and_of_strangers(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    stranger = world.phone("203.0.113.66")
    stranger.follow("UPDATE", invite.replace("fc1", "other"), tag, cseq=9)
    stranger.response(481)
    hang_up(carrier, invite, tag, phone)
    carrier.follow("UPDATE", invite, tag, cseq=3)
    carrier.response(481)


# --- re-INVITE ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "earliest_s", "latest_s"), [("callee", 2.1, 4.01), ("caller", 0.0, 2.01)])
def test_glare_is_tried_again_once(world: World, side: str, earliest_s: float, latest_s: float) -> None:
    """14.1: whose Call-ID it is waits 2.1 to 4 s, the other one 0 to 2 s."""
    carrier, invite, tag, phone, request = talking(world)
    if side == "callee":
        hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
        asked = phone
    else:
        hold = phone.back("INVITE", request, body=HOLD)
        asked = carrier
    passed = asked.request("INVITE")
    asked.answer(passed, 491)
    asked.request("ACK")
    if earliest_s:
        world.run(earliest_s - 0.01)
        assert not asked.inbox
    world.run(latest_s - earliest_s + 0.01)
    again = asked.request("INVITE")
    assert again.cseq > passed.cseq and again.body == passed.body
    asked.inbox.clear()
    asked.answer(again, 491)
    asked.request("ACK")
    world.run(5)
    other = carrier if side == "callee" else phone
    refusals = [data for data in other.inbox if data.startswith(b"SIP/2.0 491")]
    assert refusals and not asked.inbox
    other.inbox.clear()
    other.send(hold.replace("INVITE sip", "ACK sip").replace(" INVITE\r\n", " ACK\r\n"))
    world.run(1)
    other.inbox.clear()
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_while_we_wait_after_a_glare_the_peer_may_go_first(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    phone.answer(phone.request("INVITE"), 491)
    phone.request("ACK")
    theirs = phone.back("INVITE", request, body=sdp(45000, host=phone.host))
    phone.response(200)
    phone.ack_answer(theirs)
    world.run(4.1)
    again = phone.request("INVITE")
    phone.inbox.clear()
    phone.answer(again, 200, body=sdp(45000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    carrier.inbox = [data for data in carrier.inbox if b" 200 " in data[:16]]
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_cancel_while_we_wait_after_a_glare(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    phone.answer(phone.request("INVITE"), 491)
    phone.request("ACK")
    carrier.follow("CANCEL", hold, tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    world.run(5)
    assert not phone.inbox
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_hang_up_while_we_wait_after_a_glare(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    phone.answer(phone.request("INVITE"), 491)
    phone.request("ACK")
    carrier.follow("BYE", invite, tag, cseq=3)
    assert {carrier.take().status for _ in range(2)} == {200, 487}  # type: ignore[union-attr]
    carrier.send(hold.replace("INVITE", "ACK").replace("Contact", "X-Contact"))
    phone.answer(phone.request("BYE"), 200)
    world.run(5)
    assert not phone.inbox


def test_a_trunk_that_asks_for_our_login_at_a_reinvite(world: World) -> None:
    digest = DigestServer("carrier", b"y" * 32, {"us": "trunk-pw"}.get)
    caller, carrier = authenticated(world), world.phone("198.51.100.1")
    invite = call_out(world, caller, "0123456789")
    carrier.answer(carrier.request("INVITE"), 200, body=sdp(41000, host=carrier.host))
    carrier.request("ACK")
    tag = caller.response(200).to_tag or ""
    caller.follow("ACK", invite, tag, cseq=2)
    hold = caller.invite("0123456789", user="105", call="out", cseq=3, to_tag=tag, body=HOLD)
    for _ in range(2):
        passed = carrier.request("INVITE")
        if passed.get("Proxy-Authorization") is None:
            carrier.answer(passed, 407, extra=digest.challenge_lines(world.clock.time, proxy=True))
            carrier.request("ACK")
    verdict = digest.verify("INVITE", passed.all("Proxy-Authorization"), world.clock.time, passed.body)
    assert verdict.outcome is Outcome.ACCEPTED
    carrier.answer(passed, 200, body=sdp(41000, direction="recvonly", host=carrier.host))
    carrier.request("ACK")
    caller.response(200)
    caller.follow("ACK", hold, tag, cseq=3)
    caller.follow("BYE", invite, tag, cseq=4)
    caller.response(200)
    carrier.answer(carrier.request("BYE"), 200)


def test_reinvite_without_sdp_is_offered_to_and_its_ack_answers(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    again = carrier.invite(DID, to_tag=tag, cseq=2, body="")
    ok = carrier.response(200)
    assert b"m=audio" in ok.body
    carrier.follow("UPDATE", invite, tag, cseq=3, body=HOLD)
    carrier.response(491)  # our offer waits for its answer
    carrier.follow("ACK", again, tag, cseq=2, body=sdp(49000, host=carrier.host))
    assert 49000 in {remote.port for remote in world.plane.remotes.values()}
    assert not phone.inbox
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_bye_crosses_a_reinvite(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    carrier.follow("BYE", invite, tag, cseq=3)
    assert {carrier.take().status for _ in range(2)} == {200, 487}  # type: ignore[union-attr]
    carrier.send(hold.replace("INVITE", "ACK").replace("Contact", "X-Contact"))
    phone.answer(phone.request("BYE"), 200)
    phone.answer(passed, 481)
    phone.request("ACK")
    assert len(world.named("CallEnded")) == 1


def test_the_200_of_a_reinvite_is_lost(world: World) -> None:
    """13.3.1.4: repeated until its ACK is here, which is repeated too."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    for _ in range(3):
        phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
        phone.request("ACK")
    world.run(1.6)
    assert [carrier.response(200).cseq for _ in range(3)] == [2, 2, 2]
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_a_reinvite_that_was_taken_back_is_cancelled_as_soon_as_it_may_be(world: World) -> None:
    """9.1: with the first provisional response."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=HOLD)
    passed = phone.request("INVITE")
    carrier.follow("CANCEL", hold, tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    assert not phone.inbox
    phone.answer(passed, 100)
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(passed, 487)
    phone.request("ACK")
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_no_codec_in_common_in_a_reinvite_and_in_its_answer(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    bad = sdp(types="18", direction="sendonly")
    refused = carrier.invite(DID, to_tag=tag, cseq=2, body=bad)
    carrier.ack_refusal(refused, carrier.response(488))
    assert not phone.inbox  # it would be held in a call that is not
    hold = carrier.invite(DID, to_tag=tag, cseq=3, body=HOLD)
    phone.answer(phone.request("INVITE"), 200, body=bad)
    phone.request("ACK")
    carrier.ack_refusal(hold, carrier.response(488))
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone, cseq=4)
