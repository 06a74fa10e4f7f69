"""Networks of the site, and who is in them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def within(networks: Iterable[Network], host: str) -> bool:
    """Whether an address, or what `source_of` made of it, is in one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("/")[0].partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
