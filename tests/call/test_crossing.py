"""X- headers and User-to-User cross with every message, as the trunk's policy says, not with INVITE only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.message_relay import MessageRelay
from pbx.sip.hop import Hop

from .office import SITE, Office, Talk, Telephone
from .world import sdp

POLICY = 'headers: {in: {pass: ["X-Order*", User-to-User]}, out: {pass: [X-Agent, User-to-User], drop: X-Agent-Secret}}'
SAID = "X-Order: 7\r\nX-Agent: anna\r\nX-Other: no\r\nUser-to-User: 56;encoding=hex\r\n"


class Crossing(Office):
    """An office that keeps what it sends to whom."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SITE.replace("trusted: true}", f"trusted: true, {POLICY}}}"))
        self.sent: list[tuple[str, str]] = []
        relay = MessageRelay(self.switch, self.location)
        self.switch.serve("MESSAGE", relay.serve, relay.serve_inside)

    def _send(self, data: bytes, hop: Hop) -> None:
        self.sent.append((hop.host, data.decode()))
        super()._send(data, hop)

    def crossed(self, to: Telephone, first_line: str) -> dict[str, str]:
        """What the last message of that kind to somebody has."""
        found = [text for host, text in self.sent if host == to.host and re.match(first_line, text)]
        assert found, first_line
        return dict(re.findall(r"^(X-[\w-]+|User-to-User): (.*)\r$", found[-1], re.M))


OUT = {"X-Agent": "anna", "User-to-User": "56;encoding=hex"}  # to the trunk
IN = {"X-Order": "7", "User-to-User": "56;encoding=hex"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Crossing]:
    office = Crossing(tmp_path)
    yield office
    office.over()


def called(office: Crossing) -> tuple[Telephone, Talk, Telephone, Talk]:
    carrier, anna = office.carrier(), office.telephone("101")
    a = carrier.dial("+33180000001")
    return carrier, a, anna, anna.rings


def only_x(lines: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in lines.items() if name != "User-to-User"}


def test_responses(office: Crossing) -> None:
    carrier, _, anna, b = called(office)
    assert b.invite is not None
    anna.respond(b.invite, 183, body=sdp(41000, host=anna.host), tag=b.tags[1] if b.tags else "e", extra=SAID)
    office.settle()
    assert office.crossed(carrier, "SIP/2.0 183") == OUT
    b.answer(extra="X-Agent: zoe\r\n")
    assert office.crossed(carrier, "SIP/2.0 200") == {"X-Agent": "zoe"}


def test_ringing(office: Crossing) -> None:
    carrier, anna = office.carrier(), office.telephone("101")
    anna.ring = lambda invite, tag: anna.respond(invite, 180, tag=tag, extra=SAID)  # type: ignore[method-assign]
    a = carrier.dial("+33180000001")
    assert office.crossed(carrier, "SIP/2.0 180") == OUT
    a.cancel()


@pytest.mark.parametrize("by_caller", [True, False])
def test_bye(office: Crossing, by_caller: bool) -> None:
    carrier, a, anna, b = called(office)
    b.answer()
    (a if by_caller else b).send("BYE", SAID)
    assert office.crossed(*((anna, "BYE") if by_caller else (carrier, "BYE"))) == (IN if by_caller else OUT)


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
@pytest.mark.parametrize("by_caller", [True, False])
def test_info_and_message(office: Crossing, method: str, by_caller: bool) -> None:
    carrier, a, anna, b = called(office)
    b.answer(extra="Allow: INFO, INVITE, MESSAGE\r\n")
    if not by_caller:
        a.send("INVITE", "Allow: INFO, INVITE, MESSAGE\r\n", sdp(40000, host=carrier.host))
    (a if by_caller else b).send(method, f"{SAID}Content-Type: text/plain\r\n", "hello")
    lines = office.crossed(*((anna, method) if by_caller else (carrier, method)))
    assert lines == only_x(IN if by_caller else OUT)


def test_message_outside_a_call(office: Crossing) -> None:
    anna, carrier = office.telephone("101"), office.carrier()
    carrier.send(
        "MESSAGE sip:+33180000001@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKm\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:1@198.51.100.1>;tag=1\r\nTo: <sip:101@192.0.2.100>\r\nCall-ID: m\r\n"
        f"CSeq: 1 MESSAGE\r\n{SAID}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    )
    assert only_x(office.crossed(anna, "MESSAGE")) == only_x(IN) and anna.request("MESSAGE").get("User-to-User") is None


@pytest.mark.parametrize("by_caller", [True, False])
def test_re_invite(tmp_path: Path, by_caller: bool) -> None:
    """That is passed on because it holds."""
    office = Crossing(tmp_path)
    site = office.site.calls
    object.__setattr__(site, "hold", "pass")
    carrier, a, anna, b = called(office)
    b.answer()
    office.sent.clear()
    held = sdp(40000, host=(carrier if by_caller else anna).host, direction="sendonly")
    (a if by_caller else b).send("INVITE", SAID, held)
    other = anna if by_caller else carrier
    assert office.crossed(other, "INVITE") == only_x(IN if by_caller else OUT)
    a.bye()
    office.pass_time(40)
    assert office.leaks() == {}


def test_nothing_between_phones_or_to_who_is_neither(office: Crossing) -> None:
    policy = office.switch.targets.policy
    said = (("X-Order", "7"), ("X-Agent", "anna"))
    assert policy.crossing(said, "", "", user_to_user=True) == ""
    assert policy.crossing(said, "carrier", None, user_to_user=True) == ""
    assert policy.crossing(said, None, "carrier", user_to_user=True) == ""
    assert policy.crossing(said, "gone", "", user_to_user=True) == ""
    assert policy.crossing(said, "carrier", "partner", user_to_user=True) == ""
