"""RFC 3665 section 3: session establishment, through a back-to-back user agent where the RFC has proxies.

Each side has a dialog of its own, so what the RFC's proxies forward is here said twice: F1 by Alice to us, F2 by us to
Bob. We answer INVITE with 180 where a proxy forwards it, and repeat nobody's ACK: each side's is its own.
"""

from __future__ import annotations

import pytest

from pbx.sip.digest import DigestServer, Outcome
from pbx.sip.message import Request
from tests.call.office import SITE
from tests.call.world import sdp

from .conftest import Stage
from .scene import Person, Scene

ESTABLISHED = """
    Alice INVITE ->
    Bob   <- INVITE
    Bob   180 INVITE ->
    Alice <- 180 INVITE
"""
ANSWERED = """
    Bob   200 INVITE ->
    Bob   <- ACK
    Alice <- 200 INVITE
    Alice ACK ->
"""
BOB_HANGS_UP = """
    Bob   BYE ->
    Bob   <- 200 BYE
    Alice <- BYE
    Alice 200 BYE ->
"""


def alice_and_bob(scene: Scene) -> tuple[Person, Person]:
    alice, bob = scene.people_of("101", "102")
    return alice, bob


def test_3_1_successful_session_establishment(scene: Scene) -> None:
    alice, bob = alice_and_bob(scene)
    a = alice.dial("102")
    scene.ladder.shows(ESTABLISHED)
    f1, f2 = scene.ladder.last("Alice INVITE ->"), scene.ladder.last("Bob <- INVITE")
    assert isinstance(f2, Request) and f2.uri == "sip:102@192.0.2.102:5060"
    assert f2.call_id != f1.call_id and f2.from_tag != f1.from_tag  # a dialog of ours
    assert (f2.get("From") or "").startswith("<sip:101@192.0.2.100:5060>;tag=")
    assert (f2.get("Max-Forwards"), f2.get("Contact")) == ("69", "<sip:plateau@192.0.2.100:5060>")
    assert scene.ladder.last("Alice <- 180 INVITE").get("Content-Type") is None  # she makes the ringing tone herself
    b = bob.rings.answer()
    scene.ladder.shows(ANSWERED)
    assert b"m=audio" in scene.ladder.last("Alice <- 200 INVITE").body
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
    b.bye()
    b.ended = True
    scene.ladder.shows(BOB_HANGS_UP)
    assert a.ended and not scene.plane.bridged


def test_3_2_session_establishment_through_two_proxies(scene: Scene) -> None:
    """The caller is behind two proxies that stay in the path, Alice behind one: what we send inside has their Route
    and goes to the nearest of them."""
    proxy, alice = scene.carrier(), scene.people_of("101")[0]
    routes = "Record-Route: <sip:198.51.100.1;lr>\r\nRecord-Route: <sip:ss1.atlanta.example.com;lr>\r\n"
    vias = "Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9\r\n"
    a = proxy.dial("+33180000001", vias + routes)
    b = alice.rings.answer(extra="Record-Route: <sip:192.0.2.101:5060;lr>\r\n")
    ok = scene.ladder.last("Carrier <- 200 INVITE")
    assert ok.all("Record-Route") == ["<sip:198.51.100.1;lr>", "<sip:ss1.atlanta.example.com;lr>"]
    assert len(ok.all("Via")) == 2
    assert scene.ladder.last("Alice <- ACK").all("Route") == ["<sip:192.0.2.101:5060;lr>"]
    assert (scene.hears(a), scene.hears(b)) == ("Alice", "Carrier")
    b.bye()
    b.ended = True
    bye = scene.ladder.last("Carrier <- BYE")
    assert isinstance(bye, Request) and bye.uri == "sip:+33612345678@198.51.100.1:5060"
    assert bye.all("Route") == ["<sip:198.51.100.1;lr>", "<sip:ss1.atlanta.example.com;lr>"]
    assert a.ended


