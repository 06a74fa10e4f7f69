"""The caller's side of a call: the INVITE that made it (RFC 3261 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call import session_timer, sips
from pbx.call.leg import Leg
from pbx.call.options import RELIABLE, methods_of, options_of
from pbx.call.provisional import ReliableResponses, Said
from pbx.call.reason import reason_of
from pbx.call.session_change import SDP
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Timer
    from pbx.call.switch import Switch

RING_AGAIN_S = 60.0
_LONGEST_S = 86_400  # of an invitation that says when it expires


class CallerLeg(Leg):
    """The leg that an INVITE from outside made. Raises SipError when its offer is nothing for us."""

    __slots__ = ("_answering", "_described", "_expiry", "_reliable", "_ringing", "_transaction", "called_says",
                 "refused")  # fmt: skip

    def __init__(
        self, switch: Switch, call: Call, request: Request, transaction: ServerTransaction, extension: str | None,
        trunk: str | None,
    ) -> None:  # fmt: skip
        contact = switch.contact(transaction.hop, sips.asked_by(request))
        dialog = Dialog.of_request(request, switch.ids.token(), contact, transaction.hop)
        super().__init__(switch, call, 1, dialog, extension, trunk)
        self._ringing: Timer | None = None
        self._described = False  # our description has left in a provisional response
        self._answering = False  # answered, but the 200 waits for a PRACK (RFC 3262 3)
        self._reliable: ReliableResponses | None = None
        self.called_says = ""  # header lines of the called side's last response that cross with ours
        self.refused = 0  # the final status of the INVITE, if it is no 2xx
        self.headers = request.headers
        self.can(methods_of(request))
        self.min_session_s = max(self.min_session_s, session_timer.min_se(request))
        self.audio.hear(request.description)
        if self.reliable != "off" and (
            RELIABLE in options_of(request, "Supported") or RELIABLE in options_of(request, "Require")
        ):
            self._reliable = ReliableResponses(self, request.cseq)
        self._transaction: ServerTransaction | None = transaction
        transaction.user = self
        expires = (request.get("Expires") or "").strip()
        self._expiry: Timer | None = None
        if expires.isdecimal() and len(expires) <= 10:  # a longer one is as good as none
            self._expiry = switch.clock.after(min(int(expires), _LONGEST_S), self._expired)

    def _phase(self) -> str:
        if self._transaction is None:
            return "confirmed"
        return "trying" if self._ringing is None else "early"

    @property
    def settled(self) -> bool:
        acknowledged = self._described and self._reliable is not None and not self._reliable.describes
        return self._transaction is None or acknowledged

    # --- before the answer ------------------------------------------------------------------------------------------

    def ring(self, now: float) -> None:
        """180, and again each minute, so that no proxy gives up on a call that waits long (13.3.1.1). Nothing while the
        caller hears early media: that says more."""
        if self._transaction is not None and self._ringing is None:
            self._say(180, "", now)
            self._ringing = self.switch.clock.after(RING_AGAIN_S, self._say_again, 180)
            self.switch.on_leg(self)

    def progress(self, prefer: str | None, now: float) -> bool:
        """183 with our SDP, so that the caller hears what comes before the answer; False if it can't be: an offer of
        ours must be acknowledged. Raises SipError as `answer` does."""
        if self._transaction is None or self._answering or (self._reliable is None and not self.audio.was_offered):
            return False
        if not self._described:
            body = self.audio.answer(prefer)
            self._described = True
            self._say(183, body, now)
            if self._ringing is not None:
                self._ringing.cancel()
            self._ringing = self.switch.clock.after(RING_AGAIN_S, self._say_again, 183)
            self.switch.on_leg(self)
        return True

    def _say_again(self, status: int) -> None:
        self._say(status, self.audio.answer() if self._described and self._reliable is None else "")
        self._ringing = self.switch.clock.after(RING_AGAIN_S, self._say_again, status)

    def _say(self, status: int, body: str, now: float | None = None) -> None:
        """Reliably, if the caller can and it has our SDP, or if he insists (RFC 3262 3)."""
        transaction = self._transaction
        assert transaction is not None and transaction.request is not None
        now = self.switch.clock.now() if now is None else now
        headers = f"Contact: {self.dialog.contact}\r\n{self.capabilities}{self.called_says}{SDP if body else ''}"
        insists = RELIABLE in options_of(transaction.request, "Require")
        if self._reliable is not None and (body or insists):
            self._reliable.send(Said(status, headers, body), now)
        else:
            self.provisional(status, headers, body, now)

    def provisional(self, status: int, headers: str, body: str, now: float) -> bytes:
        assert self._transaction is not None
        return self._transaction.respond(status, now, to_tag=self.dialog.local_tag, headers=headers, body=body)

    def repeat(self, data: bytes) -> None:
        """Send a provisional response again."""
        if self._transaction is not None:
            self.switch.layer.send(data, self._transaction.hop)

    def never_acknowledged(self, now: float) -> None:
        """No PRACK for 64*T1: the INVITE is refused (RFC 3262 3)."""
        self._fail(504, "no PRACK", now)

    def _expired(self) -> None:
        """The invitation was for so long (13.3.1)."""
        if not self._answering:
            self._fail(487, "invitation expired", self.switch.clock.now())

    def _fail(self, status: int, cause: str, now: float) -> None:
        self._refuse_invite(status, now)
        if self.call is not None:
            self.call.leg_lost(self, cause, status)

    def _on_prack(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """200 if it is for what waits, with our answer if it has an offer (RFC 3262 3, 5)."""
        if self._reliable is None or not self._reliable.acknowledged(request, now):
            transaction.respond(481, now)
            return
        body = ""
        try:
            if request.description and self.audio.offered:
                self.audio.accept(request.description.decode("utf-8", "replace"))
            elif request.description:
                body = self.audio.reanswer(request.description.decode("utf-8", "replace"))
        except SipError as error:
            transaction.respond(error.status or 488, now, headers=error.warning)
            if self.audio.codec is None:  # it was to answer our offer
                self._fail(488, "bad SDP in PRACK", now)
                return
        else:
            transaction.respond(200, now, headers=SDP if body else "", body=body)
        if self._answering and not self._reliable.describes:
            self._send_answer("", now)
            if self.call is not None:
                self.call.answer_sent()

    # --- the answer -------------------------------------------------------------------------------------------------

    def answer(self, prefer: str | None, now: float) -> bool:
        """200 with our SDP; `prefer` is the codec that spares a transcoding. False if it waits for a PRACK. Raises
        SipError when there is no codec in common or no port: the caller is still unanswered then."""
        if self._transaction is None or self._answering:
            return False
        body = self.audio.answer(prefer)
        if self._reliable is not None and self._reliable.describes:
            self._answering = True
            return False
        self._send_answer("" if self._described and self._reliable is not None else body, now)  # RFC 6337 3.1.1
        return True

    def _send_answer(self, body: str, now: float) -> None:
        transaction = self._take_transaction()
        assert transaction is not None
        if self._described:
            self.audio.answered()
        self.send_final(transaction, self.called_says, body, now)
        self.switch.on_leg(self)

    def _take_transaction(self) -> ServerTransaction | None:
        """The INVITE's transaction, to be given its final response."""
        transaction, self._transaction = self._transaction, None
        self._answering = False
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._reliable is not None:
            self._reliable.stop()
            self._reliable = None
        return transaction

    def refuse(self, status: int, now: float, headers: str = "") -> None:
        """The final response of a call that is not answered."""
        self.call = None
        self.switch.forget(self)
        self._refuse_invite(status, now, headers)

    def _refuse_invite(self, status: int, now: float, headers: str = "") -> None:
        transaction = self._take_transaction()
        if transaction is not None:
            self.refused = status
            transaction.respond(status, now, to_tag=self.dialog.local_tag, headers=headers)

    def refuse_change(self, status: int, now: float) -> None:
        super().refuse_change(status, now)
        if self._answering:  # the 200 that waits is one that will not leave
            self._refuse_invite(status, now)

    def end(self, reason: str = "") -> None:
        if self._transaction is not None:
            self._refuse_invite(480, self.switch.clock.now())
        if self._final is None and not self.confirmed:  # there never was a dialog to end
            self.call = None
            self._stop()
            self.switch.forget(self)
        else:
            super().end(reason)

    def on_cancel(self, request: Request, now: float) -> None:
        """The caller gives up while ringing (9.2): 487, and everything for this call ends. A CANCEL that comes after
        our 200 never gets here: the transaction has left Proceeding, the call stands."""
        call = self.call
        if self._transaction is None:
            super().on_cancel(request, now)
        elif call is not None:
            call.reason = reason_of(request)
            if self._answering:
                self._refuse_invite(487, now)
                call.leg_hung_up(self)
            else:
                call.caller_cancelled()
            call.reason = ""
