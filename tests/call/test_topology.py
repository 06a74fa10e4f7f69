"""Nothing of one side's addresses, names and programs reaches the other: every byte sent to a trunk, and every byte a
phone gets of a call with a trunk, is searched (a byte test over the call flows of this package)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.sip.hop import Hop

from .office import SITE, Office, Talk, Telephone
from .world import sdp

GOSSIP = (
    "User-Agent: Secretive/1.0 ({host})\r\nServer: Secretive/1.0\r\nWarning: 399 {host} \"secret.lan\"\r\n"
    "Call-Info: <http://{host}/secret.jpg>\r\nAlert-Info: <http://{host}/>\r\nOrganization: secret.lan\r\n"
    "Reason: Q.850;cause=17;text=\"secret.lan {host}\"\r\nX-Secret: {host}\r\nReferred-By: <sip:boss@{host}>\r\n"
    "History-Info: <sip:1@{host}>;index=1\r\nP-Preferred-Identity: <sip:boss@{host}>\r\n"
    "P-Asserted-Identity: <sip:boss@{host}>\r\nDiversion: <sip:boss@{host}>;reason=unknown\r\n"
    "Subject: secret.lan\r\nIn-Reply-To: secret.lan\r\n"
)
WORDS = re.compile(rb"secret|[os]=~", re.IGNORECASE)


class Gossip(Telephone):
    """A peer that puts its address everywhere."""

    def send(self, text: str) -> None:
        start, _, rest = text.partition("\r\n")
        rest = rest.replace("o=- 1 1 ", "o=~ 1 1 ").replace("\r\ns=-\r\n", "\r\ns=~\r\n")
        super().send(f"{start}\r\n{GOSSIP.format(host=self.host)}{rest}")


class Hidden(Office):
    """An office that keeps what it sends to whom."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[str, bytes]] = []
        text = SITE.replace("  partner:", "  stranger: {from: 198.51.100.3, gateway: sip:198.51.100.3}\n  partner:")
        super().__init__(folder, text.replace("dial_plan:\n", 'dial_plan:\n  - {match: "8X.", to: trunk stranger}\n'))

    def _send(self, data: bytes, hop: Hop) -> None:
        self.sent.append((hop.host, data))
        super()._send(data, hop)

    def telephone(self, extension: str, host: str = "", q: float = 1.0) -> Telephone:
        phone = super().telephone(extension, host, q)
        phone.__class__ = Gossip
        return phone

    def outside(self, name: str) -> Telephone:
        host = {"carrier": "198.51.100.1", "partner": "198.51.100.2", "stranger": "198.51.100.3"}[name]
        return Gossip(self, host, "+33612345678", name)

    def leaks_of_topology(self) -> list[str]:
        found = []
        for host, data in self.sent:
            outside = host.startswith("198.51.100.")
            names_own = rb"192\.0\.2\.1(?!00\b)\d\d" if outside else rb"198\.51\.100\.(?!%s\b)\d+" % host.encode()
            own = host.encode()
            hits = [hit for hit in re.findall(names_own, data) if hit != own]
            # A peer is answered with what it sent: Via, From, To, Call-ID of its own requests.
            body = data if not data.startswith(b"SIP/2.0") else b"\r\n".join(
                line for line in data.split(b"\r\n") if not line.startswith((b"Via:", b"From:", b"To:", b"Call-ID:"))
            )
            hits += WORDS.findall(body)
            if hits:
                found.append(f"to {host}: {hits}\n{data.decode()}")
        return found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Hidden]:
    office = Hidden(tmp_path)
    yield office
    office.over()
    assert office.leaks_of_topology() == []


TRUNKS = pytest.mark.parametrize(("name", "prefix"), [("carrier", "0"), ("partner", "9"), ("stranger", "8")])


def talking(phone: Telephone, outside: Telephone, prefix: str) -> tuple[Talk, Talk]:
    a = phone.dial(f"{prefix}123")
    b = outside.rings.answer()
    assert a.status == 200
    return a, b


@TRUNKS
def test_out_and_held_and_ended(office: Hidden, name: str, prefix: str) -> None:
    phone, outside = office.telephone("101"), office.outside(name)
    a, b = talking(phone, outside, prefix)
    a.send("INVITE", body=sdp(40000, direction="sendonly", host=phone.host))
    a.send("INFO", "Content-Type: application/dtmf-relay\r\n")
    a.send("OPTIONS")
    a.bye()
    assert b.ended


