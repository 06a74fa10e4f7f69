"""Which messages somebody wants to see."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from config.numbers import normalise
from pbx.trace.captured import Captured

Addresses = Callable[[str, int], bool]  # (host, port) -> one of them
_MAX: Final = 100  # characters of what is asked for


class BadFilter(ValueError):
    """What was asked for can't be: says what was expected."""


def _everybody(host: str, port: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Filter:
    """All of these must be met; those left empty are."""

    number: str = ""  # in any form: 0612345678 finds +33612345678
    country: str = "FR"  # how numbers without a country code are read
    call: str = ""  # call id: the messages of all its legs
    method: str = ""  # of requests, and of the responses to them
    peer: Addresses = field(default=_everybody)
    trunk: Addresses = field(default=_everybody)
    since: float = 0.0  # seconds since 1970

    def but(self, *, trunk: Addresses | None = None, peer: Addresses | None = None) -> Filter:
        """The same, with addresses."""
        return replace(self, trunk=trunk or self.trunk, peer=peer or self.peer)

    def matches(self, message: Captured) -> bool:
        """The cheap questions first."""
        return (
            message.at >= self.since
            and (not self.call or message.call_id == self.call)
            and self.peer(*message.peer)
            and self.trunk(*message.peer)
            and (not self.method or message.method == self.method)
            and (not self.number or self._speaks_of(message))
        )

    def _speaks_of(self, message: Captured) -> bool:
        wanted = normalise(self.number, self.country)
        return any(user and normalise(user, self.country) == wanted for user in message.users())


def peer_filter(text: str) -> Addresses:
    """`192.0.2.7`, `192.0.2.7:5060`, `192.0.2.0/24`, `2001:db8::1`, `[2001:db8::1]:5060`. Raises BadFilter."""
    host, port = _host_and_port(text[:_MAX])
    try:
        network = ipaddress.ip_network(host, strict=False)
        wanted_port = int(port) if port else 0
    except ValueError:
        raise BadFilter("expected an address, as 192.0.2.7, 192.0.2.7:5060, 192.0.2.0/24 or 2001:db8::1") from None

    def matches(host: str, port: int) -> bool:
        if wanted_port and port != wanted_port:
            return False
        try:
            return ipaddress.ip_address(host) in network
        except ValueError:
            return False

    return matches


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""
