"""A contact binding (RFC 3261 10, RFC 5626): what a Contact value says, which device it is, where it is reached."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from pbx.sip.address import parts_of, uri_of, validate_contact
from pbx.sip.dialog import is_ip
from pbx.sip.errors import BadMessage, BadUri, SipError
from pbx.sip.grammar import Params, format_params, param, parse_params, without_params
from pbx.sip.hop import DEFAULT_PORT, WEB, Hop, transport_of
from pbx.sip.uri import Uri, host_port_of

_GR: Final = re.compile(r";gr=([^;?]++)", re.IGNORECASE)
MAX_PATH: Final = 8  # proxies between a phone and us
MAX_PATH_LENGTH: Final = 1000  # characters
_OURS: Final = ("expires", "pub-gruu", "temp-gruu")  # parameters that the registrar writes (RFC 5627 5.2)


class Binding(NamedTuple):
    """One contact of an AOR. A tuple: thousands are made a second, one for each refresh."""

    contact: str  # URI as the phone wrote it, embedded headers included
    params: str  # the Contact's parameters but those of the registrar, as ";q=0.5;+sip.instance=..."
    q: float
    expires_at: float
    call_id: str
    cseq: int
    source: Hop  # where the REGISTER came from
    hop: Hop  # where requests to this contact go (see `hop_for`)
    instance: str | None = None  # +sip.instance: the device, as "<urn:uuid:...>"
    path: tuple[str, ...] = ()  # RFC 3327: the Route of requests to this contact
    reg_id: int = 0  # RFC 5626: which of the device's flows this is; 0: it is not kept as a flow

    @property
    def request_uri(self) -> str:
        """The Request-URI of requests to this contact: embedded headers are not acted on (RFC 3261 19.1.5)."""
        if "?" not in self.contact:
            return self.contact
        user, at, rest = self.contact.rpartition("@")  # a user part may hold a question mark
        return f"{user}{at}{rest.partition('?')[0]}"

    def as_record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return self._asdict() | {"source": tuple(self.source), "hop": tuple(self.hop)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Binding:
        """Raises KeyError, TypeError or SipError for what no `as_record` made."""
        read = {name: record[name] for name in cls._fields if name in record}
        read |= {"source": Hop(*read["source"]), "hop": Hop(*read["hop"]), "path": tuple(read.get("path", ()))}
        binding = cls(**read)
        if [name for name, kind in _KINDS.items() if not isinstance(getattr(binding, name), kind)]:
            raise TypeError("a value of another kind")
        if not 0.0 <= binding.q <= 1.0 or not all(isinstance(one, str) for one in binding.path):
            raise TypeError("no preference, or no path")
        if not (_is_address(binding.source) and _is_address(binding.hop)):
            raise TypeError("no address")
        read_path(binding.path)
        read_contact(f"<{binding.contact}>{binding.params}")
        return binding


_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "contact": str, "params": str, "q": (int, float), "expires_at": (int, float), "call_id": str, "cseq": int,
    "instance": (str, type(None)), "reg_id": int,
}  # fmt: skip
_MOST_S: Final = 1 << 32  # RFC 3261 20.19: what a binding may last


def _is_address(hop: Hop) -> bool:
    return (
        hop.transport in DEFAULT_PORT and isinstance(hop.host, str) and is_ip(hop.host) and isinstance(hop.port, int)
        and 0 < hop.port < 65536 and isinstance(hop.listener, int) and isinstance(hop.name, str)
    )  # fmt: skip


class Change(NamedTuple):
    """What happened to one binding."""

    kind: Literal["added", "refreshed", "removed", "expired"]
    aor: str
    binding: Binding


class Contact(NamedTuple):
    """One Contact value, read."""

    uri: str
    params: str  # without those of the registrar
    q: float
    instance: str | None
    reg_id: int
    expires: str | None


def _read_contact(value: str) -> Contact:
    validate_contact(value)
    _, uri, position = parts_of(value)
    if uri[:4].lower() != "sip:" and uri[:5].lower() != "sips:":
        raise BadUri("Contact is no SIP URI")
    host_port_of(uri)
    params = parse_params(value, position)
    instance = param(params, "+sip.instance") or None
    reg_id = _reg_id(params) if instance else 0  # RFC 5626 6: it means nothing without an instance
    kept = format_params(without_params(params, _OURS))
    return Contact(uri, kept, _q(params), instance, reg_id, param(params, "expires"))


#: A phone refreshes with the same Contact each time: read once, kept while it is short.
_read_usual = lru_cache(maxsize=1 << 15)(_read_contact)
_USUAL_LENGTH: Final = 300  # characters


def read_contact(value: str) -> Contact:
    """Raises SipError when it is no contact that could be called."""
    return _read_usual(value) if len(value) <= _USUAL_LENGTH else _read_contact(value)


def read_path(values: Sequence[str]) -> tuple[str, ...]:
    """The Path of a REGISTER (RFC 3327). Raises SipError for one that could not be a Route, or has no end."""
    if len(values) > MAX_PATH or sum(map(len, values)) > MAX_PATH_LENGTH:
        raise BadMessage("Path too long")
    for value in values:
        if not value.startswith("<"):
            raise BadMessage("Bad Path")
        validate_contact(value)
        host_port_of(uri_of(value))
    return tuple(values)


def gruu_instance(uri: str) -> str | None:
    """The device that a public GRUU speaks of (RFC 5627 3.1.1); None if the URI is none."""
    found = _GR.search(uri)
    return found[1] if found is not None else None


def _q(params: Params) -> float:
    text = param(params, "q") or "1"
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def _reg_id(params: Params) -> int:
    """RFC 5626 4.2: 1 to 2**31 - 1; 0 for anything else."""
    text = param(params, "reg-id") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << 31 else 0


def same_device(binding: Binding, contact: str, instance: str | None, reg_id: int) -> bool:
    """Whether a contact takes the place of a binding. Flows are told apart by instance and reg-id alone (RFC 5626 6):
    two of one device often have one URI. Others by comparison of the URI (RFC 3261 10.3 step 7), or by the instance: a
    phone that came back under another address is not a second phone."""
    if reg_id and binding.reg_id:
        return instance == binding.instance and reg_id == binding.reg_id
    if binding.contact == contact:
        return True
    if instance is not None and binding.instance is not None:
        return instance == binding.instance
    if host_port_of(binding.contact)[1] != host_port_of(contact)[1]:  # the usual case of several phones at one address
        return False
    return Uri.parse(binding.contact).matches(Uri.parse(contact))


def hop_for(contact: str, source: Hop) -> Hop:
    """Where requests to a contact go. A contact on the very host the REGISTER came from is believed, its port included.
    Any other may be a private address behind a NAT or a name only the phone knows: the source is where it is reached.
    Over a stream the source is the connection itself (RFC 5626 5.3), the only way back through a NAT or a firewall."""
    host, port, parameter = host_port_of(contact)
    transport = transport_of(contact, parameter)
    if source.transport != "udp" or transport is None or transport in WEB or not _same_host(host, source.host):
        return source
    port = port or DEFAULT_PORT[transport]
    if transport != "udp":
        return Hop(transport, source.host, port)
    return source if port == source.port else source._replace(port=port)


def hop_by_path(first: str, source: Hop) -> Hop:
    """Where requests to a contact behind proxies go: `first` is the topmost Path value, the proxy next to us. A proxy
    outlives its connections, so over a stream it is its own address that counts, when that is the source's."""
    uri = uri_of(first)
    if source.transport not in ("tcp", "tls"):
        return hop_for(uri, source)
    host, port, parameter = host_port_of(uri)
    transport = transport_of(uri, parameter)
    if transport != source.transport or not _same_host(host, source.host):
        return source
    return Hop(transport, source.host, port or DEFAULT_PORT[transport])


