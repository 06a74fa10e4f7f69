"""Call flows between a trunk and phones, message by message, with every race that a back-to-back user agent meets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.sip.message import Request

from .test_trunk_calls import test_trunk_asks_for_a_login, test_trunk_asks_for_a_login_at_the_end_too
from .world import Phone, World, check_no_cycles, sdp

DID = "+33180000001"


def ringing(world: World, phones: int = 1) -> tuple[Phone, str, list[tuple[Phone, Request]]]:
    """A call from the carrier rings on extension 101."""
    carrier = world.phone("198.51.100.1")
    called = []
    for n in range(phones):
        phone = world.phone(f"192.0.2.{10 + n}")
        world.register("101", phone)
        called.append(phone)
    invite = carrier.invite(DID)
    rung = []
    for phone in called:
        request = phone.request("INVITE")
        phone.answer(request, 180, tag=phone.host)
        rung.append((phone, request))
    carrier.response(180)
    return carrier, invite, rung


def talking(world: World, *, acknowledge: bool = True) -> tuple[Phone, str, str, Phone, Request]:
    """Carrier and extension 101 talk: (carrier, its INVITE, our tag, phone, the INVITE it got)."""
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    tag = ok.to_tag or ""
    if acknowledge:
        carrier.follow("ACK", invite, tag)
    return carrier, invite, tag, phone, request


def hang_up(carrier: Phone, invite: str, tag: str, phone: Phone, cseq: int = 2) -> None:
    carrier.follow("BYE", invite, tag, cseq=cseq)
    carrier.response(200)
    phone.answer(phone.request("BYE"), 200)


def test_caller_hangs_up(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone)
    assert [type(event).__name__ for event in world.events] == [
        "CallStarted", "LegStarted", "CallAnswered", "CallConnected", "LegEnded", "CallEnded",
    ]  # fmt: skip


def test_callee_hangs_up(world: World) -> None:
    carrier, _, _, phone, request = talking(world)
    phone.bye(request)
    phone.response(200)
    bye = carrier.request("BYE")
    carrier.answer(bye, 200)
    assert world.named("CallEnded")[0].cause == "callee hung up"  # type: ignore[attr-defined]


def test_both_hang_up_at_once(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    carrier.follow("BYE", invite, tag, cseq=2)
    phone.bye(request)  # crosses our BYE to it
    carrier.response(200)
    bye = phone.request("BYE")
    assert phone.take().status in (200, 481)  # type: ignore[union-attr]
    phone.answer(bye, 200)
    assert len(world.named("CallEnded")) == 1


def test_codec_of_the_callee_is_preferred_so_nothing_is_transcoded(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, types="0", host=phone.host))
    ok = carrier.inbox[-1].decode()
    assert "RTP/AVP 0" in ok
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, phone)


def test_cancel_while_ringing(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    carrier.follow("CANCEL", invite)
    assert carrier.response(200).cseq_method == "CANCEL"
    refusal = carrier.response(487)
    carrier.ack_refusal(invite, refusal)
    cancel = phone.request("CANCEL")
    assert cancel.via == request.via and cancel.cseq == request.cseq  # RFC 3261 9.1
    phone.answer(cancel, 200)
    phone.answer(request, 487)
    phone.request("ACK")
    assert world.named("CallEnded")[0].status == 487  # type: ignore[attr-defined]


def test_cancel_before_any_provisional_response_waits_for_one(world: World) -> None:
    """9.1: no CANCEL before a provisional response."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID)
    request = phone.request("INVITE")
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    assert not phone.inbox
    phone.answer(request, 180)
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")


def test_cancel_crosses_the_200_of_the_phone(world: World) -> None:
    """The phone answered before it saw our CANCEL: acknowledge, then hang up."""
    carrier, invite, [(phone, request)] = ringing(world)
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    phone.answer(request, 200, body=sdp(41000))
    phone.answer(phone.request("CANCEL"), 200)
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    assert world.counters["sip_cancel_crossed_200"] == 1


