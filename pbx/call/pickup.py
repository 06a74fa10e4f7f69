"""Call pickup: a call that rings elsewhere is taken at this phone. Destinations `pickup EXTENSION`, `pickup group`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.schema import Destination, Site
from pbx.call import events
from pbx.call.bridge import JOINED

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.leg import Leg
    from pbx.call.switch import Switch

GROUP = "group"


def may_pick_up(site: Site, picker: str, extension: str) -> bool:
    """By the site's pickup groups; a user's own phones may always."""
    if picker == extension:
        return True
    mine, theirs = site.extensions.get(picker), site.extensions.get(extension)
    if mine is None or theirs is None:
        return False
    return not set(mine.picks_up or mine.pickup_groups).isdisjoint(theirs.pickup_groups)


def start(call: Call, name: str) -> None:
    """Handler of destinations `pickup NAME`. The call that has rung longest is taken."""
    picker = call.caller.extension
    site = call.switch.rules.site
    if picker is None or (name != GROUP and not may_pick_up(site, picker, name)):
        call.refuse(403, "may not pick up")
        return
    names = [name]
    if name == GROUP:
        names = [other for other in site.extensions if other != picker and may_pick_up(site, picker, other)]
    ringing = [leg for other in names for leg in _ringing(call.switch, other)]
    if not ringing:
        call.refuse(480, "nothing rings there")
        return
    oldest = min(ringing, key=_rings_since)
    assert oldest.attempt is not None
    pick_up(call, oldest.attempt, oldest)


def _rings_since(leg: Leg) -> float:
    return leg.call.started_at if leg.call is not None else 0.0


def _ringing(switch: Switch, extension: str) -> list[Leg]:
    return [
        leg for leg in switch.legs_of(extension)
        if leg.call is not None and leg.attempt is not None and leg.attempt.winner is None and leg.phase != "terminated"
    ]  # fmt: skip


def pick_up(call: Call, attempt: Attempt, leg: Leg) -> None:
    """The caller of `call` takes what rings at `leg`, as if its phone had answered. A call that was offered to an agent
    is his alone: it leaves its queue for who took it."""
    other = attempt.call
    assert other is not None
    call.answer(other.caller.audio.codec)
    if not call.answered:
        return
    new = call.caller
    extension = leg.extension or ""
    if attempt.agent is not None and new.extension != leg.extension:
        other.take(f"extension {new.extension}", JOINED)
        if attempt.call is not None:
            other.drop(attempt, "picked up")
        other.bridge(other.adopt(new, Destination("extension", new.extension or "")))
    else:
        other.answered_elsewhere(attempt, new)
    call.dissolve("picked up another")
    call.switch.counters["calls_picked_up"] += 1
    call.switch.emit(events.CallPickedUp(call.clock.now(), other.id, extension, new.extension or ""))
