"""A guarded switch: who is turned away costs no transaction, who talks is served, proxies hear of overload."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.security import Security, SourceRate
from pbx.routing.ban import Bans
from pbx.routing.guard import Guard
from pbx.routing.overload import Overload

from .world import Phone, World, sdp

CARRIER, STRANGER = "198.51.100.1", "203.0.113.50"
POLICY = Security(per_source=SourceRate(requests_per_s=5, burst=5))


class Guarded(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder=folder)
        self.bans = Bans(POLICY.ban, CARRIER.__eq__, lambda host: False, self.counters)
        self.overload = Overload(0.1, self.counters)
        self.guard = Guard(
            POLICY, CARRIER.__eq__, lambda hop: self.location.is_source(hop.host, hop.port), self.bans,
            self.overload, self.counters,
        )  # fmt: skip
        self.switch.judge = self.guard.judge
        self.layer.feedback = lambda via, hop: self.overload.feedback(via) if self.guard.trusts(hop.host) else via

    def overloaded(self, severity: float) -> None:
        for _ in range(2):
            self.overload.measure(1.0, self.clock.time)
        self.overload.severity = severity


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


def options(phone: Phone, number: int, agent: str = "Phone", via: str = "") -> None:
    phone.send(
        f"OPTIONS sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host}:5060;branch=z9hG4bKo{number}{via}\r\n"
        f"From: <sip:x@{phone.host}>;tag=f\r\nTo: <sip:192.0.2.100>\r\nCall-ID: o{number}\r\nCSeq: 1 OPTIONS\r\n"
        f"User-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
    )


def test_over_the_rate_503_then_nothing_and_no_transactions(guarded: Guarded) -> None:
    stranger = guarded.phone(STRANGER)
    for i in range(40):
        options(stranger, i)
    statuses = [stranger.take().status for _ in range(len(stranger.inbox))]  # type: ignore[union-attr]
    assert statuses == [200] * 5 + [503] * 10
    invite = stranger.invite("101")
    assert not stranger.inbox and len(guarded.layer) == 0, invite
    guarded.run(1.0)
    stranger.invite("101", call="c2")
    stranger.response(401)


def test_mistakes_and_connections_count_as_requests(guarded: Guarded) -> None:
    stranger, carrier = guarded.phone(STRANGER), guarded.phone(CARRIER)
    guarded.layer.bears = guarded.guard.bears
    for phone in (stranger, carrier):
        for _ in range(40):
            options(phone, 1, via="\r\nSubject")
    assert (len(stranger.inbox), len(carrier.inbox)) == (5, 40)
    assert stranger.response(400) and not guarded.guard.bears(stranger.hop, guarded.clock.time)


def test_cancels_of_nothing_have_a_limit(guarded: Guarded) -> None:
    stranger = guarded.phone(STRANGER)
    for i in range(40):
        stranger.send(
            f"CANCEL sip:1@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER}:5060;branch=z9hG4bKo{i}\r\n"
            f"From: <sip:x@h>;tag=f\r\nTo: <sip:1@h>\r\nCall-ID: o{i}\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"
        )
    statuses = [stranger.take().status for _ in range(len(stranger.inbox))]  # type: ignore[union-attr]
    assert statuses == [481] * 5 + [503] * 10 and len(guarded.layer) == 0


def test_a_scanner_hears_nothing(guarded: Guarded) -> None:
    stranger = guarded.phone(STRANGER)
    options(stranger, 1, agent="friendly-scanner")
    assert not stranger.inbox and not guarded.bans.admits(STRANGER) and len(guarded.layer) == 0


def test_what_belongs_to_a_call_is_served_whatever_the_load(guarded: Guarded) -> None:
    """A call that stands is held, resumed and ended while every new request is shed."""
    carrier, phone = guarded.phone(CARRIER), guarded.phone("192.0.2.1")
    guarded.register("101", phone)
    invite = carrier.invite("0180000001", user="0123")
    out = phone.request("INVITE")
    phone.answer(out, 200, body=sdp(host=phone.host))
    phone.request("ACK")
    tag = ""
    while not tag:
        response = carrier.take()
        tag = (response.to_tag or "") if getattr(response, "status", 0) == 200 else ""
    carrier.follow("ACK", invite, tag, cseq=1)
    guarded.overloaded(3.0)
    refused = carrier.invite("0180000001", call="c2", user="0123")
    assert carrier.response(503).get("Retry-After") and len(re.findall("INVITE", refused)) == 2
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)
    phone.answer(phone.request("BYE"), 200)
    guarded.run(64)
    assert not guarded.leaks()
    assert guarded.counters["overload_shed_call"] == 1


def test_an_unknown_dialog_is_no_way_around_the_guard(guarded: Guarded) -> None:
    stranger = guarded.phone(STRANGER)
    for i in range(60):
        stranger.invite("101", call=f"c{i}", to_tag="invented", branch=f"z9hG4bKx{i}")
    assert len(guarded.layer) <= 5


def test_a_proxy_is_told_how_much_less_to_send(guarded: Guarded) -> None:
    """RFC 7339: in every response to a request that offers it, and only to those we trust."""
    offer = ';oc;oc-algo="loss"'
    carrier, stranger = guarded.phone(CARRIER), guarded.phone(STRANGER)
    options(carrier, 1, via=offer)
    assert ';oc=0;oc-algo="loss";oc-validity=0;oc-seq=' in carrier.take().all("Via")[0]
    guarded.overloaded(0.4)
    options(carrier, 2, via=offer)
    assert ';oc=40;oc-algo="loss";oc-validity=500;oc-seq=' in carrier.take().all("Via")[0]
    options(carrier, 3)
    assert "oc=" not in carrier.take().all("Via")[0]
    options(stranger, 4, via=offer)
    assert "oc=" not in stranger.take().all("Via")[0]


def test_shed_calls_of_a_proxy_with_oc_do_not_send_it_away(guarded: Guarded) -> None:
    guarded.overloaded(1.0)
    carrier = guarded.phone(CARRIER)
    text = carrier.invite("0180000001", user="0123", call="c1")
    assert carrier.response(503).get("Retry-After")
    carrier.send(text.replace("branch=z9hG4bK", 'oc;oc-algo="loss";branch=z9hG4bKo').replace("c1", "c2"))
    refused = carrier.response(503)
    assert refused.get("Retry-After") is None and ";oc=100;" in refused.all("Via")[0]
