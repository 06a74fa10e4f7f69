"""RFC 5359 2.7 to 2.9 and 2.12 to 2.14: forwarding, find-me, screening."""

from __future__ import annotations

import pytest

from tests.call.office import SITE

from .conftest import Stage
from .scene import Scene

PHONES = "101..105: {password: secret, pickup_groups: sales}"
FORWARDS = """101: {password: secret}
  102: {password: secret, pickup_groups: sales, forward: {%s: extension 103, after_s: 15}}
  103..105: {password: secret}"""
TO_CAROL = SITE.replace(PHONES, FORWARDS)


def history(scene: Scene) -> tuple[str, str]:
    """What Carol's phone is told of why it rings."""
    invite = scene.ladder.last("Carol <- INVITE")
    return invite.get("Diversion") or "", invite.get("History-Info") or ""


def test_2_7_call_forwarding_unconditional(stage: Stage) -> None:
    """Bob's phone does not ring."""
    scene = stage(TO_CAROL % "always")
    alice, _, carol = scene.people_of("101", "102", "103")
    a = alice.dial("102")
    c = carol.rings.answer()
    scene.ladder.shows("""
        Alice INVITE ->
        Carol <- INVITE
        Carol 180 INVITE ->
        Alice <- 180 INVITE
        Carol 200 INVITE ->
        Carol <- ACK
        Alice <- 200 INVITE
        Alice ACK ->
    """)
    diversion, info = history(scene)
    assert diversion.startswith("<sip:102@") and ";reason=unconditional" in diversion
    assert "cause=302" in info
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_8_call_forwarding_busy(stage: Stage) -> None:
    scene = stage(TO_CAROL % "busy")
    alice, bob, carol = scene.people_of("101", "102", "103")
    bob.rings_at_once = False
    a = alice.dial("102")
    bob.rings.refuse(486)
    c = carol.rings.answer()
    scene.ladder.shows("""
        Alice INVITE ->
        Bob   <- INVITE
        Bob   486 INVITE ->
        Bob   <- ACK
        Carol <- INVITE
        Carol 180 INVITE ->
        Alice <- 180 INVITE
        Carol 200 INVITE ->
        Carol <- ACK
        Alice <- 200 INVITE
        Alice ACK ->
    """)
    diversion, info = history(scene)
    assert ";reason=user-busy" in diversion and "cause=486" in info
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_9_call_forwarding_no_answer(stage: Stage) -> None:
    scene = stage(TO_CAROL % "no_answer")
    alice, _, carol = scene.people_of("101", "102", "103")
    a = alice.dial("102")
    scene.pass_time(16)
    c = carol.rings.answer()
    scene.ladder.shows("""
        Alice INVITE ->
        Bob   <- INVITE
        Bob   180 INVITE ->
        Alice <- 180 INVITE
        Bob   <- CANCEL
        Carol <- INVITE
        Bob   200 CANCEL ->
        Bob   487 INVITE ->
        Bob   <- ACK
        Carol 180 INVITE ->
        Carol 200 INVITE ->
        Carol <- ACK
        Alice <- 200 INVITE
        Alice ACK ->
    """)
    diversion, info = history(scene)
    assert ";reason=no-answer" in diversion and "cause=408" in info
    assert (scene.hears(a), scene.hears(c)) == ("Carol", "Alice")


def test_2_12_find_me(scene: Scene) -> None:
    """Bob's places in the order of their q (RFC 3261 16.6): one refuses, one is silent, in the third he answers."""
    (alice,) = scene.people_of("101")
    office = scene.telephone("102", host="192.0.2.111", q=0.9)
    home = scene.telephone("102", host="192.0.2.112", q=0.6)
    mobile = scene.telephone("102", host="192.0.2.113", q=0.3)
    a = alice.dial("102")
    assert (office.is_ringing, home.is_ringing, mobile.is_ringing) == (True, False, False)
    office.rings.refuse(480)
    assert (home.is_ringing, mobile.is_ringing) == (True, False)
    scene.pass_time(31)
    assert (home.is_ringing, mobile.is_ringing) == (False, True)
    b = mobile.rings.answer()
    assert a.status == 200 and scene.hear_each_other(a, b)
    assert [str(step) for step in scene.ladder if str(step).endswith("<- INVITE")] == ["Bob <- INVITE"] * 3


def test_2_13_call_management_incoming_screening(stage: Stage) -> None:
    """Calls by the partner's trunk may not reach Bob; those of the carrier may."""
    screened = """dial_plan:
  - {match: "+33180000003", to: refuse 403, from: trunk partner}
  - {match: "+33180000003", to: extension 102, from: trunks}
"""
    scene = stage(SITE.replace("dial_plan:\n", screened))
    carrier, partner = scene.carrier(), scene.partner()
    (bob,) = scene.people_of("102")
    p = partner.dial("+33180000003")
    scene.ladder.shows("""
        Partner INVITE ->
        Partner <- 403 INVITE
        Partner ACK ->
    """)
    assert p.status == 403 and not bob.talks
    carrier.dial("+33180000003")
    assert bob.is_ringing
    bob.rings.refuse()


@pytest.mark.parametrize(("number", "status"), [("0900123456", 403), ("0155", 180)])
def test_2_14_call_management_outgoing_screening(stage: Stage, number: str, status: int) -> None:
    """Premium numbers are refused before anybody outside hears of them."""
    scene = stage(SITE.replace("dial_plan:\n", 'dial_plan:\n  - {match: "0900.", to: refuse 403}\n'))
    (alice,), carrier = scene.people_of("101"), scene.carrier()
    a = alice.dial(number)
    assert a.status == status and carrier.is_ringing == (status == 180)
    if status == 180:
        carrier.rings.refuse()


def test_2_13_do_not_disturb(scene: Scene) -> None:
    """The screening that a user sets himself."""
    alice, bob = scene.people_of("101", "102")
    bob.dial("*781")
    scene.pass_time(1)
    assert alice.dial("102").status == 486
    bob.dial("*780")
    scene.pass_time(1)
    alice.dial("102")
    bob.rings.refuse()
