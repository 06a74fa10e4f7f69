"""How an attempt reaches its phones: names are looked up, then an INVITE leaves for each phone whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from config.schema import Destination
from pbx.call import events
from pbx.call.attempt import NO_PORT, Attempt
from pbx.call.called_leg import CalledLeg
from pbx.call.diversion import with_history
from pbx.call.leg import Party
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.uri import user_of

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.targets import Target


def find_and_ring(
    call: Call, attempt: Attempt, phones: Sequence[Destination], ring_s: float, unknown: tuple[str, ...],
    _: tuple[Hop, ...],
) -> None:  # fmt: skip
    """Ring, once the names that are not known yet have been looked up, one after the other."""
    if attempt.call is None:
        return
    if unknown:
        then = partial(find_and_ring, call, attempt, phones, ring_s, unknown[1:])
        call.switch.resolve(unknown[0], then)
        return
    targets: list[Target] = []
    for phone in phones:
        found, status, cause = call.switch.targets.find(call, phone)
        targets += found
    if targets:
        attempt.plan(targets, ring_s)
        ring_next(call, attempt)
    else:
        attempt.limit(call.clock.after(0, attempt.failed, status, cause))


def ring_next(call: Call, attempt: Attempt) -> None:
    """INVITEs to the phones of an attempt that are next."""
    now = call.clock.now()
    status, cause = 503, ""
    for target in attempt.next_wave():
        leg = CalledLeg(call.switch, call, attempt, with_history(call, target), call.max_forwards)
        leg.party = Party("", target.extension or (call.dialled if target.trunk else user_of(target.uri)))
        call.switch.add(leg)
        try:
            leg.invite(call.caller.audio.codecs, now)
        except SipError as error:
            status, cause = (488, error.reason) if error.status == 488 else (error.status or 503, NO_PORT)
            call.switch.counters[f"calls_without_media_{'address' if status == 488 else 'port'}"] += 1
            leg.unsent()
            continue
        attempt.legs.append(leg)
        call.switch.emit(
            events.LegStarted(now, call.id, attempt.number, target.uri, attempt.agent, leg.dialog.call_id)
        )
    if attempt.legs:
        attempt.limit(call.clock.after(attempt.wave_s, attempt.timed_out))
    else:
        attempt.limit(call.clock.after(0, attempt.failed, status, cause))
