"""Plateau registers at carriers: requests on the wire, the next hop after a failure, reload, and whose call it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.loader import load
from pbx.call.carrier_registration import Carriers, account_of
from pbx.sip.message import Request
from pbx.sip.next_hop import Question
from tests.call.world import Phone, World, sdp

SITE = """
site: test
listen: {{sip: [udp:192.0.2.100:5060]}}
media: {{ports: 20000-20099}}
records: {{url: "sqlite:///test.db"}}
trunks:
  carrier: {{gateway: "{gateway}", login: {{username: us, password: {password}}}, register: {register}}}
extensions: {{101: {{password: secret}}}}
numbers: {{+33180000001: extension 101}}
"""
CHALLENGE = 'WWW-Authenticate: Digest realm="carrier", nonce="n1", algorithm=MD5, qop="auth"\r\n'
CARRIER = "198.51.100.1"


class Registering(World):
    """The world with carriers to register at."""

    def __init__(self, folder: Path, register: str = "true", gateway: str = f"sip:{CARRIER}") -> None:
        self.folder = folder
        super().__init__(SITE.format(register=register, gateway=gateway, password="pw"), folder)
        self.asked: list[str] = []
        self.carriers = Carriers(self.switch, self.resolve, self.events.append)
        self.switch.rules.screening._by_contact = self.carriers.identify
        self.carrier = self.phone(CARRIER)

    def resolve(self, uri: str, then: object) -> None:
        self.asked.append(uri)
        then(self.hops(uri) or ())  # type: ignore[operator]

    def reload(self, register: str = "true", password: str = "pw", gateway: str = f"sip:{CARRIER}") -> None:
        path = self.folder / "again.yaml"
        path.write_text(SITE.format(register=register, gateway=gateway, password=password))
        self.carriers.configure(load(path))

    def answer(self, status: int, headers: str = "", phone: Phone | None = None) -> Request:
        """The carrier's next REGISTER, answered."""
        phone = phone or self.carrier
        request = phone.request("REGISTER")
        phone.answer(request, status, tag="c", extra=headers, contact=None)
        return request

    def wait(self) -> None:
        """Until the one registration is to be refreshed or tried again."""
        [view] = self.carriers.views()
        assert view.next_at is not None
        self.run(view.next_at - self.clock.time)

    def registered(self, headers: str = "") -> str:
        """The contact under which the carrier has us."""
        self.carriers.configure(self.site)
        request = self.answer(200, headers)
        return (request.get("Contact") or "")[1:-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Registering]:
    world = Registering(tmp_path)
    yield world
    world.carriers.stop()
    while not world.carriers.stopped:
        world.answer(200)
    world.run(100)
    assert world.leaks() == {}


def test_registered_with_a_login_refreshed_and_taken_away(world: Registering) -> None:
    world.carriers.configure(world.site)
    first = world.answer(401, CHALLENGE)
    assert (first.uri, first.get("To")) == (f"sip:{CARRIER}", f"<sip:us@{CARRIER}>")
    second = world.answer(200, "Expires: 100\r\n")
    assert 'username="us"' in (second.get("Authorization") or "") and second.cseq == first.cseq + 1
    [view] = world.carriers.views()
    assert (view.trunk, view.state, view.registered, view.failures) == ("carrier", "registered", True, 0)
    assert view.expires_at == world.clock.time + 100 and world.carriers.registered == 1
    world.wait()
    assert "nc=00000002" in (world.answer(200, "Expires: 100\r\n").get("Authorization") or "")
    world.carriers.stop()
    assert world.answer(200).get("Expires") == "0"
    assert world.carriers.stopped and world.carriers.registered == 0
    assert [type(event).__name__ for event in world.events] == ["TrunkRegistered", "TrunkUnregistered"]


def test_failures_are_told_and_tried_again(world: Registering) -> None:
    world.carriers.configure(world.site)
    world.answer(403)
    world.wait()
    world.answer(403)
    [view] = world.carriers.views()
    assert (view.state, view.registered, view.failures, view.last_status) == ("waiting", False, 2, 403)
    assert view.next_at is not None and view.next_at > world.clock.time
    told = world.named("TrunkRegistrationFailed")
    assert [(one.status, one.trunk) for one in told] == [(403, "carrier")] * 2  # type: ignore[attr-defined]
    assert world.counters["trunk_registration_failures"] == 2


def test_no_answer(world: Registering) -> None:
    world.carriers.configure(world.site)
    world.run(33)
    world.carrier.inbox.clear()
    [view] = world.carriers.views()
    assert (view.state, view.last_status, view.last_reason) == ("waiting", 408, "no answer")
    world.wait()
    world.answer(200)
    assert world.carriers.registered == 1


def test_the_next_hop_is_tried_before_it_is_a_failure(tmp_path: Path) -> None:
    """RFC 3263 4.3: after a 503, and after silence."""
    world = Registering(tmp_path, gateway="sip:carrier.example.com:5060")
    hosts = ("198.51.100.7", "198.51.100.8", "198.51.100.9")
    world.zone[Question("carrier.example.com", "A")] = hosts
    busy, silent, good = (world.phone(host) for host in hosts)
    world.carriers.configure(world.site)
    world.answer(503, phone=busy)
    first = silent.request("REGISTER")
    silent.inbox.clear()
    world.run(33)
    silent.inbox.clear()
    second = world.answer(200, phone=good)
    assert (first.cseq, first.branch) != (second.cseq, second.branch) and first.uri == second.uri
    assert world.carriers.registered == 1 and not world.named("TrunkRegistrationFailed")


