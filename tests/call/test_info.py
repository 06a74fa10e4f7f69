"""INFO: keys in both directions, and other bodies (RFC 6086)."""

from __future__ import annotations

import pytest

from pbx.call.info import read_key

from .test_early_media import called, the_call
from .test_flows import DID, hang_up, talking
from .world import Phone, World, hears_music, sdp

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        (RELAY, "Signal=5\r\nDuration=250\r\n", ("5", 250)),
        (RELAY, "Signal= *\r\nDuration= 100", ("*", 100)),
        (RELAY, "signal=#", ("#", 160)),
        (RELAY, "Signal=11\nDuration=99999", ("#", 5000)),
        (RELAY, "Duration=1\r\nSignal=b", ("B", 40)),
        (RELAY, "Signal=\r\n", None),
        (RELAY, "Signal=55\r\n", None),
        (RELAY, "", None),
        (PLAIN, "7", ("7", 160)),
        (PLAIN, " 10 \r\n", ("*", 160)),
        (PLAIN, "z", None),
        (PLAIN, "", None),
    ],
)
def test_read_key(kind: str, body: str, key: tuple[str, int] | None) -> None:
    assert read_key(kind, body) == key


def sent_digits(world: World) -> list[object]:
    return [command[2] for command in world.plane.commands if command[0] == "send_digit"]


def test_keys_reach_whoever_listens(world: World) -> None:
    heard: list[str] = []
    world.switch.handlers["extension"] = hears_music
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite(DID)
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    port = the_call(world).caller.audio.port
    assert port is not None
    port.on_digit = heard.append
    carrier.follow("INFO", invite, tag, cseq=2, body="Signal=4\r\nDuration=160\r\n", kind=RELAY)
    carrier.response(200)
    carrier.follow("INFO", invite, tag, cseq=3, body="2", kind=PLAIN)
    carrier.response(200)
    carrier.follow("INFO", invite, tag, cseq=4, body="nothing", kind=RELAY)
    carrier.response(400)
    assert heard == ["4", "2"]
    carrier.follow("BYE", invite, tag, cseq=5)
    carrier.response(200)


def test_keys_go_to_the_other_side_as_events(world: World) -> None:
    carrier, invite, tag, phone, request = talking(world)
    carrier.follow("INFO", invite, tag, cseq=2, body="Signal=4\r\nDuration=200\r\n", kind=RELAY)
    carrier.response(200)
    phone.back("INFO", request, body="9", kind=PLAIN)
    phone.response(200)
    assert sent_digits(world) == ["4", "9"] and not phone.inbox and not carrier.inbox
    hang_up(carrier, invite, tag, phone, cseq=3)


def no_events(world: World, allow: str) -> tuple[Phone, str, str, Phone]:
    """The carrier talks with a phone that takes no RFC 4733 events."""
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 200, body=sdp(41000, types="8", host=phone.host), extra=allow)
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    return carrier, invite, tag, phone


def test_keys_go_by_info_to_who_takes_no_events(world: World) -> None:
    carrier, invite, tag, phone = no_events(world, "Allow: INVITE, BYE, INFO\r\n")
    port = the_call(world).caller.audio.port
    assert port is not None
    carrier.follow("INFO", invite, tag, cseq=2, body="6", kind=PLAIN)
    carrier.response(200)
    phone.answer(phone.request("INFO"), 200)
    world.plane.press(port, "5")  # RFC 4733
    info = phone.request("INFO")
    assert info.get("Content-Type") == RELAY and info.body.startswith(b"Signal=5\r\n")
    phone.answer(info, 200)
    assert not phone.inbox and sent_digits(world) == []
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_keys_for_who_takes_neither_are_tones(world: World) -> None:
    carrier, invite, tag, phone = no_events(world, "Allow: INVITE, BYE\r\n")
    carrier.follow("INFO", invite, tag, cseq=2, body="6", kind=PLAIN)
    carrier.response(200)
    assert not phone.inbox and sent_digits(world) == ["6"]
    assert [remote.in_band_keys for remote in world.plane.remotes.values()] == [True, False]
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_other_bodies_are_passed_on_to_who_takes_them(world: World) -> None:
    carrier, invite, [(phone, request)] = called(world)
    phone.answer(request, 200, body=sdp(41000, host=phone.host), extra="Allow: INVITE, INFO\r\n")
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.follow("INFO", invite, tag, cseq=2, body="<x/>", kind="application/media_control+xml")
    carrier.response(200)
    info = phone.request("INFO")
    assert (info.get("Content-Type"), info.body) == ("application/media_control+xml", b"<x/>")
    phone.answer(info, 415)
    carrier.follow("INFO", invite, tag, cseq=3)
    carrier.response(200)
    carrier.follow("INFO", invite, tag, cseq=4, body="y" * 5000, kind="text/plain")
    carrier.response(200)
    phone.back("INFO", request, body="<x/>", kind="application/media_control+xml")
    phone.response(200)
    assert not phone.inbox and not carrier.inbox  # the carrier did not say that it takes any
    hang_up(carrier, invite, tag, phone, cseq=5)


def test_packages_are_not_served(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("INFO", invite, tag, cseq=2, body="x", kind="text/x", extra="Info-Package: nothing\r\n")
    assert carrier.response(469).get("Recv-Info") == ""
    hang_up(carrier, invite, tag, phone, cseq=3)


def test_info_outside_a_call(world: World) -> None:
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("0000")
    carrier.ack_refusal(invite, carrier.response(404))
    carrier.follow("INFO", invite, "nobody", cseq=2)
    carrier.response(481)
