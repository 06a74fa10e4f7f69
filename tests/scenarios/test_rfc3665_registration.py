"""RFC 3665 section 2: registration. Bob is extension 102."""

from __future__ import annotations

import re

from .scene import Person, Scene

PHONE, MOBILE = "<sip:102@192.0.2.102:5060>", "<sip:102@192.0.2.202:5060;transport=udp>"
CHALLENGED = """
    Bob REGISTER ->
    Bob <- 401 REGISTER
    Bob REGISTER ->
    Bob <- 200 REGISTER
"""


def bob_of(scene: Scene) -> Person:
    """Not registered yet."""
    return Person(scene, "192.0.2.102", "102", None)


def contacts(scene: Scene) -> list[str]:
    return [one.contact for one in scene.location.contacts("102", scene.clock.time)]


def test_2_1_successful_new_registration(scene: Scene) -> None:
    bob = bob_of(scene)
    ok = bob.register(PHONE, password="secret")
    scene.ladder.shows(CHALLENGED)
    challenge = scene.ladder.last("Bob <- 401 REGISTER").get("WWW-Authenticate") or ""
    assert re.search(r'realm="test".*nonce="\w+', challenge) and 'qop="auth' in challenge
    assert ok.get("Contact") == f"{PHONE};expires=3600"
    assert ok.get("Date")
    assert contacts(scene) == [PHONE[1:-1]]


def test_2_2_update_of_contact_list(scene: Scene) -> None:
    """The RFC adds a mailto address; calls can be sent to SIP ones only, so here it is a second phone."""
    bob = bob_of(scene)
    bob.register(PHONE, password="secret")
    ok = bob.register(MOBILE, password="secret")
    assert ok.all("Contact") == [f"{PHONE};expires=3600", f"{MOBILE};expires=3600"]
    assert len(contacts(scene)) == 2


def test_2_3_request_for_current_contact_list(scene: Scene) -> None:
    bob = bob_of(scene)
    bob.register(PHONE, password="secret")
    scene.pass_time(600)
    ok = bob.register(password="secret")
    assert scene.ladder.last("Bob REGISTER ->").get("Contact") is None
    assert ok.all("Contact") == [f"{PHONE};expires=3000"]
    assert contacts(scene) == [PHONE[1:-1]]


def test_2_4_cancellation_of_registration(scene: Scene) -> None:
    bob = bob_of(scene)
    bob.register(PHONE, password="secret")
    bob.register(MOBILE, password="secret")
    ok = bob.register("*", lines="Expires: 0\r\n", password="secret")
    assert ok.status == 200 and ok.get("Contact") is None
    assert contacts(scene) == []
    a = scene.telephone("101").dial("102")
    scene.pass_time(1)
    assert a.status == 480


def test_2_5_unsuccessful_registration(scene: Scene) -> None:
    """The RFC asks for a wrong password again; we say 403, which a phone shows to its user instead of trying the same
    again and again."""
    bob = bob_of(scene)
    refused = bob.register(PHONE, password="wrong")
    scene.ladder.shows(CHALLENGED.replace("200", "403"))
    assert refused.status == 403
    assert contacts(scene) == []


def test_a_second_phone_rings_once_it_is_registered(scene: Scene) -> None:
    """What 2.1 is for: calls to Bob arrive where he registered."""
    bob = bob_of(scene)
    bob.register(PHONE, password="secret")
    alice = scene.telephone("101")
    a = alice.dial("102")
    b = bob.rings.answer()
    assert b.invite is not None and b.invite.uri == PHONE[1:-1]
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
