"""RFC 5359 2.10 and 2.11: conferences of three. The RFC's Bob mixes in his phone; here it is we who mix."""

from __future__ import annotations

from .scene import Scene
from .test_rfc5359_hold_and_transfer import talking


def test_2_10_third_party_is_added(scene: Scene) -> None:
    """Bob asks for Carol by a REFER to the number that adds; Alice and Bob talk on until she answers."""
    _, _, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    b.refer("*3103")
    scene.ladder.shows("""
        Bob   REFER ->
        Bob   <- 202 REFER
        Bob   <- NOTIFY
        Carol <- INVITE
        Bob   200 NOTIFY ->
        Carol 180 INVITE ->
        Bob   <- NOTIFY
        Bob   200 NOTIFY ->
    """)
    assert b.frags == ["100 Trying", "180 Ringing"] and (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
    c = carol.rings.answer()
    scene.ladder.shows("""
        Carol 200 INVITE ->
        Carol <- ACK
        Bob   <- NOTIFY
        Bob   200 NOTIFY ->
    """)
    assert scene.all_hear_each_other(a, b, c)
    c.bye()
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_11_third_party_joins(scene: Scene) -> None:
    """Carol enters the room that Alice and Bob are in: its URI is what their phones were given, a focus (RFC 4579)."""
    alice, bob, carol = scene.people_of("101", "102", "103")
    a, b = alice.dial("*40"), bob.dial("*40")
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
    assert a.final is not None
    focus = a.final.get("Contact") or ""
    assert focus.endswith(";isfocus")
    scene.ladder.forget()
    c = carol.dial(focus.partition("sip:")[2].partition("@")[0])
    scene.ladder.shows("""
        Carol INVITE ->
        Carol <- 200 INVITE
        Carol ACK ->
    """)
    assert scene.all_hear_each_other(a, b, c)


def test_2_11_join_is_refused_in_so_many_words(scene: Scene) -> None:
    """Join (RFC 3911) is not known; who insists on it is told so."""
    _, _, a, _ = talking(scene)
    (carol,) = scene.people_of("103")
    c = carol.dial("102", f"Join: {a.replaces}\r\nRequire: join\r\n")
    assert c.status == 420 and c.final is not None and c.final.get("Unsupported") == "join"
