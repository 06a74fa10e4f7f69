"""What a called side sends before it answers, and what the caller hears of it."""

from __future__ import annotations

from pbx.call.call import Call
from pbx.sip.message import Request, Response

from .otherwise import Otherwise
from .test_flows import DID, hang_up, ringing
from .world import Phone, World, sdp


def called(world: World, *, extra: str = "", phones: int = 1) -> tuple[Phone, str, list[tuple[Phone, Request]]]:
    """The carrier calls extension 101; its phones have the INVITE and said nothing."""
    carrier = world.phone("198.51.100.1")
    rung = [world.phone(f"192.0.2.{10 + n}") for n in range(phones)]
    for phone in rung:
        world.register("101", phone)
    invite = carrier.invite(DID, extra=extra)
    return carrier, invite, [(phone, phone.request("INVITE")) for phone in rung]


def the_call(world: World) -> Call:
    (call,) = world.switch.calls()
    return call


def answered(carrier: Phone, invite: str, phone: Phone, request: Request, body: str, tag: str = "callee") -> Response:
    phone.answer(request, 200, body=body, tag=tag)
    phone.request("ACK")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    return ok


def test_the_caller_hears_what_comes_before_the_answer(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, types="0", host=phone.host))
    progress = carrier.response(183)
    assert b"RTP/AVP 0" in progress.body and progress.get("Content-Type") == "application/sdp"
    assert progress.get("RSeq") is None  # the caller did not say that it can acknowledge
    assert len(world.plane.bridged) == 2
    assert not carrier.inbox  # no 180 after it
    ok = answered(carrier, invite, phone, request, "")
    assert ok.body == progress.body  # 13.3.1: the same in all responses, version included
    assert len(world.plane.bridged) == 2
    assert [remote.port for remote in world.plane.remotes.values()].count(41000) == 1
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_a_200_may_move_the_media_of_an_unreliable_183(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    ok = answered(carrier, invite, phone, request, sdp(41500, host=phone.host))
    assert 41500 in {remote.port for remote in world.plane.remotes.values()}
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_180_before_and_after_183(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 180)
    carrier.response(180)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    phone.answer(request, 180)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    assert not carrier.inbox and len(world.plane.bridged) == 2
    connects = [command for command in world.plane.commands if command[0] == "connect"]
    assert len(connects) == 2  # the caller's and the phone's: what is repeated changes nothing
    ok = answered(carrier, invite, phone, request, sdp(41000, host=phone.host))
    answers = [command for command in world.plane.commands if command[0] == "connect"][2:]
    assert sorted(map(str, answers)) == sorted(map(str, connects))  # behind NAT they may send only now: found anew
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_183_without_sdp_is_ringing(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183)
    carrier.response(180)
    ok = answered(carrier, invite, phone, request, sdp(41000, host=phone.host))
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_early_media_is_said_again_each_minute(world: World) -> None:
    world.switch.handlers["extension"] = lambda call, name: None  # rings as long as it likes
    carrier, _, _ = world.phone("198.51.100.1"), 0, 0
    invite = carrier.invite(DID)
    call = the_call(world)
    call.caller.progress(None, world.clock.time)  # type: ignore[attr-defined]
    first = carrier.response(183)
    world.run(61)
    assert carrier.response(183).body == first.body
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))


