"""Our own address as a given peer should see it: in Via, Contact and SDP; and by which listener we reach a peer."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pbx.sip.dialog import is_ip, is_loopback
from pbx.sip.hop import Hop

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY = ("0.0.0.0", "::", "")
CACHED = 10_000  # peers

#: Who sees us by the address of our own network, not by the advertised one: RFC 1918, 6598, 3927, 4193, 4291, loopback.
LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip


def socket_address(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """As sockets take it: the zone of a link-local address apart (RFC 4007 11.2)."""
    if "%" not in host:
        return host, port
    address, _, zone = host.partition("%")
    return address, port, 0, int(zone)


def host_of(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """As a Hop has it."""
    return f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else address[0]


def source_address(peer: str) -> str:
    """The address that packets to `peer` leave from; the loopback's while there is no way to it."""
    try:
        return _routed(peer)
    except OSError:
        return "::1" if ":" in peer else "127.0.0.1"


@lru_cache(maxsize=4096)  # of answers: a network that is not up yet is asked about again
def _routed(peer: str) -> str:
    """Asks the routing table; sends nothing. Raises OSError."""
    with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(socket_address(peer, 9))
        return str(probe.getsockname()[0])


@dataclass(slots=True)
class Local:
    """The listeners by transport as (host, port). `advertise` is what peers outside `networks` are told instead: an
    address of either family, and a host name that stands for both in Via and Contact."""

    listeners: dict[str, list[tuple[str, int]]]
    advertise: Sequence[str] = ()
    networks: Sequence[Network] = LOCAL_NETWORKS
    _seen: dict[tuple[str, int, str], tuple[str, str]] = field(default_factory=dict)

    def listener(self, hop: Hop) -> int:
        """By which of the transport's listeners `hop` is reached: its own, or the first that can (IPv4 peers from an
        IPv4 socket, others' hosts not from the loopback)."""
        pairs = self.listeners.get(hop.transport, ())
        own = hop.listener if hop.listener < len(pairs) else len(pairs) - 1
        if own < 0 or _reaches(pairs[own][0], hop.host):
            return max(own, 0)
        return next((index for index, (host, _) in enumerate(pairs) if _reaches(host, hop.host)), own)

    def source(self, hop: Hop) -> str | None:
        """The address to call `hop` from by a connection; None leaves it to the routing table."""
        pairs = self.listeners.get(hop.transport)
        host = pairs[self.listener(hop)][0] if pairs else ""
        return host if host not in ANY and _reaches(host, hop.host) else None

    def sent_by(self, hop: Hop) -> str:
        """`host:port` for Via and Contact of what goes to `hop`."""
        return self._for(hop)[0]

    def address(self, hop: Hop) -> str:
        """The address for SDP that goes to `hop`."""
        return self._for(hop)[1]

    def _for(self, hop: Hop) -> tuple[str, str]:
        key = (hop.transport, hop.listener, hop.host)
        known = self._seen.get(key)
        if known is None:
            if len(self._seen) >= CACHED:
                self._seen.clear()
            known = self._find(hop)
            if not is_loopback(known[1]) or is_loopback(hop.host):  # else there is no way yet
                self._seen[key] = known
        return known

    def _find(self, hop: Hop) -> tuple[str, str]:
        transport = hop.transport if self.listeners.get(hop.transport) else next(iter(self.listeners))
        host, port = self.listeners[transport][self.listener(hop._replace(transport=transport))]
        address = host if host not in ANY and _reaches(host, hop.host) else source_address(hop.host)
        name = address
        if self.advertise and not self._is_near(hop.host):
            numbers = [one for one in self.advertise if is_ip(one)]
            names = [one for one in self.advertise if not is_ip(one)]
            if names and not numbers:
                address = names[0]
            address = next((one for one in numbers if (":" in one) == (":" in hop.host)), address)
            name = names[0] if names else address
        return (f"[{name}]:{port}" if ":" in name else f"{name}:{port}"), address

    def _is_near(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self.networks)


def _reaches(host: str, peer: str) -> bool:
    """Whether a socket bound to `host` can send to `peer`."""
    if (":" in host) != (":" in peer):
        return False
    return not is_loopback(host) or is_loopback(peer)
