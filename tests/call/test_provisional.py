"""Reliable provisional responses (RFC 3262): ours to callers, those of phones to us."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.call.bridge import DirectBridge
from pbx.call.call import Call
from pbx.sip.message import Response

from .test_early_media import called, the_call
from .test_flows import DID, hang_up
from .world import SITE, Phone, World, sdp

SUPPORTED = "Supported: 100rel\r\n"
REQUIRED = "Require: 100rel\r\n"


def rack_of(response: Response) -> str:
    return f"RAck: {response.get('RSeq')} {response.get('CSeq')}\r\n"


def prack(phone: Phone, invite: str, said: Response, *, cseq: int, body: str = "") -> Response:
    phone.follow("PRACK", invite, said.to_tag or "", cseq=cseq, extra=rack_of(said), body=body)
    return phone.response(200)


def reliable(rseq: int) -> str:
    return f"Require: 100rel\r\nRSeq: {rseq}\r\n"


# --- ours to the caller ---------------------------------------------------------------------------------------------


def test_early_media_is_acknowledged(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 180)
    ringing = carrier.response(180)
    assert ringing.get("RSeq") is None  # it has no SDP, and the caller does not insist
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    assert said.get("Require") == "100rel" and 0 < int(said.get("RSeq") or 0) < 1 << 31
    assert not prack(carrier, invite, said, cseq=2).body
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    assert not ok.body  # RFC 6337 3.1.1: the answer has been given
    tag = ok.to_tag or ""
    carrier.follow("ACK", invite, tag)
    assert len(world.plane.bridged) == 2
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_it_is_repeated_until_acknowledged(world: World) -> None:
    """T1 doubled each time, without a ceiling (3)."""
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    world.run(3.6)  # 0.5, 1.5, 3.5
    assert [carrier.response(183).get("RSeq") for _ in range(3)] == [said.get("RSeq")] * 3
    prack(carrier, invite, said, cseq=2)
    world.run(20)
    assert not carrier.inbox
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)


def test_never_acknowledged_is_the_end(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    world.run(33)
    while len(carrier.inbox) > 1:
        carrier.inbox.pop(0)
    carrier.ack_refusal(invite, carrier.response(504))
    assert world.counters["sip_1xx_unacknowledged"] == 1
    assert world.named("CallEnded")[0].status == 504  # type: ignore[attr-defined]
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)


def test_the_200_waits_for_the_prack(world: World) -> None:
    """3: the offer must be answered first."""
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    assert not carrier.inbox
    prack(carrier, invite, said, cseq=2)
    ok = carrier.response(200)
    assert ok.cseq_method == "INVITE" and not ok.body
    carrier.follow("ACK", invite, ok.to_tag or "")
    hang_up(carrier, invite, ok.to_tag or "", phone, cseq=3)


@pytest.mark.parametrize("how", ["CANCEL", "BYE", "callee", "never"])
def test_the_end_while_the_200_waits(world: World, how: str) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    if how == "callee":
        phone.bye(request)
        phone.response(200)
        carrier.ack_refusal(invite, carrier.response(480))
    elif how == "never":
        world.run(33)
        while len(carrier.inbox) > 1:
            carrier.inbox.pop(0)
        carrier.ack_refusal(invite, carrier.response(504))
    else:
        carrier.follow(how, invite, said.to_tag or "" if how == "BYE" else "", cseq=2 if how == "BYE" else 1)
        assert sorted(carrier.take().status for _ in range(2)) == [200, 487]  # type: ignore[union-attr]
        carrier.send(invite.replace("INVITE ", "ACK ").replace("1 INVITE", "1 ACK"))
    if how != "callee":
        phone.answer(phone.request("BYE"), 200)
    [ended] = world.named("CallEnded")
    told = {"CANCEL": 487, "BYE": 487, "callee": 480, "never": 504}[how]
    assert ended.status == told and not world.named("CallAnswered")  # type: ignore[attr-defined]


def test_who_insists_gets_all_of_them_reliably_one_after_the_other(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=REQUIRED)
    phone.answer(request, 180)
    ringing = carrier.response(180)
    assert ringing.get("RSeq")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    assert not carrier.inbox  # 3: not before the first is acknowledged
    carrier.follow("PRACK", invite, ringing.to_tag or "", cseq=2, extra=rack_of(ringing))
    messages = [carrier.take() for _ in range(2)]
    said = next(one for one in messages if isinstance(one, Response) and one.status == 183)
    assert int(said.get("RSeq") or 0) == int(ringing.get("RSeq") or 0) + 1
    prack(carrier, invite, said, cseq=3)
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


@pytest.mark.parametrize("rack", ["", "x", "1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 BYE"])
def test_a_prack_that_matches_nothing(world: World, rack: str) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    extra = f"RAck: {rack.format(rseq=said.get('RSeq'))}\r\n" if rack else ""
    carrier.follow("PRACK", invite, said.to_tag or "", cseq=2, extra=extra)
    carrier.response(481)
    prack(carrier, invite, said, cseq=3)
    carrier.follow("PRACK", invite, said.to_tag or "", cseq=4, extra=rack_of(said))
    carrier.response(481)  # acknowledged already
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_prack_after_the_answer_and_outside_a_dialog(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    carrier.follow("PRACK", invite, "nobody", cseq=2, extra="RAck: 1 1 INVITE\r\n")
    carrier.response(481)
    carrier.follow("PRACK", invite, cseq=2, extra="RAck: 1 1 INVITE\r\n")
    carrier.response(481)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.follow("PRACK", invite, tag, cseq=3, extra="RAck: 1 1 INVITE\r\n")
    carrier.response(481)
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_prack_with_an_offer_is_answered(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    ok = prack(carrier, invite, said, cseq=2, body=sdp(44000, host=carrier.host))
    assert b"m=audio" in ok.body
    assert 44000 in {remote.port for remote in world.plane.remotes.values()}
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_prack_with_an_offer_for_nothing_that_we_have(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    body = sdp(44000, types="18").replace("a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n", "")
    carrier.follow("PRACK", invite, said.to_tag or "", cseq=2, extra=rack_of(said), body=body)
    carrier.response(488)
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_late_offer_in_a_183_answered_in_the_prack(world: World) -> None:
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body="", extra=SUPPORTED)
    request = phone.request("INVITE")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    assert b"m=audio" in said.body
    prack(carrier, invite, said, cseq=2, body=sdp(43000, types="8 101", host=carrier.host))
    assert 43000 in {remote.port for remote in world.plane.remotes.values()}
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    assert not ok.body
    carrier.follow("ACK", invite, ok.to_tag or "")
    hang_up(carrier, invite, ok.to_tag or "", phone, cseq=3)


def test_options_that_nobody_knows(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID, extra="Require: 100rel, frobnicate\r\n")
    refusal = carrier.response(420)
    assert refusal.get("Unsupported") == "frobnicate"
    carrier.ack_refusal(invite, refusal)


# --- those of phones ------------------------------------------------------------------------------------------------


def test_ours_says_that_we_can(world: World) -> None:
    _, _, [(phone, request)] = called(world)
    assert "100rel" in (request.get("Supported") or "") and request.get("Require") is None
    assert "PRACK" in (request.get("Allow") or "")
    phone.answer(request, 486)


def test_what_a_phone_says_is_acknowledged_in_order(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 180, extra=reliable(7))
    ack = phone.request("PRACK")
    assert ack.get("RAck") == "7 1 INVITE" and ack.to_tag == "callee" and ack.cseq == 2
    phone.answer(ack, 200)
    carrier.response(180)
    phone.answer(request, 180, extra=reliable(7))  # again: its PRACK is on its way
    phone.answer(request, 183, extra=reliable(9), body=sdp(41000))  # 8 has not come yet
    assert not phone.inbox and not carrier.inbox
    phone.answer(request, 183, extra=reliable(8), body=sdp(41000, host=phone.host))
    ack = phone.request("PRACK")
    assert ack.get("RAck") == "8 1 INVITE" and ack.cseq == 3
    phone.answer(ack, 200)
    carrier.response(183)
    phone.answer(request, 200)  # 5: it has given its answer
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)
    bye = phone.request("BYE")
    assert bye.cseq == 4
    phone.answer(bye, 200)


def test_a_reliable_answer_is_the_answer(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, extra=reliable(1), body=sdp(41000, host=phone.host))
    phone.answer(phone.request("PRACK"), 200)
    carrier.response(183)
    phone.answer(request, 200, body=sdp(49000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    assert {remote.port for remote in world.plane.remotes.values()} == {41000, 40000}
    hang_up(carrier, invite, tag, phone)


def test_each_fork_is_acknowledged_by_itself(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    for tag, rseq in (("a", 100), ("b", 5)):
        phone.answer(request, 180, extra=reliable(rseq), tag=tag, contact=f"<sip:{tag}@{phone.host}>")
        ack = phone.request("PRACK")
        assert (ack.to_tag, ack.get("RAck"), ack.uri) == (tag, f"{rseq} 1 INVITE", f"sip:{tag}@{phone.host}")
        phone.answer(ack, 200)
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.response(180)
    carrier.ack_refusal(invite, carrier.response(486))


@pytest.mark.parametrize("rseq", ["", "x", "1" * 11, "²"])
def test_bad_rseq_is_no_rseq(world: World, rseq: str) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 180, extra=f"Require: 100rel\r\nRSeq: {rseq}\r\n")
    assert not phone.inbox
    carrier.response(180)
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_a_refused_prack_changes_nothing(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 180, extra=reliable(7))
    phone.answer(phone.request("PRACK"), 481)
    carrier.response(180)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, phone)


# --- what the site wants --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["required", "off"])
def test_policy(tmp_path: Path, policy: str) -> None:
    world = World(SITE.replace("calls: {hold: pass}", f'calls: {{reliable_provisional: "{policy}"}}'), tmp_path)
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    assert (request.get("Require") == "100rel") == (policy == "required")
    assert ("100rel" in (request.get("Supported") or "")) == (policy == "required")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    assert (said.get("RSeq") is not None) == (policy == "required")
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))
    if policy == "off":
        second = carrier.invite(DID, extra=REQUIRED, call="c2")
        refusal = carrier.response(420)
        assert refusal.get("Unsupported") == "100rel"
        carrier.ack_refusal(second, refusal)
    world.run(100)
    assert world.leaks() == {}


@pytest.mark.parametrize(
    ("whose", "calls", "own"),
    [("trunk", "supported", "off"), ("trunk", "off", "supported"), ("phone", "off", "required"),
     ("phone", "required", "off")],
)  # fmt: skip
def test_policy_of_one_trunk_or_phone(tmp_path: Path, whose: str, calls: str, own: str) -> None:
    """The other side keeps what the site says."""
    text = SITE.replace("calls: {hold: pass}", f'calls: {{reliable_provisional: "{calls}"}}')
    key = f'reliable_provisional: "{own}"'
    if whose == "trunk":
        text = text.replace("carrier: {", f"carrier: {{{key}, ")
    else:
        text = text.replace("{password: secret}", f"{{password: secret, {key}}}")
    world = World(text, tmp_path)
    of_trunk, of_phone = (own, calls) if whose == "trunk" else (calls, own)
    carrier, invite, [(phone, request)] = called(world, extra=SUPPORTED)
    assert (request.get("Require") == "100rel") == (of_phone == "required")
    assert ("100rel" in (request.get("Supported") or "")) == (of_phone != "off")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    said = carrier.response(183)
    assert (said.get("RSeq") is not None) == (of_trunk != "off")
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))
    if of_trunk == "off":
        second = carrier.invite(DID, extra=REQUIRED, call="c2")
        refusal = carrier.response(420)
        assert refusal.get("Unsupported") == "100rel"
        carrier.ack_refusal(second, refusal)
    world.run(100)
    assert world.leaks() == {}


def test_what_waits_is_bounded(world: World) -> None:
    """A caller that insists and never acknowledges: a minute of ringing more does not pile up."""
    heard: list[Call] = []
    world.switch.handlers["extension"] = lambda call, name: heard.append(call)
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID, extra=REQUIRED)
    call = the_call(world)
    call.controller = DirectBridge("extension")
    for _ in range(10):
        call.caller._say(180, "")  # type: ignore[attr-defined]
    assert len(call.caller._reliable._waiting) == 4  # type: ignore[attr-defined]
    world.run(40)
    while len(carrier.inbox) > 1:
        carrier.inbox.pop(0)
    carrier.ack_refusal(invite, carrier.response(504))
