"""Calls out by a trunk that asks who we are."""

from __future__ import annotations

from pbx.sip.digest import DigestClient, DigestServer, Outcome, choose_challenge

from .world import Phone, World, sdp


def test_trunk_asks_for_a_login(world: World) -> None:
    """22.2: a 407 is answered once, in the same call."""
    digest = DigestServer("carrier", b"y" * 32, {"us": "trunk-pw"}.get)
    caller = authenticated(world)
    carrier = world.phone("198.51.100.1")
    invite = call_out(world, caller, "0123456789")
    request = carrier.request("INVITE")
    assert request.uri == "sip:0123456789@198.51.100.1"
    carrier.answer(request, 407, extra=digest.challenge_lines(world.clock.time, proxy=True))
    carrier.request("ACK")
    again = carrier.request("INVITE")
    assert again.cseq == request.cseq + 1 and again.call_id == request.call_id
    verdict = digest.verify("INVITE", again.all("Proxy-Authorization"), world.clock.time, again.body)
    assert verdict.outcome is Outcome.ACCEPTED
    carrier.answer(again, 486)
    carrier.request("ACK")
    caller.ack_refusal(invite, caller.response(486))
    assert world.admission.trunk_calls("carrier") == 0


def test_trunk_asks_for_a_login_at_the_end_too(world: World) -> None:
    digest = DigestServer("carrier", b"y" * 32, {"us": "trunk-pw"}.get)
    caller = authenticated(world)
    carrier = world.phone("198.51.100.1")
    invite = call_out(world, caller, "0123456789")
    carrier.answer(carrier.request("INVITE"), 200, body=sdp(41000, host=carrier.host))
    carrier.request("ACK")
    tag = caller.response(200).to_tag or ""
    caller.follow("ACK", invite, tag, cseq=2)
    caller.follow("BYE", invite, tag, cseq=3)
    caller.response(200)
    bye = carrier.request("BYE")
    carrier.answer(bye, 407, extra=digest.challenge_lines(world.clock.time, proxy=True))
    again = carrier.request("BYE")
    assert again.cseq == bye.cseq + 1 and again.to_tag == bye.to_tag
    assert digest.verify("BYE", again.all("Proxy-Authorization"), world.clock.time).outcome is Outcome.ACCEPTED
    carrier.answer(again, 407, extra=digest.challenge_lines(world.clock.time, proxy=True))
    assert not carrier.inbox  # once is enough


def test_trunk_that_refuses_our_login_is_not_asked_again(world: World) -> None:
    digest = DigestServer("carrier", b"y" * 32, {"us": "other"}.get)
    caller = authenticated(world)
    carrier = world.phone("198.51.100.1")
    invite = call_out(world, caller, "0123456789")
    for _ in range(2):
        request = carrier.request("INVITE")
        carrier.answer(request, 401, extra=digest.challenge_lines(world.clock.time))
        carrier.request("ACK")
    caller.ack_refusal(invite, caller.response(403))


def authenticated(world: World) -> Phone:
    return world.phone("192.0.2.77")


def call_out(world: World, caller: Phone, number: str) -> str:
    """An extension's call: 401, then with its password. Returns the INVITE that was accepted."""
    first = caller.invite(number, user="105", call="out")
    challenge = caller.response(401)
    caller.ack_refusal(first, challenge)
    asked = choose_challenge(challenge.all("WWW-Authenticate"))
    assert asked
    credentials = DigestClient(asked, "105", "secret").credentials("INVITE", f"sip:{number}@192.0.2.100", "cnonce")
    return caller.invite(number, user="105", call="out", cseq=2, extra=f"Authorization: {credentials}\r\n")
