"""Trunks: whose call is it by its source address; which URI and which number to show when calling out by one."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from config.schema import Site
from pbx.sip.grammar import escape
from pbx.sip.uri import USER_ALLOWED, Uri

CACHED_HOSTS: Final = 4096


def _nobody(host: str, port: int, transport: str) -> str | None:
    return None


class TrunkTable:
    """The trunks of one site. Immutable but for its cache: a reload makes another.

    `registered(host, port, transport)` gives the AOR (user name) that has a live binding from that source, or None;
    `location.py` knows. It is asked each time: registrations come and go.
    """

    __slots__ = ("_by_length", "_by_login", "_hosts", "_registered", "_site")

    def __init__(self, site: Site, registered: Callable[[str, int, str], str | None] = _nobody) -> None:
        self._site = site
        self._registered = registered
        self._by_login = {t.registers_as.username: name for name, t in site.trunks.items() if t.registers_as}
        networks: dict[tuple[int, int], dict[int, str]] = {}  # (IP version, prefix length) -> prefix -> trunk
        for name, trunk in site.trunks.items():
            for network in trunk.sources:
                prefix = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
                networks.setdefault((network.version, network.prefixlen), {}).setdefault(prefix, name)
        self._by_length = sorted(networks.items(), key=lambda item: -item[0][1])
        self._hosts: OrderedDict[str, str | None] = OrderedDict()

    def trunk_of(self, host: str, port: int, transport: str = "") -> str | None:
        """The trunk that a request from this source belongs to: by registration (by `transport`, if one is given), else
        by the longest prefix."""
        if self._by_login and (aor := self._registered(host, port, transport)) is not None and aor in self._by_login:
            return self._by_login[aor]
        hosts = self._hosts
        if host in hosts:
            hosts.move_to_end(host)
            return hosts[host]
        name = hosts[host] = self._longest_prefix(host)
        if len(hosts) > CACHED_HOSTS:
            hosts.popitem(last=False)
        return name

    def _longest_prefix(self, host: str) -> str | None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # a socket for both families shows IPv4 peers so
        bits = int(address)
        for (version, length), prefixes in self._by_length:
            if version == address.version:
                name = prefixes.get(bits >> (address.max_prefixlen - length))
                if name is not None:
                    return name
        return None

    def trusts(self, trunk: str | None) -> bool:
        """Whether it is believed who calls."""
        found = self._site.trunks.get(trunk) if trunk is not None else None
        return found is not None and found.trusted

    def caller_id(self, trunk: str, extension: str | None, number: str) -> str:
        """The number to show to `trunk` for a call of `extension` (None: of a trunk) whose own number is `number`.

        The extension's `caller_id`, else the trunk's, else the number itself.
        """
        phone = self._site.extensions.get(extension) if extension is not None else None
        if phone is not None and phone.caller_id is not None:
            return phone.caller_id
        return self._site.trunks[trunk].caller_id or number

    def aor(self, trunk: str) -> str | None:
        """The user name under which the trunk registers here, to be looked up in the location table."""
        login = self._site.trunks[trunk].registers_as
        return login.username if login is not None else None


def uri_with_user(uri: str, number: str) -> str:
    """A SIP URI with `number` as its user part, escaped: the contact of a registered trunk, or a gateway's address."""
    base = Uri.parse(uri)
    return str(Uri(base.scheme, escape(number, USER_ALLOWED), None, base.host, base.port, base.params))
