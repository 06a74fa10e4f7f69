"""Messages of each kind of RFC 5118 through a whole switch: what IPv6 addresses look like in SIP and SDP, and what only
looks like one. Each comes from a trunk and from a stranger, over either family (see test_torture)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.sip.dialog import hop_of
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse
from pbx.sip.uri import Uri, host_port_of
from pbx.sip.via import Via, reply_to, via_stamp
from pbx.transport.local import Local
from tests.call.world import SITE, World, sdp

from .test_torture import DROP, STRANGER, STRANGER_6, TRUNK, TRUNK_6, check, feed, hardy_world, rows

MESSAGES = Path(__file__).parents[1] / "data" / "rfc5118"
ROWS = rows(MESSAGES / "expected.csv")
SITE_6 = SITE.replace("from: 198.51.100.1,", f'from: [198.51.100.1, "{TRUNK_6}"],')
HOSTS = {"trunk": TRUNK, "stranger": STRANGER, "trunk over IPv6": TRUNK_6, "stranger over IPv6": STRANGER_6}


def world_of_both(folder: Path) -> World:
    world = hardy_world(folder, SITE_6)
    world.switch.local = Local({"udp": [("192.0.2.100", 5060), ("2001:db8::100", 5060)]})
    return world


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_messages(row: dict[str, str], host: str, tmp_path: Path) -> None:
    data = (MESSAGES / f"{row['name']}.sip").read_bytes()
    outcome = check(world_of_both(tmp_path), data, row["expected"], host)
    for rung in outcome.rung:  # the phone of extension 101 has IPv4
        assert rung.get("Contact") == "<sip:plateau@192.0.2.100:5060>" and b"c=IN IP4 " in rung.body


def test_every_section_has_a_message() -> None:
    assert {row["section"] for row in ROWS} == {f"4.{number}" for number in range(1, 11)}
    assert sorted(f"{row['name']}.sip" for row in ROWS) == sorted(path.name for path in MESSAGES.glob("*.sip"))
    assert {row["expected"] for row in ROWS} == {"200", "400", DROP}


def test_a_session_description_has_no_brackets(tmp_path: Path) -> None:
    """RFC 5118 4.6: well-formed SIP, but what it describes can't be read."""
    data = (MESSAGES / "address_in_description.sip").read_bytes()
    outcome = feed(world_of_both(tmp_path), data.replace(b"IP6 2001:db8::61\r\nt", b"IP6 [2001::61]\r\nt"), TRUNK_6)
    assert outcome.statuses == ["400"] and not outcome.rung


@pytest.mark.parametrize(
    ("name", "contact"),
    [
        ("reference", "sip:agence@[2001:db8::62]:5062"),
        ("port_in_brackets", "sip:agence@[2001:db8::62:5070]"),
        ("port_behind_brackets", "sip:agence@[2001:db8::62]:5070"),
        ("loopback", "sip:agence@[::1]:5062"),
        ("contact_without_brackets", None),
        ("reference_without_brackets", None),
    ],
)
def test_what_is_registered(name: str, contact: str | None, tmp_path: Path) -> None:
    outcome = feed(world_of_both(tmp_path), (MESSAGES / f"{name}.sip").read_bytes(), STRANGER_6)
    assert outcome.contacts == ([contact] if contact else [])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip:a@[2001:db8::9:1]", "2001:db8::9:1", None),
        ("sip:a@[2001:db8::9:1]:5070", "2001:db8::9:1", 5070),
        ("sip:a@[2001:db8::9:5070]", "2001:db8::9:5070", None),
        ("sip:[::1]", "::1", None),
        ("sip:[::1]:5060;transport=tcp", "::1", 5060),
        ("sip:[::ffff:192.0.2.10]:19823", "::ffff:192.0.2.10", 19823),
        ("sip:a@[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1", None),
    ],
)
def test_where_the_address_ends(text: str, host: str, port: int | None) -> None:
    """RFC 5118 4.3, 4.4, 4.9, 4.10."""
    assert host_port_of(text)[:2] == (host, port)
    assert str(Uri.parse(text)) == text and Uri.parse(text).port == port
    heard = Hop("udp", "2001:db8::c", 5060)
    assert hop_of(text, heard)[2] == (port or 5060)


def test_received_is_read_either_way_and_written_without_brackets() -> None:
    """RFC 5118 4.5: bare as the grammar has it; brackets are for the reader to bear."""
    for received in ("2001:db8::9:255", "[2001:db8::9:255]"):
        text = f"SIP/2.0/UDP [2001:db8::9:1]:5061;received={received};branch=z9hG4bKas3"
        assert Via.parse(text).received == received
        stamped = via_stamp(text, "2001:db8::c", 5060)
        assert stamped == "SIP/2.0/UDP [2001:db8::9:1]:5061;branch=z9hG4bKas3;received=2001:db8::c"
        assert reply_to(stamped, "2001:db8::c", 5060) == ("2001:db8::c", 5061)


def test_the_sender_at_its_own_address_is_not_told_where_it_is() -> None:
    text = "SIP/2.0/UDP [2001:db8::c];branch=z9hG4bKa"
    assert via_stamp(text, "2001:db8::c", 5060) == text


def test_a_call_over_ipv6_is_a_whole_call(tmp_path: Path) -> None:
    """In, answered, acknowledged and hung up; our own addresses in it stand in brackets, in SDP without."""
    world = world_of_both(tmp_path)
    peer, phone = world.phone(TRUNK_6), world.phones["192.0.2.201", 5060]
    peer.hop = Hop("udp", TRUNK_6, 5060, listener=1)
    body = sdp(host=TRUNK_6).replace("IP4", "IP6")
    head = (
        f"sip:+33180000001@[2001:db8::100] SIP/2.0\r\nVia: SIP/2.0/UDP [{TRUNK_6}];branch=z9hG4bK%s\r\n"
        f"From: <sip:a@[{TRUNK_6}]>;tag=f\r\nTo: <sip:+33180000001@[2001:db8::100]>%s\r\nCall-ID: six\r\n"
        f"CSeq: %d %s\r\nContact: <sip:a@[{TRUNK_6}]>\r\n"
    )

    def send(method: str, branch: str, to_tag: str, cseq: int, body: str = "") -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        peer.send(f"{method} {head % (branch, to_tag, cseq, method)}{kind}Content-Length: {len(body)}\r\n\r\n{body}")

    send("INVITE", "i", "", 1, body)
    phone.answer(phone.request("INVITE"), 200, body=sdp())
    ok = peer.response(200)
    assert ok.get("Contact") == "<sip:plateau@[2001:db8::100]:5060>"
    assert b"c=IN IP6 2001:db8::100\r\n" in ok.body
    tag = f";tag={ok.to_tag}"
    send("ACK", "a", tag, 1)
    assert isinstance(parse(phone.inbox.pop(0)), Request)
    send("BYE", "b", tag, 2)
    assert isinstance(peer.response(200), Response)
    phone.answer(phone.request("BYE"), 200)
    world.run(100)
    assert world.leaks() == {} and not peer.inbox
