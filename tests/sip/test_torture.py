"""Torture messages (RFC 4475 and our own of each kind) through a whole switch: the right status or a silent drop,
counted, nothing raised, nothing left behind.

Each message comes once from a trunk, whose every number leads to extension 101, and once from a stranger. A REGISTER
that is only asked for its password is sent again with one, to see what is thought of the rest.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.routing.dial_plan import Caller, DialPlan, Route
from pbx.sip.address import uri_of
from pbx.sip.digest import DigestClient, DigestServer, choose_challenge
from pbx.sip.grammar import quote
from pbx.sip.message import Request, Response, parse
from pbx.sip.registrar import Registrar
from pbx.sip.uri import user_of
from tests.call.world import SITE, Phone, World, sdp

ROOT = Path(__file__).parents[2]
RFC = ROOT.parent / "shared" / "data" / "rfc4475"
OWN = ROOT / "tests" / "data" / "torture"
of_the_rfc = pytest.mark.skipif(
    not RFC.is_dir(), reason=f"NOT TRIED: the 49 messages of RFC 4475, since {RFC} is absent; those of our own were"
)

TRUNK, STRANGER = "198.51.100.1", "203.0.113.77"
TRUNK_6, STRANGER_6 = "2001:db8::c", "2001:db8:77::1"
DROP = "drop"

#: What each message of RFC 4475 gets from us, where the RFC leaves a choice or says no more than "accept": lenient are
#: baddate (3.1.2.12) and badbranch (3.2.1), strict are those of 3.1.2.7 to 3.1.2.15 that may be guessed at. mismatch02
#: (3.1.2.18) gets the 400 that is allowed; 501 is for proxies that new methods pass.
RFC_EXPECTED = {
    "wsinv": "481",  # accepted as a message; its To tag names a dialog that does not exist (RFC 3261 12.2.2)
    "intmeth": "501", "esc01": "200", "escnull": "200", "esc02": "501", "lwsdisp": "200", "longreq": "200",
    "dblreq": "200", "semiuri": "200", "transports": "200", "mpart01": "405", "unreason": DROP, "noreason": DROP,
    "badinv01": "400", "clerr": "400", "ncl": "400", "scalar02": "400", "scalarlg": DROP, "quotbal": "400",
    "ltgtruri": "400", "lwsruri": "400", "lwsstart": "400", "trws": "400", "escruri": "400", "baddate": "200",
    "regbadct": "400", "badaspec": "400", "baddn": "400", "badvers": "505", "mismatch01": "400", "mismatch02": "400",
    "bigcode": DROP, "badbranch": "200", "insuf": "400", "unkscm": "416", "novelsc": "416", "unksm2": "400",
    "bext01": "420", "invut": "415", "regaut01": "401", "multi01": "400", "mcl01": "400", "bcast": DROP,
    "zeromf": "200", "cparam01": "200", "cparam02": "200", "regescrt": "200", "sdp01": "406", "inv2543": "200",
}  # fmt: skip

#: Headers that a refusal must have (RFC 3261 8.2.1, 8.2.2.3, 8.2.3, 22.1; RFC 4475 3.1.1.2).
EXPLAINS = {"405": "Allow", "501": "Allow", "415": "Accept", "420": "Unsupported", "401": "WWW-Authenticate"}


class Anything(DialPlan):
    """Every number is extension 101."""

    def resolve(self, caller: Caller, number: str) -> Route | None:
        return super().resolve(Caller("extension", "102"), "101")


def hardy_world(folder: Path, site: str = SITE) -> World:
    """A world with extension 101 at a phone and a password for any user there is."""
    world = World(site, folder=folder)
    digest = DigestServer("test", b"x" * 32, lambda user: "secret")
    rules = world.switch.rules
    registrar = Registrar(world.location, digest, lambda user: 5)
    world.switch.configure(dataclasses.replace(rules, dial_plan=Anything(world.site), registrar=registrar))
    world.register("101", world.phone("192.0.2.201"))
    return world


def with_password(data: bytes, challenge: Response) -> bytes:
    """The same REGISTER with credentials of its To user; nothing else is touched."""
    chosen = choose_challenge(challenge.all("WWW-Authenticate"))
    assert chosen is not None
    user = user_of(uri_of(challenge.get("To") or ""))
    credentials = DigestClient(chosen, user, "secret").credentials("REGISTER", "sip:example.com", "c")
    credentials = credentials.replace(quote(user), f'"{user}"')  # `quote` leaves control characters out
    start, end, rest = data.partition(b"\r\n")
    return start + end + f"Authorization: {credentials}\r\n".encode() + rest


@dataclasses.dataclass
class Outcome:
    """What one message did: what its sender got, what was counted, what stands in the location service."""

    statuses: list[str]
    requests: list[str]
    first: bytes
    counted: Counter[str]
    contacts: list[str]
    rung: list[Request]


def feed(world: World, data: bytes, host: str) -> Outcome:
    """Send one message from `host`, answer the calls it makes, and let 100 s pass."""
    before = Counter(world.counters)
    peers = [world.phone(host, port) for port in range(5040, 5090)]  # wherever its Via wants the answer

    def send(octets: bytes) -> None:
        world.layer.receive_bytes(octets, peers[20].hop, world.clock.now())
        world.run(0.1)

    send(data)
    got = list(inboxes(peers))
    method = data.split(b" ", 1)[0]
    if method == b"REGISTER" and got and got[0].startswith(b"SIP/2.0 401 ") and b"\r\nAuthorization: " not in data:
        challenge = parse(got[0])
        assert isinstance(challenge, Response)
        send(with_password(data, challenge))
        got = list(inboxes(peers))
    rung = answer_calls(world.phones["192.0.2.201", 5060])
    world.run(0.1)
    users = [aor for aor in ("watson", "user", "j.user", "agence", "null-\0-null", "avant\0apres")]
    contacts = [b.contact + b.params for aor in users for b in world.location.contacts(aor, world.clock.now())]
    world.run(100)
    got += [*inboxes(peers), *world.lost]  # lost: sent to a Contact at another address
    statuses = [one[8:11].decode() for one in got if one.startswith(b"SIP/2.0 ")]
    requests = [one.split(b" ", 1)[0].decode() for one in got if not one.startswith(b"SIP/2.0 ")]
    return Outcome(statuses, requests, got[0] if got else b"", Counter(world.counters) - before, contacts, rung)


def inboxes(peers: list[Phone]) -> Iterator[bytes]:
    for one in peers:
        yield from one.inbox
        one.inbox.clear()


def answer_calls(phone: Phone) -> list[Request]:
    rung: list[Request] = []
    while phone.inbox:
        message = phone.take()
        if isinstance(message, Request) and message.method == "INVITE":
            rung.append(message)
            phone.answer(message, 200, body=sdp())
    return rung


def check(world: World, data: bytes, expected: str, host: str) -> Outcome:
    """The status that was expected and no other; counted; everything forgotten."""
    outcome = feed(world, data, host)
    if host in (STRANGER, STRANGER_6) and expected == "200" and data.startswith(b"INVITE "):
        expected = "401"  # before any thought is given to the call
    counted = outcome.counted
    assert set(outcome.statuses) == ({expected} if expected != DROP else set())
    assert bool(outcome.rung) == (expected == "200" and data.startswith(b"INVITE "))
    assert set(outcome.requests) == ({"BYE"} if outcome.rung else set())  # nobody acknowledged our 200: hung up
    assert world.leaks() == {} and len(world.layer.timers) == 0
    if expected in EXPLAINS:
        assert f"\r\n{EXPLAINS[expected]}: ".encode() in outcome.first
    if expected in ("400", "505"):
        # Two of them are well-formed and refused by the registrar.
        assert counted["sip_malformed"] == 1 or (data.startswith(b"REGISTER ") and counted["sip_auth_challenges"] == 1)
        assert counted["sip_malformed_dropped"] == 0
    elif expected == DROP:
        assert counted["sip_malformed_dropped"] + counted["sip_responses_unmatched"] == 1
    elif expected in ("406", "415", "416", "420"):
        assert counted[f"sip_refused_{expected}"] == 1
    else:
        assert counted["sip_malformed"] == 0
    return outcome


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


OWN_ROWS = rows(OWN / "expected.csv")


@pytest.mark.parametrize("host", [TRUNK, STRANGER], ids=["trunk", "stranger"])
@pytest.mark.parametrize("row", OWN_ROWS, ids=lambda row: row["name"])
def test_own(row: dict[str, str], host: str, tmp_path: Path) -> None:
    check(hardy_world(tmp_path), (OWN / f"{row['name']}.sip").read_bytes(), row["expected"], host)


@of_the_rfc
@pytest.mark.parametrize("host", [TRUNK, STRANGER], ids=["trunk", "stranger"])
@pytest.mark.parametrize("name", RFC_EXPECTED)
def test_rfc_4475(name: str, host: str, tmp_path: Path) -> None:
    check(hardy_world(tmp_path), (RFC / f"{name}.dat").read_bytes(), RFC_EXPECTED[name], host)


@of_the_rfc
def test_what_is_not_supported_is_named(tmp_path: Path) -> None:
    """RFC 4475 3.3.5: of what is required, an endpoint lists Require's part, a proxy would list the other."""
    outcome = feed(hardy_world(tmp_path), (RFC / "bext01.dat").read_bytes(), TRUNK)
    refusal = parse(outcome.first)
    named = [one.lower() for one in refusal.values("Unsupported")]
    assert named == ["nothingsupportsthis", "nothingsupportsthiseither"]


