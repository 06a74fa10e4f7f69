"""Where a message came from or goes to, and by which transport (RFC 3261 18, 26.2; RFC 7118 5)."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Whose peers can't be connected to: a browser has no port of its own.
WEB: Final = frozenset({"ws", "wss"})

DEFAULT_PORT: Final = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


class Hop(NamedTuple):
    """One next hop (RFC 3261 8.1.2): transport, address, and by which of our listeners. The first three say which
    connection it is."""

    transport: str  # "udp", "tcp", "tls", "ws", "wss"
    host: str  # IP address, IPv6 without brackets; a link-local one with its zone, as fe80::1%2 (RFC 4007 11.2)
    port: int
    listener: int = 0  # index among the site's listeners of this transport
    name: str = ""  # who a TLS peer's certificate must be: the host of the URI (RFC 5922 4); "": its address

    @property
    def reliable(self) -> bool:
        """Whether the transport itself retransmits (RFC 3261 17.1.1.2)."""
        return self.transport != "udp"

    @property
    def secure(self) -> bool:
        """Whether nobody on the way reads along."""
        return self.transport in ("tls", "wss")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"


def zone_of(host: str) -> str:
    """`%2` of `fe80::1%2`: the link that an address is on. It means nothing to others, so no message has it."""
    return host[host.index("%") :] if "%" in host else ""


def transport_of(uri: str, parameter: str | None) -> str | None:
    """The transport that a SIP URI asks for, given its `transport` parameter in small letters; None for one we do not
    speak. SIPS means TLS, whatever it runs on (RFC 3261 19.1, 26.2.2; RFC 7118 5.2)."""
    secure = uri[:5].lower() == "sips:"
    if parameter is None:
        return "tls" if secure else "udp"
    if parameter not in DEFAULT_PORT or (secure and parameter == "udp"):
        return None
    return {"tcp": "tls", "ws": "wss"}.get(parameter, parameter) if secure else parameter
