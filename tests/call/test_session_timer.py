"""Session timers (RFC 4028): what is agreed, and what becomes of a peer that vanished."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.calls import SessionTimer
from pbx.call import session_timer
from pbx.call.session_timer import Agreed
from pbx.sip.message import Request, Response, parse

from .test_flows import DID, talking
from .world import SITE, Phone, World, hears_music, sdp

POLICY = SessionTimer()
KNOWS = "Supported: timer\r\n"
UAC = ";refresher=uac\r\nRequire: timer\r\n"


def request(extra: str = "") -> Request:
    message = parse(
        (
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
            f"To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


def response(extra: str = "") -> Response:
    message = parse(
        (
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
            f"To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(
    ("headers", "lines", "agreed"),
    [
        ("", "Session-Expires: 1800;refresher=uas\r\n", Agreed(1800, True)),
        (KNOWS, f"Session-Expires: 1800{UAC}", Agreed(1800, False)),
        (KNOWS + "Session-Expires: 600\r\n", f"Session-Expires: 600{UAC}", Agreed(600, False)),
        (
            "k: timer\r\nx: 600;refresher=uas\r\n",
            "Session-Expires: 600;refresher=uas\r\nRequire: timer\r\n", Agreed(600, True),
        ),
        (KNOWS + "Session-Expires: 7200\r\n", f"Session-Expires: 1800{UAC}", Agreed(1800, False)),
        (
            KNOWS + "Session-Expires: 7200\r\nMin-SE: 3600\r\n",
            f"Session-Expires: 3600{UAC}", Agreed(3600, False),
        ),
        ("Session-Expires: 60\r\n", "Session-Expires: 90;refresher=uas\r\n", Agreed(90, True)),
        (KNOWS + "Session-Expires: rubbish\r\n", f"Session-Expires: 1800{UAC}", Agreed(1800, False)),
    ],
)  # fmt: skip
def test_accept(headers: str, lines: str, agreed: Agreed) -> None:
    assert session_timer.accept(request(headers), POLICY) == (lines, agreed)


@pytest.mark.parametrize(
    ("headers", "agreed"),
    [
        ("", Agreed(1800, True)),  # it knows no timers: we refresh (7.2)
        ("Session-Expires: 900;refresher=uas\r\n", Agreed(900, False)),
        ("Session-Expires: 900;refresher=UAC\r\n", Agreed(900, True)),
        ("Session-Expires: 900\r\n", Agreed(900, True)),
        ("Session-Expires: 1;refresher=uas\r\n", Agreed(90, False)),
        ("Session-Expires: 9999999999;refresher=uas\r\n", Agreed(1_000_000, False)),
    ],
)
def test_agreed_by(headers: str, agreed: Agreed) -> None:
    assert session_timer.agreed_by(response(headers), POLICY, 90) == agreed


def test_propose() -> None:
    assert session_timer.propose(POLICY, 90, None) == "Session-Expires: 1800\r\nMin-SE: 90\r\n"
    assert session_timer.propose(POLICY, 2000, None) == "Session-Expires: 2000\r\nMin-SE: 2000\r\n"
    assert session_timer.propose(POLICY, 90, Agreed(600, True)).startswith("Session-Expires: 600;refresher=uac\r\n")
    assert session_timer.propose(POLICY, 90, Agreed(600, False)).startswith("Session-Expires: 600;refresher=uas\r\n")


def test_off() -> None:
    off = SessionTimer(expires_s=0)
    assert session_timer.propose(off, 90, None) == ""
    assert session_timer.accept(request(KNOWS + "Session-Expires: 600\r\n"), off) == ("", None)
    assert session_timer.agreed_by(response(), off, 90) is None
    assert session_timer.too_brief(request(KNOWS + "Session-Expires: 60\r\n"), off) == ""


# --- in calls -------------------------------------------------------------------------------------------------------


def queue_call(world: World, extra: str = "", body: str | None = None) -> tuple[Phone, str, Response]:
    """The carrier hears music: nobody else is in its call."""
    world.switch.handlers["extension"] = hears_music
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID, extra=extra, body=body)
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    return carrier, invite, ok


def test_too_brief_an_interval_is_refused(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID, extra=KNOWS + "Session-Expires: 60\r\n")
    refusal = carrier.response(422)
    assert refusal.get("Min-SE") == "90"
    carrier.ack_refusal(invite, refusal)


def test_a_caller_that_vanished_in_a_queue_is_found(world: World) -> None:
    """It knows no timers: we ask at half time, by re-INVITE, and nothing of its session changes (7.4)."""
    carrier, _, ok = queue_call(world)
    assert ok.get("Session-Expires") == "1800;refresher=uas" and ok.get("Require") is None
    world.run(900)
    refresh = carrier.request("INVITE")
    assert refresh.body == ok.body  # version and all
    assert refresh.get("Session-Expires") == "1800;refresher=uac"
    carrier.answer(refresh, 200, body=sdp(host=carrier.host))
    carrier.request("ACK")
    assert world.plane.playing  # the music was not disturbed
    world.run(900)
    carrier.request("INVITE")
    world.run(33)  # nothing comes back
    assert world.switch.live == 0
    assert world.named("CallEnded")[0].cause == "no answer"  # type: ignore[attr-defined]
    carrier.inbox.clear()


def test_refresh_by_update_where_it_is_allowed(world: World) -> None:
    carrier, invite, ok = queue_call(world, "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n")
    world.run(900)
    refresh = carrier.request("UPDATE")
    assert not refresh.body and refresh.get("Contact") and refresh.get("Session-Expires") == "1800;refresher=uac"
    carrier.answer(refresh, 200, extra="Session-Expires: 600;refresher=uac\r\n")
    world.run(300)
    carrier.answer(carrier.request("UPDATE"), 500)  # it lives: it is asked again, soon
    world.run(75)
    carrier.answer(carrier.request("UPDATE"), 405)  # it does not mean it: the other way
    again = carrier.request("INVITE")
    carrier.answer(again, 481)
    carrier.request("ACK")
    carrier.answer(carrier.request("BYE"), 481)
    assert world.named("CallEnded")[0].cause == "dialog gone"  # type: ignore[attr-defined]
    assert invite and ok


def test_a_caller_that_should_refresh_and_does_not(world: World) -> None:
    """10: BYE shortly before the session expires."""
    carrier, _, ok = queue_call(world, KNOWS + "Session-Expires: 600\r\n")
    assert ok.get("Session-Expires") == "600;refresher=uac" and ok.get("Require") == "timer"
    world.run(567)
    assert not carrier.inbox
    world.run(2)
    bye = carrier.request("BYE")
    assert bye.get("Reason") == 'SIP;cause=408;text="Session expired"'
    carrier.answer(bye, 200)
    assert world.counters["sip_sessions_expired"] == 1
    assert world.named("CallEnded")[0].cause == "session expired"  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_caller_that_refreshes_stays(world: World, method: str) -> None:
    extra = KNOWS + "Session-Expires: 600;refresher=uac\r\n"
    carrier, invite, ok = queue_call(world, extra)
    tag = ok.to_tag or ""
    for n in range(3):
        world.run(300)
        body = "" if method == "UPDATE" else sdp(host=carrier.host)
        carrier.follow(method, invite, tag, cseq=2 + n, extra=extra, body=body)
        answer = carrier.response(200)
        assert answer.get("Session-Expires") == "600;refresher=uac" and answer.get("Require") == "timer"
        if method == "INVITE":
            carrier.follow("ACK", invite, tag, cseq=2 + n)
        assert world.plane.playing
    carrier.follow("BYE", invite, tag, cseq=9)
    carrier.response(200)


def test_both_legs_of_a_call_have_a_timer_of_their_own(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    assert request.get("Session-Expires") == "1800" and "timer" in (request.get("Supported") or "")
    world.run(900)
    for peer in (carrier, phone):
        peer.answer(peer.request("INVITE"), 200, body=sdp(41000, host=peer.host))
        peer.request("ACK")
        assert not peer.inbox  # nothing is passed on
    world.run(900)
    carrier.answer(carrier.request("INVITE"), 200, body=sdp(41000, host=carrier.host))
    carrier.request("ACK")
    world.run(33)  # the phone is gone
    carrier.answer(carrier.request("BYE"), 200)
    assert world.switch.live == 0 and invite and tag
    phone.inbox.clear()


def test_a_phone_that_wants_a_longer_interval_gets_it(world: World) -> None:
    """7.3"""
    carrier, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
    world.register("101", phone)
    invite = carrier.invite(DID)
    first = phone.request("INVITE")
    phone.answer(first, 422, extra="Min-SE: 3600\r\n")
    phone.request("ACK")
    again = phone.request("INVITE")
    assert again.cseq == 2 and again.get("Session-Expires") == "3600" and again.get("Min-SE") == "3600"
    phone.answer(again, 422, extra="Min-SE: 3600\r\n")  # it got what it asked for
    phone.request("ACK")
    carrier.ack_refusal(invite, carrier.response(500))


def test_a_refresh_that_is_too_brief_for_a_proxy(world: World) -> None:
    carrier, invite, ok = queue_call(world)
    world.run(900)
    carrier.answer(carrier.request("INVITE"), 422, extra="Min-SE: 2000\r\n")
    carrier.request("ACK")
    again = carrier.request("INVITE")
    assert again.get("Session-Expires") == "2000;refresher=uac"
    carrier.answer(again, 200, body=sdp(host=carrier.host))
    carrier.request("ACK")
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)


def test_a_refresh_while_the_peer_changes_its_session_waits(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    world.run(899)
    hold = carrier.invite(DID, to_tag=tag, cseq=2, body=sdp(direction="sendonly"))
    passed = phone.request("INVITE")
    world.run(2)
    assert not [data for data in carrier.inbox if data.startswith(b"INVITE")]
    carrier.inbox.clear()
    phone.inbox.clear()  # the INVITE again
    phone.answer(passed, 200, body=sdp(41000, direction="recvonly", host=phone.host))
    phone.request("ACK")
    carrier.response(200)
    carrier.follow("ACK", hold, tag, cseq=2)
    carrier.follow("BYE", invite, tag, cseq=3)
    carrier.response(200)
    phone.answer(phone.request("BYE"), 200)


def test_site_without_timers(tmp_path: Path) -> None:
    world = World(SITE.replace("calls: {hold: pass}", "calls: {session_timer: {expires_s: 0}}"), tmp_path)
    carrier, invite, ok = queue_call(world, KNOWS + "Session-Expires: 60\r\n")
    assert ok.get("Session-Expires") is None and "timer" not in (ok.get("Supported") or "")
    world.run(10_000)
    assert world.switch.live == 1
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    world.run(100)
    assert world.leaks() == {}