def test_an_announcement_and_then_a_refusal(world: World) -> None:
    """A carrier says why it will not connect, then does not."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    phone.answer(request, 404)
    phone.request("ACK")
    assert not world.plane.bridged
    carrier.ack_refusal(invite, carrier.response(404))


def test_a_call_that_goes_on_after_early_media_is_silent_and_keeps_its_answer(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)

    def on_failed(call: Call, attempt: object, status: int, cause: str) -> None:
        call.play(("music",), loop=True)

    Otherwise(on_failed=on_failed).take(the_call(world))
    phone.answer(request, 183, body=sdp(41000, types="0", host=phone.host))
    progress = carrier.response(183)
    phone.answer(request, 486)
    phone.request("ACK")
    ok = carrier.response(200)
    assert ok.body == progress.body
    assert [playing.prompts for playing in world.plane.playing.values()] == [("music",)]
    carrier.follow("ACK", invite, ok.to_tag or "")
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)


def test_of_two_phones_the_first_that_sends_is_heard_and_any_may_answer(world: World) -> None:
    carrier, invite, [(first, one), (second, two)] = called(world, phones=2)
    first.answer(one, 183, body=sdp(41000, host=first.host), tag="a")
    second.answer(two, 183, body=sdp(42000, host=second.host), tag="b")
    carrier.response(183)
    assert not carrier.inbox
    call = the_call(world)
    port = call.caller.audio.port
    assert port is not None
    assert world.plane.remotes[world.plane.bridged[port.number]].port == 41000
    ok = answered(carrier, invite, second, two, "", tag="b")
    assert world.plane.remotes[world.plane.bridged[port.number]].port == 42000
    first.answer(first.request("CANCEL"), 200)
    first.answer(one, 487, tag="a")
    first.request("ACK")
    hang_up(carrier, invite, ok.to_tag or "", second)


def test_when_the_phone_that_is_heard_refuses_another_one_may_be_heard(world: World) -> None:
    carrier, invite, [(first, one), (second, two)] = called(world, phones=2)
    first.answer(one, 183, body=sdp(41000, host=first.host), tag="a")
    carrier.response(183)
    first.answer(one, 486, tag="a")
    first.request("ACK")
    assert not world.plane.bridged
    second.answer(two, 183, body=sdp(42000, host=second.host), tag="b")
    assert len(world.plane.bridged) == 2
    assert not carrier.inbox  # it has our description
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    second.answer(second.request("CANCEL"), 200)
    second.answer(two, 487, tag="b")
    second.request("ACK")


def test_a_proxy_that_forks_has_several_early_dialogs(world: World) -> None:
    """The last one that spoke is heard; the one that answers stays, and its first description is its answer."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host), tag="a")
    carrier.response(183)
    phone.answer(request, 183, body=sdp(42000, host=phone.host), tag="b", contact="<sip:b@192.0.2.66:5066>")
    assert {41000} & {remote.port for remote in world.plane.remotes.values()} == set()
    ok = answered(carrier, invite, phone, request, "", tag="a")
    assert 41000 in {remote.port for remote in world.plane.remotes.values()}
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)
    bye = phone.request("BYE")
    assert bye.to_tag == "a"
    phone.answer(bye, 200)


def test_early_dialogs_are_bounded(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    for n in range(40):
        phone.answer(request, 183, body=sdp(41000 + n, host=phone.host), tag=f"t{n}")
    assert world.counters["sip_early_dialogs_refused"] == 24
    carrier.response(183)
    ok = answered(carrier, invite, phone, request, sdp(43000, host=phone.host), tag="t39")
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_unreadable_early_media_is_passed_over(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body="rubbish")
    carrier.response(180)
    assert world.counters["early_media_unusable"] == 1
    ok = answered(carrier, invite, phone, request, sdp(41000, host=phone.host))
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_a_caller_without_an_offer_hears_no_early_media(world: World) -> None:
    """Our offer would have to be acknowledged (13.2.1), and it can't."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body="")
    request = phone.request("INVITE")
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(180)
    assert not world.plane.bridged
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "", body=sdp(43000, host=carrier.host))
    hang_up(carrier, invite, ok.to_tag or "", phone)


def test_media_lost_while_the_caller_hears_early_media(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    world.plane.kill()
    carrier.ack_refusal(invite, carrier.response(500))
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")


def test_the_caller_gives_up_while_it_hears_early_media(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 183, body=sdp(41000, host=phone.host))
    carrier.response(183)
    carrier.follow("CANCEL", invite, extra='Reason: SIP;cause=200;text="Call completed elsewhere"\r\n')
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    cancel = phone.request("CANCEL")
    assert cancel.get("Reason") == "SIP;cause=200"  # RFC 3326: no missed call; the text stays with whom it comes from
    phone.answer(cancel, 200)
    phone.answer(request, 487)
    phone.request("ACK")


def test_the_phone_that_lost_is_told_who_won(world: World) -> None:
    carrier, invite, [(first, one), (second, two)] = ringing(world, phones=2)
    first.answer(one, 200, body=sdp(41000, host=first.host), tag=first.host)
    first.request("ACK")
    cancel = second.request("CANCEL")
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    second.answer(cancel, 200)
    second.answer(two, 487, tag=second.host)
    second.request("ACK")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    hang_up(carrier, invite, ok.to_tag or "", first)
