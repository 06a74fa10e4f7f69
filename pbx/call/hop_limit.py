"""A hop that says nothing to an INVITE is given up before Timer B, while there is another to try (RFC 3263 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.sent_invite import SentInvite
from pbx.sip.client_transaction import CALLING
from pbx.sip.hop import Hop
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.call.called_leg import CalledLeg
    from pbx.call.switch import Switch


class HopLimit:
    """Watches one INVITE of a leg for the `try_s` of its target."""

    __slots__ = ("_invite", "_leg")

    def __init__(self, leg: CalledLeg, invite: SentInvite, now: float) -> None:
        self._leg = leg
        self._invite = invite
        leg.switch.layer.timers.set(leg.target.try_s, self, "hop", now)

    def on_timer(self, kind: str, now: float) -> None:
        invite, switch = self._invite, self._leg.switch
        if invite.transaction.state == CALLING and self._leg.give_up_hop(invite, now):
            switch.counters["sip_hops_given_up"] += 1
            invite.transaction.user = GivenUp(switch, invite)


class GivenUp:
    """Takes the place of a leg as the user of an INVITE that was given up: should its peer awake, it is cancelled
    (RFC 3261 9.1), or hung up (13.2.2.4)."""

    __slots__ = ("_invite", "_switch")

    def __init__(self, switch: Switch, invite: SentInvite) -> None:
        self._switch = switch
        self._invite: SentInvite | None = invite

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            if self._invite is not None:
                self._invite.cancel(now)
            return
        self._invite = None
        if response.status < 300:
            self._switch.end_fork(response, hop, now)

    def on_failure(self, status: int, now: float) -> None:
        self._invite = None
