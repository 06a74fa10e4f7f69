"""MESSAGE from one phone to another (RFC 3428): relayed, never kept, answered when a phone has taken it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.call import sips
from pbx.call.leg import Leg
from pbx.call.screening import Identity
from pbx.routing.dial_plan import Caller
from pbx.routing.header_policy import caller_of
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import user_of

if TYPE_CHECKING:
    from pbx.call.switch import Switch
    from pbx.routing.location import Device, Location

MOST_BYTES: Final = 16_384  # of text; a picture belongs elsewhere
FLOW_GONE: Final = (430, 503)  # RFC 5626 11.5, RFC 3263 4.3; 503 is told of a connection that is lost, too
PASSED: Final = ("Content-Type", "Content-Disposition", "Content-Language", "Subject", "Date", "Priority")


class MessageRelay:
    """Finds the phones of who is addressed. `serve` takes a MESSAGE outside a dialog, `serve_inside` one in a call.
    Who is no extension takes none: 405."""

    def __init__(self, switch: Switch, location: Location) -> None:
        self._switch = switch
        self._location = location

    def serve(self, request: Request, transaction: ServerTransaction, identity: Identity, now: float) -> None:
        switch = self._switch
        caller = Caller("trunk", identity.trunk) if identity.trunk else Caller("extension", identity.extension or "")
        route = switch.rules.dial_plan.resolve(caller, user_of(request.uri))
        refusal = self._refusal(request) or (404 if route is None else 0)
        devices: list[Device] = []
        if route is not None and not refusal:
            secure, name = sips.is_sips(request.uri), route.destination.name
            if route.destination.kind == "extension":
                flows = [_usable(device, secure) for device in self._location.devices(name, now)]
                devices = [one for one in flows if one]
                refusal = 0 if devices else 480
            else:
                refusal = int(name) if route.destination.kind == "refuse" else 405
        if refusal:
            switch.counters[f"messages_refused_{refusal}"] += 1
            methods = switch.capabilities.allow.replace(", MESSAGE", "")
            headers = f"Allow: {methods}\r\n" if refusal == 405 else ""
            transaction.respond(refusal, now, to_tag=switch.ids.token(), headers=headers)
            return
        origin = caller_of(identity.display_name, identity.number)
        lines = switch.targets.policy.crossing(request.headers, identity.trunk or "", "", user_to_user=False)
        relayed = _Relayed(switch, transaction, len(devices))
        for device in devices:
            _ToDevice(relayed, request, origin, lines, device).send(now)

    def serve_inside(self, leg: Leg, request: Request, transaction: ServerTransaction, now: float) -> None:
        """To whom the sender talks with."""
        switch = self._switch
        partner = leg.call.partner_of(leg) if leg.call is not None else None
        refusal = self._refusal(request) or (0 if partner is not None and partner.confirmed else 480)
        if refusal or partner is None:
            switch.counters[f"messages_refused_{refusal}"] += 1
            transaction.respond(refusal, now)
            return
        hop, branch = switch.next_hop(partner.dialog), switch.ids.branch()
        head = partner.dialog.request("MESSAGE", partner.dialog.next_cseq(), switch.via(hop, branch))
        lines = leg.passes(request.headers, partner)
        data = _with_body(head.decode("utf-8", "surrogateescape").partition("Content-Length:")[0] + lines, request)
        switch.layer.request(data, branch, "MESSAGE", hop, _Relayed(switch, transaction, 1), now)

    @staticmethod
    def _refusal(request: Request) -> int:
        """The status that refuses it for its form; 0: none does."""
        if len(request.body) > MOST_BYTES:
            return 413
        if request.body and request.get("Content-Type") is None:
            return 400
        if int(request.get("Max-Forwards") or 70) < 1:
            return 483
        return 0


class _Relayed:
    """Answers the sender: with the first 2xx of the phones, else with the best refusal."""

    __slots__ = ("_best", "_left", "_transaction", "switch")

    def __init__(self, switch: Switch, transaction: ServerTransaction, phones: int) -> None:
        self.switch = switch
        self._transaction: ServerTransaction | None = transaction
        self._left = phones
        self._best = 480

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if 200 <= response.status < 300:
            self._answer(response.status, now)
        elif response.status >= 300:
            self.on_failure(response.status, now)

    def on_failure(self, status: int, now: float) -> None:
        self._left -= 1
        if 400 <= status < 500 and status not in (401, 407, 408, 430):  # those are between the phone and us
            self._best = status
        if not self._left:
            self._answer(self._best, now)

    def _answer(self, status: int, now: float) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self.switch.counters["messages_relayed" if status < 300 else f"messages_refused_{status}"] += 1
            transaction.respond(status, now, to_tag=self.switch.ids.token())


class _ToDevice:
    """One device: by its newest flow, and by the next when that one is gone (RFC 5626 6). One that says nothing is not
    given up for another: by then the sender has heard a 408 of his own."""

    __slots__ = ("_flows", "_lines", "_origin", "_relayed", "_request")

    def __init__(self, relayed: _Relayed, request: Request, origin: str, lines: str, flows: Device) -> None:
        self._relayed = relayed
        self._request = request
        self._origin = origin
        self._lines = lines
        self._flows = flows

    def send(self, now: float) -> None:
        flow, self._flows = self._flows[0], self._flows[1:]
        switch, request = self._relayed.switch, self._request
        branch = switch.ids.branch()
        routes = "".join(f"Route: {route}\r\n" for route in flow.path)
        head = (
            f"MESSAGE {flow.request_uri} SIP/2.0\r\nVia: {switch.via(flow.hop, branch)}\r\n"
            f"Max-Forwards: {int(request.get('Max-Forwards') or 70) - 1}\r\n"
            f"From: {self._origin}@{switch.local.sent_by(flow.hop)}>;tag={switch.ids.token()}\r\n"
            f"To: <{flow.request_uri}>\r\nCall-ID: {switch.ids.token()}\r\nCSeq: 1 MESSAGE\r\n{routes}{self._lines}"
        )
        switch.layer.request(_with_body(head, request), branch, "MESSAGE", flow.hop, self, now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status in FLOW_GONE:
            self.on_failure(response.status, now)
        else:
            self._relayed.on_response(response, hop, now)

    def on_failure(self, status: int, now: float) -> None:
        if self._flows and status in FLOW_GONE:
            self.send(now)
        else:
            self._relayed.on_failure(status, now)


def _usable(flows: Device, secure: bool) -> Device:
    """Those that what is addressed by a SIPS URI may take (RFC 5630)."""
    return tuple([one for one in flows if one.hop.secure or not (secure or sips.is_sips(one.request_uri))])


def _with_body(head: str, request: Request) -> bytes:
    """A request of ours with the body of another, octet by octet."""
    lines = "".join(f"{name}: {value}\r\n" for name in PASSED for value in request.all(name)[:1])
    text = f"{head}{lines}Content-Length: {len(request.body)}\r\n\r\n"
    return text.encode("utf-8", "surrogateescape") + request.body
