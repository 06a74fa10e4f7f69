"""RFC 5359 2.1 to 2.6: hold, music, transfers. What the RFC's phones do among themselves goes through us here: each has
a dialog with us that stays as it is."""

from __future__ import annotations

from tests.call.office import SITE, Talk

from .conftest import Stage
from .scene import Person, Scene

PASSED = SITE + "calls: {hold: pass}\n"
WITH_MUSIC = SITE + "calls: {hold: music}\n"


def talking(scene: Scene) -> tuple[Person, Person, Talk, Talk]:
    """Alice has called Bob."""
    alice, bob = scene.people_of("101", "102")
    a = alice.dial("102")
    b = bob.rings.answer()
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")
    scene.ladder.forget()
    return alice, bob, a, b


def direction(scene: Scene, step: str) -> str:
    """What the description in the newest such message says."""
    return scene.ladder.last(step).body.decode().rpartition("a=")[2].strip()


def test_2_1_call_hold(stage: Stage) -> None:
    scene = stage(PASSED)
    _, bob, a, b = talking(scene)
    bob.offer(b, "sendonly")
    scene.ladder.shows("""
        Bob   INVITE ->
        Alice <- INVITE
        Alice 200 INVITE ->
        Alice <- ACK
        Bob   <- 200 INVITE
        Bob   ACK ->
    """)
    assert direction(scene, "Alice <- INVITE") == "sendonly" and direction(scene, "Bob <- 200 INVITE") == "recvonly"
    bob.offer(b)
    scene.ladder.shows("""
        Bob   INVITE ->
        Alice <- INVITE
        Alice 200 INVITE ->
        Alice <- ACK
        Bob   <- 200 INVITE
        Bob   ACK ->
    """)
    assert a.directions == ["sendonly", "sendrecv"]
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_2_consultation_hold(stage: Stage) -> None:
    scene = stage(WITH_MUSIC)
    _, bob, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    bob.offer(b, "sendonly")
    second = bob.dial("103")
    c = carol.rings.answer()
    assert (scene.hears(a), scene.hears(second), scene.hears(c)) == ("music", "Carol", "Bob")
    second.bye()
    second.ended = True
    assert c.ended and scene.hears(a) == "music"
    bob.offer(b)
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_3_music_on_hold(stage: Stage) -> None:
    """The music is ours: no third party is called for it, and Alice's phone is told nothing."""
    scene = stage(WITH_MUSIC)
    _, bob, a, b = talking(scene)
    bob.offer(b, "sendonly")
    scene.ladder.shows("""
        Bob INVITE ->
        Bob <- 200 INVITE
        Bob ACK ->
    """)
    assert direction(scene, "Bob <- 200 INVITE") == "recvonly"
    assert scene.hears(a) == "music" and scene.plane.playing[a.port].loop
    bob.offer(b)
    assert (scene.hears(a), scene.hears(b)) == ("Bob", "Alice")


def test_2_4_transfer_unattended(scene: Scene) -> None:
    """Bob gives Alice to Carol, who rings; he is told how it goes, and hung up when she answers."""
    _, _, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    b.refer("103")
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
    c = carol.rings.answer()
    scene.ladder.shows("""
        Carol 200 INVITE ->
        Carol <- ACK
        Bob   <- NOTIFY
        Bob   <- BYE
        Bob   200 NOTIFY ->
        Bob   200 BYE ->
    """)
    assert b.frags == ["100 Trying", "180 Ringing", "200 OK"]
    told = scene.ladder.last("Bob <- NOTIFY")
    assert (told.get("Event"), told.get("Content-Type")) == ("refer", "message/sipfrag;version=2.0")
    assert (told.get("Subscription-State") or "").startswith("terminated")
    invite = scene.ladder.last("Carol <- INVITE")
    assert (invite.get("Referred-By") or "").startswith("<sip:102@")
    assert (invite.get("From") or "").startswith("<sip:101@")
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_5_transfer_attended(stage: Stage) -> None:
    """Bob consults Carol and then gives her Alice, by the dialog that he has with us: nobody is called anew."""
    scene = stage(WITH_MUSIC)
    _, bob, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    bob.offer(b, "sendonly")
    second = bob.dial("103")
    c = carol.rings.answer()
    bob.offer(second, "sendonly")
    assert (scene.hears(a), scene.hears(c)) == ("music", "music")
    scene.ladder.forget()
    b.refer_to(second)
    refer = scene.ladder.last("Bob REFER ->")
    assert f"Replaces={second.call_id}%3Bto-tag" in (refer.get("Refer-To") or "")
    scene.ladder.shows("""
        Bob REFER ->
        Bob <- 202 REFER
        Bob <- NOTIFY
        Bob <- BYE
        Bob <- BYE
        Bob 200 NOTIFY ->
        Bob 200 BYE ->
        Bob 200 BYE ->
    """)
    assert b.frags == ["200 OK"] and b.ended and second.ended
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_6_transfer_by_instant_message(scene: Scene) -> None:
    """A phone without REFER: Bob writes where Carol is, inside the call; Alice calls her and lets him go."""
    alice, bob, a, b = talking(scene)
    (carol,) = scene.people_of("103")
    bob.write(b, "sip:103@192.0.2.100")
    scene.ladder.shows("""
        Bob   MESSAGE ->
        Alice <- MESSAGE
        Alice 200 MESSAGE ->
        Bob   <- 200 MESSAGE
    """)
    assert scene.ladder.last("Alice <- MESSAGE").body == b"sip:103@192.0.2.100"
    second = alice.dial("103")
    c = carol.rings.answer()
    a.bye()
    a.ended = True
    assert b.ended and (scene.hears(second), scene.hears(c)) == ("Carol", "Alice")
    assert not bob.is_ringing