def test_3_3_session_with_multiple_proxy_authentication(stage: Stage) -> None:
    """We ask Alice who she is (401, as a user agent does), the carrier asks us (407): nobody's credentials go further
    than to who asked."""
    login = "gateway: sip:198.51.100.1, login: {username: us, password: trunk-pw}, trusted: true}"
    scene = stage(SITE.replace("gateway: sip:198.51.100.1, trusted: true}", login), passwords=True)
    alice, carrier = scene.people_of("101")[0], scene.carrier()
    digest = DigestServer("carrier", b"y" * 32, {"us": "trunk-pw"}.get)
    a = alice.dial_with_password("0155")
    carrier.rings.refuse(407, digest.challenge_lines(scene.clock.time, proxy=True))
    c = carrier.rings.answer()
    scene.ladder.shows("""
        Alice   INVITE ->
        Alice   <- 401 INVITE
        Alice   ACK ->
        Alice   INVITE ->
        Carrier <- INVITE
        Carrier 180 INVITE ->
        Alice   <- 180 INVITE
        Carrier 407 INVITE ->
        Carrier <- ACK
        Carrier <- INVITE
        Carrier 180 INVITE ->
        Carrier 200 INVITE ->
        Carrier <- ACK
        Alice   <- 200 INVITE
        Alice   ACK ->
    """)
    invite = scene.ladder.last("Carrier <- INVITE")
    assert isinstance(invite, Request) and invite.get("Authorization") is None and invite.cseq == 2
    proof = digest.verify("INVITE", invite.all("Proxy-Authorization"), scene.clock.time, invite.body)
    assert proof.outcome is Outcome.ACCEPTED
    assert (scene.hears(a), scene.hears(c)) == ("Carrier", "Alice")


def test_3_4_successful_session_with_proxy_failure(stage: Stage) -> None:
    """The carrier's first gateway says nothing: the next one gets the call."""
    two = "gateways: [{uri: sip:198.51.100.1}, {uri: sip:198.51.100.2, priority: 1}], trusted: true}"
    scene = stage(SITE.replace("gateway: sip:198.51.100.1, trusted: true}", two))
    alice, first, second = scene.people_of("101")[0], scene.carrier(), scene.partner()
    assert isinstance(first, Person)
    first.silent = True
    a = alice.dial("0155")
    scene.pass_time(5)
    c = second.rings.answer()
    scene.ladder.shows("""
        Alice   INVITE ->
        Carrier <- INVITE
        Alice   <- 100 INVITE
        Carrier <- INVITE
        Carrier <- INVITE
        Carrier <- INVITE
        Partner <- INVITE
        Partner 180 INVITE ->
        Alice   <- 180 INVITE
        Partner 200 INVITE ->
        Partner <- ACK
        Alice   <- 200 INVITE
        Alice   ACK ->
    """)
    assert (scene.hears(a), scene.hears(c)) == ("Partner", "Alice")


def test_3_5_session_through_a_sip_alg(scene: Scene) -> None:
    """The gateway rewrites the description and stays in the path; Bob's own private address is behind it."""
    alg, alice = scene.carrier(), scene.people_of("101")[0]
    vias = "Via: SIP/2.0/UDP 10.1.1.7:5060;branch=z9hG4bKalg1\r\nRecord-Route: <sip:198.51.100.1;lr>\r\n"
    alg.contact = "<sip:bob@10.1.1.7:5060>"
    text = alg.invite("+33180000001", call="alg", user="bob", extra=vias, contact=alg.contact)
    alice.read()
    answered = alice.rings.answer()
    alg.follow("ACK", text, scene.ladder.last("Carrier <- 200 INVITE").to_tag or "")
    assert "198.51.100.1" in {remote.host for remote in scene.plane.remotes.values()}
    answered.bye()
    answered.ended = True
    bye = scene.ladder.last("Carrier <- BYE")
    assert isinstance(bye, Request) and bye.uri == "sip:bob@10.1.1.7:5060"
    assert bye.all("Route") == ["<sip:198.51.100.1;lr>"]
    alg.answer(bye, 200)


