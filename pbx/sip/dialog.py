"""A dialog and the requests sent inside it (RFC 3261 12).

What never changes in a request is made once (`_head`): a request in a dialog is one string built from three.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.sip.address import uri_of
from pbx.sip.errors import BadUri, SipError
from pbx.sip.hop import DEFAULT_PORT, WEB, Hop, transport_of, zone_of
from pbx.sip.message import Request, Response
from pbx.sip.uri import host_port_of

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_REQUEST_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[^\s<>\"\x00-\x1f\x7f]++")
_LOOSE = re.compile(r";lr(?:[;=?>]|\Z)", re.IGNORECASE)


#: Where a URI leads, best first; None while that is not known (RFC 3263).
Lead = Callable[[str], tuple[Hop, ...] | None]


def _nowhere(uri: str) -> None:
    return None


@dataclass(slots=True)
class Dialog:
    """Our side of a dialog. Values are the text of headers; `hop` is where the peer was last heard from."""

    call_id: str
    local: str  # From of what we send, with our tag
    remote: str  # To of what we send, with the peer's tag
    local_tag: str
    remote_tag: str | None
    remote_target: str  # URI text of the peer's Contact
    contact: str  # our Contact value
    hop: Hop
    route_set: tuple[str, ...] = ()  # Route values, first hop first
    local_cseq: int = 0
    remote_cseq: int = -1  # none yet: the peer's first may be 0
    max_forwards: int = 70
    _head: str = field(default="", repr=False)

    @classmethod
    def of_request(cls, request: Request, local_tag: str, contact: str, hop: Hop) -> Dialog:
        """The UAS's dialog (12.1.1)."""
        to = request.get("To") or ""
        return cls(
            call_id=request.call_id,
            local=to if request.to_tag else f"{to};tag={local_tag}",
            remote=request.get("From") or "",
            local_tag=local_tag,
            remote_tag=request.from_tag,
            remote_target=(
                _target_of(request.get("Contact") or "") or _target_of(request.get("From") or "") or _address_of(hop)
            ),
            contact=contact,
            hop=hop,
            route_set=_routes_of(request),
            remote_cseq=request.cseq,
        )

    def establish(self, response: Response, hop: Hop) -> None:
        """The UAC's dialog takes tag, target and route set from a 2xx, whatever it was before (12.1.2, 13.2.2.4)."""
        self.remote = response.get("To") or self.remote
        self.remote_tag = response.to_tag
        self.route_set = _routes_of(response)[::-1]
        self.refresh(response, hop)

    def refresh(self, message: Request | Response, hop: Hop) -> None:
        """Target refresh (12.2): the peer's Contact may have moved."""
        contact = message.get("Contact")
        if contact:
            self.remote_target = _target_of(contact) or self.remote_target
        self.hop = hop
        self._head = ""

    def accepts(self, request: Request) -> bool:
        """12.2.2: in order? A request with a lower CSeq than the last is refused with 500 (ACK and CANCEL aside)."""
        if request.cseq <= self.remote_cseq:
            return False
        self.remote_cseq = request.cseq
        return True

    def belongs(self, message: Request | Response) -> bool:
        """Whether call-id and remote tag are this dialog's (12)."""
        return message.call_id == self.call_id and (self.remote_tag is None or message.from_tag == self.remote_tag)

    def next_cseq(self) -> int:
        self.local_cseq += 1
        return self.local_cseq

    def request(self, method: str, cseq: int, via: str, headers: str = "", body: str = "") -> bytes:
        """A request in this dialog (12.2.1.1). `via` is a whole Via value; ACK of a 2xx takes the INVITE's CSeq."""
        if not self._head:
            routes = "".join(f"Route: {route}\r\n" for route in self._routes())
            self._head = (
                f"Max-Forwards: {self.max_forwards}\r\nFrom: {self.local}\r\nTo: {self.remote}\r\n"
                f"Call-ID: {self.call_id}\r\n{routes}"
            )
        targets = method in ("INVITE", "UPDATE")  # 20, RFC 3311 5.1: BYE and CANCEL must not have a Contact
        contact = f"Contact: {self.contact}\r\n" if targets else ""
        return (
            f"{method} {self._request_uri()} SIP/2.0\r\nVia: {via}\r\n{self._head}CSeq: {cseq} {method}\r\n"
            f"{contact}{headers}Content-Length: {len(body.encode()) if body else 0}\r\n\r\n{body}"
        ).encode("utf-8", "surrogateescape")

    def _is_strict(self) -> bool:
        """Whether the first hop is a strict router of RFC 2543 (16.12.1.2)."""
        return bool(self.route_set) and not _LOOSE.search(self.route_set[0])

    def _request_uri(self) -> str:
        """12.2.1.1: the remote target, or a strict router that is to be addressed itself."""
        return _target_of(self.route_set[0]) if self.route_set and self._is_strict() else self.remote_target

    def _routes(self) -> tuple[str, ...]:
        return (*self.route_set[1:], f"<{self.remote_target}>") if self._is_strict() else self.route_set

    def next_hop(self, *, connected: bool = True, lead: Lead = _nowhere) -> Hop:
        """Where the next request goes: on the stream that the peer was heard on, if it is still `connected` (RFC 5923);
        else to the first route or the peer's Contact, or to where it was heard from when that can't be reached (a name
        that is not known, or a private address behind NAT)."""
        if self.hop.reliable and connected:
            return self.hop
        target = uri_of(self.route_set[0]) if self.route_set else self.remote_target
        return hop_of(target, self.hop, lead)


