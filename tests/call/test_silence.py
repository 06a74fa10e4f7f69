"""A peer that sends nothing any more, how legs sounded, and whose ports are together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.errors import SiteError
from config.media import Media
from media.plane import PortStats
from pbx.call.events import CallEnded, LegEnded, LegQuality, LegSilent

from .test_early_media import the_call
from .test_flows import DID, hang_up, talking
from .test_reanchor import ports
from .world import SITE, World, sdp

STATS = PortStats(3000, 2990, 7, 0, 1.5, rtt_ms=42.0, peer_lost=3, mos=4.2, peer_mos=4.1, peer_reports=9)


def site_says(world: World, media: Media) -> None:
    world.switch.configure(replace(world.switch.rules, site=world.site.model_copy(update={"media": media})))


def test_silent_callee_is_hung_up_with_his_caller(world: World) -> None:
    carrier, _, _, phone, _ = talking(world)
    _, theirs = ports(the_call(world))
    assert theirs is not None and set(world.plane.watched.values()) == {300_000}
    world.plane.fall_silent(theirs)
    for peer in (phone, carrier):
        bye = peer.request("BYE")
        peer.answer(bye, 200)
        if peer is phone:
            assert bye.get("Reason") == 'Q.850;cause=102;text="No media received"'
    silent, ended, over = world.events[-3:]
    assert isinstance(silent, LegSilent) and (silent.leg, silent.silent_s) == (2, 300.0)
    assert isinstance(ended, LegEnded) and isinstance(over, CallEnded)
    assert ended.cause == over.cause == "media timeout"
    assert world.counters["legs_silent"] == 1


def test_silent_caller_too(world: World) -> None:
    carrier, _, _, phone, _ = talking(world)
    mine, _ = ports(the_call(world))
    assert mine is not None
    world.plane.fall_silent(mine)
    carrier.answer(carrier.request("BYE"), 200)
    phone.answer(phone.request("BYE"), 200)
    (over,) = world.named("CallEnded")
    assert isinstance(over, CallEnded) and over.cause == "media timeout"


def test_only_told(world: World) -> None:
    site_says(world, Media(on_silence="tell", silent_after_s=5))
    carrier, invite, tag, phone, _ = talking(world)
    _, theirs = ports(the_call(world))
    assert theirs is not None and world.plane.watched[theirs.number] == 5000
    world.plane.fall_silent(theirs)
    assert len(world.named("LegSilent")) == 1 and the_call(world).connected is not None
    hang_up(carrier, invite, tag, phone)


def test_nobody_is_watched_if_the_site_says_so(world: World) -> None:
    site_says(world, Media(silent_after_s=None))
    carrier, invite, tag, phone, _ = talking(world)
    assert not world.plane.watched
    hang_up(carrier, invite, tag, phone)


@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
def test_who_holds_is_not_watched(world: World, direction: str) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    mine, _ = ports(the_call(world))
    assert mine is not None
    for cseq, way in ((2, direction), (3, "sendrecv")):
        again = carrier.invite(DID, to_tag=tag, cseq=cseq, body=sdp(direction=way, host="198.51.100.1"))
        asked = phone.request("INVITE")
        answer = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(way, way)
        phone.answer(asked, 200, body=sdp(41000, direction=answer, host=phone.host))
        phone.request("ACK")
        carrier.response(200)
        carrier.follow("ACK", again, tag, cseq=cseq)
        assert (mine.number in world.plane.watched) == (way == "sendrecv")
    hang_up(carrier, invite, tag, phone, cseq=4)


def test_each_leg_is_told_when_it_is_over(world: World) -> None:
    world.plane.stats = STATS
    carrier, invite, tag, phone, _ = talking(world)
    asked: list[list[LegQuality]] = []
    the_call(world).ask_quality(asked.append)
    assert [(leg.leg, leg.codec, leg.mos, leg.rtt_ms) for leg in asked[0]] == [(n, "PCMA", 4.2, 42.0) for n in (1, 2)]
    assert world.quality == []
    world.plane.stats = replace(STATS, codec="G722")  # they went over to it
    the_call(world).ask_quality(asked.append)
    assert [leg.codec for leg in asked[1]] == ["G722", "G722"]
    hang_up(carrier, invite, tag, phone)
    assert [leg.codec for leg in world.quality] == ["G722", "G722"]
    assert [(leg.leg, leg.packets_lost, leg.peer_lost, leg.peer_mos) for leg in world.quality] == [
        (2, 7, 3, 4.1), (1, 7, 3, 4.1),
    ]  # fmt: skip


def test_legs_of_a_call_are_together(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    mine, theirs = ports(the_call(world))
    assert mine is not None and theirs is not None
    assert world.plane.beside in ({mine.number: theirs.number}, {theirs.number: mine.number})
    hang_up(carrier, invite, tag, phone)


def test_a_trunk_and_a_phone_have_a_time_of_their_own() -> None:
    """The carrier, who suppresses silence, never counts as dead; the phone soon, but its calls go on."""
    text = SITE.replace("198.51.100.1, gateway", "198.51.100.1, silent_after_s: never, gateway")
    world = World(text.replace("101..109: {", "101..109: {silent_after_s: 20, on_silence: tell, "))
    carrier, invite, tag, phone, _ = talking(world)
    mine, theirs = ports(the_call(world))
    assert mine is not None and theirs is not None
    assert world.plane.watched == {theirs.number: 20_000}
    world.plane.fall_silent(theirs)
    (silent,) = world.named("LegSilent")
    assert isinstance(silent, LegSilent) and silent.silent_s == 20.0
    assert the_call(world).connected is not None
    hang_up(carrier, invite, tag, phone)


def test_without_a_time_of_its_own_it_is_the_sites() -> None:
    world = World(SITE.replace("101..109: {", "101..109: {on_silence: tell, "))
    carrier, _, _, phone, _ = talking(world)
    mine, theirs = ports(the_call(world))
    assert mine is not None and theirs is not None and set(world.plane.watched.values()) == {300_000}
    world.plane.fall_silent(theirs)
    assert the_call(world).connected is not None
    world.plane.fall_silent(mine)  # the trunk
    for peer in (carrier, phone):
        peer.answer(peer.request("BYE"), 200)
    hung_up = world.named("CallEnded")
    assert len(hung_up) == 1


def test_a_time_that_makes_no_sense_is_refused() -> None:
    for text in ("0.5", "soon"):
        with pytest.raises(SiteError, match="silent_after_s"):
            World(SITE.replace("101..109: {", f"101..109: {{silent_after_s: {text}, "))
