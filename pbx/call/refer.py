"""REFER: a phone transfers (RFC 3515, 3892, 4488, 4538, 5589), and is told how that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.schema import Destination
from pbx.call import transfer
from pbx.call.leg import Leg
from pbx.call.replaces import Replaces
from pbx.call.screening import Identity
from pbx.call.sent_request import SentRequest
from pbx.routing.dial_plan import Caller
from pbx.sip.address import Address
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.grammar import unescape
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import Uri

if TYPE_CHECKING:
    from pbx.call.switch import Switch

#: What a party may be given to: not what acts in the name of who dials.
GIVEN_TO: Final = frozenset(("extension", "group", "ivr", "number", "park", "queue", "trunk", "uri"))


class Progress:
    """The subscription that a REFER makes (RFC 3515 2.4.4): a NOTIFY for each step, until the last or until the peer
    knows nothing of it any more."""

    __slots__ = ("_dialog", "_event", "_last", "_login", "_switch", "over")

    def __init__(self, switch: Switch, dialog: Dialog, login: tuple[str, str] | None, event: str) -> None:
        self._switch = switch
        self._dialog = dialog
        self._login = login
        self._event = event
        self._last = 0
        self.over = False

    def tell(self, status: int, reason: str) -> None:
        if self.over or status == self._last:
            return
        self._last = status
        self.over = status >= 200
        state = "terminated;reason=noresource" if self.over else "active;expires=180"
        headers = (
            f"Contact: {self._dialog.contact}\r\nEvent: {self._event}\r\nSubscription-State: {state}\r\n"
            "Content-Type: message/sipfrag;version=2.0\r\n"
        )
        text = "".join(c for c in reason if c.isprintable())
        SentRequest(self._switch, self._dialog, self._login, "NOTIFY", headers, f"SIP/2.0 {status} {text}\r\n", self)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status in (481, 408):
            self.over = True

    def on_failure(self, status: int, now: float) -> None:
        self.over = True


class _Untold:
    """Who wants no NOTIFY (RFC 4488)."""

    def tell(self, status: int, reason: str) -> None: ...


class _Refused(Exception):
    """The REFER is answered with this."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Refers:
    """Serves REFER, inside the dialog of a call and, with Target-Dialog, outside."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        switch.serve("REFER", self.outside, self.inside)

    def inside(self, leg: Leg, request: Request, transaction: ServerTransaction, now: float) -> None:
        event = "refer" if not leg.refers else f"refer;id={request.cseq}"  # 3515 2.4.6
        leg.refers += 1
        hears = Progress(self._switch, leg.dialog, leg.login, event)
        self._serve(leg, request, transaction, hears, "", now)

    def outside(self, request: Request, transaction: ServerTransaction, identity: Identity, now: float) -> None:
        """RFC 4538: the call is named, and its user has said who he is."""
        switch = self._switch
        tag = switch.ids.token()
        leg = self._target_dialog(request, identity)
        if leg is None:
            switch.counters["refers_refused_403"] += 1
            transaction.respond(403, now, to_tag=tag)
            return
        dialog = Dialog.of_request(request, tag, switch.contact(transaction.hop), transaction.hop)
        self._serve(leg, request, transaction, Progress(switch, dialog, None, "refer"), tag, now)

    def _target_dialog(self, request: Request, identity: Identity) -> Leg | None:
        try:
            named = Replaces.parse(request.get("Target-Dialog") or "", "local-tag", "remote-tag")
        except SipError:
            return None
        leg = named.find(self._switch)
        own = leg is not None and leg.extension is not None and leg.extension == identity.extension
        return leg if own else None

    def _serve(
        self, leg: Leg, request: Request, transaction: ServerTransaction, progress: Progress, tag: str, now: float
    ) -> None:
        switch = self._switch
        try:
            uri = self._refer_to(request)
            self._check(leg, request)
            replaces = [unescape(value) for name, value in uri.headers if name.lower() == "replaces"]
            other = Replaces.parse(replaces[0]) if replaces else None
            destination, dialled = (Destination("refuse", "481"), "") if other else self._destination(leg, uri)
        except (_Refused, SipError) as error:
            status = error.status or 400
            switch.counters[f"refers_refused_{status}"] += 1
            transaction.respond(status, now, to_tag=tag or None)
            return
        silent = (request.get("Refer-Sub") or "").strip().lower().startswith("false")
        lines = "Refer-Sub: false\r\n" if silent else ""
        contact = f"Contact: {switch.contact(transaction.hop)}\r\n"
        transaction.respond(202, now, to_tag=tag or None, headers=contact + lines)
        hears: transfer.Hears = _Untold() if silent else progress
        if other is None:
            transfer.blind(leg, destination, dialled, hears)
            return
        target = other.find(switch)
        if target is None or target.call is None or target.call is leg.call:
            hears.tell(481, "no such call")
        elif target.extension != leg.extension or target.trunk != leg.trunk:
            hears.tell(603, "another's call")
        elif target.call.errand is not None:
            hears.tell(491, "Request Pending")
        elif target is not target.call.caller and target.phase != "confirmed":  # 3891 3: only who began it may
            hears.tell(603, "not answered yet")
        else:
            transfer.attended(leg, target, hears)

    @staticmethod
    def _refer_to(request: Request) -> Uri:
        """3515 2.4.1: exactly one."""
        values = request.all("Refer-To")
        if len(values) != 1:
            raise _Refused(400)
        uri = Address.parse(values[0]).uri
        if (uri.param("method") or "INVITE").upper() != "INVITE":
            raise _Refused(603)
        return uri

    def _check(self, leg: Leg, request: Request) -> None:
        """May this leg's peer transfer, now?"""
        call = leg.call
        assert call is not None
        if leg.trunk is not None:
            trunk = self._switch.rules.site.trunks.get(leg.trunk)
            if trunk is None or not trunk.refer:
                raise _Refused(403)
        elif leg.extension is None:
            raise _Refused(403)
        if call.errand is not None:
            raise _Refused(491)  # one at a time
        if call.max_forwards < 1:
            raise _Refused(483)
        partner = call.partner_of(leg)
        if partner is None or partner.phase != "confirmed":
            raise _Refused(603)  # nobody to transfer

    def _destination(self, leg: Leg, uri: Uri) -> tuple[Destination, str]:
        """Where the dial plan sends the transferor's own calls to that number."""
        caller = Caller("trunk", leg.trunk) if leg.trunk is not None else Caller("extension", leg.extension or "")
        route = self._switch.rules.dial_plan.resolve(caller, uri.username)
        if route is None:
            raise _Refused(404)
        if route.destination.kind not in GIVEN_TO:
            raise _Refused(603)
        return route.destination, route.dial or route.number
