"""An INVITE of ours: sent, cancelled, given up, acknowledged (RFC 3261 9.1, 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.client_transaction import PROCEEDING
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Response
from pbx.sip.timers import TIMEOUT
from pbx.sip.transaction import ClientUser

if TYPE_CHECKING:
    from pbx.call.switch import Switch


class _Unheard:
    """The user of a request whose response changes nothing: BYE, CANCEL."""

    def on_response(self, response: Response, hop: Hop, now: float) -> None: ...
    def on_failure(self, status: int, now: float) -> None: ...


UNHEARD = _Unheard()


class SentInvite:
    """An INVITE in or for a dialog, until its final response. `authorization` is the header line of a login, or "".
    With a `branch` it is sent once more (see `left_behind`)."""

    __slots__ = ("_dialog", "_hop", "_switch", "authorization", "branch", "cseq", "reason", "transaction")

    def __init__(
        self, switch: Switch, dialog: Dialog, hop: Hop, authorization: str, headers: str, body: str, user: ClientUser,
        now: float, branch: str = "",
    ) -> None:  # fmt: skip
        self._switch = switch
        self._dialog = dialog
        self._hop = hop
        self.authorization = authorization
        self.reason = ""  # of its CANCEL
        self.branch = branch or switch.ids.branch()  # "" once it is cancelled
        self.cseq = dialog.next_cseq()
        data = dialog.request("INVITE", self.cseq, switch.via(hop, self.branch), authorization + headers, body)
        self.transaction = switch.layer.request(data, self.branch, "INVITE", hop, user, now)

    def cancel(self, now: float, reason: str = "") -> None:
        """CANCEL, once, and not before a provisional response (9.1): call it again when one comes. When the peer gives
        no final response for 64*T1 after it, the user hears of a failure. `reason`: RFC 3326, kept for that moment."""
        self.reason = reason or self.reason
        if self.transaction.state != PROCEEDING or not self.branch:
            return
        branch, self.branch = self.branch, ""
        line = f"Reason: {self.reason}\r\n" if self.reason else ""
        data = self._dialog.request("CANCEL", self.cseq, self._switch.via(self._hop, branch), line)
        self._switch.layer.request(data, branch, "CANCEL", self._hop, UNHEARD, now)
        self._switch.layer.timers.set(TIMEOUT, self, "cancelled", now)

    def on_timer(self, kind: str, now: float) -> None:
        if self.transaction.input("abandoned", now):
            self._switch.counters["sip_cancel_unanswered"] += 1


def acknowledge(switch: Switch, dialog: Dialog, response: Response, invite: SentInvite) -> Acknowledger:
    """Send the ACK of a 2xx, with the credentials of its INVITE, and return who repeats it (13.2.2.4)."""
    hop = switch.next_hop(dialog)
    ack = dialog.request("ACK", invite.cseq, switch.via(hop, switch.ids.branch()), invite.authorization)
    switch.layer.send(ack, hop)
    return Acknowledger(switch, response, ack, hop)


class Acknowledger:
    """Takes the place of a leg as the user of its INVITE after the 2xx: acknowledges repeats, and ends what another
    fork answered (13.2.2.4). It knows no leg, so that one can go while the transaction lingers (RFC 6026)."""

    __slots__ = ("_ack", "_hop", "_switch", "_tag")

    def __init__(self, switch: Switch, response: Response, ack: bytes, hop: Hop) -> None:
        self._switch = switch
        self._tag = response.to_tag
        self._ack = ack
        self._hop = hop

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.to_tag == self._tag:
            self._switch.layer.send(self._ack, self._hop)
        else:
            self._switch.end_fork(response, hop, now)

    def on_failure(self, status: int, now: float) -> None: ...
