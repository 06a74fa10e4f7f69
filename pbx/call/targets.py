"""From a destination to the phones to ring: contacts of an extension, the gateway of a trunk, a URI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.schema import Destination, Site
from pbx.routing.admission import Admission, Refuse
from pbx.routing.location import Device, Location
from pbx.routing.trunk import TrunkTable, uri_with_user
from pbx.sip.dialog import is_ip
from pbx.sip.grammar import escape, quote
from pbx.sip.hop import Hop
from pbx.sip.uri import USER_ALLOWED, host_port_of

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
    alternatives: tuple[Hop, ...] = ()  # of the same URI, best first: for when `hop` fails (RFC 3263 4.3)
    fallback: Target | None = None  # the trunk's next gateway, for when no hop of this one is left

    def after_failure(self) -> Target | None:
        """What to try when the hop timed out, could not be reached or said 503; None when nothing is left."""
        if self.alternatives:
            return replace(self, hop=self.alternatives[0], alternatives=self.alternatives[1:])
        return self.fallback


Found = tuple[list[Target], int, str]  # targets; when there are none, the status and cause to tell


class Targets:
    """Finds them. `resolve` gives the address of a host name, if it is known."""

    def __init__(
        self,
        site: Site,
        location: Location,
        trunks: TrunkTable,
        admission: Admission,
        resolve: Callable[[str], str | None],
    ) -> None:
        self._site = site
        self._location = location
        self._trunks = trunks
        self._admission = admission
        self._resolve = resolve

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
        hop = self._hop(uri)
        if hop is None:
            return [], 503, f"unknown host in {uri}"
        return [Target(uri, hop, caller_of(call.from_name, call.from_number))], 503, ""

    def _trunk(self, call: Call, name: str) -> Found:
        trunk = self._site.trunks.get(name)
        if trunk is None:
            return [], 404, "no such trunk"
        uri, hop, route = self._gateway(call, name)
        if uri is None or hop is None:
            return [], 503, f"trunk {name} can't be reached"
        verdict = self._admission.seize(name)
        if isinstance(verdict, Refuse):
            return [], verdict.status, verdict.reason
        number = self._trunks.caller_id(name, call.caller.extension, call.from_number)
        login = (trunk.login.username, trunk.login.password.get_secret_value()) if trunk.login else None
        return [Target(uri, hop, caller_of(call.from_name, number), trunk=name, login=login, route=route)], 503, ""

    def _gateway(self, call: Call, name: str) -> tuple[str | None, Hop | None, tuple[str, ...]]:
        """Request-URI, hop and Route for what the call dialled: at the gateway, else where the trunk registered."""
        uri = self._trunks.gateway_uri(name, call.dialled)
        if uri is not None:
            return uri, self._hop(uri), ()
        aor = self._trunks.aor(name)
        bindings = self._location.contacts(aor, call.clock.now()) if aor else []
        if not bindings:
            return None, None, ()
        return uri_with_user(bindings[0].request_uri, call.dialled), bindings[0].hop, bindings[0].path

    def _hop(self, uri: str) -> Hop | None:
        """Where a URI leads; None while its host's address is unknown."""
        host, port, transport = host_port_of(uri)
        host = host.strip("[]")
        address = host if is_ip(host) else self._resolve(host)
        return Hop(transport or "udp", address, port or 5060) if address else None


def _device_target(flows: Device, caller: str, extension: str) -> Target:
    """The newest flow of a device, the others for when it fails: one at a time (RFC 5626 6)."""
    target: Target | None = None
    for flow in reversed(flows):
        target = Target(flow.request_uri, flow.hop, caller, extension=extension, route=flow.path, fallback=target)
    assert target is not None
    return target


def caller_of(name: str, number: str) -> str:
    """The From value up to the host."""
    display = f"{quote(name)} " if name else ""
    return f"{display}<sip:{escape(number, USER_ALLOWED) if number else 'anonymous'}"