def test_cancel_that_comes_after_our_200_changes_nothing(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    assert len(list(world.switch.calls())) == 1
    hang_up(carrier, invite, tag, phone)


def test_cancel_of_nothing_is_481(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("0000")  # nothing there
    carrier.ack_refusal(invite, carrier.response(404))
    carrier.follow("CANCEL", invite.replace("branch=", "branch=z9hG4bKother"))
    carrier.response(481)


def test_phone_never_answers_the_cancel(world: World) -> None:
    carrier, invite, [(phone, _)] = ringing(world)
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    world.run(70)
    assert world.counters["sip_cancel_unanswered"] == 1
    assert phone.request("CANCEL")


@pytest.mark.parametrize(("status", "told"), [(486, 486), (603, 603), (404, 404), (500, 500)])
def test_refused(world: World, status: int, told: int) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, status)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(told))


def test_nobody_answers(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    world.run(60)
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    carrier.ack_refusal(invite, carrier.response(480))


def test_ringing_is_said_again_each_minute(world: World) -> None:
    """13.3.1.1: else a proxy on the way gives up after three."""
    world.switch.handlers["extension"] = lambda call, name: call.ring()  # somebody who lets the caller wait
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID)
    world.run(150)
    assert [carrier.response(180).status for _ in range(3)] == [180] * 3 and not carrier.inbox
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    world.run(100)
    assert not carrier.inbox


def test_phone_is_unreachable(world: World) -> None:
    """No response at all: timer B, then 480 to the caller."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID)
    world.run(33)
    assert len(phone.inbox) == 7
    trying = carrier.response(100)
    assert trying
    carrier.ack_refusal(invite, carrier.response(480))


def test_not_registered(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID)
    world.run(0)
    carrier.ack_refusal(invite, carrier.response(480))


def test_every_phone_of_an_extension_rings_and_one_wins(world: World) -> None:
    carrier, invite, [(first, request1), (second, request2)] = ringing(world, phones=2)
    second.answer(request2, 200, body=sdp(41000, host=second.host), tag=second.host)
    second.request("ACK")
    first.answer(first.request("CANCEL"), 200, tag=first.host)
    first.answer(request1, 487, tag=first.host)
    first.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, second)


def test_two_phones_answer_at_once_and_one_is_hung_up(world: World) -> None:
    carrier, invite, [(first, request1), (second, request2)] = ringing(world, phones=2)
    first.answer(request1, 200, body=sdp(41000, host=first.host), tag=first.host)
    second.answer(request2, 200, body=sdp(41002, host=second.host), tag=second.host)  # crosses our CANCEL
    first.request("ACK")
    second.answer(second.request("CANCEL"), 200, tag=second.host)
    second.request("ACK")
    second.answer(second.request("BYE"), 200)
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, first)


def test_a_fork_behind_a_proxy_answers_twice(world: World) -> None:
    """13.2.2.4: a second 2xx with another tag is acknowledged and ended; the call stands."""
    carrier, invite, tag, phone, request = talking(world)
    phone.answer(request, 200, body=sdp(41010), tag="other")
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    hang_up(carrier, invite, tag, phone)
    assert world.counters["sip_second_answers"] == 1


def test_one_phone_refuses_the_other_goes_on_ringing(world: World) -> None:
    carrier, invite, [(first, request1), (second, request2)] = ringing(world, phones=2)
    first.answer(request1, 486)
    first.request("ACK")
    assert not carrier.inbox
    second.answer(request2, 480)
    second.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))  # the best of the two


# --- retransmissions ------------------------------------------------------------------------------------------------


def test_repeated_invite_makes_no_second_call(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    carrier.send(invite)
    carrier.response(180)
    assert len(list(world.switch.calls())) == 1 and not phone.inbox
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_our_200_is_repeated_until_its_ack(world: World) -> None:
    """13.3.1.4: 0.5, 1, 2, 4, 4 s ..."""
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    world.run(8)
    assert len(carrier.inbox) == 5  # at 0, 0.5, 1.5, 3.5, 7.5 s
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.inbox.clear()
    world.run(20)
    assert not carrier.inbox
    hang_up(carrier, invite, tag, phone)


def test_no_ack_ever_ends_the_call(world: World) -> None:
    carrier, _, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    world.run(40)
    phone.answer(phone.request("BYE"), 200)
    byes = [data for data in carrier.inbox if data.startswith(b"BYE")]
    assert byes
    assert world.counters["sip_2xx_unacknowledged"] == 1


def test_repeated_200_gets_its_ack_again(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    hang_up(carrier, invite, tag, phone)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))  # even after the call
    phone.request("ACK")


def test_repeated_bye_gets_its_200_again(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hang_up(carrier, invite, tag, phone)
    carrier.follow("BYE", invite, tag, cseq=3)
    carrier.response(481)  # another BYE of a dialog that is gone


def test_hang_up_waits_for_the_ack(world: World) -> None:
    """15: no BYE on a dialog whose 200 has no ACK yet."""
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    phone.bye(request)
    phone.response(200)
    tag = carrier.response(200).to_tag or ""
    assert not carrier.inbox
    carrier.follow("ACK", invite, tag)
    carrier.answer(carrier.request("BYE"), 200)


def test_hung_up_and_no_ack_ever(world: World) -> None:
    """The 200 is still repeated: only then can the BYE go out, at the latest after 32 s (13.3.1.4)."""
    carrier, _, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    phone.bye(request)
    phone.response(200)
    world.run(40)
    starts = [data.split(b" ", 2)[:2] for data in carrier.inbox]
    assert starts.count([b"SIP/2.0", b"200"]) == 11
    assert starts[11][0] == b"BYE"
    assert world.counters["sip_2xx_unacknowledged"] == 1


# --- offers and answers ---------------------------------------------------------------------------------------------


def test_no_codec_in_common(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    world.register("101", world.phone("192.0.2.10"))
    body = sdp(types="18").replace("a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101", "a=rtpmap:101")
    invite = carrier.invite(DID, body=body)
    carrier.ack_refusal(invite, carrier.response(488))


def test_late_offer(world: World) -> None:
    """An INVITE without SDP: our 200 offers, the ACK answers (13.2.1)."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body="")
    request = phone.request("INVITE")
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    assert b"m=audio" in ok.body
    carrier.follow("ACK", invite, ok.to_tag or "", body=sdp(43000, types="8 101", host=carrier.host))
    assert 43000 in {remote.port for remote in world.plane.remotes.values()}
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_phone_answers_without_sdp(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200)
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    carrier.ack_refusal(invite, carrier.response(488))