@TRUNKS
def test_out_and_cancelled(office: Hidden, name: str, prefix: str) -> None:
    phone, outside = office.telephone("101"), office.outside(name)
    a = phone.dial(f"{prefix}123")
    outside.rings.ring()
    a.cancel()
    assert outside.talks[-1].ended


@TRUNKS
@pytest.mark.parametrize("status", [404, 486, 503, 603])
def test_out_and_refused(office: Hidden, name: str, prefix: str, status: int) -> None:
    phone, outside = office.telephone("101"), office.outside(name)
    a = phone.dial(f"{prefix}123")
    outside.rings.refuse(status)
    assert a.status >= 400


@pytest.mark.parametrize("name", ["carrier", "partner", "stranger"])
@pytest.mark.parametrize("act", ["answer", "refuse", "redirect", "give up", "unavailable"])
def test_in(office: Hidden, name: str, act: str) -> None:
    outside = office.outside(name)
    phone = office.telephone("101")
    if act == "unavailable":
        office.location.remove("101", office.clock.time)
    b = outside.dial("+33180000001")
    match act:
        case "answer":
            phone.rings.answer().bye()
            assert b.ended
        case "refuse":
            phone.rings.refuse(486)
        case "redirect":
            phone.rings.redirect("0199")
        case "give up":
            b.cancel()
            assert phone.talks[-1].ended


@TRUNKS
def test_forwarded_out(office: Hidden, name: str, prefix: str) -> None:
    office.settings.set("102", "forward-always", f"{prefix}199")
    office.telephone("102")
    phone, outside = office.telephone("101"), office.outside(name)
    a = phone.dial("102")
    called = outside.rings.answer()
    assert a.status == 200 and called.invite is not None
    assert (called.invite.get("Diversion") is not None) is (name == "carrier")  # who is trusted


@TRUNKS
def test_given_on_blindly_and_with_consultation(office: Hidden, name: str, prefix: str) -> None:
    phone, other, outside = office.telephone("101"), office.telephone("102"), office.outside(name)
    a, b = talking(phone, outside, prefix)
    a.refer("102", extra=f"Referred-By: <sip:secret@{phone.host}>\r\n")
    c = other.rings.answer()
    assert a.ended and not b.ended
    d = other.dial("101")
    phone.rings.answer()
    c.refer_to(d)
    assert not b.ended


@TRUNKS
def test_a_house_call_given_on_to_the_outside(office: Hidden, name: str, prefix: str) -> None:
    phone, other, outside = office.telephone("101"), office.telephone("102"), office.outside(name)
    a = phone.dial("102")
    other.rings.answer()
    a.refer(f"{prefix}123", extra=f"Referred-By: <sip:secret@{phone.host}>\r\n")
    outside.rings.answer()
    assert a.ended


def test_the_outside_gives_on(office: Hidden) -> None:
    phone, other, outside = office.telephone("101"), office.telephone("102"), office.outside("partner")
    a, b = talking(phone, outside, "9")
    b.refer("102")
    if other.is_ringing:
        other.rings.answer()
    assert a.status == 200


def test_parked_and_fetched(office: Hidden) -> None:
    phone, other, outside = office.telephone("101"), office.telephone("102"), office.outside("carrier")
    a, b = talking(phone, outside, "0")
    a.refer("700")
    other.dial("701")
    assert not b.ended


def test_the_test_finds_what_leaks(office: Hidden) -> None:
    for data in (b"INVITE sip:a SIP/2.0\r\nX: 192.0.2.101\r\n", b"BYE a SIP/2.0\r\nServer: Secretive\r\n", b"o=~ 1"):
        office.sent = [("198.51.100.1", data)]
        assert len(office.leaks_of_topology()) == 1
    office.sent = [("192.0.2.101", b"INVITE sip:a SIP/2.0\r\nX: 198.51.100.2\r\n")]
    assert len(office.leaks_of_topology()) == 1
    office.sent = [("198.51.100.1", b"INVITE sip:a SIP/2.0\r\nVia: 192.0.2.100;branch=1\r\nTo: 198.51.100.1\r\n")]
    assert not office.leaks_of_topology()


