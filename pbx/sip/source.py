"""Who a source address is, for limits and bans: an IPv4 address, or the /64 of an IPv6 one, since whoever has one
address of it has them all (RFC 6177 2)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

_HOST_BITS: Final = 64


def source_of(host: str) -> str:
    """The key of `host` (an IP address as sockets write it) in tables of sources."""
    return _source_of_ipv6(host) if ":" in host else host


@lru_cache(maxsize=4096)
def _source_of_ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:  # a socket for both families shows IPv4 peers so
        return str(address.ipv4_mapped)
    prefix = int(address) >> _HOST_BITS << _HOST_BITS
    return f"{ipaddress.IPv6Address(prefix)}/64"
