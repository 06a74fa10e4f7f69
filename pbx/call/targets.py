"""From a destination to the phones to ring: contacts of an extension, the gateway of a trunk, a URI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from config.frozen import frozen
from config.schema import Destination, Site
from pbx.call import history_info, sips
from pbx.call.diversion import Diversion
from pbx.call.history_info import Entry
from pbx.routing.admission import Admission, Refuse
from pbx.routing.gateways import Gateways
from pbx.routing.header_policy import Facts, HeaderPolicy, Shown, diversions
from pbx.routing.location import Device, Location
from pbx.routing.tolls import Bill, Tolls
from pbx.routing.trunk import TrunkTable, uri_with_user
from pbx.sip.address import uri_of
from pbx.sip.binding import gruu_instance
from pbx.sip.hop import Hop
from pbx.sip.next_hop import Pick
from pbx.sip.uri import Uri, user_of

if TYPE_CHECKING:
    from pbx.call.call import Call

NOWHERE = Hop("", "", 0)
NOT_BY_TLS = (480, "sips, and no way by TLS")


@frozen
class Target:
    """One phone to ring."""

    uri: str  # Request-URI
    hop: Hop
    caller: str  # the From up to the host: `"Name" <sip:number`
    extension: str | None = None  # whose phone it is
    trunk: str | None = None  # the trunk it goes out by; a place on it was seized
    login: tuple[str, str] | None = None  # what we answer a challenge with
    route: tuple[str, ...] = ()  # the Route of the INVITE (RFC 3327)
    from_host: str = ""  # what follows it; "": our own address
    headers: str = ""  # further header lines of the INVITE
    history: bool = True  # whether the peer may know who forwarded or transferred
    q: float = 1.0  # phones of a lower one ring when those of a higher one don't answer (RFC 3261 16.6)
    alternatives: tuple[Hop, ...] = ()  # of the same URI, best first: for when `hop` fails (RFC 3263 4.3)
    fallback: Target | None = None  # the trunk's next gateway, for when no hop of this one is left
    gateway: str = ""  # of the trunk, as the site has it: its health is learnt from this call
    bill: Bill | None = None  # what it costs, if anybody asks
    try_s: float = 0.0  # how long a hop may say nothing while there is another to try; 0: as long as SIP allows

    def after_failure(self) -> Target | None:
        """What to try when the hop timed out, could not be reached or said 503; None when nothing is left."""
        if self.alternatives:
            return replace(self, hop=self.alternatives[0], alternatives=self.alternatives[1:])
        return self.fallback


Found = tuple[list[Target], int, str]  # targets; when there are none, the status and cause to tell


class Targets:
    """Finds them. `hops` gives what a URI leads to, best first; None while that is unknown. `pick` is a random number
    of 0..n. `service_route(trunk)`: the Route that a carrier gave us when we registered (RFC 3608)."""

    def __init__(
        self,
        site: Site,
        location: Location,
        trunks: TrunkTable,
        admission: Admission,
        tolls: Tolls,
        hops: Callable[[str], tuple[Hop, ...] | None],
        gateways: Gateways,
        pick: Pick,
        service_route: Callable[[str], tuple[str, ...]] = lambda trunk: (),
    ) -> None:
        self._site = site
        self._location = location
        self._trunks = trunks
        self._admission = admission
        self.tolls = tolls
        self._hops = hops
        self._gateways = gateways
        self.policy = HeaderPolicy(site)
        self._pick = pick
        self._service_route = service_route

    def find(self, call: Call, destination: Destination) -> Found:
        if destination.kind == "trunk":
            return self._trunk(call, destination.name)
        found, status, cause = (
            self._extension(call, destination.name) if destination.kind == "extension"
            else self._uri(call, destination.name)
        )  # fmt: skip
        allowed = [one for target in found if (one := sips.kept(target, call_is_sips=call.is_sips)) is not None]
        return (allowed, status, cause) if allowed or not found else ([], *NOT_BY_TLS)

    def contact_of(self, uri: str, now: float) -> str:
        """The URI that a phone of ours registered, when it is given by its GRUU (RFC 5627 5.4); any other as it is."""
        instance = gruu_instance(uri)
        devices = self._location.devices(user_of(uri), now, instance) if instance is not None else ()
        return devices[0][0].contact if devices else uri

    def unknown(self, phones: Sequence[Destination]) -> tuple[str, ...]:
        """The URIs that have to be looked up before `find` can tell."""
        return tuple(phone.name for phone in phones if phone.kind == "uri" and self._hops(phone.name) is None)

    def past(self, call: Call) -> tuple[Entry, ...]:
        """The history that the call came with, if its trunk is believed."""
        return history_info.read(call.headers) if self._trunks.trusts(call.trunk) else ()

    def forwards(self, call: Call, target: Target) -> tuple[list[Diversion], list[Diversion]]:
        """Who forwarded the call before it came here, and here, by the numbers that the peer knows."""
        before = diversions(call.headers) if self._trunks.trusts(call.trunk) else []
        own = [Diversion(self.known_as(one.number, target), one.reason) for one in call.diversions]
        return [Diversion(*one) for one in before], own

    def known_as(self, number: str, target: Target) -> str:
        """By which number the peer knows one of our phones."""
        if target.trunk is None or number not in self._site.extensions:
            return number
        return self._trunks.caller_id(target.trunk, number, number)

    def _extension(self, call: Call, name: str) -> Found:
        if name not in self._site.extensions:
            return [], 404, "no such extension"
        instance = call.instance if name == call.to_number else None  # of a GRUU that the caller dialled
        devices = self._location.devices(name, call.clock.now(), instance)
        shown = self.policy.to_phone(_facts(call, *call.shown))
        target = Target("", NOWHERE, shown.caller, extension=name, from_host=shown.host, headers=shown.headers)
        return [_device_target(device, target) for device in devices], 480, "not registered"

    def _uri(self, call: Call, uri: str) -> Found:
        hops = self._hops(uri)
        if not hops:
            return [], 503, f"unknown host in {uri}"
        shown = self.policy.to_stranger(_facts(call, call.from_name, call.from_number))
        target = Target(
            uri, hops[0], shown.caller, from_host=shown.host, headers=shown.headers, history=shown.history,
            alternatives=hops[1:],
        )  # fmt: skip
        return [target], 503, ""

    def _trunk(self, call: Call, name: str) -> Found:
        trunk = self._site.trunks.get(name)
        if trunk is None:
            return [], 404, "no such trunk"
        number = self._trunks.caller_id(name, call.caller.extension, call.from_number)
        login = (trunk.login.username, trunk.login.password.get_secret_value()) if trunk.login else None
        facts = _facts(call, call.from_name, number)
        target = self._way(call, name, Target("", NOWHERE, "", trunk=name, login=login), facts)
        if target is None:
            return [], 503, f"trunk {name} can't be reached"
        target = sips.kept(target, call_is_sips=call.is_sips)
        if target is None:
            return [], *NOT_BY_TLS
        verdict = self._admission.seize(name)
        if isinstance(verdict, Refuse):
            return [], verdict.status, verdict.reason
        if not self.tolls.active:
            return [target], 503, ""
        bill = self.tolls.admit(self._account(call), call.dialled, call.clock.now())
        if isinstance(bill, Refuse):
            self._admission.free(name)
            return [], bill.status, bill.reason
        return [target if bill is None else _billed(target, bill)], 503, ""

    def _account(self, call: Call) -> str:
        """Whose call out it is: of who forwarded it last, transferred it, dialled it, or of the trunk it came by."""
        own = self._site.extensions
        for who in (call.diversions[-1].number if call.diversions else "", call.referred_by, call.caller.extension):
            if who and who in own:
                return who
        return "callbacks" if call.trunk is None else f"trunk {call.trunk}"

    def _way(self, call: Call, name: str, target: Target, facts: Facts) -> Target | None:
        """The gateways of a trunk, each the fallback of the one before; for a trunk without, where it registered."""
        found: Target | None = None
        route = self._service_route(name)
        for gateway in reversed(self._gateways.order(name, self._pick)):
            hops = self._hops(uri_of(route[0]) if route else gateway.uri)
            if hops:
                hops = self._gateways.setbacks.order(hops, call.clock.now())
                shown = self.policy.to_trunk(facts, name, Uri.parse(gateway.uri).host)
                found = replace(
                    _shown(target, shown), uri=uri_with_user(gateway.uri, call.dialled), hop=hops[0],
                    alternatives=hops[1:], fallback=found, route=route, gateway=gateway.uri,
                    try_s=self._site.trunks[name].try_s,
                )  # fmt: skip
        aor = self._trunks.aor(name)
        if found is not None or aor is None:
            return found
        for flow in reversed(self._location.contacts(aor, call.clock.now())):
            uri = uri_with_user(flow.request_uri, call.dialled)
            there = _shown(target, self.policy.to_trunk(facts, name, Uri.parse(uri).host))
            found = replace(there, uri=uri, hop=flow.hop, route=flow.path, fallback=found)
        return found


def _device_target(flows: Device, target: Target) -> Target:
    """The newest flow of a device, the others for when it fails: one at a time (RFC 5626 6)."""
    found: Target | None = None
    for flow in reversed(flows):
        found = replace(
            target, uri=flow.request_uri, hop=flow.hop, route=flow.path, fallback=found, q=flows[0].q
        )
    assert found is not None
    return found


def _billed(target: Target, bill: Bill) -> Target:
    fallback = None if target.fallback is None else _billed(target.fallback, bill)
    return replace(target, bill=bill, fallback=fallback)


def _facts(call: Call, name: str, number: str) -> Facts:
    """`name` and `number` of the caller, as they are to be shown."""
    session = str(call.attributes.get("web_session", ""))
    return Facts(name, number, call.headers, call.trunk, session)


def _shown(target: Target, shown: Shown) -> Target:
    return replace(
        target, caller=shown.caller, from_host=shown.host, headers=shown.headers, history=shown.history
    )
