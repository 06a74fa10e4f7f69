"""What the caller's and the called legs share: a dialog after its 200, and its end (RFC 3261 12, 14, 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from media.plane import PortStats
from pbx.call.audio import Audio
from pbx.call.sent_bye import SentBye
from pbx.call.sent_invite import Acknowledger, SentInvite
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T1, T2, TIMEOUT

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.switch import Switch

SDP = "Content-Type: application/sdp\r\n"


class Party(NamedTuple):
    """Who is at the other end of a leg."""

    name: str
    number: str


class Leg:
    """One dialog and its audio. `call` is None once the leg has ended. `extension` is whose phone it is, `trunk` the
    trunk on which it holds a place."""

    __slots__ = (
        "_final",
        "_final_cseq",
        "_freed",
        "_reinvite",
        "_repeat_s",
        "_repeats_until",
        "attempt",
        "audio",
        "call",
        "confirmed",
        "dialog",
        "extension",
        "number",
        "party",
        "refers",
        "switch",
        "trunk",
    )

    def __init__(
        self, switch: Switch, call: Call, number: int, dialog: Dialog, extension: str | None, trunk: str | None
    ) -> None:
        self.switch = switch
        self.call: Call | None = call
        self.attempt: Attempt | None = None  # that it is called for, or won; None: it is the caller
        self.number = number
        self.party = Party("", "")
        self.refers = 0  # how often its peer has sent REFER (RFC 3515 2.4.6)
        self.dialog = dialog
        self.extension = extension
        self.trunk = trunk
        self._freed = False
        self.audio = Audio(switch.plane, switch.host_for(dialog.hop), switch.codecs, switch.ids.number())
        self.confirmed = False  # the ACK of our 200, or our ACK of theirs, has passed
        self._final = b""  # our 200, repeated until its ACK comes (13.3.1.4)
        self._final_cseq = -1  # which INVITE it answers: an ACK of an earlier one is not its ACK
        self._repeat_s = 0.0
        self._repeats_until = 0.0
        self._reinvite: ServerTransaction | None = None  # a re-INVITE of the peer that has no final response yet

    @property
    def phase(self) -> str:
        """RFC 4235 3.7.1: "trying", "early", "confirmed" or "terminated"."""
        return "terminated" if self._freed else self._phase()

    def _phase(self) -> str:
        raise NotImplementedError

    def free(self, on_stats: Callable[[PortStats], None] | None = None) -> None:
        """Give back the port, the phone and the place on the trunk, once; `on_stats` is told the port's counters."""
        self.audio.release(on_stats)
        if not self._freed:
            self._freed = True
            self.switch.leg_freed(self)

    @property
    def login(self) -> tuple[str, str] | None:
        """What we answer with when the peer asks who we are."""
        return None

    # --- 2xx until ACK ----------------------------------------------------------------------------------------------

    def send_final(self, transaction: ServerTransaction, headers: str, body: str, now: float) -> None:
        """Send 200 and repeat it until the ACK comes: the user's task, not the transaction's (13.3.1.4)."""
        hop = transaction.hop
        assert transaction.request is not None
        self._final_cseq = transaction.request.cseq
        self._final = transaction.respond(200, now, to_tag=self.dialog.local_tag, headers=headers, body=body)
        self._repeat_s = T1
        self._repeats_until = now + TIMEOUT
        self.confirmed = False
        self.dialog.hop = hop
        self.switch.layer.timers.set(T1, self, f"2xx {self._final_cseq}", now)

    def on_timer(self, kind: str, now: float) -> None:
        if self.confirmed or kind != f"2xx {self._final_cseq}":
            return
        if now >= self._repeats_until:
            self.switch.counters["sip_2xx_unacknowledged"] += 1
            self.confirmed = True  # 13.3.1.4: the dialog is confirmed, but the session SHOULD be terminated
            if self.call is None:
                self._send_bye()
            else:
                self.call.leg_lost(self, "no ACK")
            return
        self.switch.layer.send(self._final, self.dialog.hop)
        self._repeat_s = min(2 * self._repeat_s, T2)
        self.switch.layer.timers.set(self._repeat_s, self, kind, now)

    def on_ack(self, request: Request) -> None:
        if self.confirmed or request.cseq != self._final_cseq:
            return
        self.confirmed = True
        self._final = b""
        if self.call is None:
            self._send_bye()
        elif self.audio.offered and (request.body or self.audio.codec is None):  # else the session stays as it was
            try:
                self.audio.accept(request.body.decode("utf-8", "replace"))
            except SipError:
                self.call.leg_lost(self, "bad SDP in ACK")

    # --- requests inside the dialog ---------------------------------------------------------------------------------

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if not self.dialog.accepts(request):
            transaction.respond(500, now, reason="CSeq out of order")  # 12.2.2
        elif request.method == "BYE":
            transaction.respond(200, now)
            self.confirmed = True  # who hangs up needs our 200 no more, should its ACK be lost
            self.refuse_reinvite(487, now)
            if self.call is not None:
                self.call.leg_hung_up(self)
            else:
                self.switch.forget(self)
        elif self.call is None:
            transaction.respond(481, now)
        elif request.method == "INVITE":
            self._on_reinvite(request, transaction, now)
        elif request.method == "OPTIONS":
            transaction.respond(200, now, headers=f"Allow: {self.switch.allow}\r\n")
        elif (serve := self.switch.inside.get(request.method)) is not None:
            serve(self, request, transaction, now)
        else:
            transaction.respond(405, now, headers=f"Allow: {self.switch.allow}\r\n")

    def _on_reinvite(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Pass a re-INVITE to whom this leg is bridged with, else answer it here (14.2)."""
        call = self.call
        assert call is not None
        if self._reinvite is not None:
            transaction.respond(500, now, headers=f"Retry-After: {self.switch.retry_after_s()}\r\n")
            return
        if not self.confirmed or call.reinviting is not None:
            transaction.respond(491, now)
            return
        self.dialog.refresh(request, transaction.hop)
        transaction.user = self
        self._reinvite = transaction
        try:
            offer = request.body.decode("utf-8", "replace")
            if not offer:
                self._answer_reinvite(self.audio.reoffer(), now)
                return
            direction = self.audio.direction_of(offer)
            other = call.partner_of(self)
            if other is None or not other.pass_on_reinvite(self, offer, direction, now):
                self._answer_reinvite(self.audio.reanswer(offer), now)
        except SipError as error:
            self.refuse_reinvite(error.status or 488, now)

    def answer_reinvite(self, offer: str, direction: str, now: float) -> None:
        """The other side took the re-INVITE and answered with `direction`: answer ours."""
        if self._reinvite is None:
            return
        try:
            self._answer_reinvite(self.audio.reanswer(offer, direction), now)
        except SipError as error:
            self.refuse_reinvite(error.status or 488, now)

    def _answer_reinvite(self, body: str, now: float) -> None:
        transaction, self._reinvite = self._reinvite, None
        assert transaction is not None
        transaction.user = None
        headers = f"Contact: {self.dialog.contact}\r\nAllow: {self.switch.allow}\r\n{SDP}"
        self.send_final(transaction, headers, body, now)

    def refuse_reinvite(self, status: int, now: float) -> None:
        """Refuse the peer's pending re-INVITE; the session goes on as it was (14.2)."""
        transaction, self._reinvite = self._reinvite, None
        if transaction is not None:
            transaction.user = None
            transaction.respond(status, now)

    def on_cancel(self, request: Request, now: float) -> None:
        """The peer cancels its pending re-INVITE: so do we what we passed on."""
        self.refuse_reinvite(487, now)
        if self.call is not None and self.call.reinviting is not None:
            self.call.reinviting.cancel(now)

    # --- requests we send -------------------------------------------------------------------------------------------

    def pass_on_reinvite(self, origin: Leg, offer: str, direction: str, now: float) -> bool:
        """Send this leg's peer a re-INVITE with `direction`; False when this leg can't take one now."""
        call = self.call
        if call is None or not self.confirmed or self._reinvite is not None:
            return False
        call.reinviting = ReInvite(call, self, origin, offer, direction, now)
        return True

    def acknowledge(self, response: Response, cseq: int) -> Acknowledger:
        """Send the ACK of a 2xx and return who repeats it (13.2.2.4)."""
        switch = self.switch
        hop = self.switch.next_hop(self.dialog)
        ack = self.dialog.request("ACK", cseq, switch.via(hop, switch.ids.branch()))
        switch.layer.send(ack, hop)
        return Acknowledger(switch, response, ack, hop)

    def _send_bye(self) -> None:
        SentBye(self.switch, self.dialog, self.login)
        self.switch.forget(self)

    def drop(self, now: float) -> None:
        """Hang up and give back what the leg holds; nobody hears more of it."""
        self.attempt = None
        self.free()
        self.end()

    def over(self) -> None:
        """The peer hung up, or is lost: nothing more to send."""
        self.attempt = None
        self.call = None
        self.free()

    def end(self) -> None:
        """Hang up: BYE at once, or when the ACK of our 200 has come (RFC 3261 15). The port is released by the call."""
        self.refuse_reinvite(487, self.switch.clock.now())
        self.call = None
        if self.confirmed:
            self._send_bye()


class ReInvite:
    """A re-INVITE that we send to one leg because the peer of the other sent one. The call knows it until it is
    settled."""

    __slots__ = ("_call", "_cancelled", "_invite", "_leg", "_offer", "_origin")

    def __init__(self, call: Call, leg: Leg, origin: Leg, offer: str, direction: str, now: float) -> None:
        self._call = call
        self._leg = leg
        self._origin = origin
        self._offer = offer
        self._cancelled = False
        body = leg.audio.reoffer(direction)
        hop = leg.switch.next_hop(leg.dialog)
        self._invite: SentInvite | None = SentInvite(
            leg.switch, leg.dialog, hop, f"Allow: {leg.switch.allow}\r\n{SDP}", body, self, now
        )
        leg.switch.layer.timers.set(TIMEOUT, self, "limit", now)

    def cancel(self, now: float) -> None:
        """The peer took its own back, or there was no final response for 64*T1."""
        self._cancelled = True
        if self._invite is not None:
            self._invite.cancel(now)

    def on_timer(self, kind: str, now: float) -> None:
        self.cancel(now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            if self._cancelled:
                self.cancel(now)  # only now it may go out (9.1)
            return
        invite, leg = self._settle(), self._leg
        if response.status >= 300:
            self._refused(response.status, now)
            return
        leg.dialog.refresh(response, hop)
        invite.transaction.user = leg.acknowledge(response, invite.cseq)
        if leg.call is None:  # hung up meanwhile
            return
        try:
            direction = leg.audio.accept(response.body.decode("utf-8", "replace"))
        except SipError:
            self._refused(488, now)
            return
        self._origin.answer_reinvite(self._offer, direction, now)

    def on_failure(self, status: int, now: float) -> None:
        self._settle()
        self._refused(status, now)

    def _settle(self) -> SentInvite:
        """The other side may send the next one; the cycle with the transaction is broken."""
        invite, self._invite = self._invite, None
        assert invite is not None
        self._call.reinviting = None
        return invite

    def _refused(self, status: int, now: float) -> None:
        """14.1: the session goes on as it was; 12.2.1.2: unless the dialog is gone. The origin is not told what
        concerns us alone: a challenge, a redirection, the end of the dialog with the other side."""
        self._origin.refuse_reinvite(488 if status < 400 or status in (401, 407, 408, 481) else status, now)
        if status in (408, 481) and self._leg.call is not None:
            self._leg.call.leg_lost(self._leg, "no answer to re-INVITE" if status == 408 else "dialog gone")