@of_the_rfc
@pytest.mark.parametrize("name", ["cparam01", "cparam02", "regescrt", "escnull"])
def test_what_a_registration_of_the_rfc_leaves(name: str, tmp_path: Path) -> None:
    """RFC 4475 3.3.12 to 3.3.14, 3.1.1.4: outside the brackets it is the header's parameter, inside the URI's; escaped
    headers stay with the URI; contacts that only a NUL tells apart are two."""
    contacts = feed(hardy_world(tmp_path), (RFC / f"{name}.dat").read_bytes(), STRANGER).contacts
    assert contacts == {
        "cparam01": ["sip:+19725552222@gw1.example.net;unknownparam"],
        "cparam02": ["sip:+19725552222@gw1.example.net;unknownparam"],
        "regescrt": ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"],
        "escnull": ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"],
    }[name]


@of_the_rfc
def test_what_we_expect_is_what_the_rfc_allows() -> None:
    """Each row of the list of expectations holds our status, or leaves it open."""
    for row in rows(RFC / "expected.csv"):
        allowed, ours = row["what a user agent server should do"], RFC_EXPECTED[row["name"]]
        if ours == DROP:
            assert "drop" in allowed or "(response)" in allowed
        else:
            assert ours in allowed or "accept" in allowed or "as usual" in allowed or (
                row["name"] in ("baddate", "badbranch") and ours == "200"
            ), row


