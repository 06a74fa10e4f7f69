"""A dialog and the requests sent inside it (RFC 3261 12).

What never changes in a request is made once (`_head`): a request in a dialog is one string built from three.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pbx.sip.address import uri_of
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.uri import host_port_of


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
    remote_cseq: int = 0
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
            remote_target=uri_of(request.get("Contact") or request.get("From") or ""),
            contact=contact,
            hop=hop,
            route_set=tuple(request.values("Record-Route")) if request.get("Record-Route") else (),
            remote_cseq=request.cseq,
        )

    def establish(self, response: Response, hop: Hop) -> None:
        """The UAC's dialog takes tag, target and route set from a response (12.1.2, 13.2.2.4)."""
        self.remote = response.get("To") or self.remote
        self.remote_tag = response.to_tag
        if response.get("Record-Route"):
            self.route_set = tuple(reversed(response.values("Record-Route")))
        self.refresh(response, hop)

    def refresh(self, message: Request | Response, hop: Hop) -> None:
        """Target refresh (12.2): the peer's Contact may have moved."""
        contact = message.get("Contact")
        if contact:
            self.remote_target = uri_of(contact)
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
            routes = "".join(f"Route: {route}\r\n" for route in self.route_set)
            self._head = (
                f"Max-Forwards: {self.max_forwards}\r\nFrom: {self.local}\r\nTo: {self.remote}\r\n"
                f"Call-ID: {self.call_id}\r\n{routes}"
                f"Contact: {self.contact}\r\n"
            )
        return (
            f"{method} {self.remote_target} SIP/2.0\r\nVia: {via}\r\n{self._head}CSeq: {cseq} {method}\r\n"
            f"{headers}Content-Length: {len(body.encode()) if body else 0}\r\n\r\n{body}"
        ).encode("utf-8", "surrogateescape")

    def next_hop(self) -> Hop:
        """Where the next request goes: the first route, or the peer's Contact; the address it was heard from when the
        Contact can't be reached (a name, or a private address behind NAT), and always on a stream (RFC 5923)."""
        if self.hop.reliable:
            return self.hop
        target = uri_of(self.route_set[0]) if self.route_set else self.remote_target
        return hop_of(target, self.hop)


def hop_of(uri: str, heard: Hop) -> Hop:
    """The hop of a URI whose host is an address; else, or when it is a private address seen from outside, `heard`."""
    host, port, transport = host_port_of(uri)
    host = host.strip("[]")
    if not is_ip(host) or (host != heard.host and is_private(host) and not is_private(heard.host)):
        return heard
    transport = transport or "udp"
    return Hop(transport, host, port or 5060, heard.listener if transport == heard.transport else 0)


def is_ip(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 literal."""
    return ":" in host or (host[-1:].isdigit() and host.replace(".", "").isdigit() and host.count(".") == 3)


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