def test_ports_exhausted(world: World) -> None:
    world.plane.free.clear()
    carrier = world.phone("198.51.100.1")
    world.register("101", world.phone("192.0.2.10"))
    invite = carrier.invite(DID)
    world.run(0)
    carrier.ack_refusal(invite, carrier.response(503))
    assert world.counters["calls_without_media_port"] == 1


def test_hold_is_passed_on(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly", host=carrier.host))
    passed = phone.request("INVITE")
    assert b"a=sendonly" in passed.body and passed.to_tag
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    assert b"a=recvonly" in ok.body
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_refused_hold_leaves_the_call(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 488)
    phone.request("ACK")
    carrier.ack_refusal(hold, carrier.response(488))
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_glare(world: World) -> None:
    """Both sides re-INVITE at once: the second is told 491 (14.2)."""
    carrier, invite, tag, phone, request = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    contact = (request.get("Contact") or "").strip("<>")
    other = (
        f"INVITE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host}:5060;branch=z9hG4bKglare\r\n"
        f"From: {request.get('To')};tag="
        f"{phone.host}\r\nTo: {request.get('From')}\r\nCall-ID: {request.call_id}\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:x@192.0.2.10>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).replace(f"tag={phone.host}", "tag=callee")
    phone.send(other)
    refusal = phone.response(491)
    phone.ack_refusal(other, refusal)
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_caller_hangs_up_while_its_hold_is_pending(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    carrier.follow("BYE", invite, tag, cseq=3)
    assert {carrier.take().status for _ in range(2)} == {200, 487}  # type: ignore[union-attr]
    carrier.send(hold.replace("INVITE", "ACK").replace("Contact", "X-Contact"))
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly"))
    phone.answer(phone.request("BYE"), 200)
    phone.request("ACK")


@pytest.mark.parametrize(
    ("transport", "uri", "contact"),
    [
        ("udp", "sip:101@pbx", "<sip:plateau@192.0.2.100:5060>"),
        ("tcp", "sip:101@pbx", "<sip:plateau@192.0.2.100:5060;transport=tcp>"),
        ("tls", "sip:101@pbx;transport=tls", "<sip:plateau@192.0.2.100:5061;transport=tls>"),
        ("tls", "SIPS:101@pbx", "<sips:plateau@192.0.2.100:5061>"),
        ("ws", "sip:101@pbx", "<sip:plateau@192.0.2.100:5080;transport=ws>"),
        ("wss", "sip:101@pbx", "<sip:plateau@192.0.2.100:5443;transport=ws>"),
        ("wss", "sips:101@pbx", "<sips:plateau@192.0.2.100:5443;transport=ws>"),
        ("tls", "sipsomething:x", "<sip:plateau@192.0.2.100:5061;transport=tls>"),
    ],
)
def test_sips_is_answered_with_sips(world: World, transport: str, uri: str, contact: str) -> None:
    """RFC 3261 8.1.1.8, 12.1.1; RFC 7118 5.2: `ws` is both kinds of websocket."""
    ports = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 5080, "wss": 5443}
    world.switch.local.listeners |= {name: [("192.0.2.100", port)] for name, port in ports.items()}
    assert world.switch.contact(Hop(transport, "203.0.113.5", 40_000), uri) == contact


# --- who is it ------------------------------------------------------------------------------------------------------


def test_strangers_are_challenged_whatever_they_dial(world: World) -> None:
    stranger = world.phone("203.0.113.50")
    for number in ("101", "nobody", "999"):
        invite = stranger.invite(number, call=f"c{number}")
        answer = stranger.response(401)
        assert answer.get("WWW-Authenticate")
        stranger.ack_refusal(invite, answer)
    assert not list(world.switch.calls())


@pytest.mark.parametrize(
    "extra", ["", "Require: magic\r\n", "Accept: text/plain\r\n", 'Authorization: Digest realm="x"\r\n']
)
def test_whoever_may_be_another_gets_one_answer(world: World, extra: str) -> None:
    """RFC 3261 26.3.2.4: with a forged address we are no amplifier; a bare INVITE leaves nothing here either."""
    stranger = world.phone("203.0.113.50")
    stranger.invite("101", extra=extra)
    if not extra:
        assert len(world.layer) == 0
    world.run(40)
    assert len(stranger.inbox) == 1 and len(world.layer) == 0


def test_unknown_number_from_a_trunk_is_404(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("4711")
    carrier.ack_refusal(invite, carrier.response(404))
    assert world.named("CallRefused")


def test_draining_refuses_new_calls_and_keeps_live_ones(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    world.admission.drain()
    second = carrier.invite(DID, call="c2")
    refusal = carrier.response(503)
    assert refusal.get("Retry-After")
    carrier.ack_refusal(second, refusal)
    carrier.send(second.replace("INVITE", "OPTIONS").replace("branch=", "branch=z9hG4bKo"))
    assert carrier.response(503).cseq_method == "OPTIONS"  # what a load balancer asks
    hang_up(carrier, invite, tag, phone)


def test_too_many_hops(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    text = (
        carrier.invite(DID, call="x")
        .replace("Max-Forwards: 70", "Max-Forwards: 0")
        .replace("branch=", "branch=z9hG4bKm")
    )
    carrier.inbox.clear()
    world.run(0)
    carrier.inbox.clear()
    carrier.send(text)
    carrier.response(483)


def test_no_flow_leaves_anything_for_the_collector(tmp_path: Path) -> None:
    """The server runs without automatic collection: cycles would be leaks."""
    flows = [
        test_caller_hangs_up, test_callee_hangs_up, test_cancel_while_ringing, test_cancel_crosses_the_200_of_the_phone,
        test_nobody_answers, test_hold_is_passed_on, test_two_phones_answer_at_once_and_one_is_hung_up,
        test_refused_hold_leaves_the_call,
        test_trunk_asks_for_a_login, test_trunk_asks_for_a_login_at_the_end_too,
        test_caller_hangs_up_while_its_hold_is_pending, test_a_fork_behind_a_proxy_answers_twice, test_late_offer,
    ]  # fmt: skip
    check_no_cycles(World(folder=tmp_path), flows)


def test_requests_go_to_the_contact_when_the_connection_is_gone(world: World) -> None:
    """RFC 5923 lets a stream be used again; a closed one leads nowhere."""
    carrier, _, _, phone, request = talking(world)
    contact = world.phone("198.51.100.1", 5070)
    leg = next(iter(world.switch.calls())).caller
    leg.dialog.hop = Hop("tcp", carrier.host, 40123)  # heard on a connection from an ephemeral port
    leg.dialog.remote_target = "sip:anna@198.51.100.1:5070;transport=tcp"
    world.switch.connected = lambda hop: False
    phone.bye(request)
    phone.response(200)
    contact.answer(contact.request("BYE"), 200)
