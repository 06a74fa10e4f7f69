"""A called side: our INVITE to one phone, and all that may come of it (RFC 3261 9.1, 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.credentials import credentials_for
from pbx.call.leg import SDP, Leg
from pbx.call.sent_invite import SentInvite
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.switch import Switch
    from pbx.call.targets import Target

TRYING, RINGING, ANSWERED, DROPPED, ENDED = "trying", "ringing", "answered", "dropped", "ended"


class CalledLeg(Leg):
    """One INVITE we sent. TRYING -> RINGING -> ANSWERED; DROPPED: we want it gone and wait for its final response."""

    __slots__ = ("_challenged", "_invite", "_offer", "state", "target")

    def __init__(self, switch: Switch, call: Call, attempt: Attempt, target: Target, max_forwards: int) -> None:
        tag = switch.ids.token()
        hop = target.hop
        dialog = Dialog(
            call_id=switch.ids.token(),
            local=f"{target.caller}@{switch.local.sent_by(hop)}>;tag={tag}",
            remote=f"<{target.uri}>",
            local_tag=tag,
            remote_tag=None,
            remote_target=target.uri,
            contact=switch.contact(hop),
            hop=hop,
            route_set=target.route,
            max_forwards=max_forwards,
        )
        super().__init__(switch, call, attempt.number, dialog, target.extension, target.trunk)
        self.attempt = attempt
        self.target = target
        self.state = TRYING
        self._offer = ""
        self._challenged = False
        self._invite: SentInvite | None = None

    @property
    def login(self) -> tuple[str, str] | None:
        return self.target.login

    def _phase(self) -> str:
        return {TRYING: "trying", RINGING: "early", ANSWERED: "confirmed"}.get(self.state, "terminated")

    def invite(self, prefer: tuple[str, ...], now: float) -> None:
        """Send the INVITE; `prefer` are the codecs that the caller has, best first. Raises SipError without a port."""
        self._offer = self.audio.offer(prefer)
        assert self.audio.port is not None
        self.audio.port.on_lost = self._media_lost
        self._send_invite("", now)

    def _send_invite(self, authorization: str, now: float) -> None:
        headers = f"{authorization}{self.target.headers}Allow: {self.switch.allow}\r\n{SDP}"
        self._invite = SentInvite(self.switch, self.dialog, self.target.hop, headers, self._offer, self, now)

    # --- what comes back --------------------------------------------------------------------------------------------

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if self.state in (TRYING, RINGING, DROPPED):  # 15: the called side has no dialog to end before its 2xx
            transaction.respond(481, now)
        else:
            super().on_request(request, transaction, now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            self._on_provisional(response, now)
        elif response.status < 300:
            self._on_success(response, hop, now)
        elif self._answer_challenge(response, now):
            return
        else:
            self._on_refusal(response.status, response.reason, now)

    def _on_provisional(self, response: Response, now: float) -> None:
        if self.state == DROPPED:
            assert self._invite is not None
            self._invite.cancel(now)
        elif self.state == TRYING and response.status > 100:
            self.state = RINGING
            self.switch.on_leg(self)
            if self.attempt is not None:
                self.attempt.leg_ringing()

    def _on_success(self, response: Response, hop: Hop, now: float) -> None:
        invite, self._invite = self._invite, None
        assert invite is not None
        self.dialog.establish(response, hop)
        invite.transaction.user = self.acknowledge(response, invite.cseq)
        self.confirmed = True
        if self.state == DROPPED:  # our CANCEL crossed the 200: the call stands and must be hung up (9.1, 15)
            self.switch.counters["sip_cancel_crossed_200"] += 1
            self._finish()
            self._send_bye()
            return
        self.state = ANSWERED
        try:
            self.audio.accept(response.body.decode("utf-8", "replace"))
        except SipError as error:
            attempt = self.attempt
            self._finish()
            self._send_bye()
            if attempt is not None:
                attempt.leg_failed(self, 488, error.reason)
            return
        self.switch.on_leg(self)
        if self.attempt is not None:
            self.attempt.leg_answered(self)

    def _answer_challenge(self, response: Response, now: float) -> bool:
        """A trunk asks for our credentials (22.2): once."""
        login = self.target.login
        if login is None or self._challenged or self.state == DROPPED:
            return False
        cnonce = self.switch.ids.token()
        line = credentials_for(response, login, "INVITE", self.target.uri, cnonce, self._offer.encode())
        if not line:
            return False
        self._challenged = True
        self._send_invite(line, now)
        return True

    def _on_refusal(self, status: int, reason: str, now: float) -> None:
        attempt = self.attempt
        self._finish()
        self.switch.forget(self)
        if attempt is not None:
            attempt.leg_failed(self, status, reason)

    def on_failure(self, status: int, now: float) -> None:
        self._on_refusal(status, "no response" if status == 408 else "unreachable", now)

    # --- what we want -----------------------------------------------------------------------------------------------

    def drop(self, now: float) -> None:
        """CANCEL if it rings, BYE if it answered (9.1, 15). The attempt hears no more of this leg."""
        self.attempt = None
        state = self.state
        if state == ANSWERED:
            self._finish()
            self.end()
        elif state in (TRYING, RINGING):
            self.call = None
            self.state = DROPPED
            self.free()
            if self._invite is not None:
                self._invite.cancel(now)

    def _media_lost(self) -> None:
        """The media worker died, and the port that this phone was offered is gone: its answer could not be heard."""
        self.switch.counters["legs_media_lost"] += 1
        attempt = self.attempt
        if self.state == ANSWERED and self.call is not None:
            self.call.leg_lost(self, "media lost")
        elif attempt is not None:
            self.drop(self.switch.clock.now())
            attempt.leg_failed(self, 503, "media lost")

    def _finish(self) -> None:
        self.attempt = None
        self._invite = None
        self.state = ENDED
        self.free()

    def unsent(self) -> None:
        """No INVITE could be sent."""
        self.switch.forget(self)
        self.over()

    def over(self) -> None:
        """The peer hung up, or is lost: nothing more to send."""
        self._finish()
        self.call = None
