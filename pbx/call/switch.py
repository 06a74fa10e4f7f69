"""The switch: takes every request, knows every leg, makes calls (the transaction user of RFC 3261 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from config.schema import Destination, Site
from media.plane import MediaPlane, PortStats
from pbx.call import events, session_timer, sips
from pbx.call.call import Call
from pbx.call.capabilities import Capabilities
from pbx.call.clock import Clock
from pbx.call.ids import Ids
from pbx.call.leg import Leg
from pbx.call.loops import Loops
from pbx.call.options import RELIABLE, options_of
from pbx.call.origin import Origin
from pbx.call.reason import ELSEWHERE
from pbx.call.screening import Identity, Screening
from pbx.call.securing import means_of
from pbx.call.sent_request import SentRequest
from pbx.call.targets import Target, Targets
from pbx.routing.admission import ADMIT, Admission, Refuse
from pbx.routing.dial_plan import Caller, DialPlan, Route
from pbx.routing.guard import Verdict
from pbx.sdp.security import Means
from pbx.sip.address import uri_of
from pbx.sip.binding import gruu_instance
from pbx.sip.dialog import Dialog, Lead
from pbx.sip.errors import SipError
from pbx.sip.hop import WEB, Hop
from pbx.sip.message import Request, Response
from pbx.sip.registrar import Registrar
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.transaction_layer import TransactionLayer
from pbx.sip.uri import user_of
from pbx.transport.local import Local

INSIDE_ONLY = ("BYE", "PRACK", "UPDATE", "INFO")
DESCRIBES = ("INVITE", "PRACK", "UPDATE")  # what may have SDP
KNOWN_METHODS = frozenset(("INFO", "MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE", "UPDATE"))

Handler = Callable[[Call, str], None]
#: Serves a request outside a dialog; the sender has said who he is.
Service = Callable[[Request, ServerTransaction, Identity, float], None]
#: Serves a request inside the dialog of a leg that lives.
LegService = Callable[[Leg, Request, ServerTransaction, float], None]


class DialogUser(Protocol):
    """Whoever has a dialog: a leg, a subscription."""

    @property
    def dialog(self) -> Dialog: ...

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None: ...

    def on_ack(self, request: Request) -> None: ...


@dataclass(slots=True)
class Rules:
    """What a reload of the site file replaces: live calls keep what they have."""

    site: Site
    dial_plan: DialPlan
    targets: Targets
    screening: Screening
    registrar: Registrar


class Switch:
    """All dialogs, legs and calls. `handlers` serve the kinds of destination; `on_extension_legs(extension, legs)` is
    told how many live legs an extension has, direct calls included; `on_call(call)` of each new call before it is
    routed; `on_leg(leg)` whenever the phase of a leg has changed. Methods beyond INVITE's are added by `serve`."""

    def __init__(
        self, layer: TransactionLayer, local: Local, clock: Clock, plane: MediaPlane, admission: Admission,
        emit: Callable[[object], None], counters: Counter[str],
    ) -> None:  # fmt: skip
        self.layer = layer
        self.local = local
        self.clock = clock
        self.plane = plane
        self.admission = admission
        self.emit = emit
        self.counters = counters
        self.ids = Ids()
        self.loops = Loops(layer)
        self.handlers: dict[str, Handler] = {}
        self.on_extension_legs: Callable[[str, int], None] = lambda extension, legs: None
        self.lead: Lead = lambda uri: None  # where a URI of a peer leads; what is not known is looked up for next time
        self.resolve: Callable[[str, Callable[[tuple[Hop, ...]], None]], None] = lambda uri, then: then(())
        self.connected: Callable[[Hop], bool] = lambda hop: True  # whether a stream is there to be used again
        self.on_call: Callable[[Call], None] = lambda call: None
        self.judge: Callable[[Request, Hop, float], Verdict] = lambda request, hop, now: ADMIT  # the guard's
        self.on_leg: Callable[[Leg], None] = lambda leg: None
        self.on_standing: Callable[[Call], None] = lambda call: None  # what outlives the server is another than before
        self.on_revived: Callable[[Call], None] = lambda call: None  # one that did; who takes it is its controller
        self.meet_again: Callable[[str, bool, list[Call]], None] = lambda name, room, calls: None  # see `Rooms`
        self.on_hop_result: Callable[[Target, bool], None] = lambda target, ok: None  # `target.hop` answered, or failed
        self.focus: Callable[[str], Route | None] = lambda user: None  # where the URI of a conference leads
        self.capabilities = Capabilities()
        self.media_host = ""  # that the media plane is bound to; "": any
        self.inside: dict[str, LegService] = {}  # by method
        self._outside: dict[str, Service] = {}
        self._rules: Rules | None = None
        self._calls: dict[str, Call] = {}
        self._dialogs: dict[str, DialogUser] = {}  # by our tag
        self._legs = 0
        self._legs_of: dict[str, list[Leg]] = {}  # by extension
        self._reports = 0  # ended calls whose counters the media worker has yet to tell

    def configure(self, rules: Rules) -> None:
        self._rules = rules
        self.capabilities.configure(rules.site)

    def serve(self, method: str, outside: Service | None = None, inside: LegService | None = None) -> None:
        """Add a method to those that are served, outside dialogs, inside the dialogs of legs, or both."""
        if outside is not None:
            self._outside[method] = outside
        if inside is not None:
            self.inside[method] = inside
        self.capabilities.serve({*self._outside, *self.inside})

    @property
    def rules(self) -> Rules:
        assert self._rules is not None
        return self._rules

    def codecs_of(self, extension: str | None, trunk: str | None) -> tuple[str, ...]:
        """What may be spoken with a peer, best first: its own policy, or the site's."""
        site = self.rules.site
        own: tuple[str, ...] | None = None
        if extension is not None and extension in site.extensions:
            own = site.extensions[extension].codecs
        elif trunk is not None and trunk in site.trunks:
            own = site.trunks[trunk].codecs
        return own or site.media.codecs

    def dtmf_of(self, extension: str | None, trunk: str | None) -> str:
        """How keys go between us and a peer: auto, rfc4733, info, inband."""
        site = self.rules.site
        if extension is not None and extension in site.extensions:
            return site.extensions[extension].dtmf
        return site.trunks[trunk].dtmf if trunk is not None and trunk in site.trunks else "auto"

    def silence_of(self, extension: str | None, trunk: str | None) -> tuple[float | None, str]:
        """After how many seconds a peer that sends nothing counts as silent (None: never), and what happens then: `end`
        or `tell`. Its own policy, or the site's."""
        site = self.rules.site
        after_s: float | str | None = None
        what: str | None = None
        if extension is not None and extension in site.extensions:
            phone = site.extensions[extension]
            after_s, what = phone.silent_after_s, phone.on_silence
        elif trunk is not None and trunk in site.trunks:
            line = site.trunks[trunk]
            after_s, what = line.silent_after_s, line.on_silence
        what = what or site.media.on_silence
        if after_s is None:
            return site.media.silent_after_s, what
        return (None if isinstance(after_s, str) else after_s), what

    def means_of(self, extension: str | None, trunk: str | None, hop: Hop) -> Means:
        """How sound may be secured with a peer whose signalling goes this way."""
        return means_of(self.rules.site, extension, trunk, hop, self.plane.fingerprint)

    @property
    def targets(self) -> Targets:
        return self.rules.targets

    def calls(self) -> Iterable[Call]:
        return self._calls.values()

    def call(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    @property
    def dialogs(self) -> int:
        """Legs and subscriptions that are not over."""
        return len(self._dialogs)

    @property
    def live(self) -> int:
        """Calls that are not over."""
        return len(self._calls)

    @property
    def busy(self) -> int:
        """Calls, legs and reports that are not over: a drain waits for them."""
        return len(self._calls) + self._legs + self._reports

    def extension_legs(self, extension: str) -> int:
        return len(self._legs_of.get(extension, ()))

    # --- requests ---------------------------------------------------------------------------------------------------

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        """OPTIONS and what comes first of a phone, without credentials, are answered without a transaction (8.2.7,
        26.3.2.4): whoever repeats them gets the same answer, nothing is kept for a flood of them, and no forged address
        gets more than was sent in its name. So are those whom the guard turns away."""
        if request.to_tag is None or self._dialog_of(request) is None:
            verdict = self.judge(request, hop, now)
            if verdict is not ADMIT:
                if isinstance(verdict, Refuse):
                    tag, headers = self.ids.token(), verdict.headers
                    self.layer.reply(request, hop, verdict.status, via=via, to_tag=tag, headers=headers)
                return True
        if request.to_tag is not None:
            return False
        unknown = self._is_unknown(request, hop)
        if not (unknown or request.method == "OPTIONS") or self._refusal(request):
            return False
        if unknown:
            status, headers = self.rules.screening.challenge(hop, now)
        elif self.admission.draining:  # a proxy in front sends its calls elsewhere
            status, headers = 503, f"Retry-After: {self.retry_after_s()}\r\n"
        else:
            status, headers = 200, f"{self.capabilities.lines()}{self.capabilities.events}Accept: application/sdp\r\n"
        self.layer.reply(request, hop, status, via=via, to_tag=self.ids.token(), headers=headers)
        return True

    def _is_unknown(self, request: Request, hop: Hop) -> bool:
        """Whether this is for those only who say who they are, and the sender has not tried."""
        if request.get("Authorization") is not None:
            return False
        if request.method == "REGISTER":
            return True
        asked = request.method == "INVITE" or request.method in self._outside
        return asked and self.rules.screening.trunk_of(request, hop) is None

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        refusal = self._refusal(request)
        if refusal is not None:
            status, headers = refusal
            self.counters[f"sip_refused_{status}"] += 1
            once = request.to_tag is None
            transaction.respond(status, now, to_tag=self.ids.token(), headers=headers, once=once)
        elif request.to_tag is not None:
            user = self._dialog_of(request)
            if user is None:
                transaction.respond(481, now)
            else:
                user.on_request(request, transaction, now)
        elif request.method == "INVITE":
            self._on_invite(request, transaction, now)
        elif request.method == "REGISTER":
            reply = self.rules.registrar.register(request, transaction.source, now)
            transaction.respond(reply.status, now, to_tag=self.ids.token(), reason=reply.reason, headers=reply.headers)
        elif request.method in INSIDE_ONLY:
            transaction.respond(481, now, to_tag=self.ids.token())
        elif (serve := self._outside.get(request.method)) is not None:
            identity = self._identify(request, transaction, now)
            if identity is not None:
                serve(request, transaction, identity, now)
        else:
            known = request.method in KNOWN_METHODS
            headers = f"Allow: {self.capabilities.allow}\r\n"
            transaction.respond(405 if known else 501, now, to_tag=self.ids.token(), headers=headers)

    def _identify(self, request: Request, transaction: ServerTransaction, now: float) -> Identity | None:
        """Who sends this; None when the answer has been given: a challenge or a refusal."""
        identity = self.rules.screening.identify(request, transaction.source, now)
        if isinstance(identity, Identity):
            return identity
        status, headers = identity
        transaction.respond(status, now, to_tag=self.ids.token(), headers=headers, once=True)
        return None

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """What is wrong with any request (8.2.2, 8.2.3): status and headers."""
        scheme = request.uri.partition(":")[0].lower()
        if scheme not in ("sip", "sips", "tel"):
            return 416, ""
        required = request.get("Require")
        if required is not None and request.method != "REGISTER":  # the registrar knows some of them
            unknown = options_of(request, "Require") - self.capabilities.required
            if unknown:
                return 420, f"Unsupported: {', '.join(sorted(unknown))}\r\n"
        if request.body and request.method in DESCRIBES:
            described = request.description and request.get("Content-Type") is not None
            if not described or (request.get("Content-Encoding") or "identity").lower() != "identity":
                return 415, "Accept: application/sdp\r\nAccept-Encoding: identity\r\n"
        if request.method == "INVITE" and request.get("Accept") is not None and not _takes_sdp(request.all("Accept")):
            return 406, ""
        if request.method in ("INVITE", "UPDATE"):
            too_brief = session_timer.too_brief(request, self.rules.site.calls.session_timer)
            if too_brief:
                return 422, too_brief
        return None

    def on_ack(self, request: Request, hop: Hop, now: float) -> None:
        user = self._dialog_of(request)
        if user is None:
            self.counters["sip_acks_unmatched"] += 1
        else:
            user.on_ack(request)

    def dialog(self, local_tag: str) -> DialogUser | None:
        """Whoever has the dialog with this tag of ours."""
        return self._dialogs.get(local_tag)

    def _dialog_of(self, request: Request) -> DialogUser | None:
        user = self._dialogs.get(request.to_tag or "")
        return user if user is not None and user.dialog.belongs(request) else None

    # --- a new call -------------------------------------------------------------------------------------------------

    def _on_invite(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        identity = self._identify(request, transaction, now)
        if identity is None:
            return
        forwards = int(request.get("Max-Forwards") or 70)
        new = Origin(
            identity.number, identity.display_name, identity.dialled or user_of(request.uri), identity.trunk,
            identity.extension, forwards - 1, sips.is_sips(request.uri), gruu_instance(request.uri),
        )  # fmt: skip
        if forwards < 1:
            self._refuse(transaction, new, 483, "too many hops", now)
            return
        reliable = self.capabilities.reliable(new.extension, new.trunk)
        if reliable == "off" and RELIABLE in options_of(request, "Require"):
            self._refuse(transaction, new, 420, "no 100rel here", now, f"Unsupported: {RELIABLE}\r\n")
            return
        if new.is_sips and not transaction.source.secure:
            self._refuse(transaction, new, 480, "sips without TLS", now, sips.NOT_ALLOWED)
            return
        ways = self.loops.ways(request)
        if (new.trunk, new.extension, new.dialled) in ways:
            self._refuse(transaction, new, 482, "loop", now)
            return
        caller = Caller("trunk", new.trunk) if new.trunk else Caller("extension", new.extension or "")
        replaces = request.get("Replaces")
        if replaces is not None:  # RFC 3891: whom it is for follows from that
            route: Route | None = Route(Destination("replaces", replaces), new.dialled, None, "Replaces")
        else:
            route = self.resolve_number(caller, new.dialled)
        if route is None:
            self._refuse(transaction, new, 404, f"nothing at {new.dialled}", now)
            return
        verdict = self.admission.admit(new.trunk, new.extension, now)
        if isinstance(verdict, Refuse):
            self._refuse(transaction, new, verdict.status, verdict.reason, now, verdict.headers)
            return
        try:
            call = Call(self, new, request, transaction)
        except SipError as error:
            self.admission.leave()
            if new.trunk is not None:
                self.admission.free(new.trunk)
            self._refuse(transaction, new, error.status or 488, error.reason, now, error.warning)
            return
        if ways:
            self.loops.returned(call.id, ways)
        if route.dial is not None:
            call.dialled = route.dial
        elif route.destination.kind == "trunk":
            call.dialled = route.number
        if route.destination.kind == "trunk" and new.trunk is None:
            call.direction = "outbound"
        call.destination = route.destination
        self.add(call.caller)
        try:
            self.begin(call, now)
            call.route(route.destination)
        except Exception:
            call.refuse(500, "fault")  # of ours: the call must not stay for ever
            raise

    def resolve_number(self, caller: Caller, number: str) -> Route | None:
        """Where a call to a number goes, or a phone's call to a conference that goes on."""
        route = self.rules.dial_plan.resolve(caller, number)
        return self.focus(number) if route is None and caller.kind == "extension" else route

    def begin(self, call: Call, now: float) -> None:
        """A call that was admitted is there from now on; where it goes is known."""
        self._calls[call.id] = call
        self.emit(
            events.CallStarted(
                now, call.id, call.direction, call.from_number, call.to_number, call.trunk, str(call.destination),
                call.caller.dialog.call_id,
            )
        )  # fmt: skip
        self.on_call(call)

    def _refuse(
        self, transaction: ServerTransaction, new: Origin, status: int, reason: str, now: float, headers: str = ""
    ) -> None:
        self.counters[f"calls_refused_{status}"] += 1
        transaction.respond(status, now, to_tag=self.ids.token(), headers=headers)
        self.emit(events.CallRefused(now, new.number, new.dialled, str(transaction.source), status, reason))

    def lose(self, call_id: str, now: float) -> None:
        """A call of the last server that can't go on."""
        self.emit(events.CallEnded(now, call_id, "server stopped", 200, 0, 0, 0, 0.0))

    def take_up(self, call: Call, legs: Sequence[Leg]) -> None:
        """A call of the last server, and those who are in it: nobody asks whether they may."""
        self._calls[call.id] = call
        self.admission.enter([leg.trunk for leg in legs if leg.trunk is not None])
        for leg in legs:
            self.add(leg)
        self.on_call(call)

    def handle(self, call: Call, destination: Destination) -> None:
        """Give a call to whoever serves this kind of destination."""
        if destination.kind == "refuse":
            call.refuse(int(destination.name), "refused by the dial plan")
            return
        handler = self.handlers.get(destination.kind)
        if handler is None:
            self.counters["calls_without_handler"] += 1
            call.refuse(500, f"nothing serves {destination}")
        else:
            handler(call, destination.name)

    # --- what calls and legs ask for --------------------------------------------------------------------------------

    def via(self, hop: Hop, branch: str) -> str:
        """Of a request of ours. RFC 5923: by TCP and TLS the peer may call us back on the same connection. A site that
        listens by TLS has a certificate, and shows it to whom it calls."""
        alias = ";alias" if hop.transport in ("tcp", "tls") and self.local.listeners.get(hop.transport) else ""
        return f"SIP/2.0/{hop.transport.upper()} {self.local.sent_by(hop)};branch={branch};rport{alias}"

    def next_hop(self, dialog: Dialog) -> Hop:
        """Where the next request of a dialog goes; to be asked before it is written."""
        if ";gr=" in dialog.remote_target:
            dialog.remote_target = self.targets.contact_of(dialog.remote_target, self.clock.now())
        hop = dialog.next_hop(connected=self.connected(dialog.hop), lead=self.lead)
        return dialog.hop if dialog.hop.secure and not hop.secure and sips.is_sips(dialog.contact[1:]) else hop

    def contact(self, hop: Hop, uri: str = "") -> str:
        """Our Contact towards a peer. `uri` is the Request-URI between us: SIPS is answered with SIPS (RFC 3261
        8.1.1.8, 12.1.1); `ws` stands for both kinds of websocket (RFC 7118 5.2)."""
        transport = "ws" if hop.transport in WEB else hop.transport
        if sips.is_sips(uri):
            return f"<sips:plateau@{self.local.sent_by(hop)}{';transport=ws' if transport == 'ws' else ''}>"
        parameter = "" if transport == "udp" else f";transport={transport}"
        return f"<sip:plateau@{self.local.sent_by(hop)}{parameter}>"

    def host_for(self, hop: Hop) -> str:
        """The address to write into SDP for this peer."""
        return self.local.address(hop)

    def hears(self, hop: Hop) -> bool:
        """Whether what a peer of its address family sends could reach a port of the media plane."""
        return self.media_host in ("", "::") or (":" in self.media_host) == (":" in hop.host)

    def retry_after_s(self) -> int:
        """Seconds to put in Retry-After of a 503; spread, so that refused callers don't return together."""
        return 1 + int(self.ids.token()[:2], 16) % 10

    def add(self, user: DialogUser) -> None:
        """Requests in this dialog go to `user` from now on."""
        self._dialogs[user.dialog.local_tag] = user
        if isinstance(user, Leg):
            self._legs += 1
            if user.extension is not None:
                legs = self._legs_of.setdefault(user.extension, [])
                legs.append(user)
                self.on_extension_legs(user.extension, len(legs))
            self.on_leg(user)

    def leg_freed(self, leg: Leg) -> None:
        """A leg no longer occupies its phone or trunk."""
        if leg.extension is not None:
            legs = self._legs_of[leg.extension]
            legs.remove(leg)
            if not legs:
                del self._legs_of[leg.extension]
            self.on_extension_legs(leg.extension, len(legs))
        if leg.trunk is not None:
            self.admission.free(leg.trunk)
        self.on_leg(leg)

    def forget(self, user: DialogUser) -> None:
        """The dialog is over."""
        if self._dialogs.pop(user.dialog.local_tag, None) is not None and isinstance(user, Leg):
            self._legs -= 1

    def legs_of(self, extension: str) -> list[Leg]:
        """The live legs of a phone."""
        return list(self._legs_of.get(extension, ()))

    def call_ended(self, call: Call, report: Callable[[PortStats], None]) -> None:
        """The call is over: give its port back and report when the counters are here."""
        del self._calls[call.id]
        self.on_standing(call)
        self.loops.ended(call.id)
        self.admission.leave()
        self._reports += 1

        def done(stats: PortStats) -> None:
            self._reports -= 1
            report(stats)

        if call.caller.call not in (None, call):  # it moved to another call, where its counters will be told
            done(PortStats())
        else:
            call.caller.free(done)

    def end_fork(self, response: Response, hop: Hop, now: float) -> None:
        """A second 2xx to one INVITE, from another phone behind a proxy: acknowledge and hang up (13.2.2.4)."""
        self.counters["sip_second_answers"] += 1
        dialog = Dialog(
            response.call_id, response.get("From") or "", "", "", None, uri_of(response.get("To") or ""),
            self.contact(hop), hop, local_cseq=response.cseq,
        )  # fmt: skip
        dialog.establish(response, hop)
        next_hop = self.next_hop(dialog)
        self.layer.send(dialog.request("ACK", response.cseq, self.via(next_hop, self.ids.branch())), next_hop)
        SentRequest(self, dialog, None, "BYE", f"Reason: {ELSEWHERE}\r\n")


def _takes_sdp(accept: list[str]) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for line in accept for kind in line.split(",")]
    return any(kind in ("application/sdp", "application/*", "*/*") for kind in kinds)
