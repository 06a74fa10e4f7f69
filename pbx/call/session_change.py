"""A session that changes: what the peer asks for and what we ask the peer, by re-INVITE (RFC 3261 14) or UPDATE
(RFC 3311)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.call.credentials import credentials_for
from pbx.call.sent_invite import SentInvite, acknowledge
from pbx.call.sent_request import SentRequest
from pbx.call.session_timer import min_se
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TIMEOUT

if TYPE_CHECKING:
    from pbx.call.clock import Timer
    from pbx.call.leg import Leg

SDP: Final = "Content-Type: application/sdp\r\n"
MOST_TRIES: Final = 4  # a challenge, a longer interval, a glare, no UPDATE: each costs one
UPDATE_S: Final = 10.0  # an UPDATE has its answer by then, although a re-INVITE may ask a person (RFC 3311 5.2)


class PeerChange:
    """A re-INVITE or UPDATE of the peer that waits for what the other side of the bridge says to it."""

    __slots__ = ("_passed", "offer", "transaction")

    def __init__(self, transaction: ServerTransaction, offer: str) -> None:
        self.transaction = transaction
        self.offer = offer
        self._passed: OurChange | None = None

    @property
    def limit_s(self) -> float:
        """How long the peer may wait."""
        request = self.transaction.request
        return UPDATE_S if request is not None and request.method == "UPDATE" else TIMEOUT

    def passed_as(self, change: OurChange) -> None:
        self._passed = change

    def settle(self) -> ServerTransaction:
        """It has its answer: nothing of this is known to anybody any more."""
        self._passed = None
        self.transaction.user = None
        return self.transaction

    def cancel(self, now: float) -> None:
        """The peer takes it back: so do we what we passed on."""
        if self._passed is not None:
            self._passed.cancel(now)


class OurChange:
    """A re-INVITE or UPDATE of ours: for `origin`, whose peer wants the session with `direction`; without one, to
    ask whether the peer is still there (RFC 4028). A `vital` one that the peer refuses costs the leg, for that cause.
    Its leg knows it until it is settled. Which method, says the peer's Allow; an UPDATE that changes nothing has no
    body (RFC 4028 7.4)."""

    __slots__ = (
        "_direction", "_invite", "_leg", "_lines", "_method", "_origin", "_tries", "_vital", "_wait", "cancelled",
    )  # fmt: skip

    def __init__(
        self, leg: Leg, origin: Leg | None, direction: str | None, now: float, limit_s: float = TIMEOUT,
        lines: str = "", vital: str = "",
    ) -> None:  # fmt: skip
        self._leg = leg
        self._origin = origin
        self._direction = direction
        self._lines = lines  # that the origin's own change had, and that may cross
        self._vital = vital
        self._method = "UPDATE" if leg.allows("UPDATE") else "INVITE"
        self._invite: SentInvite | None = None
        self._tries = 0
        self._wait: Timer | None = None
        self.cancelled = False
        leg.our_change = self
        try:
            self._send("", now)
        except SipError:  # no port
            leg.our_change = None
            raise
        leg.switch.layer.timers.set(limit_s, self, "limit", now)

    @property
    def offers(self) -> bool:
        """Whether an offer of ours is on its way (RFC 3261 14.2, RFC 3311 5.2): not while we wait after a 491."""
        return self._wait is None and (self._method == "INVITE" or self._direction is not None)

    def _send(self, authorization: str, now: float) -> None:
        leg = self._leg
        switch = leg.switch
        self._tries += 1
        body = ""
        if self._direction is not None:
            body = leg.audio.reoffer(self._direction)
        elif self._method == "INVITE":
            body = leg.audio.offer_again()
        headers = f"{leg.capabilities}{leg.session_lines()}{self._lines}{SDP if body else ''}"
        if self._method == "UPDATE":
            SentRequest(switch, leg.dialog, leg.login, "UPDATE", headers, body, self)
        else:
            hop = switch.next_hop(leg.dialog)
            self._invite = SentInvite(switch, leg.dialog, hop, authorization, headers, body, self, now)

    def cancel(self, now: float) -> None:
        """The peer took its own back, or waited too long. An UPDATE can't be cancelled."""
        self.cancelled = True
        if self._invite is not None:
            self._invite.cancel(now)
        elif self._wait is not None:
            self._refused(487, now)

    def stop(self) -> None:
        """The leg is over: nothing is sent again, and who waits for this waits no longer."""
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None
            self._leg.our_change = None
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.refuse_change(487, self._leg.switch.clock.now())

    def on_timer(self, kind: str, now: float) -> None:
        """There was no final response in time."""
        if self._leg.our_change is self:
            if self._origin is not None:
                self._origin.refuse_change(504, now)
            self.cancel(now)

    # --- what comes back --------------------------------------------------------------------------------------------

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            if self.cancelled:
                self.cancel(now)  # only now it may go out (9.1)
            return
        invite, self._invite = self._invite, None
        if response.status >= 300:
            if not self._again(response, now):
                self._refused(response.status, now)
            return
        leg = self._leg
        leg.our_change = None
        leg.hear(response, hop)
        if invite is not None:
            invite.transaction.user = acknowledge(leg.switch, leg.dialog, response, invite)
        if leg.call is None:  # hung up meanwhile
            return
        direction = ""
        if invite is not None or self._direction is not None:
            try:
                direction = leg.audio.accept(response.description.decode("utf-8", "replace"))
            except SipError:
                self._refused(488, now)
                return
        leg.session_agreed(response)
        leg.media_changed()
        origin = self._origin
        if origin is None:
            return
        if not self.cancelled:
            origin.answer_change(direction, now)
        elif origin.call is not None and origin.audio.direction != self._direction and leg.may_offer:
            OurChange(leg, None, origin.audio.direction, now)  # it was taken back too late: so take it back again

    def on_failure(self, status: int, now: float) -> None:
        self._invite = None
        self._refused(status, now, failed=True)

    def _again(self, response: Response, now: float) -> bool:
        """Send it once more, if the response says how."""
        leg, status = self._leg, response.status
        if leg.call is None or self.cancelled or self._tries >= MOST_TRIES:
            return False
        if status in (401, 407) and self._method == "INVITE" and leg.login is not None:
            offer = leg.audio.offer_again()
            cnonce, target = leg.switch.ids.token(), leg.dialog.remote_target
            line = credentials_for(response, leg.login, "INVITE", target, cnonce, offer.encode())
            if not line or self._tries > 1:
                return False
            self._send(line, now)
        elif status == 422 and min_se(response) > leg.min_session_s:
            leg.min_session_s = min_se(response)  # 7.3
            self._send("", now)
        elif status in (405, 501) and self._method == "UPDATE":
            leg.methods = frozenset((leg.methods or frozenset()) - {"UPDATE"})
            self._method = "INVITE"
            self._send("", now)
        elif status == 491 and self._tries == 1:
            leg.audio.offered = False
            self._wait = leg.switch.clock.after(_glare_delay_s(leg), self._after_glare)
        else:
            return False
        return True

    def _after_glare(self) -> None:
        leg = self._leg
        now = leg.switch.clock.now()
        free = leg.may_offer
        self._wait = None
        if free:
            self._send("", now)
        else:
            self._refused(491, now)

    def _refused(self, status: int, now: float, *, failed: bool = False) -> None:
        """14.1: the session goes on as it was; 12.2.1.2: unless the dialog is gone. The origin is not told what
        concerns us alone: a challenge, a redirection, the end of the dialog with the other side."""
        leg, origin = self._leg, self._origin
        leg.our_change = None
        leg.audio.offered = False
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None
        if origin is not None:
            ours = status < 400 or status in (401, 407, 408, 422, 481, 503)
            origin.refuse_change(488 if ours else status, now)
        if leg.call is None:
            return
        if status in (408, 481) or (failed and origin is None):
            leg.call.leg_lost(leg, "dialog gone" if status == 481 else "no answer")
        elif self._vital:
            leg.call.leg_lost(leg, self._vital)
        elif origin is None:
            leg.session_again()


def _glare_delay_s(leg: Leg) -> float:
    """14.1: who made the Call-ID waits longer, so that both do not try again together."""
    dice = int(leg.switch.ids.token()[:4], 16)
    return 2.1 + dice % 191 / 100 if leg.owns_call_id else dice % 201 / 100
