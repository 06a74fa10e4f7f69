"""What the caller's and the called legs share: a dialog after its 200, and its end (RFC 3261 12, 14, 15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from media.plane import MediaPort, PortStats
from pbx.call import events, hold, info, session_timer
from pbx.call.audio import Audio
from pbx.call.final_response import FinalResponse
from pbx.call.options import methods_of
from pbx.call.quality import told_at_end
from pbx.call.reanchor import LOST, Reanchor
from pbx.call.reason import CLEARED, EXPIRED, SILENT, reason_of
from pbx.call.sent_request import SentRequest
from pbx.call.session_change import SDP, OurChange, PeerChange
from pbx.call.session_timer import SessionWatch
from pbx.routing.tolls import Bill
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.switch import Switch


MEDIA_TIMEOUT: Final = "media timeout"


class Party(NamedTuple):
    """Who is at the other end of a leg."""

    name: str
    number: str


class Leg:
    """One dialog and its audio. `call` is None once the leg has ended. `extension` is whose phone it is, `trunk` the
    trunk on which it holds a place. `held`: its peer holds the call. Which side began the dialog matters no more once
    it stands."""

    __slots__ = (
        "_final", "_freed", "_peer_change", "_session", "attempt", "audio", "bill", "call", "confirmed", "dialog",
        "extension", "headers", "held", "methods", "min_session_s", "number", "our_change", "party", "refers",
        "reliable", "switch", "trunk",
    )  # fmt: skip
    owns_call_id: ClassVar[bool] = False

    def __init__(
        self, switch: Switch, call: Call, number: int, dialog: Dialog, extension: str | None, trunk: str | None
    ) -> None:
        self.switch = switch
        self.call: Call | None = call
        self.attempt: Attempt | None = None  # that it is called for, or won; None: it is the caller
        self.number = number
        self.party = Party("", "")
        self.headers: Sequence[tuple[str, str]] = ()  # of its INVITE to us
        self.refers = 0  # how often its peer has sent REFER (RFC 3515 2.4.6)
        self.dialog = dialog
        self.extension = extension
        self.trunk = trunk
        self.bill: Bill | None = None  # what it costs us
        self.reliable = switch.capabilities.reliable(extension, trunk)
        codecs, tag = switch.codecs_of(extension, trunk), dialog.local_tag.encode()
        means = switch.means_of(extension, trunk, dialog.hop)
        self.audio = Audio(switch.plane, switch.host_for(dialog.hop), codecs, switch.ids.number(), tag, means)
        self.audio.dtmf = switch.dtmf_of(extension, trunk)
        self.audio.on_lost = self.media_lost
        self.audio.on_silent = self.media_silent
        self.audio.near = self._near
        silent_after_s, _ = switch.silence_of(extension, trunk)
        self.audio.silent_after_ms = None if silent_after_s is None else round(silent_after_s * 1000)
        self.audio.on_secure = self._secured
        self.confirmed = False  # the ACK of our 200, or our ACK of theirs, has passed
        self.held = False
        self.methods: frozenset[str] | None = None  # that the peer allows; None: it did not say
        self.min_session_s = switch.rules.site.calls.session_timer.min_s  # that the peer and its proxies bear
        self.our_change: OurChange | None = None  # a re-INVITE or UPDATE of ours that has no final response yet
        self._freed = False
        self._final: FinalResponse | None = None  # our 200, until its ACK comes
        self._peer_change: PeerChange | None = None  # a re-INVITE or UPDATE of the peer that waits for the other side
        self._session: SessionWatch | None = None

    @property
    def phase(self) -> str:
        """RFC 4235 3.7.1: "trying", "early", "confirmed" or "terminated"."""
        return "terminated" if self._freed else self._phase()

    def _near(self) -> MediaPort | None:
        """The port of another leg of the call."""
        return None if self.call is None else self.call.port_beside(self)

    def _phase(self) -> str:
        raise NotImplementedError

    def free(self, on_stats: Callable[[PortStats], None] | None = None) -> None:
        """Give back the port, the phone and the place on the trunk, once; `on_stats` is told the port's counters."""
        self.audio.release(told_at_end(self) if on_stats is None else on_stats)
        if not self._freed:
            self._freed = True
            self._stop()
            if self.bill is not None:
                self.switch.targets.tolls.ended(self.bill, self.switch.clock.now())
            self.switch.leg_freed(self)

    def _stop(self) -> None:
        """Nothing more is done of our own accord."""
        if self._session is not None:
            self._session.stop()
            self._session = None
        if self.our_change is not None:
            self.our_change.stop()

    @property
    def login(self) -> tuple[str, str] | None:
        """What we answer with when the peer asks who we are."""
        return None

    @property
    def capabilities(self) -> str:
        """The header lines that tell the peer what we can do."""
        return self.switch.capabilities.lines(self.reliable)

    def passes(self, headers: Sequence[tuple[str, str]], to: Leg, *, user_to_user: bool = False) -> str:
        """The header lines of a message of this peer that another leg's peer gets with what is sent for it."""
        policy = self.switch.targets.policy
        return policy.crossing(headers, self._side, to._side, user_to_user=user_to_user)

    @property
    def _side(self) -> str | None:
        """A trunk, "" for a phone, None for who is neither."""
        return self.trunk or (None if self.extension is None else "")

    @property
    def partner(self) -> Leg | None:
        """The leg that hears this one."""
        return None if self.call is None else self.call.partner_of(self)

    def allows(self, method: str) -> bool:
        """Whether the peer says that it takes a method."""
        return self.methods is not None and method in self.methods

    def hear(self, message: Request | Response, hop: Hop) -> None:
        """A target refresh (12.2), and what the peer can do."""
        self.dialog.refresh(message, hop)
        self.can(methods_of(message))

    def can(self, methods: frozenset[str] | None) -> None:
        """What the peer says that it allows; None if it says nothing."""
        self.methods = methods or self.methods
        self.audio.takes_info = self.allows("INFO")

    def _secured(self, secure: bool) -> None:
        """The keys of its sound are there; or they never will be, and it may not be heard in the clear."""
        if not secure and self.call is not None:
            self.switch.counters["calls_insecure"] += 1
            self.call.leg_lost(self, "media not secured")

    # --- 2xx until ACK ----------------------------------------------------------------------------------------------

    def send_final(self, transaction: ServerTransaction, headers: str, body: str, now: float) -> None:
        """Send 200 to an INVITE and repeat it until the ACK comes."""
        request, hop = transaction.request, transaction.hop
        assert request is not None
        lines, agreed = session_timer.accept(request, self.switch.rules.site.calls.session_timer)
        headers = f"Contact: {self.dialog.contact}\r\n{self.capabilities}{lines}{headers}{SDP if body else ''}"
        data = transaction.respond(200, now, to_tag=self.dialog.local_tag, headers=headers, body=body)
        self.confirmed = False
        self.dialog.hop = hop
        self._acknowledged()
        self._final = FinalResponse(self, data, hop, request.cseq, now)
        self.watch(agreed)

    def _acknowledged(self) -> str:
        """Our 200 is repeated no more; returns the reason that a leg ended with meanwhile."""
        final, self._final = self._final, None
        if final is None:
            return ""
        final.stop()
        return final.reason

    def unacknowledged(self) -> None:
        """No ACK for 64*T1 (13.3.1.4): the dialog is confirmed, but the session SHOULD be terminated."""
        reason = self._acknowledged()
        self.confirmed = True
        if self.call is None:
            self._send_bye(reason)
        else:
            self.call.leg_lost(self, "no ACK")

    def on_ack(self, request: Request) -> None:
        if self._final is None or request.cseq != self._final.cseq:
            return
        reason = self._acknowledged()
        self.confirmed = True
        if self.call is not None:
            self.switch.on_standing(self.call)
        if self.call is None:
            self._send_bye(reason)
        elif self.audio.offered and (request.description or self.audio.codec is None):  # else it stays as it was
            try:
                self.audio.accept(request.description.decode("utf-8", "replace"))
            except SipError:
                self.call.leg_lost(self, "bad SDP in ACK")
                return
            self.media_changed()
        else:
            self.audio.offered = False

    # --- requests inside the dialog ---------------------------------------------------------------------------------

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        method = request.method
        if not self.dialog.accepts(request):
            transaction.respond(500, now, reason="CSeq out of order")  # 12.2.2
        elif method == "BYE":
            transaction.respond(200, now)
            self._on_bye(request, now)
        elif self.call is None:
            transaction.respond(481, now)
        elif method in ("INVITE", "UPDATE"):
            self._on_change(request, transaction, now)
        elif method == "INFO":
            info.serve(self, request, transaction, now)
        elif method == "PRACK":
            self._on_prack(request, transaction, now)
        elif method == "OPTIONS":
            events = self.switch.capabilities.events
            transaction.respond(200, now, headers=f"{self.capabilities}{events}Accept: application/sdp\r\n")
        elif (serve := self.switch.inside.get(method)) is not None:
            serve(self, request, transaction, now)
        else:
            transaction.respond(405, now, headers=f"Allow: {self.switch.capabilities.allow}\r\n")

    def _on_bye(self, request: Request, now: float) -> None:
        self.confirmed = True  # who hangs up needs our 200 no more, should its ACK be lost
        self._acknowledged()
        self.refuse_change(487, now)
        call = self.call
        if call is None:
            self.switch.forget(self)
            return
        call.reason = reason_of(request)  # for whoever is hung up because of this
        call.parting = (self, request.headers)
        call.leg_hung_up(self)
        call.reason, call.parting = "", None

    def _on_prack(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        transaction.respond(481, now)  # RFC 3262 3: it matches nothing

    def _on_change(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A re-INVITE (14.2) or UPDATE (RFC 3311 5.2): refused when it meets another one."""
        offers = bool(request.description) or request.method == "INVITE"
        if offers and (self._peer_change is not None or not self.settled):
            transaction.respond(500, now, headers=f"Retry-After: {self.switch.retry_after_s()}\r\n")
            return
        ours = self.our_change is not None and self.our_change.offers
        if offers and (ours or self.audio.offered or (request.method == "INVITE" and not self.confirmed)):
            transaction.respond(491, now)
            return
        self.hear(request, transaction.hop)
        if request.description:
            self._on_offer(request, transaction, now)
        elif request.method == "UPDATE":
            self._answer(transaction, "", now)
        else:
            try:
                self._answer(transaction, self.audio.reoffer(), now)
            except SipError as error:
                transaction.respond(error.status or 488, now, headers=error.warning)

    @property
    def settled(self) -> bool:
        """The first offer has its answer: another one may be made."""
        return True

    def _on_offer(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Pass on that the peer wants to hold or resume, if the site says so; else answer it here."""
        offer = request.description.decode("utf-8", "replace")
        try:
            direction = self.audio.direction_of(offer)
            partner = self.partner
            changes = direction != "sendrecv" or self.audio.direction != "sendrecv"
            if changes and partner is not None and partner.may_offer and hold.passed(self):
                self._peer_change = change = PeerChange(transaction, offer)
                if request.method == "INVITE":
                    transaction.user = self
                lines = self.passes(request.headers, partner)
                change.passed_as(OurChange(partner, self, direction, now, change.limit_s, lines))
            else:
                self._answer(transaction, self.audio.reanswer(offer), now)
        except SipError as error:
            self._settle_change()
            transaction.respond(error.status or 488, now, headers=error.warning)

    def answer_change(self, direction: str, now: float) -> None:
        """The other side took what we passed on, and answered with `direction`: answer our peer."""
        change = self._peer_change
        if change is None:
            return
        try:
            body = self.audio.reanswer(change.offer, direction or "sendrecv")
        except SipError as error:
            self.refuse_change(error.status or 488, now)
            return
        self._answer(self._settle_change() or change.transaction, body, now)

    def _answer(self, transaction: ServerTransaction, body: str, now: float) -> None:
        request = transaction.request
        assert request is not None
        if request.method == "INVITE":
            self.send_final(transaction, "", body, now)
        else:
            lines, agreed = session_timer.accept(request, self.switch.rules.site.calls.session_timer)
            headers = f"Contact: {self.dialog.contact}\r\n{self.capabilities}{lines}{SDP if body else ''}"
            transaction.respond(200, now, headers=headers, body=body)
            self.watch(agreed)
        self.media_changed()

    def _settle_change(self) -> ServerTransaction | None:
        change, self._peer_change = self._peer_change, None
        return None if change is None else change.settle()

    def refuse_change(self, status: int, now: float) -> None:
        """Refuse the peer's pending re-INVITE or UPDATE; the session goes on as it was (14.2)."""
        transaction = self._settle_change()
        if transaction is not None:
            transaction.respond(status, now)

    def on_cancel(self, request: Request, now: float) -> None:
        """The peer cancels its pending re-INVITE: so do we what we passed on."""
        change = self._peer_change
        if change is not None:
            self._peer_change = None
            change.cancel(now)
            change.settle().respond(487, now)

    # --- the session ------------------------------------------------------------------------------------------------

    @property
    def may_offer(self) -> bool:
        """Whether a re-INVITE or UPDATE of ours could leave now."""
        idle = self.our_change is None or not self.our_change.offers
        return self.call is not None and self.confirmed and idle and self._peer_change is None

    def media_changed(self) -> None:
        """The peer holds, or does not any more: the other side hears music, or the peer again."""
        if self.call is not None:
            self.switch.on_standing(self.call)
        if self.audio.held != self.held:
            self.held = self.audio.held
            hold.again(self)

    def media_lost(self) -> None:
        """The media worker died, and our port with it."""
        if self.call is None:
            return
        if self.phase == "confirmed":
            Reanchor(self)
        else:  # what was promised before the answer can't be kept
            self.switch.counters["legs_media_lost"] += 1
            self.call.leg_lost(self, LOST)

    def media_silent(self) -> None:
        """The peer has sent neither sound nor RTCP for `silent_after_s`."""
        if self.call is None or self.phase != "confirmed":
            return
        after_s, what = self.switch.silence_of(self.extension, self.trunk)
        self.switch.counters["legs_silent"] += 1
        self.switch.emit(events.LegSilent(self.switch.clock.now(), self.call.id, self.number, after_s or 0.0))
        if what == "end":
            self.call.leg_lost(self, MEDIA_TIMEOUT, reason=SILENT)

    def session_lines(self) -> str:
        """The session timer's part of an INVITE or UPDATE of ours."""
        return session_timer.propose(self.switch.rules.site.calls.session_timer, self.min_session_s, self.agreed)

    def session_agreed(self, response: Response) -> None:
        """A 2xx to an INVITE or UPDATE of ours."""
        policy = self.switch.rules.site.calls.session_timer
        self.watch(session_timer.agreed_by(response, policy, self.min_session_s))

    def session_again(self) -> None:
        """The peer refused a refresh, but it lives, or none could be sent: soon again."""
        if self._session is not None and self._session.agreed.ours:
            self._session.again(self.switch.clock, self)

    @property
    def agreed(self) -> session_timer.Agreed | None:
        """The session timer that runs."""
        return None if self._session is None else self._session.agreed

    def watch(self, agreed: session_timer.Agreed | None) -> None:
        """A session timer was agreed on: none, or another than before."""
        if self._session is not None:
            self._session.stop()
        self._session = None if agreed is None or self._freed else SessionWatch(self.switch.clock, self, agreed)

    def session_due(self) -> None:
        """It is time to ask the peer whether it is there, or it has not asked us (RFC 4028 7.2, 10)."""
        call, session = self.call, self._session
        if call is None or session is None:
            return
        if not session.agreed.ours:
            self.switch.counters["sip_sessions_expired"] += 1
            call.reason = EXPIRED
            call.leg_lost(self, "session expired")
            call.reason = ""
        elif self.may_offer and self.our_change is None:
            OurChange(self, None, None, self.switch.clock.now())
        else:
            self.session_again()

    # --- keys -------------------------------------------------------------------------------------------------------

    def send_key(self, key: str, duration_ms: int) -> None:
        """Press a key for the peer: as RFC 4733 events, as tones, or by INFO."""
        if self.audio.takes_keys and self.audio.port is not None:
            self.switch.plane.send_digit(self.audio.port, key, duration_ms)
        elif self.keys_by_info:
            info.send_key(self, key, duration_ms)

    @property
    def keys_by_info(self) -> bool:
        """Keys go to the peer by INFO."""
        wanted = self.audio.dtmf
        return not self.audio.takes_keys and (wanted == "info" or (wanted == "auto" and self.allows("INFO")))

    # --- requests we send -------------------------------------------------------------------------------------------

    def _send_bye(self, reason: str = "", lines: str = "") -> None:
        SentRequest(self.switch, self.dialog, self.login, "BYE", f"Reason: {reason or CLEARED}\r\n{lines}")
        self.switch.forget(self)

    def drop(self, now: float, reason: str = "") -> None:
        """Hang up and give back what the leg holds; nobody hears more of it."""
        self.attempt = None
        self.free()
        self.end(reason)

    def unheard(self) -> None:
        """Nobody is told of its keys, or of the end of what it hears."""
        port = self.audio.port
        if port is not None:
            port.on_digit = port.on_played = None

    def over(self) -> None:
        """The peer hung up, or is lost: nothing more to send."""
        self.attempt = None
        self.call = None
        self.free()

    def end(self, reason: str = "") -> None:
        """Hang up: BYE at once, or when the ACK of our 200 has come (RFC 3261 15). The port is released by the call."""
        self.refuse_change(487, self.switch.clock.now())
        self._stop()
        lines = ""
        if self.call is not None:
            reason = reason or self.call.reason
            if self.call.parting is not None:
                by, headers = self.call.parting
                lines = by.passes(headers, self, user_to_user=True)
        self.call = None
        if self.confirmed:
            self._send_bye(reason, lines)
        elif self._final is not None:
            self._final.reason = reason