def after_restart(binding: Binding) -> Binding | None:
    """What is left of a binding when every connection is gone: over UDP all of it, else what can be called at an
    address of its own. A contact at the port the connection came from is none: nobody listens there."""
    hop, source = binding.hop, binding.source
    if not hop.reliable or hop != source:
        return binding
    try:
        host, port, transport = host_port_of(binding.contact)
    except SipError:
        return None
    if hop.transport != "tcp" or transport != "tcp" or binding.path or binding.reg_id:
        return None
    if not _same_host(host, source.host) or (port or 5060) == source.port:
        return None
    return binding._replace(hop=Hop("tcp", source.host, port or 5060))


def restored(records: Iterable[Mapping[str, Any]], now: float) -> list[Binding]:
    """The bindings of an AOR as a store gave them back at the start of a server; what can't be read is left out."""
    found: list[Binding] = []
    for record in records:
        try:
            binding = after_restart(Binding.of_record(record))
        except (KeyError, TypeError, SipError):
            continue
        if binding is not None and now < binding.expires_at < now + _MOST_S:
            found.append(binding)
    return found


def _same_host(a: str, b: str) -> bool:
    """Whether a host of a URI is the source address `b`."""
    if a == b:
        return True
    if ":" not in a:
        return False
    b = b.partition("%")[0]
    try:
        return ipaddress.ip_address(a) == ipaddress.ip_address(b)
    except ValueError:
        return False
