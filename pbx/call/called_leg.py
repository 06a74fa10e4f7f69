"""A called side: our INVITE to one phone, and all that may come of it (RFC 3261 9.1, 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pbx.call import sips
from pbx.call.caller_leg import CallerLeg
from pbx.call.credentials import credentials_for
from pbx.call.early_dialog import MOST, EarlyDialog
from pbx.call.hop_limit import HopLimit
from pbx.call.leg import Leg
from pbx.call.options import RELIABLE
from pbx.call.reanchor import LOST
from pbx.call.sent_invite import SentInvite, acknowledge
from pbx.call.session_change import SDP
from pbx.call.session_timer import min_se
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

_REQUIRED = f"Require: {RELIABLE}\r\n"
TRYING, RINGING, ANSWERED, DROPPED, ENDED = "trying", "ringing", "answered", "dropped", "ended"
_MOST_INVITES = 8  # of one leg, over all hops, after which nothing that a peer asks for is given
_HOP_FAILED = (430, 503)  # RFC 5626 11.5: a phone's flow is gone; RFC 3263 4.3: overloaded


class CalledLeg(Leg):
    """One INVITE we sent. TRYING -> RINGING -> ANSWERED; DROPPED: we want it gone and wait for its final response."""

    __slots__ = ("_challenged", "_early", "_heard", "_invite", "_offer", "_prefer", "_told", "state", "target")
    owns_call_id: ClassVar[bool] = True

    def __init__(self, switch: Switch, call: Call, attempt: Attempt, target: Target, max_forwards: int) -> None:
        target = _heard_from(switch, target) or target
        dialog = _dialog(switch, target, switch.ids.token(), switch.ids.token(), max_forwards)
        super().__init__(switch, call, attempt.number, dialog, target.extension, target.trunk)
        self.attempt = attempt
        self.target = target
        self.bill = target.bill
        self.state = TRYING
        self._offer = ""
        self._prefer: tuple[str, ...] = ()  # the codecs to offer
        self._challenged = False  # whether the INVITE has our credentials
        self._told = False  # whether the next hop is known to answer
        self._invite: SentInvite | None = None
        self._early: dict[str, EarlyDialog] | None = None  # by the phone's tag, until one of them answers
        self._heard: EarlyDialog | None = None  # whose early media comes to our port

    @property
    def login(self) -> tuple[str, str] | None:
        return self.target.login

    @property
    def rings(self) -> SentInvite | None:
        """The INVITE that has no final response yet, and is wanted."""
        return self._invite if self.state in (TRYING, RINGING) else None

    def _phase(self) -> str:
        return {TRYING: "trying", RINGING: "early", ANSWERED: "confirmed"}.get(self.state, "terminated")

    def invite(self, prefer: tuple[str, ...], now: float) -> None:
        """Send the INVITE; `prefer` are the codecs that the caller has, best first. Raises SipError without a port, or
        an address for it that the peer could send to."""
        if not self.switch.hears(self.target.hop):
            raise SipError("no media address of its family", 488)
        self._prefer = prefer
        self._offer = self.audio.offer(prefer)
        self._send_invite("", now)

    def _send_invite(self, authorization: str, now: float) -> None:
        self._challenged = bool(authorization)
        required = _REQUIRED if self.reliable == "required" else ""
        headers = f"{self.target.headers}{self.capabilities}{self.session_lines()}{required}{SDP}"
        self._invite = SentInvite(
            self.switch, self.dialog, self.target.hop, authorization, headers, self._offer, self, now
        )
        self._kept()
        if self.target.try_s and not self._told and self.target.after_failure() is not None:
            HopLimit(self, self._invite, now)

    # --- what comes back --------------------------------------------------------------------------------------------

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if self.state not in (TRYING, RINGING, DROPPED):
            super().on_request(request, transaction, now)
            return
        early = (self._early or {}).get(request.from_tag or "")
        if early is None or request.method != "UPDATE" or self.state == DROPPED:
            transaction.respond(481, now)  # 15: the called side has no dialog to end before its 2xx
        else:
            self._on_early_update(early, request, transaction, now)

    def _on_early_update(
        self, early: EarlyDialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        """RFC 3311 5.2: an offer only after the answer to ours has come reliably."""
        if not early.dialog.accepts(request) or (request.description and not early.settled):
            transaction.respond(500, now, headers=f"Retry-After: {self.switch.retry_after_s()}\r\n")
            return
        early.dialog.refresh(request, transaction.hop)
        try:
            body = self.audio.reanswer(request.description.decode("utf-8", "replace")) if request.description else ""
        except SipError as error:
            transaction.respond(error.status or 488, now, headers=error.warning)
            return
        headers = f"Contact: {self.dialog.contact}\r\n{self.capabilities}{SDP if body else ''}"
        transaction.respond(200, now, headers=headers, body=body)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        status = response.status
        self._tell(status != 503)
        if status < 200:
            self._on_provisional(response, hop, now)
        elif status < 300:
            self._on_success(response, hop, now)
        elif self._answer_challenge(response, now) or (status in _HOP_FAILED and self._next_hop(now)):
            return
        else:
            if status < 400 and self.attempt is not None:
                self.attempt.redirected(response.values("Contact"))
            self._on_refusal(status, response.reason, now)

    def _tell(self, ok: bool) -> None:
        """Once for each hop, so that its health is learnt from calls."""
        if not self._told:
            self._told = True
            self.switch.on_hop_result(self.target, ok)

    def _on_provisional(self, response: Response, hop: Hop, now: float) -> None:
        if self.state == DROPPED:
            assert self._invite is not None
            self._invite.cancel(now)
            return
        if response.status == 100:
            return
        self._tell_caller(response)
        early = self._early_dialog(response, hop)
        if early is not None:
            if not early.hear(self, response):
                return
            if response.description and response.description != early.described:
                self._hear_early(early, response.description)
        if self.state == TRYING:
            self.state = RINGING
            self.switch.on_leg(self)
            if self.attempt is not None:
                self.attempt.leg_ringing()

    def _tell_caller(self, response: Response) -> None:
        """What of a response's headers crosses with the next one of ours to the caller."""
        if self.call is not None and isinstance(self.call.caller, CallerLeg):
            self.call.caller.called_says = self.passes(response.headers, self.call.caller, user_to_user=True)

    def _early_dialog(self, response: Response, hop: Hop) -> EarlyDialog | None:
        """The one that a response belongs to; None for one that just rings."""
        tag = response.to_tag or ""
        known = self._early.get(tag) if self._early is not None else None
        if known is not None or not EarlyDialog.needed(response):
            return known
        if self._early is None:
            self._early = {}
        if len(self._early) >= MOST:
            self.switch.counters["sip_early_dialogs_refused"] += 1
            return None
        self._early[tag] = early = EarlyDialog(self.dialog, response, hop)
        return early

    def _hear_early(self, early: EarlyDialog, body: bytes) -> None:
        """What a phone sends before it answers, of several the one that spoke last."""
        try:
            self.audio.accept(body.decode("utf-8", "replace"))
        except SipError:
            self.switch.counters["early_media_unusable"] += 1
            return
        early.described = body
        self._heard = early
        if self.attempt is not None:
            self.attempt.leg_early_media(self)

    def _on_success(self, response: Response, hop: Hop, now: float) -> None:
        invite, self._invite = self._invite, None
        assert invite is not None
        self._offer = ""
        early = (self._early or {}).get(response.to_tag or "")
        self.dialog.establish(response, hop)
        self.hear(response, hop)
        if early is not None:  # 12.2: CSeqs go on from where they were
            self.dialog.remote_cseq = early.dialog.remote_cseq
            self.dialog.local_cseq = max(self.dialog.local_cseq, early.dialog.local_cseq)
        invite.transaction.user = acknowledge(self.switch, self.dialog, response, invite)
        self.confirmed = True
        if self.state == DROPPED:  # our CANCEL crossed the 200: the call stands and must be hung up (9.1, 15)
            self.switch.counters["sip_cancel_crossed_200"] += 1
            self._finish()
            self._send_bye(invite.reason)
            return
        self.state = ANSWERED
        if self.bill is not None:
            self.switch.targets.tolls.answered(self.bill, now)
        try:
            self._take_answer(early, response.description)
        except SipError as error:
            attempt = self.attempt
            self._finish()
            self._send_bye()
            if attempt is not None:
                attempt.leg_failed(self, 488, error.reason)
            return
        self.session_agreed(response)
        self._tell_caller(response)
        self.switch.on_leg(self)
        self._kept()
        if self.attempt is not None:
            self.attempt.leg_answered(self)

    def _take_answer(self, early: EarlyDialog | None, body: bytes) -> None:
        """The answer to our offer: of the 2xx, unless it came reliably before or was said before (RFC 6337 3.1)."""
        heard, self._heard, self._early = self._heard, None, None
        if early is not None and (early.settled or not body):
            body = early.described
        if early is None or early is not heard or body != early.described:
            self.audio.accept(body.decode("utf-8", "replace"))
        else:
            self.audio.answered()
        self.held = self.audio.held

    def _answer_challenge(self, response: Response, now: float) -> bool:
        """A trunk asks for our credentials (22.2), or a peer for a longer session interval (RFC 4028 7.3), and each
        proxy on the way may do so."""
        if self.state == DROPPED or self.dialog.local_cseq >= _MOST_INVITES:
            return False
        if response.status == 422 and self.min_session_s < min_se(response):
            self.min_session_s = min_se(response)
            self._send_invite("", now)
            return True
        login = self.target.login
        if login is None or self._challenged:
            return False
        cnonce = self.switch.ids.token()
        line = credentials_for(response, login, "INVITE", self.target.uri, cnonce, self._offer.encode())
        if not line:
            return False
        self._send_invite(line, now)
        return True

    def _on_refusal(self, status: int, reason: str, now: float) -> None:
        attempt = self.attempt
        self._finish()
        self.switch.forget(self)
        if attempt is not None:
            attempt.leg_failed(self, status, reason)

    def on_failure(self, status: int, now: float) -> None:
        self._tell(False)
        if not self._next_hop(now):
            self._on_refusal(status, "no response" if status == 408 else "unreachable", now)

    def give_up_hop(self, invite: SentInvite, now: float) -> bool:
        """The hop has said nothing to `invite` for too long: True if another is tried in its place."""
        if invite is not self._invite or self.state != TRYING or self._told:
            return False
        self._tell(False)
        return self._next_hop(now)

    def _next_hop(self, now: float) -> bool:
        """The same INVITE to the next hop, when this one can't be reached or is overloaded (RFC 3263 4.3)."""
        after = self.target.after_failure() if self.state == TRYING else None
        target = None if after is None else _heard_from(self.switch, after)
        if target is None:
            return False
        self.target = target
        self._told = False
        old = self.dialog
        self.dialog = _dialog(self.switch, target, old.local_tag, old.call_id, old.max_forwards)
        self.dialog.local_cseq = old.local_cseq - 1
        host = self.switch.host_for(target.hop)
        if host != self.audio.host or target.hop.transport != old.hop.transport:
            self.audio.host = host  # by another interface, of the other family perhaps, or no longer encrypted
            self.audio.secure_by(self.switch.means_of(target.extension, target.trunk, target.hop))
            try:
                self._offer = self.audio.offer(self._prefer)
            except SipError:  # not this way
                return False
        self._send_invite("", now)
        return True

    # --- what we want -----------------------------------------------------------------------------------------------

    def drop(self, now: float, reason: str = "") -> None:
        """CANCEL if it rings, BYE if it answered (9.1, 15), with a Reason (RFC 3326) if there is one to tell. The
        attempt hears no more of this leg."""
        self.attempt = None
        state = self.state
        if state == ANSWERED:
            self._finish()
            self.end(reason)
        elif state in (TRYING, RINGING):
            if self.call is not None:
                reason = reason or self.call.reason
            self._kept()
            self.call = None
            self.state = DROPPED
            self.free()
            self._heard = self._early = None
            if self._invite is not None:
                self._invite.cancel(now, reason)

    def media_lost(self) -> None:
        """The port that a phone which rings was offered is gone: its answer could not be heard."""
        attempt = self.attempt
        if self.state not in (TRYING, RINGING) or attempt is None:
            super().media_lost()
            return
        self.switch.counters["legs_media_lost"] += 1
        self.drop(self.switch.clock.now())
        attempt.leg_failed(self, 503, LOST)

    def _kept(self) -> None:
        """The next server has another INVITE to let go of."""
        if self.call is not None:
            self.switch.on_standing(self.call)

    def _finish(self) -> None:
        self._kept()
        self.attempt = None
        self._invite = None
        self._heard = self._early = None
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


def _heard_from(switch: Switch, target: Target) -> Target | None:
    """The first hop of a target whose sound could reach us; None if there is none."""
    found: Target | None = target
    while found is not None and not switch.hears(found.hop):
        switch.counters["hops_without_media_address"] += 1
        found = found.after_failure()
    return found


def _dialog(switch: Switch, target: Target, tag: str, call_id: str, max_forwards: int) -> Dialog:
    """The dialog that an INVITE to `target` asks for."""
    hop = target.hop
    return Dialog(
        call_id=call_id,
        local=f"{target.caller}@{target.from_host or switch.local.sent_by(hop)}>;tag={tag}",
        remote=f"<{target.uri}>",
        local_tag=tag,
        remote_tag=None,
        remote_target=target.uri,
        contact=switch.contact(hop, sips.asks_of(target)),
        hop=hop,
        route_set=target.route,
        max_forwards=max_forwards,
    )