def hop_of(uri: str, heard: Hop, lead: Lead = _nowhere) -> Hop:
    """The hop of a URI whose transport is one we speak. `heard` for any other, for a name that `lead` does not know,
    and for a private address seen from outside."""
    try:
        host, port, parameter = host_port_of(uri)
    except BadUri:
        return heard
    transport = transport_of(uri, parameter)
    if transport is None or transport in WEB:
        return heard
    if not is_ip(host):
        return _of_name(lead(uri) or (), heard)
    if ":" in host:
        host = ipaddress.IPv6Address(host).compressed  # as the network itself writes it
        if host.startswith("fe80:") and "%" not in host:
            host += zone_of(heard.host)  # on the link that the peer was heard on
    if not _may_reach(host, heard):
        return heard
    listener = heard.listener if transport == heard.transport else 0
    name = heard.name if host == heard.host else ""
    return Hop(transport, host, port or DEFAULT_PORT[transport], listener, name)


def _of_name(hops: tuple[Hop, ...], heard: Hop) -> Hop:
    """Of those that a name leads to, the one that was heard from, so that a dialog stays with one of several servers;
    else the first that can be reached from here."""
    if any(hop.host == heard.host and hop.transport == heard.transport for hop in hops):
        return next(hop for hop in hops if hop.host == heard.host and hop.transport == heard.transport)
    return next((hop for hop in hops if _may_reach(hop.host, heard)), heard)


def _may_reach(host: str, heard: Hop) -> bool:
    """Whether an address may be what a peer means that was heard from there: no private one from outside, and never
    one that has us speak to services of our own host, or to many."""
    if host == heard.host:
        return True
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return is_loopback(heard.host)
    if address.is_unspecified or address.is_multicast or host == "255.255.255.255":
        return False
    return not is_private(host) or is_private(heard.host)


def _routes_of(message: Request | Response) -> tuple[str, ...]:
    """The Record-Route values that can be read: a request could not be sent by another."""
    if message.get("Record-Route") is None:
        return ()
    return tuple(route for route in message.values("Record-Route") if _target_of(route))


def _address_of(hop: Hop) -> str:
    host = hop.host.partition("%")[0]
    return f"sip:[{host}]:{hop.port}" if ":" in host else f"sip:{host}:{hop.port}"


def _target_of(value: str) -> str:
    """The URI of a Contact, to send requests to, without its headers (19.1.5); "" if it could be no Request-URI."""
    try:
        uri = uri_of(value)
        if uri[:3].lower() == "sip":
            host_port_of(uri)
    except SipError:
        return ""
    if not _REQUEST_URI.fullmatch(uri):
        return ""
    if "?" not in uri:
        return uri
    user, at, rest = uri.rpartition("@")  # a user part may hold a question mark
    return f"{user}{at}{rest.partition('?')[0]}"


def is_ip(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 literal. Strict: the socket would ask the name service for anything else."""
    if ":" not in host:
        return _IPV4.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")


def is_private(host: str) -> bool:
    """RFC 1918, RFC 6598, link-local, unique local: not reachable from everywhere. Loopback counts as reachable
    here."""
    if host.startswith(("10.", "192.168.", "169.254.", "fe80", "fc", "fd")):
        return True
    first, _, rest = host.partition(".")
    second = rest.partition(".")[0]
    if not second.isdigit():
        return False
    return (first == "172" and 16 <= int(second) <= 31) or (first == "100" and 64 <= int(second) <= 127)