def test_every_kind_has_a_message_of_ours() -> None:
    assert sorted(row["kind"] for row in OWN_ROWS) == sorted(RFC_EXPECTED)
    ours = {row["kind"]: row["expected"] for row in OWN_ROWS}
    assert {k for k in ours if ours[k] != RFC_EXPECTED[k]} == {"wsinv"}  # ours names no dialog, so it is a call
    assert sorted(f"{row['name']}.sip" for row in OWN_ROWS) == sorted(path.name for path in OWN.glob("*.sip"))


@pytest.mark.parametrize(
    ("name", "contacts"),
    [
        ("octets_after", ["sip:agence@192.0.2.62"]),
        ("escaped_null", ["sip:a%00@192.0.2.62", "sip:a%00%00@192.0.2.62"]),
        ("contact_parameter", ["sip:+33180450107@192.0.2.62;guichet"]),
        ("contact_uri_parameter", ["sip:+33180450107@192.0.2.62;guichet"]),
        ("contact_headers", ["sip:agence@192.0.2.62?Subject=billets"]),
        ("contact_headers_bare", []),
        ("numbers_too_large", []),
    ],
)
def test_what_is_registered(name: str, contacts: list[str], tmp_path: Path) -> None:
    world = hardy_world(tmp_path)
    assert feed(world, (OWN / f"{name}.sip").read_bytes(), STRANGER).contacts == contacts


