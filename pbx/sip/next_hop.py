"""Where a URI leads: transport, address and port by NAPTR, SRV and address records (RFC 3263 4, RFC 2782, RFC 5922 4).

    URI -- address ------------------------------------------------------------------> hops
        -- name:port -------------------------------------------> A, AAAA -----------> hops
        -- name;transport=T ---------------> SRV _sip._T.name --> A, AAAA of targets -> hops
        -- name --> NAPTR --> SRV of the best service we speak -> A, AAAA of targets -> hops
               (none: SRV for each transport we speak; none of those: A, AAAA of the name)

The rules ask `Answers` for records and never wait: what is not known yet is listed in `Selection.missing`, and the
caller comes again when it has been looked up.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from pbx.sip.dialog import is_ip
from pbx.sip.errors import SipError
from pbx.sip.hop import DEFAULT_PORT, WEB, Hop, transport_of
from pbx.sip.uri import Uri

MAX_HOPS: Final = 16  # of one URI: whoever publishes more has the first ones tried
MAX_SERVICES: Final = 16  # NAPTR and SRV records of one name that are looked at

RecordType = Literal["NAPTR", "SRV", "A", "AAAA"]


class Naptr(NamedTuple):
    """RFC 3403 4.1."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str  # without the dot at the end; "" for ".": the service is not offered here


Record = Naptr | Srv | str  # str: an address
Records = tuple[Record, ...]


class Question(NamedTuple):
    """What the name service is asked."""

    name: str  # small letters, no dot at the end
    type: RecordType


#: The records of a question: () when there are none or nobody could tell, None when nobody has asked yet.
Answers = Callable[[Question], Records | None]
#: `pick(n)` is a random number of 0..n, both included (RFC 2782 wants it so).
Pick = Callable[[int], int]


Family = Literal["A", "AAAA"]


@dataclass(frozen=True, slots=True)
class Speaks:
    """What this side can do: the transports that it listens on, in the order it would rather use them, and the address
    families likewise."""

    transports: tuple[str, ...]
    families: tuple[Family, ...]

    @classmethod
    def of(cls, listeners: Iterable[tuple[str, str, int]]) -> Speaks:
        """Of listeners as (transport, host, port), in the order of the site file."""
        found = [(transport, family_of(host)) for transport, host, _ in listeners if transport not in WEB]
        return cls(tuple(dict.fromkeys(one for one, _ in found)), tuple(dict.fromkeys(family for _, family in found)))

    def hop(self, transport: str, host: str, port: int, name: str = "") -> Hop | None:
        """None for an address family that we do not have."""
        if family_of(host) not in self.families:
            return None
        if ":" in host:
            host = ipaddress.IPv6Address(host).compressed  # as the network itself writes it
        return Hop(transport, host, port, name=name)


def family_of(host: str) -> Family:
    return "AAAA" if ":" in host else "A"


class Selection(NamedTuple):
    """The hops of a URI, the first to be tried first. Final only when nothing is `missing`."""

    hops: tuple[Hop, ...]
    missing: tuple[Question, ...] = ()


# RFC 3263 4.1, IANA's registry of NAPTR services
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
# RFC 3263 4.1: SIPS and TLS are `_sips._tcp`
_SRV_PREFIX: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


def select(uri: str, answers: Answers, speaks: Speaks, pick: Pick) -> Selection:
    """The hops of a sip or sips URI; none for another URI, or for a transport that can't be called out by."""
    try:
        parsed = Uri.parse(uri)
    except SipError:
        return Selection(())
    if parsed.scheme == "tel" or not speaks.transports or not _may_call(uri, parsed.transport, speaks):
        return Selection(())
    return _Walk(parsed, answers, speaks, pick).run(uri)


def _may_call(uri: str, parameter: str | None, speaks: Speaks) -> bool:
    transport = transport_of(uri, parameter)
    if parameter is None:
        return True
    if transport is None or transport in WEB:
        return False
    return transport in speaks.transports or transport != "udp"  # a stream needs no listener of ours