def test_a_host_nobody_knows(tmp_path: Path) -> None:
    world = Registering(tmp_path, gateway="sip:nowhere.example.com")
    world.carriers.configure(world.site)
    [view] = world.carriers.views()
    assert (view.state, view.last_status, view.last_reason) == ("waiting", 503, "unknown host")


# --- reload -----------------------------------------------------------------------------------------------------------


def test_a_reload_that_changes_nothing_sends_nothing(world: Registering) -> None:
    world.registered()
    world.reload()
    assert not world.carrier.inbox


def test_a_changed_login_is_taken_away_before_the_new_one_comes(world: Registering) -> None:
    old = world.registered()
    world.reload(password="other")
    removal = world.answer(200)
    assert (removal.get("Expires"), removal.get("Contact")) == ("0", f"<{old}>")
    new = world.answer(200)
    assert new.get("Expires") == "600" and new.get("Contact") != f"<{old}>"
    assert world.carriers.registered == 1


def test_a_trunk_that_no_longer_registers(world: Registering) -> None:
    world.registered()
    world.reload(register="false")
    assert world.answer(200).get("Expires") == "0"
    assert world.carriers.stopped and not world.carriers.views() and not world.carrier.inbox


def test_reloads_while_the_old_one_is_still_leaving(world: Registering) -> None:
    world.registered()
    world.reload(password="second")
    world.reload(password="third")
    assert world.answer(200).get("Expires") == "0"
    request = world.answer(200)
    assert request.get("Expires") == "600" and not world.carrier.inbox
    assert len(world.carriers.views()) == 1


def test_a_lost_connection_registers_anew(world: Registering) -> None:
    world.registered()
    [carrier] = world.carriers._carriers.values()
    world.carriers.connection_lost(world.carrier.hop)
    assert not world.carrier.inbox  # UDP knows no connections
    carrier.hop = world.carrier.hop._replace(transport="tcp")
    world.carriers.connection_lost(carrier.hop)
    world.answer(200)


# --- whose call is it -------------------------------------------------------------------------------------------------


def invite(world: World, source: Phone, uri: str, to: str, extra: str = "") -> None:
    body = sdp(host=source.host)
    source.send(
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source.host};branch={source.branch()}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:+33612345678@carrier>;tag=a\r\nTo: <{to}>\r\nCall-ID: {uri}\r\nCSeq: 1 INVITE\r\n{extra}"
        f"Contact: <sip:c@{source.host}>\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


@pytest.mark.parametrize(
    ("change", "to", "extra"),
    [
        ("", "sip:+33180000001@carrier", ""),  # to the contact as it is: the number is in To
        ("", "sip:us@carrier", "P-Called-Party-ID: <sip:+33180000001@carrier>\r\n"),
        ("+33180000001", "sip:anything@carrier", ""),  # the user replaced by the number
    ],
)
def test_a_call_to_our_contact_is_the_carriers_wherever_it_comes_from(
    world: Registering, change: str, to: str, extra: str
) -> None:
    contact = world.registered()
    assert contact.startswith("sip:us@192.0.2.100:5060;line=")
    phone, elsewhere = world.phone("192.0.2.10"), world.phone("203.0.113.77")
    world.register("101", phone)
    invite(world, elsewhere, contact.replace("us@", f"{change}@") if change else contact, to, extra)
    phone.answer(phone.request("INVITE"), 486)
    elsewhere.response(486)
    [started] = world.named("CallStarted")
    assert (started.trunk, started.direction) == ("carrier", "inbound")  # type: ignore[attr-defined]
    assert started.to_number == "+33180000001"  # type: ignore[attr-defined]


def test_parameters_forgotten_only_from_the_registrar_itself(world: Registering) -> None:
    contact = world.registered().partition(";")[0]
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    invite(world, world.carrier, contact, "sip:+33180000001@carrier")
    phone.answer(phone.request("INVITE"), 486)
    world.carrier.response(486)
    stranger = world.phone("203.0.113.77")
    for uri in (contact, contact + ";line=guessed", f"{contact};line="):
        invite(world, stranger, uri, "sip:+33180000001@carrier")
        stranger.response(401)


def test_the_contact_is_the_same_after_a_restart_and_secret(tmp_path: Path) -> None:
    contacts = {Registering(tmp_path).registered() for _ in range(2)}
    assert len(contacts) == 1
    line = contacts.pop().partition(";line=")[2]
    assert len(line) == 20 and "pw" not in line


def test_what_the_site_may_say(tmp_path: Path) -> None:
    text = "{user: '0180', contact_user: plateau, registrar: 'sip:reg.example.com:5070;transport=tcp', every_s: 120}"
    world = Registering(tmp_path, text)
    account = account_of("carrier", world.site.trunks["carrier"])
    assert account is not None
    assert (account.registrar, account.aor) == ("sip:reg.example.com:5070;transport=tcp", "sip:0180@reg.example.com")
    assert (account.contact_user, account.expires_s, account.username) == ("plateau", 120, "us")


def test_service_route(world: Registering) -> None:
    world.registered("Service-Route: <sip:out.example.com;lr>\r\n")
    assert world.carriers.service_route("carrier") == ("<sip:out.example.com;lr>",)
    assert world.carriers.service_route("other") == ()
