"""The moments that a review found: what comes too early, too late, twice, or from a peer that reads no RFC."""

from __future__ import annotations

from pathlib import Path

import pytest

from acd.desk import Desk
from config.schema import Destination
from pbx.call.attempt import Attempt
from pbx.call.call import Call
from pbx.sip.binding import Binding
from pbx.sip.message import Request

from .test_flows import DID, hang_up, ringing, talking
from .test_trunk_calls import authenticated, call_out
from .world import SITE, Phone, World, sdp

BAD_CONTACTS = ["<sip:nobody", "*", '"', "<>", "sip:", "tel:+331", "<sip:a b@c>", '"a\\" <sip:x@y>', "<mailto:x@y>"]


def reinvite_from(phone: Phone, request: Request, *, cseq: int = 1, body: str = "", tag: str = "callee") -> str:
    """The called side of `request` sends a re-INVITE; returns it as text."""
    contact = (request.get("Contact") or "").strip("<>")
    kind = "Content-Type: application/sdp\r\n" if body else ""
    text = (
        f"INVITE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host}:{phone.port};branch={phone.branch()}\r\n"
        f"Max-Forwards: 70\r\nFrom: {request.get('To')};tag={tag}\r\nTo: {request.get('From')}\r\n"
        f"Call-ID: {request.call_id}\r\nCSeq: {cseq} INVITE\r\nContact: <sip:x@{phone.host}:{phone.port}>\r\n"
        f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    )
    phone.send(text)
    return text


# --- too early, too late --------------------------------------------------------------------------------------------


def test_caller_hangs_up_before_the_answer(world: World) -> None:
    """15.1.2: a BYE in the early dialog; the INVITE still gets its final response."""
    carrier, invite, [(phone, request)] = ringing(world)
    (leg,) = [call.caller for call in world.switch.calls()]
    carrier.follow("BYE", invite, leg.dialog.local_tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")
    assert world.named("CallEnded")[0].status == 487  # type: ignore[attr-defined]


def test_bye_that_overtakes_the_ack_ends_the_repeats(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)
    carrier.follow("ACK", invite, tag)
    phone.answer(phone.request("BYE"), 200)
    world.run(40)
    assert not carrier.inbox


def test_ack_of_the_first_200_does_not_stand_for_the_second(world: World) -> None:
    """A repeated ACK arrives after a re-INVITE was answered: that 200 is still repeated."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly"))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", invite, tag)  # the first one's again
    world.run(1)
    assert carrier.response(200).cseq == 2
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_each_200_has_one_clock(world: World) -> None:
    """A re-INVITE right after the first ACK: what was set for the first 200 repeats nothing of the second."""
    carrier, invite, tag, phone, _ = talking(world)
    world.run(0.2)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly"))
    phone.request("ACK")
    world.run(3.5)  # at 0, 0.5, 1.5, 3.5 s
    assert len(carrier.inbox) == 4
    carrier.inbox.clear()
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_a_phone_that_hangs_up_while_it_rings_is_told_481(world: World) -> None:
    """15: the called side has no dialog to end before its 200."""
    carrier, invite, [(phone, request)] = ringing(world)
    phone.bye(request, tag=phone.host)
    phone.response(481)
    phone.answer(request, 200, body=sdp(41000), tag=phone.host)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, phone)


def test_a_phone_that_hangs_up_after_our_cancel(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    carrier.follow("CANCEL", invite)
    carrier.response(200)
    carrier.ack_refusal(invite, carrier.response(487))
    phone.answer(phone.request("CANCEL"), 200)
    phone.bye(request, tag=phone.host)
    phone.take()
    phone.answer(request, 200, body=sdp(41000), tag=phone.host)
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)


# --- re-INVITE ------------------------------------------------------------------------------------------------------


def test_reinvite_that_only_gets_100_ends_with_the_call(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 100)
    carrier.follow("BYE", invite, tag, cseq=3)
    assert {carrier.take().status for _ in range(2)} == {200, 487}  # type: ignore[union-attr]
    carrier.send(hold.replace("INVITE", "ACK").replace("Contact", "X-Contact"))
    phone.answer(phone.request("BYE"), 200)  # and never answers the INVITE


def test_reinvite_that_only_gets_100_is_given_up(world: World) -> None:
    """A peer that says 100 and no more: cancelled after 32 s, lost after another 32 s."""
    carrier, _, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 100)
    world.run(33)
    assert phone.request("CANCEL").cseq_method == "CANCEL"
    world.run(33)
    assert carrier.response(100)
    carrier.ack_refusal(hold, carrier.response(504))
    assert [data.split(b" ")[0] for data in phone.inbox].count(b"BYE") > 0
    assert any(data.startswith(b"BYE") for data in carrier.inbox)


def test_reinvite_that_is_cancelled_is_cancelled_on_the_other_side(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    phone.answer(passed, 100)
    carrier.follow("CANCEL", hold, tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    cancel = phone.request("CANCEL")
    assert cancel.via == passed.via and cancel.cseq == passed.cseq
    phone.answer(cancel, 200)
    phone.answer(passed, 487)
    phone.request("ACK")
    hold = carrier.invite(DID, to_tag=tag, cseq=3, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly"))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=3)
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_reinvite_cancelled_before_the_other_side_said_anything(world: World) -> None:
    """9.1: no CANCEL before a provisional response; a 200 that comes instead is acknowledged, and taken back."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    carrier.follow("CANCEL", hold, tag, cseq=2)
    carrier.response(200)
    carrier.ack_refusal(hold, carrier.response(487))
    assert not phone.inbox
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly"))
    phone.request("ACK")
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000))
    phone.request("ACK")
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_callee_hangs_up_while_a_hold_is_passed_to_it(world: World) -> None:
    """The next one that talks with the caller can be held."""
    carrier, invite, tag, phone, request = talking(world)
    (call,) = world.switch.calls()
    controller = Recorder()
    call.controller = controller
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    phone.bye(request)
    phone.response(200)
    phone.answer(passed, 487)
    phone.request("ACK")
    carrier.ack_refusal(hold, carrier.response(487))
    assert controller.heard == ["ended"]
    again = carrier.invite(DID, to_tag=tag, cseq=3, body=sdp(direction="sendonly"))
    ok = carrier.response(200)
    carrier.follow("ACK", again, ok.to_tag or "", cseq=3)
    carrier.follow("BYE", invite, tag, cseq=4)
    carrier.response(200)


