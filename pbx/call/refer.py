"""REFER: a phone transfers (RFC 3515, 3892, 4488, 4538, 5589)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.schema import Destination
from pbx.call import sips, transfer
from pbx.call.conference import listens
from pbx.call.leg import Leg
from pbx.call.originate import NotDialled
from pbx.call.refer_subscription import ReferSubscription
from pbx.call.replaces import Replaces
from pbx.call.screening import Identity
from pbx.routing.dial_plan import Caller
from pbx.sip.address import Address
from pbx.sip.dialog import Dialog
from pbx.sip.errors import SipError
from pbx.sip.grammar import param, parse_params, unescape
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import Uri

if TYPE_CHECKING:
    from pbx.call.rooms import Rooms
    from pbx.call.switch import Switch

#: What a party may be given to: not what acts in the name of who dials.
GIVEN_TO: Final = frozenset(
    ("add", "conference", "extension", "group", "ivr", "number", "park", "queue", "trunk", "uri")
)  # fmt: skip


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

    def __init__(self, switch: Switch, rooms: Rooms) -> None:
        self._switch = switch
        self._rooms = rooms
        self._inside: dict[tuple[str, str], ReferSubscription] = {}  # by our tag and Event: one a call, 2.4.6
        switch.serve("REFER", self.outside, self.inside)
        switch.serve("SUBSCRIBE", inside=self.refresh)
        switch.capabilities.serve_event("refer")

    def inside(self, leg: Leg, request: Request, transaction: ServerTransaction, now: float) -> None:
        event = "refer" if not leg.refers else f"refer;id={request.cseq}"  # 3515 2.4.6
        leg.refers += 1
        hears = ReferSubscription(self._switch, leg.dialog, leg.login, event, self._over)
        self._inside[leg.dialog.local_tag, event] = hears
        if not self._serve(leg, request, transaction, hears, "", now):
            self._over(hears)

    def _over(self, one: ReferSubscription) -> None:
        self._inside.pop((one.dialog.local_tag, one.event), None)

    def refresh(self, leg: Leg, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A SUBSCRIBE in a call's dialog: for what its REFER began (2.4.4)."""
        name, _, params = (request.get("Event") or "").partition(";")
        if name.strip().lower() != "refer":
            events = self._switch.capabilities.events
            transaction.respond(489, now, headers=events)
            return
        event_id = param(parse_params(f";{params}", 0), "id") if params else None
        event = "refer" if event_id is None else f"refer;id={event_id}"
        one = self._inside.get((leg.dialog.local_tag, event))
        if one is None:
            transaction.respond(481, now)
            return
        leg.hear(request, transaction.hop)
        one.refresh(request, transaction, now)

    def outside(self, request: Request, transaction: ServerTransaction, identity: Identity, now: float) -> None:
        """RFC 4538: the call is named, and its user has said who he is."""
        switch = self._switch
        tag = switch.ids.token()
        leg = self._target_dialog(request, identity)
        if leg is None:
            switch.counters["refers_refused_403"] += 1
            transaction.respond(403, now, to_tag=tag)
            return
        contact = switch.contact(transaction.hop, sips.asked_by(request))
        dialog = Dialog.of_request(request, tag, contact, transaction.hop)
        hears = ReferSubscription(switch, dialog, None, "refer", switch.forget)
        switch.add(hears)
        if not self._serve(leg, request, transaction, hears, tag, now):
            switch.forget(hears)

    def _target_dialog(self, request: Request, identity: Identity) -> Leg | None:
        try:
            named = Replaces.parse(request.get("Target-Dialog") or "", "local-tag", "remote-tag")
        except SipError:
            return None
        leg = named.find(self._switch)
        own = leg is not None and leg.extension is not None and leg.extension == identity.extension
        return leg if own else None

    def _serve(
        self, leg: Leg, request: Request, transaction: ServerTransaction, progress: ReferSubscription, tag: str,
        now: float,
    ) -> bool:  # fmt: skip
        """Whether there is a subscription now."""
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
            return False
        silent = (request.get("Refer-Sub") or "").strip().lower().startswith("false")
        lines = "Refer-Sub: false\r\n" if silent else ""
        contact = f"Contact: {leg.dialog.contact if not tag else progress.dialog.contact}\r\n"
        transaction.respond(202, now, to_tag=tag or None, headers=contact + lines)
        hears: transfer.Hears = _Untold() if silent else progress
        if other is None:
            if destination.kind == "add" or leg.partner is None:
                self._invite(leg, destination, dialled, hears)
            else:
                transfer.blind(leg, destination, dialled, hears)
            return not silent
        target = other.find(switch)
        if target is None or target.call is None or target.call is leg.call:
            hears.tell(481, "no such call")
        elif target.extension != leg.extension or target.trunk != leg.trunk:
            hears.tell(603, "another's call")
        elif target.call.errand is not None:
            hears.tell(491, "Request Pending")
        elif leg.partner is None or listens(target.call):
            hears.tell(603, "nobody to transfer")
        elif target is not target.call.caller and target.phase != "confirmed":  # 3891 3: only who began it may
            hears.tell(603, "not answered yet")
        else:
            transfer.attended(leg, target, hears)
        return not silent

    def _invite(self, leg: Leg, destination: Destination, dialled: str, hears: transfer.Hears) -> None:
        """Nobody leaves: somebody is called into the conference that this is, or becomes (RFC 4579 5.5)."""
        hears.tell(100, "Trying")
        try:
            if destination.kind == "add":
                destination, dialled = self._rooms.destination(leg, destination.name)
            self._rooms.invite(leg, destination, dialled, hears)
        except NotDialled as error:
            hears.tell(603, str(error))

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
        alone = partner is None and call.conference is not None and not listens(call)
        if not alone and (partner is None or partner.phase != "confirmed"):
            raise _Refused(603)  # nobody to transfer

    def _destination(self, leg: Leg, uri: Uri) -> tuple[Destination, str]:
        """Where the dial plan sends the transferor's own calls to that number."""
        caller = Caller("trunk", leg.trunk) if leg.trunk is not None else Caller("extension", leg.extension or "")
        route = self._switch.resolve_number(caller, uri.username)
        if route is None:
            raise _Refused(404)
        if route.destination.kind not in GIVEN_TO:
            raise _Refused(603)
        return route.destination, route.dial or route.number
