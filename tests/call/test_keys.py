"""Keys: by which way they go between us and each peer (`dtmf`), and that no press counts twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbx.sip.message import Request

from .test_early_media import called, the_call
from .test_flows import hang_up
from .test_info import PLAIN, RELAY, sent_digits
from .world import SITE, Phone, World, sdp

Call = tuple[Phone, str, str, Phone, Request]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Callable[..., tuple[World, Call]]]:
    """The carrier, which takes events, calls a phone: `dtmf` of both in the site, the phone's answer."""
    made: list[tuple[World, Call]] = []

    def begin(dtmf: str, trunk: str = "auto", types: str = "8 101", allow: str = "INVITE, BYE") -> tuple[World, Call]:
        text = SITE.replace("101..109: {", f"101..109: {{dtmf: {dtmf}, ")
        text = text.replace("carrier: {", f"carrier: {{dtmf: {trunk}, ")
        world = World(text, tmp_path)
        carrier, invite, [(phone, request)] = called(world)
        phone.answer(request, 200, body=sdp(41000, types=types, host=phone.host), extra=f"Allow: {allow}\r\n")
        phone.request("ACK")
        tag = carrier.response(200).to_tag or ""
        carrier.follow("ACK", invite, tag)
        made.append((world, (carrier, invite, tag, phone, request)))
        return made[-1]

    yield begin
    for world, (carrier, invite, tag, phone, _) in made:
        hang_up(carrier, invite, tag, phone, cseq=9)
        world.run(100)
        assert world.leaks() == {}


Talks = Callable[..., tuple[World, Call]]


@pytest.mark.parametrize(
    ("dtmf", "types", "allow", "offered", "in_band"),
    [
        ("auto", "8 101", "INFO", True, False), ("auto", "8", "INFO", True, False), ("auto", "8", "BYE", True, True),
        ("rfc4733", "8 101", "INFO", True, False), ("rfc4733", "8", "BYE", True, False),
        ("info", "8", "BYE", False, False), ("inband", "8", "INFO", False, True),
    ],
)  # fmt: skip
def test_what_is_offered_and_what_the_media_plane_is_told(
    talk: Talks, dtmf: str, types: str, allow: str, offered: bool, in_band: bool
) -> None:
    world, (_, _, _, _, request) = talk(dtmf, types=types, allow=allow)
    assert (b"telephone-event" in request.body) is offered
    (theirs,) = [remote for remote in world.plane.remotes.values() if remote.port == 41000]
    assert theirs.in_band_keys is in_band


def test_who_calls_gets_an_answer_without_events_where_keys_go_by_info(talk: Talks) -> None:
    world, _ = talk("auto", trunk="info")
    (theirs,) = [remote for remote in world.plane.remotes.values() if remote.port == 40000]
    assert theirs.dtmf_payload_type is None and not theirs.in_band_keys


@pytest.mark.parametrize(("held_ms", "told_ms"), [(20, 40), (420, 420), (60_000, 5000)])
def test_by_info_even_if_the_phone_does_not_say_that_it_takes_it(talk: Talks, held_ms: int, told_ms: int) -> None:
    world, (_, _, _, phone, _) = talk("info", types="8")
    port = the_call(world).caller.audio.port
    assert port is not None
    world.plane.press(port, "5", held_ms)
    info = phone.request("INFO")
    assert info.get("Content-Type") == RELAY and info.body == f"Signal=5\r\nDuration={told_ms}\r\n".encode()
    phone.answer(info, 200)


def test_nothing_where_only_events_are_wanted_and_none_are_taken(talk: Talks) -> None:
    world, (carrier, invite, tag, phone, _) = talk("rfc4733", types="8", allow="INFO")
    carrier.follow("INFO", invite, tag, cseq=2, body="5", kind=PLAIN)
    carrier.response(200)
    assert not phone.inbox and sent_digits(world) == []


def test_a_press_by_event_and_by_info_counts_once(talk: Talks) -> None:
    world, (carrier, invite, tag, phone, _) = talk("auto", types="8", allow="INFO")
    port = the_call(world).caller.audio.port
    assert port is not None
    world.plane.press(port, "5")  # the event is heard first: it begins with the press, INFO comes at its end
    carrier.follow("INFO", invite, tag, cseq=2, body="Signal=5\r\nDuration=160\r\n", kind=RELAY)
    carrier.response(200)
    phone.answer(phone.request("INFO"), 200)
    assert not phone.inbox and world.counters["keys_said_twice"] == 1


@pytest.mark.parametrize("trunk", ["rfc4733", "inband"])
def test_info_is_not_heard_where_keys_come_with_the_sound(talk: Talks, trunk: str) -> None:
    world, (carrier, invite, tag, _, _) = talk("auto", trunk=trunk)
    carrier.follow("INFO", invite, tag, cseq=2, body="5", kind=PLAIN)
    carrier.response(200)
    assert sent_digits(world) == [] and world.counters["keys_said_twice"] == 1
