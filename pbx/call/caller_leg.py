"""The caller's side of a call: the INVITE that made it (RFC 3261 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.leg import SDP, Leg
from pbx.sip.dialog import Dialog
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Timer
    from pbx.call.switch import Switch

RING_AGAIN_S = 60.0


class CallerLeg(Leg):
    """The leg that an INVITE from outside made. Raises SipError when its offer is nothing for us."""

    __slots__ = ("_ringing", "_transaction")

    def __init__(
        self, switch: Switch, call: Call, request: Request, transaction: ServerTransaction, extension: str | None,
        trunk: str | None,
    ) -> None:  # fmt: skip
        contact = switch.contact(transaction.hop)
        dialog = Dialog.of_request(request, switch.ids.token(), contact, transaction.hop)
        super().__init__(switch, call, 1, dialog, extension, trunk)
        self._ringing: Timer | None = None
        self.audio.hear(request.body)
        self._transaction: ServerTransaction | None = transaction
        transaction.user = self

    def _phase(self) -> str:
        if self._transaction is None:
            return "confirmed"
        return "trying" if self._ringing is None else "early"

    def ring(self, now: float) -> None:
        """180, and again each minute, so that no proxy gives up on a call that waits long (13.3.1.1)."""
        if self._transaction is not None and self._ringing is None:
            self._ring_again()
            self.switch.on_leg(self)

    def _ring_again(self) -> None:
        self._respond(180, self.switch.clock.now())
        self._ringing = self.switch.clock.after(RING_AGAIN_S, self._ring_again)

    def _take_transaction(self) -> ServerTransaction | None:
        """The INVITE's transaction, to be given its final response."""
        transaction, self._transaction = self._transaction, None
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None
        return transaction

    def answer(self, prefer: str | None, now: float) -> None:
        """200 with our SDP; `prefer` is the codec that spares a transcoding. Raises SipError when there is no codec in
        common or no port: the caller is still unanswered then."""
        if self._transaction is None:
            return
        body = self.audio.answer(prefer)
        transaction = self._take_transaction()
        assert transaction is not None
        headers = f"Contact: {self.dialog.contact}\r\nAllow: {self.switch.allow}\r\n{SDP}"
        self.send_final(transaction, headers, body, now)
        self.switch.on_leg(self)

    def refuse(self, status: int, now: float, headers: str = "") -> None:
        """The final response of a call that is not answered."""
        transaction = self._take_transaction()
        self.call = None
        self.switch.forget(self)
        if transaction is not None:
            transaction.respond(status, now, to_tag=self.dialog.local_tag, headers=headers)

    def _respond(self, status: int, now: float) -> None:
        assert self._transaction is not None
        self._transaction.respond(
            status, now, to_tag=self.dialog.local_tag, headers=f"Contact: {self.dialog.contact}\r\n"
        )

    def on_cancel(self, request: Request, now: float) -> None:
        """The caller gives up while ringing (9.2): 487, and everything for this call ends. A CANCEL that comes after
        our 200 never gets here: the transaction has left Proceeding, the call stands."""
        if self._transaction is None:
            super().on_cancel(request, now)
        elif self.call is not None:
            self.call.caller_cancelled()