def test_3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack(scene: Scene) -> None:
    """The first server redirects, the second rings; Alice's description comes with her ACK."""
    alice, redirecting, bob = scene.people_of("101")[0], scene.partner(), scene.people_of("102")[0]
    text = alice.invite("9555", call="late", user="101", body="")
    scene.settle()
    redirecting.rings.redirect("9777")
    found = redirecting.rings.answer()
    scene.ladder.shows("""
        Alice   INVITE ->
        Partner <- INVITE
        Partner 180 INVITE ->
        Alice   <- 180 INVITE
        Partner 302 INVITE ->
        Partner <- ACK
        Partner <- INVITE
        Partner 180 INVITE ->
        Partner 200 INVITE ->
        Partner <- ACK
        Alice   <- 200 INVITE
    """)
    again = scene.ladder.last("Partner <- INVITE")
    assert isinstance(again, Request) and again.uri.startswith("sip:9777@")
    ok = scene.ladder.last("Alice <- 200 INVITE")
    assert b"m=audio" in ok.body  # the offer is ours
    alice.follow("ACK", text, ok.to_tag or "", body=sdp(45000, host=alice.host))
    assert 45000 in {remote.port for remote in scene.plane.remotes.values()}
    assert scene.hears(found) == "" and len(scene.plane.bridged) == 2  # Alice's end is the bridge's other one
    alice.follow("BYE", text, ok.to_tag or "", cseq=2)
    scene.settle()
    assert found.ended and not bob.talks


def test_3_7_session_with_reinvite_ip_address_change(scene: Scene) -> None:
    """Bob moves: his sound is taken from the new address, which Alice need not know."""
    alice, bob = alice_and_bob(scene)
    a = alice.dial("102")
    b = bob.rings.answer()
    scene.ladder.shows(ESTABLISHED + ANSWERED)
    bob.offer(b, host="192.0.2.99")
    scene.ladder.shows("""
        Bob INVITE ->
        Bob <- 200 INVITE
        Bob ACK ->
    """)
    assert scene.plane.remotes[b.port].host == "192.0.2.99"
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
    b.bye()
    b.ended = True
    scene.ladder.shows(BOB_HANGS_UP)


def test_3_8_unsuccessful_no_answer(scene: Scene) -> None:
    alice, bob = alice_and_bob(scene)
    a = alice.dial("102")
    a.cancel()
    scene.ladder.shows(
        ESTABLISHED
        + """
        Alice CANCEL ->
        Alice <- 200 CANCEL
        Alice <- 487 INVITE
        Bob   <- CANCEL
        Alice ACK ->
        Bob   200 CANCEL ->
        Bob   487 INVITE ->
        Bob   <- ACK
    """
    )
    assert a.status == 487 and not bob.is_ringing


@pytest.mark.parametrize("status", [486, 480])
def test_3_9_unsuccessful_busy_and_3_11_temporarily_unavailable(scene: Scene, status: int) -> None:
    alice, bob = alice_and_bob(scene)
    bob.rings_at_once = False
    a = alice.dial("102")
    bob.rings.refuse(status)
    scene.ladder.shows(f"""
        Alice INVITE ->
        Bob   <- INVITE
        Bob   {status} INVITE ->
        Bob   <- ACK
        Alice <- {status} INVITE
        Alice ACK ->
    """)
    assert a.status == status and not scene.plane.leased


def test_3_10_unsuccessful_no_response_from_user_agent(scene: Scene) -> None:
    """Seven times the INVITE, then Timer B; Alice is told 480, as in the RFC."""
    alice, bob = alice_and_bob(scene)
    bob.silent = True
    a = alice.dial("102")
    scene.pass_time(33)
    scene.ladder.shows(
        """
        Alice INVITE ->
        Bob   <- INVITE
        Alice <- 100 INVITE
    """
        + "Bob <- INVITE\n" * 6
        + """
        Alice <- 480 INVITE
        Alice ACK ->
    """
    )
    assert a.status == 480
