"""Calls over several gateways, OPTIONS to gateways and phones, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.schema import Destination
from pbx.call.controller import NOBODY
from pbx.call.health import TICK_S, Health
from pbx.call.probes import PATIENCE_S
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.next_hop import Records, Srv

from .test_trunk_calls import call_out
from .world import SITE, Phone, World, sdp

GATEWAYS = """
  carrier:
    from: [198.51.100.1, 198.51.100.2, 198.51.100.3]
    gateways:
      - sip:gw.example
      - {uri: sip:198.51.100.3, priority: 1}
    probe_s: 30
    down_after: 2
    up_after: 2
"""
NAMES: dict[tuple[str, str], Records | None] = {
    ("_sip._udp.gw.example", "SRV"): (Srv(1, 1, 5060, "one.example"), Srv(2, 1, 5060, "two.example")),
    ("one.example", "A"): ("198.51.100.1",),
    ("two.example", "A"): ("198.51.100.2",),
}
LINE = "  carrier: {from: 198.51.100.1, gateway: sip:198.51.100.1, login: {username: us, password: trunk-pw}}\n"


class Site:
    """A world whose carrier has a gateway by name with two addresses, and one more."""

    def __init__(self, folder: Path, qualify_s: int = 0) -> None:
        text = SITE.replace(LINE, GATEWAYS.lstrip("\n")).replace(
            "listen: {sip: [udp:192.0.2.100:5060]}",
            f"listen: {{sip: [udp:192.0.2.100:5060], qualify_s: {qualify_s}}}",
        )
        self.world = world = World(text, folder)
        world.zone |= NAMES
        self.told: list[str] = []
        self.health = Health(
            world.switch, world.gateways, world.location, world.hops, world.events.append, world.counters,
            self.told.append,
        )  # fmt: skip
        self.health.reconfigure(world.site)
        world.switch.on_hop_result = self.health.hop_result
        self.gateways = [world.phone(f"198.51.100.{n}") for n in (1, 2, 3)]
        self.caller = world.phone("192.0.2.77")

    def tick(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.world.run(TICK_S)
            self.health.tick()

    def heard(self, status: int) -> Response:
        """What the caller is told, after 100."""
        if b" 100 " in self.caller.inbox[0]:
            self.caller.response(100)
        return self.caller.response(status)

    def states(self) -> list[str]:
        return [one.state for one in self.world.gateways.of("carrier")]

    def answer_options(self, *gateways: int, status: int = 200) -> int:
        count = 0
        for n in gateways:
            while self.gateways[n].inbox:
                request = self.gateways[n].request("OPTIONS")
                if status:
                    self.gateways[n].answer(request, status)
                count += 1
        return count


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for phone in site.world.phones.values():
        phone.inbox.clear()
    site.world.run(100)
    assert site.world.leaks() == {}


def refuse(site: Site, gateway: Phone, request: Request, status: int) -> None:
    gateway.answer(request, status, tag=gateway.host)
    gateway.request("ACK")


def talk_and_end(site: Site, gateway: Phone, request: Request, invite: str) -> None:
    gateway.answer(request, 200, body=sdp(41000, host=gateway.host))
    gateway.request("ACK")
    tag = site.heard(200).to_tag or ""
    site.caller.follow("ACK", invite, tag, cseq=2)
    site.caller.follow("BYE", invite, tag, cseq=3)
    site.caller.response(200)
    gateway.answer(gateway.request("BYE"), 200)


# --- calls ----------------------------------------------------------------------------------------------------------


def test_503_goes_to_the_next_address_and_then_to_the_next_gateway(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    one, two, three = site.gateways
    first = one.request("INVITE")
    assert first.uri == "sip:0123@gw.example"
    refuse(site, one, first, 503)
    second = two.request("INVITE")
    assert second.uri == first.uri and second.branch != first.branch and second.body == first.body
    assert (second.call_id, second.from_tag, second.cseq) == (first.call_id, first.from_tag, first.cseq)
    refuse(site, two, second, 503)
    third = three.request("INVITE")
    assert third.uri == "sip:0123@198.51.100.3"
    talk_and_end(site, three, third, invite)
    assert site.states() == ["suspect", "up"]


def test_silence_goes_to_the_next_after_a_few_seconds(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    one, two, three = site.gateways
    site.world.run(3.9)
    assert one.inbox and not two.inbox
    site.world.run(0.2)
    assert two.inbox
    site.world.run(4)
    assert site.world.counters["sip_hops_given_up"] == 2
    talk_and_end(site, three, three.request("INVITE"), invite)
    assert site.states() == ["suspect", "up"]
    site.world.run(40)
    one.inbox.clear()
    two.inbox.clear()
    # Its addresses failed lately and it is suspect: still tried, and one more failure takes it out.
    site.world.gateways.failed("carrier", "sip:gw.example", site.world.clock.time)
    assert site.states() == ["down", "up"]
    invite = call_out(site.world, site.caller, "0123")
    assert not one.inbox and not two.inbox
    talk_and_end(site, three, three.request("INVITE"), invite)


def test_who_rings_is_not_given_up(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    one, two, _ = site.gateways
    request = one.request("INVITE")
    one.answer(request, 100, contact=None)
    site.world.run(30)
    assert not two.inbox
    talk_and_end(site, one, request, invite)


def test_a_gateway_that_awakes_too_late_is_cancelled_or_hung_up(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    one, two, _ = site.gateways
    late = one.request("INVITE")
    site.world.run(4.1)
    request = two.request("INVITE")
    one.inbox.clear()
    one.answer(late, 180, tag="late")
    one.answer(one.request("CANCEL"), 200)
    one.answer(late, 200, tag="late", body=sdp(42000, host=one.host))  # it crossed our CANCEL
    assert one.request("ACK").to_tag == "late"
    one.answer(one.request("BYE"), 200)
    talk_and_end(site, two, request, invite)


def test_a_gateway_that_awakes_too_late_and_obeys(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    one, two, _ = site.gateways
    late = one.request("INVITE")
    site.world.run(4.1)
    one.inbox.clear()
    one.answer(late, 100, contact=None)
    one.answer(one.request("CANCEL"), 200)
    one.answer(late, 487, tag="late")
    one.request("ACK")
    talk_and_end(site, two, two.request("INVITE"), invite)


def test_the_caller_gives_up_while_a_hop_is_silent(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    site.world.run(1)
    site.caller.follow("CANCEL", invite, cseq=2)
    site.heard(200)
    refusal = site.caller.response(487)
    site.caller.ack_refusal(invite, refusal)
    site.world.run(10)
    assert not site.gateways[1].inbox


def test_the_last_hop_is_not_given_up_early(site: Site) -> None:
    invite = call_out(site.world, site.caller, "0123")
    site.world.run(8.1)
    assert site.gateways[2].inbox
    site.world.run(15)
    assert len(site.caller.inbox) == 1
    request = site.gateways[2].request("INVITE")
    site.gateways[2].inbox.clear()
    talk_and_end(site, site.gateways[2], request, invite)


def test_a_name_that_is_not_known_yet_is_looked_up_first(site: Site) -> None:
    world = site.world
    world.zone["late.example", "A"] = None
    waiting: list[tuple[str, Callable[[tuple[Hop, ...]], None]]] = []
    world.switch.resolve = lambda uri, then: waiting.append((uri, then))
    site.world.phone("198.51.100.1").invite("+33180000001")
    (call,) = world.switch.calls()
    call.controller = NOBODY
    attempt = call.dial(Destination("uri", "sip:7@late.example:5060"), ring_s=20)
    assert [uri for uri, _ in waiting] == ["sip:7@late.example:5060"] and not attempt.legs
    world.zone["late.example", "A"] = ("203.0.113.9",)
    phone = world.phone("203.0.113.9")
    waiting[0][1]((Hop("udp", "203.0.113.9", 5060),))
    assert phone.request("INVITE").uri == "sip:7@late.example:5060"
    call.drop(attempt)
    again = call.dial(Destination("uri", "sip:7@never.example"), ring_s=20)  # it is known not to exist
    world.run(0.1)
    assert again.call is None
    world.zone["late.example", "A"] = None
    gone = call.dial(Destination("uri", "sip:7@late.example:5060"), ring_s=20)
    call.drop(gone)
    waiting[1][1](())  # nobody waits for it any more
    call.hang_up("test")


def test_all_down_and_still_tried(site: Site) -> None:
    now = site.world.clock.time
    for n in range(2):
        for uri in ("sip:gw.example", "sip:198.51.100.3"):
            site.world.gateways.failed("carrier", uri, now + n)
    assert site.states() == ["down", "down"]
    assert [type(event).__name__ for event in site.world.events] == ["GatewayDown", "GatewayDown", "TrunkDown"]
    invite = call_out(site.world, site.caller, "0123")
    talk_and_end(site, site.gateways[0], site.gateways[0].request("INVITE"), invite)
    assert site.states() == ["returning", "down"]


# --- OPTIONS --------------------------------------------------------------------------------------------------------


def test_gateways_are_asked_and_any_answer_but_503_is_good(site: Site) -> None:
    for status in (200, 404, 401, 486):
        for _ in range(30):
            site.tick(1)
            site.answer_options(0, 2, status=status)
    assert site.states() == ["up", "up"] and site.world.counters["options_to_gateways"] == 8
    (first, _) = site.world.gateways.of("carrier")
    assert first.round_trip_s is not None


def test_down_and_back(site: Site) -> None:
    """Its addresses are asked one after the other; only when none answers the gateway has failed."""
    site.tick(0.2)
    assert site.answer_options(0, 1, status=0) == 1
    site.tick(PATIENCE_S)
    assert site.answer_options(1) == 1  # the second address answers
    assert site.states() == ["up", "up"]
    while "down" not in site.states():
        site.tick(1)
        site.answer_options(0, 1, status=0)
        site.answer_options(2)
        assert site.world.clock.time < 1_800_000_200
    assert site.states() == ["down", "up"]
    assert [type(event).__name__ for event in site.world.events] == ["GatewayDown"]
    while "down" in site.states() or "returning" in site.states():
        site.tick(1)
        site.answer_options(0, 1, 2)
        assert site.world.clock.time < 1_800_000_400
    assert [type(event).__name__ for event in site.world.events] == ["GatewayDown", "GatewayUp"]


def test_a_name_that_leads_nowhere_is_down(site: Site) -> None:
    site.world.zone.clear()
    for _ in range(60):
        site.tick(1)
        site.answer_options(2)
    assert site.states() == ["down", "up"]
    invite = call_out(site.world, site.caller, "0123")
    talk_and_end(site, site.gateways[2], site.gateways[2].request("INVITE"), invite)


# --- phones ---------------------------------------------------------------------------------------------------------


def test_phones_are_asked_and_fall_silent_and_return(tmp_path: Path) -> None:
    site = Site(tmp_path, qualify_s=60)
    phone = site.world.phone("192.0.2.11")
    site.world.register("101", phone)
    site.health.registered("101", True)
    site.health.registered("carrier-login", True)  # a trunk's AOR is not asked
    site.tick(60.5)
    request = phone.request("OPTIONS")
    assert request.uri == "sip:101@192.0.2.11:5060"
    phone.answer(request, 200)
    known = site.health.phones.contact("101", "sip:101@192.0.2.11:5060")
    assert known is not None and known.round_trip_s is not None and known.round_trip_s < 0.6
    site.tick(90)
    assert site.told == ["101"] and not site.health.phones.reachable("101")
    while len(site.told) < 2:
        site.tick(1)
        while phone.inbox:
            phone.answer(phone.request("OPTIONS"), 200)
        assert site.world.clock.time < 1_800_000_300
    assert site.told == ["101", "101"] and site.health.phones.reachable("101")
    kinds = [event for event in map(type, site.world.events) if event.__name__.startswith("Phone")]
    assert [kind.__name__ for kind in kinds] == ["PhoneUnreachable", "PhoneReachable"]
    site.world.location.remove("101", site.world.clock.time)
    site.health.registered("101", False)
    phone.inbox.clear()
    site.tick(70)
    assert not phone.inbox
