"""Who hears what in a bridge: each other, or music while the other holds (RFC 3264 8.4, RFC 5359 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.plane import UnknownPrompt
from pbx.call import info
from pbx.call.session_change import OurChange

if TYPE_CHECKING:
    from pbx.call.leg import Leg
    from pbx.call.switch import Switch

_USUAL = "music"


def join(switch: Switch, a: Leg, b: Leg) -> None:
    """Let two who talk in a call hear each other, and in a conference the others too."""
    if a.call is not None and a.call.conference is not None:
        a.call.conference.refresh()
    else:
        connect(switch, a, b)


def again(leg: Leg) -> bool:
    """Something of a leg has changed: let it hear, and be heard, as it should. False: it talks with nobody."""
    call, partner = leg.call, leg.partner
    if call is not None and call.conference is not None:
        call.conference.refresh()
        return True
    if partner is not None:
        connect(leg.switch, leg, partner)
    return partner is not None


def connect(switch: Switch, a: Leg, b: Leg) -> None:
    """Let two legs hear each other. Whose peer is holding the call, what it sends is not heard: the other hears music,
    if the site has some and does not pass holds on."""
    if a.audio.port is None or b.audio.port is None:
        return
    switch.plane.bridge(a.audio.port, b.audio.port)
    for leg, other in ((a, b), (b, a)):
        leg.held = leg.audio.held
        if leg.held:
            _play(switch, other)
        if other.keys_by_info:
            info.relay_keys(leg)


def passed(leg: Leg) -> bool:
    """Whether what the peer of a leg wants is asked of the other side: not if there are several."""
    several = leg.call is not None and leg.call.conference is not None
    return leg.switch.rules.site.calls.hold == "pass" and not several


def resume(leg: Leg) -> None:
    """Where holds are passed on: who was told to hold by somebody that is out of the call is told to go on."""
    switch = leg.switch
    passed = switch.rules.site.calls.hold == "pass"
    if passed and leg.audio.direction in ("recvonly", "inactive") and leg.may_offer and leg.phase == "confirmed":
        OurChange(leg, None, "sendrecv", switch.clock.now())


def _play(switch: Switch, leg: Leg) -> None:
    calls, plane = switch.rules.site.calls, switch.plane
    prompt = calls.hold_music or (_USUAL if plane.has_prompt(_USUAL) else None)
    if calls.hold == "pass" or prompt is None or leg.audio.port is None:
        return
    try:
        plane.play(leg.audio.port, (prompt,), loop=True)
    except UnknownPrompt:
        switch.counters["media_unknown_prompts"] += 1