def test_whose_a_contact_parameter_is(tmp_path: Path) -> None:
    """RFC 4475 3.3.12, 3.3.13: outside the brackets the header's, inside the URI's."""
    world = hardy_world(tmp_path)
    found = []
    for name in ("contact_parameter", "contact_uri_parameter"):
        feed(world, (OWN / f"{name}.sip").read_bytes(), STRANGER)
        found += [(one.contact, one.params) for one in world.location.contacts("agence", world.clock.now())]
    bare, inside = "sip:+33180450107@192.0.2.62", "sip:+33180450107@192.0.2.62;guichet"
    assert found[0] == (bare, ";guichet") and (inside, "") in found


def test_the_call_of_an_old_peer_is_a_whole_call(tmp_path: Path) -> None:
    """RFC 2543: no branch, no From tag. Answered, acknowledged and hung up like any other."""
    world = hardy_world(tmp_path)
    invite = (OWN / "peer_of_rfc_2543.sip").read_bytes()
    peer, phone = world.phone(TRUNK), world.phones["192.0.2.201", 5060]
    for _ in range(2):  # a retransmission makes no second call
        world.layer.receive_bytes(invite, peer.hop, world.clock.now())
    (rung,) = answer_calls(phone)
    assert re.match(r'"?Vieux Poste"? <sip:poste@', rung.get("From") or "")
    ok = peer.response(200)
    head = invite.decode().split("Contact:")[0].replace("To: sip:+33180450108@plateau.example", f"To: {ok.get('To')}")
    world.layer.receive_bytes(re.sub("INVITE", "ACK", head).encode() + b"\r\n", peer.hop, world.clock.now())
    bye = re.sub("1 BYE", "2 BYE", re.sub("INVITE", "BYE", head)).encode() + b"\r\n"
    world.layer.receive_bytes(bye, peer.hop, world.clock.now())
    peer.response(200)
    phone.answer(phone.request("BYE"), 200)
    world.run(100)
    assert world.leaks() == {} and not peer.inbox


USERS = st.lists(
    st.sampled_from(
        [*"+0189*#.-() ;:/?=&%$,!~'\x00\x7f²٣é＋", "\udcff", "\udced\udca0\udc80", "%41", "%ff", "%00", "%c3%a9", "%",
         "%2", "555", "+33180000001", "anonymous", "x" * 300, ";phone-context=+33", "a@b"]
    ),
    max_size=5,
).map("".join)  # fmt: skip


ONE_FOLDER = [HealthCheck.function_scoped_fixture]


@settings(max_examples=150, suppress_health_check=ONE_FOLDER)
@given(called=USERS, caller=USERS, form=st.sampled_from(["sip:{}@pbx", "sips:{}@pbx", "tel:{}"]))
def test_any_octets_as_number_and_name(called: str, caller: str, form: str, tmp_path: Path) -> None:
    """The dial plan, the caller's identity and the From of our own INVITE: nothing raises, whoever is called."""
    for world in (World(folder=tmp_path), hardy_world(tmp_path)):
        peer = world.phone(TRUNK)
        peer_text = (
            f"INVITE {form.format(called)} SIP/2.0\r\nVia: SIP/2.0/UDP {TRUNK};branch=z9hG4bKu\r\n"
            f'From: "{caller.replace(chr(34), "")}" <{form.format(caller)}>;tag=1\r\nTo: <sip:x@pbx>\r\nCall-ID: u\r\n'
            f"CSeq: 1 INVITE\r\nContact: <sip:a@{TRUNK}>\r\nContent-Length: 0\r\n\r\n"
        )
        world.layer.receive_bytes(peer_text.encode("utf-8", "surrogateescape"), peer.hop, world.clock.now())
        world.run(200)
        assert world.leaks() == {}
