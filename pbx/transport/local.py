"""Our own address as a given peer should see it: in Via, Contact and SDP."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from functools import lru_cache

from pbx.sip.hop import Hop

ANY = ("0.0.0.0", "::", "")


@lru_cache(maxsize=4096)
def source_address(peer: str) -> str:
    """The address that packets to `peer` leave from (asks the routing table; sends nothing)."""
    with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
        except OSError:
            return "::1" if ":" in peer else "127.0.0.1"
        return str(probe.getsockname()[0])


@dataclass(slots=True)
class Local:
    """The listeners by transport as (host, port), and the address to advertise instead, if the site has one."""

    listeners: dict[str, list[tuple[str, int]]]
    advertise: str | None = None
    _sent_by: dict[tuple[str, int, str], str] = field(default_factory=dict)

    def host(self, peer: str) -> str:
        """The address to write into SDP for a peer."""
        if self.advertise:
            return self.advertise
        for pairs in self.listeners.values():
            for host, _ in pairs:
                if host not in ANY:
                    return host
        return source_address(peer)

    def sent_by(self, hop: Hop) -> str:
        """`host:port` for Via and Contact of what goes to `hop`."""
        key = (hop.transport, hop.listener, hop.host)
        known = self._sent_by.get(key)
        if known is None:
            if len(self._sent_by) > 10_000:
                self._sent_by.clear()
            pairs = self.listeners.get(hop.transport) or next(iter(self.listeners.values()))
            host, port = pairs[min(hop.listener, len(pairs) - 1)]
            host = self.advertise or (source_address(hop.host) if host in ANY else host)
            known = self._sent_by[key] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return known