def test_second_reinvite_before_the_first_is_answered(world: World) -> None:
    """14.2: 500 with Retry-After; 491 is for a re-INVITE of ours."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    second = carrier.invite(DID, to_tag=tag, cseq=3, body=sdp(direction="inactive"))
    refusal = carrier.response(500)
    assert 0 <= int(refusal.get("Retry-After") or "-1") <= 10
    carrier.ack_refusal(second, refusal)
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly"))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=4)


@pytest.mark.parametrize(("status", "told"), [(302, 488), (401, 488), (407, 488), (500, 500), (606, 606)])
def test_what_is_told_of_a_refused_reinvite(world: World, status: int, told: int) -> None:
    """A challenge or a redirection of ours is none of the other side's."""
    carrier, invite, tag, phone, _ = talking(world)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), status)
    phone.request("ACK")
    carrier.ack_refusal(hold, carrier.response(told))
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_late_offer_without_an_answer_in_the_ack(world: World) -> None:
    """13.2.2.4: the ACK must have the answer; without one there is no session."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, body="")
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    carrier.follow("ACK", invite, carrier.response(200).to_tag or "")
    carrier.answer(carrier.request("BYE"), 200)
    phone.answer(phone.request("BYE"), 200)


# --- what peers write -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", BAD_CONTACTS)
def test_bad_contact_in_a_200(world: World, contact: str) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host), contact=contact)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, phone)


@pytest.mark.parametrize("contact", [*BAD_CONTACTS, None])
def test_bad_contact_of_a_fork(world: World, contact: str | None) -> None:
    carrier, invite, tag, phone, request = talking(world)
    phone.answer(request, 200, body=sdp(41010), tag="other", contact=contact)
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    hang_up(carrier, invite, tag, phone)


@pytest.mark.parametrize("contact", BAD_CONTACTS)
def test_bad_contact_in_a_reinvite_and_its_200(world: World, contact: str) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    text = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"), contact=contact)
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, direction="recvonly"), contact=contact)
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", text, tag, cseq=2)
    hang_up(carrier, invite, tag, phone, cseq=3)


@pytest.mark.parametrize("contact", BAD_CONTACTS)
def test_bad_contact_in_an_invite(world: World, contact: str) -> None:
    """Refused, or served by what the From says; no exception either way."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, contact=contact)
    if not phone.inbox:
        carrier.ack_refusal(invite, carrier.response(400))
        return
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hang_up(carrier, invite, tag, phone)


