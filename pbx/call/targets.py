"""From a destination to the phones to ring: contacts of an extension, the gateway of a trunk, a URI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.schema import Destination, Site
from pbx.routing.admission import Admission, Refuse
from pbx.routing.location import Device, Location
from pbx.routing.trunk import TrunkTable, uri_with_user
from pbx.sip.grammar import escape, quote
from pbx.sip.hop import Hop
from pbx.sip.uri import USER_ALLOWED

if TYPE_CHECKING:
    from pbx.call.call import Call


@dataclass(frozen=True, slots=True)
class Target:
    """One phone to ring."""

    uri: str  # Request-URI
    hop: Hop
    caller: str  # the From up to the host: `"Name" <sip:number`
    extension: str | None = None  # whose phone it is
    trunk: str | None = None  # the trunk it goes out by; a place on it was seized
    login: tuple[str, str] | None = None  # what we answer a challenge with
    route: tuple[str, ...] = ()  # the Route of the INVITE (RFC 3327)
    headers: str = ""  # further header lines of the INVITE
    q: float = 1.0  # phones of a lower one ring when those of a higher one don't answer (RFC 3261 16.6)
    alternatives: tuple[Hop, ...] = ()  # of the same URI, best first: for when `hop` fails (RFC 3263 4.3)
    fallback: Target | None = None  # the trunk's next gateway, for when no hop of this one is left

    def after_failure(self) -> Target | None:
        """What to try when the hop timed out, could not be reached or said 503; None when nothing is left."""
        if self.alternatives:
            return replace(self, hop=self.alternatives[0], alternatives=self.alternatives[1:])
        return self.fallback


Found = tuple[list[Target], int, str]  # targets; when there are none, the status and cause to tell


class Targets:
    """Finds them. `hops` gives what a URI leads to, best first; None while that is unknown."""

    def __init__(
        self,
        site: Site,
        location: Location,
        trunks: TrunkTable,
        admission: Admission,
        hops: Callable[[str], tuple[Hop, ...] | None],
    ) -> None:
        self._site = site
        self._location = location
        self._trunks = trunks
        self._admission = admission
        self._hops = hops

    def find(self, call: Call, destination: Destination) -> Found:
        if destination.kind == "extension":
            return self._extension(call, destination.name)
        if destination.kind == "trunk":
            return self._trunk(call, destination.name)
        return self._uri(call, destination.name)

    def _extension(self, call: Call, name: str) -> Found:
        if name not in self._site.extensions:
            return [], 404, "no such extension"
        instance = call.instance if name == call.to_number else None  # of a GRUU that the caller dialled
        devices = self._location.devices(name, call.clock.now(), instance)
        caller = caller_of(call.from_name, call.from_number)
        return [_device_target(device, caller, name) for device in devices], 480, "not registered"

    def _uri(self, call: Call, uri: str) -> Found:
        hops = self._hops(uri)
        if not hops:
            return [], 503, f"unknown host in {uri}"
        caller = caller_of(call.from_name, call.from_number)
        return [Target(uri, hops[0], caller, alternatives=hops[1:])], 503, ""

    def _trunk(self, call: Call, name: str) -> Found:
        trunk = self._site.trunks.get(name)
        if trunk is None:
            return [], 404, "no such trunk"
        uri, hops, route = self._gateway(call, name)
        if not hops:
            return [], 503, f"trunk {name} can't be reached"
        verdict = self._admission.seize(name)
        if isinstance(verdict, Refuse):
            return [], verdict.status, verdict.reason
        number = self._trunks.caller_id(name, call.caller.extension, call.from_number)
        login = (trunk.login.username, trunk.login.password.get_secret_value()) if trunk.login else None
        caller = caller_of(call.from_name, number)
        target = Target(uri, hops[0], caller, trunk=name, login=login, route=route, alternatives=hops[1:])
        return [target], 503, ""

    def _gateway(self, call: Call, name: str) -> tuple[str, tuple[Hop, ...], tuple[str, ...]]:
        """Request-URI, hops and Route for what the call dialled: at the gateway, else where the trunk registered."""
        uri = self._trunks.gateway_uri(name, call.dialled)
        if uri is not None:
            return uri, self._hops(uri) or (), ()
        aor = self._trunks.aor(name)
        bindings = self._location.contacts(aor, call.clock.now()) if aor else []
        if not bindings:
            return "", (), ()
        return uri_with_user(bindings[0].request_uri, call.dialled), (bindings[0].hop,), bindings[0].path


def _device_target(flows: Device, caller: str, extension: str) -> Target:
    """The newest flow of a device, the others for when it fails: one at a time (RFC 5626 6)."""
    target: Target | None = None
    for flow in reversed(flows):
        target = Target(
            flow.request_uri, flow.hop, caller, extension=extension, route=flow.path, fallback=target, q=flows[0].q
        )
    assert target is not None
    return target


def caller_of(name: str, number: str) -> str:
    """The From value up to the host."""
    display = f"{quote(name)} " if name else ""
    return f"{display}<sip:{escape(number, USER_ALLOWED) if number else 'anonymous'}"
