"""Where a message came from or goes to."""

from __future__ import annotations

from typing import NamedTuple


class Hop(NamedTuple):
    """One next hop (RFC 3261 8.1.2): transport, address, and by which of our listeners."""

    transport: str  # "udp", "tcp"
    host: str  # IP address, IPv6 without brackets
    port: int
    listener: int = 0  # index among the site's listeners of this transport

    @property
    def reliable(self) -> bool:
        """Whether the transport itself retransmits (RFC 3261 17.1.1.2)."""
        return self.transport != "udp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"
