"""RFC 5359 2.15 to 2.18: park, pickup, automatic redial, click to dial."""

from __future__ import annotations

from xml.etree import ElementTree

from pbx.call.originate import ClickToDial
from pbx.sip.message import Request

from .scene import HOME, Person, Scene
from .test_rfc5359_hold_and_transfer import talking

DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"


def shown(told: Request) -> ElementTree.Element | None:
    """The dialog in a NOTIFY of dialog-info; None if there is none."""
    return ElementTree.fromstring(told.body).find(f"{DIALOG}dialog")


def state(person: Person) -> str | None:
    """What the newest NOTIFY says of the watched phone's dialog."""
    dialog = shown(person.told[-1])
    return None if dialog is None else dialog.findtext(f"{DIALOG}state")


def test_2_15_call_park(scene: Scene) -> None:
    """Bob gives Alice to the parking lot, which is ours; he is told the slot, Carol dials it."""
    _, _, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    b.refer("700")
    scene.ladder.shows("""
        Bob REFER ->
        Bob <- 202 REFER
        Bob <- NOTIFY
        Bob <- NOTIFY
        Bob <- BYE
        Bob 200 NOTIFY ->
        Bob 200 NOTIFY ->
        Bob 200 BYE ->
    """)
    assert b.frags == ["100 Trying", "200 Parked at 701"] and not a.ended
    c = carol.dial("701")
    scene.ladder.shows("""
        Carol INVITE ->
        Carol <- 200 INVITE
        Carol ACK ->
    """)
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_16_call_pickup(scene: Scene) -> None:
    """Carol watches Bob's phone (RFC 4235); by what she is told of the dialog that rings there, she takes its place."""
    alice, bob, carol = scene.people_of("101", "102", "103")
    ok = carol.subscribe("102")
    assert state(carol) is None
    scene.ladder.forget()
    a = alice.dial("102")
    scene.pass_time(0.1)
    assert state(carol) == "early"
    dialog = shown(carol.told[-1])
    assert dialog is not None and dialog.get("direction") == "recipient"
    named = f"{dialog.get('call-id')};to-tag={dialog.get('local-tag')};from-tag={dialog.get('remote-tag')}"
    scene.ladder.forget()
    c = carol.dial("102", f"Replaces: {named};early-only\r\nRequire: replaces\r\n")
    scene.ladder.shows("""
        Carol INVITE ->
        Carol <- 200 INVITE
        Bob   <- CANCEL
        Alice <- 200 INVITE
        Alice ACK ->
        Bob   200 CANCEL ->
        Bob   487 INVITE ->
        Bob   <- ACK
        Carol ACK ->
    """)
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice") and not bob.is_ringing
    scene.pass_time(0.1)
    assert state(carol) in (None, "terminated")
    carol.subscribe("102", expires_s=0, ok=ok)


def test_2_17_automatic_redial(scene: Scene) -> None:
    """Bob is busy: Alice watches his phone, and calls again when it is free."""
    alice, bob, carol = scene.people_of("101", "102", "103")
    c = carol.dial("102")
    bob.rings.answer()
    bob.rings_at_once = False
    alice.dial("102")
    bob.rings.refuse(486)
    assert alice.talks[-1].status == 486
    scene.ladder.forget()
    ok = alice.subscribe("102")
    scene.ladder.shows("""
        Alice SUBSCRIBE ->
        Alice <- 200 SUBSCRIBE
        Alice <- NOTIFY
        Alice 200 NOTIFY ->
    """)
    assert state(alice) == "confirmed"
    told = alice.told[-1]
    assert (told.get("Event"), told.get("Subscription-State")) == ("dialog", "active;expires=3600")
    c.bye()
    c.ended = True
    scene.pass_time(0.1)
    assert state(alice) in (None, "terminated")
    alice.subscribe("102", expires_s=0, ok=ok)
    assert (alice.told[-1].get("Subscription-State") or "").startswith("terminated")
    a = alice.dial("102")
    b = bob.rings.answer()
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_18_click_to_dial(scene: Scene) -> None:
    """The RFC's REFER goes from the page to the phone; here the page asks us, and we call the phone."""
    alice, bob = scene.people_of("101", "102")
    ClickToDial(scene.switch, scene.location.is_registered).dial("101", "102")
    scene.settle()
    a = alice.rings.answer()
    b = bob.rings.answer()
    scene.ladder.shows("""
        Alice <- INVITE
        Alice 180 INVITE ->
        Alice 200 INVITE ->
        Alice <- ACK
        Bob   <- INVITE
        Bob   180 INVITE ->
        Bob   200 INVITE ->
        Bob   <- ACK
    """)
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_18_click_to_dial_by_refer(scene: Scene) -> None:
    """The RFC's REFER goes to the phone itself, which then calls as always. One that comes to us names no call of the
    sender's, and nobody is called for it."""
    alice, bob = scene.people_of("101", "102")
    refused = alice.ask("REFER", f"sip:101@{HOME}", f"Contact: {alice.contact}\r\nRefer-To: <sip:102@{HOME}>\r\n")
    assert refused.status == 403 and not bob.talks
    scene.ladder.forget()
    a = alice.dial("102", f"Referred-By: <sip:pc@{HOME}>\r\n")
    b = bob.rings.answer()
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
