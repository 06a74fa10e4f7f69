"""A leg whose media port died with its worker gets another one, and its peer is told where by re-INVITE or UPDATE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pbx.call.session_change import OurChange
from pbx.sip.errors import SipError

if TYPE_CHECKING:
    from pbx.call.leg import Leg

AGAIN_S: Final = 0.1  # until a worker has ports, or the session may be changed
GIVE_UP_S: Final = 10.0
LOST: Final = "media lost"


class Reanchor:
    """At work until the peer is asked, or the leg is over. Afterwards the change that asks has it: if the peer refuses,
    the leg is lost."""

    __slots__ = ("_leg", "_until")

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._until = leg.switch.clock.now() + GIVE_UP_S
        leg.switch.counters["legs_media_lost"] += 1
        leg.switch.clock.after(0, self._move)

    def _move(self) -> None:
        leg = self._leg
        if leg.call is None:
            return
        try:
            leg.audio.move()
        except SipError:  # no worker yet, or its ports are taken
            self._later(self._move)
            return
        leg.call.heard_again(leg)
        self._tell()

    def _tell(self) -> None:
        leg = self._leg
        if leg.call is None or leg.audio.port is None:  # that worker died too: another of us is at work
            return
        if not leg.may_offer:
            self._later(self._tell)
            return
        partner = leg.partner
        passed = partner is not None and leg.switch.rules.site.calls.hold == "pass"
        direction = partner.audio.direction if passed and partner is not None else "sendrecv"
        leg.switch.counters["legs_reanchored"] += 1
        OurChange(leg, None, direction, leg.switch.clock.now(), vital=LOST)

    def _later(self, step: Callable[[], None]) -> None:
        leg = self._leg
        if leg.switch.clock.now() < self._until:
            leg.switch.clock.after(AGAIN_S, step)
        elif leg.call is not None:
            leg.call.leg_lost(leg, LOST)
