"""The switch: takes every request, knows every leg, makes calls (the transaction user of RFC 3261 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from config.schema import Destination, Site
from media.plane import MediaPlane, PortStats
from pbx.call import events
from pbx.call.call import Call, Origin
from pbx.call.called_leg import CalledLeg
from pbx.call.clock import Clock
from pbx.call.ids import Ids
from pbx.call.leg import ALLOW, Leg
from pbx.call.screening import Screening
from pbx.call.sent_bye import SentBye
from pbx.call.targets import Target, Targets
from pbx.routing.admission import Admission, Refuse
from pbx.routing.dial_plan import Caller, DialPlan
from pbx.sip.address import uri_of
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.registrar import Registrar
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.transaction_layer import TransactionLayer
from pbx.sip.uri import user_of
from pbx.transport.local import Local

KNOWN_METHODS = frozenset(
    ("INFO", "MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE", "UPDATE")
)  # known, but not served outside or inside a dialog

Handler = Callable[[Call, str], None]


@dataclass(slots=True)
class Rules:
    """What a reload of the site file replaces: live calls keep what they have."""

    site: Site
    dial_plan: DialPlan
    targets: Targets
    screening: Screening
    registrar: Registrar


class Switch:
    """All legs and calls. `handlers` serve the kinds of destination; `on_extension_legs(extension, legs)` is told how
    many live legs an extension has, direct calls included; `on_call(call)` of each new call before it is routed."""

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
        self.handlers: dict[str, Handler] = {}
        self.on_extension_legs: Callable[[str, int], None] = lambda extension, legs: None
        self.connected: Callable[[Hop], bool] = lambda hop: True  # whether a stream is there to be used again
        self.on_call: Callable[[Call], None] = lambda call: None
        self._rules: Rules | None = None
        self._calls: dict[str, Call] = {}
        self._legs: dict[str, Leg] = {}  # by our tag
        self._extension_legs: Counter[str] = Counter()
        self._reports = 0  # ended calls whose counters the media worker has yet to tell

    def configure(self, rules: Rules) -> None:
        self._rules = rules

    @property
    def rules(self) -> Rules:
        assert self._rules is not None
        return self._rules

    @property
    def codecs(self) -> tuple[str, ...]:
        return self.rules.site.media.codecs

    @property
    def targets(self) -> Targets:
        return self.rules.targets

    def calls(self) -> Iterable[Call]:
        return self._calls.values()

    def call(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    @property
    def live(self) -> int:
        """Calls that are not over."""
        return len(self._calls)

    @property
    def busy(self) -> int:
        """Calls, legs and reports that are not over: a drain waits for them."""
        return len(self._calls) + len(self._legs) + self._reports

    def extension_legs(self, extension: str) -> int:
        return self._extension_legs[extension]

    # --- requests ---------------------------------------------------------------------------------------------------

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        """OPTIONS and the first REGISTER of a phone are answered without a transaction (8.2.7): whoever repeats them
        gets the same answer, and nothing is kept for a flood of them."""
        login = request.method == "REGISTER" and request.get("Authorization") is None
        if not (login or request.method == "OPTIONS") or request.to_tag is not None or self._refusal(request):
            return False
        if login:
            status, headers = self.rules.screening.challenge(now)
        elif self.admission.draining:  # a proxy in front sends its calls elsewhere
            status, headers = 503, f"Retry-After: {self.retry_after_s()}\r\n"
        else:
            status, headers = 200, f"Allow: {ALLOW}\r\nAccept: application/sdp\r\n"
        self.layer.reply(request, hop, status, via=via, to_tag=self.ids.token(), headers=headers)
        return True

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        refusal = self._refusal(request)
        if refusal is not None:
            status, headers = refusal
            self.counters[f"sip_refused_{status}"] += 1
            transaction.respond(status, now, to_tag=self.ids.token(), headers=headers)
        elif request.to_tag is not None:
            leg = self._leg_of(request)
            if leg is None:
                transaction.respond(481, now)
            else:
                leg.on_request(request, transaction, now)
        elif request.method == "INVITE":
            self._on_invite(request, transaction, now)
        elif request.method == "REGISTER":
            reply = self.rules.registrar.register(request, transaction.source, now)
            transaction.respond(reply.status, now, to_tag=self.ids.token(), reason=reply.reason, headers=reply.headers)
        elif request.method == "BYE":
            transaction.respond(481, now, to_tag=self.ids.token())
        else:
            known = request.method in KNOWN_METHODS
            transaction.respond(405 if known else 501, now, to_tag=self.ids.token(), headers=f"Allow: {ALLOW}\r\n")

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """What is wrong with any request (8.2.2, 8.2.3): status and headers."""
        scheme = request.uri.partition(":")[0].lower()
        if scheme not in ("sip", "sips", "tel"):
            return 416, ""
        if (required := request.get("Require")) is not None:
            return 420, f"Unsupported: {required}\r\n"
        if request.body and request.method == "INVITE":
            kind = (request.get("Content-Type") or "").partition(";")[0].strip().lower()
            if kind != "application/sdp" or (request.get("Content-Encoding") or "identity").lower() != "identity":
                return 415, "Accept: application/sdp\r\nAccept-Encoding: identity\r\n"
        if request.method == "INVITE" and request.get("Accept") is not None and not _takes_sdp(request.all("Accept")):
            return 406, ""
        return None

    def on_ack(self, request: Request, hop: Hop, now: float) -> None:
        leg = self._leg_of(request)
        if leg is None:
            self.counters["sip_acks_unmatched"] += 1
        else:
            leg.on_ack(request)

    def _leg_of(self, request: Request) -> Leg | None:
        leg = self._legs.get(request.to_tag or "")
        return leg if leg is not None and leg.dialog.belongs(request) else None

    # --- a new call -------------------------------------------------------------------------------------------------

    def _on_invite(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        identity = self.rules.screening.identify(request, transaction.source, now)
        if isinstance(identity, tuple):
            status, headers = identity
            transaction.respond(status, now, to_tag=self.ids.token(), headers=headers)
            return
        forwards = int(request.get("Max-Forwards") or 70)
        new = Origin(
            identity.number, identity.display_name, user_of(request.uri), identity.trunk, identity.extension,
            forwards - 1,
        )  # fmt: skip
        if forwards < 1:
            self._refuse(transaction, new, 483, "too many hops", now)
            return
        caller = Caller("trunk", new.trunk) if new.trunk else Caller("extension", new.extension or "")
        route = self.rules.dial_plan.resolve(caller, new.dialled)
        if route is None:
            self._refuse(transaction, new, 404, f"nothing at {new.dialled}", now)
            return
        verdict = self.admission.admit(new.trunk)
        if isinstance(verdict, Refuse):
            retry = f"Retry-After: {verdict.retry_after_s}\r\n" if verdict.retry_after_s else ""
            self._refuse(transaction, new, verdict.status, verdict.reason, now, retry)
            return
        try:
            call = Call(self, request, transaction, new)
        except SipError as error:
            self.admission.leave(new.trunk)
            self._refuse(transaction, new, error.status or 488, error.reason, now)
            return
        if route.dial is not None:
            call.dialled = route.dial
        elif route.destination.kind == "trunk":
            call.dialled = route.number
        if route.destination.kind == "trunk" and new.trunk is None:
            call.direction = "outbound"
        self._start(call, route.destination, now)

    def _start(self, call: Call, destination: Destination, now: float) -> None:
        self._calls[call.id] = call
        self._legs[call.caller.dialog.local_tag] = call.caller
        if call.caller.extension is not None:
            self._count_legs(call.caller.extension, 1)
        self.emit(
            events.CallStarted(
                now, call.id, call.direction, call.from_number, call.to_number, call.trunk, str(destination),
                call.caller.dialog.call_id,
            )
        )  # fmt: skip
        try:
            self.on_call(call)
            call.route(destination)
        except Exception:
            call.refuse(500, "fault")  # of ours: the call must not stay for ever
            raise

    def _refuse(
        self, transaction: ServerTransaction, new: Origin, status: int, reason: str, now: float, headers: str = ""
    ) -> None:
        self.counters[f"calls_refused_{status}"] += 1
        transaction.respond(status, now, to_tag=self.ids.token(), headers=headers)
        self.emit(events.CallRefused(now, new.number, new.dialled, str(transaction.source), status, reason))

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
        return f"SIP/2.0/{hop.transport.upper()} {self.local.sent_by(hop)};branch={branch};rport"

    def next_hop(self, dialog: Dialog) -> Hop:
        return dialog.next_hop(connected=self.connected(dialog.hop))

    def contact(self, hop: Hop) -> str:
        transport = "" if hop.transport == "udp" else f";transport={hop.transport}"
        return f"<sip:plateau@{self.local.sent_by(hop)}{transport}>"

    def host_for(self, hop: Hop) -> str:
        """The address to write into SDP for this peer."""
        return self.local.sent_by(hop).rpartition(":")[0].strip("[]")

    def retry_after_s(self) -> int:
        """Seconds to put in Retry-After of a 503; spread, so that refused callers don't return together."""
        return 1 + int(self.ids.token()[:2], 16) % 10

    def add_called(self, leg: CalledLeg, target: Target) -> None:
        self._legs[leg.dialog.local_tag] = leg
        if target.extension is not None:
            self._count_legs(target.extension, 1)

    def leg_free(self, target: Target) -> None:
        """A called leg no longer occupies its phone or trunk."""
        if target.extension is not None:
            self._count_legs(target.extension, -1)
        if target.trunk is not None:
            self.admission.free(target.trunk)

    def forget_leg(self, leg: Leg) -> None:
        self._legs.pop(leg.dialog.local_tag, None)

    def _count_legs(self, extension: str, change: int) -> None:
        legs = self._extension_legs[extension] + change
        if legs:
            self._extension_legs[extension] = legs
        else:
            del self._extension_legs[extension]
        self.on_extension_legs(extension, legs)

    def call_ended(self, call: Call, report: Callable[[PortStats], None]) -> None:
        """The call is over: give its port back and report when the counters are here."""
        del self._calls[call.id]
        self.admission.leave(call.trunk)
        if call.caller.extension is not None:
            self._count_legs(call.caller.extension, -1)
        self._reports += 1

        def done(stats: PortStats) -> None:
            self._reports -= 1
            report(stats)

        call.caller.audio.release(done)

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
        SentBye(self, dialog, None)


def _takes_sdp(accept: list[str]) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for line in accept for kind in line.split(",")]
    return any(kind in ("application/sdp", "application/*", "*/*") for kind in kinds)