class _Walk:
    """One walk through the records."""

    def __init__(self, uri: Uri, answers: Answers, speaks: Speaks, pick: Pick) -> None:
        self._secure = uri.scheme == "sips"
        target = uri.param("maddr") or uri.host  # RFC 3263 4: TARGET
        self._target = target.strip("[]").lower().removesuffix(".")
        self._port = uri.port
        self._asked_for = uri.transport
        self._answers = answers
        self._speaks = speaks
        self._pick = pick
        self._missing: list[Question] = []

    def run(self, uri: str) -> Selection:
        hops = tuple(dict.fromkeys(itertools.islice(self._hops(uri), MAX_HOPS)))
        return Selection(() if self._missing else hops, tuple(dict.fromkeys(self._missing)))

    def _hops(self, uri: str) -> Iterable[Hop]:
        plain = transport_of(uri, self._asked_for) or "udp"
        if plain == "udp" and "udp" not in self._speaks.transports:  # 4.1: SHOULD be UDP
            plain = self._speaks.transports[0]
        if is_ip(self._target):  # 4.2: a numeric address is used as it is
            hop = self._speaks.hop(plain, self._target, self._port or DEFAULT_PORT[plain])
            return () if hop is None else (hop,)
        if self._port is not None:  # 4.2: an explicit port forbids SRV
            return self._addresses(plain, self._target, self._port)
        if self._asked_for is not None:  # 4.1: an explicit transport forbids NAPTR
            found = self._service(plain, _SRV_PREFIX[plain] + self._target)
            return self._addresses(plain, self._target, DEFAULT_PORT[plain]) if found is None else found
        return self._by_name(plain)

    def _by_name(self, plain: str) -> Iterable[Hop]:
        """4.1: neither transport nor port given: NAPTR, else SRV for each transport, else the addresses."""
        by_naptr = self._naptr()
        if by_naptr or self._missing:
            return by_naptr
        offered = False
        for transport in ("tls",) if self._secure else self._speaks.transports:
            found = self._service(transport, _SRV_PREFIX[transport] + self._target)
            offered |= found is not None
            if found or self._missing:
                return found or ()
        return () if offered else self._addresses(plain, self._target, DEFAULT_PORT[plain])

    def _naptr(self) -> Sequence[Hop]:
        """The hops of the most preferred service that we speak and that has some."""
        records = self._ask(self._target, "NAPTR")
        # 4.1: SIPS takes nothing but SIPS; SIP keeps SIPS if this side has TLS
        usable = ("tls",) if self._secure else self._speaks.transports
        for one in sorted([one for one in records if isinstance(one, Naptr)][:MAX_SERVICES]):
            transport = _SERVICES.get(one.service.upper())
            if transport in usable and one.flags.lower() == "s" and one.replacement:
                found = self._service(transport, one.replacement)
                if found or self._missing:
                    return found or []
        return []

    def _service(self, transport: str, name: str) -> list[Hop] | None:
        """The hops of an SRV name; None when it has no records, [] when it says that there is no such service."""
        records = [one for one in self._ask(name, "SRV") if isinstance(one, Srv)]
        if not records:
            return None
        hops: list[Hop] = []
        for one in by_weight(records[:MAX_SERVICES], self._pick):
            if one.target and one.port:  # RFC 2782: a target of "." means decidedly not available
                hops += self._addresses(transport, one.target, one.port)
        return hops

    def _addresses(self, transport: str, name: str, port: int) -> list[Hop]:
        # RFC 5922 4: the certificate is to be the name's of the URI, whatever SRV leads to
        identity = self._target if transport == "tls" else ""
        found: list[Record] = [name] if is_ip(name) else []  # as an SRV target against RFC 2782, and met all the same
        if not found:
            for family in self._speaks.families:
                found += self._ask(name, family)
        hops = [self._speaks.hop(transport, one, port, identity) for one in found if isinstance(one, str)]
        return [hop for hop in hops if hop is not None]

    def _ask(self, name: str, kind: RecordType) -> Records:
        question = Question(name, kind)
        records = self._answers(question)
        if records is None:
            self._missing.append(question)
            return ()
        return records


class Weighted(Protocol):
    """What can be put in order: the lower priority first; among equals at random, in proportion to weight."""

    @property
    def priority(self) -> int: ...
    @property
    def weight(self) -> int: ...


T = TypeVar("T", bound=Weighted)


def by_weight(records: Iterable[T], pick: Pick) -> list[T]:
    """RFC 2782, "Weight": the order in which to try the targets."""
    ordered: list[T] = []
    for _, group in itertools.groupby(sorted(records, key=lambda one: one.priority), key=lambda one: one.priority):
        left = sorted(group, key=lambda one: one.weight)  # those of weight 0 first
        while left:
            sums = list(itertools.accumulate(one.weight for one in left))
            drawn = pick(sums[-1]) if len(left) > 1 else 0
            ordered.append(left.pop(next(index for index, running in enumerate(sums) if running >= drawn)))
    return ordered