@pytest.mark.parametrize("route", ["<sip:p1", "nonsense", "", "<sip:a b;lr>", ",", '"x', "<sip:[::1;lr>", "<tel:1>"])
def test_bad_record_route(world: World, route: str) -> None:
    """A route that can't be one is passed over, wherever it comes from."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    extra = f"Record-Route: {route}\r\n"
    invite = carrier.invite(DID, extra=extra)
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, host=phone.host), extra=extra)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    phone.answer(phone.request("INVITE"), 488)
    phone.request("ACK")
    carrier.ack_refusal(hold, carrier.response(488))
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_a_codec_offered_twice_is_passed_on_once(world: World) -> None:
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    body = sdp(types="8 96 0 101").replace("a=rtpmap:0", "a=rtpmap:96 PCMA/8000\r\na=rtpmap:0")
    invite = carrier.invite(DID, body=body)
    request = phone.request("INVITE")
    assert b"RTP/AVP 8 0 101\r\n" in request.body
    phone.answer(request, 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_accept_in_two_lines(world: World) -> None:
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID, extra="Accept: text/plain\r\nAccept: application/sdp\r\n")
    phone.answer(phone.request("INVITE"), 486)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(486))


def test_a_redirection_is_not_passed_on(world: World) -> None:
    carrier, invite, [(phone, request)] = ringing(world)
    phone.answer(request, 302)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(480))


# --- who is it ------------------------------------------------------------------------------------------------------

REGISTERED_TRUNK = SITE.replace(
    "trunks:", "trunks:\n  pbx2: {registers_as: {username: pbx2, password: secret2}}"
)  # fmt: skip


def test_who_calls_is_told_by_the_source_not_by_the_via(tmp_path: Path) -> None:
    """A trunk registered from behind the same address; the stranger's Via names the trunk's port."""
    world = World(REGISTERED_TRUNK, folder=tmp_path)
    trunk, stranger = world.phone("203.0.113.7", 5070), world.phone("203.0.113.7", 6000)
    binding = Binding("sip:pbx2@203.0.113.7:5070", "", 1.0, world.clock.time + 3600, "r", 1, trunk.hop, trunk.hop)
    world.location.replace("pbx2", [binding], world.clock.time)
    stranger.invite(DID, via_port=5070)
    assert trunk.response(401)
    invite = trunk.invite(DID, call="own", branch="z9hG4bKown")
    world.run(0)
    trunk.ack_refusal(invite, trunk.response(480))  # 101 is not registered


# --- what the server itself does ------------------------------------------------------------------------------------


def test_media_worker_dies_while_a_phone_rings(world: World) -> None:
    """The port that the phone was offered is gone: its answer could not be heard."""
    carrier, invite, [(phone, request)] = ringing(world)
    world.plane.kill()
    phone.answer(phone.request("CANCEL"), 200)
    phone.answer(request, 487)
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(500))


def test_media_worker_dies_while_an_answered_phone_waits(world: World) -> None:
    """Answered, and not yet bridged by a controller that takes its time."""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    controller = Recorder()
    invite = carrier.invite(DID)
    (call,) = world.switch.calls()
    call.controller = controller
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000))
    phone.request("ACK")
    world.plane.kill()
    world.run()
    again = phone.request("INVITE")
    assert again.to_tag
    phone.answer(again, 488)
    phone.request("ACK")
    phone.answer(phone.request("BYE"), 200)
    assert controller.heard == ["answered", "ended"]
    call.hang_up("enough")
    carrier.ack_refusal(invite, carrier.response(480))


def test_dropping_who_the_caller_talks_with(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    (call,) = world.switch.calls()
    controller = call.controller = Recorder()
    assert call.connected is not None
    call.drop(call.connected)
    phone.answer(phone.request("BYE"), 200)
    assert call.view()["state"] == "answered" and not world.plane.bridged and not controller.heard
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    carrier.follow("BYE", invite, tag, cseq=3)
    carrier.response(200)


@pytest.mark.parametrize("prompts", [["nowhere"], ["music"] * 33])
def test_what_cannot_be_played_counts_as_played(world: World, prompts: list[str]) -> None:
    """Else an IVR would wait for its end for ever."""
    carrier, invite, tag, phone, _ = talking(world)
    (call,) = world.switch.calls()
    controller = call.controller = Recorder()
    assert call.play(prompts) < 0
    world.run(0)
    assert controller.heard == ["played"]
    hang_up(carrier, invite, tag, phone)


def test_a_fault_of_ours_leaves_no_transaction(world: World) -> None:
    def broken(call: Call, name: str) -> None:
        raise RuntimeError("a handler's fault")

    world.switch.handlers["extension"] = broken
    carrier = world.phone("198.51.100.1")
    with pytest.raises(RuntimeError):
        carrier.invite(DID)
    assert carrier.response(500)


def test_a_flood_is_refused_without_memory(world: World) -> None:
    world.layer.limit = 3
    carrier = world.phone("198.51.100.1")
    for n in range(5):
        carrier.invite("nobody", call=f"c{n}")
    assert [carrier.take().status for _ in range(5)] == [404, 404, 404, 503, 503]  # type: ignore[union-attr]
    assert len(world.layer) == 3 and world.counters["sip_overload_refused"] == 2


# --- controllers that meddle ----------------------------------------------------------------------------------------


class Recorder:
    """A controller that does one thing in each callback."""

    def __init__(self, act: str = "") -> None:
        self.act = act
        self.heard: list[str] = []

    def _do(self, what: str, call: Call, attempt: Attempt | None = None) -> None:
        self.heard.append(what)
        if self.act == "hang up":
            call.hang_up("enough")
        elif self.act == "refuse":
            call.refuse(486, "enough")
        elif self.act == "dial" and len(self.heard) < 5:
            call.dial(Destination("extension", "102"), ring_s=20)
        elif self.act == "route" and len(self.heard) < 5:
            call.route(Destination("extension", "102"))
        elif self.act == "drop" and attempt is not None:
            call.drop(attempt)
        elif self.act == "bridge" and attempt is not None:
            call.bridge(attempt)
        elif self.act == "play":
            call.play(["music"], loop=True)
        elif self.act == "answer":
            call.answer()

    def on_digit(self, call: Call, digit: str) -> None:
        self._do("digit", call)

    def on_played(self, call: Call, play_id: int) -> None:
        self._do("played", call)

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        self._do("ringing", call, attempt)

    def on_early_media(self, call: Call, attempt: Attempt) -> None:
        call.hear_early(attempt)

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        self._do("answered", call, attempt)

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        self._do("failed", call, attempt)

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        self._do("ended", call, attempt)

    def on_returned(self, call: Call, attempt: Attempt) -> None: ...
    def on_taken(self, call: Call, to: str) -> None:
        self.heard.append(f"taken: {to}")

    def on_caller_gone(self, call: Call, cause: str) -> None:
        self._do("gone", call)


ACTS = ["hang up", "refuse", "dial", "route", "drop", "bridge", "play", "answer", ""]


def test_dialling_after_the_end_rings_nobody(world: World) -> None:
    """A controller that hears of the end and dials all the same."""
    carrier, invite, [(phone, request)] = ringing(world)
    other = world.phone("192.0.2.11")
    world.register("102", other)
    (call,) = world.switch.calls()
    controller = call.controller = Recorder("dial")
    carrier.follow("CANCEL", invite)
    assert controller.heard == ["gone"] and not other.inbox
    phone.answer(request, 487)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("story", ["answer", "refuse", "cancel", "lost", "digits", "callee ends", "silent"])
def test_controllers_may_do_anything_in_any_callback(world: World, act: str, story: str) -> None:
    """Whatever they do, a minute after the caller has gone nothing is left."""
    carrier, first, second = world.phone("198.51.100.1"), world.phone("192.0.2.10"), world.phone("192.0.2.11")
    world.register("101", first)
    world.register("102", second)
    invite = carrier.invite(DID)
    (call,) = world.switch.calls()
    call.controller = Recorder(act)
    for phone in (first, second):
        while phone.inbox:
            message = phone.take()
            if not isinstance(message, Request) or message.method == "ACK":
                continue
            if message.method != "INVITE":
                phone.answer(message, 200)
                continue
            if story == "silent":
                continue
            phone.answer(message, 180)
            if story in ("answer", "digits", "callee ends"):
                phone.answer(message, 200, body=sdp(41000))
            elif story == "refuse":
                phone.answer(message, 486)
            if story == "callee ends":
                phone.bye(message)
    if story == "cancel":
        carrier.follow("CANCEL", invite)
    if story == "digits" and call.caller.audio.port is not None:
        world.plane.press(call.caller.audio.port, "1")
        if call.caller.audio.port is not None and call.caller.audio.port.number in world.plane.playing:
            world.plane.press(call.caller.audio.port, "2")
    if story == "lost":
        world.plane.kill()
    world.run(5)
    if not call.ended and call.answered:
        carrier.follow("ACK", invite, call.caller.dialog.local_tag)
        carrier.follow("BYE", invite, call.caller.dialog.local_tag, cseq=2)
    elif not call.ended:
        carrier.follow("CANCEL", invite)
    assert call.ended or world.switch.live == 0
    world.run(100)


QUEUE_SITE = SITE.replace("numbers:", "numbers:\n  +33180000002: queue sales").replace(
    "dial_plan:",
    "agents:\n  ann: {extension: 105, skills: {french: 5}}\n"
    "queues:\n  sales: {needs: french, ring_s: 20}\n"
    "dial_plan:\n  - {match: \"7\", to: queue sales, from: extensions}",
)  # fmt: skip


class NoScreens:
    """Agents without screens: rung at once."""

    def offer(self, call: Call, agent: str, queue: str, reservation: int, then: object) -> None:
        then()  # type: ignore[operator]

    def retract(self, call: Call, agent: str, reason: str) -> None: ...

    def connected(self, call: Call, agent: str) -> None: ...

    def wrap_up(self, call: Call, agent: str) -> None: ...

    def ended(self, call: Call, agent: str) -> None: ...


def test_an_agent_who_waits_in_his_own_queue_and_hangs_up(tmp_path: Path) -> None:
    """His phone is free as his call ends, before the desk has heard of the end: nobody is rung for a call that is
    over."""
    world = World(QUEUE_SITE, folder=tmp_path)
    desk = Desk(world.site, world.clock, world.events.append, NoScreens(), world.counters)
    world.switch.handlers["queue"] = desk.enter
    world.switch.on_extension_legs = desk.phone_calls
    phone = authenticated(world)
    world.register("105", phone)
    desk.phone_registered("105", True)
    desk.login("ann")
    desk.ready("ann")
    invite = call_out(world, phone, "7")
    ok = phone.response(200)
    phone.follow("ACK", invite, ok.to_tag or "", cseq=2)
    phone.follow("BYE", invite, ok.to_tag or "", cseq=3)
    phone.response(200)
    assert not phone.inbox
    world.run(100)
    assert world.leaks() == {}
    assert next(desk.agents())["state"] == "READY"
